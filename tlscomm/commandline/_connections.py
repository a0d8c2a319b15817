"""What is kept of the connections of a capture, of which there may be a million: facts, counts, and very few traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from fnmatch import fnmatchcase
from heapq import nlargest
from typing import NamedTuple

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.tracing._trace import Trace, Verdict

__all__ = ["Cause", "Connection", "Connections", "Wanted"]

#: So many failed connections are listed.
_MOST_LISTED = 1000
#: Hosts that are counted for a cause, and those that are shown.
_MOST_HOSTS = 1000
_MOST_SHOWN_HOSTS = 3


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which connections are asked for.

    Attributes:
        failed: only those that were refused or broke off.
        hosts: only those with one of these hosts, as an address, as the name that the client asked for, or as a name
            of a certificate; ``*`` stands for any letters. Any where there are none.
        ports: only those to one of these ports of the server; any where there are none.
        numbers: only those with these numbers; any where there are none.
    """

    failed: bool = False
    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()

    def fits(self, trace: Trace) -> bool:
        """Return whether a connection is asked for."""
        if self.numbers and trace.number not in self.numbers:
            return False
        if self.failed and not _hasFailed(trace.verdict):
            return False
        if self.ports and (trace.server is None or trace.server.port not in self.ports):
            return False
        return not self.hosts or any(_fits(host, name) for host in self.hosts for name in _namesOf(trace))


@dataclass(frozen=True)
class Connection:
    """What a list shows of one connection; all of it printable.

    Attributes:
        number: its number.
        client: the client's address.
        server: the server's address.
        host: the server's name as the client asks for it, empty where it does not.
        verdict: how it ended.
    """

    number: int
    client: str
    server: str
    host: str
    verdict: Verdict

    @property
    def hasFailed(self) -> bool:
        """Whether it was refused or broke off."""
        return _hasFailed(self.verdict)


class Cause(NamedTuple):
    """What connections that ended in one way have in common."""

    outcome: str
    code: str | None
    by: str | None
    certainty: str


@dataclass
class _Count:
    count: int = 0
    example: int = 0
    hosts: Counter[str] = field(default_factory=Counter)


class Connections:
    """All connections that are asked for, as far as there is room.

    Attributes:
        count: how many there are.
        failedCount: how many of them were refused or broke off.
        listed: those that a list shows.
        traces: the first ones, which can be drawn.
    """

    def __init__(self, *, few: int, mostDrawn: int) -> None:
        """
        Args:
            few: so many are listed in any case; of more, those that have failed.
            mostDrawn: how many traces are kept.
        """
        self.count = 0
        self.failedCount = 0
        self.traces: list[Trace] = []
        self._few = few
        self._mostDrawn = mostDrawn
        self._first: list[Connection] = []
        self._failed: list[Connection] = []
        self._causes: dict[Cause, _Count] = {}

    @property
    def areFew(self) -> bool:
        """Whether all of them are listed."""
        return self.count <= self._few

    @property
    def listed(self) -> list[Connection]:
        """Those that a list shows, in the order of their numbers."""
        return sorted(self._first if self.areFew else self._failed, key=lambda each: each.number)

    @property
    def first(self) -> int:
        """The number of the first connection that came, 0 where none did."""
        return self._first[0].number if self._first else 0

    def add(self, trace: Trace) -> Connection:
        """Take in one connection, and return what a list shows of it."""
        connection = _connection(trace)
        self.count += 1
        self.failedCount += connection.hasFailed
        if self.areFew:
            self._first.append(connection)
        if connection.hasFailed and len(self._failed) < _MOST_LISTED:
            self._failed.append(connection)
        if len(self.traces) < self._mostDrawn:
            self.traces.append(trace)
        self._countIn(connection)
        return connection

    def causes(self) -> Iterator[tuple[Cause, int, int, list[str]]]:
        """Give each way in which connections ended: how many did, the first of them, and the most frequent hosts.

        The most frequent comes first, and what was accepted last.
        """
        byCount = sorted(self._causes.items(), key=lambda each: (each[0].outcome == "accepted", -each[1].count))
        for cause, found in byCount:
            hosts = nlargest(_MOST_SHOWN_HOSTS, found.hosts.items(), key=lambda each: each[1])
            yield cause, found.count, found.example, [host for host, _ in hosts]

    def _countIn(self, connection: Connection) -> None:
        verdict = connection.verdict
        cause = Cause(verdict.outcome, verdict.code, verdict.by, verdict.certainty)
        found = self._causes.setdefault(cause, _Count(example=connection.number))
        found.count += 1
        host = connection.host or connection.server
        if host and (host in found.hosts or len(found.hosts) < _MOST_HOSTS):
            found.hosts[host] += 1


def _hostOf(trace: Trace) -> str:
    """Return the name that the client asked for, printable, or nothing."""
    return next((printable(name, 80) for name in _serverNames(trace)), "")


def _connection(trace: Trace) -> Connection:
    client, server = (printable(str(address or "?"), 60) for address in (trace.client, trace.server))
    return Connection(trace.number, client, server, _hostOf(trace), trace.verdict)


def _serverNames(trace: Trace) -> Iterator[str]:
    return (name for choice in trace.choices if choice.subject == "server name" for name in choice.offered)


def _hasFailed(verdict: Verdict) -> bool:
    return verdict.outcome in ("refused", "failed")


def _namesOf(trace: Trace) -> Iterator[str]:
    for address in (trace.client, trace.server):
        if address is not None:
            yield address.host
    yield from _serverNames(trace)
    for certificate in (*trace.serverCertificates[:1], *trace.clientCertificates[:1]):
        yield from (name.partition(":")[2] for name in certificate.names)
        yield certificate.subject.partition("CN=")[2].partition(",")[0]


def _fits(host: str, name: str) -> bool:
    host, name = host.lower().strip("[]"), name.lower()
    return fnmatchcase(name, host) or (name.startswith("*.") and host.partition(".")[2] == name[2:])
