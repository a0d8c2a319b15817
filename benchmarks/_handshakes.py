"""What clients cost that connect, are accepted, and close."""

from __future__ import annotations

from collections.abc import Iterable

from OpenSSL import SSL

from benchmarks._contestants import PEER, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Load, Visitor
from benchmarks._measure import Meter, Sample, ServerMeasure

__all__ = ["Handshakes", "NewClients", "Returning"]

_AT_ONCE = 8


class _Visits(ServerMeasure):
    """So many visits, a few at a time."""

    def __init__(self, certificates: Certificates, rounds: int, count: int) -> None:
        super().__init__(rounds)
        self.certificates, self.count = certificates, count

    def visit(self, server: Server, visitors: Iterable[Visitor]) -> Sample:
        made, meter = list(visitors), Meter(server)
        with meter.running():
            Load(server.port).visit(made, _AT_ONCE)
        return meter.forEach(self.count, 1e3)


class Handshakes(_Visits):
    """Full handshakes, by so many clients over and over, each with a certificate of its own."""

    def __init__(self, certificates: Certificates, rounds: int, count: int, different: int) -> None:
        super().__init__(certificates, rounds, count)
        self.name = "handshake" if different == 1 else "handshake-many"
        whose = "one client" if different == 1 else f"{different:,} known clients"
        self.title = f"full handshake, {whose}, ms"
        self._different = different
        certificates.prepare(range(different))

    def ask(self, server: Server) -> Sample:
        connection, different = self.certificates.connection, self._different
        return self.visit(server, (Visitor(connection(number % different)) for number in range(self.count)))


class NewClients(_Visits):
    """Full handshakes, by clients whose certificates the server has never seen."""

    name = "handshake-new"
    title = "full handshake, a new client each, ms"

    def __init__(self, certificates: Certificates, rounds: int, count: int, first: int) -> None:
        """
        Args:
            certificates: makes them.
            rounds: how many times it is asked.
            count: how many clients come.
            first: the number of the first of the certificates, of which no other measure uses any.
        """
        super().__init__(certificates, rounds, count)
        self._first = first
        self._next: dict[int, int] = {}

    def ask(self, server: Server) -> Sample:
        first = self._next.get(server.port, self._first)
        self._next[server.port] = first + self.count
        connection = self.certificates.connection
        return self.visit(server, (Visitor(connection(first + number)) for number in range(self.count)))


class Returning(_Visits):
    """Handshakes by clients with the session of their last visit. Most servers resume it; plain Twisted does not."""

    name = "returning"
    title = f"returning client (full for {PEER}), ms"
    # It sends its ticket before the client is done, so nothing tells when it is.
    without = ("Go",)

    def __init__(self, certificates: Certificates, rounds: int, count: int) -> None:
        super().__init__(certificates, rounds, count)
        self._sessions: dict[int, list[SSL.Session | None]] = {}

    def warmUp(self, server: Server) -> None:
        self._sessions[server.port] = [None] * self.count
        self.ask(server)
        self.ask(server)

    def ask(self, server: Server) -> Sample:
        visitors = [Visitor(self.certificates.connection(), session) for session in self._sessions[server.port]]
        sample = self.visit(server, visitors)
        self._sessions[server.port] = [each.session for each in visitors]
        return sample
