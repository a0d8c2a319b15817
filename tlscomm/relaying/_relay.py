"""Two connections that are joined, from the first one's beginning to the end of both.

An end is passed on as what it was. A side that ended in order, by close_notify or TCP's end of stream, has the other
connection end that way in that direction, and the opposite direction goes on. A connection that is gone without that is
cut, or broken: the other one is then cut as well, without close_notify and by a reset, so that what came is not taken
for all that there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from tlscomm.failures import BackendLost, CloseTimeout, Reset, TLSFailure
from tlscomm.relaying._end import End

__all__ = ["Relay"]

#: How often in its length the wait of a connection whose one side has ended is looked at.
_LOOKS = 4


class Relay:
    """Joins the connection that was accepted with the one that was made for it.

    Attributes:
        near: the connection that was accepted.
        far: the connection that was made for it.
        failure: why it ended, or None where both sides have ended in order, or it was ended from here.
        connecting: the second connection while it is made.
    """

    __slots__ = (
        "_clock",
        "_halfCloseTimeout",
        "_moved",
        "_timer",
        "_vainLooks",
        "_whenConnected",
        "_whenOver",
        "connecting",
        "failure",
        "far",
        "near",
    )

    def __init__(
        self,
        clock: IReactorTime,
        halfCloseTimeout: float | None,
        whenConnected: Callable[[Relay], object],
        whenOver: Callable[[Relay], object],
    ) -> None:
        """
        Args:
            clock: tells the time.
            halfCloseTimeout: seconds that it may go on without a byte when one side has ended; None for ever.
            whenConnected: is called when the first connection is there. It is paused until `join`.
            whenOver: is called when nothing is left.
        """
        self.near = End(self)
        self.far = End(self)
        self.failure: TLSFailure | None = None
        self.connecting: Deferred[Any] | None = None
        self._clock = clock
        self._halfCloseTimeout = halfCloseTimeout
        self._whenConnected: Callable[[Relay], object] | None = whenConnected
        self._whenOver: Callable[[Relay], object] | None = whenOver
        self._timer: IDelayedCall | None = None
        self._moved = 0
        self._vainLooks = 0

    @property
    def isJoined(self) -> bool:
        """Whether both connections were there."""
        return self._whenConnected is None

    def join(self, opening: bytes = b"") -> None:
        """The second connection is there: let bytes go on.

        Args:
            opening: what the second connection is sent before all else.
        """
        self._whenConnected = None
        near, far = self.near, self.far
        if near.isLost:
            return
        if opening:
            far.put(opening)
        near.passOn, far.passOn = far.put, near.put
        far.transport.registerProducer(near, True)
        near.transport.registerProducer(far, True)
        near.transport.resumeProducing()
        if near.hasEnded and not near.isLost:
            self._passEnd(near, far)

    def fail(self, failure: TLSFailure) -> None:
        """There is no second connection, or the relay may not go on: cut what there is."""
        if self.failure is None:
            self.failure = failure
        for end in (self.far, self.near):
            end.abort(failure)

    def failIn(self, seconds: float, failure: TLSFailure) -> None:
        """Do the same in so many seconds, unless the connection is gone before."""
        self._timer = self._clock.callLater(seconds, self.fail, failure)

    def end(self) -> None:
        """End both connections, in order where that says nothing wrong; what is under way is lost."""
        for end in (self.far, self.near):
            end.abort()

    # What the ends tell.

    def connected(self, end: End) -> None:
        if end is self.near and self._whenConnected is not None:
            end.transport.pauseProducing()
            self._whenConnected(self)

    def ended(self, end: End) -> None:
        if self.isJoined:
            self._passEnd(end, self._other(end))

    def lost(self, end: End, reason: Failure) -> None:
        other = self._other(end)
        if not end.isClosing and not end.hasHalves and reason.check(ConnectionDone):
            # There is no other way to say that it has ended in order.
            other.close()
        elif not end.isClosing:
            if self.failure is None:
                self.failure = self._named(end, reason.value)
            other.abort(self.failure)
        if other.isLost or other.transport is None:
            self._over()

    def _passEnd(self, end: End, other: End) -> None:
        if other.isLost:
            return
        if other.hasEnded:
            end.close()
            other.close()
            return
        other.endWriting()
        if self._timer is None and self._halfCloseTimeout is not None:
            self._lookLater()

    def _other(self, end: End) -> End:
        return self.far if end is self.near else self.near

    def _named(self, end: End, reason: Any) -> TLSFailure | None:
        """Return why an end is gone that was not told to; None where its transport was told from elsewhere."""
        if isinstance(reason, TLSFailure | ConnectionDone | ConnectionAborted):
            return reason if isinstance(reason, TLSFailure) else None
        said = (str(reason),)
        if end is self.far:
            return BackendLost("it ended the connection" if end.hasEnded else "it cut the connection", evidence=said)
        return Reset("by the program that had connected", side="remote", evidence=said)

    # The wait of a connection whose one side has ended.

    def _lookLater(self) -> None:
        assert self._halfCloseTimeout is not None
        self._timer = self._clock.callLater(self._halfCloseTimeout / _LOOKS, self._look)

    def _look(self) -> None:
        moved = self.near.received + self.far.received
        self._vainLooks = 0 if moved != self._moved else self._vainLooks + 1
        self._moved = moved
        if self._vainLooks < _LOOKS:
            self._lookLater()
        else:
            detail = f"one side had ended, and nothing came from the other for {self._halfCloseTimeout:g} s"
            self.fail(CloseTimeout(detail))

    def _over(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        connecting, self.connecting = self.connecting, None
        if connecting is not None:
            connecting.cancel()
        # A connection that was never made has not let go of this by itself.
        self.far.release()
        whenOver, self._whenOver = self._whenOver, None
        if whenOver is not None:
            whenOver(self)
