"""What an operator's programs ask over HTTP: metrics, health, and what a stranger who asks gets."""

from __future__ import annotations

import json
import sys
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openMetrics
from prometheus_client.parser import text_string_to_metric_families as textMetrics
from test_counting import Turns
from test_service import CLIENT, ROOTS, SERVER, Endpoint, Port
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.endpoints import TLSServerEndpoint
from tlscomm.failures import CODES
from tlscomm.operation._counts import Counts
from tlscomm.operation._exposition import Exposition
from tlscomm.operation._metrictable import METRICS
from tlscomm.operation._operation import Operation
from tlscomm.server import CannotListen, Listener, Server, TLSService
from tlscomm.serving._observers import Observers
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


class HostPort(Port):
    """A port on an address."""

    def __init__(self, host: str) -> None:
        super().__init__(9180)
        self.host = host

    def getHost(self) -> Any:
        return UNIXAddress(self.host) if "/" in self.host else IPv4Address("TCP", self.host, 9180)


class SiteCase(SynchronousTestCase):
    """A server whose sites are in memory.

    Attributes:
        places: the settings that name sites.
    """

    places: dict[str, str] = {"metrics": "memory:1", "health": "memory:2"}

    def setUp(self) -> None:
        self.clock = Turns()
        self.clock.advance(1_700_000_000)
        self.below: dict[str, Endpoint] = {}
        self.server = self.serving(ServerConfiguration(credential=SERVER, clientRoots=ROOTS))

    def serving(self, configuration: ServerConfiguration, host: str = "127.0.0.1", **places: str) -> Server:
        log = EventLog(lambda event: None, self.clock)
        services: list[TLSService] = []
        self.operation = Operation(self.clock, places or self.places, log, lambda: services)

        def endpoint(place: str) -> Endpoint:
            self.below[place] = Endpoint(succeed(HostPort(host)))
            return self.below[place]

        observers = Observers(log, self.operation.observers)
        self.sites = self.operation.sites(endpoint)
        self.port = Port(8443)
        listener = Listener("tcp:8443", Endpoint(succeed(self.port)))
        services.append(
            TLSService(self.clock, configuration, Factory.forProtocol(Protocol), [listener], log, observer=observers)
        )
        services[0].setName("main")
        server = Server(self.clock, services, observers)
        assert self.sites is not None
        self.sites.setServiceParent(server)
        return server

    def ask(self, path: str, *fields: str, place: str = "memory:1", method: str = "GET") -> tuple[int, str, str]:
        """Return the status, the head and the body of an answer."""
        return answered(self.asking(path, *fields, place=place, method=method), self.clock)

    def portOf(self, place: str) -> HostPort:
        port: HostPort = self.below[place].answer.result
        return port

    def asking(self, path: str, *fields: str, place: str = "memory:1", method: str = "GET") -> StringTransport:
        request = "\r\n".join((f"{method} {path} HTTP/1.1", "Host: 127.0.0.1:9180", *fields, "", ""))
        return connected(self.below[place].factory, request.encode())


def connected(factory: Any, data: bytes = b"") -> StringTransport:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40001))
    transport = StringTransport()
    transport.protocol = protocol  # type: ignore[attr-defined]
    transport.abortConnection = lambda: protocol.connectionLost(Failure(ConnectionLost()))  # type: ignore[method-assign]
    protocol.makeConnection(transport)
    protocol.dataReceived(data)
    return transport


def answered(transport: StringTransport, clock: Turns) -> tuple[int, str, str]:
    for _ in range(1000):
        if transport.value():
            break
        clock.advance(Turns.SECONDS)
    head, _, body = transport.value().decode().partition("\r\n\r\n")
    return int(head.split()[1]), head, body


