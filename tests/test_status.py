"""What a server tells of itself: who is connected, who was refused and why, what expires."""

import io
import json
from pathlib import Path
from typing import Any

from test_service import CLIENT, ROOTS, SERVER, Client, Endpoint, Port
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.failures import Unreadable
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory
from tlscomm.operation._status import MOST_ROWS, Status
from tlscomm.server import Echo, Listener, TLSService
from tlscomm.serving._lines import JSONLines
from tlscomm.serving._observers import Observers
from tlscomm.serving._phases import ServerPhase
from tlscomm.testing import MemoryLink
from tlscomm.tracing import Tracing
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._reloadresult import ReloadResult

STRANGER = Authority.create("another authority").issue('<script>alert("x")</script>', role="client")


class StatusCase(SynchronousTestCase):
    """A server of one listener, and its status."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.log = EventLog(JSONLines(io.BytesIO(), self.clock), self.clock)
        self.status = Status(self.clock, self.log, lambda: [self.service], settings=lambda: {"main": {"listen": []}})
        self.service = TLSService(
            self.clock,
            ServerConfiguration(credential=SERVER, clientRoots=ROOTS),
            MessageFactory(Echo, clock=self.clock),
            [Listener("tcp:8443", Endpoint(succeed(Port(8443))))],
            self.log,
            observer=Observers(self.log, [self.status]),
            tracing=Tracing(refusedTraces=10),
        )
        self.service.setName("main")
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def connect(self, credential: Any = CLIENT, host: str = "192.0.2.1") -> MemoryLink:
        settings: Any = {"serverName": "localhost", "roots": ROOTS, "credential": credential}
        factory = TLSFactory(ClientConfiguration(**settings), MessageFactory(Client, clock=self.clock), self.clock)
        address = IPv4Address("TCP", host, 40001)
        server = self.service.factory.buildProtocol(address)
        assert server is not None
        link = MemoryLink(factory.buildProtocol(None), server, clientAddress=address)
        link.flush()
        self.clock.advance(DOUBT_SECONDS)
        link.flush()
        return link

    def snapshot(self, search: str = "") -> dict[str, Any]:
        asked: Deferred[dict[str, Any]] = self.status.snapshot(search)
        while not asked.called:
            self.clock.advance(0)
        found: dict[str, Any] = json.loads(json.dumps(self.successResultOf(asked)))
        return found


class Connections(StatusCase):
    def test_open(self) -> None:
        """Of each open connection there is who it is, by which TLS, for how long, and how much has passed."""
        self.connect()
        self.clock.advance(2)
        found = self.snapshot()
        (row,) = found["connections"]["list"]
        self.assertEqual(
            {name: row[name] for name in ("connection", "listener", "peer", "subject", "tls", "seconds", "rule")},
            {
                "connection": 1,
                "listener": "main",
                "peer": "192.0.2.1:40001",
                "subject": "CN=client",
                "tls": "TLSv1.3",
                "seconds": 2.0,
                "rule": None,
            },
        )
        self.assertEqual((found["connections"]["open"], found["connections"]["handshaking"]), (1, 0))
        self.assertEqual(found["listeners"][0]["addresses"], ["127.0.0.1:8443"])

    def test_handshaking(self) -> None:
        """A connection that shakes hands is counted, and not described: it is of a stranger."""
        self.service.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40001))
        found = self.snapshot()["connections"]
        self.assertEqual((found["open"], found["handshaking"], found["list"]), (0, 1, []))

    def test_search(self) -> None:
        """Those whose name or address has a text in it are found among all."""
        self.connect(host="192.0.2.1")
        self.connect(host="192.0.2.77")
        for text, addresses in (("2.77", ["192.0.2.77:40001"]), ("cn=CLIENT", None), ("nothing", [])):
            rows = self.snapshot(text)["connections"]["list"]
            expected = ["192.0.2.1:40001", "192.0.2.77:40001"] if addresses is None else addresses
            self.assertEqual(sorted(row["peer"] for row in rows), expected, text)

    def test_many(self) -> None:
        """No more are described than a person looks at, and other work is done in between."""
        link = self.connect()
        server = link.server.protocol
        self.service.factory.connections = [server] * (MOST_ROWS + 100)  # type: ignore[assignment]
        turns: list[object] = []
        self.patch(self.clock, "callLater", lambda _, step: turns.append(step))
        asked = self.status.snapshot()
        count = 0
        while not asked.called:
            turns.pop()()  # type: ignore[operator]
            count += 1
        self.assertEqual(len(self.successResultOf(asked)["connections"]["list"]), MOST_ROWS)
        self.assertGreater(count, 10)
        self.service.factory.connections = {server}


class Refusals(StatusCase):
    def test_explained(self) -> None:
        """A refusal is there with its cause, the certificate, the next step and whether its trace is kept."""
        self.connect(STRANGER)
        (refusal,) = self.snapshot()["refusals"]
        self.assertEqual(refusal["failure"]["code"], "incomplete-chain")
        self.assertEqual(
            (refusal["count"], refusal["network"], refusal["peer"]), (1, "192.0.2.0/24", "192.0.2.1:40001")
        )
        self.assertTrue(refusal["failure"]["nextStep"])
        self.assertTrue(refusal["traced"])
        trace = self.status.trace(refusal["connection"])
        assert trace is not None
        self.assertEqual(trace.verdict.code, "incomplete-chain")
        self.assertIsNone(self.status.trace(99))

    def test_oneStrangerTakesOneLine(self) -> None:
        """A stranger that is refused again and again does not push out the others."""
        self.connect(STRANGER, "198.51.100.7")
        for _ in range(30):
            self.connect(STRANGER)
        found = self.snapshot()["refusals"]
        self.assertEqual(
            [(each["network"], each["count"]) for each in found], [("192.0.2.0/24", 30), ("198.51.100.0/24", 1)]
        )

    def test_oneClientHidesNoOther(self) -> None:
        """Of clients in one network that are refused for one cause each has a line, unless there are too many."""
        strangers = Authority.create("another authority")
        for number in range(12):
            self.connect(strangers.issue(f"stranger {number}", role="client"))
        found = self.snapshot()["refusals"]
        self.assertEqual(len(found), 9)
        self.assertEqual(sum(each["count"] for each in found), 12)
        self.assertEqual(found[-1]["failure"]["certificate"]["subject"], "CN=stranger 0")
        self.assertEqual({each["listener"] for each in found}, {"main"})

    def test_bounded(self) -> None:
        """Strangers of however many networks leave a hundred lines."""
        link = self.connect(STRANGER)
        transport, failure = link.server.protocol, Unreadable("x")
        for number in range(300):
            transport.getPeer = lambda number=number: IPv4Address("TCP", f"10.{number % 256}.{number // 256}.1", 1)
            self.status.refused(transport, failure)
        self.assertEqual(len(self.snapshot()["refusals"]), 100)


class Whole(StatusCase):
    def test_phase(self) -> None:
        """It says where the server is in its life."""
        self.status.entered(ServerPhase.DRAINING)
        self.assertEqual(self.snapshot()["phase"], "draining")

    def test_reloads(self) -> None:
        """The last results of reading the configuration again are there, the latest first."""
        self.status.reloaded(ReloadResult(1_700_000_001.0, "files", changed=("server.pfx",)))
        self.status.reloaded(ReloadResult(1_700_000_002.0, "signal", Unreadable("ca.pem is a folder")))
        reloads = self.snapshot()["reloads"]
        self.assertEqual([(each["trigger"], each["taken"]) for each in reloads], [("signal", False), ("files", True)])
        self.assertEqual(reloads[0]["problem"]["code"], "unreadable")

    def test_expiries(self) -> None:
        """What expires is there with the days that are left, the identity first."""
        first = self.snapshot()["expiries"][0]
        self.assertEqual((first["listener"], first["kind"], first["name"]), ("main", "identity", "CN=server"))
        self.assertIsInstance(first["daysLeft"], float)

    def test_settings(self) -> None:
        """What was set is there."""
        self.assertEqual(self.snapshot()["settings"], {"main": {"listen": []}})


class Documented(StatusCase):
    """The names of the JSON are an interface, so the documentation has them all."""

    def test_names(self) -> None:
        """Each name of the object, of a connection and of a refusal is in the documentation."""
        page = (Path(__file__).parent.parent / "docs" / "operation-status.rst").read_text(encoding="utf-8")
        self.connect()
        self.connect(STRANGER)
        self.status.reloaded(ReloadResult(1_700_000_001.0, "files"))
        found = self.snapshot()
        named = [found, found["connections"], found["connections"]["list"][0], found["listeners"][0]]
        named += [found["refusals"][0], found["reloads"][0], found["expiries"][0]]
        named.append(dict.fromkeys(("worker", "phase", "pid", "open", "started", "restarts", "problem", "problemTime")))
        missing = [name for each in named for name in each if f"``{name}``" not in page]
        self.assertEqual(missing, [])
