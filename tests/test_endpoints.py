"""Endpoints in memory: what they pass on, when they succeed, and by which name they fail."""

from pathlib import Path
from typing import Any

from conversation import (
    CLIENT,
    ROOTS,
    SERVER,
    STRANGER,
    Conversation,
    ConversationCase,
    clientConfiguration,
    serverConfiguration,
)
from naming import NamingReactor
from OpenSSL.crypto import X509
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, serverFromString
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IProtocolNegotiationFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tlscomm.configuration import ClientConfiguration, ExternalContextConfiguration
from tlscomm.endpoints import TLSClientEndpoint, TLSServerEndpoint
from tlscomm.endpoints._below import endpointBelow
from tlscomm.failures import ConnectFailed, Refused, Reset, TLSFailure, UnknownIssuer
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.x509._encoding import keyPEM, pem


def configurationOf(endpoint: Any) -> ClientConfiguration:
    """Return a client's configuration, which nothing shows before it has connected."""
    return endpoint._configuration  # type: ignore[no-any-return]


class Keeping(Factory):
    """Keeps the protocols that it has built."""

    noisy = False

    def __init__(self) -> None:
        self.built: list[Any] = []

    def buildProtocol(self, addr: Any) -> Any:
        self.built.append(Protocol())
        return self.built[-1]


@implementer(IProtocolNegotiationFactory)
class Negotiating(Keeping):
    """Has protocols for ALPN."""

    def acceptableProtocols(self) -> list[bytes]:
        return [b"h2", b"http/1.1"]


@implementer(IStreamServerEndpoint, IStreamClientEndpoint)
class Below:
    """An endpoint that keeps the factory and gives an answer."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = Deferred() if answer is None else answer
        self.factory: Any = None

    def listen(self, protocolFactory: Any) -> Any:
        self.factory = protocolFactory
        return self.answer

    def connect(self, protocolFactory: Any) -> Any:
        self.factory = protocolFactory
        return self.answer


class ServerEndpointTests(ConversationCase):
    """A server's endpoint."""

    def test_listens(self) -> None:
        """It listens on the endpoint below, whose answer is its own, and knows its factory from then on."""
        below, above, clock, observer = Below(succeed("a port")), Keeping(), Clock(), object()
        endpoint: Any = TLSServerEndpoint(
            clock,
            below,
            serverConfiguration(),
            observer=observer,
            maximumConnections=7,  # type: ignore[arg-type]
        )
        self.assertIsNone(endpoint.factory)
        self.assertEqual(self.successResultOf(endpoint.listen(above)), "a port")
        factory = endpoint.factory
        self.assertIs(below.factory, factory)
        self.assertEqual((factory.wrappedFactory, factory.clock, factory.observer), (above, clock, observer))
        self.assertEqual([factory.buildProtocol(None) is not None for _ in range(7)], [True] * 7)

    def test_accepts(self) -> None:
        """The factory above hears of a connection when both sides have accepted each other."""
        below, above = Below(), Keeping()
        TLSServerEndpoint(Clock(), below, serverConfiguration()).listen(above)
        conversation = self.conversation(server=below.factory.buildProtocol(None))
        conversation.link.toServer()
        self.assertEqual(above.built, [])
        conversation.flush()
        self.assertEqual(len(above.built), 1)

    def test_wrongConfiguration(self) -> None:
        """A client's configuration is none for a server."""
        self.assertRaises(TypeError, TLSServerEndpoint, Clock(), Below(), clientConfiguration())

    def test_onPort(self) -> None:
        """On a port it listens on TCP, of IPv6 where the interface is an address of that."""
        reactor = MemoryReactorClock()
        for interface in ("", "127.0.0.1", "::1"):
            endpoint: Any = TLSServerEndpoint.onPort(
                reactor, 8443, interface=interface, credential=SERVER, clientRoots=ROOTS, maximumTLS="1.2"
            )
            port = self.successResultOf(endpoint.listen(Keeping()))
            self.assertIs(type(port.getHost()), IPv6Address if ":" in interface else IPv4Address)
            self.assertEqual((reactor.tcpServers[-1][0], *reactor.tcpServers[-1][2:]), (8443, 1024, interface))
            found = endpoint.factory.configuration
            same = {"revalidation": True, "revocation": found.revocation}
            self.assertEqual(found, serverConfiguration(maximumTLS="1.2", **same))
        self.assertRaises(TypeError, TLSServerEndpoint.onPort, reactor, 8443, credential=SERVER, colour="red")

    def test_protocols(self) -> None:
        """A factory's protocols for ALPN are offered, unless the configuration names its own."""
        for own, expected in (((), b"http/1.1"), ((b"mine",), b"mine")):
            below = Below()
            TLSServerEndpoint(Clock(), below, serverConfiguration(applicationProtocols=own)).listen(Negotiating())
            client = {"applicationProtocols": (b"mine", b"http/1.1")}
            conversation = self.opened(client=client, server=below.factory.buildProtocol(None))
            self.assertEqual(conversation.client.transport.negotiatedProtocol, expected)

    def test_foreign(self) -> None:
        """A ``CertificateOptions`` of one's own does as well."""
        assert SERVER.privateKey is not None
        options = CertificateOptions(
            privateKey=SERVER.privateKey,  # type: ignore[arg-type]
            certificate=SERVER.certificate,  # type: ignore[arg-type]
            trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))]),
        )
        below, above = Below(), Keeping()
        TLSServerEndpoint(Clock(), below, ExternalContextConfiguration(creator=options)).listen(above)
        conversation = self.opened(server=below.factory.buildProtocol(None))
        self.assertEqual((conversation.client.events, len(above.built)), (["built", "accepted", "made"], 1))
        self.assertEqual(above.built[0].transport.peer.certificate, CLIENT.certificate)

    def test_interface(self) -> None:
        """It keeps its interface."""
        verifyObject(IStreamServerEndpoint, TLSServerEndpoint(Clock(), Below(), serverConfiguration()))


