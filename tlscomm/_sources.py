"""Where bytes come from: a file, the bytes themselves, a file object, or standard input."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from tlscomm.failures import FileNotFound, Unreadable, printable

__all__ = ["STANDARD_INPUT", "Source", "SourceLike", "nameOf", "readSource"]

SourceLike: TypeAlias = "str | os.PathLike[str] | bytes | BinaryIO"
"""A path, ``-`` for standard input, the content itself as `bytes`, or a file object that gives bytes."""

STANDARD_INPUT = "-"

_LARGEST = 16 * 1024 * 1024
_READABLE_BY_OTHERS = 0o077
_LONGEST_PATH = 4096


@dataclass(frozen=True, repr=False)
class Source:
    """Bytes to be read, and what to call them.

    Attributes:
        name: what messages call it, printable.
        content: the bytes.
        path: where they are, for a command that a person can type; None where that is not known.
        isReadableByOthers: whether somebody other than its owner may read the file it is from.
    """

    name: str
    content: bytes
    path: str | None = None
    isReadableByOthers: bool = False


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
    """Return what messages call a source, printable."""
    if isinstance(source, bytes):
        return "the given content"
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return "standard input" if path == STANDARD_INPUT else printable(path, _LONGEST_PATH)
    name = getattr(source, "name", None)
    return printable(name, _LONGEST_PATH) if isinstance(name, str) else "the file that was given"


def _fromPath(path: str | os.PathLike[str]) -> Source:
    name = nameOf(path)
    try:
        with open(path, "rb") as file:
            return _fromStream(file, name, os.fsdecode(path))
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFound(name) from None
    except ValueError:
        # A NUL or a character that the file system cannot express.
        raise FileNotFound(f"{name} cannot be the name of a file") from None
    except OSError as error:
        raise Unreadable(f"{name}: {error.strerror}") from None


def _fromStream(stream: BinaryIO, name: str, path: str | None = None) -> Source:
    if not callable(getattr(stream, "read", None)):
        raise TypeError(f"a source is a path, bytes or a file object, not {type(stream).__name__}")
    try:
        content = b"".join(_pieces(stream))
    except (OSError, ValueError) as error:
        # ValueError: it was closed.
        raise Unreadable(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    return _bounded(name, content, path, isReadableByOthers=_isReadableByOthers(stream))


def _pieces(stream: BinaryIO) -> list[bytes]:
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


def _isReadableByOthers(stream: BinaryIO) -> bool:
    # Windows makes up the mode from the read-only attribute. A pipe or terminal is not kept, so nobody finds it later.
    if sys.platform == "win32":
        return False
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        # It is no file of the operating system.
        return False
    return stat.S_ISREG(mode) and bool(mode & _READABLE_BY_OTHERS)
