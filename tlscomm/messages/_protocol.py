"""Messages over a connection: what most programs extend.

`MessageProtocol` is told of whole messages (`MessageProtocol.messageReceived`) and sends whole messages. It works over
any transport of Twisted's and knows nothing of TLS; over a tlscomm endpoint `connectionMade` means that both sides have
accepted each other.

Messages are handed over one at a time and in order. While the application is busy with one (its ``messageReceived`` is
a coroutine, or returned a Deferred), and while the peer does not take the replies to those before, nothing more is
handed over and nothing more is read: a fast sender is slowed down by TCP, and no memory grows. What was sent without a
message to reply to does not keep us from reading. The peer may be replying to it, and each would wait for the other.

The read deadline runs while a message is awaited or half received, and not while the application is busy or our own
bytes are on their way. A peer that drips bytes does not extend it: it begins again with a message or with a kilobyte of
one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from typing import Any, cast

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm._waits import Waits
from tlscomm.failures import ReadTimeout, TLSFailure, Truncated
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.messages._drainable import IDrainable
from tlscomm.messages._framing import Framing, Message
from tlscomm.messages._framings import framingNamed

__all__ = ["MessageFactory", "MessageProtocol", "RequestProtocol"]

_log = Logger(namespace="tlscomm")

#: How many more bytes of one message count as progress. With the deadline it gives the slowest peer that is served.
_PROGRESS = 1024

_CLOSED_IN_ORDER = (
    "Look in the peer's log. It may have waited too long for the whole message (its read deadline: see that both sides "
    "use the same framing), have had no reply to give, or have been stopped. It did not crash, for it closed in order."
)


class MessageFactory(Factory):
    """Makes message protocols that share a framing, a limit and a deadline.

    Attributes:
        protocol: the class of its protocols, `MessageProtocol` or one that extends it.
        framing: how messages are told apart.
        maximumMessage: the most bytes a message may have, either way.
        readTimeout: seconds in which an awaited message has to come, or None for ever.
    """

    noisy = False

    def __init__(
        self,
        protocol: type[MessageProtocol] | None = None,
        *,
        framing: str | Framing = "eof",
        maximumMessage: int = 1 << 20,
        readTimeout: float | None = 5.0,
        clock: IReactorTime | None = None,
    ) -> None:
        """
        Args:
            protocol: the class of the protocols; may as well be set as a class attribute, as in any factory of Twisted.
            framing: a framing or its name: ``eof``, ``line``, ``netstring``, ``int32``.
            maximumMessage: bytes, without delimiter or prefix.
            readTimeout: seconds, or None.
            clock: tells the time; the reactor where None.

        Raises:
            ValueError: there is no such framing, or a number is not more than 0.
        """
        if maximumMessage <= 0 or (readTimeout is not None and readTimeout <= 0):
            raise ValueError("the largest message and the read deadline must be more than 0")
        if protocol is not None:
            self.protocol = protocol
        elif self.protocol is None:
            self.protocol = MessageProtocol
        self.framing = framingNamed(framing) if isinstance(framing, str) else framing
        self.maximumMessage = maximumMessage
        self.readTimeout = readTimeout
        self._clock = clock
        self._waits: Waits | None = None

    @property
    def clock(self) -> IReactorTime:
        """What tells the time."""
        if self._clock is None:
            from twisted.internet import reactor

            self._clock = cast(IReactorTime, reactor)
        return self._clock

    def buildProtocol(self, addr: IAddress | None) -> MessageProtocol:
        protocol = cast(MessageProtocol, super().buildProtocol(cast(IAddress, addr)))
        if self._waits is None:
            self._waits = Waits(self.clock)
        protocol.useSettings(self.framing, self.maximumMessage, self.readTimeout, self._waits)
        return protocol


@implementer(IPushProducer, IHalfCloseableProtocol, IDrainable)
class MessageProtocol(Protocol):
    """One side of a conversation in messages. Extend it, and give it to a `MessageFactory`.

    Attributes:
        messagesReceived: how many messages were handed to the application.
        messagesSent: how many were sent.
        failure: why the conversation was given up here, or None.
    """

    messagesReceived = 0
    messagesSent = 0
    failure: TLSFailure | None = None

    _timer: IDelayedCall | None = None
    _draining = False
    _gone: Failure | None = None
    _awaitingEnd: tuple[Deferred[TLSFailure | None], ...] = ()

    def messageReceived(self, message: Message) -> Awaitable[object] | None:
        """A message has come. Override this.

        Args:
            message: `str` with the framings ``eof`` and ``line``, else `bytes`.

        Returns:
            None, or a coroutine or Deferred: the next message is handed over when it is done.
        """

    def sendMessage(self, message: Message) -> None:
        """Send a message. Once an end was asked for it is dropped, as all that is written then.

        Args:
            message: `str`; with ``netstring`` and ``int32`` also `bytes`.

        Raises:
            MessageTooLong: it is longer than the limit. Nothing was sent.
            Undecodable: it contains the delimiter of the framing. Nothing was sent.
        """
        pieces = self._framing.pieces(message, self._maximum)
        transport = self._transport
        if transport.disconnecting:
            return
        if len(pieces) == 1:
            transport.write(pieces[0])
        else:
            transport.writeSequence(pieces)
        self.messagesSent += 1
        if self._peerIsSlow and self._isReplying():
            self._repliesWait = True

    def loseConnection(self) -> None:
        """End the conversation in order, after all that was sent."""
        self._transport.loseConnection()

    def whenEnded(self) -> Deferred[TLSFailure | None]:
        """Wait until the connection is gone: after `loseConnection`, a program that stops earlier cuts the end off.

        Returns:
            The failure that ended it, or None where it ended in order or we cut it off ourselves.
        """
        ended: Deferred[TLSFailure | None] = Deferred()
        if self._gone is not None:
            ended.callback(_failureIn(self._gone))
        else:
            self._awaitingEnd = (*self._awaitingEnd, ended)
        return ended

    def drain(self) -> None:
        """End the conversation in order as soon as `isDrained`: a server that stops asks for it (`IDrainable`).

        The message that is half received still comes and is handed over, and so are those that have come. What the peer
        sends after them is not read, and it sees the end in the place of a reply.
        """
        self._draining = True
        self._handOverWaiting()

    def makeConnection(self, transport: ITransport) -> None:
        self._transport: Any = transport
        self._decoder = self._framing.decoder(self._maximum)
        # What has come and was not handed over, the next message last.
        self._waiting: list[Message] = []
        self._handing = False
        self._paused = False
        self._busy = False
        self._peerIsSlow = False
        self._repliesWait = False
        self._stopped = False
        self._ended = False
        self._awaitedSince = self._clock.seconds()
        self._pendingThen = 0
        transport.registerProducer(_Outlet(self), True)  # type: ignore[attr-defined]
        if self._readTimeout is not None:
            self._timer = self._clock.callLater(self._readTimeout, self._lookAtClock)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        decoder = self._decoder
        messages = decoder.receive(data)
        pending = decoder.pending
        if messages or pending >= self._pendingThen + _PROGRESS:
            self._pendingThen = pending
            if self._timer is not None:
                self._awaitedSince = self._clock.seconds()
            messages.reverse()
            messages += self._waiting
            self._waiting = messages
        self._handOverWaiting()

    def readConnectionLost(self) -> None:
        """The peer has ended its side in order; it is answered, then our side ends too."""
        self._waiting = self._decoder.end() + self._waiting
        self._ended = True
        self._handOverWaiting()

    def writeConnectionLost(self) -> None:
        """Part of `IHalfCloseableProtocol`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone. When overriding it, call it first.

        Args:
            reason: a `TLSFailure`, or ``ConnectionDone`` where the end was in order.
        """
        self._ended = True
        self._waiting = []
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._gone = reason
        waiting, self._awaitingEnd = self._awaitingEnd, ()
        for each in waiting:
            each.callback(_failureIn(reason))

    def giveUp(self, failure: TLSFailure) -> None:
        """End the conversation because of a failure, which `connectionLost` is then told."""
        if self.failure is not None:
            return
        self.failure = failure
        if (closeBecause := getattr(self._transport, "closeBecause", None)) is not None:
            closeBecause(failure)
        else:
            self._transport.loseConnection()

    def pauseProducing(self) -> None:
        """Hand over no more messages, and read no more, until `resumeProducing`."""
        self._paused = True
        self._stopReading()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._awaitedSince = self._clock.seconds()
        self._handOverWaiting()

    def stopProducing(self) -> None:
        """Part of `IPushProducer`: who took the messages is gone."""
        self._paused = True

    @property
    def isAwaiting(self) -> bool:
        """Whether the peer owes a message, so that the read deadline runs. A protocol may know better: override it."""
        return True

    @property
    def isDrained(self) -> bool:
        """Whether nothing is under way: no message is half received, waits here, or has yet to be replied to.

        A protocol that replies later than its ``messageReceived`` is done knows better: override it, and call `drain`
        again when it has changed.
        """
        return not (self._busy or self._waiting or self._paused or self._decoder.pending)

    def useSettings(self, framing: Framing, maximum: int, readTimeout: float | None, clock: IReactorTime) -> None:
        """Take the factory's settings; called before the connection is made."""
        self._framing = framing
        self._maximum = maximum
        self._readTimeout = readTimeout
        self._clock = clock

    def _handOverWaiting(self) -> None:
        """Hand over what may be, then do what comes after it."""
        if self._handing:
            return
        transport = self._transport
        self._handing = True
        while not (self._busy or self._paused or self._repliesWait or transport.disconnecting):
            if not (waiting := self._waiting):
                break
            self.messagesReceived += 1
            try:
                result = self.messageReceived(waiting.pop())
                if result is not None:
                    self._awaitResult(result)
            except Exception:
                self._messageFailed(Failure())
        else:
            self._handing = False
            self._stopReading()
            return
        self._handing = False
        if self._decoder.failure is not None:
            self.giveUp(self._decoder.failure)
        elif self._ended or (self._draining and self.isDrained):
            transport.loseConnection()
        elif self._stopped:
            self._stopped = False
            transport.resumeProducing()

    def _awaitResult(self, result: Awaitable[object]) -> None:
        """Hand over nothing more until `result` is there.

        Raises:
            TypeError: it cannot be awaited.
        """
        done = result if isinstance(result, Deferred) else ensureDeferred(cast(Any, result))
        self._busy = True
        done.addCallbacks(self._noLongerBusy, self._messageFailed)

    def _noLongerBusy(self, _: object) -> None:
        self._busy = False
        self._awaitedSince = self._clock.seconds()
        self._handOverWaiting()

    def _isReplying(self) -> bool:
        """Whether what is sent now is sent because of a message that has come."""
        return self._handing or self._busy

    def _noteRoom(self) -> None:
        if self._transport.disconnecting:
            # An end waits for a producer that was paused, and there is nothing more to be said.
            self._transport.unregisterProducer()
        self._peerIsSlow = self._repliesWait = False
        self._awaitedSince = self._clock.seconds()
        self._handOverWaiting()

    def _stopReading(self) -> None:
        if not (self._stopped or self._transport.disconnecting):
            self._stopped = True
            self._transport.pauseProducing()

    def _messageFailed(self, failure: Failure) -> None:
        logFailure(_log, "messageReceived failed, so the connection ends", failure)
        self._busy = False
        self._waiting = []
        # An end in order would tell the peer that all is well.
        getattr(self._transport, "abortConnection", self._transport.loseConnection)()

    def _lookAtClock(self) -> None:
        """Give up if the read deadline has passed; else look again when it would."""
        timeout, now = cast(float, self._readTimeout), self._clock.seconds()
        if self._transport.disconnecting:
            return
        isWriting = getattr(self._transport, "isWriting", self._peerIsSlow)
        if self._busy or self._paused or not (self.isAwaiting or self._decoder.pending):
            self._awaitedSince = now
        elif isWriting:
            # The peer has its time from when it has everything. When is not known; not later than the next look.
            self._awaitedSince = now + timeout / 4
            self._timer = self._clock.callLater(timeout / 4, self._lookAtClock)
            return
        left = self._awaitedSince + timeout - now
        if left > 0:
            self._timer = self._clock.callLater(left, self._lookAtClock)
        else:
            detail = f"it had {timeout} s, and sent half of one" if self._decoder.pending else f"it had {timeout} s"
            self.giveUp(ReadTimeout(detail))


