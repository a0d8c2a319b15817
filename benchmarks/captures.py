"""What reading a capture costs, with the real tshark beside it.

    .venv/bin/python benchmarks/captures.py [MEGABYTES]

Two captures are made of real TLS between two of Python's contexts, in packets of an Ethernet's size: one long
connection, and many that end after their handshake and a few bytes. Each line is one of them: MB/s and the most memory,
for tlscomm and for tshark when it prints each packet's connection and the content types of its records. Times are those
of the processor, because a busy machine changes them least.
"""

from __future__ import annotations

import os
import resource
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._credentials import Certificates
from tlscomm._capture.packets import Address
from tlscomm._capture.writing import CaptureWriter, WrittenConnection

#: What a packet on an Ethernet holds of a TCP stream.
SEGMENT = 1448

#: The times of packets are these nanoseconds apart.
APART = 3000

SERVER = Address("192.0.2.1", 443)

OURS = """
import sys
from tlscomm._wire.secrets import Secrets
from tlscomm.tracing import readCaptures
print(sum(1 for trace in readCaptures(sys.argv[1:], Secrets())))
"""

TSHARK = ("tshark", "-n", "-T", "fields", "-e", "tcp.stream", "-e", "tls.record.content_type", "-r")

Turns = list[tuple[bool, bytes]]


class Cost(NamedTuple):
    seconds: float
    megabytes: float


def main(size: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificates = Certificates(folder)
        print(f"{'':12}{'MB':>8}{'tlscomm':>20}{'tshark':>20}{'ratio':>8}")
        for label, write in (("bulk", bulk), ("handshakes", handshakes)):
            path = folder / f"{label}.pcapng"
            with path.open("wb") as file:
                writer = CaptureWriter(file)
                write(writer, certificates, size)
                writer.flush()
            line(label, path)
            path.unlink()


def line(label: str, path: Path) -> None:
    megabytes = path.stat().st_size / 1e6
    ours = cost([sys.executable, "-c", OURS, str(path)])
    theirs = cost([*TSHARK, str(path)])
    columns = "".join(f"{megabytes / c.seconds:8.1f} MB/s{c.megabytes:4.0f} MB" for c in (ours, theirs))
    print(f"{label:12}{megabytes:8.0f}{columns}{theirs.seconds / ours.seconds:8.1f}", flush=True)


def cost(command: list[str]) -> Cost:
    """Processor time and memory of a program."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(_seconds(used), used.ru_maxrss * unit / 1e6)


def _seconds(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime


def bulk(writer: CaptureWriter, certificates: Certificates, size: int) -> None:
    """One connection that carries all the bytes."""
    pair = Pair(certificates, ssl.TLSVersion.TLSv1_3)
    connection = writer.connection(Address("198.51.100.1", 40000), SERVER, 0)
    time = write(connection, pair.handshake(), 0)
    block = os.urandom(1 << 18)
    while writer.size < size:
        time = write(connection, pair.send(block), time)


def handshakes(writer: CaptureWriter, certificates: Certificates, size: int) -> None:
    """Connections of both versions one after the other. Each has the bytes of one of two that were made."""
    kinds = []
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        pair = Pair(certificates, version)
        kinds.append([*pair.handshake(), *pair.send(b"a request"), *pair.close()])
    time = number = 0
    while writer.size < size:
        client = Address(f"198.51.{number >> 8 & 127}.{number & 255}", 1024 + number % 60_000)
        connection = writer.connection(client, SERVER, time)
        time = write(connection, kinds[number % 2], time)
        connection.end(True, "FIN", time)
        connection.end(False, "FIN", time)
        number += 1


def write(connection: WrittenConnection, turns: Turns, time: int) -> int:
    for isFromClient, data in turns:
        for at in range(0, len(data), SEGMENT):
            time += APART
            connection.data(isFromClient, data[at : at + SEGMENT], time)
    return time


class Pair:
    """A client and a server in memory, both with certificates."""

    def __init__(self, certificates: Certificates, version: ssl.TLSVersion) -> None:
        folder = certificates.folder
        client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        client.load_cert_chain(certificates.client)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
        server.load_cert_chain(folder / "server.pem", folder / "server.key")
        server.verify_mode = ssl.CERT_REQUIRED
        client.maximum_version = server.maximum_version = version
        self._toClient, self._toServer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._fromClient, self._fromServer = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._client = client.wrap_bio(self._toClient, self._fromClient, server_hostname="localhost")
        self._server = server.wrap_bio(self._toServer, self._fromServer, server_side=True)

    def handshake(self) -> Turns:
        turns: Turns = []
        for _ in range(4):
            for side in (self._client, self._server):
                _tried(side.do_handshake)
                turns += self._moved()
        return turns

    def send(self, data: bytes) -> Turns:
        self._client.write(data)
        turns = list(self._moved())
        while _tried(lambda: self._server.read(1 << 18)):
            pass
        return turns

    def close(self) -> Turns:
        turns: Turns = []
        for side in (self._client, self._server):
            _tried(side.unwrap)
            turns += self._moved()
        return turns

    def _moved(self) -> Iterator[tuple[bool, bytes]]:
        """Bring what each side has written to the other one."""
        for isFromClient, source, destination in (
            (True, self._fromClient, self._toServer),
            (False, self._fromServer, self._toClient),
        ):
            data = source.read()
            if data:
                destination.write(data)
                yield isFromClient, data


def _tried(act: Callable[[], object]) -> object:
    """What a step returns, or None where it has to wait for the other side."""
    try:
        return act()
    except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
        return None


if __name__ == "__main__":
    main(int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 100_000_000)
