"""How long an established connection waits while many others shake hands, all at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks._contestants import GRANIAN, TRACED, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Load, Refused, Visitor
from benchmarks._measure import Meter, Sample, ServerMeasure

__all__ = ["Storm"]


class Storm(ServerMeasure):
    """The longest wait of a ping, by the clock on the wall."""

    name = "storm"
    # It speaks HTTP.
    without = (GRANIAN, TRACED)

    def __init__(self, certificates: Certificates, rounds: int, count: int) -> None:
        super().__init__(rounds)
        self._certificates, self._count = certificates, count
        self.title = f"longest wait of a ping, {count} connect at once, ms"
        self._pingers: dict[int, _Pinger] = {}

    def warmUp(self, server: Server) -> None:
        self._pingers[server.port] = _Pinger(server.port, self._certificates.client)
        self._pingers[server.port].longestWait()

    def ask(self, server: Server) -> Sample:
        pinger, meter = self._pingers[server.port], Meter(server)
        visitors = [Visitor(self._certificates.connection()) for _ in range(self._count)]
        pinger.longestWait()
        try:
            with meter.running():
                Load(server.port).visit(visitors, self._count)
        except Refused as refused:
            # The ping waits all the same.
            print(f"{server.name}, in the storm: {refused}", file=sys.stderr)
        meter.sample.value = pinger.longestWait() * 1e3
        return meter.sample

    def finish(self, server: Server) -> None:
        self._pingers.pop(server.port).stop()


class _Pinger:
    """``_pinger.py`` beside this file."""

    def __init__(self, port: int, certificate: Path) -> None:
        program = [sys.executable, str(Path(__file__).with_name("_pinger.py")), str(port), str(certificate)]
        self._process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def longestWait(self) -> float:
        """Return the longest wait since this was asked last, in seconds."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate()
