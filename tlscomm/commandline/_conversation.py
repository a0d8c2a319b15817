"""The work of `tlscomm connect`: one connection, a row of messages, and their replies.

Texts from the command line are sent one at a time, each when the one before was answered: what people try things out on
often expects it. A file is sent with many messages under way, because a round trip for each of a million would take all
day. How many is bounded, in number and in size, so memory does not grow with the file; and while no program reads what
is printed, nothing is read from the connection either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._messages import Outgoing
from tlscomm.commandline._report import Report
from tlscomm.commandline._streams import OutputStream
from tlscomm.failures import TLSFailure, Truncated
from tlscomm.messages import Message, MessageFactory, RequestProtocol
from tlscomm.transport import describeAddress

__all__ = ["Conversation", "Window", "converse"]

_STANDARD_OUTPUT = 1

OnReply = Callable[[Message, Outgoing], object]


@dataclass(frozen=True)
class Window:
    """How much may be sent before it is answered.

    Attributes:
        messages: how many messages.
        size: how many characters or bytes in all, unless one message alone has more.
    """

    messages: int
    size: int = 1 << 18


async def converse(
    reactor: Any,
    endpoint: IStreamClientEndpoint,
    factory: MessageFactory,
    *,
    messages: AsyncIterator[Outgoing],
    window: Window,
    report: Report,
) -> None:
    """Connect, have the conversation, and write the replies to standard output.

    Args:
        reactor: writes.
        endpoint: connects.
        factory: makes a `Conversation`.
        messages: what to send.
        window: how much of it at a time.
        report: is told of the connection and of each reply.

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
        await client.hold(messages, window, lambda reply, request: output.write(report.replied(reply, request)))
    except TLSFailure as refused:
        failure = refused
    output.unregisterProducer()
    await output.finish()
    if failure is not None:
        raise failure


class Conversation(RequestProtocol):
    """Sends messages, awaits the replies, and ends the connection."""

    def __init__(self) -> None:
        super().__init__()
        self._over: Deferred[None] = Deferred(lambda _: self._transport.abortConnection())
        self._underWay = 0
        self._sizeUnderWay = 0
        self._room: Deferred[None] | None = None
        self._isSaid = False
        self._isLost = False
        self._reason: Failure | None = None

    def hold(self, messages: AsyncIterator[Outgoing], window: Window, onReply: OnReply) -> Deferred[None]:
        """Have the conversation; to be called once, when the connection was made.

        Args:
            messages: what to send.
            window: how much of it at a time.
            onReply: is given each reply with the message that it answers, in order.

        Returns:
            Fires when the connection has ended in order, after the last reply. Cancelling it ends the connection.

        Raises:
            TLSFailure: (in the Deferred) it ended otherwise, or a message cannot be sent.
            Exception: (in the Deferred) `messages` or `onReply` raised it.
        """
        self._onReply = onReply
        self._speaking = Deferred.fromCoroutine(self._speak(messages, window))
        self._speaking.addErrback(self._breakOff)
        return self._over

    def breakOff(self, reason: Exception) -> None:
        """End the connection at once, because of something that makes the conversation senseless."""
        self._breakOff(Failure(reason))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._isLost = True
        super().connectionLost(reason)
        if self._reason is None and not reason.check(ConnectionDone):
            self._reason = reason
        # The server may close when it has answered everything. Whether it has shows when there is nothing more to send.
        if self._reason is not None or self._isSaid:
            self._end()

    async def _speak(self, messages: AsyncIterator[Outgoing], window: Window) -> None:
        refusal = None
        try:
            async for outgoing in messages:
                while self._isFull(window, outgoing):
                    await self._nextReply()
                self._ask(outgoing)
        except TLSFailure as failure:
            refusal = failure
        while self._underWay:
            await self._nextReply()
        self._isSaid = True
        if refusal is None:
            self.loseConnection()
        else:
            self._reason = self._reason or Failure(refusal)
            self.giveUp(refusal)
        if self._isLost:
            self._end()

    def _isFull(self, window: Window, outgoing: Outgoing) -> bool:
        size = self._sizeUnderWay + len(outgoing.content)
        return self._underWay >= window.messages or (self._underWay > 0 and size > window.size)

    def _ask(self, outgoing: Outgoing) -> None:
        if self._ended:
            raise Truncated("the peer closed before every message was sent", side="remote")
        reply = self.request(outgoing.content)
        self._underWay += 1
        self._sizeUnderWay += len(outgoing.content)
        reply.addCallbacks(self._replied, self._noReply, callbackArgs=(outgoing,))
        reply.addErrback(self._breakOff)

    def _replied(self, reply: Message, outgoing: Outgoing) -> None:
        self._underWay -= 1
        self._sizeUnderWay -= len(outgoing.content)
        self._onReply(reply, outgoing)
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def _noReply(self, reason: Failure) -> None:
        self._reason = self._reason or reason

    def _nextReply(self) -> Deferred[None]:
        self._room = Deferred()
        return self._room

    def _breakOff(self, reason: Failure) -> None:
        self._reason = self._reason or reason
        if self._isLost:
            self._end()
        else:
            self._transport.abortConnection()

    def _end(self) -> None:
        if self._over.called:
            return
        if self._reason is None:
            self._over.callback(None)
        else:
            self._over.errback(self._reason)
        # It may still wait for a reply, or for the next message.
        self._speaking.cancel()
