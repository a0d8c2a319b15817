"""What a tunnel costs: processor time for each megabyte, each short exchange and each connection, beside stunnel.

    .venv/bin/python benchmarks/tunnel.py [--megabytes N] [--exchanges N] [--connections N]

Both ends are measured, ``twistd tlscomm --forward`` and ``tlscomm tunnel``, each between two programs of Python that
have no part in what is measured, and stunnel with the same certificates on both sides. With ghostunnel on the path, it
is measured too. The numbers are of the processes' own processor time, as Linux counts it, so that a busy machine hardly
changes them. The ratio is tlscomm's to stunnel's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tlscomm.issuing import ensureDevelopmentAuthority

LOOPBACK = "127.0.0.1"
PIECE = bytes(1 << 20)
WORD = b"x" * 100
BIN = Path(sys.executable).parent
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 20.0
KINDS = ("tlscomm", "stunnel", "ghostunnel")


def freePort() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def serve(port: int) -> None:
    """Send back what comes, but what begins with a zero: that is counted, and its end is answered."""
    listening = socket.create_server((LOOPBACK, port), backlog=1024)

    def each(connection: socket.socket) -> None:
        with connection:
            first = connection.recv(1 << 18)
            isCounted = first[:1] == b"\0"
            while first:
                if not isCounted:
                    connection.sendall(first)
                first = connection.recv(1 << 18)
            if isCounted:
                connection.sendall(b".")

    while True:
        threading.Thread(target=each, args=listening.accept()[:1], daemon=True).start()


class Measured:
    """A program, and the processor time that it has used."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def awaitPort(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection((LOOPBACK, port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on port {port}")


def serverEnd(kind: str, folder: Path, port: int, backend: int) -> Measured:
    """Start TLS in front of the backend."""
    pem, key, ca = (str(folder / name) for name in ("server.pem", "server.key", "ca.pem"))
    if kind == "tlscomm":
        listen = f"tcp:{port}:interface={LOOPBACK}"
        words = ("--listen", listen, "--identity", pem, "--key", key, "--client-roots", ca)
        return Measured(
            str(BIN / "twistd"), "-n", "--pidfile=", "tlscomm", *words, "--forward", f"tcp:{LOOPBACK}:{backend}"
        )
    if kind == "stunnel":
        return stunnel(folder, "server", port, backend, f"cert={pem}\nkey={key}\nCAfile={ca}\nrequireCert=yes\n")
    words = ("--cert", pem, "--key", key, "--cacert", ca, "--allow-all")
    ends = ("--listen", f"{LOOPBACK}:{port}", "--target", f"{LOOPBACK}:{backend}")
    return Measured("ghostunnel", "server", *ends, *words, "--quiet", "all")


def clientEnd(kind: str, folder: Path, port: int, server: int) -> Measured:
    """Start what makes TLS of plain connections."""
    pem, key, ca = (str(folder / name) for name in ("client.pem", "client.key", "ca.pem"))
    if kind == "tlscomm":
        listen = f"tcp:{port}:interface={LOOPBACK}"
        words = ("--listen", listen, "--identity", pem, "--key", key, "--roots", ca, "--server-name", "localhost")
        return Measured(str(BIN / "tlscomm"), "tunnel", f"{LOOPBACK}:{server}", *words)
    if kind == "stunnel":
        more = f"client=yes\ncert={pem}\nkey={key}\nCAfile={ca}\nverifyChain=yes\ncheckHost=localhost\n"
        return stunnel(folder, "client", port, server, more)
    words = ("--cert", pem, "--key", key, "--cacert", ca, "--override-server-name", "localhost")
    ends = ("--listen", f"{LOOPBACK}:{port}", "--target", f"{LOOPBACK}:{server}")
    return Measured("ghostunnel", "client", *ends, *words, "--quiet", "all")


def stunnel(folder: Path, name: str, port: int, target: int, more: str) -> Measured:
    # Without resumption on either side: a connection is a whole handshake with each of them.
    text = f"foreground=quiet\npid=\nsyslog=no\n[{name}]\naccept={LOOPBACK}:{port}\nconnect={LOOPBACK}:{target}\n{more}"
    (folder / f"{name}.conf").write_text(text)
    return Measured("stunnel", str(folder / f"{name}.conf"))


def bulk(port: int, megabytes: int) -> None:
    """Send so many megabytes and be told of their end, and have as many sent back."""
    half = megabytes // 2
    with socket.create_connection((LOOPBACK, port)) as connection:
        for _ in range(half):
            connection.sendall(PIECE)
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1) != b".":
            raise SystemExit("the end of what was sent did not arrive")
    with socket.create_connection((LOOPBACK, port)) as connection:
        left = (megabytes - half) * len(PIECE)

        def read() -> None:
            nonlocal left
            while left and (piece := connection.recv(1 << 18)):
                left -= len(piece)

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(megabytes - half):
            connection.sendall(b"x" * len(PIECE))
        reader.join()
        if left:
            raise SystemExit(f"{left} bytes did not come back")


def exchanges(port: int, count: int) -> None:
    """Send a hundred bytes and await them, so often."""
    with socket.create_connection((LOOPBACK, port)) as connection:
        for _ in range(count):
            connection.sendall(WORD)
            size = 0
            while size < len(WORD):
                size += len(connection.recv(1000))


def connections(port: int, count: int) -> None:
    """Make connections, one after the other, each for one exchange."""
    for _ in range(count):
        exchanges(port, 1)


@contextmanager
def running(kind: str, folder: Path, backend: int) -> Iterator[tuple[int, dict[str, Measured]]]:
    middle, front = freePort(), freePort()
    with ExitStack() as stack:
        server = serverEnd(kind, folder, middle, backend)
        stack.callback(server.end)
        awaitPort(middle)
        client = clientEnd(kind, folder, front, middle)
        stack.callback(client.end)
        awaitPort(front)
        # What is loaded at the first connection is no cost of each.
        connections(front, 5)
        yield front, {"server's end": server, "client's end": client}


def measure(kind: str, folder: Path, backend: int, counts: argparse.Namespace) -> dict[tuple[str, str], float]:
    """Return the milliseconds of processor time for each unit, by the end and the unit."""
    works: dict[str, tuple[Callable[[int, int], None], int]] = {
        "MB": (bulk, counts.megabytes),
        "exchange": (exchanges, counts.exchanges),
        "connection": (connections, counts.connections),
    }
    found = {}
    with running(kind, folder, backend) as (port, ends):
        for unit, (work, count) in works.items():
            before = {name: each.seconds() for name, each in ends.items()}
            work(port, count)
            time.sleep(0.2)
            for name, each in ends.items():
                found[name, unit] = (each.seconds() - before[name]) / count * 1000
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--exchanges", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=400)
    counts = parser.parse_args()
    backend = freePort()
    threading.Thread(target=serve, args=(backend,), daemon=True).start()
    kinds = [kind for kind in KINDS if kind == "tlscomm" or shutil.which(kind)]
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "certificates"
        ensureDevelopmentAuthority(folder)
        found = {kind: measure(kind, folder, backend, counts) for kind in kinds}
    print("milliseconds of processor time".ljust(34), *(kind.rjust(11) for kind in kinds), "ratio".rjust(7))
    for end, unit in found["tlscomm"]:
        values = [found[kind][end, unit] for kind in kinds]
        ratio = f"{values[0] / values[1]:.2f}" if len(values) > 1 and values[1] else "-"
        print(f"{end}, each {unit}".ljust(34), *(f"{value:11.3f}" for value in values), ratio.rjust(7))


if __name__ == "__main__":
    main()
