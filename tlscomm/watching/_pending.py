"""What cannot be used may only be half there: whether it is a refusal shows a little later.

The files of one change are not written in one moment. A key that does not fit its certificate yet, a list that is half
there, a file that is away for a moment: that is a refusal when nothing better has come for a while. What was there
before stays in use all the time, so that only the telling has to wait.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["PENDING_SECONDS", "PendingRefusals"]

#: How long what cannot be used waits for something better, after each change.
PENDING_SECONDS = 3.0
#: How long in all.
_MOST_PENDING = 10.0


class PendingRefusals:
    """Passes on what came of readings. A refusal of what files have brought by themselves waits."""

    def __init__(self, clock: IReactorTime, told: Callable[[ReloadResult], object]) -> None:
        """
        Args:
            clock: tells the time.
            told: is told of all but the refusals that something better came after.
        """
        self._clock = clock
        self._told = told
        self._pending: ReloadResult | None = None
        self._since: float | None = None
        self._timer: IDelayedCall | None = None
        self._last = ""

    def came(self, result: ReloadResult) -> None:
        """Something was read, or could not be."""
        since = self._since
        self.drop()
        if result or result.trigger != "files":
            self._last = ""
            self._told(result)
            return
        now = self._clock.seconds()
        self._pending, self._since = result, now if since is None else since
        left = self._since + _MOST_PENDING - now
        self._timer = self._clock.callLater(max(0.0, min(PENDING_SECONDS, left)), self.tell)

    def tell(self) -> None:
        """Nothing better has come."""
        pending = self._pending
        self.drop()
        # What may pass is tried again every minute, and said once.
        if pending is not None and (pending.isPartial or str(pending.problem) != self._last):
            self._last = str(pending.problem)
            self._told(pending)

    def drop(self) -> None:
        """Something better has come."""
        self._pending = self._since = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
