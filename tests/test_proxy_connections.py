"""Behind proxies that are named: who connects is who the header says, and only where the header is to be believed."""

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
from test_proxied import HEADERS, PROXY, Keeping
from test_proxy_headers import FOUR, OF_HAPROXY, second
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from tlscomm.access import AccessRules
from tlscomm.endpoints import ProxiedServerEndpoint, TLSServerEndpoint
from tlscomm.endpoints._beforetls import acceptingBeforeTLS, filesBeforeTLS
from tlscomm.failures import TLSFailure
from tlscomm.limits._admission import MOST_AWAITED
from tlscomm.proxyprotocol import TrustedProxies
from tlscomm.server import Options, makeService
from tlscomm.tracing import Trace, Tracing
from tlscomm.transport import TLSFactory, TLSTransport, describeAddress
from tlscomm.transport._eventlog import EventLog
from tlscomm.transport._proxied import ProxiedFactory
from tlscomm.verification import Question, accept
from tlscomm.x509._encoding import keyPEM, pem


class Seeing(Keeping):
    """Keeps the transports and the failures too."""

    def __init__(self) -> None:
        super().__init__()
        self.transports: list[TLSTransport] = []
        self.failures: list[TLSFailure | None] = []

    def accepted(self, transport: TLSTransport) -> None:
        super().accepted(transport)
        self.transports.append(transport)

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        super().refused(transport, failure)
        self.failures.append(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        super().closed(transport, failure)
        self.failures.append(failure)


class Noting:
    """An observer of traces."""

    def __init__(self) -> None:
        self.traces: list[Trace] = []

    def ended(self, trace: Trace) -> None:
        self.traces.append(trace)


class BehindProxiesCase(ConversationCase):
    proxies: Any = ("127.0.0.0/8",)

    def behind(
        self,
        header: bytes,
        address: Any = None,
        observer: Any = None,
        client: dict[str, Any] | None = None,
        tracing: Tracing | None = None,
        **server: Any,
    ) -> tuple[Seeing, Conversation]:
        """Return what was seen of a connection that begins with a header, and the connection."""
        seeing, clock = Seeing(), Clock()
        settings = {"hook": lambda question: self.judge(seeing, question), **server}
        self.factory = TLSFactory(serverConfiguration(**settings), seeing, clock, observer or seeing, tracing=tracing)
        proxied = ProxiedFactory(self.factory, TrustedProxies(self.proxies))
        protocol = proxied.buildProtocol(address or IPv4Address("TCP", "127.0.0.1", 40001))
        conversation = Conversation(Side(clientConfiguration(**(client or {})), Recorder, clock), protocol, clock)
        self.addCleanup(self._breakOff, conversation)
        conversation.link.client.written[:0] = header
        return seeing, conversation

    def judge(self, seeing: Seeing, question: Question) -> Any:
        seeing.seen.append(question.address)
        return accept()


class BelievedTests(BehindProxiesCase):
    """From a proxy that is named."""

    def test_accepted(self) -> None:
        """The hook, the factory above, and the observer at both ends are told of the client and not of the proxy."""
        for header, peer in HEADERS.items():
            seeing, conversation = self.behind(header)
            conversation.flush()
            conversation.client.transport.loseConnection()
            conversation.flush()
            self.assertEqual(seeing.seen, [peer] * 4, header)
            self.assertEqual(seeing.failures, [None])

    def test_facts(self) -> None:
        """What else a header says is on the transport, and where the client has connected to is where we are."""
        seeing, conversation = self.behind(OF_HAPROXY)
        conversation.flush()
        (transport,) = seeing.transports
        self.assertEqual(describeAddress(transport.getHost()), "127.0.0.1:22004")
        assert transport.proxied is not None
        assert transport.proxied.tls is not None
        self.assertEqual(transport.proxied.tls.commonName, "a client ü")

    def test_refused(self) -> None:
        """A client that is refused is named too, to the observer and in its failure."""
        for header, peer in HEADERS.items():
            client = {"credential": STRANGER.issue("client", role="client")}
            seeing, conversation = self.behind(header, client=client, hook=None)
            conversation.flush()
            self.assertEqual(set(seeing.seen), {peer})
            self.assertGreaterEqual(len(seeing.seen), 2)

    def test_traced(self) -> None:
        """A trace is of the client and of where it has connected to, and of TLS alone."""
        noting = Noting()
        _, conversation = self.behind(second(FOUR), tracing=Tracing(observer=noting))
        conversation.flush()
        conversation.client.transport.loseConnection()
        conversation.flush()
        (trace,) = noting.traces
        self.assertEqual((str(trace.client), str(trace.server)), ("192.0.2.7:56324", "198.51.100.1:443"))
        self.assertEqual(trace.verdict.outcome, "accepted")

    def test_logged(self) -> None:
        """The log has what the header says, as text that is printable, in the events of such connections alone."""
        for header, count in ((OF_HAPROXY, 2), (b"", 0)):
            self.proxies = ("127.0.0.1",) if header else ("10.0.0.0/8",)
            events: list[Any] = []
            _, conversation = self.behind(header, observer=EventLog(events.append, Clock()))
            conversation.flush()
            conversation.client.transport.loseConnection()
            conversation.flush()
            told = [event["proxied"].toJSON() for event in events if "proxied" in event]
            self.assertEqual([each["uniqueID"] for each in told], ["id-127.0.0.1"] * count)
            self.assertEqual([each["tls"]["commonName"] for each in told], ["a client ü"] * count)

    def test_outOfTheWay(self) -> None:
        """After the header TCP brings its bytes to TLS itself."""
        _, conversation = self.behind(second(FOUR))
        conversation.flush()
        self.assertIsInstance(conversation.link.server.protocol, TLSTransport)

    def test_pieces(self) -> None:
        """A header may come in pieces, and together with the client's first bytes."""
        seeing, conversation = self.behind(OF_HAPROXY)
        for size in (1, 11, 5, 120):
            conversation.link.toServer(size)
        conversation.flush()
        self.assertEqual(len(seeing.transports), 1)

    def test_missing(self) -> None:
        """Where TLS begins at once, the connection is refused at once: the client would be taken for the proxy."""
        seeing, conversation = self.behind(b"")
        conversation.link.toServer()
        conversation.flush()
        self.assertEqual(seeing.seen, [PROXY, PROXY])
        (failure,) = seeing.failures
        assert failure is not None
        self.assertEqual((failure.code, failure.stage), ("bad-proxy-header", "connect"))
        self.assertIn("in its place came TLS", failure.message)

    def test_silent(self) -> None:
        """A header that does not come is awaited as long as a handshake, and the failure says what did not come."""
        for header in (b"", b"PROXY TCP4 "):
            seeing, conversation = self.behind(header)
            del conversation.link.client.written[len(header) :]
            conversation.flush()
            conversation.clock.advance(10)
            conversation.flush()
            (failure,) = seeing.failures
            assert failure is not None
            self.assertEqual(failure.code, "handshake-timeout")
            self.assertIn("PROXY header had not come in 10 s", failure.message)
            self.assertEqual(self.factory.connections, set())

    def test_deadline(self) -> None:
        """The handshake's deadline counts from the TCP connection, whenever the header has come."""
        seeing, conversation = self.behind(second(FOUR))
        del conversation.link.client.written[len(second(FOUR)) :]
        conversation.clock.advance(6)
        conversation.flush()
        conversation.clock.advance(4)
        conversation.flush()
        (failure,) = seeing.failures
        assert failure is not None
        self.assertEqual((failure.code, failure.peer), ("handshake-timeout", "192.0.2.7:56324"))
        self.assertNotIn("PROXY", failure.message)

    def test_cutOff(self) -> None:
        """A header that ends in its middle is refused by name."""
        seeing, conversation = self.behind(OF_HAPROXY)
        conversation.link.toServer(30)
        conversation.link.client.written.clear()
        conversation.link.client.loseConnection()
        conversation.flush()
        (failure,) = seeing.failures
        assert failure is not None
        self.assertEqual((failure.code, failure.detail), ("bad-proxy-header", "it ended after 30 bytes"))

    def test_stopping(self) -> None:
        """What waits for a header is one of the server's connections: a stop ends it."""
        seeing, _ = self.behind(b"")
        self.assertEqual(len(self.factory.connections), 1)
        (transport,) = self.factory.connections
        transport.loseConnection()
        self.assertEqual(seeing.failures, [])


class HealthCheckTests(BehindProxiesCase):
    """A proxy looks whether the server lives."""

    def test_quiet(self) -> None:
        """With a header of its own connection, a check that ends before TLS is no refusal: nothing is told of it."""
        for isReset in (False, True):
            events: list[Any] = []
            _, conversation = self.behind(second(command=0x20, family=0), observer=EventLog(events.append, Clock()))
            conversation.link.toServer(16)
            conversation.link.client.written.clear()
            if isReset:
                conversation.link.cut()
            else:
                conversation.link.client.loseConnection()
            conversation.flush()
            self.assertEqual(events, [])
            self.assertEqual(self.factory.connections, set())

    def test_withoutHeader(self) -> None:
        """A check that only connects is told of as it is without a proxy: quietly."""
        events: list[Any] = []
        _, conversation = self.behind(b"", observer=EventLog(events.append, Clock()))
        conversation.link.client.written.clear()
        conversation.link.client.loseConnection()
        conversation.flush()
        self.assertEqual(
            [(event["failure"].code, event["level"]) for event in events], [("closed-in-handshake", "debug")]
        )

    def test_overTLS(self) -> None:
        """A check that goes on with TLS is a connection of the proxy's own."""
        seeing, conversation = self.behind(second(command=0x20, family=0))
        conversation.flush()
        (transport,) = seeing.transports
        assert transport.proxied is not None
        self.assertTrue(transport.proxied.isLocal)
        self.assertEqual(describeAddress(transport.getPeer()), PROXY)


class StrangerTests(BehindProxiesCase):
    """From any other address."""

    proxies = ("10.0.0.0/8", "2001:db8::/32")

    def test_plain(self) -> None:
        """A client that connects directly is served as if there were no proxy."""
        seeing, conversation = self.behind(b"")
        conversation.flush()
        (transport,) = seeing.transports
        self.assertEqual((describeAddress(transport.getPeer()), transport.proxied), (PROXY, None))

    def test_notBelieved(self) -> None:
        """A header is not believed: it is no TLS, and what to do about it is said."""
        for header in (second(FOUR), b"PROXY TCP4 10.0.0.1 10.0.0.1 1 2\r\n"):
            seeing, conversation = self.behind(header)
            conversation.flush()
            (failure,) = seeing.failures
            assert failure is not None
            self.assertEqual((failure.code, failure.peer), ("not-tls", PROXY))
            self.assertIn("PROXY header", failure.nextStep)
            self.assertIn("--proxy-from", failure.nextStep)

    def test_unix(self) -> None:
        """A UNIX socket has no address: its clients are proxies where that is said, and not otherwise."""
        for proxies, count in ((("unix",), 0), (("10.0.0.0/8",), 1)):
            self.proxies = proxies
            seeing, conversation = self.behind(b"", UNIXAddress(None))
            conversation.flush()
            self.assertEqual(len(seeing.transports), count)


class SettingTests(ConversationCase):
    """What is said in options and strings."""

    def setUp(self) -> None:
        super().setUp()
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("server.pem").chmod(0o600)

    def test_string(self) -> None:
        """An endpoint string's port has its TLS behind what reads the headers."""
        reactor: Any = MemoryReactorClock()
        string = "tlscomm:8443:identity=server.pem:clientCertificates=none:proxyFrom=10.0.0.0/8,unix:proxyProtocol=v2"
        self.successResultOf(serverFromString(reactor, string).listen(Factory.forProtocol(Protocol)))
        factory = reactor.tcpServers[0][1]
        self.assertIsInstance(factory, ProxiedFactory)
        self.assertEqual((factory._proxies.versions, len(factory._proxies.networks)), ((2,), 2))

    def test_files(self) -> None:
        """Files are asked for those that wait for a header too, once, and for none where no proxy is named."""
        reactor: Any = MemoryReactorClock()
        tcp = [TCP4ServerEndpoint(reactor, port) for port in (1, 2)]
        behind = {"proxyFrom": ["10.0.0.0/8"]}
        found = [acceptingBeforeTLS(each, {**behind, "upgrade": "postgresql"}) for each in tcp]
        self.assertEqual((filesBeforeTLS(found), filesBeforeTLS(tcp)), (MOST_AWAITED, 0))
        self.assertEqual(filesBeforeTLS([tcp[0], acceptingBeforeTLS(tcp[1], behind)]), MOST_AWAITED)

    def test_options(self) -> None:
        """So has each port of ``twistd tlscomm``."""
        reactor: Any = MemoryReactorClock()
        options = Options()
        words = "--identity server.pem --client-certificates none --listen tcp:1 --listen tcp:2 --proxy-from 10.0.0.0/8"
        options.parseOptions(words.split())
        service = makeService(options, reactor)
        service.startService()
        self.addCleanup(service.stopService)
        self.assertEqual([type(each[1]) for each in reactor.tcpServers], [ProxiedFactory] * 2)

    def test_readAgain(self) -> None:
        """A server that reads its configuration again believes others; the first and the last need a restart."""

        def write(more: str) -> None:
            text = 'listen = ["tcp:1"]\nidentity = ["server.pem"]\nclientCertificates = "none"\n'
            Path("a.toml").write_text(text + more)

        write('upgrade = "postgresql"\nproxyFrom = ["10.0.0.0/8"]\n')
        reactor: Any = MemoryReactorClock()
        options = Options()
        options.parseOptions(["--configuration", "a.toml"])
        server = makeService(options, reactor)
        server.startService()
        self.addCleanup(server.stopService)
        proxies = reactor.tcpServers[0][1]._proxies
        self.assertEqual([proxies.areAt("10.0.0.1"), proxies.areAt("192.0.2.7")], [True, False])
        write('upgrade = "postgresql"\nproxyFrom = ["192.0.2.0/24"]\nproxyProtocol = "v2"\n')
        self.assertIsNone(self.successResultOf(server.reload()).problem)
        self.assertEqual([proxies.areAt("10.0.0.1"), proxies.areAt("192.0.2.7")], [False, True])
        self.assertEqual(proxies.versions, (2,))
        write('upgrade = "postgresql"\n')
        with capturedLogs():
            refused = self.successResultOf(server.reload()).problem
        self.assertIn("proxyFrom has changed, which needs a restart", str(refused))
        self.assertTrue(proxies.areAt("192.0.2.7"))

    def test_incomplete(self) -> None:
        """Which versions are accepted says nothing without who may speak them."""
        string = "tlscomm:8443:identity=server.pem:clientCertificates=none:proxyProtocol=v2"
        refusal = self.assertRaises(ValueError, serverFromString, MemoryReactorClock(), string)
        self.assertIn("who may speak it", str(refusal))

    def test_withoutTLS(self) -> None:
        """In front of anything but TLS of tlscomm's it is refused."""
        reactor: Any = MemoryReactorClock()
        endpoint = ProxiedServerEndpoint(serverFromString(reactor, "tcp:1"), ["10.0.0.0/8"])
        self.assertRaises(TypeError, endpoint.listen, Factory.forProtocol(Protocol))
        over = TLSServerEndpoint(reactor, endpoint, serverConfiguration(access=AccessRules()))
        self.successResultOf(over.listen(Factory.forProtocol(Protocol)))
