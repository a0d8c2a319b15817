"""A server of several processes under load: what killed workers, new processes and reloads cost, and what is won.

Real processes, and the clients of `benchmarks.restarts`.

    python -m benchmarks.workers kill --times 20
    python -m benchmarks.workers rolling --times 10
    python -m benchmarks.workers reload --times 20
    python -m benchmarks.workers throughput
    python -m benchmarks.workers resumption

*kill* kills one worker after the other, one a second, while another serves. *rolling* replaces all workers by new ones
(SIGRTMIN). *reload* reads the configuration again (SIGHUP), every second time with a broken identity. These count as
`benchmarks.restarts` does; a connection that ends with its worker is ``broken`` or was reset, and only
``ConnectionRefusedError`` means that nothing listened. *throughput* has ``openssl s_time`` make new connections, to
servers of one, two and four processes, and says how many a second there were, how much time of processors each took,
how evenly workers had their share of it, and how much memory a worker has for itself. *resumption* says how many
connections resume the session of the one before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.restarts import Trial

__all__ = ["main"]

_SECONDS = 8.0
_LOADS = 2


class Workers(Trial):
    """A server of several processes, in a folder of its own."""

    processes = 2

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port, self.processes)
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        server = super().start(*words, **more)
        self.started.append(server)
        return server

    def serve(self, *words: str) -> subprocess.Popen[bytes]:
        """Start it, and wait until all workers take connections."""
        self._words = ("--processes", str(self.processes))
        server = self.start(*words)
        self._awaitAll(server)
        return server

    def kill(self, times: int) -> None:
        """Kill a worker each second."""
        server = self.serve()
        self._underLoad([self.port])
        for number in range(times):
            serving = [each for each in _children(server.pid) if f"(pid {each}) takes" in self.log()]
            if len(serving) > 1:
                os.kill(serving[number % len(serving)], signal.SIGKILL)
            time.sleep(1)
        self._awaitAll(server)
        self._finish(server)

    def rolling(self, times: int) -> None:
        """Replace all workers, again and again."""
        server = self.serve()
        self._underLoad([self.port])
        for _ in range(times):
            before = set(_children(server.pid))
            server.send_signal(signal.SIGRTMIN)
            while before & set(_children(server.pid)):
                time.sleep(0.1)
            self._awaitAll(server)
        self._finish(server)

    def reload(self, times: int) -> None:
        """Read the configuration again, every second time a broken one."""
        server = self.serve()
        self._underLoad([self.port])
        identity = self.folder / "server.pem"
        whole = identity.read_bytes()
        for number in range(times):
            identity.write_bytes(whole[: len(whole) // 2] if number % 2 else whole + b"\n")
            server.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            identity.write_bytes(whole)
        self._finish(server)

    def throughput(self, times: int) -> list[dict[str, Any]]:
        """Say what servers of one, two and four processes do."""
        return [self._measured(count) for count in (1, 2, 4)]

    def resumption(self, times: int) -> dict[str, float]:
        """Say which share of connections resume the session of the one before, with one and with two processes."""
        return {f"with {count}": self._resumed(count) for count in (1, 2)}

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _measured(self, count: int) -> dict[str, Any]:
        self.processes = count
        server = self.serve()
        serving = _children(server.pid) if count > 1 else [server.pid]
        before = [_processorSeconds(each) for each in serving]
        command = ("openssl", "s_time", "-connect", f"127.0.0.1:{self.port}", "-new", "-time", str(int(_SECONDS)))
        command += ("-cert", str(self.folder / "client.pem"), "-CAfile", str(self.folder / "ca.pem"))
        began = time.monotonic()
        loads = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_LOADS)]
        made = 0
        for load in loads:
            words = next(line for line in load.communicate()[0].splitlines() if "real seconds" in line).split()
            made += int(words[0])
        seconds = time.monotonic() - began
        used = [_processorSeconds(each) - former for each, former in zip(serving, before, strict=True)]
        result = {
            "processes": count,
            "connections a second": round(made / seconds),
            "processor ms each": round(1000 * sum(used) / made, 2),
            "share of each worker": [round(each / sum(used), 2) for each in used],
            "memory of each MiB": [_ownMemory(each) for each in serving],
            "supervisor MiB": _ownMemory(server.pid) if count > 1 else None,
            "processors": os.cpu_count(),
            "load of others": os.getloadavg()[0],
        }
        server.send_signal(signal.SIGTERM)
        self.end(server)
        return result

    def _resumed(self, count: int) -> float:
        self.processes = count
        server = self.serve()
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "client.pem")
        session, resumed, tries = None, 0, 200
        for _ in range(tries):
            with (
                socket.create_connection(("127.0.0.1", self.port)) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as client,
            ):
                client.sendall(b"x\n")
                client.recv(100)
                resumed += bool(client.session_reused)
                session = client.session
        server.send_signal(signal.SIGTERM)
        self.end(server)
        return resumed / tries

    def _awaitAll(self, server: subprocess.Popen[bytes]) -> None:
        """Wait until there are as many workers as there are to be, and all of them serve."""
        began = time.monotonic()
        while time.monotonic() - began < 60:
            workers = _children(server.pid)
            isWhole = len(workers) == self.processes or self.processes == 1
            if isWhole and all(f"(pid {each}) takes" in self.log() for each in workers):
                return
            time.sleep(0.05)
        raise SystemExit(f"not all workers serve: see {self.folder / 'log'}")


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _processorSeconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ownMemory(pid: int) -> float:
    """Return what a process has of memory that it shares with none, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return round(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trial", choices=("kill", "rolling", "reload", "throughput", "resumption"))
    parser.add_argument("--times", type=int, default=20, help="how often (default: 20)")
    parser.add_argument("--port", type=int, default=27100, help="the port (default: 27100)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the server's log")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="workers"))
    trial = Workers(folder, given.port)
    try:
        measured = getattr(trial, given.trial)(given.times)
    except BaseException:
        (folder / "stop").touch()
        for each in trial.started:
            each.kill()
        raise
    result: dict[str, Any] = {"measured": measured} if measured is not None else trial.result()
    log = trial.log()
    result |= {"reloads": log.count("was read again"), "refusedReloads": log.count("is not read again")}
    result |= {"killed": log.count("SIGKILL;"), "tracebacks": log.count("Traceback")}
    print(json.dumps({"trial": given.trial, "times": given.times, **result}, indent=1))
    if given.keep:
        print(folder, file=sys.stderr)
    else:
        shutil.rmtree(folder)
    isRefused = result.get("refused: ConnectionRefusedError", 0)
    sys.exit(bool(isRefused or any(result.get(name, 0) for name in ("lost", "unordered"))))


if __name__ == "__main__":
    main()