class ClientEndpointTests(ConversationCase):
    """A client's endpoint."""

    def connecting(self, *, server: Any = None, above: Any = None, **settings: Any) -> tuple[Any, Conversation]:
        """Return a client's Deferred, over Twisted's own TCP endpoint, and the conversation that it has begun."""
        reactor: Any = MemoryReactorClock()
        below = TCP4ClientEndpoint(reactor, "127.0.0.1", 8443)
        self.above = Keeping() if above is None else above
        connecting = TLSClientEndpoint(reactor, below, clientConfiguration(**settings)).connect(self.above)
        factory = reactor.tcpClients[0][2]
        factory.noisy = False
        client = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 8443))
        conversation = self.conversation(client=client, server=server, clock=reactor)
        return connecting, conversation

    def test_connects(self) -> None:
        """Connecting succeeds with the factory's protocol when both sides have accepted each other, and not before."""
        connecting, conversation = self.connecting()
        conversation.untilTickets()
        self.assertNoResult(connecting)
        conversation.flush()
        conversation.clock.advance(DOUBT_SECONDS)
        self.assertEqual([self.successResultOf(connecting)], self.above.built)

    def test_assumed(self) -> None:
        """Where the server gives no sign, it succeeds after the wait for one, and the facts say so."""
        connecting, conversation = self.connecting(server=self.pythonPeer(True, tickets=0))
        conversation.flush()
        conversation.advance(5.9)
        self.assertNoResult(connecting)
        conversation.advance(0.2)
        self.assertEqual(self.successResultOf(connecting).transport.tls.acceptance, "assumed")

    def test_refused(self) -> None:
        """It fails with the failure by which one side refused the other."""
        for settings, side in (
            ({"credential": STRANGER.issue("client", role="client")}, "remote"),
            ({"roots": (STRANGER.certificate,)}, "local"),
        ):
            connecting, conversation = self.connecting(**settings)
            conversation.flush()
            failure = self.failureResultOf(connecting, UnknownIssuer).value
            self.assertEqual((failure.side, failure.peer), (side, "127.0.0.1:8443"))
            self.assertEqual(self.above.built, [])

    def test_broken(self) -> None:
        """It fails with the failure by which the connection broke."""
        connecting, conversation = self.connecting()
        conversation.link.cut()
        self.failureResultOf(connecting, Reset)
        connecting, conversation = self.connecting()
        conversation.untilTickets()
        conversation.link.cut()
        self.failureResultOf(connecting, Refused)

    def test_notConnected(self) -> None:
        """Without a TCP connection it fails by that name, and says why, and for each cause what to do."""
        steps: set[str] = set()
        for error, detail in (
            (ConnectionRefusedError(), "nothing listens there"),
            (TimeoutError(), "the host did not answer in time"),
            (DNSLookupError("no such host"), "the host's name cannot be resolved"),
            (NoRouteError(), "there is no route to the host"),
            (ConnectError(101), "there is no route to the host"),
            (ConnectError(13), "this system does not permit it"),
            (ConnectError(string="a\nb"), "a\\nb"),
            (OSError(24, "Too many open files"), "Too many open files"),
            (ValueError("invalid hostname: a..b"), "invalid hostname: a..b"),
        ):
            endpoint = TLSClientEndpoint(Clock(), Below(fail(error)), clientConfiguration())
            failure = self.failureResultOf(endpoint.connect(Keeping()), ConnectFailed).value
            self.assertIn(detail, failure.detail)
            self.assertEqual((failure.side, failure.stage, failure.permanent), ("remote", "connect", False))
            self.assertEqual(len(failure.evidence), 1)
            steps.add(failure.nextStep)
        self.assertEqual(len(steps), 6)

    def test_otherErrors(self) -> None:
        """What is no failure to connect passes through."""
        for error in (ZeroDivisionError(), ConnectingCancelledError(None)):
            endpoint = TLSClientEndpoint(Clock(), Below(fail(error)), clientConfiguration())
            self.failureResultOf(endpoint.connect(Keeping()), type(error))

    def test_cancelBeforeTCP(self) -> None:
        """Cancelled before TCP is connected, it cancels that."""
        below = Below()
        connecting = TLSClientEndpoint(Clock(), below, clientConfiguration()).connect(Keeping())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertTrue(below.answer.called)

    def test_cancelLater(self) -> None:
        """Cancelled in the handshake, or while a sign of acceptance is awaited, it ends the connection."""
        for steps in ((), ("toServer",), ("toServer", "toClient")):
            connecting, conversation = self.connecting()
            for step in steps:
                getattr(conversation.link, step)()
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            conversation.flush()
            self.assertFalse(conversation.link.client.connected)
            self.assertFalse(conversation.link.server.connected)
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def test_lateNews(self) -> None:
        """An endpoint below that tells of its connection late, as one through a proxy may, loses nothing."""
        for settings, error in (({}, None), ({"roots": (STRANGER.certificate,)}, UnknownIssuer)):
            below, clock = Below(), Clock()
            connecting = TLSClientEndpoint(clock, below, clientConfiguration(**settings)).connect(Keeping())
            client = below.factory.buildProtocol(None)
            conversation = self.opened(client=client)
            clock.advance(DOUBT_SECONDS)
            self.assertNoResult(connecting)
            below.answer.callback(client)
            if error is None:
                self.assertIs(self.successResultOf(connecting), client.protocol)
            else:
                self.failureResultOf(connecting, error)
            del conversation

    def test_wrongConfiguration(self) -> None:
        """A server's configuration is none for a client."""
        self.assertRaises(TypeError, TLSClientEndpoint, Clock(), Below(), serverConfiguration())

    def test_toHost(self) -> None:
        """To a host it connects by name or address, over whichever IP answers first; the certificate is for that."""
        reactor = NamingReactor()
        for host, below, name in (
            ("localhost", "localhost", "localhost"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("::1", "::1", "::1"),
            ("[::1]", "::1", "::1"),
        ):
            endpoint: Any = TLSClientEndpoint.toHost(reactor, host, 8443, timeout=7, roots=ROOTS, credential=CLIENT)
            self.assertEqual(reactor.connected(endpoint, Keeping()), (below, 8443, 7))
            found = configurationOf(endpoint)
            same = {"revalidation": True, "revocation": found.revocation}
            self.assertEqual(found, clientConfiguration(serverName=name, **same))
        endpoint = TLSClientEndpoint.toHost(reactor, "10.0.0.1", 8443, serverName="other.example", roots=ROOTS)
        self.assertEqual(configurationOf(endpoint).serverName, "other.example")

    def test_protocols(self) -> None:
        """A factory's protocols for ALPN are offered, unless the configuration names its own."""
        for own, expected in (((), b"h2"), ((b"mine",), b"mine")):
            server = {"applicationProtocols": (b"mine", b"h2")}
            connecting, conversation = self.connecting(server=server, above=Negotiating(), applicationProtocols=own)
            conversation.flush()
            conversation.clock.advance(DOUBT_SECONDS)
            self.assertEqual(self.successResultOf(connecting).transport.negotiatedProtocol, expected)

    def test_foreign(self) -> None:
        """A creator of connections of one's own does as well, and our check of the name comes on top of its."""
        for name, error in (("localhost", None), ("other.example", TLSFailure)):
            creator = optionsForClientTLS("localhost", Certificate(X509.from_cryptography(ROOTS[0])))
            below = Below()
            configuration = ExternalContextConfiguration(creator=creator, serverName=name)
            connecting = TLSClientEndpoint(Clock(), below, configuration).connect(Keeping())
            client = below.factory.buildProtocol(None)
            below.answer.callback(client)
            self.opened(client=client, server={"clientCertificates": "none", "clientRoots": ()})
            if error is None:
                self.assertIs(self.successResultOf(connecting), client.protocol)
            else:
                self.assertEqual(self.failureResultOf(connecting, error).value.code, "name-mismatch")

    def test_noProtocol(self) -> None:
        """A factory that builds no protocol makes it fail, and ends the connection."""

        class None_(Keeping):
            def buildProtocol(self, addr: Any) -> Any:
                return None

        connecting, conversation = self.connecting(above=None_())
        conversation.flush()
        conversation.clock.advance(DOUBT_SECONDS)
        conversation.flush()
        self.failureResultOf(connecting)
        self.assertFalse(conversation.link.server.connected)

    def test_factoryAbove(self) -> None:
        """The factory above is started and stopped with the connection."""
        reactor: Any = MemoryReactorClock()
        above = Keeping()
        endpoint = TLSClientEndpoint(reactor, TCP4ClientEndpoint(reactor, "127.0.0.1", 8443), clientConfiguration())
        connecting = endpoint.connect(above)
        factory = reactor.tcpClients[0][2]
        factory.noisy = False
        factory.doStart()
        self.assertEqual(above.numPorts, 1)
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        factory.doStop()
        self.assertEqual(above.numPorts, 0)
        self.failureResultOf(connecting)

    def test_interface(self) -> None:
        """It keeps its interface."""
        verifyObject(IStreamClientEndpoint, TLSClientEndpoint(Clock(), Below(), clientConfiguration()))


class BelowTests(SynchronousTestCase):
    """The endpoint below, out of a string."""

    def refusal(self, description: str) -> str:
        return str(self.assertRaises(ValueError, endpointBelow, MemoryReactorClock(), description))

    def test_backlog(self) -> None:
        """A thousand clients may wait to be accepted, where the string does not say how many."""
        for ours in ("tcp:1", "tcp6:1", r"tcp:1:interface=\:\:1", "tcp:1:127.0.0.1", "tcp:port=1"):
            self.assertEqual(self.backlog(ours), 1024, ours)
        for own in ("tcp:1:backlog=7", "tcp:1:backlog=7:interface=127.0.0.1", "tcp:1:127.0.0.1:7"):
            self.assertEqual(self.backlog(own), 7, own)

    def test_backlogOfUnixSockets(self) -> None:
        """So it is with Unix sockets."""
        reactor = MemoryReactorClock()
        for description, backlog in (("unix:/a", 1024), ("unix:/a:mode=660", 1024), ("unix:/a:backlog=7", 7)):
            endpointBelow(reactor, description).listen(Factory())
            self.assertEqual(reactor.unixServers[-1][2], backlog, description)

    def backlog(self, description: str) -> int:
        reactor = MemoryReactorClock()
        endpointBelow(reactor, description).listen(Factory())
        return int(reactor.tcpServers[-1][2])

    def test_missingSocket(self) -> None:
        """A socket that systemd has not handed over is named as that, by index and by name."""
        for which in ("index=0", "name=web"):
            self.assertIn("systemd has handed over no such socket", self.refusal(f"systemd:domain=INET:{which}"))

    def test_wrongWords(self) -> None:
        """What else is wrong is a sentence too, and never names a function."""
        self.assertEqual(self.refusal("systemd:index=0"), "missing 1 required positional argument: 'domain'")
        self.assertIn("Unknown endpoint type: 'nonsense'", self.refusal("nonsense:1"))

    def test_withinAString(self) -> None:
        """A ``tlscomm:`` string over such an endpoint says the same."""
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("server.pem").chmod(0o600)
        string = r"tlscomm:endpoint=systemd\:domain\=INET\:index\=0:identity=server.pem"
        refused = self.assertRaises(ValueError, serverFromString, MemoryReactorClock(), string)
        self.assertIn("systemd has handed over no such socket", str(refused))
