"""What a user can rely on in the course of ``tlscomm connect``, in memory and without waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionLost, TimeoutError
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline._conversation import COMMON, Conversation, Manner, Window
from tlscomm.commandline._messages import Outgoing, outgoing
from tlscomm.commandline._reaching import Bounded
from tlscomm.failures import MessageTooLong, ReadTimeout, Reset, TLSFailure, Truncated, Undecodable
from tlscomm.messages import Message, MessageFactory, framingNamed


async def given(messages: Iterable[Message | Deferred[Message] | Exception]) -> AsyncIterator[Outgoing]:
    """Give messages, await those that are not there yet, and raise what is an exception."""
    for message in messages:
        if isinstance(message, Exception):
            raise message
        yield Outgoing(await message if isinstance(message, Deferred) else message)


class Transport(StringTransport):
    """A transport that ends each way by itself.

    Attributes:
        isWriteEnded: whether our side has ended.
    """

    isWriteEnded = False

    def loseWriteConnection(self) -> None:
        self.isWriteEnded = True


class ConversationCase(SynchronousTestCase):
    """A conversation over a transport in memory."""

    def begin(
        self,
        *messages: Message | Deferred[Message] | Exception,
        window: int = 1,
        size: int = 100,
        manner: Manner = COMMON,
    ) -> None:
        """Begin with these messages; `self.over` fires at the end of it, and `self.replies` grows."""
        self.beginWith(given(messages), Window(window, size), manner)

    def beginWith(self, messages: AsyncIterator[Outgoing], window: Window, manner: Manner = COMMON) -> None:
        self.clock = Clock()
        factory = MessageFactory(Conversation, framing="line", maximumMessage=1000, readTimeout=5, clock=self.clock)
        self.client: Any = factory.buildProtocol(None)
        self.transport = Transport()
        self.client.makeConnection(self.transport)
        self.replies: list[tuple[Message | None, Message]] = []
        self.over = self.client.hold(messages, window, self.note, manner)

    def note(self, reply: Message, request: Outgoing | None) -> None:
        self.replies.append((None if request is None else request.content, reply))

    def sent(self) -> list[str]:
        """Return the messages that were sent since the last time."""
        lines = self.transport.value().decode().splitlines()
        self.transport.clear()
        return lines

    def reply(self, *replies: str) -> None:
        self.client.dataReceived("".join(f"{reply}\n" for reply in replies).encode())

    def lose(self, reason: Exception | None = None) -> None:
        """Lose the connection, in order where there is no reason."""
        if reason is None:
            self.client.readConnectionLost()
            self.client.connectionLost()
        else:
            self.client.connectionLost(Failure(reason))


class ConversationTests(ConversationCase):
    """Conversations that go well."""

    def test_oneByOne(self) -> None:
        """A message is sent when the one before was answered; after the last reply the connection is closed."""
        self.begin("a", "b")
        self.assertEqual(self.sent(), ["a"])
        self.reply("A")
        self.assertEqual(self.sent(), ["b"])
        self.assertFalse(self.transport.isWriteEnded)
        self.reply("B")
        self.assertTrue(self.transport.isWriteEnded)
        self.assertNoResult(self.over)
        self.lose()
        self.successResultOf(self.over)
        self.assertEqual(self.replies, [("a", "A"), ("b", "B")])

    def test_nothing(self) -> None:
        """Without messages the connection is closed at once."""
        self.begin()
        self.assertTrue(self.transport.isWriteEnded)
        self.lose()
        self.successResultOf(self.over)

    def test_afterTheLast(self) -> None:
        """What the server says after its last reply is shown until it ends, though our side has ended."""
        self.begin("a")
        self.reply("A")
        self.assertTrue(self.transport.isWriteEnded)
        self.reply("more")
        self.lose()
        self.successResultOf(self.over)
        self.assertEqual(self.replies, [("a", "A"), (None, "more")])

    def test_serverGoesOn(self) -> None:
        """A server that does not end its side has so many seconds, and then the connection ends as a whole."""
        self.begin("a")
        self.reply("A")
        self.clock.advance(4.9)
        self.assertFalse(self.transport.disconnecting)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.successResultOf(self.over)

    def test_unasked(self) -> None:
        """A message that comes while none is awaited is no reply, and the reply after it is."""
        first: Deferred[Message] = Deferred()
        self.begin(first)
        self.reply("hello")
        first.callback("a")
        self.reply("A")
        self.lose()
        self.successResultOf(self.over)
        self.assertEqual(self.replies, [(None, "hello"), ("a", "A")])

    def test_greeting(self) -> None:
        """A greeting is awaited before anything is sent, and no longer than a reply."""
        self.begin("a", manner=Manner(isGreeted=True))
        self.assertEqual(self.sent(), [])
        self.reply("welcome")
        self.assertEqual(self.sent(), ["a"])
        self.reply("A")
        self.lose()
        self.assertEqual(self.replies, [(None, "welcome"), ("a", "A")])
        self.begin("a", manner=Manner(isGreeted=True))
        self.clock.advance(5)
        self.assertTrue(self.transport.disconnecting)
        self.lose(ReadTimeout())
        self.failureResultOf(self.over, ReadTimeout)

    def test_noGreeting(self) -> None:
        """A server that ends before it has greeted is named."""
        self.begin("a", manner=Manner(isGreeted=True))
        self.lose()
        self.failureResultOf(self.over, Truncated)

    def test_noReplies(self) -> None:
        """Without replies all is sent at once, and what comes is shown until the server ends."""
        self.begin("a", "b", manner=Manner(awaitsReplies=False))
        self.assertEqual(self.sent(), ["a", "b"])
        self.assertTrue(self.transport.isWriteEnded)
        self.reply("one")
        self.lose()
        self.successResultOf(self.over)
        self.assertEqual(self.replies, [(None, "one")])

    def test_noRepliesToSlowPeer(self) -> None:
        """Without replies, no more is sent than the peer takes."""
        waiting: Deferred[Message] = Deferred()
        self.begin("a", waiting, "c", manner=Manner(awaitsReplies=False))
        self.transport.producer.pauseProducing()
        waiting.callback("b")
        self.assertEqual(self.sent(), ["a"])
        self.transport.producer.resumeProducing()
        self.assertEqual(self.sent(), ["b", "c"])
        self.lose()

    def test_listening(self) -> None:
        """It goes on listening for its time, and then ends in order."""
        self.begin("a", manner=Manner(listenSeconds=60))
        self.reply("A")
        self.clock.advance(30)
        self.reply("news")
        self.assertFalse(self.transport.isWriteEnded)
        self.clock.advance(30)
        self.assertTrue(self.transport.isWriteEnded)
        self.lose()
        self.successResultOf(self.over)
        self.assertEqual(self.replies, [("a", "A"), (None, "news")])

    def test_listeningToTheEnd(self) -> None:
        """Without a limit it listens until the server ends; being cut off is a failure then."""
        self.begin(manner=Manner(listenSeconds=None))
        self.clock.advance(100_000)
        self.reply("news")
        self.assertNoResult(self.over)
        self.lose()
        self.successResultOf(self.over)
        self.begin(manner=Manner(listenSeconds=None))
        self.lose(Truncated())
        self.failureResultOf(self.over, Truncated)

    def test_manyUnderWay(self) -> None:
        """As many messages as the window has are under way, and never more."""
        self.begin(*"abcdef", window=3)
        self.assertEqual(self.sent(), ["a", "b", "c"])
        self.reply("A")
        self.assertEqual(self.sent(), ["d"])
        self.reply("B", "C")
        self.assertEqual(self.sent(), ["e", "f"])

    def test_sizeUnderWay(self) -> None:
        """No more than the window's size is under way, unless one message alone is larger."""
        self.begin("a" * 60, "b" * 60, "c" * 500, "d", window=10, size=100)
        self.assertEqual([line[0] for line in self.sent()], ["a"])
        self.reply("A")
        self.assertEqual([line[0] for line in self.sent()], ["b"])
        self.reply("B")
        self.assertEqual([line[0] for line in self.sent()], ["c"])
        self.reply("C")
        self.assertEqual(self.sent(), ["d"])

    def test_readAhead(self) -> None:
        """Messages are taken from their source only when they may be sent, so a file is not read into memory."""
        taken = 0

        async def endless() -> AsyncIterator[Outgoing]:
            nonlocal taken
            while True:
                taken += 1
                yield Outgoing("a")

        self.beginWith(endless(), Window(3))
        self.assertEqual(taken, 4)
        self.reply(*"12345")
        self.assertEqual(taken, 9)

    def test_whileWaiting(self) -> None:
        """A reply is given at once, also while the next message is still awaited."""
        following: Deferred[Message] = Deferred()
        self.begin("a", following, window=10)
        self.reply("A")
        self.assertEqual(self.replies, [("a", "A")])
        following.callback("b")
        self.assertEqual(self.sent(), ["a", "b"])

    def test_patience(self) -> None:
        """No deadline runs while no reply is awaited."""
        self.begin("a", Deferred(), window=10)
        self.reply("A")
        self.clock.pump([1] * 60)
        self.assertFalse(self.transport.isWriteEnded)
        self.assertNoResult(self.over)


