"""From the clear to TLS: a protocol asks for it, and from there on nothing that was not over TLS is taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conversation import (
    SERVER,
    STRANGER,
    Conversation,
    ConversationCase,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from test_proxied import Keeping
from test_proxy_headers import FOUR, second
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import TCP4ServerEndpoint, clientFromString, serverFromString
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport, ITLSTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.mail.smtp import ESMTP
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.endpoints import (
    PostgreSQLClient,
    PostgreSQLServer,
    ProxiedServerEndpoint,
    TLSServerEndpoint,
    UpgradingServerEndpoint,
)
from tlscomm.failures import TLSFailure
from tlscomm.proxyprotocol import TrustedProxies
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.transport._clear import MOST_CLEAR, ClearConnection
from tlscomm.transport._proxied import ProxiedFactory
from tlscomm.transport._upgrading import UpgradingFactory
from tlscomm.x509._encoding import keyPEM, pem


@implementer(IHandshakeListener)
class Line(LineReceiver):
    """A protocol of lines that writes down what it is told."""

    side: Side
    transport: Any

    def lineReceived(self, line: bytes) -> None:
        self.side.events.append(line.decode("ascii"))

    def handshakeCompleted(self) -> None:
        self.side.events.append("TLS")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.side.events.append("lost")
        self.side.lost.append(reason.value)


class Answering(Line):
    """A server's: says hello, and begins TLS when it is asked to."""

    def connectionMade(self) -> None:
        self.sendLine(b"hello")

    def lineReceived(self, line: bytes) -> None:
        super().lineReceived(line)
        if line == b"STARTTLS":
            self.sendLine(b"go")
            self.transport.startTLS()
        elif line == b"QUIT":
            self.sendLine(b"bye")
            self.transport.loseConnection()


class Asking(Line):
    """A client's: asks for TLS, and speaks at once when it is told to go."""

    def lineReceived(self, line: bytes) -> None:
        super().lineReceived(line)
        if line == b"hello":
            self.sendLine(b"STARTTLS")
        elif line == b"go":
            self.transport.startTLS()
            self.sendLine(b"over TLS")


class UpgradingCase(ConversationCase):
    def clear(
        self,
        client: Any = Asking,
        server: Any = Answering,
        *,
        clientTalk: Any = None,
        serverTalk: Any = None,
        **settings: Any,
    ) -> Conversation:
        """Return two sides that begin in the clear; nothing was carried."""
        clock = Clock()
        ours = Side(clientConfiguration(**settings), client, clock)
        theirs = Side(serverConfiguration(), server, clock)

        def link(one: Any, other: Any) -> MemoryLink:
            return MemoryLink(ClearConnection(one, clientTalk), ClearConnection(other, serverTalk))

        conversation = Conversation(ours, theirs, clock, link)  # type: ignore[arg-type]
        self._conversations.append(conversation)
        self.addCleanup(self._breakOff, conversation)
        return conversation

    def assertRefused(
        self, conversation: Conversation, code: str, detail: str = "", side: str = "server"
    ) -> TLSFailure:
        found: Side = getattr(conversation, side)
        self.assertEqual((found.failure.code, found.failure.side), (code, "local"))
        self.assertIn(detail, found.failure.detail)
        return found.failure


