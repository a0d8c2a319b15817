"""What metrics cost: a handshake that is counted next to one that is not, and a scrape of many open connections.

    .venv/bin/python benchmarks/counting.py [CONNECTIONS]

The handshakes are full ones of TLS 1.3, in memory, with certificates on both sides, in turns: both sides' processor
time in microseconds, and the ratio. Then there is what counting takes by itself. Of a scrape it is told how long the
longest turn of the reactor took, which is what a connection may have to wait for, and all turns together.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.issuing import Authority
from tlscomm.operation._counting import Counting
from tlscomm.operation._exposition import Exposition
from tlscomm.server import TLSService
from tlscomm.serving._observers import Observers
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog

ROUNDS, EACH = 15, 60
ACCEPT = "application/openmetrics-text;version=1.0.0"

AUTHORITY = Authority.create()
SERVER = ServerConfiguration(
    credential=AUTHORITY.issue("server", role="server", dnsNames=["localhost"]),
    clientRoots=(AUTHORITY.certificate,),
    resumption=False,
    revalidation=False,
)
CLIENT = ClientConfiguration(
    serverName="localhost",
    roots=(AUTHORITY.certificate,),
    credential=AUTHORITY.issue("client", role="client"),
    resumption=False,
    revalidation=False,
)


class Turns(Clock):
    """A clock that takes one turn when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self._next: list[Callable[[], object]] = []

    def callLater(self, when: float, what: Callable[..., object], *args: Any, **named: Any) -> Any:
        if when:
            return super().callLater(when, what, *args, **named)
        self._next.append(partial(what, *args, **named))
        return None

    def turn(self) -> None:
        now, self._next = self._next, []
        for each in now:
            each()


class Side:
    """A server in memory and its clients."""

    def __init__(self, *, isCounted: bool) -> None:
        self.clock = Turns()
        log = EventLog(lambda event: None, self.clock)
        self.counting = Counting(self.clock, lambda: [self.service])
        observer = Observers(log, [self.counting] if isCounted else [])
        application = Factory.forProtocol(Protocol)
        self.service = TLSService(self.clock, SERVER, application, [], log, observer=observer)
        self.clients = TLSFactory(CLIENT, application, self.clock)

    def connect(self) -> MemoryLink:
        link = MemoryLink(self.clients.buildProtocol(None), self.service.factory.buildProtocol(None))
        link.flush()
        self.clock.turn()
        self.clock.advance(DOUBT_SECONDS)
        return link

    def handshakes(self) -> None:
        for _ in range(EACH):
            link = self.connect()
            link.client.abortConnection()
            link.flush()


def timed(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def handshakes() -> None:
    sides = {"not counted": Side(isCounted=False), "counted": Side(isCounted=True)}
    fastest = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for name, side in sides.items():
            fastest[name] = min(fastest[name], timed(side.handshakes) / EACH * 1e6)
    first = fastest["not counted"]
    for name, value in fastest.items():
        print(f"handshake and end, {name:12}{value:10.1f} us {value / first:6.3f}")


def alone() -> None:
    side = Side(isCounted=True)
    transport: Any = side.connect().server.protocol

    def count() -> None:
        for _ in range(10_000):
            side.counting.closed(transport, None)
            side.counting.accepted(transport)

    print(f"counting alone {min(timed(count) for _ in range(5)) * 1e2:24.1f} us")


def scrape(connections: int) -> None:
    side = Side(isCounted=True)
    links = [side.connect() for _ in range(connections)]
    gc.collect()
    for name in ("first scrape", "next scrape"):
        turns: list[float] = []
        gathering = side.counting.gather()
        spend(side.clock, gathering, turns)
        gathered = turns[:]
        turns.append(timed(side.counting.counts.copy))
        for write in Exposition().write(side.counting.counts, ACCEPT):
            turns.append(timed(write))
        print(
            f"{name} of {len(links)} connections: the longest of {len(turns)} turns {max(turns) * 1e3:.2f} ms, all "
            f"{sum(turns) * 1e3:.1f} ms, of which {sum(gathered) * 1e3:.1f} ms to look at the connections"
        )


def spend(clock: Turns, gathering: Deferred[Any], turns: list[float]) -> None:
    """Take a turn at a time, and note how long each takes."""
    while not gathering.called:
        turns.append(timed(clock.turn))


if __name__ == "__main__":
    handshakes()
    alone()
    scrape(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
