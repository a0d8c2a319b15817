"""What is written of the connections of a server: by endpoints without an observer, and of refused ones in a flood."""

from __future__ import annotations

import errno
import io
import json
import os
from typing import Any

from conversation import ConversationCase, clientConfiguration, serverConfiguration
from logs import logged
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ServerConfiguration
from tlscomm.endpoints import TLSServerEndpoint
from tlscomm.failures import NoCertificate, TooManyConnections, UnknownIssuer
from tlscomm.serving._lines import JSONLines
from tlscomm.transport import TLSFactory
from tlscomm.transport._eventlog import EventLog, writeText
from tlscomm.transport._observer import ClientObserver
from tlscomm.transport._refusallimit import RefusalLimit, TracebackLimit, networkOf

PORT = IPv4Address("TCP", "127.0.0.1", 8443)


class Below:
    """An endpoint that keeps the factory."""

    def listen(self, protocolFactory: Any) -> Any:
        self.factory = protocolFactory

        class Port:
            def getHost(self) -> IPv4Address:
                return PORT

        return succeed(Port())


class EndpointTests(ConversationCase):
    """A program that uses a server's endpoint, and names no observer."""

    def listening(self, configuration: ServerConfiguration) -> Any:
        below: Any = Below()
        endpoint = TLSServerEndpoint(Clock(), below, configuration)
        self.successResultOf(endpoint.listen(Factory.forProtocol(Protocol)))
        return below.factory

    def test_sameEvents(self) -> None:
        """The namespace ``tlscomm`` has the events of ``twistd tlscomm``: its names, fields, levels and sentences."""
        with logged("tlscomm") as events:
            factory = self.listening(serverConfiguration())
            self.opened(server=factory.buildProtocol(None)).link.cut()
            self.opened(server=factory.buildProtocol(None), client={"credential": None})
        told = [(each["event"], each["log_level"].name) for each in events if "event" in each]
        self.assertEqual(
            told, [("listening", "info"), ("authenticated", "info"), ("closed", "warn"), ("refused", "warn")]
        )
        _, authenticated, closed, refused = [each for each in events if "event" in each]
        self.assertEqual((authenticated["connection"], authenticated["peer"]), (1, "127.0.0.1:40001"))
        self.assertEqual(authenticated["certificate"].commonName, "client")
        self.assertEqual((closed["failure"].code, refused["failure"].code), ("reset", "no-certificate"))
        self.assertTrue(
            str(formatEvent(refused)).startswith("connection 2 from 127.0.0.1:40001 refused, no-certificate: ")
        )

    def test_later(self) -> None:
        """An event that an observer keeps can be put in words when its connection is gone."""
        with logged("tlscomm") as events:
            self.opened(server=self.listening(serverConfiguration()).buildProtocol(None)).link.cut()
        said = [str(formatEvent(each)) for each in events if "event" in each]
        self.assertRegex(said[1], r"^connection 1 from 127.0.0.1:40001 authenticated: CN=client, TLSv1.3, TLS_\w+$")
        self.assertRegex(
            said[2], r"^connection 1 from 127.0.0.1:40001 closed \(0 bytes received, 0 bytes sent\), reset: "
        )

    def test_client(self) -> None:
        """A client's program learns all from ``connect()``, and nothing of it is written."""
        self.assertIsInstance(
            TLSFactory(clientConfiguration(), Factory.forProtocol(Protocol), Clock()).observer, ClientObserver
        )


class OpenServerTests(SynchronousTestCase):
    """A server that lets in every client."""

    def warned(self, configuration: ServerConfiguration) -> list[str]:
        with logged("tlscomm") as events:
            TLSFactory(configuration, Factory.forProtocol(Protocol), Clock()).doStart()
        return [str(formatEvent(each)) for each in events if each["log_level"] is LogLevel.warn]

    def test_undecided(self) -> None:
        """It is warned of at the start, where neither authorities nor their absence were written."""
        settings: dict[str, Any] = {"credential": serverConfiguration().credential}
        for configuration in (
            ServerConfiguration(**settings),
            ServerConfiguration(**settings).withProtocols([b"http/1.1"]),
        ):
            (line,) = self.warned(configuration)
            self.assertIn("every client is let in and none is authenticated", line)
            self.assertIn("--client-certificates none", line)

    def test_decided(self) -> None:
        """Where it was written that none are asked for, or who may issue them, there is nothing to warn of."""
        credential = serverConfiguration().credential
        for configuration in (
            ServerConfiguration(credential=credential, clientCertificates="none"),
            serverConfiguration(),
            serverConfiguration(clientCertificates="requested"),
        ):
            self.assertEqual(self.warned(configuration), [])


