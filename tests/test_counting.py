"""What a running server counts of its connections."""

from __future__ import annotations

from typing import Any

from test_service import CLIENT, ROOTS, SERVER, Endpoint, Port
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.configuration._limitsettings import LIMITS
from tlscomm.failures import (
    CertificateFailure,
    CredentialFailure,
    Expired,
    IdleTimeout,
    NotExportable,
    StoreReadOnly,
    UnknownFormat,
)
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.operation import _counting
from tlscomm.operation._counting import Counting
from tlscomm.operation._counts import Counts
from tlscomm.plans._plan import Origin
from tlscomm.plans._planproblems import ConfigurationProblems, PlanProblem
from tlscomm.processes._commonreload import WorkerProblem
from tlscomm.server import Echo, Listener, TLSService
from tlscomm.serving._observers import Observers
from tlscomm.serving._phases import ServerPhase
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._reloadresult import ReloadResult

STRANGERS = Authority.create("another authority")
STRANGER = STRANGERS.issue("stranger", role="client")
HANDSHAKES = "tlscomm_handshakes_total"
DURATION = "tlscomm_handshake_duration_seconds"


class Speaking(MessageProtocol):
    """Says one thing."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.sendMessage(b"Hello")


class Turns(Clock):
    """A clock by which a turn of the reactor takes its time."""

    SECONDS = 0.001

    def callLater(self, when: float, what: Any, *args: Any, **named: Any) -> Any:
        return super().callLater(max(when, self.SECONDS), what, *args, **named)


class CountingCase(SynchronousTestCase):
    """A server of one listener, whose connections are counted.

    Attributes:
        settings: more of the server's configuration.
        maximumConnections: of the server.
    """

    settings: dict[str, Any] = {}
    maximumConnections: int | None = None

    def setUp(self) -> None:
        self.clock = Turns()
        self.clock.advance(1_700_000_000)
        log = EventLog(lambda event: None, self.clock)
        self.counting = Counting(self.clock, lambda: [self.service])
        self.counts = self.counting.counts
        self.service = TLSService(
            self.clock,
            ServerConfiguration(credential=SERVER, clientRoots=ROOTS, **self.settings),
            MessageFactory(Echo, framing="netstring", clock=self.clock),
            [Listener("tcp:8443", Endpoint(succeed(Port(8443))))],
            log,
            observer=Observers(log, [self.counting]),
            maximumConnections=self.maximumConnections,
        )
        self.service.setName("main")
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def clients(self, **settings: Any) -> TLSFactory:
        settings = {"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, **settings}
        messages = MessageFactory(Speaking, framing="netstring", clock=self.clock)
        return TLSFactory(ClientConfiguration(**settings), messages, self.clock)

    def connect(self, credential: Any = CLIENT, **settings: Any) -> MemoryLink:
        settings = {"serverName": "localhost", "roots": ROOTS, "credential": credential, **settings}
        factory = TLSFactory(
            ClientConfiguration(**settings), MessageFactory(Speaking, framing="netstring", clock=self.clock), self.clock
        )
        address = IPv4Address("TCP", "192.0.2.1", 40001)
        server = self.service.factory.buildProtocol(address)
        assert server is not None
        link = MemoryLink(factory.buildProtocol(None), server, clientAddress=address)
        for _ in range(3):
            link.flush()
            self.clock.advance(DOUBT_SECONDS)
        return link

    def gathered(self) -> Counts:
        asked = self.counting.gather()
        while not asked.called:
            self.clock.advance(Turns.SECONDS)
        return self.successResultOf(asked)

    def changed(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the numbers of a metric that are not 0."""
        return {labels: value for labels, value in self.gathered().values(name).items() if value}


