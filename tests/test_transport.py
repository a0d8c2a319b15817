"""When a protocol is told of its connection, and when it is not: the transport up to the acceptance.

How a connection ends is in ``test_transport_ends.py``, and any mixture of all of it in ``test_transport_random.py``.
"""

import gc
import weakref
from typing import Any

from conversation import (
    CLIENT,
    ROOTS,
    SERVER,
    STRANGER,
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
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tlscomm.configuration import Deadlines, ExternalContextConfiguration
from tlscomm.testing import MemoryLink, StallingPeer
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS

UNKNOWN_CLIENT = {"credential": STRANGER.issue("client", role="client")}
UNKNOWN_SERVER = {"credential": STRANGER.issue("server", role="server", dnsNames=["localhost"])}
NO_CLIENT_CERTIFICATE = {"credential": None}

#: The messages that each side may stop before: RFC 5246, figure 1, and RFC 8446, figure 1.
CLIENT_STEPS = {
    "1.2": ("ClientHello", "Certificate", "ClientKeyExchange", "CertificateVerify", "ChangeCipherSpec", "Finished"),
    "1.3": ("ClientHello", "Certificate", "CertificateVerify", "Finished"),
}
SERVER_STEPS = {
    "1.2": ("ServerHello", "Certificate", "ServerKeyExchange", "CertificateRequest", "ServerHelloDone", "Finished"),
    "1.3": ("ServerHello", "EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify", "Finished"),
}


class AcceptanceTests(ConversationCase):
    """A protocol is told of a connection that both sides have accepted, and of no other."""

    def test_madeWhenBothHaveAccepted(self) -> None:
        """However the bytes are cut, the client is told after the server, and each after both have accepted."""
        for version in VERSIONS:
            conversation = self.conversation(version)
            client, server, link = conversation.client, conversation.server, conversation.link
            while link.toServer(1) or link.toClient(1):
                if client.events:
                    self.assertIn("made", server.events)
            conversation.clock.advance(DOUBT_SECONDS)
            for side in (client, server):
                self.assertEqual(side.events, ["built", "accepted", "made"])

    def test_clientWaitsForSign(self) -> None:
        """Under TLS 1.3 a client whose handshake is done is told nothing before the server shows its acceptance."""
        conversation = self.conversation("1.3")
        conversation.untilTickets()
        self.assertEqual((conversation.server.events, conversation.client.events), (["built", "accepted", "made"], []))
        conversation.link.toClient()
        self.assertEqual(conversation.client.events, [])
        conversation.clock.advance(DOUBT_SECONDS)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made"])
        self.assertEqual(conversation.client.transport.tls.acceptance, "seen")

    def test_refusedClient(self) -> None:
        """A client that the server refuses is never built a protocol, on neither side."""
        for version in VERSIONS:
            for client, code in ((UNKNOWN_CLIENT, "unknown-issuer"), (NO_CLIENT_CERTIFICATE, "no-certificate")):
                conversation = self.opened(version, client=client)
                for side in (conversation.client, conversation.server):
                    self.assertEqual(side.events, ["refused"])
                self.assertCodes(conversation, code, code)
                self.assertEqual(
                    (conversation.client.failure.side, conversation.server.failure.side), ("remote", "local")
                )

    def test_refusedServer(self) -> None:
        """A server that the client refuses is never built a protocol, on neither side."""
        for version in VERSIONS:
            conversation = self.opened(version, server=UNKNOWN_SERVER)
            for side in (conversation.client, conversation.server):
                self.assertEqual(side.events, ["refused"])
            self.assertCodes(conversation, "unknown-issuer", "unknown-issuer")
            self.assertEqual((conversation.client.failure.side, conversation.server.failure.side), ("local", "remote"))

    def test_refusedClientIsNotHeard(self) -> None:
        """What a client that will be refused sends right after its handshake reaches nobody."""
        client = self.pythonPeer(False, UNKNOWN_CLIENT["credential"])
        client.words = b"let me in"
        conversation = self.opened(client=client)
        conversation.advance(1)
        self.assertEqual((conversation.server.events, conversation.server.received), (["refused"], b""))
        self.assertIn("UNKNOWN_CA", str(client.error))

    def test_connectFires(self) -> None:
        """The Deferred of a connection fires with the protocol after connectionMade and before any data."""
        for version in VERSIONS:
            conversation = self.conversation(version, serverProtocol=Eager)
            conversation.client.connect()
            conversation.flush()
            self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected", "data"])
            self.assertIs(conversation.client.connected, conversation.client.protocol)

    def test_connectFails(self) -> None:
        """The Deferred of a connection that is refused fails with the failure that the observer is told."""
        for version in VERSIONS:
            conversation = self.conversation(version, client=UNKNOWN_CLIENT)
            conversation.client.connect()
            conversation.flush()
            self.assertEqual(conversation.client.events, ["refused", "connected"])
            self.assertIs(conversation.client.connected.value, conversation.client.failure)

    def test_connectAskedLate(self) -> None:
        """Who asks for the protocol after the fact hears of it all the same."""
        accepted = self.opened()
        self.assertIs(self.successResultOf(accepted.client.transport.whenAccepted()), accepted.client.protocol)
        refused = self.opened(client=UNKNOWN_CLIENT)
        self.assertIs(self.failureResultOf(refused.client.transport.whenAccepted()).value, refused.client.failure)

    def test_dataWithAcceptance(self) -> None:
        """Data that comes in one piece with the acceptance is delivered at once, once, and in order."""
        for version in VERSIONS:
            server = self.pythonPeer(True)
            server.words = b"words"
            conversation = self.conversation(version, client={"minimumTLS": "1.2"}, server=server)
            conversation.link.flush()
            self.assertEqual(
                (conversation.client.events, conversation.client.received),
                (["built", "accepted", "made", "data"], b"words"),
            )

    def test_dataWithFinished(self) -> None:
        """Data that a client sends together with the end of its handshake is delivered at once, once, and in order."""
        client = self.pythonPeer(False)
        client.words = b"words"
        conversation = self.conversation(client=client)
        conversation.link.flush()
        self.assertEqual(conversation.server.received, b"words")
        self.assertEqual(conversation.server.events, ["built", "accepted", "made", "data"])

    def test_firstWordsWithAcceptance(self) -> None:
        """What a server's connectionMade writes leaves together with its acceptance, in one record."""
        conversation = self.conversation("1.3", serverProtocol=Eager)
        conversation.untilTickets()
        conversation.link.toClient()
        self.assertEqual((conversation.client.events[-1], conversation.client.received), ("data", b"first words"))

    def test_serverThatAskedForNone(self) -> None:
        """A server that asks for no certificate has accepted when its handshake is done: no sign is awaited."""
        conversation = self.conversation(server={"clientCertificates": "none", "clientRoots": ()})
        link = conversation.link
        link.toServer()
        link.toClient()
        self.assertEqual(conversation.client.events, ["built", "accepted", "made"])
        self.assertEqual(conversation.client.transport.tls.acceptance, "seen")

    def test_requestedAndNotSent(self) -> None:
        """A client without a certificate is accepted by a server that only requests one, and has no peer there."""
        for version in VERSIONS:
            server = {"clientCertificates": "requested"}
            conversation = self.opened(version, client=NO_CLIENT_CERTIFICATE, server=server)
            self.assertEqual(conversation.client.events, ["built", "accepted", "made"])
            self.assertIsNone(conversation.server.transport.peer)

    def test_noProtocolAbove(self) -> None:
        """A connection that the factory above builds no protocol for is broken off, and nobody was told of it."""
        for version in VERSIONS:
            conversation = self.conversation(version, clientProtocol=lambda: None)
            conversation.client.connect()
            conversation.flush()
            self.assertEqual(conversation.client.events, ["built", "connected"])
            conversation.client.connected.trap(ConnectionAborted)
            self.assertOver(conversation)

    def test_facts(self) -> None:
        """The protocol above can ask its transport who the peer is, and what was agreed."""
        for version in VERSIONS:
            conversation = self.opened(
                version, server={"applicationProtocols": (b"a", b"b")}, client={"applicationProtocols": (b"b",)}
            )
            for side, certificate in (
                (conversation.client, SERVER.certificate),
                (conversation.server, CLIENT.certificate),
            ):
                transport = side.protocol.transport
                self.assertEqual(transport.peer.certificate, certificate)
                self.assertEqual(transport.peer.chain, (certificate, *ROOTS))
                self.assertEqual(transport.tls.version, f"TLSv{version}")
                self.assertEqual(transport.negotiatedProtocol, b"b")
                self.assertEqual(transport.getPeerCertificate().to_cryptography(), certificate)
                self.assertEqual(Certificate.peerFromTransport(transport).original.to_cryptography(), certificate)
                self.assertEqual(transport.getPeer(), transport.transport.getPeer())
                self.assertEqual(transport.getHost(), transport.transport.getHost())

    def test_noProtocolNegotiated(self) -> None:
        """Without ALPN there is no negotiated protocol."""
        self.assertIsNone(self.opened().client.transport.negotiatedProtocol)

    def test_handshakeListener(self) -> None:
        """A protocol that listens for the end of the handshake is told of it right after connectionMade."""

        @implementer(IHandshakeListener)
        class Listener(Recorder):
            def handshakeCompleted(self) -> None:
                self.side.events.append("handshake")

        for version in VERSIONS:
            conversation = self.opened(version, clientProtocol=Listener, serverProtocol=Listener)
            for side in (conversation.client, conversation.server):
                self.assertEqual(side.events, ["built", "accepted", "made", "handshake"])


class PausedTests(ConversationCase):
    """A protocol that pauses in connectionMade, as proxies do, has time until it resumes."""

    def paused(self, *, closes: bool, protocol: Any = Recorder) -> Conversation:
        class Paused(protocol):  # type: ignore[misc]
            def connectionMade(self) -> None:
                super().connectionMade()
                self.transport.pauseProducing()

        client = self.pythonPeer(False)
        client.words = b"early "
        conversation = self.conversation(client=client, serverProtocol=Paused)
        while not client.isDone:
            conversation.link.toServer()
            conversation.link.toClient()
        if closes:
            client.close()
        conversation.flush()
        return conversation

    def test_dataWaits(self) -> None:
        """Data that came with the acceptance is delivered after the protocol has resumed, before any other."""
        conversation = self.paused(closes=False)
        server, client = conversation.server, conversation.client
        self.assertEqual(server.events, ["built", "accepted", "made"])
        client.say(b"late")
        conversation.flush()
        server.transport.resumeProducing()
        self.assertEqual(server.received, b"", "an application is not called from its own call")
        conversation.flush()
        self.assertEqual(server.received, b"early late")

    def test_pausedAgain(self) -> None:
        """A protocol that resumes and pauses again in the same turn has not resumed."""
        conversation = self.paused(closes=False)
        server = conversation.server
        for _ in range(3):
            server.transport.resumeProducing()
            server.transport.pauseProducing()
            conversation.clock.advance(0)
        self.assertEqual(server.received, b"")
        server.transport.resumeProducing()
        conversation.clock.advance(0)
        self.assertEqual(server.received, b"early ")

    def test_closeWaits(self) -> None:
        """The peer's close, that came with data and acceptance, comes after the data."""
        conversation = self.paused(closes=True, protocol=HalfCloseable)
        server = conversation.server
        self.assertEqual(server.events, ["built", "accepted", "made"])
        server.transport.resumeProducing()
        conversation.flush()
        self.assertEqual(server.events[3:], ["data", "read end"])

    def test_lostMeanwhile(self) -> None:
        """A connection that is lost while its first data waits is over, and nothing is delivered any more."""
        conversation = self.paused(closes=False)
        conversation.link.cut()
        conversation.server.transport.resumeProducing()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"")
        self.assertOver(conversation)

    def test_endedMeanwhile(self) -> None:
        """A protocol that ends its connection while its first data waits is not delivered it."""
        conversation = self.paused(closes=True)
        conversation.server.transport.loseConnection()
        conversation.server.transport.resumeProducing()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"")


