"""Work that is done again and again while somebody has a use for its result: files are looked at, fetches begun.

A server has a use for it while it listens, a client while it is connected. Several may share one object, which then
works once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.internet.task import LoopingCall

__all__ = ["BackgroundTask"]

_log = Logger(namespace="tlscomm")


class BackgroundTask:
    """Repeats some work.

    Args:
        work: called with the clock, at once and then at each interval.
        interval: seconds.
    """

    def __init__(self, work: Callable[[IReactorTime], object], interval: float) -> None:
        self._work = work
        self._interval = interval
        self._users = 0
        self._loop: LoopingCall | None = None

    def use(self, clock: IReactorTime) -> None:
        """Begin, if nobody has yet. The first clock tells the time for all."""
        self._users += 1
        if self._loop is None:
            # Only what has a clock repeats anything.
            from twisted.internet.task import LoopingCall

            self._loop = LoopingCall(self._workOnce, clock)
            self._loop.clock = clock
            self._loop.start(self._interval)

    def release(self) -> None:
        """Say that one who called `use` has no use for it any more."""
        self._users -= 1
        if not self._users and self._loop is not None:
            self._loop.stop()
            self._loop = None

    def _workOnce(self, clock: IReactorTime) -> None:
        try:
            self._work(clock)
        except Exception:
            # A bug must be seen and must not end the loop.
            _log.failure("a background task of revocation broke")