class EndTests(ConversationCase):
    """Conversations that end otherwise."""

    def assertFailed(self, kind: type[Exception]) -> Any:
        return self.failureResultOf(self.over, kind).value

    def test_lost(self) -> None:
        """A lost connection is a failure at once, whatever is awaited."""
        for messages in (("a", "b"), ("a", Deferred[Message]())):
            self.begin(*messages, window=10)
            self.lose(Reset(side="remote"))
            self.assertFailed(Reset)

    def test_closedBeforeReply(self) -> None:
        """A server that closes in order before it has replied has failed us."""
        self.begin("a", "b")
        self.reply("A")
        self.lose()
        self.assertEqual(self.assertFailed(Truncated).side, "remote")
        self.assertEqual(self.replies, [("a", "A")])

    def test_closedAfterReplies(self) -> None:
        """A server may not close in order, even if it has answered everything, where there is another message."""
        last: Deferred[Message] = Deferred()
        self.begin("a", last)
        self.reply("A")
        self.lose()
        self.assertNoResult(self.over)
        last.callback("b")
        failure = self.assertFailed(Truncated)
        self.assertEqual(failure.side, "remote")
        self.assertIn("before every message was sent", failure.message)

    def test_closedAndNothingMore(self) -> None:
        """It may where there is none."""
        ended: Deferred[Any] = Deferred()

        async def source() -> AsyncIterator[Outgoing]:
            yield Outgoing("a")
            await ended

        self.beginWith(source(), Window(1))
        self.reply("A")
        self.lose()
        self.assertNoResult(self.over)
        ended.callback(None)
        self.successResultOf(self.over)

    def test_closedAndNoWord(self) -> None:
        """A pipe that stays open and says nothing keeps it from ending for so many seconds, and no longer."""
        self.begin("a", Deferred())
        self.reply("A")
        self.lose()
        self.clock.advance(4.9)
        self.assertNoResult(self.over)
        self.clock.advance(0.1)
        self.successResultOf(self.over)
        self.assertTrue(self.client.wasEndedByPeer)

    def test_silence(self) -> None:
        """A reply that does not come in time is a failure."""
        self.begin("a")
        self.clock.advance(5)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertFailed(ReadTimeout)

    def test_refusedMessage(self) -> None:
        """A message that cannot be sent ends the conversation, after the replies to those before it."""
        self.begin("a", "b", "c\n", "d", window=10)
        self.assertEqual(self.sent(), ["a", "b"])
        self.assertFalse(self.transport.disconnecting)
        self.reply("A", "B")
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertEqual(self.assertFailed(Undecodable).side, "local")
        self.assertEqual(len(self.replies), 2)

    def test_brokenSource(self) -> None:
        """A mistake in the program is not taken for a failure: it comes out, and the connection is gone."""
        self.begin("a", ZeroDivisionError(), window=10)
        self.assertTrue(self.transport.disconnected)
        self.lose(ConnectionAborted())
        self.assertFailed(ZeroDivisionError)

    def test_brokenReceiver(self) -> None:
        """The same is true of what is done with replies."""
        self.begin("a")
        self.replies = None  # type: ignore[assignment]
        self.reply("A")
        self.lose(ConnectionAborted())
        self.assertFailed(AttributeError)

    def test_breakOff(self) -> None:
        """What makes the conversation senseless ends it at once."""
        self.begin("a")
        self.client.breakOff(BrokenPipeError())
        self.assertTrue(self.transport.disconnected)
        self.lose(ConnectionAborted())
        self.assertFailed(BrokenPipeError)

    def test_cancelled(self) -> None:
        """Cancelling it cuts the connection."""
        self.begin("a")
        self.over.addErrback(lambda _: None)
        self.over.cancel()
        self.assertTrue(self.transport.disconnected)
        self.lose(ConnectionAborted())


