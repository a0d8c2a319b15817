"""Work that is done again and again while its result is of use: files are looked at, fetches begun.

A server has a use for it while it listens, a client while it is connected. Several may share one object, which then
works once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from twisted.logger import Logger

from tlscomm.failures._loggedfailure import logFailure

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.internet.task import LoopingCall

__all__ = ["BackgroundTask", "Task", "inThread"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_log = Logger(namespace="tlscomm")


class Task(Protocol):
    """What is done while it is used. Several may use one."""

    def use(self, clock: IReactorTime) -> None:
        """Begin, if this is the first use. Its clock tells the time for all."""

    def release(self) -> None:
        """End one use, and with the last one the work."""


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
        """Begin, if this is the first use. Its clock tells the time for all."""
        self._users += 1
        if self._loop is None:
            # Only what has a clock repeats anything.
            from twisted.internet.task import LoopingCall

            self._loop = LoopingCall(self._workOnce, clock)
            self._loop.clock = clock
            self._loop.start(self._interval)

    def release(self) -> None:
        """End one use, and with the last one the work."""
        self._users -= 1
        if not self._users and self._loop is not None:
            self._loop.stop()
            self._loop = None

    def _workOnce(self, clock: IReactorTime) -> None:
        try:
            self._work(clock)
        except Exception:
            # A bug must be seen and must not end the loop.
            logFailure(_log, "a background task of revocation broke")


def inThread(clock: IReactorTime, work: Callable[_P, _T], *args: _P.args, **named: _P.kwargs) -> Deferred[_T]:
    """Do something that takes a while, in a thread where the clock is a reactor that has some."""
    # Only what has a clock comes here.
    from twisted.internet.defer import maybeDeferred
    from twisted.internet.interfaces import IReactorThreads
    from twisted.internet.threads import deferToThreadPool

    if IReactorThreads.providedBy(clock):
        reactor: Any = clock
        return deferToThreadPool(reactor, reactor.getThreadPool(), work, *args, **named)
    return maybeDeferred(work, *args, **named)
