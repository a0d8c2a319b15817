"""What TLS writes by itself because a peer asks for it, and the limit for a peer that does not take it.

A peer can ask for an answer as often as it likes: for a KeyUpdate with each of its own (RFC 8446, section 4.6.3), and
under TLS 1.2 for no_renegotiation with each ClientHello, or HelloRequest of a server (RFC 5246, section 7.2.2). OpenSSL
writes it at once, wherever our own bytes wait. A peer that takes none of it, or takes it slowly, would make us keep any
amount. So it is not read any more once more than a few hundred answers are on their way to it, and has the write
deadline to take those.

A peer that takes the answers, or asks for none, still has new keys worked out for each record of 27 bytes, which costs
many times what application data of that size does (35 µs, and 1.5 µs). So a peer that has sent 64 KiB without any
application data is not read for a few seconds. What honest peers send in between, a part of a record or now and then
new keys, is far less.
"""

from __future__ import annotations

import sys
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Answers"]

#: How many bytes of answers may be on their way, but for those to one read of the reactor: about 600. A peer that
#: changes its keys asks for one in 2^24 records or so (RFC 8446, section 5.5).
_MOST = 1 << 14

#: Seconds after which it is looked again whether they were taken.
_INTERVAL = 0.25

#: How many bytes may come in succession without application data (a record has 2^14), and for how many seconds a peer
#: is not read that has sent more.
_MOST_VAIN = 1 << 16
_VAIN_SECONDS = 4.0


class Stream(Protocol):
    """The stream of all that a connection sends, as far as its answers know it."""

    def taken(self) -> int:
        """Return how many bytes of it the peer has taken."""

    def stopReading(self) -> None:
        """The peer is not to be read any more."""

    def answersTaken(self) -> None:
        """The peer may be read again."""

    def answersStuck(self) -> None:
        """The peer has not taken the answers before the deadline."""


class Answers:
    """Counts the answers of a connection in the stream of all that is sent.

    Attributes:
        deadline: seconds in which a peer has to take those that are too many, or None for ever.
        areTooMany: whether the peer is not to be read until it has taken them.
    """

    __slots__ = (
        "_clock",
        "_count",
        "_countedFrom",
        "_received",
        "_since",
        "_stoppedAt",
        "_stream",
        "_timer",
        "_until",
        "_vain",
        "areTooMany",
        "deadline",
    )

    def __init__(self, clock: IReactorTime, stream: Stream) -> None:
        """
        Args:
            clock: tells the time and calls later.
            stream: that of all that is sent.
        """
        self.deadline: float | None = None
        self.areTooMany = False
        self._clock = clock
        self._stream = stream
        self._count = 0
        self._countedFrom = 0
        self._stoppedAt = 0
        self._since = 0.0
        self._until = 0.0
        self._vain = 0
        self._received = 0
        self._timer: IDelayedCall | None = None

    def note(self, count: int, end: int) -> None:
        """Count answers.

        Args:
            count: how many bytes.
            end: where they end in the stream.
        """
        self._count += count
        if self._count <= _MOST or self.areTooMany:
            return
        if self._stream.taken() >= self._countedFrom:
            # The peer takes what is sent to it. How far it has come is known when as many have followed.
            self._count, self._countedFrom = 0, end
            return
        self._stop(end, 0.0)

    def noteVain(self, count: int, received: int, end: int) -> None:
        """Count what came without application data.

        Args:
            count: how many bytes.
            received: how many bytes of application data have come before.
            end: where the stream of what was sent ends now.
        """
        self._vain = self._vain + count if received == self._received else count
        self._received = received
        if self._vain > _MOST_VAIN and not self.areTooMany:
            self._vain = 0
            self._stop(end, _VAIN_SECONDS)

    def _stop(self, end: int, seconds: float) -> None:
        self.areTooMany = True
        self._stoppedAt, self._since = end, self._clock.seconds()
        self._until = self._since + seconds
        self._stream.stopReading()
        self._lookLater()

    def end(self) -> None:
        """The connection is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # What leads back to the connection goes, so that it is freed with its last user and not by a collection.
        self._stream = _ENDED

    def _lookLater(self) -> None:
        self._timer = self._clock.callLater(_INTERVAL, self._look)

    def _look(self) -> None:
        self._timer = None
        areTaken, now = self._stream.taken() >= self._stoppedAt, self._clock.seconds()
        if areTaken and now >= self._until:
            self.areTooMany = False
            self._count, self._countedFrom = 0, self._stoppedAt
            self._stream.answersTaken()
        elif not areTaken and self.deadline is not None and now - self._since >= self.deadline:
            self._stream.answersStuck()
        else:
            self._lookLater()


class _Ended(Stream):
    """Stands in for the stream of a connection that is over."""

    __slots__ = ()

    def taken(self) -> int:
        return sys.maxsize

    def stopReading(self) -> None: ...

    def answersTaken(self) -> None: ...

    def answersStuck(self) -> None: ...


_ENDED = _Ended()
