"""From a packet to its TCP segment: IP, its options, extension headers, fragments and tunnels.

Nearly every packet of a large capture is a whole IPv4 packet without options. That is looked at first, in one step.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import NamedTuple

from tlscomm._capture.fragments import Fragments
from tlscomm._capture.links import IPV4, IPV6, below, linkPayload
from tlscomm._capture.packets import Address, Packet

__all__ = ["Network", "Segment", "addresses"]

#: Of IP: version and header length, total length, fragment, protocol. Of TCP behind it: numbers, header length, flags.
_PLAIN = Struct("!BxHxxHxB14xIIBB").unpack_from
_PLAIN_SIZE = 34

_TCP = Struct("!IIBB").unpack_from

_TCP_NUMBER, _UDP_NUMBER = 6, 17
_ETHERTYPES = {4: IPV4, 41: IPV6}
_GRE = 47

#: IPv6's extension headers that have a length in their second byte (RFC 8200, section 4; RFC 6275; RFC 7401; RFC 5533).
_EXTENSIONS = {0, 43, 60, 135, 139, 140}
_FRAGMENT, _AUTHENTICATION = 44, 51

_VXLAN_PORTS = {4789, 8472}

_MOST_EXTENSIONS = 32
_MOST_TUNNELS = 6

#: What tells one direction of a connection: both addresses and both ports, first those that it comes from.
Key = bytes


class Segment(NamedTuple):
    """A TCP segment.

    Attributes:
        key: addresses and ports: source address, destination address, source port, destination port.
        sequence: of its first byte.
        acknowledged: what it acknowledges.
        flags: those of TCP.
        payload: its bytes, as many as were kept.
        lost: how many more there were.
    """

    key: bytes
    sequence: int
    acknowledged: int
    flags: int
    payload: bytes
    lost: int


def addresses(key: bytes) -> tuple[Address, Address]:
    """Return both ends, first the one that a segment with this key comes from."""
    half = (len(key) - 4) // 2
    family = socket.AF_INET if half == 4 else socket.AF_INET6
    ports = (int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big"))
    source, destination = socket.inet_ntop(family, key[:half]), socket.inet_ntop(family, key[half:-4])
    return Address(source, ports[0]), Address(destination, ports[1])


class Network:
    """Reads packets up to TCP. It holds the fragments that are not complete yet."""

    def __init__(self) -> None:
        self._fragments = Fragments()

    def segment(self, packet: Packet) -> Segment | None:
        """Return the TCP segment in a packet, or None where there is none that can be read."""
        data = packet.data
        protocol, at = (
            (0x0800, 14)
            if packet.linkType == 1 and data[12:14] == b"\x08\x00"
            else (linkPayload(packet.linkType, data))
        )
        if protocol == IPV4 and len(data) >= at + _PLAIN_SIZE:
            first, total, fragment, inner, sequence, acknowledged, offset, flags = _PLAIN(data, at)
            if first == 0x45 and inner == _TCP_NUMBER and not fragment & 0x3FFF and total >= 40:
                start = at + 20 + (offset >> 4) * 4
                end = at + total
                payload = data[start:end]
                lost = 0
                if end > len(data):
                    lost = max(0, min(end, packet.length) - max(start, len(data)))
                return Segment(data[at + 12 : at + 24], sequence, acknowledged, flags, payload, lost)
        return self._network(protocol, data, at, packet.length, _MOST_TUNNELS)

    def _network(self, protocol: int, data: bytes, at: int, end: int, depth: int) -> Segment | None:
        """Read IP where it is not plain. `end` is where the packet ended on the wire."""
        if depth and protocol == IPV4:
            return self._ipv4(data, at, end, depth)
        if depth and protocol == IPV6:
            return self._ipv6(data, at, end, depth)
        return None

    def _ipv4(self, data: bytes, at: int, end: int, depth: int) -> Segment | None:
        header = data[at : at + 20]
        if len(header) < 20 or header[0] >> 4 != 4 or header[0] & 15 < 5:
            return None
        total = int.from_bytes(header[2:4], "big")
        # The length is 0 where the network card was to divide a packet that was captured before.
        end = min(end, at + total) if total else end
        fragment = int.from_bytes(header[6:8], "big")
        start = at + (header[0] & 15) * 4
        if fragment & 0x3FFF:
            name = header[4:6] + header[9:10] + header[12:20]
            whole = self._fragments.add(name, (fragment & 0x1FFF) * 8, data[start:end], not fragment & 0x2000)
            if whole is None:
                return None
            data, start, end = whole, 0, len(whole)
        return self._inside((header[9], header[12:20]), data, start, end, depth)

    def _ipv6(self, data: bytes, at: int, end: int, depth: int) -> Segment | None:
        header = data[at : at + 40]
        if len(header) < 40 or header[0] >> 4 != 6:
            return None
        size = int.from_bytes(header[4:6], "big")
        end = min(end, at + 40 + size) if size else end
        inner, at = header[6], at + 40
        for _ in range(_MOST_EXTENSIONS):
            following = data[at : at + 8]
            if inner not in _EXTENSIONS and inner not in (_FRAGMENT, _AUTHENTICATION):
                break
            if len(following) < 8:
                return None
            if inner == _FRAGMENT:
                place = int.from_bytes(following[2:4], "big")
                name = following[4:8] + header[8:40]
                if place & 0xFFF9:
                    whole = self._fragments.add(name, place & 0xFFF8, data[at + 8 : end], not place & 1)
                    if whole is None:
                        return None
                    data, at, end = whole, -8, len(whole)
                at += 8
            else:
                at += (following[1] + 2) * 4 if inner == _AUTHENTICATION else (following[1] + 1) * 8
            inner = following[0]
        return self._inside((inner, header[8:40]), data, at, end, depth)

    def _inside(self, upper: tuple[int, bytes], data: bytes, at: int, end: int, depth: int) -> Segment | None:
        """Read what IP carries: a protocol, between a pair of addresses."""
        protocol, pair = upper
        if protocol == _TCP_NUMBER:
            return _segment(pair, data, at, end)
        if protocol in _ETHERTYPES:
            return self._network(_ETHERTYPES[protocol], data, at, end, depth - 1)
        if protocol == _GRE:
            return self._network(*_tunnelled(data, *_gre(data, at)), end, depth - 1)
        if protocol == _UDP_NUMBER and int.from_bytes(data[at + 2 : at + 4], "big") in _VXLAN_PORTS:
            # A header of eight bytes, then Ethernet (RFC 7348).
            return self._network(*_tunnelled(data, 0x6558, at + 16), end, depth - 1)
        return None


def _tunnelled(data: bytes, protocol: int, at: int) -> tuple[int, bytes, int]:
    protocol, at = below(data, protocol, at)
    return protocol, data, at


def _gre(data: bytes, at: int) -> tuple[int, int]:
    """Return what GRE carries, and where (RFC 2784 and 2890)."""
    head = data[at : at + 4]
    if len(head) < 4 or head[1] & 7:
        return 0, 0
    size = 4 + 4 * sum(bool(head[0] & bit) for bit in (0x80, 0x20, 0x10))
    return int.from_bytes(head[2:4], "big"), at + size


def _segment(pair: bytes, data: bytes, at: int, end: int) -> Segment | None:
    if len(data) < at + 14:
        return None
    sequence, acknowledged, offset, flags = _TCP(data, at + 4)
    start = at + (offset >> 4) * 4
    lost = max(0, end - max(start, len(data)))
    return Segment(pair + data[at : at + 4], sequence, acknowledged, flags, data[start:end], lost)
