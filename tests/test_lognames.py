"""The names of a log's events are those that the documentation has, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from conversation import STRANGER, ConversationCase, Side, clientConfiguration, serverConfiguration
from conversation import Recorder as Above
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.serving._lines import LOG_VERSION, JSONLines
from tlscomm.serving._logfile import LogRecords
from tlscomm.testing import MemoryLink
from tlscomm.tracing import Tracing
from tlscomm.transport import TLSFactory
from tlscomm.transport._eventlog import EventLog

PAGE = Path(__file__).parent.parent / "docs" / "operation-logs.rst"

#: What each event has.
COMMON = {"event", "version", "time", "level"}


def documented() -> dict[str, set[str]]:
    """Return the names that the documentation has for each event."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index(".. list-table::") : text.index("With ``--processes`` each event")]
    rows = re.findall(r"\* - ``(\w+)``\n +- .+?\n     - (.+?)(?=\n   \* -|\Z)", table, re.DOTALL)
    return {event: set(re.findall(r"``(\w+)``", names)) for event, names in rows}


class Stream:
    def __init__(self) -> None:
        self.content = b""
        self.isFull = False

    def write(self, data: bytes) -> int:
        if self.isFull:
            raise OSError(28, "No space left on device")
        self.content += data
        return len(data)


class _Applications(Factory):
    noisy = False

    def buildProtocol(self, addr: Any) -> Above:
        protocol = Above()
        protocol.side = Side(clientConfiguration(), Above, Clock())
        return protocol


class NameTests(ConversationCase):
    """Events as they are, beside the table of the documentation."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.stream = Stream()
        self.lines = JSONLines(self.stream, self.clock, lambda text: None)
        self.log = EventLog(self.lines, self.clock)

    def connect(self, factory: TLSFactory, **client: Any) -> None:
        transport: Any = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
        side = Side(clientConfiguration(**client), Above, self.clock)
        link = MemoryLink(side.transport, transport)
        link.flush()
        self.clock.advance(0.1)
        link.flush()
        link.cut()

    def happened(self) -> dict[str, set[str]]:
        """Have each event happen, and return the names that it has."""
        self.log.listening("127.0.0.1:8443")
        factory = TLSFactory(
            serverConfiguration(clientCertificates="requested"),
            _Applications(),
            self.clock,
            self.log,
            tracing=Tracing(refusedTraces=1),
        )
        self.connect(factory)
        self.connect(factory, credential=None)
        stranger = STRANGER.issue("x", role="client")
        for _ in range(13):
            self.connect(factory, credential=stranger)
        self.log.traced(factory.refusedTraces[0])
        self.log.tunnelled("127.0.0.1:1", "localhost:1", None, tls=None, bytesReceived=1, bytesSent=2)
        self.log.flush()
        LogRecords(self.lines)({"log_format": "something", "log_time": 1.0})
        self.stream.isFull = True
        for _ in range(3000):
            self.lines({"event": "listening", "time": "", "level": "info", "address": "x" * 1000})
        self.stream.isFull = False
        self.clock.advance(1)
        events = [json.loads(line) for line in self.stream.content.splitlines()]
        self.assertEqual({event["version"] for event in events}, {LOG_VERSION})
        return {event["event"]: set(event) for event in events}

    def test_everyName(self) -> None:
        """Each event that is documented happens, has the names that are documented, and there are no others."""
        self.assertEqual(
            {event: sorted(names - COMMON) for event, names in self.happened().items()},
            {event: sorted(names) for event, names in documented().items()},
        )
        for event, names in self.happened().items():
            self.assertLessEqual(COMMON, names, event)


class ExplainedTests(SynchronousTestCase):
    """What the names mean."""

    def test_explained(self) -> None:
        """Each name of the table is explained below it."""
        text = PAGE.read_text(encoding="utf-8")
        explained = set(re.findall(r"^``(.+)``$", text, re.MULTILINE))
        words = {word for line in explained for word in re.findall(r"\w+", line)}
        names = set().union(*documented().values()) - {"address", "namespace", "text"}
        self.assertEqual(names - words, set())
