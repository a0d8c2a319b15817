"""How a connection ends: in order, by failure, by deadline, by either side, and from every state."""

from collections.abc import Callable
from functools import partial
from typing import Any

from asking import askingPeer
from conversation import (
    STRANGER,
    VERSIONS,
    Conversation,
    ConversationCase,
    Eager,
    HalfCloseable,
    Recorder,
    clientConfiguration,
)
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.policies import WrappingFactory
from zope.interface import implementer

from tlscomm.configuration import Deadlines
from tlscomm.failures import Undecodable
from tlscomm.testing import DeafPeer

UNKNOWN_CLIENT = {"credential": STRANGER.issue("client", role="client")}
LARGE = b"x" * 300_000


#: The bytes of a sealed alert.
_CANCELED = 24


class OrderlyTests(ConversationCase):
    """Ends in order."""

    def test_eitherSide(self) -> None:
        """Whichever side ends the connection, both are told that it ended in order, at once."""
        for version in VERSIONS:
            for first in ("client", "server"):
                conversation = self.opened(version, serverProtocol=Eager)
                getattr(conversation, first).transport.loseConnection()
                conversation.flush()
                self.assertCodes(conversation, None, None)
                for side in (conversation.client, conversation.server):
                    self.assertEqual([type(reason) for reason in side.lost], [ConnectionDone])

    def test_bothAtOnce(self) -> None:
        """So they are when both end it at once."""
        for version in VERSIONS:
            conversation = self.opened(version)
            for side in (conversation.client, conversation.server):
                side.transport.loseConnection()
            conversation.flush()
            self.assertCodes(conversation, None, None)

    def test_awaitsPeersClose(self) -> None:
        """TCP stays open after our close_notify until the peer's has come."""
        conversation = self.opened(serverProtocol=HalfCloseable)
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertTrue(conversation.link.client.connected)
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertCodes(conversation, None, None)

    def test_everythingArrives(self) -> None:
        """What was written before the end arrives, however much it is."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.server.transport.write(LARGE)
            conversation.server.transport.loseConnection()
            conversation.server.transport.write(b"too late")
            conversation.flush()
            self.assertEqual(conversation.client.received, LARGE)
            self.assertCodes(conversation, None, None)

    def test_twice(self) -> None:
        """Asking for an end more than once changes nothing."""
        for ends in (("loseConnection",) * 3, ("loseWriteConnection", "stopProducing"), ("abortConnection",) * 3):
            conversation = self.opened()
            for end in ends:
                getattr(conversation.client.transport, end)()
            conversation.flush()
            for end in (*ends, "loseConnection", "abortConnection", "pauseProducing", "resumeProducing"):
                getattr(conversation.client.transport, end)()
            conversation.client.transport.write(b"too late")
            conversation.client.transport.unregisterProducer()
            conversation.flush()
            self.assertOver(conversation)

    def test_peerEndsTCPAfterOurClose(self) -> None:
        """A peer that answers our close_notify with the end of TCP alone has ended in order."""
        conversation = self.opened(client=self.pythonPeer(False))
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertTrue(conversation.client.sawClose)
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertServerEnds(conversation, None)

    def test_peerEndsTCPWhileWeFinish(self) -> None:
        """A peer that ends its stream when we have asked for an end gets what was written before, and close_notify."""
        client = self.pythonPeer(False)
        conversation = self.opened(client=client)
        conversation.link.client.isReading = False
        conversation.server.transport.write(LARGE)
        conversation.server.transport.loseConnection()
        conversation.flush()
        conversation.link.client.loseWriteConnection()
        conversation.flush()
        conversation.link.client.isReading = True
        conversation.flush()
        self.assertEqual((client.received, client.sawClose), (LARGE, True))
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertServerEnds(conversation, None)

    def assertServerEnds(self, conversation: Conversation, code: str | None) -> None:
        """The server's side has ended with a failure of this code, or in order where that is None."""
        (failure,) = conversation.server.failures
        self.assertEqual(None if failure is None else failure.code, code)
        self.assertEqual([getattr(reason, "code", None) for reason in conversation.server.lost], [code])
        self.assertFalse(conversation.link.server.connected)
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_resetAfterOurClose(self) -> None:
        """A peer that resets TCP after our close_notify, having been sent everything, has ended in order."""
        conversation = self.opened(client=self.pythonPeer(False))
        conversation.server.transport.write(b"reply")
        conversation.server.transport.loseConnection()
        conversation.flush()
        conversation.link.cut()
        self.assertServerEnds(conversation, None)

    def test_dataAfterClose(self) -> None:
        """What a peer sends after its close_notify is ignored, and is not kept."""
        conversation = self.opened(client=self.pythonPeer(False), serverProtocol=HalfCloseable)
        conversation.client.close()
        conversation.flush()
        for _ in range(100):
            conversation.link.client.write(b"\x17\x03\x03\x40\x00" + b"x" * 16384)
            conversation.flush()
        self.assertEqual(conversation.server.received, b"")
        handle = conversation.server.transport.getHandle()
        self.assertEqual(handle.bio_read(1) if handle.pending() else b"", b"")
        conversation.server.transport.write(b"still there")
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.client.received, b"still there")

    def test_pausedCloser(self) -> None:
        """A protocol that has paused, or pauses when it has asked for the end, still ends in order."""
        for order in (("pauseProducing", "loseConnection"), ("loseConnection", "pauseProducing")):
            conversation = self.opened(client=self.pythonPeer(False))
            for call in order:
                getattr(conversation.server.transport, call)()
            conversation.flush()
            conversation.client.close()
            conversation.flush()
            self.assertServerEnds(conversation, None)

    def test_pausedAndClosed(self) -> None:
        """A protocol that has paused and ends still sees a close_notify that comes together with data."""
        conversation = self.opened(client=self.pythonPeer(False))
        conversation.server.transport.pauseProducing()
        conversation.server.transport.loseConnection()
        conversation.clock.advance(0)
        conversation.client.say(b"data")
        conversation.client.close()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"")
        self.assertServerEnds(conversation, None)

    def test_pausedBoth(self) -> None:
        """A paused protocol that ends does not wait for a peer that waits until it is heard."""

        class Echo(Recorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.registerProducer(self.transport, True)

            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.transport.write(data)

        conversation = self.opened(serverProtocol=Echo)
        conversation.client.transport.pauseProducing()
        conversation.client.transport.write(LARGE)
        conversation.flush()
        self.assertFalse(conversation.link.server.isReading)
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertEqual((conversation.server.received, conversation.client.received), (LARGE, b""))
        self.assertCodes(conversation, None, None)

    def test_closeBecause(self) -> None:
        """An end for a reason is like any other, but that the reason is told."""
        conversation = self.opened()
        reason = Undecodable("of what was received", side="remote")
        conversation.server.transport.write(b"bye")
        conversation.server.transport.closeBecause(reason)
        conversation.server.transport.closeBecause(Undecodable("twice"))
        conversation.flush()
        self.assertEqual(conversation.client.received, b"bye")
        self.assertCodes(conversation, None, "undecodable")
        self.assertIs(conversation.server.failure, reason)
        self.assertEqual(reason.peer, "127.0.0.1:40001")

    def test_closeBecauseEndless(self) -> None:
        """A peer that sends on after that is not listened to for long: TCP is cut, and the reason stays."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.server.transport.closeBecause(Undecodable("no text"))
            conversation.client.transport.write(LARGE * 2)
            conversation.clock.advance(0)
            conversation.link.client.isReading = False
            conversation.flush()
            self.assertTrue(conversation.link.server.wasAborted)
            self.assertEqual(conversation.server.failure.code, "undecodable")
            self.assertOver(conversation)

    def test_canceled(self) -> None:
        """A peer that says user_canceled before close_notify, as Java does, ends in order."""
        asking = askingPeer(self, False, "1.3")
        conversation = self.opened("1.3", client=asking.peer)
        asking.cancel()
        while conversation.link.toServer(_CANCELED):
            pass
        conversation.flush()
        self.assertEqual(conversation.server.failures, [None])
        self.assertIsInstance(conversation.server.lost[0], ConnectionDone)

    def test_closeBecauseTooLate(self) -> None:
        """A reason that comes after an end was asked for is not why it ends."""
        conversation = self.opened(serverProtocol=Eager)
        conversation.server.transport.loseConnection()
        conversation.server.transport.closeBecause(Undecodable("twice"))
        conversation.flush()
        self.assertCodes(conversation, None, None)


class HalfCloseTests(ConversationCase):
    """A peer may end its own side first."""

    def test_wrapped(self) -> None:
        """Twisted's wrappers claim to go on when the peer has closed; the connection ends all the same."""
        for version in VERSIONS:
            factory: Any = WrappingFactory(Factory.forProtocol(Protocol))
            conversation = self.opened(version, serverProtocol=partial(factory.buildProtocol, None))
            conversation.server.transport.write(b"said")
            conversation.flush()
            conversation.client.transport.loseConnection()
            conversation.flush()
            self.assertFalse(conversation.link.server.connected)
            self.assertEqual((conversation.client.failures, conversation.server.failures), ([None], [None]))

    def test_repliesStillArrive(self) -> None:
        """A peer that has sent close_notify, and even the end of TCP, still gets what is written to it."""
        for version in VERSIONS:
            for endsTCP in (False, True):
                client = self.pythonPeer(False)
                conversation = self.opened(version, client=client, serverProtocol=HalfCloseable)
                client.say(b"question")
                client.close()
                if endsTCP:
                    conversation.link.client.loseWriteConnection()
                conversation.flush()
                self.assertEqual(conversation.server.events[-2:], ["data", "read end"])
                conversation.server.transport.write(LARGE)
                conversation.flush()
                conversation.server.transport.loseConnection()
                conversation.flush()
                self.assertEqual((client.received, client.sawClose), (LARGE, True))
                self.assertEqual(conversation.server.failures, [None])
                self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_otherwiseItEnds(self) -> None:
        """A protocol that does not know of halves has its connection ended, after what it has written."""
        for version in VERSIONS:
            client = self.pythonPeer(False)
            conversation = self.opened(version, client=client, serverProtocol=Answering)
            client.say(b"question")
            client.close()
            conversation.flush()
            self.assertEqual((client.received, client.sawClose), (b"answer", True))
            self.assertEqual(conversation.server.failures, [None])

    def test_truncated(self) -> None:
        """The end of TCP without close_notify is no end of a side: it is a failure, whoever the protocol is."""
        for version in VERSIONS:
            for protocol in (Recorder, HalfCloseable):
                client = self.pythonPeer(False)
                conversation = self.opened(version, client=client, serverProtocol=protocol)
                client.say(b"question")
                conversation.link.client.loseConnection()
                conversation.flush()
                self.assertEqual(conversation.server.received, b"question")
                self.assertEqual(
                    (conversation.server.failure.code, conversation.server.failure.side), ("truncated", "remote")
                )
                self.assertEqual(conversation.server.lost, [conversation.server.failure])
                self.assertNotIn("read end", conversation.server.events)
                self.assertFalse(conversation.link.server.connected)


class Answering(Recorder):
    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.write(b"answer")


class BrokenTests(ConversationCase):
    """Ends that nobody asked for."""

    def test_reset(self) -> None:
        """A connection that is reset has failed by that name, on both sides."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.link.cut()
            self.assertCodes(conversation, "reset", "reset")
            self.assertEqual(
                (conversation.client.failure.stage, conversation.client.failure.side), ("message", "remote")
            )

    def test_resetInHandshake(self) -> None:
        """So it has in the handshake."""
        conversation = self.conversation()
        conversation.link.toServer()
        conversation.link.cut()
        self.assertCodes(conversation, "reset", "reset")
        self.assertEqual(conversation.server.failure.stage, "handshake")

    def test_endInHandshake(self) -> None:
        """An end of stream in the handshake has its name, and TCP is closed."""
        for version in VERSIONS:
            conversation = self.conversation(version)
            conversation.link.client.loseConnection()
            conversation.flush()
            self.assertEqual(conversation.server.failure.code, "closed-in-handshake")
            self.assertOver(conversation)

    def test_resetWithBytesUnsent(self) -> None:
        """A reset while our bytes are on their way is a failure, also after the peer's close_notify or our own."""
        for closes in (False, True):
            conversation = self.opened(client=self.pythonPeer(False), serverProtocol=HalfCloseable)
            conversation.client.close()
            conversation.flush()
            conversation.link.client.isReading = False
            conversation.server.transport.write(LARGE)
            if closes:
                conversation.server.transport.loseConnection()
            conversation.flush()
            conversation.link.server.lose(ConnectionLost())
            self.assertEqual((conversation.server.failure.code, conversation.server.failure.side), ("reset", "remote"))
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_aborted(self) -> None:
        """Who aborts is told that it aborted, and the other side that it was reset; nothing queued is sent."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.client.transport.write(LARGE)
            conversation.client.transport.abortConnection()
            conversation.client.transport.write(b"too late")
            conversation.flush()
            self.assertEqual(conversation.server.received, b"")
            self.assertOver(conversation)
            self.assertEqual([type(reason) for reason in conversation.client.lost], [ConnectionAborted])
            self.assertEqual(conversation.client.failures, [None])
            self.assertEqual(conversation.server.failure.code, "reset")

    def test_endedInHandshake(self) -> None:
        """Who ends a connection before it was accepted breaks it off, and nobody above was told of it."""
        for version in VERSIONS:
            for end in ("loseConnection", "abortConnection"):
                conversation = self.conversation(version)
                conversation.link.toServer()
                getattr(conversation.server.transport, end)()
                conversation.flush()
                self.assertEqual((conversation.server.events, conversation.client.events), ([], ["refused"]))
                self.assertOver(conversation)

    def test_corrupted(self) -> None:
        """A record that was changed on its way ends the connection by that name, and the peer hears why."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.client.transport.write(b"data")
            conversation.clock.advance(0)
            conversation.link.client.written[-1] ^= 1
            conversation.flush()
            self.assertCodes(conversation, "protocol-violation", "protocol-violation")
            self.assertEqual(conversation.server.received, b"")
            self.assertEqual(conversation.client.failure.alert.name, "bad_record_mac")

    def test_goodDataBeforeBad(self) -> None:
        """What came before it is delivered first."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.client.transport.write(b"good")
            conversation.clock.advance(0)
            conversation.client.transport.write(b"bad")
            conversation.clock.advance(0)
            conversation.link.client.written[-1] ^= 1
            conversation.flush()
            self.assertEqual(conversation.server.received, b"good")
            self.assertEqual(conversation.server.events[-3:], ["data", "closed", "lost"])


class LastWordsTests(ConversationCase):
    """A peer that is refused hears why before TCP ends."""

    def refused(self, version: str = "1.3") -> Conversation:
        """Return a server that has just refused a client that neither closes nor reads."""
        client = self.pythonPeer(False, UNKNOWN_CLIENT["credential"])
        conversation = self.conversation(version, client=client)
        conversation.link.toServer()
        conversation.link.toClient()
        conversation.link.toServer()
        return conversation

    def test_alertFirst(self) -> None:
        """The alert is sent, then our side of TCP ends, and the rest of TCP stays for a moment."""
        end = self.refused().link.server
        self.assertEqual((end.writeClosing, end.disconnecting, end.connected), (True, False, True))
        self.assertTrue(end.written)

    def test_bounded(self) -> None:
        """The moment is over after a second."""
        conversation = self.refused()
        conversation.advance(0.9)
        self.assertEqual(conversation.server.events, [])
        conversation.advance(0.2)
        self.assertEqual(conversation.server.events, ["refused"])
        self.assertOver(conversation)

    def test_boundedInBytes(self) -> None:
        """It is over, too, when the peer goes on sending much."""
        conversation = self.refused()
        for _ in range(4):
            conversation.link.client.write(b"x" * 65536)
            conversation.flush()
        self.assertEqual(conversation.server.events, [])
        conversation.link.client.write(b"x")
        conversation.flush()
        self.assertEqual(conversation.server.events, ["refused"])

    def test_peerEnds(self) -> None:
        """It is over when the peer ends."""
        conversation = self.refused()
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.events, ["refused"])
        self.assertOver(conversation)

    def test_peerHasEnded(self) -> None:
        """A peer whose stream has ended in the meantime is sent the alert all the same."""
        client = self.pythonPeer(False)
        conversation = self.opened(client=client)
        client.say(b"data")
        conversation.link.client.written[-1] ^= 1
        conversation.link.client.loseWriteConnection()
        conversation.flush()
        conversation.flush()
        self.assertIn("BAD_RECORD_MAC", str(client.error))
        self.assertEqual(conversation.server.failure.code, "protocol-violation")
        self.assertFalse(conversation.link.server.connected)

    def test_alertThatDoesNotMove(self) -> None:
        """An alert that the peer does not take does not keep TCP open."""
        client = self.pythonPeer(False)
        conversation = self.opened(client=client)
        conversation.link.client.isReading = False
        client.say(b"data")
        conversation.link.client.written[-1] ^= 1
        conversation.link.client.loseWriteConnection()
        conversation.flush()
        self.assertTrue(conversation.link.server.connected)
        conversation.advance(1)
        self.assertFalse(conversation.link.server.connected)
        self.assertOver(conversation)

    def test_pausedWhenItFails(self) -> None:
        """A protocol that has paused does not keep us from reading the end of a peer that was refused."""
        conversation = self.opened(serverProtocol=Pausing)
        conversation.client.transport.write(b"data")
        conversation.clock.advance(0)
        conversation.link.client.written[-1] ^= 1
        conversation.flush()
        self.assertCodes(conversation, "protocol-violation", "protocol-violation")

    def test_refusedByPeer(self) -> None:
        """Who is refused has nothing to say, and ends at once."""
        server = self.pythonPeer(True)
        conversation = self.conversation(client=UNKNOWN_CLIENT, server=server)
        conversation.flush()
        self.assertEqual(conversation.client.events, ["refused"])
        self.assertFalse(conversation.link.client.connected)
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_withoutHalfClose(self) -> None:
        """Over a transport that cannot end its own side alone, the alert goes out before the end of all of it."""
        conversation = self.conversation(client=UNKNOWN_CLIENT)
        conversation.link.server.loseWriteConnection = None  # type: ignore[assignment, method-assign]
        conversation.flush()
        self.assertCodes(conversation, "unknown-issuer", "unknown-issuer")


class Pausing(Recorder):
    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.pauseProducing()
        self.transport.transport.resumeProducing()


class CloseDeadlineTests(ConversationCase):
    """A peer has a while to answer close_notify."""

    def deaf(self, **deadlines: Any) -> Conversation:
        return self.opened(client=DeafPeer(clientConfiguration()), deadlines=Deadlines(**deadlines))

    def test_neverAnswered(self) -> None:
        """A peer that does not is given up after the deadline, by that name, and TCP is closed without a reset."""
        conversation = self.deaf(close=3.0)
        conversation.server.transport.write(b"reply")
        conversation.server.transport.loseConnection()
        conversation.flush()
        conversation.advance(2.9)
        self.assertEqual(conversation.server.failures, [])
        conversation.advance(0.2)
        self.assertEqual(
            (conversation.server.failure.code, conversation.server.failure.stage), ("close-timeout", "close")
        )
        self.assertEqual(conversation.server.lost, [conversation.server.failure])
        end = conversation.link.server
        self.assertEqual((end.connected, end.wasAborted), (False, False))
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_dataDoesNotExtend(self) -> None:
        """A peer that goes on sending does not extend it."""
        conversation = self.deaf(close=3.0)
        conversation.server.transport.loseConnection()
        for _ in range(6):
            conversation.client.send(b"more")
            conversation.advance(0.6)
        self.assertEqual(conversation.server.failure.code, "close-timeout")
        self.assertEqual(conversation.server.received, b"")

    def test_none(self) -> None:
        """Without a deadline the answer is awaited for ever."""
        conversation = self.deaf(close=None)
        conversation.server.transport.loseConnection()
        conversation.advance(1e6)
        self.assertEqual(conversation.server.failures, [])
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.failures, [None])

    def test_slowReader(self) -> None:
        """A peer that still takes what was sent to it has its time when it has everything."""
        conversation = self.opened(deadlines=Deadlines(close=3.0, write=5.0))
        reader = conversation.link.client
        reader.isReading = False
        conversation.server.transport.write(LARGE)
        conversation.server.transport.loseConnection()
        while conversation.link.server.written:
            reader.isReading = True
            conversation.link.toClient(10_000)
            reader.isReading = False
            conversation.clock.advance(1)
            self.assertEqual(conversation.server.failures, [])
        reader.isReading = True
        conversation.flush()
        self.assertEqual(conversation.client.received, LARGE)
        self.assertCodes(conversation, None, None)

    def test_peerHasClosed(self) -> None:
        """A peer that has closed and does not take our last bytes does not keep TCP open."""
        for deadlines, code in (({}, "write-timeout"), ({"write": None}, "close-timeout")):
            client = self.pythonPeer(False)
            conversation = self.opened(client=client, serverProtocol=HalfCloseable, deadlines=Deadlines(**deadlines))
            client.close()
            conversation.flush()
            conversation.link.client.isReading = False
            conversation.server.transport.write(b"reply")
            conversation.server.transport.loseConnection()
            conversation.flush()
            self.assertTrue(conversation.link.server.connected)
            conversation.advance(6.3)
            self.assertEqual(conversation.server.failure.code, code)
            self.assertFalse(conversation.link.server.connected)
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_stuckWhileClosing(self) -> None:
        """A peer that takes nothing while we close is given up by the write deadline, or, without that, by this one."""
        for deadlines, code in (({"write": 4.0}, "write-timeout"), ({"write": None}, "close-timeout")):
            conversation = self.opened(client=DeafPeer(clientConfiguration()), deadlines=Deadlines(**deadlines))
            conversation.link.client.isReading = False
            conversation.server.transport.write(b"reply")
            conversation.server.transport.loseConnection()
            conversation.advance(5.1)
            self.assertEqual(conversation.server.failure.code, code)
            self.assertTrue(conversation.link.server.wasAborted)
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_stuckBeforeClosing(self) -> None:
        """So it is when what was written is so much that close_notify could not even be said."""
        for deadlines in ({"write": 4.0}, {"write": 4.0, "close": None}):
            conversation = self.opened(client=DeafPeer(clientConfiguration()), deadlines=Deadlines(**deadlines))
            conversation.link.client.isReading = False
            conversation.server.transport.write(LARGE)
            conversation.server.transport.loseConnection()
            conversation.advance(5.1)
            self.assertEqual(conversation.server.failure.code, "write-timeout")
            self.assertOver(conversation)


class ReentrantTests(ConversationCase):
    """A protocol may end its connection wherever it is called."""

    def ends(self, at: str, how: str, then: Callable[[Any], None] = lambda _: None) -> type[Recorder]:
        """Return a protocol that ends its connection when it is called by a name."""

        def ending(self: Any, *arguments: Any) -> None:
            getattr(HalfCloseable, at)(self, *arguments)
            self.transport.write(b"last words")
            getattr(self.transport, how)()
            self.transport.write(b"too late")
            then(self.transport)

        return type("Ending", (HalfCloseable,), {at: ending})

    def test_lose(self) -> None:
        """Ended in order: what was written before arrives, both sides end in order, and nothing comes any more."""
        for version in VERSIONS:
            for at in ("connectionMade", "dataReceived", "readConnectionLost"):
                client = self.pythonPeer(False)
                conversation = self.opened(version, client=client, serverProtocol=self.ends(at, "loseConnection"))
                if not client.sawClose:
                    client.say(b"question")
                    if at == "readConnectionLost":
                        client.close()
                conversation.flush()
                self.assertEqual((client.received, client.sawClose), (b"last words", True), (version, at))
                events = len(conversation.server.events)
                if at != "readConnectionLost":
                    client.say(b"more")
                    client.close()
                conversation.flush()
                self.assertEqual(
                    conversation.server.events[events:], ["closed", "lost"] if at != "readConnectionLost" else []
                )
                self.assertEqual(conversation.server.failures, [None])
                self.assertFalse(conversation.link.server.connected)
                self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_waitsForPeersClose(self) -> None:
        """Who ends in connectionMade still awaits the peer's close_notify."""
        client = self.pythonPeer(False)
        conversation = self.opened(client=client, serverProtocol=self.ends("connectionMade", "loseConnection"))
        self.assertEqual((conversation.link.server.disconnecting, client.sawClose), (False, True))

    def test_abort(self) -> None:
        """Aborted: TCP ends, and nothing comes any more."""
        for version in VERSIONS:
            for at in ("connectionMade", "dataReceived", "readConnectionLost"):
                client = self.pythonPeer(False)
                conversation = self.opened(version, client=client, serverProtocol=self.ends(at, "abortConnection"))
                if conversation.link.server.connected:
                    client.say(b"question")
                    if at == "readConnectionLost":
                        client.close()
                conversation.flush()
                self.assertEqual(client.received, b"")
                self.assertEqual(conversation.server.events[-2:], ["closed", "lost"])
                self.assertEqual([type(reason) for reason in conversation.server.lost], [ConnectionAborted])
                self.assertFalse(conversation.link.server.connected)
                self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_clientEndsAtOnce(self) -> None:
        """A client that ends in connectionMade has been connected, and sees its connection end in order."""
        for version in VERSIONS:
            conversation = self.conversation(version, clientProtocol=self.ends("connectionMade", "loseConnection"))
            conversation.client.connect()
            conversation.flush()
            self.assertEqual(conversation.client.events[3:], ["connected", "closed", "lost"])
            self.assertEqual(conversation.server.received, b"last words")
            self.assertCodes(conversation, None, None)

    def test_whenConnected(self) -> None:
        """The connection may be ended where its Deferred fires, before anything is delivered."""
        for version in VERSIONS:
            for end in ("loseConnection", "abortConnection"):
                conversation = self.conversation(version, serverProtocol=Eager)
                connecting = conversation.client.transport.whenAccepted()
                connecting.addCallback(lambda protocol, end=end: getattr(protocol.transport, end)())
                conversation.flush()
                self.assertEqual(conversation.client.received, b"")
                self.assertOver(conversation)

    def test_cancelledInConnectionMade(self) -> None:
        """A connection may be cancelled while its protocol is being told of it."""
        connecting: list[Deferred[Any]] = []

        class Cancelling(Recorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                connecting[0].cancel()

        conversation = self.conversation(clientProtocol=Cancelling)
        connecting.append(conversation.client.connect())
        conversation.flush()
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected", "closed", "lost"])
        self.assertOver(conversation)

    def test_inConnectionLost(self) -> None:
        """Whatever is asked for when it is all over is in vain."""

        class Unable(Recorder):
            def connectionLost(self, reason: Any = None) -> None:
                super().connectionLost(reason)
                self.transport.write(b"one more thing")
                self.transport.loseConnection()
                self.transport.abortConnection()
                self.transport.pauseProducing()
                self.transport.resumeProducing()
                self.transport.registerProducer(self.transport, True)
                self.transport.unregisterProducer()

        conversation = self.opened(clientProtocol=Unable)
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertOver(conversation)


class RaisingTests(ConversationCase):
    """A protocol that raises costs its own connection: it is logged once, and TCP is closed at once."""

    def raises(self, at: str) -> type[Recorder]:
        def raising(self: Any, *arguments: Any) -> None:
            if at != "handshakeCompleted":
                getattr(HalfCloseable, at)(self, *arguments)
            raise ZeroDivisionError(at)

        return implementer(IHandshakeListener)(
            type("Raising", (HalfCloseable,), {"handshakeCompleted": lambda _: None, at: raising})
        )

    def test_anywhere(self) -> None:
        """Wherever it raises."""
        for version in VERSIONS:
            for at in ("connectionMade", "handshakeCompleted", "dataReceived", "readConnectionLost"):
                client = self.pythonPeer(False)
                conversation = self.opened(version, client=client, serverProtocol=self.raises(at))
                if conversation.link.server.connected:
                    client.say(b"question")
                    client.close()
                conversation.flush()
                self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, at)
                self.assertEqual([type(reason) for reason in conversation.server.lost], [ConnectionAborted], at)
                self.assertFalse(conversation.link.server.connected)
                self.assertTrue(client.lost)
                self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_whenAssumed(self) -> None:
        """Also where acceptance was assumed, and only a timer called it."""
        server = self.pythonPeer(True, tickets=0)
        conversation = self.opened(server=server, clientProtocol=self.raises("connectionMade"))
        conversation.advance(6)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(conversation.link.client.connected)

    def test_notBuilt(self) -> None:
        """A factory that raises costs the connection that it was asked for."""

        def fail() -> Any:
            raise ZeroDivisionError

        for version in VERSIONS:
            conversation = self.opened(version, serverProtocol=fail)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            self.assertOver(conversation)
            self.assertEqual(conversation.server.events, ["built"])

    def test_connecting(self) -> None:
        """Who awaits the connection is given the exception, and it is not logged besides."""
        for at in ("connectionMade", "handshakeCompleted"):
            conversation = self.conversation(clientProtocol=self.raises(at))
            conversation.client.connect()
            conversation.flush()
            conversation.client.connected.trap(ZeroDivisionError)
            self.assertOver(conversation)

    def test_connectionLost(self) -> None:
        """A connectionLost that raises changes nothing: it is all over."""
        conversation = self.opened(serverProtocol=self.raises("connectionLost"))
        conversation.server.transport.loseConnection()
        self.assertRaises(ZeroDivisionError, conversation.flush)
        conversation.flush()
        self.assertOver(conversation)


class BareProtocolTests(ConversationCase):
    """What has none of it."""

    def test_bareProtocol(self) -> None:
        """A protocol that does nothing at all is told nothing that it does not have."""

        class Bare(Protocol):
            side: Any

        conversation = self.opened(clientProtocol=Bare)
        conversation.server.transport.write(b"data")
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertFalse(conversation.link.client.connected)
        self.assertEqual(conversation.server.failures, [None])