class Handshakes(CountingCase):
    def test_accepted(self) -> None:
        """An accepted one is counted with its version and its group, and how long it took."""
        self.connect()
        self.assertEqual(self.changed(HANDSHAKES), {("accepted", "", "", "TLSv1.3", "X25519MLKEM768"): 1})
        self.assertEqual(self.counts.histograms(DURATION)[("accepted",)].count, 1)
        self.assertEqual(self.counts.histograms(DURATION)[("refused",)].count, 0)

    def test_refused(self) -> None:
        """A refused one is counted by its code, by who refused, and by how far it came."""
        self.connect(STRANGER)
        self.connect(minimumTLS="1.2", maximumTLS="1.2", credential=None)
        self.connect(roots=(STRANGERS.certificate,))
        self.assertEqual(
            self.changed(HANDSHAKES),
            {
                ("incomplete-chain", "local", "handshake", "TLSv1.3", "X25519MLKEM768"): 1,
                ("no-certificate", "local", "handshake", "TLSv1.2", "x25519"): 1,
                ("unknown-issuer", "remote", "handshake", "TLSv1.3", "X25519MLKEM768"): 1,
            },
        )
        self.assertEqual(self.counts.histograms(DURATION)[("refused",)].count, 3)

    def test_nothingAgreed(self) -> None:
        """Where nothing was agreed, version and group are empty."""
        server = self.service.factory.buildProtocol(None)
        assert server is not None
        link = MemoryLink(Protocol(), server)
        server.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        link.cut()
        self.assertEqual(self.changed(HANDSHAKES), {("not-tls", "local", "handshake", "", ""): 1})

    def test_timeOfARefusal(self) -> None:
        """How long a refusal took does not include the time in which the peer is left to read of it."""
        server = self.service.factory.buildProtocol(None)
        assert server is not None
        link = MemoryLink(Protocol(), server)
        self.clock.advance(3)
        server.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
        self.clock.advance(0.9)
        self.clock.advance(20)
        link.cut()
        histogram = self.counts.histograms(DURATION)[("refused",)]
        self.assertEqual((histogram.count, round(histogram.sum, 6)), (1, 3))

    def test_resumed(self) -> None:
        """One that resumes a session is counted as that too."""
        settings: Any = {"serverName": "localhost", "roots": ROOTS, "credential": CLIENT}
        factory = TLSFactory(
            ClientConfiguration(**settings), MessageFactory(Speaking, framing="netstring", clock=self.clock), self.clock
        )
        for _ in range(2):
            server = self.service.factory.buildProtocol(None)
            assert server is not None
            link = MemoryLink(factory.buildProtocol(None), server)
            for _ in range(3):
                link.flush()
                self.clock.advance(DOUBT_SECONDS)
            link.client.loseConnection()
            link.flush()
        self.assertEqual(self.changed("tlscomm_resumptions_total"), {(): 1})


class Hooked(CountingCase):
    settings = {"hook": lambda question: True}

    def test_agreed(self) -> None:
        """What was agreed is known of a handshake that is refused after the hook has answered, too."""
        self.connect(STRANGER)
        self.assertEqual(
            self.changed(HANDSHAKES), {("incomplete-chain", "local", "handshake", "TLSv1.3", "X25519MLKEM768"): 1}
        )


class Connections(CountingCase):
    def test_open(self) -> None:
        """The gauges say how many connections are open and under way, of which groups, and on how many ports."""
        self.connect()
        self.service.factory.buildProtocol(None)
        self.assertEqual(self.changed("tlscomm_connections"), {("main", "open"): 1, ("main", "handshaking"): 1})
        self.assertEqual(self.changed("tlscomm_peers"), {("X25519MLKEM768", "yes"): 1})
        self.assertEqual(self.changed("tlscomm_ports"), {("main",): 1})
        self.assertEqual(self.changed("tlscomm_incoming_connections_total"), {("main", "accepted"): 1})

    def test_traffic(self) -> None:
        """Bytes and messages of open connections are counted, and those of closed ones stay, each once."""
        links = [self.connect() for _ in range(3)]
        for _ in range(2):
            self.assertEqual(self.changed("tlscomm_messages_total"), {("received",): 3, ("sent",): 3})
        before = self.changed("tlscomm_bytes_total")
        links[0].client.abortConnection()
        links[1].server.abortConnection()
        for link in links:
            link.flush()
        self.assertEqual(self.changed("tlscomm_bytes_total"), before)
        self.assertEqual(self.changed("tlscomm_connections"), {("main", "open"): 1})

    def test_closed(self) -> None:
        """Those that have ended are counted by why they did, and by who has broken them off."""
        first, second = self.connect(), self.connect()
        first.client.protocol.loseConnection()
        first.flush()
        second.cut()
        self.assertEqual(
            self.changed("tlscomm_connections_closed_total"), {("in-order", ""): 1, ("reset", "remote"): 1}
        )

    def test_slices(self) -> None:
        """Many connections are looked at in several turns of the reactor, and who asks meanwhile gets the same."""
        self.patch(_counting, "_SLICE", 1)
        links = [self.connect() for _ in range(3)]
        asked = [self.counting.gather(), self.counting.gather()]
        turns = 0
        while not asked[0].called:
            turns += 1
            self.clock.advance(Turns.SECONDS)
            if links:
                links.pop().client.abortConnection()
        self.assertGreaterEqual(turns, 3)
        self.assertIs(self.successResultOf(asked[0]), self.successResultOf(asked[1]))
        self.assertEqual(self.changed("tlscomm_messages_total"), {("received",): 3, ("sent",): 3})


class Limited(CountingCase):
    maximumConnections = 1

    def test_limitHit(self) -> None:
        """A connection too many is counted as refused, and for its limit; it has no duration."""
        self.connect()
        self.assertIsNone(self.service.factory.buildProtocol(IPv4Address("TCP", "192.0.2.2", 40001)))
        self.assertEqual(self.changed("tlscomm_limits_hit_total"), {("maximumConnections",): 1})
        self.assertEqual(self.counts.value(HANDSHAKES, ("too-many-connections", "local", "connect", "", "")), 1)
        self.assertEqual(self.counts.histograms(DURATION)[("refused",)].count, 0)
        self.assertEqual(self.changed("tlscomm_connections_limit"), {(): 1})


