"""What is read again by itself when its files have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from tlscomm.watching._filewatch import LOOK_SECONDS, FileWatch
from tlscomm.watching._pending import PendingRefusals
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import Rereading, logReload
from tlscomm.watching._watchedfiles import WatchedFiles

__all__ = ["Renewal"]

_T = TypeVar("_T")


class Renewal(Generic[_T]):
    """Reads a configuration again when it is told to, and while it is used also when its files have changed."""

    def __init__(
        self,
        clock: IReactorTime,
        read: Callable[[], _T],
        take: Callable[[_T], Sequence[BaseException] | None],
        told: Callable[[ReloadResult], object] | None = None,
        *,
        files: WatchedFiles,
        what: str = "the files of the configuration",
        readLists: Callable[[], _T] | None = None,
        interval: float = LOOK_SECONDS,
        changed: Callable[[], object] | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time.
            read: as in `Rereading`, and so are the others.
            take: uses what was read.
            told: is told of what came of it.
            files: what is read.
            what: what is in them, for the log.
            readLists: reads what of it are lists.
            interval: seconds between two looks where the system tells of nothing.
            changed: is called in the place of reading, when files have changed: what reads is told by another process.
        """
        self._pending = PendingRefusals(clock, told or logReload)
        self._rereading = Rereading(clock, read, take, self._pending.came, files=files, readLists=readLists)
        self._watch = FileWatch(files, changed or self._changed, what, interval)
        self.begin = self._rereading.begin
        self.prepare = self._rereading.prepare

    def use(self, clock: IReactorTime) -> None:
        """Watch the files, if this is the first use. Its clock tells the time for all."""
        self._watch.use(clock)

    def release(self) -> None:
        """End one use, and with the last one the watch."""
        self._watch.release()
        self._pending.tell()

    def _changed(self) -> None:
        self.begin("files").addCallback(lambda result: self._pending.drop() if result else None)
