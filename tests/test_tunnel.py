"""The client's end of a tunnel: where it listens, what it says of each connection, and how it stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from conversation import AUTHORITY, CLIENT, ROOTS, SERVER, HalfCloseable, Side, clientConfiguration, serverConfiguration
from test_twistd import LISTEN, PATIENCE, Server, python, write
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from tlscomm.commandline import program
from tlscomm.configuration import Configuration, Deadlines
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.relaying._places import isLoopback, privately, staysHere
from tlscomm.server import CannotListen, Listener
from tlscomm.server._tunnel import Tunnel
from tlscomm.testing import MemoryLink
from tlscomm.transport._eventlog import EventLog
from tlscomm.x509._encoding import pem

LIMITS = Deadlines(write=3600.0)
LOOPBACK = IPv4Address("TCP", "127.0.0.1", 5432)


class Listening:
    """A server endpoint in memory, and its port."""

    def __init__(self, address: Any = LOOPBACK, problem: Exception | None = None) -> None:
        self.address = address
        self.problem = problem
        self.factory: Any = None
        self.stops = 0

    def listen(self, factory: Any) -> Deferred[Any]:
        self.factory = factory
        return succeed(self) if self.problem is None else fail(self.problem)

    def getHost(self) -> Any:
        return self.address

    def stopListening(self) -> None:
        self.stops += 1


@implementer(IStreamClientEndpoint)
class ToServer:
    """Connects to a server over TLS in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.sides: list[Side] = []
        self.links: list[MemoryLink] = []
        self.problem: Exception | None = None

    def connect(self, factory: Any) -> Deferred[Any]:
        if self.problem is not None:
            return fail(self.problem)
        protocol = factory.buildProtocol(None)
        side = Side(serverConfiguration(deadlines=LIMITS), HalfCloseable, self.clock)
        self.sides.append(side)
        self.links.append(MemoryLink(protocol, side.transport))
        return succeed(protocol)


class TunnelCase(SynchronousTestCase):
    """A test with a tunnel in memory.

    Attributes:
        events: what is logged.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.below = ToServer(self.clock)

    def tunnel(self, *listening: Any, configuration: Configuration | None = None, **settings: Any) -> Tunnel:
        listeners = [Listener("the place", each) for each in listening or (Listening(),)]
        server = TLSClientEndpoint(self.clock, self.below, configuration or clientConfiguration(deadlines=LIMITS))
        log = EventLog(self.events.append, self.clock)
        return Tunnel(self.clock, server, "localhost:1", listeners, log, complain=self.complaints.append, **settings)

    def started(self, **settings: Any) -> Tunnel:
        self.listening = Listening()
        tunnel = self.tunnel(self.listening, **settings)
        tunnel.startService()
        return tunnel

    def dial(self) -> tuple[Any, Any]:
        """Connect a program to the tunnel, and return it and its link."""
        near = self.listening.factory.buildProtocol(None)
        program = Program()
        if near is None:
            return program, None
        link = MemoryLink(program, near)
        self.flush(link)
        return program, link

    def flush(self, *links: Any) -> None:
        for _ in range(4):
            for link in (*links, *self.below.links):
                link.flush()
            # A client waits a moment whether a refusal follows.
            self.clock.advance(0.02)

    @property
    def said(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "tunnelled"]


class Program(HalfCloseable):
    """What connects to a tunnel, as a side of its own."""

    def __init__(self) -> None:
        self.side: Any = self
        self.events: list[str] = []
        self.received = bytearray()
        self.lost: list[BaseException] = []


class ListenTests(TunnelCase):
    """Where a tunnel listens."""

    def test_thisMachine(self) -> None:
        """It listens for programs of its machine, and says where."""
        places = (LOOPBACK, IPv6Address("TCP", "::1", 1), UNIXAddress("/run/my.sock"))
        for address in places:
            self.tunnel(Listening(address)).startService()
        said = [event["address"] for event in self.events]
        self.assertEqual(said, ["127.0.0.1:5432", "[::1]:1", "unix:/run/my.sock"])

    def test_otherMachines(self) -> None:
        """It does not for others: the port is closed at once, and what to do instead is said."""
        for host in ("0.0.0.0", "10.0.0.1", "::"):
            address = (IPv6Address if ":" in host else IPv4Address)("TCP", host, 1)
            first, second = Listening(), Listening(address)
            self.assertRaises(CannotListen, self.tunnel(first, second).startService)
            self.assertEqual((first.stops, second.stops), (1, 1))
            self.assertIn("--insecure-listen-plain", self.complaints[-1])

    def test_insecurely(self) -> None:
        """Unless that is meant."""
        self.tunnel(Listening(IPv4Address("TCP", "0.0.0.0", 1)), insecureListenPlain=True).startService()
        self.assertEqual(self.complaints, [])

    def test_taken(self) -> None:
        """A place that cannot be had is named."""
        refused = CannotListenError("127.0.0.1", 1, OSError(98, "Address already in use"))
        self.assertRaises(CannotListen, self.tunnel(Listening(problem=refused)).startService)
        self.assertIn("cannot listen on the place", self.complaints[0])

    def test_private(self) -> None:
        """A Unix socket is its user's alone, unless the string says otherwise."""
        self.assertEqual(privately("unix:/run/my.sock"), "unix:/run/my.sock:mode=600")
        for place in ("unix:/run/my.sock:mode=666", "unix:/run/my.sock:660", "tcp:1:interface=127.0.0.1", "systemd:x"):
            self.assertEqual(privately(place), place)

    def test_tooMany(self) -> None:
        """A program that comes when there are as many as there may be is turned away."""
        self.started(maximumConnections=1)
        self.dial()
        self.assertIsNone(self.dial()[1])


