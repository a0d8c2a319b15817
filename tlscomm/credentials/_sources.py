"""Where bytes come from: a file, the bytes themselves, a file object, or standard input.

A path may be that of a named pipe, as a shell makes one for ``<(command)``. A writer may never come, and a server that
opens a port only when the credential is there would then wait for ever; so a pipe is waited for, and not for long.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, TypeAlias

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._permissions import isReadableByOthers
from tlscomm.failures import FileNotFound, Unreadable, printable

__all__ = [
    "STANDARD_INPUT",
    "Pipe",
    "Source",
    "SourceLike",
    "beingRead",
    "isPipe",
    "nameOf",
    "opened",
    "patience",
    "readSource",
]

SourceLike: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO"
"""A path, ``-`` for standard input, the content itself as `bytes`, or a file object that gives bytes."""

STANDARD_INPUT = "-"

_LARGEST = 16 * 1024 * 1024
_LONGEST_PATH = 4096

_NO_FOLDER = "This is a folder: name the file in it, or several files where the program takes several."

#: Seconds until the end of a pipe has to come. The writer may have to ask a person for a pass phrase.
PATIENCE = 60.0
_AT_ONCE = 1 << 16


@dataclass(frozen=True, repr=False)
class Source:
    """Bytes to be read, and what to call them.

    Attributes:
        name: what messages call it, printable.
        content: the bytes.
        path: where they are, for a command that a person can type; None where that is not known.
        place: where in the source these bytes are, where they are a part of it: ``line 12``.
        isReadableByOthers: whether a user other than its owner may read the file it is from.
    """

    name: str
    content: bytes
    path: str | None = None
    isReadableByOthers: bool = False
    place: str = ""


def readSource(source: SourceLike) -> Source:
    """Read all of a source.

    Args:
        source: a path, ``-``, the content, or a file object, which is read to its end and not closed. At most 16 MiB:
            nothing that holds a credential is larger, and a device or a disk image named by mistake would fill the
            memory.

    Raises:
        FileNotFound: there is no such file.
        Unreadable: it may not be read, is a folder, or is too large.
        TypeError: it is nothing of all this, or a file object that gives text.
    """
    if isinstance(source, bytes):
        return _bounded(nameOf(source), source)
    if isinstance(source, str | os.PathLike) and os.fspath(source) != STANDARD_INPUT:
        return _fromPath(source)
    return _fromStream(sys.stdin.buffer if isinstance(source, str | os.PathLike) else source, nameOf(source))


def nameOf(source: SourceLike) -> str:
    """Return what messages call a source, printable. It never shows a content that was given for a name."""
    if isinstance(source, bytes):
        return "the given content"
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        if isContent(path):
            return "the given text"
        return "standard input" if path == STANDARD_INPUT else printable(path, _LONGEST_PATH)
    name = getattr(source, "name", None)
    return printable(name, _LONGEST_PATH) if isinstance(name, str) else "the file that was given"


def isContent(path: str) -> bool:
    """Return whether what stands in a file was given for its name, which may be a private key."""
    return "-----BEGIN" in path or "\n" in path or "\r" in path


def _fromPath(path: str | os.PathLike[str]) -> Source:
    name = nameOf(path)
    if isContent(os.fsdecode(path)):
        raise FileNotFound(
            "a name was expected, and what was given is the content of a file", remedy="Give it as bytes, or the name."
        )
    try:
        with opened(path) as file:
            return _fromStream(file, name, os.fsdecode(path))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFound(name) from None
    except ValueError:
        # A NUL or a character that the file system cannot express.
        raise FileNotFound(f"{name} cannot be the name of a file") from None
    except IsADirectoryError as error:
        raise Unreadable(f"{name}: {error.strerror}", remedy=_NO_FOLDER) from None
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...

    def fileno(self) -> int: ...


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Readable]:
    """Open a file to be read, without waiting for a program that might write to it.

    Raises:
        OSError, ValueError: as `open`; reading raises them, too.
    """
    thread = threading.current_thread()
    _read[thread] = nameOf(path)
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
            yield Pipe(file.fileno()) if isPipe(file.fileno()) else file
    finally:
        _read.pop(thread, None)


#: What each thread reads now.
_read: dict[threading.Thread, str] = {}


def beingRead(thread: threading.Thread) -> str:
    """Return the name of the file that a thread reads now, empty where it reads none."""
    return _read.get(thread, "")


class _Patience(threading.local):
    """How long a thread waits for pipes, in seconds."""

    seconds: float | None = None


_patience = _Patience()


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Have this thread wait for pipes no longer than so many seconds each."""
    _patience.seconds = seconds
    try:
        yield
    finally:
        _patience.seconds = None


def isPipe(descriptor: int) -> bool:
    """Return whether an open file is a pipe that can be waited for, which those of Windows cannot."""
    return sys.platform != "win32" and stat.S_ISFIFO(os.fstat(descriptor).st_mode)


class Pipe:
    """Reads from a pipe, and waits for what is to come for so many seconds in all."""

    def __init__(self, descriptor: int, patience: float | None = None) -> None:
        self._descriptor = descriptor
        self._patience = _patience.seconds or PATIENCE if patience is None else patience
        self._end = time.monotonic() + self._patience
        self._hasBegun = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def fileno(self) -> int:
        return self._descriptor

    def read(self, size: int, /) -> bytes:
        # Nothing yet is the end where something was written before, and else a program may still open it for writing.
        piece = None if os.get_blocking(self._descriptor) else self._there(size)
        if piece or (piece is not None and self._hasBegun):
            self._hasBegun = True
            return piece
        if not self._poll.poll(max(self._end - time.monotonic(), 0) * 1000):
            raise OSError(
                errno.ETIMEDOUT, f"no program wrote to this pipe, to its end, within {self._patience:g} seconds"
            )
        self._hasBegun = True
        return os.read(self._descriptor, min(size, _AT_ONCE))

    def _there(self, size: int) -> bytes | None:
        """Return what can be read at once, None where it is not written yet."""
        try:
            return os.read(self._descriptor, min(size, _AT_ONCE))
        except BlockingIOError:
            return None


def _fromStream(stream: Readable, name: str, path: str | None = None) -> Source:
    if not callable(getattr(stream, "read", None)):
        raise TypeError(f"a source is a path, bytes or a file object, not {type(stream).__name__}")
    try:
        content = b"".join(_pieces(stream))
    except (OSError, ValueError) as error:
        # ValueError: it was closed.
        raise Unreadable(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    return _bounded(name, content, path, isReadableByOthers=_mayOthersRead(stream, path))


def _pieces(stream: Readable) -> list[bytes]:
    pieces: list[bytes] = []
    left = _LARGEST + 1
    # A pipe gives less than was asked for, long before its end.
    while left > 0 and (piece := stream.read(left)):
        if not isinstance(piece, bytes):
            raise TypeError(f"a file object must give bytes, not {type(piece).__name__}")
        pieces.append(piece)
        left -= len(piece)
    return pieces


def _bounded(name: str, content: bytes, path: str | None = None, *, isReadableByOthers: bool = False) -> Source:
    if len(content) > _LARGEST:
        raise Unreadable(f"{name} is larger than {_LARGEST // 1024 // 1024} MiB")
    return Source(name, content, path, isReadableByOthers)


def _mayOthersRead(stream: Readable, path: str | None) -> bool:
    try:
        return isReadableByOthers(stream.fileno(), path)
    except (AttributeError, OSError, ValueError):
        # It is no file of the operating system.
        return False
