"""Captures written by ourselves, in the form pcapng: what one side of a connection saw, in TCP/IP made for it.

A TLS connection of ours knows its records, and not the packets that they came in. Wireshark reads packets. So the bytes
are put into segments of TCP, with the addresses and ports that the connection has, and the times at which we had them.

Source: draft-ietf-opsawg-pcapng. The secrets of a connection have to stand before its packets: programs that read
captures do not go back for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack
from typing import Literal, Protocol

from tlscomm import __version__
from tlscomm._capture.direction import ACK, FIN, MASK, RST, SYN
from tlscomm._capture.packets import Address
from tlscomm._capture.segments import Encoder
from tlscomm.failures import printable

__all__ = ["LARGEST_SEGMENT", "CaptureWriter", "Output", "WrittenConnection", "WrittenPacket"]

#: Packets begin with the header of IPv4 or IPv6 (LINKTYPE_RAW).
_RAW = 101

_ABOUT = "what one side of TLS connections saw, in TCP/IP made for this file"

_SECTION, _INTERFACE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_TLS_KEY_LOG = 0x544C534B
_COMMENT = 1

_PSH = 0x08

#: Of a segment. IPv4 allows 65,495 bytes.
LARGEST_SEGMENT = 65_000

#: After so many bytes of one side, the other one acknowledges without having anything to say.
_ACKNOWLEDGED = 1 << 20

#: Of a comment, in characters.
_LONGEST_COMMENT = 2_000

#: So many bytes are held back before they are written.
_HELD = 1 << 16


class Output(Protocol):
    """Where a capture is written to: an open file for one."""

    def write(self, data: bytes, /) -> object:
        """Write all of it, or raise `OSError`."""


class WrittenPacket:
    """A packet of a capture that is being written.

    Attributes:
        comment: for a person who looks at it, in one line. It can be changed until the packet `isWritten`.
        isWritten: whether it is on its way to the file.
    """

    __slots__ = ("_data", "_flags", "_length", "_time", "comment", "isWritten")

    def __init__(self, data: bytes, length: int, time: int, flags: int) -> None:
        self.comment = ""
        self.isWritten = False
        self._data = data
        self._length = length
        self._time = time
        self._flags = flags

    @property
    def size(self) -> int:
        """How many bytes it takes in the file, without the comment."""
        return 32 + len(self._data) + (-len(self._data) & 3) + (12 if self._flags else 0)

    def block(self) -> bytes:
        """Return its Enhanced Packet Block."""
        size, time = len(self._data), self._time
        options = b""
        if self.comment:
            options += _option(_COMMENT, printable(self.comment, _LONGEST_COMMENT).encode("utf-8", "replace"))
        if self._flags:
            options += _option(2, pack("<I", self._flags))
        head = pack("<IIIII", 0, time >> 32 & MASK, time & MASK, size, self._length)
        return _block(_ENHANCED, b"".join((head, self._data, bytes(-size & 3), _ended(options))))


class CaptureWriter:
    """Writes one capture."""

    def __init__(self, file: Output, about: str = _ABOUT) -> None:
        """
        Args:
            file: where it is written to.
            about: a few words for a person, on what is in it.
        """
        self._file = file
        self._waiting: list[bytes | WrittenPacket] = []
        self._heldSize = 0
        self._writtenSize = 0
        self._flushed = 0
        self._add(_section() + _interface(about))

    @property
    def size(self) -> int:
        """How many bytes it has, those included that are not written yet, without the comments of these."""
        return self._writtenSize + self._heldSize

    def secrets(self, lines: bytes) -> None:
        """Write lines of a key log (RFC 9850), which what comes after them is decrypted with."""
        self._add(_block(_SECRETS, pack("<II", _TLS_KEY_LOG, len(lines)) + lines + bytes(-len(lines) & 3)))

    def packet(self, data: bytes, time: int, isInbound: bool | None = None, length: int | None = None) -> WrittenPacket:
        """Write a packet, the last one of all for now.

        Args:
            data: its bytes, from the header of IPv4 or IPv6 on.
            time: nanoseconds since 1970.
            length: how many bytes it had, where these are not all.
            isInbound: whether it came to us, where that is known.

        Raises:
            OSError: earlier packets cannot be written.
        """
        if self._heldSize >= _HELD or time - self._flushed > 1_000_000_000:
            self.flush()
            self._flushed = time
        packet = WrittenPacket(
            data, len(data) if length is None else length, time, 0 if isInbound is None else 1 if isInbound else 2
        )
        self._add(packet)
        return packet

    def connection(
        self, client: Address, server: Address, time: int, side: Literal["client", "server"] | None = None
    ) -> WrittenConnection:
        """Write the beginning of a TCP connection.

        Args:
            client: its address.
            server: the same.
            time: nanoseconds since 1970.
            side: which of them is ours, where that is known.

        Raises:
            ValueError: what is said to be an address is none.
            OSError: what is held back cannot be written.
        """
        return WrittenConnection(self, client, server, time, side)

    def flush(self) -> None:
        """Write all that is held back.

        Raises:
            OSError: it cannot be written. What is there of it is not held back any more.
        """
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._heldSize = 0
        pieces = b"".join(_finished(waiting))
        self._writtenSize += len(pieces)
        self._file.write(pieces)

    def _add(self, piece: bytes | WrittenPacket) -> None:
        self._heldSize += len(piece) if isinstance(piece, bytes) else piece.size
        self._waiting.append(piece)


class WrittenConnection:
    """A TCP connection in a capture that is being written."""

    def __init__(
        self,
        writer: CaptureWriter,
        client: Address,
        server: Address,
        time: int,
        side: Literal["client", "server"] | None = None,
    ) -> None:
        """As `CaptureWriter.connection` says."""
        self._writer = writer
        self._side = side
        self._encoders = {True: Encoder(client, server), False: Encoder(server, client)}
        # The clock of RFC 9293, section 3.4.1, which ticks every four microseconds.
        start = time // 4_000 & MASK
        self._next = {True: start, False: start}
        self._acknowledged = {True: start, False: start}
        self._open = {True, False}
        self._last: WrittenPacket | None = None
        self._comment = ""
        self._write(True, SYN, time, isFirst=True)
        self._write(False, SYN | ACK, time, isFirst=True)
        self._write(True, ACK, time)

    @property
    def isEnded(self) -> bool:
        """Whether both sides have ended it."""
        return not self._open

    def data(self, isFromClient: bool, data: bytes, time: int, comment: str = "") -> None:
        """Write bytes of one side, in the order in which they were sent.

        Args:
            isFromClient: which side sent them.
            data: any number of bytes.
            time: nanoseconds since 1970.
            comment: for a person who looks at the packet, the last one where there are several.

        Raises:
            OSError: what is held back cannot be written.
        """
        if isFromClient not in self._open:
            return
        for at in range(0, len(data), LARGEST_SEGMENT):
            self._write(isFromClient, _PSH | ACK, time, data[at : at + LARGEST_SEGMENT])
            if self._next[isFromClient] - self._acknowledged[isFromClient] & MASK > _ACKNOWLEDGED:
                self._write(not isFromClient, ACK, time)
        if comment:
            self.comment(comment)

    def end(self, isFromClient: bool, how: Literal["FIN", "RST"], time: int, comment: str = "") -> None:
        """Write how one side ended the connection. One that was reset is at its end for the other side too.

        Args:
            isFromClient: which side.
            how: whether in order.
            time: nanoseconds since 1970.
            comment: for a person who looks at the packet.

        Raises:
            OSError: what is held back cannot be written.
        """
        if isFromClient not in self._open:
            return
        self._open -= {isFromClient} if how == "FIN" else {True, False}
        self._write(isFromClient, (FIN if how == "FIN" else RST) | ACK, time)
        if comment:
            self.comment(comment)

    def comment(self, text: str) -> None:
        """Say something about the last packet, or where that is written already, about the next one."""
        if self._last is not None and not self._last.isWritten:
            self._last.comment = _joined(self._last.comment, text)
        else:
            self._comment = _joined(self._comment, text)

    def moveTo(self, writer: CaptureWriter, comment: str) -> None:
        """Go on in another capture.

        Args:
            writer: of that capture.
            comment: is said about its first packet there.
        """
        self._writer = writer
        self._last = None
        self._comment = _joined(self._comment, comment)

    def _write(self, isFromClient: bool, flags: int, time: int, payload: bytes = b"", *, isFirst: bool = False) -> None:
        sequence, awaited = self._next[isFromClient], self._next[not isFromClient]
        encoder = self._encoders[isFromClient]
        packet = encoder.segment(flags, sequence, awaited if flags & ACK else 0, payload, isFirst=isFirst)
        isInbound = None if self._side is None else isFromClient != (self._side == "client")
        self._last = self._writer.packet(packet, time, isInbound)
        self._last.comment, self._comment = self._comment, ""
        if flags & ACK:
            self._acknowledged[not isFromClient] = awaited
        self._next[isFromClient] = sequence + len(payload) + bool(flags & (SYN | FIN)) & MASK


def _joined(first: str, second: str) -> str:
    return f"{first} {second}" if first else second


def _finished(waiting: list[bytes | WrittenPacket]) -> Iterator[bytes]:
    for piece in waiting:
        if isinstance(piece, bytes):
            yield piece
        else:
            piece.isWritten = True
            yield piece.block()


def _section() -> bytes:
    options = _option(4, f"tlscomm {__version__}".encode())
    # A length of -1 leaves open how long the section will be.
    return _block(_SECTION, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _ended(options))


def _interface(about: str) -> bytes:
    options = _option(2, b"tlscomm") + _option(3, about.encode()) + _option(9, b"\x09")
    # Packets are kept whole.
    return _block(_INTERFACE, pack("<HHI", _RAW, 0, 0) + _ended(options))


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return b"".join((pack("<II", kind, size), body, pack("<I", size)))


def _option(code: int, value: bytes) -> bytes:
    return pack("<HH", code, len(value)) + value + bytes(-len(value) & 3)


def _ended(options: bytes) -> bytes:
    return options + bytes(4) if options else b""