@implementer(IPushProducer)
class _Outlet:
    """Is told by the transport of a protocol whether the peer takes what is sent to it.

    Not the protocol itself: that may have another consumer, of what it receives, which pauses it for other reasons.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: MessageProtocol) -> None:
        self._protocol = protocol

    def pauseProducing(self) -> None:
        self._protocol._peerIsSlow = True

    def resumeProducing(self) -> None:
        self._protocol._noteRoom()

    def stopProducing(self) -> None:
        """The transport is gone; the protocol's connectionLost says so."""


class RequestProtocol(MessageProtocol):
    """A client that asks and awaits the replies, which come in the order of the requests.

    A class that extends it and has its own ``__init__`` calls this one's.
    """

    def __init__(self) -> None:
        self._requests: deque[Deferred[Message]] = deque()

    @property
    def isAwaiting(self) -> bool:
        return bool(self._requests)

    @property
    def isDrained(self) -> bool:
        return not self._requests and super().isDrained

    def request(self, message: Message) -> Deferred[Message]:
        """Send a message and await its reply. Any number may be under way.

        Args:
            message: as for `sendMessage`, with the same failures.

        Returns:
            The reply. It fails with a `TLSFailure` where none comes: `ReadTimeout` after the factory's deadline, after
            which the connection ends, because a late reply would be taken for the next one's. Cancelling gives up the
            reply and not the connection.

        Raises:
            Truncated: the connection has ended, or is about to.
        """
        if self._ended or self._transport.disconnecting:
            raise Truncated("the connection has ended")
        self.sendMessage(message)
        if not self._requests:
            self._awaitedSince = self._clock.seconds()
        reply: Deferred[Message] = Deferred()
        self._requests.append(reply)
        return reply

    def messageReceived(self, message: Message) -> None:
        if not self._requests:
            self.unexpectedMessageReceived(message)
            return
        reply = self._requests.popleft()
        # A cancelled request has had its failure, and its reply still comes and belongs to no caller.
        if not reply.called:
            reply.callback(message)

    def unexpectedMessageReceived(self, message: Message) -> None:
        """A message has come that no request awaits. Does nothing; override it for servers that speak unasked."""

    def giveUp(self, failure: TLSFailure) -> None:
        super().giveUp(failure)
        self._failRequests(Failure(failure))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if reason.check(ConnectionDone):
            detail = "the peer closed the connection in order before it replied"
            reason = Failure(Truncated(detail, side="remote", remedy=_CLOSED_IN_ORDER))
        self._failRequests(reason)

    def _isReplying(self) -> bool:
        # Requests that do not leave must not keep the replies to others from being read.
        return False

    def _failRequests(self, reason: Failure) -> None:
        while self._requests:
            reply = self._requests.popleft()
            if not reply.called:
                reply.errback(reason)


def _failureIn(reason: Failure) -> TLSFailure | None:
    return reason.value if isinstance(reason.value, TLSFailure) else None