class OfTheServer(CountingCase):
    def test_reloads(self) -> None:
        """Reloads are counted by what came of them, and when the configuration in use was read is told."""
        self.counting.reloaded(ReloadResult(self.clock.seconds(), "files", Expired()))
        self.counting.reloaded(ReloadResult(self.clock.seconds(), "files", ValueError("?")))
        problems = [PlanProblem(Origin(), "?"), PlanProblem.of(Origin(), UnknownFormat())]
        self.counting.reloaded(ReloadResult(self.clock.seconds(), "files", ConfigurationProblems(problems)))
        mistake = ConfigurationProblems(problems[:1])
        for problem in (mistake, WorkerProblem(str(mistake), mistake.code), WorkerProblem("?", "")):
            self.counting.reloaded(ReloadResult(self.clock.seconds(), "files", problem))
        found = {("expired",): 1, ("unknown-format",): 1, ("configuration",): 2, ("other",): 2}
        self.assertEqual(self.changed("tlscomm_config_reloads_total"), found)
        self.assertEqual(self.counts.value("tlscomm_config_last_reload_successful"), 0)
        self.assertEqual(self.counts.value("tlscomm_config_last_reload_success_timestamp_seconds"), 1_700_000_000)
        self.clock.advance(10)
        self.counting.reloaded(ReloadResult(self.clock.seconds(), "signal"))
        self.assertEqual(self.counts.value("tlscomm_config_last_reload_successful"), 1)
        self.assertEqual(
            self.counts.value("tlscomm_config_last_reload_success_timestamp_seconds"), self.clock.seconds()
        )

    def test_readingsThatCanBe(self) -> None:
        """Reloads have a result for each end that a reading can have, and none for what only connections end in."""
        results = {result for (result,) in self.counts.values("tlscomm_config_reloads_total")}
        codes = results - {"taken", "configuration", "other"}
        self.assertEqual(results - codes, {"taken", "configuration", "other"})
        stored = {failure.code for failure in (NotExportable, StoreReadOnly)}
        credentials = {failure.code for failure in CredentialFailure.__subclasses__()} - stored
        certificates = {failure.code for failure in CertificateFailure.__subclasses__()}
        self.assertEqual(codes - certificates, credentials)
        self.assertLess(len(results), 21)

    def test_phase(self) -> None:
        """The phase is the one value that is 1."""
        self.counting.entered(ServerPhase.READY)
        self.counting.entered(ServerPhase.DRAINING)
        self.assertEqual(self.changed("tlscomm_phase"), {("draining",): 1})

    def test_delay(self) -> None:
        """While the server runs, it is looked at each second how late the process is."""
        before = len(self.clock.getDelayedCalls())
        self.counting.entered(ServerPhase.READY)
        self.counting.entered(ServerPhase.RELOADING)
        self.counting.entered(ServerPhase.READY)
        self.clock.advance(1)
        self.clock.advance(1.5)
        histogram = self.counts.histograms("tlscomm_reactor_delay_seconds")[()]
        self.assertEqual((histogram.count, round(histogram.sum, 6)), (2, 0.5))
        self.counting.entered(ServerPhase.STOPPED)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_notAfter(self) -> None:
        """What expires is told by listener, kind and place, with our own names."""
        found = self.changed("tlscomm_not_after_timestamp_seconds")
        at = SERVER.certificate.not_valid_after_utc.timestamp()
        self.assertEqual(found["main", "identity", "1", "CN=server"], at)
        self.assertIn(("root", "1"), {labels[1:3] for labels in found})
        other = Authority.create("other").issue("renewed", role="server", dnsNames=["localhost"])
        self.service.reconfigure(ServerConfiguration(credential=other, clientRoots=ROOTS))
        names = {labels[3] for labels in self.changed("tlscomm_not_after_timestamp_seconds")}
        self.assertIn("CN=renewed", names)
        self.assertNotIn("CN=server", names)

    def test_process(self) -> None:
        """The time and the memory that the process has taken are told."""
        self.assertGreater(self.gathered().value("tlscomm_processes_cpu_seconds_total"), 0)
        self.assertGreater(self.counts.value("tlscomm_processes_resident_memory_bytes"), 1 << 20)

    def test_eventsLost(self) -> None:
        """Events that could not be written are counted."""
        lost = 3
        counting = Counting(self.clock, list, lambda: lost)
        for _ in range(2):
            gathering = counting.gather()
            self.clock.advance(Turns.SECONDS)
            self.assertEqual(self.successResultOf(gathering).value("tlscomm_log_events_lost_total"), 3)

    def test_limits(self) -> None:
        """A connection that a limit ends is counted for the setting that it is, and each of them can be."""
        limits = {each.name for each in LIMITS} - {"addressPrefix"} | {"proxyFrom"}
        self.assertEqual({limit for (limit,) in self.counts.values("tlscomm_limits_hit_total")}, limits)
        link = self.connect()
        (transport,) = self.service.factory.connections
        transport.closeBecause(IdleTimeout(limit="idleTimeout"))
        link.cut()
        self.assertEqual(self.changed("tlscomm_limits_hit_total"), {("idleTimeout",): 1})

    def test_build(self) -> None:
        """What runs here is told, once."""
        ((version, *_),) = self.changed("tlscomm_build_info")
        self.assertTrue(version)
