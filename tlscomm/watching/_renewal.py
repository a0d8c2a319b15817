"""What is read again by itself when its files have changed.

The files of one change are not written in one moment. A key that does not fit its certificate yet, a list that is half
there, a file that is away for a moment: what cannot be used is a refusal when nothing better has come for a while. What
was there before stays in use all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tlscomm.watching._filewatch import LOOK_SECONDS, FileWatch
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import Rereading, logReload
from tlscomm.watching._watchedfiles import WatchedFiles

__all__ = ["PENDING_SECONDS", "Renewal"]

_T = TypeVar("_T")

#: How long what cannot be used waits for something better, after each change.
PENDING_SECONDS = 3.0
#: How long in all.
_MOST_PENDING = 10.0


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
        """
        self._clock = clock
        self._told = told or logReload
        self._rereading = Rereading(clock, read, take, self._came, files=files, readLists=readLists)
        self._watch = FileWatch(files, self._changed, what, interval)
        self._pending: ReloadResult | None = None
        self._pendingSince: float | None = None
        self._timer: IDelayedCall | None = None
        self.begin = self._rereading.begin
        self.prepare = self._rereading.prepare

    def use(self, clock: IReactorTime) -> None:
        """Watch the files, if this is the first use. Its clock tells the time for all."""
        self._watch.use(clock)

    def release(self) -> None:
        """End one use, and with the last one the watch."""
        self._watch.release()
        self._tell()

    def _changed(self) -> None:
        self.begin("files").addCallback(lambda result: self._drop() if result else None)

    def _came(self, result: ReloadResult) -> None:
        """Something was read, or could not be."""
        since = self._pendingSince
        self._drop()
        if result or result.trigger != "files":
            self._told(result)
            return
        now = self._clock.seconds()
        self._pending, self._pendingSince = result, now if since is None else since
        left = self._pendingSince + _MOST_PENDING - now
        self._timer = self._clock.callLater(max(0.0, min(PENDING_SECONDS, left)), self._tell)

    def _tell(self) -> None:
        """Nothing better has come."""
        pending = self._pending
        self._drop()
        if pending is not None:
            self._told(pending)

    def _drop(self) -> None:
        self._pending = self._pendingSince = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
