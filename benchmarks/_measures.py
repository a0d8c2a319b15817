"""What is measured. Each measure is asked of each contestant in turn, several times."""

from __future__ import annotations

import resource
import ssl
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks._contestants import PEER, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Client, Load, Talker, Visitor

__all__ = ["Measure", "Sample", "measures"]

_AT_ONCE = 8
_CONNECTIONS = 16
#: Prose, since how fast a delimiter is found depends on what surrounds it.
_PROSE = (
    b"It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
)
#: What is done after the last answer is counted too.
_SETTLING = 0.02


@dataclass
class Sample:
    """One value, and how busy the two sides were while it was measured.

    Attributes:
        value: in the measure's unit.
        server: seconds of processor time of the server, 0 where that says nothing.
        load: the same of the load.
        seconds: how long it took.
    """

    value: float
    server: float = 0.0
    load: float = 0.0
    seconds: float = 0.0


@dataclass
class Meter:
    """Reads the clocks of server and load before and after."""

    server: Server
    sample: Sample = field(default_factory=lambda: Sample(0.0))

    @contextmanager
    def running(self) -> Iterator[None]:
        server, load, began = self.server.cpu(), time.process_time(), time.perf_counter()
        yield
        self.sample.load, self.sample.seconds = time.process_time() - load, time.perf_counter() - began
        time.sleep(_SETTLING)
        self.sample.server = self.server.cpu() - server

    def each(self, count: int, scale: float) -> Sample:
        self.sample.value = self.sample.server / count * scale
        return self.sample


class Measure(ABC):
    """A question to a server.

    Attributes:
        name: for the command line and JSON.
        title: with the unit, for tables.
        rounds: how many times it is asked.
        isFresh: whether it wants servers that nothing was asked of before.
    """

    name = ""
    title = ""
    isFresh = False
    #: Those that cannot be asked.
    without: tuple[str, ...] = ()

    def __init__(self, certificates: Certificates, rounds: int) -> None:
        self.certificates, self.rounds = certificates, rounds

    def warmUp(self, server: Server) -> None:
        """Have the server do once what is about to be measured."""
        self.ask(server)

    @abstractmethod
    def ask(self, server: Server) -> Sample:
        """Measure once."""


class Handshakes(Measure):
    """Connect, be accepted, close."""

    def __init__(self, certificates: Certificates, rounds: int, count: int, different: int) -> None:
        super().__init__(certificates, rounds)
        self._count = count
        self.name = f"handshake-{different}" if different > 1 else "handshake"
        different_ = f"{different:,} client certificates, met before" if different > 1 else "1 client certificate"
        self.title = f"full handshake, {different_}, ms"
        self._contexts = [certificates.context(number) for number in range(different)]

    def ask(self, server: Server) -> Sample:
        meter, contexts = Meter(server), self._contexts
        visitors = [Visitor(contexts[number % len(contexts)]) for number in range(self._count)]
        with meter.running():
            Load(server.port).visit(visitors, _AT_ONCE)
        return meter.each(self._count, 1e3)


class Strangers(Measure):
    """The same, by clients that the server has never met."""

    name = "handshake-new"
    title = "full handshake, certificates never met before, ms"

    def __init__(self, certificates: Certificates, rounds: int, count: int, first: int) -> None:
        super().__init__(certificates, rounds)
        self._count, self._first = count, first
        self._next: dict[int, int] = {}

    def warmUp(self, server: Server) -> None:
        """It met others in the measures before."""

    def ask(self, server: Server) -> Sample:
        first = self._next.get(server.port, self._first)
        self._next[server.port] = first + self._count
        meter = Meter(server)
        visitors = [Visitor(self.certificates.context(first + number)) for number in range(self._count)]
        with meter.running():
            Load(server.port).visit(visitors, _AT_ONCE)
        return meter.each(self._count, 1e3)


class Resumptions(Measure):
    """Connect with the session of the visit before, be accepted, close."""

    name = "resumed"
    title = "resumed handshake, ms"
    # Its sessions are off by default.
    without = (PEER,)

    def __init__(self, certificates: Certificates, rounds: int, count: int) -> None:
        super().__init__(certificates, rounds)
        self._count = count
        self._context = certificates.context(0)
        self._sessions: dict[int, list[ssl.SSLSession | None]] = {}

    def warmUp(self, server: Server) -> None:
        visitors = [Visitor(self._context) for _ in range(self._count)]
        Load(server.port).visit(visitors, _AT_ONCE)
        self._sessions[server.port] = [each.session for each in visitors]
        self.ask(server)

    def ask(self, server: Server) -> Sample:
        meter = Meter(server)
        visitors = [Visitor(self._context, session) for session in self._sessions[server.port]]
        with meter.running():
            Load(server.port).visit(visitors, _AT_ONCE)
        self._sessions[server.port] = [each.session for each in visitors]
        resumed = sum(bool(each.tls.session_reused) for each in visitors)
        sample = meter.each(self._count, 1e3)
        # Whoever gave up a few has shaken hands in full for these, which the median bears.
        if resumed < self._count * 0.9:
            sample.value = float("nan")
        return sample