class LineTests(TunnelCase):
    """What is said of each connection, when it has ended."""

    def test_inOrder(self) -> None:
        """One line, with what went through and what was agreed."""
        self.started()
        program, link = self.dial()
        program.transport.write(b"question")
        program.transport.loseWriteConnection()
        self.flush(link)
        (side,) = self.below.sides
        self.assertEqual((side.received, side.events[-1]), (b"question", "read end"))
        side.transport.write(b"answer")
        side.transport.loseConnection()
        self.flush(link)
        self.assertEqual(program.received, b"answer")
        (event,) = self.said
        self.assertEqual((event["failure"], event["server"], event["tls"].version), (None, "localhost:1", "TLSv1.3"))
        self.assertEqual((event["bytesReceived"], event["bytesSent"], event["level"]), (8, 6, "info"))

    def test_noServer(self) -> None:
        """Where there is no server, the program is cut at once, and the line has the name."""
        self.below.problem = ConnectionRefusedError()
        self.started()
        program, link = self.dial()
        self.flush(link)
        (event,) = self.said
        self.assertEqual((event["failure"].code, event["tls"], event["level"]), ("connect-failed", None, "warn"))
        self.assertFalse(link.client.connected)
        self.assertNotIn("read end", program.events)

    def test_refused(self) -> None:
        """So it has where one side refuses the other."""
        self.listening = Listening()
        configuration = clientConfiguration(credential=None, deadlines=LIMITS)
        self.tunnel(self.listening, configuration=configuration).startService()
        _, link = self.dial()
        self.flush(link)
        self.assertEqual([event["failure"].code for event in self.said], ["no-certificate"])

    def test_programCut(self) -> None:
        """A program that is cut has the server cut too, without close_notify."""
        self.started()
        program, link = self.dial()
        program.transport.write(b"half a quest")
        self.flush(link)
        link.cut()
        self.flush()
        (side,) = self.below.sides
        self.assertEqual([event["failure"].code for event in self.said], ["reset"])
        self.assertIn("the program that had connected", str(self.said[0]["failure"]))
        self.assertNotIn("read end", side.events)
        self.assertEqual(side.failure.code, "reset")

    def test_flood(self) -> None:
        """A program that tries without end does not fill the log."""
        self.below.problem = ConnectionRefusedError()
        self.started()
        for _ in range(300):
            _, link = self.dial()
            self.flush(link)
        self.clock.advance(1)
        self.assertLess(len(self.events), 60)
        counted = sum(event.get("count", 1) for event in self.events if event.get("failure"))
        self.assertEqual(counted, 300)


class StopTests(TunnelCase):
    """How a tunnel stops."""

    def stopping(self, tunnel: Tunnel) -> list[object]:
        stopped: list[object] = []
        tunnel.stopService().addCallback(stopped.append)
        return stopped

    def test_waits(self) -> None:
        """It takes no new connections, and waits for those that there are."""
        tunnel = self.started()
        program, link = self.dial()
        stopped = self.stopping(tunnel)
        self.assertEqual((self.listening.stops, stopped), (1, []))
        program.transport.write(b"more")
        self.flush(link)
        (side,) = self.below.sides
        self.assertEqual(side.received, b"more")
        side.transport.loseConnection()
        program.transport.loseConnection()
        self.flush(link)
        self.assertEqual((stopped, tunnel.unfinished), ([None], 0))

    def test_cuts(self) -> None:
        """It cuts those that have not ended in time, and counts them."""
        tunnel = self.started(drainTimeout=30.0)
        program, link = self.dial()
        stopped = self.stopping(tunnel)
        self.clock.advance(29)
        self.flush(link)
        self.assertEqual(stopped, [])
        self.clock.advance(2)
        self.flush(link)
        self.assertEqual((stopped, tunnel.unfinished), ([None], 1))
        self.assertNotIn("read end", program.events)

    def test_atOnce(self) -> None:
        """It can be told not to wait."""
        tunnel = self.started(drainTimeout=None)
        _, link = self.dial()
        stopped = self.stopping(tunnel)
        self.clock.advance(10_000)
        self.assertEqual(stopped, [])
        tunnel.endNow()
        self.flush(link)
        self.assertEqual((stopped, tunnel.unfinished), ([None], 1))

    def test_idle(self) -> None:
        """Without connections it stops at once."""
        self.assertEqual(self.stopping(self.started()), [None])