class UpgradeTests(UpgradingCase):
    """The protocol above TLS has talked in the clear, and goes on."""

    def test_both(self) -> None:
        """Each side is told when both have accepted each other; what was written before that comes then, over TLS."""
        for version in ("1.2", "1.3"):
            conversation = self.clear(minimumTLS=version, maximumTLS=version)
            connected = conversation.client.connect()
            conversation.flush()
            client, server = conversation.client, conversation.server
            self.assertEqual(client.events, ["built", "hello", "go", "accepted", "TLS", "connected"])
            self.assertEqual(server.events, ["built", "STARTTLS", "accepted", "TLS", "over TLS"])
            self.successResultOf(connected)
            self.assertIs(client.connected, client.protocol)

    def test_whoIsThere(self) -> None:
        """Then the protocol's transport is a TLS transport, which TCP and the protocol use without a detour."""
        conversation = self.clear()
        link = conversation.link
        self.assertTrue(ITLSTransport.providedBy(link.server.protocol))
        self.assertFalse(ISSLTransport.providedBy(link.server.protocol))
        conversation.flush()
        for side, end in ((conversation.client, link.client), (conversation.server, link.server)):
            self.assertIs(side.protocol.transport, side.transport)
            self.assertIs(end.protocol, side.transport)
            self.assertIsInstance(side.protocol.transport, TLSTransport)
        self.assertEqual(conversation.server.protocol.transport.peer.commonName, "client")

    def test_end(self) -> None:
        """It ends as any connection over TLS does."""
        conversation = self.clear()
        conversation.flush()
        conversation.client.protocol.transport.loseConnection()
        conversation.flush()
        self.assertEqual((conversation.client.failures, conversation.server.failures), ([None], [None]))
        self.assertEqual(conversation.server.events[-2:], ["closed", "lost"])

    def test_refused(self) -> None:
        """A peer that is not accepted never hears a word, and both protocols are told why."""
        for version in ("1.2", "1.3"):
            credential = STRANGER.issue("client", role="client")
            conversation = self.clear(credential=credential, minimumTLS=version, maximumTLS=version)
            connected = conversation.client.connect()
            conversation.flush()
            conversation.advance(2)
            for side in (conversation.client, conversation.server):
                self.assertEqual(side.failure.code, "unknown-issuer")
                self.assertEqual([reason.code for reason in side.lost], ["unknown-issuer"])  # type: ignore[attr-defined]
                self.assertNotIn("TLS", side.events)
            self.assertNotIn("over TLS", conversation.server.events)
            self.successResultOf(connected)
            self.assertIsInstance(conversation.client.connected.value, TLSFailure)

    def test_later(self) -> None:
        """A protocol that takes its time pauses, and starts TLS when it is ready."""

        class Late(Answering):
            def lineReceived(self, line: bytes) -> None:
                if line == b"STARTTLS":
                    self.pauseProducing()
                else:
                    super().lineReceived(line)

        conversation = self.clear(server=Late)
        conversation.flush()
        protocol = conversation.server.protocol
        protocol.sendLine(b"go")
        protocol.transport.startTLS()
        protocol.resumeProducing()
        conversation.flush()
        self.assertEqual(conversation.server.events, ["built", "accepted", "TLS", "over TLS"])

    def test_atOnce(self) -> None:
        """Where nothing has to be said before, TLS can begin at once."""

        class Hasty(Line):
            def connectionMade(self) -> None:
                self.transport.startTLS()
                self.sendLine(b"words")

        conversation = self.clear(client=Hasty, server=Hasty)
        conversation.flush()
        self.assertEqual(conversation.server.events, ["built", "accepted", "TLS", "words"])

    def test_wrongMoment(self) -> None:
        """TLS is not started twice, and not when more may have come in the clear than the protocol has looked at."""
        conversation = self.clear(client=Recorder, server=Line)
        transport = conversation.server.protocol.transport
        conversation.client.protocol.transport.write(b"x")
        conversation.flush()
        self.assertRaises(RuntimeError, transport.startTLS)
        transport.pauseProducing()
        transport.startTLS()
        self.assertRaises(RuntimeError, transport.startTLS)
        self.assertRaises(RuntimeError, transport.registerProducer, None, True)


