"""Rolling restarts and drains under load: how many clients were refused, and how many messages were lost.

Real processes: servers that are replaced again and again, and beside them clients that speak Python's own ``ssl``.

    python -m benchmarks.restarts handover --times 50
    python -m benchmarks.restarts activation --times 50
    python -m benchmarks.restarts drain --times 20

*handover* starts the next server with ``--handover``. *activation* does as systemd does with a socket unit: the socket
stays here, the server is stopped and then started again with it. *reuseport* starts the next server on the same port
with a socket of its own, and then stops the former one. *drain* has two servers on two ports; one of them is
stopped while the clients go to the other. *balancer* has the two behind the real HAProxy, which sees by ``/ready`` that
one is about to stop, and the clients know of one port alone.

There are clients that come anew for each message, and clients that stay. A message that had no reply is sent again on
another connection, as a client has to. The server writes down each message before it replies. What is counted:

    refused     TCP connections that were refused or reset (of a drain: while the server was up)
    broken      handshakes that began and did not end
    lost        messages with a reply that no server wrote down, or without one after all attempts
    sentAgain   messages without a reply that were sent again
    unordered   servers that did not end with exit status 0
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.task import deferLater

from tlscomm.issuing import Authority
from tlscomm.messages import MessageProtocol
from tlscomm.x509._encoding import keyPEM, pem

__all__ = ["Recorder", "main"]

_TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
_FIRST_DESCRIPTOR = 3
#: Seconds between a message and its reply, so that restarts fall in between.
_THINKING = 0.02
#: Seconds that a server serves before it is replaced.
_SERVING = 0.5
_ATTEMPTS = 50
_PATIENCE = 30.0


#: How far the port of a health check is from that of its server.
_DISTANCE = 5

_HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen tlscomm
    bind 127.0.0.1:{front}
    option httpchk GET /ready
    default-server check inter 300ms fall 2 rise 1 addr 127.0.0.1
    server one 127.0.0.1:{one} port {oneHealth}
    server two 127.0.0.1:{two} port {twoHealth}
"""


class Recorder(MessageProtocol):
    """Writes a message down, and replies a little later."""

    async def messageReceived(self, message: Any) -> None:
        from twisted.internet import reactor

        await deferLater(reactor, _THINKING)  # type: ignore[arg-type]
        record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(record, f"{message}\n".encode())
        os.close(record)
        self.sendMessage(f"taken {message}")


# The clients


class Clients:
    """The clients of one process. They go on until the file ``stop`` is there."""

    def __init__(self, folder: Path, ports: Sequence[int], name: str) -> None:
        self.counts: Counter[str] = Counter()
        self.taken: list[str] = []
        self._folder = folder
        self._ports = ports
        self._name = name
        self._context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self._context.load_cert_chain(folder / "client.pem")

    async def run(self, coming: int, staying: int) -> None:
        """Have so many clients come and go, and so many stay."""
        comers = (self._come(f"{self._name}c{number}") for number in range(coming))
        stayers = (self._stay(f"{self._name}s{number}") for number in range(staying))
        await asyncio.gather(*comers, *stayers)

    @property
    def _isOver(self) -> bool:
        return (self._folder / "stop").exists()

    async def _come(self, name: str) -> None:
        number = 0
        while not self._isOver:
            number += 1
            await self._deliver(f"{name}-{number}", None)
            await asyncio.sleep(0.005)

    async def _stay(self, name: str) -> None:
        number, kept = 0, None
        while not self._isOver:
            number += 1
            kept = await self._deliver(f"{name}-{number}", kept, isKept=True)
            await asyncio.sleep(0.01)
        if kept is not None:
            kept[1].close()

    async def _deliver(self, message: str, kept: Any, *, isKept: bool = False) -> Any:
        """Send a message until it has its reply. Return the connection where it is kept."""
        self.counts["messages"] += 1
        for attempt in range(_ATTEMPTS):
            streams = kept or await self._connected(attempt)
            kept = None
            if streams is None:
                continue
            if await self._hasReply(streams, message):
                self.taken.append(message)
                if isKept:
                    return streams
                streams[1].close()
                return None
            streams[1].close()
            self.counts["sentAgain"] += 1
        self.counts["lost"] += 1
        return None

    async def _hasReply(self, streams: Any, message: str) -> bool:
        reader, writer = streams
        try:
            writer.write(f"{message}\n".encode())
            await writer.drain()
            line = await asyncio.wait_for(reader.readline(), _PATIENCE)
        except (OSError, asyncio.TimeoutError):
            return False
        return bool(line == f"taken {message}\n".encode())

    async def _connected(self, attempt: int) -> Any:
        port = self._ports[attempt % len(self._ports)]
        wasUp = self._isUp(port)
        try:
            streams = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", port, ssl=self._context, server_hostname="localhost"), _PATIENCE
            )
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError) as problem:
            kind = "refused" if wasUp and self._isUp(port) else "refusedWhileDown"
            self.counts[kind] += 1
            self.counts[f"{kind}: {type(problem).__name__}"] += 1
        except (OSError, asyncio.TimeoutError) as problem:
            kind = "broken" if wasUp and self._isUp(port) else "brokenWhileDown"
            self.counts[kind] += 1
            self.counts[f"{kind}: {problem!r}"[:100]] += 1
        else:
            self.counts["connections"] += 1
            return streams
        await asyncio.sleep(0.02)
        return None

    def _isUp(self, port: int) -> bool:
        """Whether a server is not being stopped there on purpose."""
        return not (self._folder / f"down-{port}").exists()