class PlaceTests(SynchronousTestCase):
    """Which places are on this machine."""

    def test_loopback(self) -> None:
        """The loopback addresses are, however they are written, and no other host is, whatever a resolver says."""
        for host in ("127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST.", "ip6-localhost"):
            self.assertTrue(isLoopback(host), host)
        for host in (
            "",
            "0.0.0.0",
            "10.0.0.1",
            "::",
            "redis",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "2130706433",
        ):
            self.assertFalse(isLoopback(host), host)

    def test_staysHere(self) -> None:
        """An endpoint string is judged by its host, and TLS that verifies may go anywhere."""
        for place in (
            *("tcp:127.0.0.1:1", "tcp:localhost:1:timeout=3", "tcp:port=1:host=127.0.0.1", "tcp6:\\:\\:1:1"),
            *("unix:/run/my.sock", "unix:path=/run/my.sock", "tlscomm:db:1:identity=a", "tls:db:1"),
        ):
            self.assertTrue(staysHere(place), place)
        for place in (
            *("tcp:10.0.0.1:1", "tcp:redis:1", "tcp:host=redis:port=1", "ssl:db:1", "haproxy:tcp\\:db\\:1", "tcp", ""),
            *("tcp:127.0.0.1:1:host=10.0.0.1", "tcp:127.0.0.1\\:1:1"),
        ):
            self.assertFalse(staysHere(place), place)


class CommandTests(SynchronousTestCase):
    """``tlscomm tunnel``, as far as it starts nothing."""

    def assertUsage(self, *words: str, says: str) -> None:
        result = CliRunner().invoke(program, ["tunnel", *words])
        self.assertEqual(result.exit_code, 2, result.output)
        self.assertIn(says, " ".join(result.output.split()))

    def test_usage(self) -> None:
        """What is missing or wrong is said before anything is opened."""
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        self.assertUsage("localhost:1", says="say where to listen")
        self.assertUsage("localhost", *listen, says="'localhost' is not HOST:PORT")
        self.assertUsage("unix:/run/my.sock", *listen, says="--server-name")
        self.assertUsage("nothing:at:all", *listen, says="TARGET nothing:at:all")
        self.assertUsage("localhost:1", "--listen", "nothing", says="--listen nothing")
        self.assertUsage("localhost:1", *listen, "--half-close-timeout", "soon", says="is a number of seconds")


class ProcessTests(TestCase):
    """``tlscomm tunnel``, running."""

    def test_life(self) -> None:
        """It passes on what comes, renews its identity by itself and at SIGHUP, and ends in order at SIGTERM."""
        server = Server(*LISTEN, "--identity", write("server.pem", SERVER), "--client-roots", self.roots())
        self.addCleanup(server.close)
        port = server.untilLine(r"listening on 127\.0\.0\.1:(\d+)")[1]
        words = ("--identity", write("client.pem", CLIENT), "--roots", "roots.pem", "--log-format", "json")
        tunnel = subprocess.Popen(
            python("-m", "tlscomm.commandline", "tunnel", f"localhost:{port}", *words, "--listen", LISTEN[1]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, tunnel)
        assert tunnel.stdout is not None and tunnel.stderr is not None
        host, _, number = json.loads(tunnel.stdout.readline())["address"].rpartition(":")
        with socket.create_connection((host, int(number)), timeout=PATIENCE) as connection:
            connection.sendall(b"Hello<EOF>")
            self.assertEqual(connection.recv(100), b"Hello<EOF>")
            write("client.pem", AUTHORITY.issue("renewed", role="client"))
            self.untilError(tunnel, "the configuration was read again")
            tunnel.send_signal(signal.SIGHUP)
            self.untilError(tunnel, "the configuration was read again")
            tunnel.send_signal(signal.SIGTERM)
            self.untilError(tunnel, "Closed")
            connection.sendall(b"More<EOF>")
            self.assertEqual(connection.recv(100), b"More<EOF>")
        event = json.loads(tunnel.stdout.readline())
        self.assertEqual((event["event"], event["failure"], event["bytesReceived"]), ("tunnelled", None, 19))
        self.assertEqual(tunnel.wait(PATIENCE), 0)

    def roots(self) -> str:
        Path("roots.pem").write_bytes(pem(ROOTS))
        return "roots.pem"

    def untilError(self, process: Any, words: str) -> None:
        for line in process.stderr:
            if words in line:
                return
        self.fail(f"the tunnel has ended without {words!r}")

    def end(self, process: Any) -> None:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()