class InjectionTests(UpgradingCase):
    """What comes in the clear behind the words that begin TLS is an attack."""

    def test_toServer(self) -> None:
        """A command behind STARTTLS ends the connection, and the server's protocol never sees it."""
        for words in (b"STARTTLS\r\nRCPT\r\n", b"STARTTLS\r\nR", b"NOOP\r\nSTARTTLS\r\n\r\n"):
            conversation = self.clear(client=Recorder)
            conversation.client.protocol.transport.write(words)
            conversation.flush()
            failure = self.assertRefused(conversation, "plaintext-injected", "bytes came behind")
            self.assertIn("machine between", failure.nextStep)
            self.assertEqual(conversation.server.events[-2:], ["refused", "lost"])
            self.assertNotIn("RCPT", conversation.server.events)
            self.assertEqual([type(each) for each in conversation.server.lost], [type(failure)])

    def test_cutAnywhere(self) -> None:
        """However TCP cuts it, such a command is never seen, and the connection ends by name."""
        command, behind = b"STARTTLS\r\n", b"RCPT\r\n"
        for cut in range(1, len(command + behind)):
            conversation = self.clear(client=Recorder)
            for words in ((command + behind)[:cut], (command + behind)[cut:]):
                conversation.client.protocol.transport.write(words)
                conversation.flush()
            self.assertRefused(conversation, "not-tls" if cut == len(command) else "plaintext-injected")
            self.assertEqual(conversation.server.events, ["built", "STARTTLS", "refused", "lost"])

    def test_toClient(self) -> None:
        """So does an answer of the server's behind the one that lets TLS begin."""
        conversation = self.clear(server=Recorder)
        conversation.client.connect()
        conversation.server.protocol.transport.write(b"hello\r\n")
        conversation.flush()
        conversation.server.protocol.transport.write(b"go\r\nyou are logged in\r\n")
        conversation.flush()
        self.assertRefused(conversation, "plaintext-injected", side="client")
        self.assertNotIn("you are logged in", conversation.client.events)
        self.assertEqual(conversation.client.connected.value.code, "plaintext-injected")

    def test_whilePaused(self) -> None:
        """What comes while the protocol has paused is behind those words too."""

        class Pausing(Answering):
            def lineReceived(self, line: bytes) -> None:
                self.pauseProducing()

        conversation = self.clear(client=Recorder, server=Pausing)
        conversation.client.protocol.transport.write(b"STARTTLS\r\nRCPT\r\n")
        conversation.flush()
        conversation.server.protocol.transport.startTLS()
        conversation.flush()
        self.assertRefused(conversation, "plaintext-injected", "6 bytes")

    def test_inThePlaceOfTLS(self) -> None:
        """What comes a moment later comes in the place of TLS, and is none."""
        conversation = self.clear(client=Recorder)
        for words in (b"STARTTLS\r\n", b"RCPT\r\n"):
            conversation.client.protocol.transport.write(words)
            conversation.flush()
        self.assertRefused(conversation, "not-tls")
        self.assertNotIn("RCPT", conversation.server.events)

    def test_ofTwisted(self) -> None:
        """Twisted's SMTP server keeps what comes behind STARTTLS for later; here it never gets it."""
        commands: list[bytes] = []

        class Server(ESMTP):
            def __init__(self) -> None:
                super().__init__(contextFactory=object())

            def state_COMMAND(self, line: bytes) -> None:
                commands.append(line)
                super().state_COMMAND(line)

        conversation = self.clear(client=Recorder, server=Server)
        conversation.client.protocol.transport.write(b"EHLO me\r\nSTARTTLS\r\nRSET\r\n")
        conversation.flush()
        self.assertRefused(conversation, "plaintext-injected")
        self.assertEqual(commands, [b"EHLO me", b"STARTTLS"])


