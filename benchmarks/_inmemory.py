"""What a full handshake costs without a socket, next to OpenSSL's own calls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks._contestants import OTHER, TRACED, Contestant, Server
from benchmarks._credentials import Certificates
from benchmarks._measure import Measure, Sample, Samples, inTurns

__all__ = ["InMemory"]

_PROGRAM = Path(__file__).parent / "contestants" / "in_memory.py"


class InMemory(Measure):
    """The floor: no server that uses OpenSSL can be below it."""

    name = "in-memory"
    title = "full handshake in memory, ms"
    peer = "OpenSSL's calls"

    def __init__(
        self, certificates: Certificates, rounds: int, count: int, contestants: Mapping[str, Contestant]
    ) -> None:
        super().__init__(rounds)
        self._folder, self._count, self._contestants = certificates.folder, count, contestants

    def run(self, servers: Mapping[str, Server], until: float) -> Samples:
        pythons = {each: self._contestants[each].program[0] for each in servers if each.startswith(OTHER)}
        programs = {"tlscomm": _Program(sys.executable, self._folder, "tlscomm")}
        if TRACED in servers:
            programs[TRACED] = _Program(sys.executable, self._folder, "traced")
        programs |= {name: _Program(python, self._folder, "tlscomm") for name, python in pythons.items()}
        programs[self.peer] = _Program(sys.executable, self._folder, "OpenSSL")
        try:
            for program in programs.values():
                program.ask(self._count)
            return inTurns({name: lambda p=p: p.ask(self._count) for name, p in programs.items()}, self.rounds, until)
        finally:
            for program in programs.values():
                program.stop()


class _Program:
    """``contestants/in_memory.py``."""

    def __init__(self, python: str, folder: Path, kind: str) -> None:
        command = [python, str(_PROGRAM), str(folder), kind]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, count: int) -> Sample:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        return Sample(float(process.stdout.readline()) / count * 1e3)

    def stop(self) -> None:
        self._process.communicate()
