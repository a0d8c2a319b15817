"""What a connection takes that was accepted and then says nothing."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Mapping

from benchmarks._contestants import Contestant, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Client, Load, Visitor
from benchmarks._measure import Sample, Samples, ServerMeasure

__all__ = ["Memory", "raiseFileLimit"]

#: Files that are open besides the connections.
_OTHER_FILES = 200
_AT_ONCE = 8


class Memory(ServerMeasure):
    """Resident memory for each of so many connections, each of a client with a certificate of its own.

    It is asked of new servers: memory that was freed before would serve the connections.
    """

    name = "memory"

    def __init__(self, certificates: Certificates, count: int, contestants: Mapping[str, Contestant]) -> None:
        super().__init__(1)
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._certificates, self._count = certificates, min(count, most - _OTHER_FILES)
        self._contestants = contestants
        self.title = f"idle connection, {self._count:,} new clients, KiB"

    def run(self, servers: Mapping[str, Server], until: float) -> Samples:
        samples: Samples = {}
        for name in servers:
            server = Server(self._contestants[name], self._certificates.folder)
            try:
                samples |= super().run({name: server}, until)
            finally:
                server.stop()
        return samples

    def warmUp(self, server: Server) -> None:
        Load(server.port).visit([Visitor(self._certificates.connection()) for _ in range(100)], _AT_ONCE)

    def ask(self, server: Server) -> Sample:
        before, kept = server.memory(), list[socket.socket]()

        class Idle(Client):
            def accepted(self) -> None:
                kept.append(self.leave())

        connection = self._certificates.connection
        Load(server.port).visit((Idle(connection(number)) for number in range(self._count)), _AT_ONCE)
        time.sleep(0.5)
        sample = Sample((server.memory() - before) / self._count)
        for each in kept:
            each.close()
        return sample


def raiseFileLimit() -> None:
    """Have as many files open as may be, here and in the servers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
