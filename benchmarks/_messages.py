"""What messages cost, on connections that stay."""

from __future__ import annotations

from benchmarks._contestants import GRANIAN, TRACED, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Load, Talker
from benchmarks._measure import Meter, Sample, ServerMeasure

__all__ = ["Messages"]

#: Prose, since how fast a delimiter is found depends on what surrounds it.
_PROSE = b"It was the best of times, it was the worst of times, it was the age of wisdom, "
_SIZES = {100: "100-byte", 1 << 16: "64 KiB", 1 << 20: "1 MiB"}


class Messages(ServerMeasure):
    """Messages that are echoed: a connection has so many on their way, and sends another for each that comes back."""

    # It speaks HTTP.
    without = (GRANIAN, TRACED)

    def __init__(
        self,
        certificates: Certificates,
        rounds: int,
        *,
        name: str,
        size: int,
        count: int,
        connections: int = 16,
        inFlight: int = 1,
    ) -> None:
        super().__init__(rounds)
        self.name = name
        unit, self._scale = ("µs", 1e6) if size < 1 << 16 else ("ms", 1e3)
        manner = f"{inFlight} in flight" if inFlight > 1 else "ping-pong"
        self.title = f"{_SIZES[size]} messages, {manner}, {unit}"
        self._certificates = certificates
        self._message = (_PROSE * (size // len(_PROSE) + 1))[:size] + b"<EOF>"
        self._connections, self._inFlight, self._each = connections, inFlight, count // connections
        self._open: dict[int, tuple[Load, list[Talker]]] = {}

    def warmUp(self, server: Server) -> None:
        load, connection = Load(server.port), self._certificates.connection
        talkers = [Talker(connection(), self._message, self._inFlight) for _ in range(self._connections)]
        for talker in talkers:
            load.connect(talker)
        load.runUntil(lambda: all(each.isAccepted for each in talkers))
        self._open[server.port] = load, talkers
        self.ask(server)

    def ask(self, server: Server) -> Sample:
        load, talkers = self._open[server.port]
        meter = Meter(server)
        with meter.running():
            for talker in talkers:
                talker.talk(self._each)
            load.runUntil(lambda: not any(each.left for each in talkers))
        return meter.forEach(self._each * self._connections, self._scale)

    def finish(self, server: Server) -> None:
        load, talkers = self._open.pop(server.port)
        for talker in talkers:
            talker.close()
        load.runUntil(lambda: load.isIdle)