class SignTests(ConversationCase):
    """A TLS 1.3 client whose server has asked for its certificate waits for a sign of acceptance."""

    def unconfirmed(self, *, tickets: int = 0, **deadlines: Any) -> Conversation:
        """Return a client that has finished its handshake with a server that says nothing by itself."""
        conversation = self.conversation(
            server=self.pythonPeer(True, tickets=tickets), deadlines=Deadlines(**deadlines)
        )
        conversation.client.connect()
        conversation.flush()
        return conversation

    def test_ticket(self) -> None:
        """A session ticket is a sign."""
        conversation = self.unconfirmed(tickets=1)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
        self.assertEqual(conversation.client.transport.tls.acceptance, "seen")

    def test_data(self) -> None:
        """Application data is a sign, and is delivered."""
        conversation = self.unconfirmed()
        self.assertEqual(conversation.client.events, [])
        conversation.server.say(b"welcome")
        conversation.flush()
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected", "data"])
        self.assertEqual(conversation.client.transport.tls.acceptance, "seen")

    def test_nothing(self) -> None:
        """Where no sign comes, acceptance is assumed after its deadline, and the facts say so."""
        conversation = self.unconfirmed(acceptance=2.0)
        conversation.advance(1.9)
        self.assertEqual(conversation.client.events, [])
        conversation.advance(0.2)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
        self.assertEqual(conversation.client.transport.tls.acceptance, "assumed")
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_slowNetwork(self) -> None:
        """Over a slow network the client waits twice as long as its handshake has taken."""
        conversation = self.conversation(server=self.pythonPeer(True, tickets=0))
        conversation.clock.advance(3)
        conversation.flush()
        conversation.advance(5.9)
        self.assertEqual(conversation.client.events, [])
        conversation.advance(0.2)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made"])

    def test_drippedBytes(self) -> None:
        """Bytes that are no sign do not extend the wait."""
        conversation = self.unconfirmed(acceptance=2.0)
        conversation.server.say(b"welcome")
        link = conversation.link
        for _ in range(4):
            link.toClient(1)
            conversation.clock.advance(0.49)
        self.assertEqual(conversation.client.events, [])
        conversation.clock.advance(0.1)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made", "connected"])
        conversation.flush()
        self.assertEqual(conversation.client.received, b"welcome")

    def test_wordsAfterAssumption(self) -> None:
        """What connectionMade writes leaves at once also where acceptance was assumed."""
        conversation = self.conversation(server=self.pythonPeer(True, tickets=0), clientProtocol=Eager)
        conversation.flush()
        conversation.clock.advance(6)
        conversation.link.toServer()
        self.assertEqual(conversation.server.received, b"first words")

    def test_silentServer(self) -> None:
        """Of a server that accepted us in silence once, a second of it is enough the next time."""
        ours = clientConfiguration(deadlines=Deadlines())
        for wait in (5.9, 0.9):
            clock = Clock()
            client = Side(ours, Recorder, clock)
            conversation = self.conversation(client=client, server=self.pythonPeer(True, tickets=0), clock=clock)
            conversation.flush()
            conversation.advance(wait)
            self.assertEqual(conversation.client.events, [])
            conversation.advance(0.2)
            self.assertEqual(conversation.client.transport.tls.acceptance, "assumed")
            conversation.server.say(b"welcome")
            conversation.flush()
            conversation.link.client.lose(ConnectionDone())

    def refusal(self, conversation: Conversation) -> Any:
        self.assertEqual(conversation.client.events, ["refused", "connected"])
        failure = conversation.client.failure
        self.assertIs(conversation.client.connected.value, failure)
        return failure

    def test_alert(self) -> None:
        """An alert is a refusal, by its name."""
        conversation = self.conversation(client=UNKNOWN_CLIENT, server=self.pythonPeer(True))
        conversation.client.connect()
        conversation.flush()
        failure = self.refusal(conversation)
        self.assertEqual((failure.code, failure.side, failure.alert.name), ("unknown-issuer", "remote", "unknown_ca"))

    def test_endOfStream(self) -> None:
        """An end of stream before a sign is a refusal that does not say why."""
        conversation = self.unconfirmed()
        conversation.link.server.loseConnection()
        conversation.flush()
        failure = self.refusal(conversation)
        self.assertEqual((failure.code, failure.side, failure.alert), ("refused", "remote", None))
        self.assertOver(conversation)

    def test_closeNotify(self) -> None:
        """A close_notify before a sign is a refusal that does not say why."""
        conversation = self.unconfirmed()
        conversation.server.close()
        conversation.flush()
        self.assertEqual(self.refusal(conversation).code, "refused")
        self.assertFalse(conversation.link.client.connected)

    def test_reset(self) -> None:
        """A reset before a sign is a refusal that does not say why."""
        conversation = self.unconfirmed()
        conversation.link.cut()
        failure = self.refusal(conversation)
        self.assertEqual((failure.code, failure.side), ("refused", "remote"))
        self.assertOver(conversation)

    def test_refusedAfterAssumption(self) -> None:
        """A refusal that comes after acceptance was assumed ends the connection with its name."""
        conversation = self.conversation(client=UNKNOWN_CLIENT)
        conversation.link.toServer()
        conversation.link.toClient()
        conversation.clock.advance(6)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made"])
        conversation.flush()
        self.assertEqual(conversation.client.failure.code, "unknown-issuer")
        self.assertEqual(conversation.client.lost, [conversation.client.failure])

    def test_cancelled(self) -> None:
        """A wait that is cancelled ends the connection, and leaves nothing."""
        conversation = self.conversation(server=self.pythonPeer(True, tickets=0))
        connecting = conversation.client.transport.whenAccepted()
        conversation.flush()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        conversation.flush()
        self.assertEqual(conversation.client.events, [])
        self.assertOver(conversation)


