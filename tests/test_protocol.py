"""Messages over a connection, and requests: over TLS, and over plain transports that know nothing of it."""

import os
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from conversation import Conversation, ConversationCase, serverConfiguration
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tlscomm import messages
from tlscomm.configuration import Deadlines
from tlscomm.failures import MessageTooLong, ReadTimeout, Truncated, Undecodable
from tlscomm.messages import FRAMINGS, MessageFactory, MessageProtocol, RequestProtocol
from tlscomm.testing import DeafPeer

LONG = "x" * 100_000


class Keeper(MessageProtocol):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.lost: list[Any] = []

    def messageReceived(self, message: Any) -> Any:
        self.messages.append(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.lost.append(reason.value)


class Echo(Keeper):
    """Sends back what it is told."""

    def messageReceived(self, message: Any) -> Any:
        super().messageReceived(message)
        self.sendMessage(message)


class Thinking(Keeper):
    """Takes its time with each message: until the test fires the Deferred of the oldest one."""

    def __init__(self) -> None:
        super().__init__()
        self.thoughts: list[Deferred[None]] = []

    def messageReceived(self, message: Any) -> Deferred[None]:
        super().messageReceived(message)
        self.thoughts.append(Deferred())
        return self.thoughts[-1].addCallback(lambda _: self.sendMessage(message))

    def think(self) -> None:
        self.thoughts.pop(0).callback(None)


class Answering(Keeper):
    """Answers from a coroutine that waits for nothing."""

    def messageReceived(self, message: Any) -> Coroutine[Any, Any, None]:
        super().messageReceived(message)
        return self.answer(message)

    async def answer(self, message: Any) -> None:
        await succeed(None)
        self.sendMessage(message)


class ProtocolCase(ConversationCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()

    def plain(self, protocol: type[MessageProtocol] = Keeper, **settings: Any) -> tuple[Any, StringTransport]:
        """Return a protocol over a transport that knows nothing of TLS."""
        factory = MessageFactory(protocol, clock=self.clock, **settings)
        made = factory.buildProtocol(None)
        transport = StringTransport()
        made.makeConnection(transport)  # type: ignore[arg-type]
        return made, transport

    def talking(
        self,
        client: type[MessageProtocol] = Keeper,
        server: type[MessageProtocol] = Keeper,
        *,
        deadlines: Deadlines | None = None,
        **settings: Any,
    ) -> Conversation:
        """Return a client and a server with these protocols, over TLS."""
        factories = [MessageFactory(protocol, clock=self.clock, **settings) for protocol in (client, server)]
        return self.opened(
            clientProtocol=lambda: factories[0].buildProtocol(None),
            serverProtocol=lambda: factories[1].buildProtocol(None),
            deadlines=deadlines,
            clock=self.clock,
        )

    def finish(self, protocol: Any) -> None:
        """A plain transport is gone, and nothing is left."""
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FactoryTests(SynchronousTestCase):
    """What a factory is given."""

    def test_defaults(self) -> None:
        """Text that ends in <EOF>, a megabyte, five seconds, the reactor's time."""
        factory = MessageFactory()
        protocol = factory.buildProtocol(None)
        self.assertIs(type(protocol), MessageProtocol)
        self.assertEqual((factory.framing.name, factory.maximumMessage, factory.readTimeout), ("eof", 1 << 20, 5.0))
        self.assertIs(factory.clock, reactor)

    def test_classAttribute(self) -> None:
        """The protocol's class may be an attribute of the factory's class, as in any factory of Twisted."""

        class Keepers(MessageFactory):
            protocol = Keeper

        protocol = Keepers(framing=FRAMINGS["line"]).buildProtocol(None)
        self.assertIs(type(protocol), Keeper)
        self.assertIsInstance(protocol.factory, Keepers)

    def test_wrong(self) -> None:
        """A framing that does not exist, and limits that let nothing through, are refused."""
        for wrong in ({"framing": "smoke"}, {"maximumMessage": 0}, {"readTimeout": 0}, {"readTimeout": -1.0}):
            self.assertRaises(ValueError, MessageFactory, **wrong)


class MessageTests(ProtocolCase):
    """Messages, one after the other."""

    def test_bothWays(self) -> None:
        """In every framing messages arrive whole and in order, and are counted, over TLS."""
        for name, framing in FRAMINGS.items():
            conversation = self.talking(Keeper, Echo, framing=name)
            client, server = conversation.client.protocol, conversation.server.protocol
            messages = ["one", "", "zwölf 你好", LONG, LONG * 3, "é" * 100_000]
            for message in messages:
                client.sendMessage(message)
            conversation.flush()
            expected = messages if framing.isText else [message.encode() for message in messages]
            self.assertEqual((server.messages, client.messages), (expected, expected))
            self.assertEqual((client.messagesSent, client.messagesReceived), (6, 6))
            self.assertEqual((server.messagesSent, server.messagesReceived), (6, 6))
            client.loseConnection()
            conversation.flush()
            self.assertCodes(conversation, None, None)
            self.assertEqual([type(reason) for reason in (*client.lost, *server.lost)], [ConnectionDone] * 2)

    def test_plain(self) -> None:
        """So they do over a transport that knows nothing of TLS."""
        protocol, transport = self.plain(Echo)
        for byte in b"one<EOF>two<EOF>":
            protocol.dataReceived(bytes([byte]))
        self.assertEqual((protocol.messages, transport.value()), (["one", "two"], b"one<EOF>two<EOF>"))
        protocol.loseConnection()
        self.assertTrue(transport.disconnecting)
        self.finish(protocol)

    def test_calls(self) -> None:
        """A short message that is echoed costs six calls here, and two where it is one of many that come at once."""
        for name, alone in (("eof", 6), ("line", 6), ("netstring", 8), ("int32", 8)):
            protocol, _ = self.plain(Echo, framing=name)
            framed = FRAMINGS[name].encode("short", 100)
            protocol.dataReceived(framed)
            self.assertLessEqual(self.calls(protocol.dataReceived, framed), alone)
            self.assertLessEqual(self.calls(protocol.dataReceived, framed * 64), alone + 63 * (alone - 4))
            self.finish(protocol)

    def calls(self, function: Callable[[bytes], None], data: bytes) -> int:
        """Count the calls of functions in the package of messages."""
        files: list[str] = []
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, _: files.append(frame.f_code.co_filename) if event == "call" else None)
        try:
            function(data)
        finally:
            sys.setprofile(before)
        folder = os.path.dirname(messages.__file__)
        return sum(os.path.dirname(file) == folder for file in files)

    def test_refusedToSend(self) -> None:
        """A message that the peer could not read back raises, and nothing of it is sent or counted."""
        protocol, transport = self.plain(maximumMessage=10)
        self.assertRaises(Undecodable, protocol.sendMessage, "a<EOF>b")
        self.assertRaises(MessageTooLong, protocol.sendMessage, "x" * 11)
        self.assertRaises(TypeError, protocol.sendMessage, b"bytes")
        self.assertEqual((transport.value(), protocol.messagesSent), (b"", 0))
        self.finish(protocol)

    def test_sentTooLate(self) -> None:
        """A message that is sent when an end was asked for is dropped, and not counted."""
        conversation = self.talking()
        client = conversation.client.protocol
        client.sendMessage("in time")
        client.loseConnection()
        client.sendMessage("too late")
        conversation.flush()
        client.sendMessage("too late")
        self.assertEqual((conversation.server.protocol.messages, client.messagesSent), (["in time"], 1))

    def test_badMessage(self) -> None:
        """A bad message ends the conversation by its name, after those before it and none of those behind it."""
        for bad, code in ((b"\xff<EOF>", "undecodable"), (b"x" * 11 + b"<EOF>", "message-too-long")):
            protocol, transport = self.plain(maximumMessage=10)
            protocol.dataReceived(b"one<EOF>two<EOF>" + bad + b"three<EOF>")
            self.assertEqual((protocol.messages, protocol.failure.code), (["one", "two"], code))
            self.assertTrue(transport.disconnecting)
            self.finish(protocol)

    def test_badMessageOverTLS(self) -> None:
        """Over TLS connectionLost and the observer are given that failure; a client without a reply sees a refusal."""
        conversation = self.talking(maximumMessage=10)
        conversation.client.transport.write(b"one<EOF>\xff<EOF>")
        conversation.flush()
        server = conversation.server
        self.assertEqual(server.protocol.messages, ["one"])
        self.assertEqual((server.failure.code, server.failure.side), ("undecodable", "remote"))
        self.assertEqual(server.protocol.lost, [server.failure])
        self.assertClientEnds(conversation, "refused")

    def assertClientEnds(self, conversation: Conversation, client: str | None) -> None:
        (failure,) = conversation.client.failures
        self.assertEqual(None if failure is None else failure.code, client)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_raises(self) -> None:
        """A messageReceived that raises is logged, and the conversation ends after what was sent before."""

        class Raising(Echo):
            def messageReceived(self, message: Any) -> None:
                super().messageReceived(message)
                if message == "bad":
                    raise ZeroDivisionError

        protocol, transport = self.plain(Raising)
        protocol.dataReceived(b"good<EOF>bad<EOF>unseen<EOF>")
        self.assertEqual((protocol.messages, transport.value()), (["good", "bad"], b"good<EOF>bad<EOF>"))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.finish(protocol)

    def test_notAwaitable(self) -> None:
        """So is one that returns what cannot be awaited."""

        class Mistaken(Keeper):
            def messageReceived(self, message: Any) -> Any:
                return 5

        protocol, transport = self.plain(Mistaken)
        protocol.dataReceived(b"one<EOF>")
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.finish(protocol)

    def test_leftBehind(self) -> None:
        """Messages that were received together with the one that ended the conversation are not handed over."""

        class Ending(Keeper):
            def messageReceived(self, message: Any) -> None:
                super().messageReceived(message)
                self.loseConnection()

        protocol, _ = self.plain(Ending)
        protocol.dataReceived(b"one<EOF>two<EOF>")
        self.assertEqual(protocol.messages, ["one"])
        self.finish(protocol)
        conversation = self.talking(server=Ending)
        for message in ("one", "two"):
            conversation.client.protocol.sendMessage(message)
        conversation.flush()
        self.assertEqual(conversation.server.protocol.messages, ["one"])
        self.assertCodes(conversation, "refused", None)

    def test_interfaces(self) -> None:
        """A protocol keeps the interfaces that it declares."""
        protocol, _ = self.plain()
        verifyObject(IPushProducer, protocol)
        verifyObject(IHalfCloseableProtocol, protocol)
        protocol.writeConnectionLost()
        self.finish(protocol)


class BusyTests(ProtocolCase):
    """An application that takes its time."""

    def test_oneAtATime(self) -> None:
        """The next message is handed over when the application is done with the one before, and nothing is read."""
        protocol, transport = self.plain(Thinking)
        protocol.dataReceived(b"one<EOF>two<EOF>three<EOF>")
        for expected in (["one"], ["one", "two"], ["one", "two", "three"]):
            self.assertEqual((protocol.messages, transport.producerState), (expected, "paused"))
            protocol.think()
        self.assertEqual(transport.producerState, "producing")
        self.assertEqual(transport.value(), b"one<EOF>two<EOF>three<EOF>")
        self.finish(protocol)

    def test_coroutine(self) -> None:
        """A coroutine that waits for nothing costs no pause."""
        protocol, transport = self.plain(Answering)
        transport.pauseProducing = None  # type: ignore[assignment, method-assign]
        protocol.dataReceived(b"one<EOF>two<EOF>")
        self.assertEqual((protocol.messages, transport.value()), (["one", "two"], b"one<EOF>two<EOF>"))
        self.finish(protocol)

    def test_many(self) -> None:
        """Any number of messages can wait, without an end to the stack."""
        for kind in (Answering, Thinking):
            protocol, transport = self.plain(kind)
            protocol.dataReceived(b"<EOF>" * 5000)
            while getattr(protocol, "thoughts", ()):
                protocol.think()
            self.assertEqual((protocol.messagesReceived, len(transport.value())), (5000, 25000))
            self.finish(protocol)

    def test_comesMeanwhile(self) -> None:
        """What comes while others wait is handed over behind them, also what comes while a message is handed over."""

        class Fed(Keeper):
            def messageReceived(self, message: Any) -> None:
                super().messageReceived(message)
                if message == "one":
                    self.dataReceived(b"four<EOF>fi")
                    self.pauseProducing()

        protocol, _ = self.plain(Fed)
        protocol.dataReceived(b"one<EOF>two<EOF>three<EOF>")
        protocol.dataReceived(b"ve<EOF>six<EOF>")
        self.assertEqual(protocol.messages, ["one"])
        protocol.resumeProducing()
        self.assertEqual(protocol.messages, ["one", "two", "three", "four", "five", "six"])
        self.finish(protocol)

    def test_lastMeanwhile(self) -> None:
        """A last message that the end of the stream ends is handed over behind those that wait."""
        protocol, transport = self.plain(Thinking)
        protocol.dataReceived(b"one<EOF>two<EOF>three")
        protocol.readConnectionLost()
        while protocol.thoughts:
            self.assertFalse(transport.disconnecting)
            protocol.think()
        self.assertEqual(protocol.messages, ["one", "two", "three"])
        self.assertTrue(transport.disconnecting)
        self.finish(protocol)

    def test_badMessageAfterGoodOnes(self) -> None:
        """Good messages are handed over before a bad one behind them ends it, whatever time each takes."""
        for kind in (Answering, Thinking):
            protocol, transport = self.plain(kind)
            protocol.dataReceived(b"one<EOF>two<EOF>\xff<EOF>")
            while getattr(protocol, "thoughts", ()):
                self.assertFalse(transport.disconnecting)
                protocol.think()
            self.assertEqual((protocol.messages, protocol.failure.code), (["one", "two"], "undecodable"))
            self.assertTrue(transport.disconnecting)
            self.finish(protocol)

    def test_fails(self) -> None:
        """One that fails is logged, and the conversation ends; what waits is not handed over."""
        protocol, transport = self.plain(Thinking)
        protocol.dataReceived(b"one<EOF>two<EOF>three<EOF>")
        protocol.think()
        protocol.thoughts.pop().errback(ZeroDivisionError())
        self.assertEqual((protocol.messages, transport.value()), (["one", "two"], b"one<EOF>"))
        self.assertTrue(transport.disconnecting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.finish(protocol)

    def test_coroutineFails(self) -> None:
        """So it is with a coroutine, over TLS; the peer is not told that all was well."""

        class Failing(Keeper):
            async def messageReceived(self, message: Any) -> None:  # type: ignore[override]
                super().messageReceived(message)
                raise ZeroDivisionError

        conversation = self.talking(server=Failing)
        conversation.client.protocol.sendMessage("one")
        conversation.client.protocol.sendMessage("two")
        conversation.flush()
        self.assertEqual(conversation.server.protocol.messages, ["one"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertCodes(conversation, "reset", None)

    def test_lostMeanwhile(self) -> None:
        """When the connection is lost in the meantime, what waits is not handed over."""
        protocol, _ = self.plain(Thinking)
        protocol.dataReceived(b"one<EOF>two<EOF>")
        self.finish(protocol)
        protocol.think()
        self.assertEqual(protocol.messages, ["one"])
        conversation = self.talking(server=Thinking)
        conversation.client.protocol.sendMessage("one")
        conversation.client.protocol.sendMessage("two")
        conversation.flush()
        conversation.link.cut()
        conversation.server.protocol.think()
        self.assertEqual(conversation.server.protocol.messages, ["one"])
        self.assertCodes(conversation, "reset", "reset")

    def test_endsWhileBusy(self) -> None:
        """An application that ends the conversation and goes on thinking still ends it in order."""

        class Leaving(Thinking):
            def messageReceived(self, message: Any) -> Deferred[None]:
                self.loseConnection()
                return super().messageReceived(message)

        conversation = self.talking(server=Leaving)
        conversation.server.protocol.sendMessage("hello")
        conversation.client.protocol.sendMessage("one")
        conversation.flush()
        self.assertCodes(conversation, None, None)

    def test_slowReader(self) -> None:
        """A peer that sends and never reads is no longer listened to; little is held; when it reads, all arrives."""
        for kind in (Echo, Answering):
            factory = MessageFactory(kind, clock=self.clock, readTimeout=None)
            conversation = self.opened(
                serverProtocol=partial(factory.buildProtocol, None), clock=self.clock, deadlines=Deadlines(write=None)
            )
            conversation.link.client.isReading = False
            server, flood = conversation.server, f"{LONG}<EOF>".encode()
            for _ in range(100):
                conversation.client.transport.write(flood)
                conversation.flush()
            self.assertLess(server.transport.bytesReceived, 10 * len(flood))
            self.assertLess(server.protocol.messagesReceived, 10)
            self.assertLess(len(conversation.link.server.written), 3 * len(flood))
            conversation.link.client.isReading = True
            for _ in range(10):
                conversation.flush()
            self.assertEqual(conversation.client.received, flood * 100)

    def test_smallReplies(self) -> None:
        """So it is when messages and replies are short, and many come at once."""
        conversation = self.talking(server=Echo, deadlines=Deadlines(write=None), readTimeout=None)
        conversation.link.client.isReading = False
        for _ in range(30):
            conversation.client.transport.write(b"x<EOF>" * 10_000)
            conversation.flush()
        self.assertLess(conversation.server.protocol.messagesReceived, 60_000)
        conversation.link.client.isReading = True
        for _ in range(10):
            conversation.flush()
        self.assertEqual(conversation.client.protocol.messagesReceived, 300_000)

    def test_bothSend(self) -> None:
        """A side that sends much by itself reads what is replied to it, so that the two never wait for each other."""
        for kind in (Keeper, RequestProtocol):
            self.clock = Clock()
            conversation = self.talking(kind, Echo)
            client = conversation.client.protocol
            for _ in range(50):
                getattr(client, "request", client.sendMessage)(LONG)
            for _ in range(10):
                conversation.flush()
            self.assertEqual((client.messagesReceived, conversation.server.protocol.messagesSent), (50, 50))

    def test_repliesInReply(self) -> None:
        """A client that asks the next thing when it is replied to is no exception."""
        conversation = self.talking(RequestProtocol, Echo)
        client = conversation.client.protocol
        left = [200]

        def ask(_: object) -> None:
            if left[0]:
                left[0] -= 1
                client.request(LONG).addCallback(ask)

        for _ in range(20):
            ask(None)
        for _ in range(50):
            conversation.flush()
        self.assertEqual(client.messagesReceived, 200)

    def test_pausedByConsumer(self) -> None:
        """Who takes the messages elsewhere may pause them, whatever the transport says of room meanwhile."""
        protocol, transport = self.plain(Echo)
        protocol.pauseProducing()
        transport.producer.pauseProducing()  # type: ignore[attr-defined]
        protocol.dataReceived(b"one<EOF>")
        transport.producer.resumeProducing()  # type: ignore[attr-defined]
        self.assertEqual((protocol.messages, transport.producerState), ([], "paused"))
        protocol.resumeProducing()
        self.assertEqual((protocol.messages, transport.producerState), (["one"], "producing"))
        protocol.stopProducing()
        protocol.dataReceived(b"two<EOF>")
        self.assertEqual(protocol.messages, ["one"])
        self.finish(protocol)


class EndTests(ProtocolCase):
    """A peer that ends its side."""

    def test_lastMessage(self) -> None:
        """With <EOF> an orderly end completes the last message; it is answered, then our side ends."""
        conversation = self.talking(server=Echo)
        conversation.client.transport.write(b"one<EOF>last")
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.protocol.messages, ["one", "last"])
        self.assertCodes(conversation, None, None)

    def test_halfMessage(self) -> None:
        """In another framing an orderly end in the middle of a message is a truncation."""
        for framing, half in (("netstring", b"5:hel"), ("int32", b"\0\0\0\5hel"), ("line", b"hel")):
            conversation = self.talking(server=Echo, framing=framing)
            conversation.client.transport.write(half)
            conversation.client.transport.loseConnection()
            conversation.flush()
            self.assertEqual(conversation.server.protocol.messages, [])
            self.assertCodes(conversation, None, "truncated")

    def test_cut(self) -> None:
        """An end without close_notify completes nothing."""
        conversation = self.talking(server=Echo)
        conversation.client.transport.write(b"one<EOF>last")
        conversation.clock.advance(0)
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.protocol.messages, ["one"])
        self.assertEqual(conversation.server.protocol.lost[0].code, "truncated")

    def test_repliesStillArrive(self) -> None:
        """A peer that sends its messages and ends at once, close_notify and TCP, gets every reply, then our end."""
        for kind in (Echo, Answering, Thinking):
            for endsTCP in (False, True):
                client = self.pythonPeer(False)
                factory = MessageFactory(kind, clock=self.clock)
                build = partial(factory.buildProtocol, None)
                conversation = self.opened(client=client, serverProtocol=build, clock=self.clock)
                client.say(b"one<EOF>two<EOF>three<EOF>")
                client.close()
                if endsTCP:
                    conversation.link.client.loseWriteConnection()
                conversation.flush()
                server = conversation.server
                while getattr(server.protocol, "thoughts", ()):
                    self.assertTrue(conversation.link.server.connected)
                    server.protocol.think()
                    conversation.flush()
                self.assertEqual((client.received, client.sawClose), (b"one<EOF>two<EOF>three<EOF>", True))
                self.assertEqual(server.failures, [None])
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_plain(self) -> None:
        """So it does over a plain transport that can be half closed."""
        protocol, transport = self.plain(Thinking)
        protocol.dataReceived(b"one<EOF>last")
        protocol.readConnectionLost()
        protocol.think()
        self.assertFalse(transport.disconnecting)
        protocol.think()
        self.assertEqual(transport.value(), b"one<EOF>last<EOF>")
        self.assertTrue(transport.disconnecting)
        self.finish(protocol)


class ReadDeadlineTests(ProtocolCase):
    """The read deadline: five seconds here."""

    def assertOverAt(self, protocol: Any, seconds: float) -> None:
        """The deadline is over at this time and not before."""
        self.clock.advance(seconds - self.clock.seconds() - 0.01)
        self.assertIsNone(protocol.failure)
        self.clock.advance(0.02)
        self.assertEqual(protocol.failure.code, "read-timeout")
        self.finish(protocol)

    def test_awaited(self) -> None:
        """It is over when no message has come."""
        protocol, transport = self.plain()
        self.assertOverAt(protocol, 5)
        self.assertTrue(transport.disconnecting)
        self.assertEqual(protocol.failure.detail, "it had 5.0 s")

    def test_message(self) -> None:
        """It begins again with each message."""
        protocol, _ = self.plain()
        for _ in range(5):
            self.clock.advance(4)
            protocol.dataReceived(b"hello<EOF>")
        self.assertOverAt(protocol, 25)

    def test_halfReceived(self) -> None:
        """Half a message does not begin it again, and is said."""
        protocol, _ = self.plain()
        self.clock.advance(4)
        protocol.dataReceived(b"hel")
        self.assertOverAt(protocol, 5)
        self.assertEqual(protocol.failure.detail, "it had 5.0 s, and sent half of one")

    def test_dripping(self) -> None:
        """A peer that drips bytes does not extend it; one that sends a kilobyte in time does."""
        protocol, _ = self.plain()
        for _ in range(49):
            protocol.dataReceived(b"x")
            self.clock.advance(0.1)
        self.assertOverAt(protocol, 5)
        self.clock = Clock()
        protocol, _ = self.plain()
        for _ in range(5):
            self.clock.advance(4)
            protocol.dataReceived(b"x" * 1024)
        self.assertOverAt(protocol, 25)

    def test_drippingAfterMessage(self) -> None:
        """Nor does one that drips after a large message."""
        protocol, _ = self.plain()
        protocol.dataReceived(b"x" * 10_000)
        protocol.dataReceived(b"<EOF>")
        for _ in range(49):
            protocol.dataReceived(b"x")
            self.clock.advance(0.1)
        self.assertOverAt(protocol, 5)

    def test_busy(self) -> None:
        """It does not run while the application is busy, and begins again after it."""
        protocol, _ = self.plain(Thinking)
        protocol.dataReceived(b"hello<EOF>")
        self.clock.pump([1.5] * 40)
        self.assertIsNone(protocol.failure)
        protocol.think()
        self.assertOverAt(protocol, 65)

    def test_paused(self) -> None:
        """It does not run while the peer does not take what was sent to it, or messages are paused."""
        protocol, transport = self.plain()
        for producer in (protocol, transport.producer):
            began = self.clock.seconds()
            self.clock.advance(2)
            producer.pauseProducing()  # type: ignore[attr-defined]
            self.clock.pump([1.5] * 40)
            self.assertIsNone(protocol.failure)
            producer.resumeProducing()  # type: ignore[attr-defined]
        self.assertOverAt(protocol, began + 67)

    def test_writing(self) -> None:
        """It does not run while our bytes are on their way; the peer has all of it from when it has everything."""
        protocol, transport = self.plain()
        transport.isWriting = True  # type: ignore[attr-defined]
        for _ in range(200):
            self.clock.advance(0.1)
        self.assertIsNone(protocol.failure)
        transport.isWriting = False  # type: ignore[attr-defined]
        self.clock.advance(4.99)
        self.assertIsNone(protocol.failure)
        self.clock.pump([0.1] * 14)
        self.assertEqual(protocol.failure.code, "read-timeout")
        self.finish(protocol)

    def test_largeReply(self) -> None:
        """Over TLS: a large reply that the peer takes slowly is sent to its end, then the deadline runs."""
        conversation = self.talking(server=Echo)
        conversation.client.protocol.sendMessage(LONG * 5)
        conversation.link.toServer()
        self.clock.advance(0)
        while conversation.link.client.written:
            conversation.link.toServer()
        while not conversation.client.protocol.messages:
            conversation.link.toClient(10_000)
            self.clock.advance(1)
            self.assertEqual(conversation.server.failures, [])
        conversation.client.protocol._timer.cancel()
        conversation.advance(7)
        self.assertEqual(conversation.server.failure.code, "read-timeout")

    def test_overTLS(self) -> None:
        """Over TLS connectionLost and the observer are told, and the peer sees an end in order."""
        conversation = self.talking()
        conversation.client.protocol._timer.cancel()
        conversation.advance(5.2)
        server = conversation.server
        self.assertEqual((server.failure.code, server.failure.stage), ("read-timeout", "message"))
        self.assertEqual(server.protocol.lost, [server.failure])
        self.assertEqual(conversation.client.failures, [None])
        self.assertOver(conversation)

    def test_none(self) -> None:
        """Without a deadline a message may be awaited for ever, and no timer runs."""
        protocol, _ = self.plain(readTimeout=None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.finish(protocol)

    def test_closing(self) -> None:
        """It is not over any more when an end was asked for: that has deadlines of its own."""
        protocol, _ = self.plain()
        protocol.loseConnection()
        self.clock.advance(100)
        self.assertIsNone(protocol.failure)
        self.finish(protocol)

    def test_notOwed(self) -> None:
        """It runs only while the protocol says that a message is owed, or one is half received."""

        class Listening(Keeper):
            isAwaiting = False

        protocol, _ = self.plain(Listening)
        self.clock.pump([1.5] * 40)
        self.assertIsNone(protocol.failure)
        protocol.dataReceived(b"hel")
        self.clock.pump([1.5] * 8)
        self.assertEqual(protocol.failure.code, "read-timeout")
        self.finish(protocol)

    def test_givenUpOnce(self) -> None:
        """The first reason to give up is the one that counts."""
        protocol, _ = self.plain()
        first = Undecodable("first")
        protocol.giveUp(first)
        protocol.giveUp(Undecodable("second"))
        self.assertIs(protocol.failure, first)
        self.finish(protocol)


class RequestTests(ProtocolCase):
    """Requests and their replies."""

    def asking(self, **settings: Any) -> tuple[Any, StringTransport]:
        return self.plain(RequestProtocol, framing="line", **settings)

    def test_order(self) -> None:
        """Any number of requests may be under way; each gets its own reply."""
        protocol, transport = self.asking()
        replies = [protocol.request(word) for word in ("one", "two", "three")]
        self.assertEqual(transport.value(), b"one\ntwo\nthree\n")
        protocol.dataReceived(b"1\n2")
        self.assertEqual(self.successResultOf(replies[0]), "1")
        self.assertNoResult(replies[1])
        protocol.dataReceived(b"\n3\n")
        self.assertEqual([self.successResultOf(reply) for reply in replies[1:]], ["2", "3"])
        self.finish(protocol)

    def test_overTLS(self) -> None:
        """Over TLS, asked from a coroutine."""
        conversation = self.talking(RequestProtocol, Thinking)
        replies: list[Any] = []

        async def ask() -> None:
            for word in ("one", "two"):
                replies.append(await conversation.client.protocol.request(word))

        asking = Deferred.fromCoroutine(ask())
        for _ in range(2):
            conversation.flush()
            conversation.server.protocol.think()
        conversation.flush()
        self.successResultOf(asking)
        self.assertEqual(replies, ["one", "two"])

    def test_again(self) -> None:
        """Another request may be made where a reply is given."""
        protocol, _ = self.asking()
        replies: list[Any] = []
        protocol.request("one").addCallback(lambda _: protocol.request("two").addCallback(replies.append))
        protocol.dataReceived(b"1\n2\n")
        self.assertEqual(replies, ["2"])
        self.finish(protocol)

    def test_deadline(self) -> None:
        """A request without a reply in time fails at once, and so do those behind it; the connection ends."""
        protocol, transport = self.asking()
        self.clock.advance(3)
        replies = [protocol.request(word) for word in ("one", "two")]
        self.clock.pump([0.5] * 9)
        self.assertNoResult(replies[0])
        self.clock.pump([0.5] * 2)
        for reply in replies:
            self.assertEqual(self.failureResultOf(reply, ReadTimeout).value, protocol.failure)
        self.assertTrue(transport.disconnecting)
        self.assertRaises(Truncated, protocol.request, "three")
        self.finish(protocol)

    def test_deadlineOverTLS(self) -> None:
        """A server that does not even answer close_notify does not keep the request from failing in time."""
        factory = MessageFactory(RequestProtocol, clock=self.clock)
        conversation = self.opened(
            server=DeafPeer(serverConfiguration()),
            clientProtocol=partial(factory.buildProtocol, None),
            clock=self.clock,
        )
        reply = conversation.client.protocol.request("one")
        conversation.advance(5.2)
        self.failureResultOf(reply, ReadTimeout)
        self.assertFalse(conversation.client.failures)

    def test_idle(self) -> None:
        """Nothing is awaited while no request is under way."""
        protocol, _ = self.asking()
        self.clock.pump([1.5] * 40)
        self.assertIsNone(protocol.failure)
        self.finish(protocol)

    def test_cancelled(self) -> None:
        """Giving up one reply leaves the others their own, and the connection open."""
        protocol, transport = self.asking()
        replies = [protocol.request(word) for word in ("one", "two")]
        replies[0].cancel()
        self.failureResultOf(replies[0], CancelledError)
        protocol.dataReceived(b"1\n2\n")
        self.assertEqual(self.successResultOf(replies[1]), "2")
        self.assertFalse(transport.disconnecting)
        replies = [protocol.request(word) for word in ("three", "four")]
        replies[0].cancel()
        self.failureResultOf(replies[0], CancelledError)
        self.finish(protocol)
        self.failureResultOf(replies[1], Truncated)

    def test_closed(self) -> None:
        """When the peer ends in order before it has replied, the replies are missing: truncated, by the peer."""
        conversation = self.talking(RequestProtocol, Keeper)
        replies = [conversation.client.protocol.request(word) for word in ("zero", "one")]
        conversation.flush()
        conversation.server.protocol.sendMessage("0")
        conversation.server.protocol.loseConnection()
        conversation.flush()
        self.assertEqual(self.successResultOf(replies[0]), "0")
        failure = self.failureResultOf(replies[1], Truncated).value
        self.assertEqual(failure.side, "remote")
        self.assertClientEnds(conversation)

    def assertClientEnds(self, conversation: Conversation) -> None:
        self.assertEqual((conversation.client.failures, conversation.server.failures), ([None], [None]))
        self.assertOver(conversation)

    def test_lost(self) -> None:
        """When the connection fails, so does each request, for the same reason."""
        conversation = self.talking(RequestProtocol, Keeper)
        replies = [conversation.client.protocol.request(word) for word in ("one", "two")]
        conversation.link.cut()
        for reply in replies:
            self.assertIs(self.failureResultOf(reply).value, conversation.client.failure)
        self.assertCodes(conversation, "reset", "reset")

    def test_lostPlain(self) -> None:
        """Over a plain transport it is what that says."""
        protocol, _ = self.asking()
        reply = protocol.request("one")
        protocol.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(reply, ConnectionLost)

    def test_badReply(self) -> None:
        """A reply that is no message fails the requests by its name."""
        conversation = self.talking(RequestProtocol, Keeper)
        reply = conversation.client.protocol.request("one")
        conversation.flush()
        conversation.server.transport.write(b"\xff<EOF>")
        conversation.flush()
        self.assertIs(self.failureResultOf(reply).value, conversation.client.failure)
        self.assertEqual(conversation.client.failure.code, "undecodable")

    def test_afterTheEnd(self) -> None:
        """A request that is made when an end was asked for, or has come, raises, and nothing is sent."""
        protocol, transport = self.asking()
        protocol.loseConnection()
        self.assertRaises(Truncated, protocol.request, "one")
        self.finish(protocol)
        self.assertRaises(Truncated, protocol.request, "one")
        self.assertEqual(transport.value(), b"")

    def test_refusedToSend(self) -> None:
        """A request that cannot be sent raises, and awaits nothing."""
        protocol, _ = self.asking(maximumMessage=10)
        self.assertRaises(MessageTooLong, protocol.request, "x" * 11)
        self.assertRaises(Undecodable, protocol.request, "a\nb")
        self.assertFalse(protocol.isAwaiting)
        self.finish(protocol)

    def test_unexpected(self) -> None:
        """A message that no request awaits is ignored, unless the protocol says what to do with it."""
        protocol, transport = self.asking()
        protocol.dataReceived(b"news\n")
        self.assertFalse(transport.disconnecting)
        self.finish(protocol)

        class Listening(RequestProtocol):
            def unexpectedMessageReceived(self, message: Any) -> None:
                self.news = message

        protocol, _ = self.plain(Listening)
        protocol.dataReceived(b"news<EOF>")
        self.assertEqual(protocol.news, "news")
        self.finish(protocol)
