"""What a server costs for each handshake, each message and each connection, next to other servers.

    .venv/bin/python benchmarks/servers.py [--rounds N]

Every server runs in a process of its own; the clients are Python's ``ssl`` over blocking sockets, the same for all. The
rounds of the servers take turns, so that whatever else the machine does meets all of them, and the median counts. The
last column is the ratio to plain Twisted; below 1 is better.
"""

from __future__ import annotations

import argparse
import math
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tlscomm.issuing import ensureDevelopmentAuthority

KINDS = ("Twisted", "tlscomm", "tlscomm-hook", "asyncio")
PEER = "Twisted"

HANDSHAKES = 150
MESSAGES = 3000
MEGABYTES = 16
CONNECTIONS = 200


class Server:
    """One of the servers, in a process of its own."""

    def __init__(self, folder: Path, kind: str) -> None:
        program = [sys.executable, str(Path(__file__).with_name("_server.py")), str(folder), kind]
        self._process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, control = map(int, self._process.stdout.readline().split())
        self._control = socket.create_connection(("127.0.0.1", control))

    def cost(self) -> tuple[float, int]:
        """Return the processor time in seconds and the memory in KiB that it has used until now."""
        self._control.sendall(b"?")
        seconds, memory = self._control.recv(100).split()
        return float(seconds), int(memory)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Clients:
    """Connect to a server."""

    def __init__(self, folder: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(folder / "ca.pem")
        self._context.load_cert_chain(folder / "client.pem", folder / "client.key")

    def connect(self, server: Server, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """Connect, and wait until the server has answered: only then it has accepted the client."""
        plain = socket.create_connection(("127.0.0.1", server.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = self._context.wrap_socket(plain, server_hostname="localhost", session=session)
        exchange(connection, b"?", 1)
        return connection


def exchange(connection: ssl.SSLSocket, data: bytes, size: int) -> None:
    connection.sendall(data)
    while size > 0:
        size -= len(connection.recv(1 << 16))


def fullHandshakes(server: Server, clients: Clients) -> float:
    before = server.cost()[0]
    for _ in range(HANDSHAKES):
        clients.connect(server).close()
    return (server.cost()[0] - before) / HANDSHAKES * 1e3


def resumedHandshakes(server: Server, clients: Clients) -> float:
    connection = clients.connect(server)
    session = connection.session
    connection.close()
    before, resumed = server.cost()[0], 0
    for _ in range(HANDSHAKES):
        connection = clients.connect(server, session)
        resumed += bool(connection.session_reused)
        session = connection.session
        connection.close()
    return (server.cost()[0] - before) / HANDSHAKES * 1e3 if resumed > HANDSHAKES // 2 else float("nan")


def messages(server: Server, clients: Clients) -> float:
    connection = clients.connect(server)
    before, message = server.cost()[0], b"m" * 100
    for _ in range(MESSAGES):
        exchange(connection, message, len(message))
    used = server.cost()[0] - before
    connection.close()
    return used / MESSAGES * 1e6


def megabytes(server: Server, clients: Clients) -> float:
    connection = clients.connect(server)
    before, piece = server.cost()[0], b"x" * (1 << 16)
    for _ in range(MEGABYTES * 16):
        exchange(connection, piece, len(piece))
    used = server.cost()[0] - before
    connection.close()
    return used / MEGABYTES * 1e3


def memory(server: Server, clients: Clients) -> float:
    before = server.cost()[1]
    connections = [clients.connect(server) for _ in range(CONNECTIONS)]
    used = server.cost()[1] - before
    for connection in connections:
        connection.close()
    return used / CONNECTIONS


MEASURES: dict[str, Callable[[Server, Clients], float]] = {
    "full handshake, ms": fullHandshakes,
    "resumed handshake, ms": resumedHandshakes,
    "100-byte echo, us": messages,
    "MB echoed in 64 KiB pieces, ms": megabytes,
    "open connection, KiB": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        ensureDevelopmentAuthority(Path(folder) / "pki")
        clients = Clients(Path(folder) / "pki")
        for title, measure in MEASURES.items():
            # New processes for each measure: memory that one has freed must not serve the next.
            servers = {kind: Server(Path(folder) / "pki", kind) for kind in KINDS}
            results: dict[str, list[float]] = {kind: [] for kind in KINDS}
            try:
                for _ in range(1 if measure is memory else rounds):
                    for kind, server in servers.items():
                        results[kind].append(measure(server, clients))
            finally:
                for server in servers.values():
                    server.stop()
            report(title, {kind: statistics.median(values) for kind, values in results.items()})


def report(title: str, medians: dict[str, float]) -> None:
    print(f"server's {title}" if "KiB" in title.rsplit(",", maxsplit=1)[-1] else f"server's CPU: {title}")
    for kind, value in medians.items():
        ratio = value / medians[PEER]
        print(f"  {kind:<14}{value:9.2f}" + (f"{ratio:8.2f}" if not math.isnan(ratio) else "   (no ratio)"), flush=True)


if __name__ == "__main__":
    main()