class Messages(Measure):
    """Messages on connections that stay."""

    def __init__(
        self,
        certificates: Certificates,
        rounds: int,
        *,
        name: str,
        size: int,
        count: int,
        connections: int = _CONNECTIONS,
        inFlight: int = 1,
    ) -> None:
        super().__init__(certificates, rounds)
        self.name = name
        unit = "µs" if size < 1 << 16 else "ms"
        self._scale = 1e6 if unit == "µs" else 1e3
        sizes = {100: "100-byte", 1 << 16: "64 KiB", 1 << 20: "1 MiB"}
        manner = f"{inFlight} in flight" if inFlight > 1 else "ping-pong"
        self.title = f"{sizes[size]} message, {manner}, {connections} connections, {unit}"
        self._message = (_PROSE * (size // len(_PROSE) + 1))[:size] + b"<EOF>"
        self._connections, self._inFlight, self._each = connections, inFlight, count // connections
        self._talkers: dict[int, tuple[Load, list[Talker]]] = {}

    def warmUp(self, server: Server) -> None:
        load, context = Load(server.port), self.certificates.context(0)
        talkers = [Talker(context, self._message, self._inFlight) for _ in range(self._connections)]
        for talker in talkers:
            load.connect(talker)
        load.runUntil(lambda: all(each.isAccepted for each in talkers))
        self._talkers[server.port] = load, talkers
        self.ask(server)

    def ask(self, server: Server) -> Sample:
        load, talkers = self._talkers[server.port]
        meter = Meter(server)
        with meter.running():
            for talker in talkers:
                talker.talk(self._each)
            load.runUntil(lambda: not any(each.left for each in talkers))
        return meter.each(self._each * self._connections, self._scale)


class Memory(Measure):
    """Connections that are accepted and then say nothing, each by a client with a certificate of its own."""

    name = "memory"
    isFresh = True

    def __init__(self, certificates: Certificates, count: int) -> None:
        super().__init__(certificates, 1)
        # A file for each connection here and there, and some for the rest.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._count = min(count, most - 200)
        self.title = f"idle connection, {self._count:,} certificates, KiB"

    def warmUp(self, server: Server) -> None:
        Load(server.port).visit([Visitor(self.certificates.context(0)) for _ in range(100)], _AT_ONCE)

    def ask(self, server: Server) -> Sample:
        before, kept = server.memory(), list[object]()

        class Idle(Client):
            def accepted(self) -> None:
                kept.append(self.leave())

        load = Load(server.port)
        load.visit((Idle(self.certificates.context(number)) for number in range(self._count)), _AT_ONCE)
        time.sleep(0.5)
        return Sample((server.memory() - before) / self._count)


class Storm(Measure):
    """Pings on one connection while many others shake hands, all at once."""

    name = "storm"

    def __init__(self, certificates: Certificates, rounds: int, count: int) -> None:
        super().__init__(certificates, rounds)
        self._count = count
        self.title = f"longest wait of a ping while {count} connect at once, ms"
        self._context = certificates.context(0)
        self._pingers: dict[int, subprocess.Popen[str]] = {}

    def warmUp(self, server: Server) -> None:
        program = [sys.executable, str(Path(__file__).with_name("_pinger.py")), str(server.port)]
        pinger = subprocess.Popen(
            [*program, str(self.certificates.client(0))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._pingers[server.port] = pinger
        longestWait(pinger)

    def ask(self, server: Server) -> Sample:
        pinger, meter = self._pingers[server.port], Meter(server)
        visitors = [Visitor(self._context) for _ in range(self._count)]
        longestWait(pinger)
        with meter.running():
            Load(server.port).visit(visitors, self._count)
        meter.sample.value = longestWait(pinger) * 1e3
        return meter.sample


def longestWait(pinger: subprocess.Popen[str]) -> float:
    assert pinger.stdin is not None and pinger.stdout is not None
    pinger.stdin.write("\n")
    pinger.stdin.flush()
    return float(pinger.stdout.readline())


def raiseFileLimit() -> None:
    """Have as many files open as may be, here and in the servers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def measures(certificates: Certificates, isQuick: bool) -> list[Measure]:
    """Return all measures of servers, smaller ones where it is to be quick."""
    rounds, few = (3, 4) if isQuick else (9, 1)
    return [
        Handshakes(certificates, rounds, 400 // few, 1),
        Handshakes(certificates, rounds, 1000 // few, 1000 // few),
        Strangers(certificates, rounds, 200 // few, 10_000),
        Resumptions(certificates, rounds, 400 // few),
        Messages(certificates, rounds, name="ping", size=100, count=32_000 // few),
        Messages(certificates, rounds, name="flight", size=100, count=96_000 // few, inFlight=64),
        Messages(certificates, rounds, name="64k", size=1 << 16, count=1600 // few),
        Messages(certificates, rounds, name="1m", size=1 << 20, count=80 // few, connections=4),
        Storm(certificates, rounds, 500),
        Memory(certificates, 10_000 // few // few),
    ]
