"""A server's sign of acceptance may be false, and a client is not taken in by it.

nginx shakes hands with a client whose certificate it does not want, sends its session tickets, and closes the
connection in order then. Under TLS 1.2 it does so after its Finished.
"""

from __future__ import annotations

from typing import Any

from conversation import (
    VERSIONS,
    Conversation,
    ConversationCase,
    Eager,
    HalfCloseable,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock

from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.transport._acceptance import DOUBT_SECONDS

#: Less than what a server of tlscomm gives a client to send something.
SOON = 3.9
LATER = 4.1
BRIEFLY = 0.005


class Closing(Recorder):
    """Judges like nginx: after the handshake, by closing in order."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.loseConnection()


class FalseSigns(ConversationCase):
    def shaken(self, version: str = "1.3", **settings: Any) -> Conversation:
        """Return two sides of which the server has accepted, and nothing has been carried since."""
        conversation = self.conversation(version, **settings)
        conversation.client.connect()
        conversation.untilTickets()
        self.assertEqual(conversation.client.events, [])
        return conversation

    def assertRefused(self, conversation: Conversation) -> None:
        """The client was refused before its protocol was built, and the failure says by whom."""
        conversation.link.flush()
        self.assertEqual(conversation.client.events, ["refused", "connected"])
        failure = conversation.client.failure
        self.assertIs(conversation.client.connected.value, failure)
        self.assertEqual((failure.code, failure.side, failure.stage), ("refused", "remote", "handshake"))
        assert failure.certificate is not None
        self.assertIn("CN=client", failure.certificate.subject)

    def assertEndRefuses(self, conversation: Conversation) -> None:
        """The client's connection had begun, and the end of it is a refusal in every report."""
        conversation.flush()
        client = conversation.client
        self.assertEqual(client.events, ["built", "accepted", "made", "connected", "closed", "lost"])
        self.assertEqual((client.failure.code, client.failure.side), ("refused", "remote"))
        self.assertEqual(client.lost, [client.failure])
        self.assertOver(conversation)

    def assertEndIsOrderly(self, conversation: Conversation) -> None:
        conversation.flush()
        self.assertEqual(conversation.client.failures, [None])
        self.assertIsInstance(conversation.client.lost[0], ConnectionDone)
        self.assertOver(conversation)

    def test_together(self) -> None:
        """A close in the same read as the sign counts before it."""
        for version in VERSIONS:
            conversation = self.shaken(version, serverProtocol=Closing)
            conversation.link.toClient()
            self.assertRefused(conversation)
            self.assertOver(conversation)

    def test_byteByByte(self) -> None:
        """However it is cut on its way, a close that follows closely counts before the sign."""
        for version in VERSIONS:
            conversation = self.shaken(version, serverProtocol=Closing)
            while conversation.link.toClient(1):
                conversation.clock.advance(0)
            self.assertRefused(conversation)

    def test_withinTheDoubt(self) -> None:
        """A refusal may take some time to follow."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.link.toClient()
            conversation.clock.advance(DOUBT_SECONDS * 0.9)
            conversation.server.transport.loseConnection()
            conversation.link.toClient()
            self.assertRefused(conversation)

    def test_endOfStream(self) -> None:
        """A server that says nothing at all when it closes has refused too."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.link.toClient()
            conversation.client.transport.readConnectionLost()
            self.assertRefused(conversation)

    def test_reset(self) -> None:
        """So has one that resets the connection."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.link.toClient()
            conversation.link.cut()
            self.assertRefused(conversation)

    def test_tooLateForConnect(self) -> None:
        """Where the connection has begun, its end says that the client was refused."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.flush()
            conversation.clock.advance(SOON)
            conversation.server.transport.loseConnection()
            self.assertEndRefuses(conversation)

    def test_cutOff(self) -> None:
        """A server that is cut off once its sign is believed has not refused: its end is not orderly."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.flush()
            conversation.link.client.protocol.readConnectionLost()
            conversation.flush()
            self.assertEqual(conversation.client.failure.code, "truncated")

    def test_nothingIsLost(self) -> None:
        """A server that has only stopped to send still gets what the client has written."""
        conversation = self.shaken(clientProtocol=Eager, serverProtocol=HalfCloseable)
        conversation.flush()
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertEqual(bytes(conversation.server.received), b"first words")

    def test_laterEnd(self) -> None:
        """An orderly end is no refusal once the client had the time to say something."""
        for version in VERSIONS:
            conversation = self.shaken(version)
            conversation.flush()
            conversation.clock.advance(LATER)
            conversation.server.transport.loseConnection()
            self.assertEndIsOrderly(conversation)

    def test_endAfterData(self) -> None:
        """Nor once the server has sent data, in the same read or before."""
        for version in VERSIONS:
            conversation = self.shaken(version, serverProtocol=Eager)
            conversation.server.transport.loseConnection()
            self.assertEndIsOrderly(conversation)
            self.assertEqual(bytes(conversation.client.received), b"first words")

    def test_endOfOurs(self) -> None:
        """Nor where the client has begun to close."""
        for version in VERSIONS:
            conversation = self.shaken(version, serverProtocol=HalfCloseable)
            conversation.flush()
            conversation.client.transport.loseConnection()
            conversation.flush()
            conversation.server.transport.loseConnection()
            self.assertEndIsOrderly(conversation)

    def test_notAsked(self) -> None:
        """Nor where no certificate was asked for; and then there is nothing to wait for."""
        for version in VERSIONS:
            conversation = self.conversation(version, server={"clientRoots": (), "clientCertificates": "none"})
            conversation.client.connect()
            conversation.link.flush()
            self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
            conversation.server.transport.loseConnection()
            self.assertEndIsOrderly(conversation)

    def test_assumed(self) -> None:
        """A server that has shown nothing refuses by its end, however late that comes."""
        conversation = self.conversation(server=self.pythonPeer(True, tickets=0))
        conversation.client.connect()
        conversation.flush()
        conversation.advance(6.1)
        self.assertEqual(conversation.client.transport.tls.acceptance, "assumed")
        conversation.clock.advance(60)
        conversation.link.client.protocol.readConnectionLost()
        conversation.flush()
        self.assertEqual(conversation.client.lost[0].code, "refused")


class Waits(ConversationCase):
    """The doubt costs an honest server next to nothing."""

    def again(self, client: ClientConfiguration, server: ServerConfiguration, protocol: Any = Recorder) -> Conversation:
        """Return a new conversation in which the server's sign has arrived, and nothing else."""
        clock = Clock()
        conversation = self.conversation(
            client=Side(client, Recorder, clock), server=Side(server, protocol, clock), clock=clock
        )
        conversation.link.flush()
        return conversation

    def configurations(self, version: str) -> tuple[ClientConfiguration, ServerConfiguration]:
        ours = clientConfiguration(maximumTLS=version, deadlines=Deadlines(), resumption=False)
        return ours, serverConfiguration()

    def assertWaits(self, conversation: Conversation, seconds: float) -> None:
        self.assertEqual(conversation.client.events, [])
        conversation.clock.advance(seconds * 0.9)
        self.assertEqual(conversation.client.events, [])
        conversation.clock.advance(seconds * 0.2)
        self.assertEqual(conversation.client.events[-1], "made")
        self.assertEqual(conversation.client.transport.tls.acceptance, "seen")

    def test_data(self) -> None:
        """Application data ends it."""
        for version in VERSIONS:
            conversation = self.again(*self.configurations(version), Eager)
            self.assertEqual(conversation.client.events, ["built", "accepted", "made", "data"])

    def test_trueSign(self) -> None:
        """Of a server whose sign was true the next one is doubted for a moment only."""
        for version in VERSIONS:
            configurations = self.configurations(version)
            conversation = self.again(*configurations)
            self.assertWaits(conversation, DOUBT_SECONDS)
            conversation.server.transport.write(b"welcome")
            conversation.server.transport.loseConnection()
            conversation.flush()
            self.assertWaits(self.again(*configurations), BRIEFLY)

    def test_falseSign(self) -> None:
        """Until one is false again."""
        configurations = self.configurations("1.3")
        configurations[0].acceptanceHistory.keepsItsWord = True
        conversation = self.again(*configurations)
        conversation.server.transport.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.client.failure.code, "refused")
        self.assertWaits(self.again(*configurations), DOUBT_SECONDS)

    def test_slowNetwork(self) -> None:
        """Over a slow network a refusal has more time to follow: a quarter of what the handshake took."""
        conversation = self.conversation()
        conversation.clock.advance(2)
        conversation.link.flush()
        self.assertWaits(conversation, 0.5)

    def test_handshakeDeadline(self) -> None:
        """The handshake's deadline holds for it too."""
        conversation = self.conversation(deadlines=Deadlines(handshake=2))
        conversation.clock.advance(1.99)
        conversation.link.flush()
        self.assertWaits(conversation, 0.01)

    def test_resumed(self) -> None:
        """A session is resumed without a wait, but its end before any data is a refusal as well."""
        for version in VERSIONS:
            ours = clientConfiguration(maximumTLS=version, deadlines=Deadlines())
            theirs = serverConfiguration()
            first = self.again(ours, theirs, Eager)
            first.client.transport.loseConnection()
            first.flush()
            second = self.again(ours, theirs)
            self.assertTrue(second.client.transport.tls.resumed)
            self.assertEqual(second.client.events, ["built", "accepted", "made"])
            second.server.transport.loseConnection()
            second.flush()
            self.assertEqual(second.client.failure.code, "refused")

    def test_sessionAfterALateEnd(self) -> None:
        """The session of a connection that the server has ended later, as one that was idle, is resumed."""
        for version in VERSIONS:
            ours = clientConfiguration(maximumTLS=version, deadlines=Deadlines())
            theirs = serverConfiguration()
            first = self.again(ours, theirs)
            first.clock.advance(DOUBT_SECONDS)
            first.clock.advance(LATER)
            first.server.transport.loseConnection()
            first.flush()
            self.assertEqual(first.client.failures, [None])
            self.assertTrue(self.again(ours, theirs).client.transport.tls.resumed)

    def test_sessionOfARefusedClient(self) -> None:
        """The session of a client that was refused after a sign is not resumed."""
        for version in VERSIONS:
            ours = clientConfiguration(maximumTLS=version, deadlines=Deadlines())
            theirs = serverConfiguration()
            for seconds in (0, DOUBT_SECONDS):
                conversation = self.again(ours, theirs)
                conversation.clock.advance(seconds)
                conversation.server.transport.loseConnection()
                conversation.flush()
                self.assertEqual(conversation.client.failure.code, "refused")
                self.assertFalse(conversation.client.transport.tls.resumed)