class Health(SiteCase):
    def test_life(self) -> None:
        """A server is not ready while it starts, while it drains and when it has stopped; it lives all the time."""
        self.server.privilegedStartService()
        told = [self.ask("/ready", place="memory:2")]
        self.server.startService()
        told.append(self.ask("/ready", place="memory:2"))
        self.assertEqual(self.ask("/live", place="memory:2")[::2], (200, '{"live": true}\n'))
        transport = self.asking("/ready", place="memory:2")
        self.operation.readiness.entered(type(self.server.phase).DRAINING)
        told.append(self.ask("/ready", place="memory:2"))
        self.assertEqual([status for status, *_ in told], [503, 200, 503])
        self.assertEqual(
            [json.loads(body) for *_, body in told],
            [
                {"ready": False, "phase": "starting", "reasons": ["the server is starting"]},
                {"ready": True, "phase": "ready", "reasons": []},
                {
                    "ready": False,
                    "phase": "draining",
                    "reasons": ["the server is stopping: no new connections are taken"],
                },
            ],
        )
        self.server.stopService()
        self.assertTrue(transport.disconnecting)

    def test_closesLast(self) -> None:
        """While connections have yet to end, the sites answer that the server is not ready; then they close."""
        self.server.startService()
        client = ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT)
        clients = TLSFactory(client, Factory.forProtocol(Protocol), self.clock)
        link = MemoryLink(clients.buildProtocol(None), self.server.listeners[0].factory.buildProtocol(None))
        for _ in range(3):
            link.flush()
            self.clock.advance(DOUBT_SECONDS)
        stopping = self.server.stopService()
        self.assertEqual(self.ask("/ready")[0], 503)
        self.assertNoResult(stopping)
        for _ in range(20):
            link.flush()
            self.clock.advance(1)
        self.successResultOf(stopping)
        self.assertFalse(self.portOf("memory:1").isOpen)

    def test_noPort(self) -> None:
        """A server none of whose ports is open is not ready."""
        self.server.startService()
        self.addCleanup(self.server.stopService)
        self.server.listeners[0].closePorts()
        self.assertEqual(json.loads(self.ask("/ready")[2])["reasons"], ["no port is open"])

    def test_expired(self) -> None:
        """A listener whose identity has expired is not ready, and says which one it is; one that is left will do."""
        self.server.startService()
        self.addCleanup(self.server.stopService)
        self.clock.advance(SERVER.certificate.not_valid_after_utc.timestamp() - self.clock.seconds() + 1)
        status, _, body = self.ask("/ready")
        self.assertEqual(
            (status, json.loads(body)["reasons"]), (503, ["the identity of the listener main has expired"])
        )

    def test_onlyHealth(self) -> None:
        """The place of the health check has nothing else."""
        self.server.startService()
        self.addCleanup(self.server.stopService)
        status, _, body = self.ask("/metrics", place="memory:2")
        self.assertEqual((status, body), (404, "There is nothing here. Ask for /live, /ready.\n"))


