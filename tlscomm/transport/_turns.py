"""How many steps of handshakes one turn of the reactor takes, so that open connections do not wait for strangers.

A step of a handshake, one flight read and answered, costs a hundred times what a message costs, and the reactor serves
all that has come before it looks again. Five hundred peers that connect at once would keep each open connection waiting
until all of them are served. So the steps of one turn have 5 ms. Those beyond that wait, first come first served, until
the next turn, and in between the reactor serves what has come for all others.

It is as if the bytes of a step that waits had yet to come: nothing more is read from its peer meanwhile, so that what
follows them, the end of the stream included, comes after them; and the handshake's deadline does not count the time.

Where there is no storm, nothing waits, and all that is paid is two looks at the clock a step. Time in which no step is
taken gives back what was spent, so that no turn has to be counted while handshakes come one by one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["HandshakeTurns"]

#: What the steps of one turn may take, in seconds. The last one may begin just before that is over. Shorter turns make
#: each step dearer, because the processor's caches have forgotten what the one before it needed.
_TURN_SECONDS = 0.005

#: When so much was spent, the end of the turn is waited for, to give it back. Before that, time alone does.
_WORTH_WAITING = 0.0025

#: Where the rest of a turn is long, the steps get this part of its time instead, so that a busy server lets others in.
_SHARE = 0.25


class Handshaking(Protocol):
    """What is asked of a connection that shakes hands."""

    def takeStep(self, data: bytes) -> None:
        """Go on with the handshake by what the peer has sent."""

    def awaitTurn(self) -> None:
        """A step waits: read nothing more from the peer."""

    def takeTurn(self, data: bytes, seconds: float) -> None:
        """Take a step that has waited so long, if the connection still shakes hands. It must not raise."""


class HandshakeTurns:
    """The steps of the handshakes of one factory."""

    def __init__(self, clock: IReactorTime) -> None:
        """
        Args:
            clock: tells how long a step takes, and has the next turn.
        """
        self._clock = clock
        self._waiting: OrderedDict[Handshaking, tuple[float, bytes]] = OrderedDict()
        self._next: IDelayedCall | None = None
        self._spent = 0.0
        self._last = 0.0

    def receive(self, connection: Handshaking, data: bytes) -> None:
        """Take a step of a handshake now or, where there were too many in this turn, in one that follows."""
        began = self._clock.seconds()
        if (idle := began - self._last) < 0:
            self._clockWasSetBack(began)
        elif self._spent:
            self._spent = max(0.0, self._spent - idle)
        if self._waiting or self._spent >= _TURN_SECONDS:
            self._wait(connection, data, began)
            return
        try:
            connection.takeStep(data)
        finally:
            self._last = self._clock.seconds()
            self._spent += self._last - began
            self._callNext()

    def isWaiting(self, connection: Handshaking) -> bool:
        """Whether a step of a connection waits."""
        return connection in self._waiting

    def hurry(self, connection: Handshaking) -> None:
        """Take the step of a connection that waits, if one does: something has come that must not overtake it."""
        if (waiting := self._waiting.pop(connection, None)) is not None:
            since, data = waiting
            connection.takeTurn(data, self._clock.seconds() - since)

    def _wait(self, connection: Handshaking, data: bytes, now: float) -> None:
        # What is below was asked to bring no more. If it does, the order counts for more than whose turn it is.
        self.hurry(connection)
        self._waiting[connection] = now, data
        connection.awaitTurn()
        self._callNext()

    def _clockWasSetBack(self, now: float) -> None:
        self._last = now
        if self._next is not None:
            # Twisted would call it when the clock shows again what it showed then.
            self._next.reset(0)

    def _callNext(self) -> None:
        """Have another turn, where there is anything to do in it, or to give back."""
        if self._next is None and (self._waiting or self._spent > _WORTH_WAITING):
            self._next = self._clock.callLater(0, self._turn)

    def _turn(self) -> None:
        """Another turn of the reactor: take as many steps as it has time for, at least one."""
        self._next = None
        now = began = self._clock.seconds()
        over = began + max(_TURN_SECONDS, (began - self._last) * _SHARE)
        while self._waiting:
            connection, (since, data) = self._waiting.popitem(last=False)
            connection.takeTurn(data, now - since)
            if (now := self._clock.seconds()) >= over:
                break
        self._spent, self._last = now - began, now
        self._callNext()
