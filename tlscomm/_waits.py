"""The deadlines of many connections, with one delayed call of Twisted's for all of them.

Nearly every deadline is cancelled: a connection has three or four of them, and none passes. A delayed call of Twisted's
is made for what happens; it costs several times what a place in a heap does, and half a kilobyte. So `Waits` keeps the
deadlines itself, and asks the clock for one call, at the end of the first of them or earlier.

A deadline that was cancelled keeps nothing of its connection, and is forgotten when its time is over, or when more than
half of those that are kept were cancelled. When none is left that was not, nothing is asked of the clock any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from math import ulp
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

__all__ = ["Waits"]

#: How many that were cancelled may be kept whatever the others are.
_FEW = 64

#: In how many seconds it is looked first, at the latest. Those that follow are mostly shorter than the first one, and
#: to ask the clock anew for each of them costs more than to look in vain once.
_SOON = 1.25


@implementer(IReactorTime)
class Waits:
    """Calls later, as a clock of Twisted's does (`IReactorTime`), and tells the time."""

    def __init__(self, clock: IReactorTime) -> None:
        """
        Args:
            clock: tells the time and calls later, usually the reactor.
        """
        self._clock = clock
        self.seconds = clock.seconds
        self._heap: list[tuple[float, int, _Wait]] = []
        self._count = 0
        self._active = 0
        self._call: IDelayedCall | None = None
        self._callAt = 0.0

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:
        """Call something in so many seconds; what is returned can be cancelled, and asked whether it is ``active``."""
        if delay <= 0:
            # That is no deadline, but work for the next turn of the reactor.
            return self._clock.callLater(delay, callable, *args, **kwargs)
        end = self._clock.seconds() + delay
        wait = _Wait(self, partial(callable, *args, **kwargs) if args or kwargs else callable)
        self._count += 1
        self._active += 1
        heappush(self._heap, (end, self._count, wait))
        if self._call is None:
            self._lookIn(min(delay, _SOON))
        elif end < self._callAt:
            self._call.cancel()
            self._lookIn(delay)
        return cast(IDelayedCall, wait)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        return self._clock.getDelayedCalls()

    def _lookIn(self, delay: float) -> None:
        self._callAt = self._clock.seconds() + delay
        self._call = self._clock.callLater(delay, self._look)

    def _look(self) -> None:
        """Call all that are due, in their order."""
        self._call = None
        heap, now = self._heap, self._clock.seconds()
        try:
            while heap and (heap[0][0] <= now or not heap[0][2].active()):
                wait = heappop(heap)[2]
                if (expired := wait.expired) is not None:
                    wait.expired = None
                    self._active -= 1
                    expired()
        finally:
            # One may have raised, which is for the clock to log.
            self._lookForNext()

    def _lookForNext(self) -> None:
        if not self._heap:
            return
        if self._call is not None:
            self._call.cancel()
        end, now = self._heap[0][0], self._clock.seconds()
        delay = max(0.0, end - now)
        # Floating point must not make it late. Where it makes it early, the next look is for the rest.
        self._lookIn(delay - ulp(end) if now + delay > end > now else delay)

    def noteCancelled(self) -> None:
        """One of those that are kept was cancelled."""
        self._active -= 1
        if not self._active:
            self._heap.clear()
            if self._call is not None:
                self._call.cancel()
                self._call = None
        elif len(self._heap) > _FEW + 2 * self._active:
            self._heap[:] = [entry for entry in self._heap if entry[2].active()]
            heapify(self._heap)


class _Wait:
    """A deadline, as much of `IDelayedCall` as those who wait use."""

    __slots__ = ("_waits", "expired")

    def __init__(self, waits: Waits, expired: Callable[[], object] | None) -> None:
        self._waits = waits
        self.expired = expired

    def active(self) -> bool:
        return self.expired is not None

    def cancel(self) -> None:
        if self.expired is not None:
            self.expired = None
            self._waits.noteCancelled()
