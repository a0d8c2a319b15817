"""A capture of many connections at once, in files of a bounded size and number.

Each file can be read and decrypted without the others. TLS is decrypted from its handshake on, and each record needs
those before it counted. So a connection stays in the file in which it began, also when others have begun a new one, and
files have some room for that. A connection for which there is no room moves on to the newest file, and takes its
secrets along; with both files it can be decrypted to its end.

A connection is never disturbed: where a file cannot be written, that is logged once, and no more is captured.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Literal

from twisted.logger import Logger

from tlscomm._capture.packets import Address
from tlscomm._capture.segments import packed
from tlscomm._capture.writing import LARGEST_SEGMENT, CaptureWriter, WrittenConnection
from tlscomm.failures import printable
from tlscomm.tracing._ownedfiles import Replaceable, create

__all__ = ["CaptureFile", "CapturedConnection"]

_log = Logger(namespace="tlscomm")

#: What a capture begins with.
_BEGINNING = b"\x0a\x0d\x0d\x0a"

#: The least that a file may hold: the largest packet fits several times.
_LEAST = 1 << 19

#: A file that is fuller than this takes no new connections. The rest is for those that have begun in it.
_FULL = 3 / 4

#: A packet, and the blocks for it and the secrets, take so much more than what they carry.
_BESIDE = 512

#: Of one connection. A renegotiation makes new ones, and a peer may want many.
_MOST_SECRETS = 64

_MADE_UP = "The addresses are made up: this connection did not run over TCP, or its addresses are not known."
_MOVED = "This connection began in an earlier file of this capture, which is needed to decrypt what follows."
_NO_PORT = 49_152


class _Part:
    """One of the files.

    Attributes:
        writer: writes it.
        connections: how many are in it and have not ended.
    """

    def __init__(self, path: Path) -> None:
        self._file = create(path)
        self.writer = CaptureWriter(self._file)
        # A capture without packets is one too.
        self.writer.flush()
        self.connections = 0

    def close(self) -> None:
        try:
            self.writer.flush()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close it without what is held back."""
        self._file.close()


class CaptureFile:
    """A capture that connections are written into, readable by its owner only.

    It holds the secrets of the connections: who can read the file can read all that was said (RFC 9850, Security
    Considerations).

    A file that is full gets ``.1`` behind its name, what had that gets ``.2``, and so on; the oldest goes. What stands
    under the name when the capture begins is treated as if it were full, so a program that is started again keeps what
    it wrote before. What is no capture is neither moved nor replaced.

    Attributes:
        path: of the newest file.
    """

    def __init__(self, path: str | os.PathLike[str], maximumBytes: int = 100 << 20, files: int = 5) -> None:
        """
        Args:
            path: of the newest file.
            maximumBytes: of one file, at least 524,288.
            files: how many there are at most, the newest one included. With one, it is begun anew when it is full.

        Raises:
            OSError: it cannot be made, or there is something that is no capture of ours, of its name or of one of those
                that full files get.
            ValueError: it could not hold anything.
        """
        if maximumBytes < _LEAST or files < 1:
            raise ValueError(f"a capture is at least one file of {_LEAST} bytes")
        self.path = Path(path)
        # A program may go to another folder before a new file is begun.
        self._place = self.path.absolute()
        self._maximumBytes = maximumBytes
        self._files = files
        self._parts: list[_Part] = []
        self._portsMadeUp = count()
        self._replaceable = Replaceable("capture", lambda beginning: beginning.startswith(_BEGINNING))
        self._rotate()

    @property
    def isStopped(self) -> bool:
        """Whether no more is captured: it was closed, or could not be written."""
        return not self._parts

    def begin(
        self, client: Address | None, server: Address | None, time: int, side: Literal["client", "server"] | None = None
    ) -> CapturedConnection:
        """Begin a connection.

        Args:
            client: its address. Where one of the two is None or no address of IP, both are made up.
            server: the same.
            time: nanoseconds since 1970.
            side: which of them we are.
        """
        return CapturedConnection(self, client, server, time, side)

    def close(self) -> None:
        """Write what is held back, and capture no more. More than once does no harm."""
        self.guard(self._close)

    def guard(self, write: Callable[[], None]) -> None:
        """Call what writes. Where it cannot, no more is captured."""
        try:
            write()
        except OSError as error:
            self._stop(error)

    def newest(self) -> _Part:
        """Return the file that a connection begins in.

        Raises:
            OSError: there is none.
        """
        if not self._parts:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._parts[0].writer.size > self._maximumBytes * _FULL:
            self._rotate()
        return self._parts[0]

    def hasRoom(self, part: _Part, size: int) -> bool:
        """Return whether a file is still one of this capture, and so many bytes fit into it."""
        return part in self._parts and part.writer.size + size <= self._maximumBytes

    def left(self, part: _Part) -> None:
        """A connection has ended in a file, or moved on to another."""
        part.connections -= 1
        if part not in self._parts:
            return
        part.writer.flush()
        if not part.connections and part is not self._parts[0]:
            # Its place among the files is counted on, so it stays in the list.
            part.close()

    def madeUp(self) -> tuple[Address, Address]:
        """Return addresses for a connection that has none, other ones than for the one before."""
        port = _NO_PORT + next(self._portsMadeUp) % (0x10000 - _NO_PORT)
        return Address("127.0.0.1", port), Address("127.0.0.2", 443)

    def _rotate(self) -> None:
        self._replaceable.require(map(self._name, range(self._files)))
        for number in range(self._files - 1, 0, -1):
            _rename(self._name(number - 1), self._name(number))
        if self._files == 1:
            self._place.unlink(missing_ok=True)
        part = _Part(self._place)
        self._replaceable.made(self._place)
        oldest = self._parts[self._files - 1 :]
        self._parts = [part, *self._parts[: self._files - 1]]
        for old in oldest:
            old.abandon()
        if len(self._parts) > 1 and not self._parts[1].connections:
            self._parts[1].close()

    def _name(self, number: int) -> Path:
        return Path(f"{self._place}.{number}") if number else self._place

    def _close(self) -> None:
        parts, self._parts = self._parts, []
        for part in parts:
            part.close()

    def _stop(self, error: OSError) -> None:
        parts, self._parts = self._parts, []
        for part in parts:
            part.abandon()
        if parts:
            _log.error(
                "The capture {path} cannot be written: {problem}. No more is captured; connections go on.",
                path=printable(str(self.path)),
                problem=error.strerror,
            )