class HandshakeDeadlineTests(ConversationCase):
    """A handshake has its deadline, wherever it stops."""

    def test_eachStep(self) -> None:
        """A peer that stops before any of its messages is given up after the deadline, by that name."""
        for version in VERSIONS:
            for point in CLIENT_STEPS[version]:
                peer = StallingPeer(clientConfiguration(maximumTLS=version), at=point)
                conversation = self.conversation(client=peer, deadlines=Deadlines(handshake=7.0))
                self.assertTimesOut(conversation, conversation.server, point)
            for point in SERVER_STEPS[version]:
                peer = StallingPeer(serverConfiguration(maximumTLS=version), at=point)
                conversation = self.conversation(version, server=peer, deadlines=Deadlines(handshake=7.0))
                self.assertTimesOut(conversation, conversation.client, point)

    def assertTimesOut(self, conversation: Conversation, side: Side, point: str) -> None:
        conversation.flush()
        conversation.advance(6.9)
        self.assertEqual(side.events, [], point)
        conversation.advance(0.2)
        self.assertEqual(side.events, ["refused"], point)
        self.assertEqual((side.failure.code, side.failure.stage), ("handshake-timeout", "handshake"))
        self.assertOver(conversation)

    def test_drippedBytes(self) -> None:
        """Bytes that come one by one do not extend it."""
        conversation = self.conversation(deadlines=Deadlines(handshake=7.0))
        for _ in range(14):
            conversation.link.toServer(1)
            conversation.clock.advance(0.499)
        conversation.clock.advance(0.1)
        conversation.link.flush()
        self.assertEqual(conversation.server.failure.code, "handshake-timeout")

    def test_rounded(self) -> None:
        """It passes whatever its clock loses by rounding: one that began at 6.4 has not lasted 10 s at 16.4."""
        self.assertLess(16.4 - 6.4, 10)
        clock = Clock()
        clock.advance(6.4)
        conversation = self.conversation(clock=clock, deadlines=Deadlines(handshake=10.0))
        clock.advance(10)
        conversation.link.flush()
        self.assertEqual(conversation.server.failure.code, "handshake-timeout")

    def test_none(self) -> None:
        """Without a deadline a handshake may take for ever, and leaves no timer."""
        conversation = self.conversation(deadlines=Deadlines(handshake=None))
        conversation.link.toServer()
        self.assertEqual(conversation.clock.getDelayedCalls(), [])
        conversation.advance(1e6)
        self.assertEqual(conversation.client.events, ["built", "accepted", "made"])

    def test_over(self) -> None:
        """It is over with the acceptance."""
        conversation = self.opened()
        conversation.advance(1e6)
        self.assertEqual((conversation.client.failures, conversation.server.failures), ([], []))
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """A handshake that is cancelled ends the connection, and leaves nothing."""
        conversation = self.conversation()
        connecting = conversation.client.transport.whenAccepted()
        conversation.link.toServer()
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        conversation.flush()
        self.assertEqual(conversation.client.events, [])
        self.assertOver(conversation)


