"""Stored captures of real programs, told once more as a live connection would tell what it sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, cast

from tlscomm._capture.network import Network
from tlscomm._capture.packets import Address, Packet, StreamReader
from tlscomm._capture.reading import CaptureFiles
from tlscomm._capture.tcp import Connections
from tlscomm.tracing._capturefile import CapturedConnection, CaptureFile

__all__ = ["CAPTURES", "Heard", "heard", "packetsOf", "replay"]

CAPTURES = Path(__file__).with_name("captures")


class Heard:
    """What was read of a connection: a `StreamReader`.

    Attributes:
        client: the address of the side that opened it.
        server: the other one.
        data: the bytes of the client, and those of the server.
        steps: of TCP, in their order, each with whether it is the client's.
        missing: how many bytes were not there.
    """

    def __init__(self, client: Address, server: Address) -> None:
        self.client = client
        self.server = server
        self.data_: dict[bool, bytes] = {True: b"", False: b""}
        self.steps: list[tuple[bool, str]] = []
        self.lost = 0

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        self.steps.append((isFirst, name))

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        self.data_[isFirst] += data

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        self.lost += size

    def ended(self) -> None:
        pass


class _Replayed:
    """Tells a capture that is written what it is told of a connection: a `StreamReader`."""

    def __init__(self, target: CaptureFile, client: Address, server: Address, lines: Iterable[bytes]) -> None:
        self._target = target
        self._addresses = client, server
        self._lines = lines
        self._connection: CapturedConnection | None = None

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        if self._connection is None:
            self._connection = self._target.begin(*self._addresses, time, "server")
            for line in self._lines:
                self._connection.secrets(line)
        if name != "SYN":
            self._connection.end(isFirst, cast(Literal["FIN", "RST"], name), time)

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        assert self._connection is not None
        self._connection.data(isFirst, data, time)

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        pass

    def ended(self) -> None:
        pass


def packetsOf(path: Path, lines: list[bytes] | None = None) -> Iterator[Packet]:
    """Give the packets of a capture, and put the lines of its secrets into a list."""
    found: list[bytes] = [] if lines is None else lines
    return CaptureFiles([str(path)], lambda more: found.extend(more.splitlines())).packets()


def _read(packets: Iterable[Packet], connected: Connections) -> None:
    network = Network()
    for packet in packets:
        segment = network.segment(packet)
        if segment is not None:
            connected.add(segment, packet.time, packet.number)
    connected.finish()


def heard(path: Path, lines: list[bytes] | None = None) -> list[Heard]:
    """Return what a capture holds of each connection, as our reader reads it."""
    found: list[Heard] = []

    def connected(number: int, client: Address, server: Address) -> StreamReader:
        found.append(Heard(client, server))
        return found[-1]

    _read(packetsOf(path, lines), Connections(connected))
    return found


def replay(path: Path, target: CaptureFile) -> None:
    """Tell a capture that is written what a stored one holds, with its secrets."""
    lines = []
    keys = path.with_suffix(".keys")
    if keys.exists():
        lines += keys.read_bytes().splitlines()

    def connected(number: int, client: Address, server: Address) -> StreamReader:
        return _Replayed(target, client, server, [line for line in lines if line and not line.startswith(b"#")])

    _read(packetsOf(path, lines), Connections(connected))
