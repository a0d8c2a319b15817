"""Packets and captures, byte by byte, as tests need them."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from tlscomm._capture.network import Network
from tlscomm._capture.packets import Address, Packet
from tlscomm._capture.tcp import Connections

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

CLIENT, SERVER = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"
CLIENT6, SERVER6 = bytes.fromhex("fd00" + 13 * "00" + "01"), bytes.fromhex("fd00" + 13 * "00" + "02")

#: The times of packets are these nanoseconds apart.
APART = 1_000_000


def tcp(ports: tuple[int, int], sequence: int, acknowledged: int, flags: int, data: bytes = b"") -> bytes:
    """A TCP segment without options; its checksum is wrong, as network cards leave it."""
    mask = 0xFFFF_FFFF
    head = struct.pack("!HHIIBBHHH", *ports, sequence & mask, acknowledged & mask, 0x50, flags, 8192, 0xBAD, 0)
    return head + data


def ipv4(
    payload: bytes, *, protocol: int = 6, fragment: int = 0, options: bytes = b"", total: int | None = None
) -> bytes:
    """An IPv4 packet from `CLIENT` to `SERVER`."""
    size = 20 + len(options)
    first = 0x40 | size // 4
    length = size + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", first, 0, length, 77, fragment, 64, protocol, 0, CLIENT, SERVER)
    return head + options + payload


def fromServer(segment: bytes) -> bytes:
    """An IPv4 packet from `SERVER` to `CLIENT`."""
    packet = bytearray(ipv4(segment))
    packet[12:20] = SERVER + CLIENT
    return bytes(packet)


def ipv6(payload: bytes, *, following: int = 6) -> bytes:
    """An IPv6 packet from `CLIENT6` to `SERVER6`."""
    return struct.pack("!IHBB16s16s", 0x6000_0000, len(payload), following, 64, CLIENT6, SERVER6) + payload


def ethernet(payload: bytes, protocol: int = 0x0800, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + protocol.to_bytes(2, "big") + payload


def pcap(
    packets: Iterable[bytes], *, order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1, snap: int = 1 << 18
) -> bytes:
    """A capture of packets, a millisecond apart."""
    found = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    unit = 1 if magic == 0xA1B23C4D else 1000
    for number, packet in enumerate(packets):
        kept = packet[:snap]
        found.append(struct.pack(order + "IIII", 1000, number * APART // unit, len(kept), len(packet)))
        if magic == 0xA1B2CD34:
            found.append(struct.pack(order + "IHBx", 1, 0x0800, 4))
        found.append(kept)
    return b"".join(found)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order: str = "<", link: int = 1, options: bytes = b"", snap: int = 0) -> bytes:
    end = option(0, b"", order) if options else b""
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options + end, order)


def enhanced(data: bytes, units: int = 0, which: int = 0, order: str = "<", options: bytes = b"") -> bytes:
    head = struct.pack(order + "IIIII", which, units >> 32, units & 0xFFFF_FFFF, len(data), len(data))
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


class Told:
    """What is told of one connection: as text, and the bytes of each side."""

    def __init__(self, first: Address, second: Address) -> None:
        self.ends = (first, second)
        self.said: list[str] = []
        self.bytes = {True: b"", False: b""}

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        self.said.append(f"{'>' if isFirst else '<'} {name}")

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        self.bytes[isFirst] += data
        self.said.append(f"{'>' if isFirst else '<'} {data.decode('latin-1')}")

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        self.said.append(f"{'>' if isFirst else '<'} ({size} missing)")

    def ended(self) -> None:
        self.said.append("ended")


def connectionsIn(packets: Iterable[Packet]) -> list[Told]:
    """What is told of the connections in some packets, in the order in which they begin."""
    found: list[Told] = []

    def connected(number: int, first: Address, second: Address) -> Told:
        found.append(Told(first, second))
        return found[-1]

    network, connections = Network(), Connections(connected)
    for packet in packets:
        segment = network.segment(packet)
        if segment is not None:
            connections.add(segment, packet.time, packet.number)
    connections.finish()
    return found


def numbered(frames: Iterable[bytes], link: int = 1) -> list[Packet]:
    """Packets with numbers and times."""
    return [Packet(n, n * APART, link, frame, len(frame)) for n, frame in enumerate(frames, 1)]