class BoundTests(UpgradingCase):
    """What is said in the clear has an end."""

    def test_deadline(self) -> None:
        """The handshake's deadline counts from the TCP connection, and says that TLS was not come to."""
        conversation = self.clear(client=Recorder)
        conversation.flush()
        conversation.advance(11)
        self.assertRefused(conversation, "handshake-timeout", "the change to TLS had not come in 10 s")

    def test_many(self) -> None:
        """More bytes than all that is said before TLS are refused."""
        conversation = self.clear(client=Recorder)
        conversation.client.protocol.transport.write(b"NOOP\r\n" * MOST_CLEAR)
        conversation.flush()
        self.assertRefused(conversation, "not-tls", "more than 8192 bytes")

    def test_ended(self) -> None:
        """A side that ends the connection in the clear has its last words, and the connection its failure."""
        conversation = self.clear(client=Recorder)
        conversation.client.protocol.transport.write(b"QUIT\r\n")
        conversation.flush()
        conversation.advance(2)
        self.assertRefused(conversation, "closed-in-handshake", "our side ended it")
        self.assertEqual(bytes(conversation.client.received), b"hello\r\nbye\r\n")
        self.assertRefused(conversation, "closed-in-handshake", "the peer ended it", side="client")
        self.assertEqual((conversation.link.server.connected, conversation.clock.getDelayedCalls()), (False, []))

    def test_check(self) -> None:
        """A peer that only connects has said nothing, as what looks whether a port is open; one that speaks has."""
        for words in (b"", b"QUIT\r\n"):
            conversation = self.clear(client=Recorder)
            conversation.client.protocol.transport.write(words)
            conversation.client.protocol.transport.loseConnection()
            conversation.flush()
            conversation.advance(2)
            self.assertEqual(conversation.server.failure.code, "closed-in-handshake")
            self.assertEqual(conversation.server.transport.hasHeard, bool(words))

    def test_cut(self) -> None:
        """So it is where the peer is gone."""
        conversation = self.clear()
        conversation.link.toClient()
        conversation.link.toServer(4)
        conversation.link.cut()
        self.assertRefused(conversation, "closed-in-handshake", "the peer ended it")
        self.assertEqual(conversation.server.events[-2:], ["refused", "lost"])

    def test_broken(self) -> None:
        """A protocol that raises loses its connection, and what it raised is logged."""

        class Broken(Line):
            def lineReceived(self, line: bytes) -> None:
                raise ZeroDivisionError

        conversation = self.clear(client=Recorder, server=Broken)
        conversation.client.protocol.transport.write(b"NOOP\r\n")
        conversation.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(conversation.link.server.connected)

    def test_none(self) -> None:
        """A factory that wants no connection has none."""
        conversation = self.clear(client=Recorder, server=lambda: None)
        conversation.flush()
        self.assertEqual(conversation.server.events, ["built"])
        self.assertFalse(conversation.link.server.connected)

    def test_abort(self) -> None:
        """A protocol may cut the connection off."""
        conversation = self.clear()
        conversation.server.protocol.transport.abortConnection()
        conversation.flush()
        self.assertEqual(conversation.server.failures, [])
        self.assertFalse(conversation.link.server.connected)


class BehindProxyTests(UpgradingCase):
    """A proxy says whose connection it is before anything else is said."""

    def test_header(self) -> None:
        """The server says nothing before the header has come, and then it knows the client."""
        keeping, clock, side = Keeping(), Clock(), Side(clientConfiguration(), Asking, Clock())
        peers: list[Any] = []

        class Known(Answering):
            def connectionMade(self) -> None:
                self.side = side
                peers.append(self.transport.getPeer().host)
                super().connectionMade()

        factory = TLSFactory(serverConfiguration(), Factory.forProtocol(Known), clock, keeping)
        proxied = ProxiedFactory(UpgradingFactory(factory), TrustedProxies(["127.0.0.1"]))
        server: Any = proxied.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        link = MemoryLink(ClearConnection(side.transport), server)
        link.flush()
        self.assertEqual((peers, side.events), ([], ["built"]))
        link.client.write(second(FOUR))
        for _ in range(3):
            link.flush()
            side.factory.clock.advance(1)  # type: ignore[attr-defined]
        self.assertEqual(peers, ["192.0.2.7"])
        self.assertEqual(keeping.seen, ["192.0.2.7:56324"])
        self.assertIn("accepted", side.events)
        link.client.abortConnection()
        link.flush()

    def test_strings(self) -> None:
        """Strings and options put them into each other as well."""
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("server.pem").chmod(0o600)
        reactor: Any = MemoryReactorClock()
        string = "tlscomm:1:identity=server.pem:clientCertificates=none:proxyFrom=unix:upgrade=postgresql"
        self.successResultOf(serverFromString(reactor, string).listen(Factory.forProtocol(Protocol)))
        self.assertIsInstance(reactor.tcpServers[0][1], ProxiedFactory)
        clientFromString(reactor, r"tlscomm:127.0.0.1:2:roots=server.pem:upgrade=postgresql").connect(Factory())
        reactor.advance(1)
        self.assertIsInstance(reactor.tcpClients[0][2].buildProtocol(None)._wrappedProtocol, ClearConnection)

    def test_endpoints(self) -> None:
        """The endpoints are put into each other, TLS above all."""
        reactor: Any = MemoryReactorClock()
        below = ProxiedServerEndpoint(TCP4ServerEndpoint(reactor, 1), ["10.0.0.0/8"])
        above = UpgradingServerEndpoint(below, PostgreSQLServer)
        self.assertRaises(TypeError, above.listen, Factory.forProtocol(Protocol))
        listening = TLSServerEndpoint(reactor, above, serverConfiguration()).listen(Factory.forProtocol(Protocol))
        self.successResultOf(listening)
        self.assertIsInstance(reactor.tcpServers[0][1], ProxiedFactory)