class OutgoingTests(SynchronousTestCase):
    """What is sent."""

    def collected(self, framing: str, *chunks: bytes, texts: Iterable[str] = ()) -> Deferred[list[Outgoing]]:
        """Return the texts and the messages of a file that is read in these chunks; 10 bytes are the longest."""
        left = [*chunks, b""]

        async def read() -> bytes:
            return left.pop(0)

        async def collect() -> list[Outgoing]:
            return [message async for message in outgoing(texts, read, framingNamed(framing), 10)]

        return Deferred.fromCoroutine(collect())

    def messages(self, framing: str, *chunks: bytes, texts: Iterable[str] = ()) -> list[Outgoing]:
        return self.successResultOf(self.collected(framing, *chunks, texts=texts))

    def failure(self, framing: str, *chunks: bytes) -> TLSFailure:
        return self.failureResultOf(self.collected(framing, *chunks), TLSFailure).value  # type: ignore[no-any-return]

    def test_cut(self) -> None:
        """A file is cut at delimiters, wherever its chunks end, and the rest after the last one is a message too."""
        self.assertEqual(
            self.messages("eof", b"\xe5\xae", b"\xa2<EO", b"F>", b"<EOF>b<EO", texts=["first"]),
            [Outgoing("first"), Outgoing("客"), Outgoing(""), Outgoing("b<EO", isDelimited=False)],
        )

    def test_empty(self) -> None:
        """An empty file has no message, and is one where the whole file is."""
        self.assertEqual(self.messages("eof"), [])
        self.assertEqual(self.messages("line"), [])
        self.assertEqual(self.messages("int32"), [Outgoing(b"", isDelimited=False)])

    def test_whole(self) -> None:
        """Where the framing has no delimiter the whole file is one message."""
        self.assertEqual(self.messages("netstring", b"a\n", b"\xff"), [Outgoing(b"a\n\xff", isDelimited=False)])

    def test_tooLong(self) -> None:
        """A message that is too long is our side's mistake."""
        for framing, chunks in (("eof", [b"a" * 20]), ("int32", [b"a" * 6, b"b" * 6]), ("line", [b"a\n", b"b" * 11])):
            with self.subTest(framing):
                failure = self.failure(framing, *chunks)
                self.assertIsInstance(failure, MessageTooLong)
                self.assertEqual(failure.side, "local")

    def test_notText(self) -> None:
        """So is one that is not UTF-8, and its number is named."""
        failure = self.failure("eof", b"a<EOF>", b"b<EOF>\xff<EOF>")
        self.assertIsInstance(failure, Undecodable)
        self.assertEqual(failure.side, "local")
        self.assertIn("message 3 of the file", failure.message)


class _Never:
    """An endpoint that is asked and does not answer."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer

    def connect(self, factory: Any) -> Deferred[Any]:
        return self.answer


class BoundedTests(SynchronousTestCase):
    """The limit on looking a host up and on TCP."""

    def connect(self, answer: Deferred[Any], timeout: float | None) -> Deferred[Any]:
        self.clock = Clock()
        return Bounded(self.clock, _Never(answer), timeout).connect(Factory())  # type: ignore[arg-type]

    def test_late(self) -> None:
        """What has not answered in time is cancelled, and counts as no answer whatever it says to that."""
        for cancelled in (None, lambda late: late.errback(ConnectionLost())):
            connecting = self.connect(Deferred(cancelled), 3)
            self.clock.advance(2.9)
            self.assertNoResult(connecting)
            self.clock.advance(0.1)
            self.failureResultOf(connecting, TimeoutError)

    def test_inTime(self) -> None:
        """An answer in time is the answer, and no clock keeps ticking."""
        self.assertEqual(self.successResultOf(self.connect(succeed("protocol"), 3)), "protocol")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unlimited(self) -> None:
        """Without a limit there is none."""
        connecting = self.connect(Deferred(), None)
        self.clock.advance(1e6)
        self.assertNoResult(connecting)