class HealthCheckTests(SynchronousTestCase):
    """What looks whether the port is open."""

    def refused(self, said: bytes, reason: Exception) -> Any:
        """Return the events of a client that says something and goes away."""
        events: list[dict[str, Any]] = []
        log = EventLog(events.append, Clock())
        server = TLSFactory(serverConfiguration(), Factory.forProtocol(Protocol), Clock(), log).buildProtocol(PORT)
        assert server is not None
        server.makeConnection(StringTransport())
        if said:
            server.dataReceived(said)
        server.connectionLost(Failure(reason))
        return events[0]

    def test_silent(self) -> None:
        """One that closes or resets without a word is for those who debug; it is an event all the same."""
        for reason in (ConnectionDone(), ConnectionLost()):
            event = self.refused(b"", reason)
            self.assertEqual((event["event"], event["level"]), ("refused", "debug"))
        with logged("tlscomm") as events:
            writeText({**event, "time": ""})
        self.assertIs(events[0]["log_level"], LogLevel.debug)

    def test_spoken(self) -> None:
        """One that has begun a handshake is a warning."""
        self.assertEqual(self.refused(b"\x16\x03\x01", ConnectionDone())["level"], "warn")


class RefusalLimitTests(SynchronousTestCase):
    """Refused connections in a flood: few lines, and the count is right."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.limit = RefusalLimit(self.events.append, self.clock)
        self.number = 0

    def refuse(
        self, count: int, network: str = "192.0.2.0/24", failure: Any = NoCertificate, level: str = "warn"
    ) -> None:
        for _ in range(count):
            self.number += 1
            event = {"event": "refused", "level": level, "connection": self.number, "failure": failure()}
            self.limit.refused(event, network)

    def counted(self) -> int:
        return sum(event.get("count", 1) for event in self.events)

    def test_beyondTen(self) -> None:
        """Ten are written in full; then one summary a second has the number of the others, and the last of them."""
        self.refuse(1000)
        self.assertEqual(len(self.events), 10)
        self.clock.advance(1)
        summary = self.events[10]
        self.assertEqual(
            (summary["event"], summary["count"], summary["network"], summary["connection"]),
            ("refusals", 990, "192.0.2.0/24", 1000),
        )
        for _ in range(20):
            self.refuse(25)
            self.clock.advance(0.5)
        self.clock.advance(1)
        self.assertLessEqual(len(self.events), 11 + 11)
        self.assertEqual(self.counted(), 1500)

    def test_causesAndNetworks(self) -> None:
        """Each cause and each network has its own ten."""
        self.refuse(11)
        self.refuse(1, failure=UnknownIssuer)
        self.refuse(1, network="198.51.100.0/24")
        self.assertEqual(len(self.events), 12)

    def test_healthChecks(self) -> None:
        """What is there for those who debug hides nothing of the same cause and network that is a warning."""
        self.refuse(11, level="debug")
        self.refuse(1)
        self.refuse(1, level="debug")
        self.clock.advance(1)
        self.assertEqual([each["connection"] for each in self.events if each["level"] == "warn"], [12])
        self.assertEqual(self.counted(), 13)

    def test_alone(self) -> None:
        """One that stands for itself alone is written as it is, a second later at most."""
        self.refuse(11)
        self.clock.advance(1)
        self.assertEqual((self.events[10]["event"], self.events[10]["connection"]), ("refused", 11))

    def test_quiet(self) -> None:
        """After ten quiet seconds a cause and a network begin anew."""
        self.refuse(11)
        self.clock.advance(1)
        self.clock.advance(10)
        self.refuse(10)
        self.assertEqual(len(self.events), 21)

    def test_bounded(self) -> None:
        """Of many networks few are remembered; the others share one summary for each cause, and all are counted."""
        for number in range(5000):
            self.refuse(1, network=f"network {number}")
        self.clock.advance(1)
        self.assertEqual(len(self.limit._places), 256)
        self.assertEqual((len(self.events), self.counted()), (256 + 10 + 1, 5000))
        self.assertEqual(self.events[-1]["network"], "other networks")
        self.clock.advance(10)
        self.refuse(1)
        self.assertEqual(len(self.limit._places), 1)

    def test_stopped(self) -> None:
        """What was withheld when the server stops is written then, and no timer is left behind."""
        self.refuse(15)
        self.limit.flush()
        self.assertEqual(self.counted(), 15)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bothForms(self) -> None:
        """The text and the JSON have the same summary."""
        stream = io.BytesIO()
        for write in (writeText, JSONLines(stream, self.clock)):
            log = EventLog(write, self.clock)
            factory = TLSFactory(serverConfiguration(), Factory.forProtocol(Protocol), self.clock, log, 0)
            with logged("tlscomm") as events:
                for port in range(100):
                    factory.buildProtocol(IPv6Address("TCP", "2001:db8:1:2::3", port))
                self.clock.advance(1)
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        self.assertEqual(
            (len(lines), lines[10]["count"], lines[10]["network"], lines[10]["failure"]["code"], lines[10]["level"]),
            (11, 90, "2001:db8:1::/48", "too-many-connections", "warn"),
        )
        with logged("tlscomm") as events:
            writeText({**lines[10], "failure": TooManyConnections("0 are open")})
        self.assertTrue(
            str(formatEvent(events[0])).startswith(
                "90 more connections from 2001:db8:1::/48 refused; the last one, connection 100 from "
                "[2001:db8:1:2::3]:99: too-many-connections: "
            )
        )

    def test_tracebacks(self) -> None:
        """The traceback of a hook that refuses by being broken is logged ten times, and then once a second."""
        limit = TracebackLimit(self.clock)
        self.assertEqual(sum(limit.allows() for _ in range(1000)), 10)
        allowed = 0
        for _ in range(10):
            self.clock.advance(0.5)
            allowed += sum(limit.allows() for _ in range(100))
        self.assertEqual(allowed, 5)
        self.clock.advance(3600)
        self.assertEqual(sum(limit.allows() for _ in range(1000)), 10)

    def test_countedTracebacks(self) -> None:
        """Of what raises for each peer ten tracebacks are logged, then one a second, and how many were left out."""
        limit, written = TracebackLimit(self.clock), list[int]()
        with logged("tlscomm") as events:
            for number in range(100):
                limit.log(lambda number=number: written.append(number))  # type: ignore[misc]
            self.clock.advance(1)
            for number in range(100, 200):
                limit.log(lambda number=number: written.append(number))  # type: ignore[misc]
        self.assertEqual(written, [*range(10), 100])
        (event,) = events
        self.assertEqual(formatEvent(event), "90 tracebacks like the one that follows were left out")

    def test_networks(self) -> None:
        """A network is that of a site: 24 bits of IPv4, also in IPv6, and 48 of IPv6."""
        for address, network in (
            (IPv4Address("TCP", "192.0.2.77", 1), "192.0.2.0/24"),
            (IPv6Address("TCP", "::ffff:192.0.2.77", 1), "192.0.2.0/24"),
            (IPv6Address("TCP", "2001:db8:1:2::3", 1), "2001:db8:1::/48"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::/48"),
            (UNIXAddress("/run/socket"), "this machine"),
            (None, "an unknown network"),
        ):
            self.assertEqual(networkOf(address), network)


class Stream:
    """A stream without a buffer, that takes what it is told to.

    Attributes:
        takes: bytes of each piece; or what it raises.
        content: what it has taken.
    """

    def __init__(self, takes: Any = 1 << 20) -> None:
        self.takes = takes
        self.content = b""

    def write(self, piece: bytes) -> int:
        if isinstance(self.takes, Exception):
            raise self.takes
        self.content += piece[: self.takes]
        return len(piece[: self.takes])

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.content.splitlines()]


class JSONLinesTests(SynchronousTestCase):
    """The events as lines of JSON, on a stream that may take nothing."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stream = Stream()
        self.write = JSONLines(self.stream, self.clock)

    def test_atOnce(self) -> None:
        """A line is written when the event happens, and nothing is left to be done."""
        self.write({"event": "one"})
        self.assertEqual(self.stream.content, b'{"event": "one", "version": 1}\n')
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_inPieces(self) -> None:
        """A stream that takes little gets every line whole, in its order."""
        self.stream.takes = 3
        for number in range(5):
            self.write({"event": number})
        self.assertEqual([event["event"] for event in self.stream.events()], [0, 1, 2, 3, 4])

    def test_broken(self) -> None:
        """Where writing fails, the log says so once, lines wait, and are written when it works again."""
        for problem in (
            OSError(errno.ENOSPC, "No space left on device"),
            BrokenPipeError(32, "Broken pipe"),
            ValueError(),
        ):
            stream = Stream(problem)
            write = JSONLines(stream, self.clock)
            with logged() as events:
                for number in range(3):
                    write({"event": number})
                    self.clock.advance(1)
            self.assertEqual(len(events), 1)
            self.assertIn("events are lost beyond 1024 KiB", str(formatEvent(events[0])))
            stream.takes = 1 << 20
            self.clock.advance(1)
            self.assertEqual([event["event"] for event in stream.events()], [0, 1, 2])
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """What waits is bounded. What was lost is counted, and the number stands where the lines are missing."""
        self.stream.takes = 0
        for number in range(3000):
            self.write({"event": "e", "number": number, "what": "x" * 1000})
        self.stream.takes = 1 << 20
        with logged() as events:
            self.clock.advance(1)
        self.write({"event": "after"})
        *written, lost, after = self.stream.events()
        self.assertEqual([event["number"] for event in written], list(range(len(written))))
        self.assertEqual((lost["event"], lost["count"] + len(written)), ("lost", 3000))
        self.assertLessEqual(len(written), 1024)
        self.assertEqual(after["event"], "after")
        self.assertIn("events were lost", str(formatEvent(events[0])))

    def test_fullPipe(self) -> None:
        """A pipe whose reader is slow is not waited for; lines longer than it takes at once arrive whole."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        with open(writing, "wb", buffering=0) as stream:
            write = JSONLines(stream, self.clock)
            for number in range(100):
                write({"event": number, "what": "x" * 10_000})
            content = b""
            while self.clock.getDelayedCalls():
                content += os.read(reading, 1 << 20)
                self.clock.advance(1)
        while piece := os.read(reading, 1 << 20):
            content += piece
        self.assertEqual([json.loads(line)["event"] for line in content.splitlines()], list(range(100)))

    def test_finish(self) -> None:
        """At the end what waits is written, where the stream takes it."""
        self.stream.takes = 0
        self.write({"event": 1})
        self.stream.takes = 5
        self.write.finish()
        self.assertEqual(len(self.stream.events()), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
