"""A protocol that knows of halves ends its side of TLS and goes on receiving (RFC 8446, section 6.1)."""

from typing import Any

from conversation import VERSIONS, ConversationCase, HalfCloseable, Producing
from twisted.internet.error import ConnectionDone

from tlscomm.failures import BackendUnavailable
from tlscomm.transport import Phase

LARGE = b"x" * 300_000


class Answers(HalfCloseable):
    """Answers when its peer has said all, and ends then."""

    def readConnectionLost(self) -> None:
        super().readConnectionLost()
        self.transport.write(b"answer")
        self.transport.loseWriteConnection()


class HalfClosingTests(ConversationCase):
    """The end of our side alone."""

    def test_receivesAfterItsEnd(self) -> None:
        """What the peer says after our close_notify is received, and the connection ends when it has ended too."""
        for version in VERSIONS:
            conversation = self.opened(version, clientProtocol=HalfCloseable, serverProtocol=Answers)
            conversation.client.transport.write(b"question")
            conversation.client.transport.loseWriteConnection()
            conversation.flush()
            self.assertEqual((conversation.server.received, conversation.client.received), (b"question", b"answer"))
            self.assertCodes(conversation, None, None)
            self.assertEqual([type(reason) for reason in conversation.client.lost], [ConnectionDone])
            ends = [event for event in conversation.client.events if event.endswith("end")]
            self.assertEqual(ends, ["write end", "read end"])

    def test_withForeignPeer(self) -> None:
        """A peer of another kind is sent close_notify and no end of TCP, and goes on as long as it likes."""
        for version in VERSIONS:
            client = self.pythonPeer(False)
            conversation = self.opened(version, client=client, serverProtocol=HalfCloseable)
            conversation.server.transport.loseWriteConnection()
            conversation.advance(3600)
            self.assertEqual((client.sawClose, client.sawEnd), (True, False))
            for _ in range(3):
                client.say(LARGE)
                conversation.flush()
            self.assertEqual(len(conversation.server.received), 3 * len(LARGE))
            client.close()
            conversation.flush()
            self.assertEqual(conversation.server.failures, [None])
            self.assertFalse(conversation.link.server.connected)

    def test_everythingGoesFirst(self) -> None:
        """What was written before goes out before close_notify, and what is written after it does not."""
        conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
        conversation.link.server.isReading = False
        conversation.client.transport.write(LARGE)
        conversation.client.transport.loseWriteConnection()
        conversation.client.transport.write(b"too late")
        conversation.flush()
        self.assertNotIn("write end", conversation.client.events)
        conversation.link.server.isReading = True
        conversation.flush()
        conversation.client.transport.write(b"much too late")
        conversation.client.transport.writeAtOnce(b"much too late")
        conversation.flush()
        self.assertEqual(conversation.server.received, LARGE)
        self.assertEqual((conversation.client.events[-1], conversation.server.events[-1]), ("write end", "read end"))

    def test_otherProtocols(self) -> None:
        """A protocol that does not know of halves has its whole connection ended."""
        for version in VERSIONS:
            conversation = self.opened(version, serverProtocol=HalfCloseable)
            conversation.client.transport.loseWriteConnection()
            conversation.flush()
            self.assertTrue(conversation.client.transport.disconnecting)
            conversation.server.transport.write(b"dropped")
            conversation.server.transport.loseConnection()
            conversation.flush()
            self.assertEqual(conversation.client.received, b"")
            self.assertCodes(conversation, None, None)

    def test_secondHalf(self) -> None:
        """Where the peer has ended its side before, the end of ours is the end of the connection."""
        for end in ("loseWriteConnection", "loseConnection"):
            conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
            conversation.client.transport.loseWriteConnection()
            conversation.flush()
            self.assertFalse(conversation.client.transport.disconnecting)
            getattr(conversation.server.transport, end)()
            conversation.flush()
            self.assertCodes(conversation, None, None)

    def test_bothAtOnce(self) -> None:
        """Two sides that end at once lose nothing, and the connection ends."""
        for version in VERSIONS:
            conversation = self.opened(version, clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
            for side in (conversation.client, conversation.server):
                side.transport.write(LARGE)
                side.transport.loseWriteConnection()
                side.transport.loseWriteConnection()
            conversation.flush()
            self.assertEqual((conversation.client.received, conversation.server.received), (LARGE, LARGE))
            self.assertCodes(conversation, None, None)

    def test_wholeEndAfterIt(self) -> None:
        """The end of the whole connection can be asked for afterwards: what comes then is dropped."""
        conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
        conversation.client.transport.loseWriteConnection()
        conversation.flush()
        conversation.client.transport.loseConnection()
        self.assertIs(conversation.client.transport.phase, Phase.CLOSING)
        conversation.server.transport.write(b"dropped")
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.client.received, b"")
        self.assertCodes(conversation, None, None)

    def test_truncated(self) -> None:
        """The end of TCP without the peer's close_notify is a failure after our end too: something may be missing."""
        client = self.pythonPeer(False)
        conversation = self.opened(client=client, serverProtocol=HalfCloseable)
        conversation.server.transport.loseWriteConnection()
        conversation.flush()
        client.say(b"half an answ")
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"half an answ")
        self.assertEqual(conversation.server.failure.code, "truncated")
        self.assertNotIn("read end", conversation.server.events)

    def test_reset(self) -> None:
        """So is a reset, for the side that the peer had yet to end."""
        conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
        conversation.client.transport.loseWriteConnection()
        conversation.flush()
        conversation.link.cut()
        self.assertEqual((conversation.client.failure.code, conversation.server.failures), ("reset", [None]))

    def test_paused(self) -> None:
        """A protocol that has ended its side can be paused, and the peer is with it."""
        conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
        conversation.client.transport.loseWriteConnection()
        conversation.flush()
        conversation.client.transport.pauseProducing()
        conversation.server.transport.write(LARGE)
        conversation.flush()
        self.assertEqual(conversation.client.received, b"")
        conversation.client.transport.resumeProducing()
        conversation.flush()
        self.assertEqual(conversation.client.received, LARGE)

    def test_producer(self) -> None:
        """A producer may finish first, and one that comes afterwards is stopped."""
        conversation = self.opened(clientProtocol=HalfCloseable, serverProtocol=HalfCloseable)
        transport: Any = conversation.client.transport
        late = Producing()
        left = [LARGE, b"last"]

        class Pulled(Producing):
            def resumeProducing(self) -> None:
                transport.write(left.pop(0))
                if not left:
                    transport.unregisterProducer()

        transport.registerProducer(Pulled(), False)
        transport.loseWriteConnection()
        conversation.flush()
        self.assertEqual(conversation.server.received, LARGE + b"last")
        self.assertEqual(conversation.client.events[-1], "write end")
        transport.registerProducer(late, True)
        self.assertEqual(late.events, ["stop"])
        self.assertTrue(transport.connected)

    def test_raising(self) -> None:
        """A protocol that fails when it is told of its end is not asked to go on."""

        class Raises(HalfCloseable):
            def writeConnectionLost(self) -> None:
                raise ZeroDivisionError

        conversation = self.opened(clientProtocol=Raises)
        conversation.client.transport.loseWriteConnection()
        conversation.flush()
        self.assertOver(conversation)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CuttingTests(ConversationCase):
    """An end that is not to look like one in order."""

    def test_abortBecause(self) -> None:
        """The peer gets no close_notify, and we are told why."""
        for version in VERSIONS:
            conversation = self.opened(version)
            conversation.server.transport.abortBecause(BackendUnavailable("down"))
            conversation.flush()
            self.assertCodes(conversation, "reset", "backend-unavailable")

    def test_twice(self) -> None:
        """What ended it first is what is told."""
        conversation = self.opened()
        conversation.server.transport.abortConnection()
        conversation.server.transport.abortBecause(BackendUnavailable("down"))
        conversation.flush()
        self.assertEqual(conversation.server.failures, [None])