class LifetimeTests(SynchronousTestCase):
    """When a connection has ended, nothing keeps it."""

    def ended(self, version: str, above: type[Protocol], **settings: Any) -> tuple[list[Any], list[Any]]:
        """Return references to what both sides consisted of, and what of it was alive before the end."""
        clock = Clock()
        configurations = clientConfiguration(maximumTLS=version, **settings), serverConfiguration()
        factories = [TLSFactory(each, Factory.forProtocol(above), clock) for each in configurations]
        client, server = (factory.buildProtocol(None) for factory in factories)
        link = MemoryLink(client, server)
        link.flush()
        clock.advance(DOUBT_SECONDS)
        parts = [part for side in (client, server) for part in (side, side.protocol, side.getHandle())]
        references = [weakref.ref(part) for part in parts if part is not None]
        del parts
        client.loseConnection()
        link.flush()
        for end in (link.client, link.server):
            # As Twisted's TCP transport does.
            end.protocol = None
        return references, clock.getDelayedCalls()

    def test_noCycles(self) -> None:
        """It goes away with its last user, without the garbage collector: protocol, transport, and OpenSSL's memory."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for version in VERSIONS:
            for above in (Protocol, Speaking):
                references, timers = self.ended(version, above)
                self.assertEqual(len(references), 6)
                self.assertEqual([reference() for reference in references], [None] * 6)
                self.assertEqual(timers, [])

    def test_refused(self) -> None:
        """So it does when it was refused."""
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        for version in VERSIONS:
            references, timers = self.ended(version, Protocol, credential=None)
            self.assertEqual([reference() for reference in references], [None] * 4)
            self.assertEqual(timers, [])


class FactoryTests(ConversationCase):
    """What a factory does beside making transports."""

    def factory(self, **settings: Any) -> TLSFactory:
        return TLSFactory(serverConfiguration(), Factory.forProtocol(Protocol), Clock(), **settings)

    def test_connections(self) -> None:
        """A factory knows its connections, accepted or not yet, until TCP is gone."""
        conversation = self.conversation()
        client = conversation.client
        self.assertEqual(client.factory.connections, {client.transport})
        conversation.flush()
        self.assertEqual(client.factory.connections, {client.transport})
        client.transport.loseConnection()
        self.assertEqual(client.factory.connections, {client.transport})
        conversation.flush()
        self.assertEqual(client.factory.connections, set())

    def test_maximum(self) -> None:
        """Connections beyond the maximum are refused by that name, without a thought about TLS; room is used again."""
        watcher = Watcher()
        factory = TLSFactory(Costly(), Factory.forProtocol(Protocol), Clock(), watcher, 2)
        kept = [factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", port)) for port in range(3)]
        self.assertIsNone(kept[2])
        (failure,) = watcher.refusals
        self.assertEqual(
            (failure.code, failure.peer, failure.detail), ("too-many-connections", "10.0.0.1:2", "2 are open")
        )
        self.assertEqual(factory.connections, {kept[0], kept[1]})
        factory.forget(kept[0])  # type: ignore[arg-type]
        self.assertIsNotNone(factory.buildProtocol(None))

    def test_startAndStop(self) -> None:
        """The factory above is started and stopped as if it listened itself."""
        factory = self.factory()
        factory.wrappedFactory.noisy = False
        factory.doStart()
        self.assertEqual(factory.wrappedFactory.numPorts, 1)
        factory.doStop()
        self.assertEqual(factory.wrappedFactory.numPorts, 0)

    def test_address(self) -> None:
        """A failure says where the peer is, IPv6 addresses in brackets."""
        for address, text in (
            (IPv4Address("TCP", "10.0.0.1", 5), "10.0.0.1:5"),
            (IPv6Address("TCP", "::1", 5), "[::1]:5"),
        ):
            watcher = Watcher()
            transport = self.factory(observer=watcher).buildProtocol(address)
            link = MemoryLink(Protocol(), transport)
            link.server.getPeer = lambda address=address: address  # type: ignore[method-assign]
            link.cut()
            self.assertEqual([failure.peer for failure in watcher.refusals], [text])

    def test_interfaces(self) -> None:
        """Factory and transport keep the interfaces that they declare."""
        transport = self.opened().client.transport
        for interface in (
            ISSLTransport,
            IConsumer,
            INegotiated,
            ISystemHandle,
            IPushProducer,
            IProtocol,
            IHalfCloseableProtocol,
        ):
            verifyObject(interface, transport)
        verifyObject(IProtocolFactory, self.factory())

    def test_creatorRaises(self) -> None:
        """A creator of connections that raises costs its connection, and TCP is closed."""

        @implementer(IOpenSSLServerConnectionCreator)
        class Broken:
            def serverConnectionForTLS(self, tlsProtocol: Any) -> Any:
                raise OSError("the certificate is being replaced")

        transport = TLSFactory(
            ExternalContextConfiguration(creator=Broken()), Factory.forProtocol(Protocol), Clock()
        ).buildProtocol(None)
        link = MemoryLink(self.pythonPeer(False), transport)
        link.flush()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertFalse(link.server.connected)
        self.assertEqual(transport.factory.connections, set())

    def test_observerRaises(self) -> None:
        """An observer that raises is logged, and does the connection no harm."""
        conversation = self.conversation()
        conversation.server.factory.observer = Broken()
        conversation.flush()
        conversation.client.transport.write(b"data")
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertEqual(conversation.server.received, b"data")
        self.assertEqual([type(reason) for reason in conversation.server.lost], [ConnectionDone])
        refused = self.conversation(client=UNKNOWN_CLIENT)
        refused.server.factory.observer = Broken()
        refused.flush()
        self.assertOver(refused)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)


class Speaking(Protocol):
    """Has things under way when the end comes."""

    def connectionMade(self) -> None:
        self.transport.write(b"x" * 100000)  # type: ignore[union-attr]
        self.transport.registerProducer(self.transport, True)  # type: ignore[union-attr]


class Watcher:
    """Remembers refusals."""

    def __init__(self) -> None:
        self.refusals: list[Any] = []

    def accepted(self, transport: Any) -> None: ...

    def refused(self, transport: Any, failure: Any) -> None:
        self.refusals.append(failure)

    def closed(self, transport: Any, failure: Any) -> None: ...


class Broken:
    """An observer that fails."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: 1 / 0


class Costly:
    """A configuration that must not be asked for a connection."""

    deadlines = Deadlines()
    revalidation = False

    def newConnection(self, transport: Any) -> Any:
        raise AssertionError("this costs as much as a handshake")