class Metrics(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def test_text(self) -> None:
        """Without a wish it is text, with all metrics of the table and those of the process."""
        status, head, body = self.ask("/metrics")
        self.assertEqual(status, 200)
        self.assertIn("Content-Type: text/plain; version=0.0.4", head)
        families = {family.name: family for family in textMetrics(body)}
        self.assertEqual({metric.name.removesuffix("_total") for metric in METRICS} - set(families), set())
        self.assertIn("process_resident_memory_bytes", families)
        self.assertIn("process_open_fds", families)
        results = {sample.labels["result"] for sample in families["tlscomm_handshakes"].samples}
        self.assertEqual(results, {"accepted", *CODES})

    def test_openMetrics(self) -> None:
        """Who asks for OpenMetrics gets it, and it is understood."""
        _, head, body = self.ask("/metrics", f"Accept: {OPENMETRICS},text/plain;q=0.5")
        self.assertIn("Content-Type: application/openmetrics-text", head)
        names = {family.name for family in openMetrics(body)}
        self.assertEqual({metric.name.removesuffix("_total") for metric in METRICS} - names, set())
        self.assertEqual(body.count("# EOF"), 1)

    def test_sameNumbers(self) -> None:
        """What was counted is what is exposed, histograms with their sums."""
        counts = self.operation.counting.counts
        counts.add("tlscomm_handshakes_total", ("expired", "local", "handshake", "TLSv1.3", "x25519"), 3)
        for seconds in (0.002, 0.3):
            counts.observe("tlscomm_handshake_duration_seconds", ("accepted",), seconds)
        body = self.ask("/metrics")[2]
        self.assertIn(
            'tlscomm_handshakes_total{group="x25519",result="expired",side="local",stage="handshake",version="TLSv1.3"}'
            " 3.0\n",
            body,
        )
        for bound, count in (("0.001", 0), ("0.0025", 1), ("0.25", 1), ("0.5", 2), ("+Inf", 2)):
            self.assertIn(
                f'tlscomm_handshake_duration_seconds_bucket{{le="{bound}",result="accepted"}} {float(count)}\n', body
            )
        self.assertIn('tlscomm_handshake_duration_seconds_sum{result="accepted"} 0.302\n', body)

    def test_together(self) -> None:
        """Those who scrape at the same time wait for one answer, and who goes away meanwhile harms none of them."""
        gathered: list[Deferred[Counts]] = []

        def gather() -> Deferred[Counts]:
            gathered.append(counting.gather())
            return gathered[-1]

        counting = self.operation.counting
        self.patch(self.resource, "_gather", gather)
        asking = [self.asking("/metrics") for _ in range(5)]
        asking[2].protocol.connectionLost(Failure(ConnectionLost()))  # type: ignore[attr-defined]
        del asking[2]
        self.assertEqual({answered(each, self.clock)[0] for each in asking}, {200})
        self.assertEqual(len(gathered), 1)
        self.assertEqual(self.ask("/metrics")[0], 200)
        self.assertEqual(len(gathered), 2)

    def test_oneAfterTheOther(self) -> None:
        """However often it is scraped, three quarters of the time are left for connections."""
        began = self.clock.seconds()
        for _ in range(10):
            self.ask("/metrics")
        each = len(METRICS) * Turns.SECONDS
        self.assertGreater(self.clock.seconds() - began, 9 * 4 * each)

    def test_broken(self) -> None:
        """Where the numbers cannot be told, that is said without a word of why, and it is logged."""
        self.patch(self.resource, "_gather", lambda: fail(ZeroDivisionError("secret")))
        status, _, body = self.ask("/metrics")
        self.assertEqual((status, body), (500, "The metrics cannot be told; the log says why.\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @property
    def resource(self) -> Any:
        return self.below["memory:1"].factory.wrappedFactory.resource.children[b"metrics"]


class Strangers(SiteCase):
    def setUp(self) -> None:
        super().setUp()
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def test_methods(self) -> None:
        """GET and HEAD are understood, and nothing else is."""
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
            status, head, _ = self.ask("/ready", method=method)
            self.assertEqual(status, 405)
            self.assertIn("Allow: GET, HEAD", head)
        self.assertEqual(self.ask("*", method="OPTIONS")[0], 405)
        for path in ("/ready", "/metrics"):
            status, head, body = self.ask(path, method="HEAD")
            self.assertEqual((status, body), (200, ""))
            self.assertIn("Content-Type: ", head)

    def test_heads(self) -> None:
        """No answer, errors included, says what runs here, or may be kept or framed."""
        for path, method in (("/metrics", "GET"), ("/ready", "GET"), ("/nothing", "GET"), ("/ready", "PUT")):
            _, head, body = self.ask(path, method=method)
            self.assertNotIn("Twisted", head + body.partition("build_info")[0])
            self.assertIn("Cache-Control: no-store", head)
            self.assertIn("X-Content-Type-Options: nosniff", head)
            self.assertIn("default-src 'none'", head)

    def test_bodies(self) -> None:
        """What a request brings along is thrown away, however much it is."""
        transport = self.asking("/ready", "Content-Length: 10000000000")
        (connection,) = self.below["memory:1"].factory.protocols
        for _ in range(100):
            connection.dataReceived(b"x" * 65536)
        (request,) = connection.wrappedProtocol._channel.requests
        self.assertEqual(request.content.tell(), 0)
        self.assertEqual(transport.value(), b"")

    def test_connections(self) -> None:
        """Strangers who keep their connections keep no program out: the oldest one gives way."""
        factory = self.below["memory:1"].factory
        silent = [connected(factory, b"GET / HT") for _ in range(200)]
        self.assertEqual(len(factory.protocols), 64)
        self.assertEqual(self.ask("/ready")[0], 200)
        self.assertEqual(len(silent), 200)

    def test_idle(self) -> None:
        """A connection on which nothing comes ends."""
        transport = connected(self.below["memory:1"].factory)
        self.clock.advance(80)
        self.assertTrue(transport.disconnecting)

    def test_longHeads(self) -> None:
        """A head without end is refused."""
        transport = connected(self.below["memory:1"].factory, b"GET /" + b"x" * 100_000)
        self.assertTrue(transport.disconnecting)

    def test_otherNames(self) -> None:
        """On a loopback address only names of this machine are asked for: a page whose name leads here gets nothing."""
        for host, status in (
            ("localhost:9180", 200),
            ("127.0.0.1", 200),
            ("[::1]:9180", 200),
            ("evil.example:9180", 421),
            ("127.0.0.1.evil.example", 421),
        ):
            transport = connected(
                self.below["memory:1"].factory, f"GET /ready HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            )
            self.assertEqual(answered(transport, self.clock)[0], status, host)

    def test_otherNamesElsewhere(self) -> None:
        """On another address the names are for the operator to choose."""
        self.server.stopService()
        self.serving(ServerConfiguration(credential=SERVER, clientRoots=ROOTS), "192.0.2.7").startService()
        transport = connected(self.below["memory:1"].factory, b"GET /live HTTP/1.1\r\nHost: metrics.example\r\n\r\n")
        self.assertEqual(answered(transport, self.clock)[0], 200)


class Places(SiteCase):
    def refused(self, host: str, place: str) -> str:
        configuration = ServerConfiguration(credential=SERVER, clientRoots=ROOTS)
        try:
            self.serving(configuration, host, status=place).startService()
        except (UsageError, CannotListen) as refused:
            return str(refused)
        return ""

    def test_private(self) -> None:
        """The status is on loopback addresses and Unix sockets, and is refused where strangers could come."""
        for host, place in (
            ("127.0.0.1", "tcp:9180:interface=127.0.0.1"),
            ("::1", r"tcp6:9180:interface=\:\:1"),
            ("/run/x.sock", "unix:/run/x.sock"),
        ):
            self.assertEqual(self.refused(host, place), "", place)
        for place in ("tcp:9180", "tcp6:9180", "tcp:9180:interface=192.0.2.7", "tcp:9180:interface=0.0.0.0"):
            self.assertRegex(self.refused("0.0.0.0", place), f"^--status {place}: the status names peers", place)

    def test_privateWhenOpened(self) -> None:
        """A socket that is handed over is looked at when it is open, before anyone is let in."""
        self.assertIn("the status names peers", self.refused("0.0.0.0", "systemd:domain=INET:index=0"))
        self.assertEqual(self.refused("127.0.0.1", "systemd:domain=INET:index=0"), "")

    def test_privateOverTLS(self) -> None:
        """Over TLS the status is served where client certificates are demanded, wherever that is."""
        for settings, isServed in (({"clientRoots": ROOTS}, True), ({"clientCertificates": "none"}, False)):
            configuration = ServerConfiguration(credential=SERVER, **settings)  # type: ignore[arg-type]
            below = Endpoint(succeed(HostPort("0.0.0.0")))
            endpoint = TLSServerEndpoint(self.clock, below, configuration)
            operation = Operation(self.clock, {"status": "tlscomm:9180"}, EventLog(print, self.clock), list)
            if isServed:
                self.assertIsNotNone(operation.sites(lambda place, it=endpoint: it))  # type: ignore[misc]
            else:
                self.assertRaises(UsageError, operation.sites, lambda place, it=endpoint: it)

    def test_onePlaceTwice(self) -> None:
        """A place that two settings name is one site with what both have."""
        configuration = ServerConfiguration(credential=SERVER, clientRoots=ROOTS)
        place = "tcp:9180:interface=127.0.0.1"
        server = self.serving(configuration, status=place, metrics=place)
        server.startService()
        self.addCleanup(server.stopService)
        self.assertEqual(
            {path: self.ask(path, place=place)[0] for path in ("/", "/status.json", "/metrics", "/live", "/ready")},
            {"/": 200, "/status.json": 200, "/metrics": 200, "/live": 200, "/ready": 200},
        )
        self.assertEqual(set(self.below), {"memory:1", "memory:2", place})

    def test_cannotListen(self) -> None:
        """A place that cannot be opened ends the start with what is wrong and what to do."""
        operation = Operation(self.clock, {"health": "tcp:9180"}, EventLog(print, self.clock), list)
        said: list[str] = []
        problem = CannotListenError("", 9180, OSError(98, "Address already in use"))
        sites = operation.sites(lambda place: Endpoint(fail(problem)), complain=said.append)
        assert sites is not None
        self.assertRaises(CannotListen, sites.privilegedStartService)
        self.assertIn("cannot listen on tcp:9180", said[0])
        self.assertIn("Next step: ", said[0])

    def test_noSites(self) -> None:
        """Where nothing is asked for, nothing looks on and nothing is served."""
        operation = Operation(self.clock, {}, EventLog(print, self.clock), list)
        self.assertEqual((operation.observers, operation.sites(lambda place: Endpoint(Deferred()))), ([], None))

    def test_notInstalled(self) -> None:
        """Without prometheus_client a server with metrics does not start, and says what to install."""
        self.addCleanup(sys.modules.__setitem__, "prometheus_client", sys.modules["prometheus_client"])
        sys.modules["prometheus_client"] = None  # type: ignore[assignment]
        refused = self.assertRaises(UsageError, Exposition)
        self.assertIn("Next step: Install it, with `pip install 'tlscomm[metrics]'`", str(refused))
