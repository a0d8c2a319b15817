"""The bytes of a capture, in large pieces: from a file, packed by gzip or not, or from standard input.

A large capture has millions of packets. So its readers cut them out of one large piece of bytes themselves, and come
here for the next piece only.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from types import TracebackType
from typing import BinaryIO

from tlscomm._capture.problems import CaptureProblem

__all__ = ["Source"]

#: Large enough that reading costs little, small enough to be no part of what a program needs.
_PIECE = 1 << 18

_GZIP = b"\x1f\x8b"


class Source:
    """One capture that is being read. Close it, or use it in a ``with`` statement.

    Attributes:
        name: what messages call it.
        isSeekable: whether it can be read twice.
        size: of the file in bytes, packed as it is, or 0 where that is not known.
        end: how many bytes were taken from it so far, unpacked.
        problem: why it ends too early, empty where it does not.
    """

    def __init__(self, path: str) -> None:
        """
        Args:
            path: the file, or ``-`` for standard input.

        Raises:
            CaptureProblem: it cannot be opened.
        """
        self.name = "standard input" if path == "-" else path
        self.isSeekable = False
        self.size = 0
        self.end = 0
        self.problem = ""
        try:
            self._raw: BinaryIO = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115
        except (OSError, ValueError) as error:
            raise CaptureProblem(f"{self.name}: cannot be opened ({_reason(error)}).") from error
        self._file: BinaryIO | gzip.GzipFile = self._raw
        self._isOwn = path != "-"
        self._ahead = b""
        try:
            self._begin()
        except (OSError, EOFError, zlib.error) as error:
            self.close()
            raise CaptureProblem(f"{self.name}: cannot be read ({_reason(error)}), at byte 0.") from error

    def _begin(self) -> None:
        if self._isOwn:
            self.size = os.fstat(self._raw.fileno()).st_size
            self.isSeekable = self._raw.seekable()
        head = self._raw.peek(2)[:2] if isinstance(self._raw, io.BufferedReader) else b""
        if head == _GZIP:
            self._file = gzip.GzipFile(fileobj=self._raw)

    @property
    def position(self) -> int:
        """How much of the file as it is was read, in bytes; 0 where that is not known."""
        return self._raw.tell() if self.isSeekable else 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes and stay before them; fewer than `size` where the capture ends."""
        self._ahead = self.more(b"", size)
        return self._ahead[:size]

    def more(self, rest: bytes, size: int) -> bytes:
        """Return `rest` and what comes after it, at least `size` bytes in all unless the capture ends before."""
        pieces = [rest, self._ahead]
        have = len(rest) + len(self._ahead)
        self._ahead = b""
        while have < size:
            piece = self._read(max(_PIECE, min(size - have, 1 << 22)))
            if not piece:
                break
            pieces.append(piece)
            have += len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> int:
        """Pass over so many bytes, and return how many there were."""
        left = size - len(self._ahead[:size])
        self._ahead = self._ahead[size:]
        if self._file is self._raw and self.isSeekable and left > _PIECE:
            left -= self._seek(left)
        while left and (piece := self._read(min(left, _PIECE))):
            left -= len(piece)
        return size - left

    def _seek(self, size: int) -> int:
        passed = max(0, min(size, self.size - self._raw.tell()))
        self._raw.seek(passed, os.SEEK_CUR)
        self.end += passed
        return passed

    def rewind(self) -> None:
        """Begin again. Only where it is seekable."""
        self._file.seek(0)
        self._ahead = b""
        self.end = 0
        self.problem = ""

    def _read(self, size: int) -> bytes:
        file = self._file
        try:
            if isinstance(file, gzip.GzipFile):
                piece = _unpack(file, size)
            elif self.isSeekable or not isinstance(file, io.BufferedReader):
                piece = file.read(size)
            else:
                # What has come so far, for it may be a capture that goes on.
                piece = file.read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.problem = "its gzip form is damaged"
            return b""
        except OSError as error:
            self.problem = f"it cannot be read ({_reason(error)})"
            return b""
        self.end += len(piece)
        return piece

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._isOwn:
            self._raw.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _unpack(file: gzip.GzipFile, size: int) -> bytes:
    """Return the next bytes, as many as there are before a damaged place."""
    found = bytearray()
    try:
        # A read of all at once would give none of them.
        while len(found) < size and (piece := file.read1(size - len(found))):
            found += piece
    except (OSError, EOFError, zlib.error):
        if not found:
            raise
    return bytes(found)
