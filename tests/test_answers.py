"""What TLS answers by itself: a peer may ask for it, and has to take it, and no deadline waits for it."""

from functools import partial
from typing import Any

from asking import AskingPeer, askingPeer
from conversation import VERSIONS, Conversation, ConversationCase, Producing
from twisted.internet.task import Clock

from tlscomm.configuration import Deadlines
from tlscomm.messages import MessageFactory, RequestProtocol

CHUNK = 1 << 16


class AnswersCase(ConversationCase):
    def asked(self, serverSide: bool, version: str, **settings: Any) -> tuple[AskingPeer, Conversation]:
        """Return a peer that may ask, and its conversation with a side of ours that has accepted it."""
        asking = askingPeer(self, serverSide, version)
        own, theirs = ("client", "server") if serverSide else ("server", "client")
        conversation = self.conversation(version, **{theirs: asking.peer, **settings})
        conversation.link.toServer()
        # ServerHello comes first: RFC 8446, section 4.1.3.
        self.random = bytes(conversation.link.server.written[11:43])
        conversation.flush()
        self.side = getattr(conversation, own)
        self.end = getattr(conversation.link, own)
        self.theirs = getattr(conversation.link, theirs)
        self.assertIn("accepted", self.side.events)
        return asking, conversation

    def each(self, **settings: Any) -> Any:
        """Yield a client that asks a server of ours, and a server that asks a client."""
        for serverSide, version in ((False, "1.3"), (True, "1.2")):
            yield self.asked(serverSide, version, **settings)

    def every(self) -> Any:
        """Yield the same under the other version too."""
        yield from self.each()
        for serverSide, version in ((True, "1.3"), (False, "1.2")):
            yield self.asked(serverSide, version)

    def flood(self, asking: AskingPeer, conversation: Conversation, size: int = 20_000, reads: int = 3) -> None:
        """Ask for so many answers that each of our reads is full of requests, as a socket brings them."""
        # A request has 27 bytes or more.
        asking.ask(size * reads // 27, self.random)
        while self.end.isReading and self.theirs.written:
            self.end.protocol.dataReceived(self.theirs.take(size))


class AnswersTests(AnswersCase):
    def test_taken(self) -> None:
        """A peer that takes the answers gets one for each request, and the connection goes on."""
        for asking, conversation in self.every():
            asking.ask(50, self.random)
            conversation.flush()
            self.side.transport.write(b"and so on")
            conversation.flush()
            if asking.peer.tls.version() == "TLSv1.3":
                self.assertEqual(asking.peer.received, b"and so on")
            self.assertEqual((self.side.failures, self.end.isReading), ([], True))

    def test_notTaken(self) -> None:
        """What waits of them is bounded, whatever a peer asks for: then it is not read any more."""
        for asking, conversation in self.every():
            self.theirs.isReading = False
            self.flood(asking, conversation, CHUNK)
            self.assertFalse(self.end.isReading)
            self.assertLess(len(self.end.written), 3 * CHUNK)
            self.assertEqual(self.side.failures, [])

    def test_few(self) -> None:
        """A peer that takes nothing for a while, and asks for a few, is read all the same."""
        for asking, conversation in self.each():
            self.theirs.isReading = False
            self.side.transport.write(bytes(4 * CHUNK))
            conversation.flush()
            asking.ask(1000, self.random)
            conversation.link.flush()
            self.assertTrue(self.end.isReading)

    def test_goesOn(self) -> None:
        """When it has taken them, it is read again, unless the protocol above wants a pause."""
        for isPaused in (False, True):
            for asking, conversation in self.each():
                self.theirs.isReading = False
                self.flood(asking, conversation)
                if isPaused:
                    self.side.transport.pauseProducing()
                self.end.take(20_000)
                conversation.clock.advance(0.3)
                self.assertFalse(self.end.isReading)
                # They are thrown away, because Python's TLS does not know what was asked for.
                self.end.take()
                conversation.clock.advance(0.3)
                self.assertEqual(self.end.isReading, not isPaused)
                self.side.transport.resumeProducing()
                self.assertTrue(self.end.isReading)

    def test_steadily(self) -> None:
        """A peer that takes them may ask for any number, but they cost time: it is read for so many at a time."""
        for asking, conversation in self.each():
            for reads in (3, 1, 3):
                for _ in range(reads):
                    self.assertTrue(self.end.isReading)
                    asking.ask(1 + (CHUNK // 27 if reads == 1 else 600), self.random)
                    self.end.protocol.dataReceived(self.theirs.take())
                    self.end.take()
                    conversation.clock.advance(0.1)
                self.assertEqual(self.end.isReading, reads == 3)
                conversation.clock.pump([0.25] * 15)
                self.assertEqual(self.end.isReading, reads == 3)
                conversation.clock.pump([0.25] * 2)
            conversation.clock.pump([0.25] * 20)
            self.assertEqual((self.side.failures, conversation.clock.getDelayedCalls()), ([], []))

    def test_atTheEnd(self) -> None:
        """When we have said close_notify, and the peer goes on asking, it is read no more than before."""
        for asking, conversation in self.each():
            self.side.transport.loseConnection()
            self.end.take()
            self.flood(asking, conversation, reads=5)
            self.assertFalse(self.end.isReading)
            conversation.advance(6.0)
            self.assertEqual([failure.code for failure in self.side.failures], ["close-timeout"])
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_dataAtTheEnd(self) -> None:
        """Data that is not wanted any more is data, however small the pieces are that it comes in."""
        for isClosing in (False, True):
            conversation = self.opened()
            server, link = conversation.server, conversation.link
            link.client.isReading = isClosing
            server.transport.write(bytes(8 * CHUNK))
            server.transport.loseConnection()
            for _ in range(12):
                conversation.client.transport.write(bytes(1 << 14))
                conversation.clock.advance(0)
                while link.client.written:
                    self.assertTrue(link.server.isReading)
                    link.server.protocol.dataReceived(link.client.take(1 << 13))

    def test_inPieces(self) -> None:
        """A record that comes in pieces counts for nothing, however many there are."""
        conversation = self.opened()
        conversation.client.transport.write(bytes(CHUNK) * 4)
        conversation.clock.advance(0)
        while conversation.link.client.written:
            conversation.link.toServer(1000)
            self.assertTrue(conversation.link.server.isReading)
            conversation.clock.advance(0)

    def test_resumedTooEarly(self) -> None:
        """A protocol that resumes, and an end in order, do not make such a peer be read."""
        for asking, conversation in self.each():
            self.theirs.isReading = False
            self.flood(asking, conversation)
            self.side.transport.pauseProducing()
            self.side.transport.resumeProducing()
            self.assertFalse(self.end.isReading)
            self.side.transport.loseConnection()
            self.assertFalse(self.end.isReading)

    def test_cut(self) -> None:
        """A peer that has not taken them after the write deadline is cut off by that name, even if it takes some."""
        for taken in (0, 1000):
            for asking, conversation in self.each(deadlines=Deadlines(write=4.0)):
                self.theirs.isReading = False
                self.flood(asking, conversation)
                for _ in range(8):
                    self.assertEqual(self.side.failures, [])
                    self.end.take(taken)
                    conversation.clock.advance(0.5)
                self.end.take(taken)
                conversation.clock.advance(1)
                conversation.flush()
                self.assertEqual(self.side.failure.code, "write-timeout")
                self.assertIn("asked TLS for answers", str(self.side.failure))
                self.assertOver(conversation)

    def test_anonymous(self) -> None:
        """It is the same for clients that need no certificate."""
        settings = {"clientRoots": (), "clientCertificates": "none"}
        asking, conversation = self.asked(False, "1.3", server=settings)
        self.theirs.isReading = False
        self.flood(asking, conversation)
        self.assertLess(len(self.end.written), 3 * CHUNK)
        conversation.advance(7)
        self.assertEqual(self.side.failure.code, "write-timeout")

    def test_afterTheEnd(self) -> None:
        """After our close_notify nothing is answered, and the close deadline holds."""
        for asking, conversation in self.each():
            self.theirs.isReading = False
            self.side.transport.loseConnection()
            self.end.take()
            asking.ask(500, self.random)
            conversation.link.flush()
            self.assertEqual(len(self.end.written), 0)
            conversation.advance(6)
            self.assertEqual(self.side.failure.code, "close-timeout")


class ProtocolsTests(AnswersCase):
    """What is above knows nothing of the answers."""

    def test_tickets(self) -> None:
        """A server that sends tickets without end is read no more for a while, and few are kept."""
        asking, conversation = self.asked(True, "1.3")
        asking.giveTickets(300)
        while self.end.isReading and self.theirs.written:
            self.end.protocol.dataReceived(self.theirs.take(CHUNK))
        self.assertFalse(self.end.isReading)
        # What is left is more than a third of what was sent.
        self.assertGreater(len(self.theirs.written), 400_000)
        self.side.transport.abortConnection()
        conversation.flush()
        self.assertLessEqual(len(self.side.factory.configuration._sessions._kept), 1)

    def test_producer(self) -> None:
        """A producer is not paused because of them, but when what it writes has to wait for them."""
        for asking, conversation in self.each():
            producer = Producing()
            self.side.transport.registerProducer(producer, True)
            self.theirs.isReading = False
            self.flood(asking, conversation, CHUNK + 9000)
            self.assertEqual((producer.events, self.side.transport.isWriting), ([], False))
            self.side.transport.write(b"own")
            self.assertEqual((producer.events, self.side.transport.isWriting), (["pause"], False))
            self.end.take()
            conversation.clock.pump([0.25] * 17)
            self.assertEqual((producer.events, self.side.transport.isWriting), (["pause", "resume"], True))
            self.end.take()
            self.assertFalse(self.side.transport.isWriting)

    def test_readDeadline(self) -> None:
        """The read deadline of messages does not wait for them, however slowly they are taken."""
        for version in VERSIONS:
            clock = Clock()
            build = partial(MessageFactory(readTimeout=3.0, clock=clock).buildProtocol, None)
            asking, conversation = self.asked(False, version, serverProtocol=build, clock=clock)
            self.floodSlowly(asking, conversation)
            self.assertEqual(self.side.protocol.failure.code, "read-timeout")

    def test_request(self) -> None:
        """A request is given up after its deadline, whatever the server asks for instead of a reply."""
        for version in VERSIONS:
            clock = Clock()
            build = partial(MessageFactory(RequestProtocol, readTimeout=3.0, clock=clock).buildProtocol, None)
            asking, conversation = self.asked(True, version, clientProtocol=build, clock=clock)
            conversation.advance(100)
            reply = self.side.protocol.request("hello")
            self.floodSlowly(asking, conversation)
            self.assertEqual(self.failureResultOf(reply).value.code, "read-timeout")

    def floodSlowly(self, asking: AskingPeer, conversation: Conversation) -> None:
        """Ask for more answers than are taken, for four seconds."""
        self.theirs.isReading = False
        for _ in range(8):
            self.flood(asking, conversation, reads=1)
            self.end.take(5_000)
            conversation.clock.advance(0.5)