def clients(folder: str, ports: str, name: str) -> None:
    """The program of a process of clients."""
    made = Clients(Path(folder), [int(port) for port in ports.split(",")], name)
    asyncio.run(made.run(coming=4, staying=4))
    Path(folder, f"counts-{name}.json").write_text(json.dumps({"counts": made.counts, "taken": made.taken}))


# The servers


class Trial:
    """Servers that are replaced, in a folder of their own."""

    def __init__(self, folder: Path, firstPort: int, processes: int) -> None:
        self.folder = folder
        self._words = ("--processes", str(processes))
        self.port = firstPort
        self.unordered = 0
        self.seconds: list[float] = []
        self._environment = {**os.environ, "RECORD": str(folder / "record")}
        authority = Authority.create()
        names: Any = {"dnsNames": ["localhost"]}
        for name, made in (
            ("server", authority.issue("server", role="server", **names)),
            ("client", authority.issue("client", role="client")),
        ):
            path = folder / f"{name}.pem"
            path.write_bytes(pem([made.certificate]) + keyPEM(made.privateKey))
            path.chmod(0o600)
        (folder / "ca.pem").write_bytes(pem([authority.certificate]))

    def start(self, *words: str, listen: str | None = None, **more: Any) -> subprocess.Popen[bytes]:
        """Start a server, and wait until it takes connections."""
        place = listen or f"tcp:{self.port}:interface=127.0.0.1"
        command = (
            *more.pop("before", ()), *_TWISTD, "tlscomm", "--listen", place, "--identity",
            str(self.folder / "server.pem"), "--client-roots", str(self.folder / "ca.pem"), "--application",
            "benchmarks.restarts:Recorder", "--framing", "line", "--log-format", "json", "--read-timeout", "0",
            *self._words, *words,
        )  # fmt: skip
        environment = {**self._environment, **more.pop("environment", {})}
        with (self.folder / "log").open("ab") as log:
            server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, **more)
        assert server.stdout is not None
        while b'"listening"' not in (line := server.stdout.readline()):
            if not line:
                raise SystemExit(f"a server could not start: see {self.folder / 'log'}")
        # What is not read would stop it.
        subprocess.Popen(["cat"], stdin=server.stdout, stdout=subprocess.DEVNULL)
        server.stdout.close()
        return server

    def end(self, server: subprocess.Popen[bytes]) -> None:
        """Await the end of a server that stops."""
        began = time.monotonic()
        if (status := server.wait(60)) != 0:
            print("exit status", status, file=sys.stderr)
            self.unordered += 1
        self.seconds.append(time.monotonic() - began)

    def handover(self, times: int) -> None:
        """Have a server taken over from by the next one, and that by the next."""
        # Its socket changes hands, too.
        words = ("--handover", str(self.folder / "next"), "--health", f"unix:{self.folder}/health")
        server = self.start(*words)
        self._underLoad([self.port])
        for _ in range(times):
            time.sleep(_SERVING)
            former, server = server, self.start(*words)
            self.end(former)
        self._ask(self.folder / "health")
        self._finish(server)

    def _ask(self, path: Path) -> None:
        """Ask the last server whether it is ready."""
        with socket.socket(socket.AF_UNIX) as health:
            health.connect(str(path))
            health.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            answer = health.recv(100)
        if b" 200 " not in answer:
            print("not ready:", answer, file=sys.stderr)
            self.unordered += 1

    def activation(self, times: int) -> None:
        """Stop a server and start the next one, while the socket stays."""
        with socket.create_server(("127.0.0.1", self.port), backlog=1024) as listening:
            server = self._activated(listening)
            self._underLoad([self.port])
            for _ in range(times):
                time.sleep(_SERVING)
                server.send_signal(signal.SIGTERM)
                self.end(server)
                server = self._activated(listening)
            self._finish(server)

    def _activated(self, listening: socket.socket) -> subprocess.Popen[bytes]:
        def prepare() -> None:
            os.dup2(listening.fileno(), _FIRST_DESCRIPTOR)

        # The number of the process is known in it alone.
        program = ("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=tls exec "$@"', "sh")
        return self.start(
            listen="systemd:domain=INET:name=tls", preexec_fn=prepare, pass_fds=[_FIRST_DESCRIPTOR], before=program
        )

    def reuseport(self, times: int) -> None:
        """Start the next server beside the one that runs, and stop that."""
        server = self.start("--reuse-port")
        self._underLoad([self.port])
        for _ in range(times):
            time.sleep(_SERVING)
            former, server = server, self.start("--reuse-port")
            former.send_signal(signal.SIGTERM)
            self.end(former)
        self._finish(server)

    def drain(self, times: int) -> None:
        """Stop one of two servers, and start it again, while clients go to the other."""
        first, second = self.port, self.port + 1
        servers = {port: self._on(port) for port in (first, second)}
        self._underLoad([first, second])
        for number in range(times):
            port = (first, second)[number % 2]
            down = self.folder / f"down-{port}"
            down.touch()
            servers[port].send_signal(signal.SIGTERM)
            self.end(servers[port])
            servers[port] = self._on(port)
            down.unlink()
            time.sleep(_SERVING)
        self._finish(*servers.values())

    def balancer(self, times: int) -> None:
        """Restart one of two servers behind HAProxy, which asks whether they are ready."""
        ports = (self.port + 1, self.port + 2)
        servers = {port: self._behind(port) for port in ports}
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text(
            _HAPROXY.format(
                front=self.port,
                one=ports[0],
                two=ports[1],
                oneHealth=ports[0] + _DISTANCE,
                twoHealth=ports[1] + _DISTANCE,
            )
        )
        with (self.folder / "haproxy.log").open("wb") as log:
            balancer = subprocess.Popen(("haproxy", "-db", "-f", str(configuration)), stdout=log, stderr=log)
        time.sleep(3)
        self._underLoad([self.port])
        for number in range(times):
            port = ports[number % 2]
            time.sleep(_SERVING)
            servers[port].send_signal(signal.SIGTERM)
            self.end(servers[port])
            servers[port] = self._behind(port)
            # It has to see that the server is back before the other one goes.
            time.sleep(2)
        self._finish(*servers.values())
        balancer.terminate()
        balancer.wait(60)

    def _behind(self, port: int) -> subprocess.Popen[bytes]:
        health = f"tcp:{port + _DISTANCE}:interface=127.0.0.1"
        return self.start("--health", health, "--drain-delay", "2", listen=f"tcp:{port}:interface=127.0.0.1")

    def _on(self, port: int) -> subprocess.Popen[bytes]:
        return self.start(listen=f"tcp:{port}:interface=127.0.0.1")

    def _underLoad(self, ports: Sequence[int]) -> None:
        names = ",".join(map(str, ports))
        program = (sys.executable, "-c", "import sys; from benchmarks.restarts import clients; clients(*sys.argv[1:])")
        self._clients = [subprocess.Popen((*program, str(self.folder), names, name)) for name in "ab"]
        time.sleep(2)

    def _finish(self, *servers: subprocess.Popen[bytes]) -> None:
        time.sleep(1)
        (self.folder / "stop").touch()
        for each in self._clients:
            each.wait(60)
        for server in servers:
            server.send_signal(signal.SIGTERM)
            self.end(server)

    def result(self) -> dict[str, Any]:
        """Return what was counted."""
        counts: Counter[str] = Counter({"refused": 0, "broken": 0, "lost": 0, "sentAgain": 0})
        recorded = Counter((self.folder / "record").read_text().split())
        for path in self.folder.glob("counts-*.json"):
            one = json.loads(path.read_text())
            counts.update(one["counts"])
            counts["lost"] += sum(message not in recorded for message in one["taken"])
        counts["takenTwice"] = sum(number - 1 for number in recorded.values())
        return {**counts, "unordered": self.unordered, "slowestStop": round(max(self.seconds), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("trial", choices=("handover", "activation", "reuseport", "drain", "balancer"))
    parser.add_argument("--times", type=int, default=50, help="how many restarts or drains (default: 50)")
    parser.add_argument("--port", type=int, default=26100, help="the first port of two (default: 26100)")
    parser.add_argument("--processes", type=int, default=1, help="how many processes each server has (default: 1)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the servers' log")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="restarts"))
    trial = Trial(folder, given.port, given.processes)
    began = time.monotonic()
    getattr(trial, given.trial)(given.times)
    result = trial.result()
    print(
        json.dumps({"trial": given.trial, "times": given.times, "seconds": round(time.monotonic() - began), **result})
    )
    if given.keep:
        print(folder, file=sys.stderr)
    else:
        import shutil

        shutil.rmtree(folder)
    sys.exit(any(result[name] for name in ("refused", "broken", "lost", "unordered")))


if __name__ == "__main__":
    main()
