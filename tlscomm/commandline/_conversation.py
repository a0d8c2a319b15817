"""The work of `tlscomm connect`: one connection, a row of messages, and their replies.

Texts from the command line are sent one at a time, each when the one before was answered: what people try things out on
often expects it. A file is sent with many messages under way, because a round trip for each of a million would take all
day. How many is bounded, in number and in size, so memory does not grow with the file; and while no program reads what
is printed, nothing is read from the connection either.

Nothing in a message says which other one it answers. One that comes while a reply is awaited is that reply, and one
that comes at another time came unasked. A server that greets its clients so has its greeting taken for the first reply.
Its last answer is not lost all the same: our side ends first, and what the server says until it ends its own is shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._messages import Outgoing
from tlscomm.commandline._printing import remark
from tlscomm.commandline._report import Report
from tlscomm.commandline._streams import OutputStream
from tlscomm.failures import TLSFailure, Truncated
from tlscomm.messages import Message, MessageFactory, RequestProtocol
from tlscomm.transport import describeAddress

__all__ = ["COMMON", "ENDED", "Conversation", "Manner", "Window", "converse"]

_STANDARD_OUTPUT = 1

OnMessage = Callable[[Message, "Outgoing | None"], object]


@dataclass(frozen=True)
class Window:
    """How much may be sent before it is answered.

    Attributes:
        messages: how many messages.
        size: how many characters or bytes in all, unless one message alone has more.
    """

    messages: int
    size: int = 1 << 18


@dataclass(frozen=True)
class Manner:
    """How a conversation goes.

    Attributes:
        isGreeted: whether the server speaks first, and is listened to before anything is sent.
        awaitsReplies: whether each message is answered by one.
        listenSeconds: how long to go on listening when all is said; None until the server ends.
        endSeconds: how long the server has to end its side, when we have ended ours; None for ever.
    """

    isGreeted: bool = False
    awaitsReplies: bool = True
    listenSeconds: float | None = 0.0
    endSeconds: float | None = 5.0


COMMON = Manner()

ENDED = "The server has ended the connection in order; its log may say why."


async def converse(
    reactor: Any,
    endpoint: IStreamClientEndpoint,
    factory: MessageFactory,
    *,
    messages: AsyncIterator[Outgoing],
    window: Window,
    report: Report,
    manner: Manner = COMMON,
) -> None:
    """Connect, have the conversation, and write the replies to standard output.

    Args:
        reactor: writes.
        endpoint: connects.
        factory: makes a `Conversation`.
        messages: what to send.
        window: how much of it at a time.
        report: is told of the connection and of each message that comes.
        manner: how it goes.

    Raises:
        TLSFailure: there is no connection, or it did not end well. Replies that came before are written.
        OSError: standard output cannot be written, or the messages cannot be read.
    """
    client = cast(Conversation, await endpoint.connect(factory))
    transport = cast(Any, client.transport)
    report.accepted(describeAddress(transport.getPeer()) or "", transport.tls, transport.peer)
    output = OutputStream(reactor, _STANDARD_OUTPUT, client.breakOff)
    output.registerProducer(client, True)
    failure = None
    try:
        await client.hold(
            messages, window, lambda message, request: output.write(report.received(message, request)), manner
        )
    except TLSFailure as refused:
        failure = refused
    if failure is None and client.wasEndedByPeer and manner.listenSeconds != 0:
        remark(ENDED)
    output.unregisterProducer()
    await output.finish()
    if failure is not None:
        raise failure


class Conversation(RequestProtocol):
    """Sends messages, awaits the replies, and ends the connection.

    Attributes:
        wasEndedByPeer: whether the peer had ended its side when all was said, and listened to.
    """

    wasEndedByPeer = False

    def __init__(self) -> None:
        super().__init__()
        self._over: Deferred[None] = Deferred(lambda _: self._transport.abortConnection())
        self._underWay = 0
        self._sizeUnderWay = 0
        self._change: Deferred[None] | None = None
        self._isGreetingAwaited = False
        self._isSaid = False
        self._isLost = False
        self._listening: IDelayedCall | None = None
        self._reason: Failure | None = None

    def hold(
        self,
        messages: AsyncIterator[Outgoing],
        window: Window,
        onMessage: OnMessage,
        manner: Manner = COMMON,
    ) -> Deferred[None]:
        """Have the conversation; to be called once, when the connection was made.

        Args:
            messages: what to send.
            window: how much of it at a time.
            onMessage: is given each message that comes, in order, with the one that it answers, or None.
            manner: how it goes.

        Returns:
            Fires when the connection has ended in order, after the last message. Cancelling it ends the connection.

        Raises:
            TLSFailure: (in the Deferred) it ended otherwise, or a message cannot be sent.
            Exception: (in the Deferred) `messages` or `onMessage` raised it.
        """
        self._onMessage = onMessage
        self._manner = manner
        self._isGreetingAwaited = manner.isGreeted
        self._speaking = Deferred.fromCoroutine(self._speak(messages, window))
        self._speaking.addErrback(self._breakOff)
        return self._over

    def breakOff(self, reason: Exception) -> None:
        """End the connection at once, because of something that makes the conversation senseless."""
        self._breakOff(Failure(reason))

    @property
    def isAwaiting(self) -> bool:
        return self._isGreetingAwaited or super().isAwaiting

    def unexpectedMessageReceived(self, message: Message) -> None:
        try:
            self._onMessage(message, None)
        except Exception:
            self._breakOff(Failure())
        self._isGreetingAwaited = False
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isLost = True
        super().connectionLost(reason)
        if self._reason is None and not (reason.check(ConnectionDone) or self._isMissingNothing(reason)):
            self._reason = reason
        # The server may close when it has answered everything. Whether it has shows when there is nothing more to send.
        if self._reason is not None or self._isSaid:
            self._end()
            return
        # A pipe may stay open for ever without another word.
        self._endIn(self._manner.endSeconds)
        self._wake()

    def _isMissingNothing(self, reason: Failure) -> bool:
        """Whether a peer that has cut the connection had given all the replies that were awaited."""
        isAll = self._isSaid and self._manner.awaitsReplies and self._manner.listenSeconds == 0
        return isAll and bool(reason.check(Truncated))

    async def _speak(self, messages: AsyncIterator[Outgoing], window: Window) -> None:
        refusal = None
        try:
            while self._isGreetingAwaited:
                self._refuseEnded("the peer closed before it said anything")
                await self._changed()
            async for outgoing in messages:
                await (self._ask(outgoing, window) if self._manner.awaitsReplies else self._say(outgoing))
        except TLSFailure as failure:
            refusal = failure
        while self._underWay:
            await self._changed()
        if refusal is None:
            await self._listen()
        self._isSaid = True
        self.wasEndedByPeer = self._ended
        if refusal is not None:
            self._reason = self._reason or Failure(refusal)
            self.giveUp(refusal)
        elif not self._isLost:
            self._transport.loseWriteConnection()
            self._endIn(self._manner.endSeconds)
        if self._isLost:
            self._end()

    async def _ask(self, outgoing: Outgoing, window: Window) -> None:
        while self._isFull(window, outgoing):
            await self._changed()
        self._refuseEnded("the peer closed before every message was sent")
        reply = self.request(outgoing.content)
        self._underWay += 1
        self._sizeUnderWay += len(outgoing.content)
        reply.addCallbacks(self._replied, self._noReply, callbackArgs=(outgoing,))
        reply.addErrback(self._breakOff)

    async def _say(self, outgoing: Outgoing) -> None:
        while self._peerIsSlow and not self._isLost:
            await self._changed()
        self._refuseEnded("the peer closed before every message was sent")
        self.sendMessage(outgoing.content)

    async def _listen(self) -> None:
        """Wait until the time for it is over, or the peer has ended its side."""
        seconds = self._manner.listenSeconds
        if seconds == 0:
            return
        if seconds is not None:
            self._endIn(seconds)
        while not self._ended and (seconds is None or self._isListening):
            await self._changed()

    @property
    def _isListening(self) -> bool:
        return self._listening is not None and self._listening.active()

    def _endIn(self, seconds: float | None) -> None:
        """Have the conversation go on for so long: to its end, where all is said."""
        if self._listening is not None and self._listening.active():
            self._listening.cancel()
        if seconds is not None:
            self._listening = self._clock.callLater(seconds, self._timeIsOver)

    def _timeIsOver(self) -> None:
        if self._isLost:
            self.wasEndedByPeer = True
            self._end()
        elif self._isSaid:
            self.loseConnection()
        else:
            self._wake()

    def _refuseEnded(self, detail: str) -> None:
        if self._ended:
            raise Truncated(detail, side="remote")

    def _isFull(self, window: Window, outgoing: Outgoing) -> bool:
        size = self._sizeUnderWay + len(outgoing.content)
        return self._underWay >= window.messages or (self._underWay > 0 and size > window.size)

    def _replied(self, reply: Message, outgoing: Outgoing) -> None:
        self._underWay -= 1
        self._sizeUnderWay -= len(outgoing.content)
        self._onMessage(reply, outgoing)
        self._wake()

    def _noReply(self, reason: Failure) -> None:
        self._reason = self._reason or reason

    def _changed(self) -> Deferred[None]:
        """Wait until something is otherwise: a message has come, there is room, time is over, or the end is there."""
        self._change = Deferred()
        return self._change

    def _wake(self) -> None:
        change, self._change = self._change, None
        if change is not None:
            change.callback(None)

    def _noteRoom(self) -> None:
        super()._noteRoom()
        self._wake()

    def readConnectionLost(self) -> None:
        super().readConnectionLost()
        self._wake()

    def _breakOff(self, reason: Failure) -> None:
        self._reason = self._reason or reason
        if self._isLost:
            self._end()
        else:
            self._transport.abortConnection()

    def _end(self) -> None:
        if self._over.called:
            return
        if self._listening is not None and self._listening.active():
            self._listening.cancel()
        if self._reason is None:
            self._over.callback(None)
        else:
            self._over.errback(self._reason)
        # It may still wait for a reply, or for the next message.
        self._speaking.cancel()
