"""The numbers of connections, where several processes are one server: no two connections have the same.

The processes share a file that holds the next number that is free, and each takes a thousand of them at a time. So
numbers are unique over all workers, those that have died included, and rise in each of them. Nothing is asked of
another process for that, and a process that dies while it takes some leaves nothing locked.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import IO

try:
    import fcntl
except ImportError:  # Windows has no workers.
    fcntl = None  # type: ignore[assignment]

__all__ = ["SharedNumbers", "newNumbersFile"]

_BLOCK = 1000
_SIZE = 8


def newNumbersFile() -> IO[bytes]:
    """Return the file of a new server, which has no name in the file system."""
    shared: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as the server runs
    os.pwrite(shared.fileno(), (1).to_bytes(_SIZE, "big"), 0)
    return shared


class SharedNumbers(Iterator[int]):
    """The numbers of the connections of one process among several."""

    def __init__(self, descriptor: int) -> None:
        """
        Args:
            descriptor: that of the file that the processes share.
        """
        self._descriptor = descriptor
        self._next = 0
        self._end = 0

    def __next__(self) -> int:
        if self._next == self._end:
            self._next = self._takeBlock()
            self._end = self._next + _BLOCK
        number = self._next
        self._next += 1
        return number

    def _takeBlock(self) -> int:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            first = int.from_bytes(os.pread(self._descriptor, _SIZE, 0), "big")
            os.pwrite(self._descriptor, (first + _BLOCK).to_bytes(_SIZE, "big"), 0)
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)
        return first
