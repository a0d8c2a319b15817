"""Open connections are judged again, because what was true in the handshake need not stay true.

A certificate expires, or is revoked, while its holder is connected; roots and rules change. Waiting for the holder to
connect again could take for ever. So all open connections are judged again when a caller says that something has
changed, and every half minute, for what changes with time alone.

There may be ten thousand of them. They are judged a few at a time, with other work in between. Where changes come
faster than a round, each connection has its turn all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Revalidation"]

_Connection = TypeVar("_Connection")

#: Seconds between two rounds.
_INTERVAL = 30.0
#: How many are judged in one turn of the reactor: a few milliseconds' work.
_SLICE = 50


class Revalidation(Generic[_Connection]):
    """Judges the connections of one factory again."""

    def __init__(
        self,
        clock: IReactorTime,
        connections: Iterable[_Connection],
        judge: Callable[[_Connection], object],
    ) -> None:
        """
        Args:
            clock: tells the time.
            connections: those that are alive; they come and go.
            judge: judges one of them, and ends it if need be.
        """
        self._clock = clock
        self._connections = connections
        self._judge = judge
        self._timer: IDelayedCall | None = None
        self._left: Iterator[_Connection] | None = None

    def watch(self) -> None:
        """There is a connection: have rounds."""
        if self._timer is None:
            self._timer = self._clock.callLater(_INTERVAL, self.begin)

    def begin(self) -> None:
        """Begin a round now; one that is under way goes on, and then to those that it has passed by.

        It does not begin at the front again, or those at the end would never be judged while lists keep coming.
        """
        left = () if self._left is None else tuple(self._left)
        ahead = frozenset(left)
        self._left = iter((*left, *(each for each in self._connections if each not in ahead)))
        self._go()

    def stop(self) -> None:
        """There is no connection left, or none is to be judged again."""
        self._left = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _go(self) -> None:
        self._wait(0.0)
        for _ in range(_SLICE):
            if self._left is None:
                # The last of them was gone at once.
                return
            if (connection := next(self._left, None)) is None:
                self._left = None
                self._wait(_INTERVAL)
                return
            self._judge(connection)

    def _wait(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self._clock.callLater(seconds, self._go if self._left is not None else self.begin)