class PostgreSQLTests(UpgradingCase):
    """The words of PostgreSQL."""

    request = b"\0\0\0\x08\x04\xd2\x16\x2f"

    def talking(self, said: bytes) -> Conversation:
        """Return a conversation of a client that says something in the clear with our server."""
        conversation = self.clear(client=Recorder, serverTalk=PostgreSQLServer)
        conversation.client.protocol.transport.write(said)
        conversation.flush()
        return conversation

    def test_both(self) -> None:
        """A client asks, a server agrees, and the protocols above begin when both sides have accepted each other."""
        conversation = self.clear(Recorder, Recorder, clientTalk=PostgreSQLClient, serverTalk=PostgreSQLServer)
        conversation.client.connect()
        conversation.link.toServer(5)
        self.assertEqual((conversation.client.events, conversation.server.events), ([], []))
        conversation.flush()
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
        self.assertEqual(conversation.server.events, ["built", "accepted", "made"])
        conversation.client.protocol.transport.write(b"startup")
        conversation.flush()
        self.assertEqual(bytes(conversation.server.received), b"startup")

    def test_withoutTLS(self) -> None:
        """A server that uses no TLS, or says anything else, is refused, and nothing it says is believed."""
        for answer, said in ((b"N", "that it uses no TLS"), (b"E", "answered E"), (b"\x1b[2J", r"\x1b")):
            conversation = self.clear(Recorder, Recorder, clientTalk=PostgreSQLClient)
            conversation.client.connect()
            conversation.server.protocol.transport.write(answer)
            conversation.flush()
            failure = self.assertRefused(conversation, "not-tls", said, side="client")
            self.assertIn("ssl = on", failure.nextStep)
            self.assertEqual(conversation.client.connected.value, failure)
            self.assertNotIn("made", conversation.client.events)

    def test_injected(self) -> None:
        """Bytes behind the server's answer are refused (CVE-2021-23222), and so are those behind a client's request."""
        conversation = self.clear(Recorder, Recorder, clientTalk=PostgreSQLClient)
        conversation.server.protocol.transport.write(b"SZ\0\0\0\x05I")
        conversation.flush()
        self.assertRefused(conversation, "plaintext-injected", "6 bytes", side="client")
        self.assertRefused(self.talking(self.request + b"\0"), "plaintext-injected", "1 bytes")

    def test_encryptionByGSSAPI(self) -> None:
        """A client that asks for another encryption first is told to ask for TLS."""
        conversation = self.talking(b"\0\0\0\x08\x04\xd2\x16\x30")
        self.assertEqual(bytes(conversation.client.received), b"N")
        conversation.client.protocol.transport.write(self.request)
        conversation.flush()
        self.assertEqual(bytes(conversation.client.received), b"NS")

    def test_refused(self) -> None:
        """A client that does not ask for TLS is told so in its own words, and named."""
        startup = b"\0\0\0\x14\0\3\0\0user\0me\0\0\0\0"
        for said, why in (
            (startup, "begun without TLS"),
            (b"\0\0\0\x10\x04\xd2\x16\x2e" + bytes(8), "cancelled"),
            (b"GET / HTTP/1.1\r\n\r\n", "does not speak PostgreSQL's protocol"),
            (b"\x16\x03\x01\0\xf0\x01\0\0", "does not speak"),
        ):
            failure = self.assertRefused(self.talking(said), "not-tls", why)
            self.assertIn("sslmode", failure.nextStep)
        conversation = self.talking(startup)
        self.assertEqual(conversation.client.received[:1], b"E")
        self.assertIn(b"over TLS", conversation.client.received)