class CapturedConnection:
    """A connection in a capture. Nothing is raised, whatever becomes of the file."""

    def __init__(
        self,
        capture: CaptureFile,
        client: Address | None,
        server: Address | None,
        time: int,
        side: Literal["client", "server"] | None,
    ) -> None:
        """As `CaptureFile.begin` says."""
        self._capture = capture
        self._part: _Part | None = None
        self._written: WrittenConnection | None = None
        self._secrets: dict[bytes, bytes] = {}
        self._unwritten: set[bytes] = set()
        capture.guard(lambda: self._begin(client, server, time, side))

    def secrets(self, line: bytes) -> None:
        """Take a line of a key log. It is written before the bytes that come next.

        Of two lines with one label and client random, the later one holds.
        """
        key = line.rpartition(b" ")[0]
        if key in self._secrets or len(self._secrets) < _MOST_SECRETS:
            self._secrets[key] = line.rstrip(b"\r\n") + b"\n"
            self._unwritten.add(key)

    def data(self, isFromClient: bool, data: bytes, time: int) -> None:
        """Take bytes of one side, in their order, when the secrets that decrypt them are there.

        Args:
            isFromClient: which side sent them.
            data: records of TLS or parts of them, and what was said before TLS began.
            time: nanoseconds since 1970.
        """

        for at in range(0, len(data), LARGEST_SEGMENT):
            self._writeSegment(isFromClient, data[at : at + LARGEST_SEGMENT], time)

    def end(self, isFromClient: bool, how: Literal["FIN", "RST"], time: int) -> None:
        """Take how one side ended the connection. One that was reset is at its end for both.

        Args:
            isFromClient: which side.
            how: whether in order.
            time: nanoseconds since 1970.
        """

        def write(written: WrittenConnection) -> None:
            written.end(isFromClient, how, time)

        self._write(0, write)
        if self._written is not None and self._written.isEnded:
            self.leave()

    def leave(self) -> None:
        """Write what is held back of it. Nothing more comes, also where its end was not seen on both sides."""
        self._capture.guard(self._leave)

    def verdict(self, text: str) -> None:
        """Say how it ended, as a comment on the packet that came last, or comes next where that one is in the file.

        Args:
            text: for a person, in one line; at most 2,000 characters are kept.
        """
        if self._written is not None:
            self._written.comment(text)

    def _begin(
        self, client: Address | None, server: Address | None, time: int, side: Literal["client", "server"] | None
    ) -> None:
        if self._capture.isStopped:
            return
        part = self._capture.newest()
        if client is None or server is None or None in (packed(client.host), packed(server.host)):
            client, server = self._capture.madeUp()
            written = part.writer.connection(client, server, time, side)
            written.comment(_MADE_UP)
        else:
            written = part.writer.connection(client, server, time, side)
        part.connections += 1
        self._part, self._written = part, written

    def _writeSegment(self, isFromClient: bool, data: bytes, time: int) -> None:
        def write(written: WrittenConnection) -> None:
            written.data(isFromClient, data, time)

        self._write(len(data), write)

    def _write(self, size: int, write: Callable[[WrittenConnection], None]) -> None:
        written = self._written
        if self._capture.isStopped:
            self._written = self._part = None
        elif written is not None:
            self._capture.guard(lambda: self._writeInto(size, written, write))

    def _writeInto(self, size: int, written: WrittenConnection, write: Callable[[WrittenConnection], None]) -> None:
        assert self._part is not None
        if not self._capture.hasRoom(self._part, size + _BESIDE + sum(map(len, self._secrets.values()))):
            self._move(written)
        if self._unwritten:
            self._part.writer.secrets(b"".join(self._secrets[key] for key in self._secrets if key in self._unwritten))
            self._unwritten.clear()
        write(written)

    def _move(self, written: WrittenConnection) -> None:
        part = self._capture.newest()
        if part is self._part:
            return
        old, self._part = self._part, part
        part.connections += 1
        written.moveTo(part.writer, _MOVED)
        self._unwritten = set(self._secrets)
        if old is not None:
            self._capture.left(old)

    def _leave(self) -> None:
        part, self._part, self._written = self._part, None, None
        if part is not None:
            self._capture.left(part)


def _rename(old: Path, new: Path) -> None:
    try:
        os.replace(old, new)
    except FileNotFoundError:
        # So many files there are not yet.
        return
