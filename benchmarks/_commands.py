"""What a command costs from its start to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks._contestants import OTHER, Contestant, Server
from benchmarks._credentials import Certificates
from benchmarks._measure import Measure, Sample, Samples, inTurns

__all__ = ["Connect", "Help"]


class _Commands(Measure):
    """Processor seconds of a whole process, of each tlscomm and of a program beside it."""

    def __init__(self, certificates: Certificates, rounds: int, contestants: Mapping[str, Contestant]) -> None:
        super().__init__(rounds)
        self.folder, self._contestants = certificates.folder, contestants

    def run(self, servers: Mapping[str, Server], until: float) -> Samples:
        pythons = {"tlscomm": sys.executable}
        pythons |= {each: self._contestants[each].program[0] for each in servers if each.startswith(OTHER)}
        server = Server(self._contestants["tlscomm"], self.folder)
        try:
            commands = {
                name: [python, str(Path(python).with_name("tlscomm")), *self.words(server.port)]
                for name, python in pythons.items()
            }
            commands[self.peer] = [sys.executable, *self.peerWords(server.port)]
            return inTurns({name: lambda c=c: spent(c) for name, c in commands.items()}, self.rounds, until)
        finally:
            server.stop()

    def words(self, port: int) -> list[str]:
        raise NotImplementedError

    def peerWords(self, port: int) -> list[str]:
        raise NotImplementedError


class Connect(_Commands):
    name = "connect"
    title = "tlscomm connect, one message, s"

    def words(self, port: int) -> list[str]:
        files = ["--identity", str(self.folder / "client.pem"), "--roots", str(self.folder / "ca.pem")]
        return ["connect", f"localhost:{port}", "--message", "hello", *files]

    def peerWords(self, port: int) -> list[str]:
        return [str(Path(__file__).parent / "contestants" / "once_on_twisted.py"), str(self.folder), str(port)]


class Help(_Commands):
    name = "help"
    title = "tlscomm --help, s"
    peer = "import click"

    def words(self, port: int) -> list[str]:
        return ["--help"]

    def peerWords(self, port: int) -> list[str]:
        return ["-c", "import click"]


def spent(command: list[str]) -> Sample:
    """Run it and return the seconds of processor time that it took."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed")
    return Sample(used.ru_utime + used.ru_stime)
