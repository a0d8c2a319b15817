"""Segments of TCP in packets of IP, made by ourselves, with checksums that are right.

Source: RFC 9293 (TCP), RFC 791 (IPv4), RFC 8200 (IPv6), RFC 1071 (the checksum).
"""

from __future__ import annotations

import socket
from struct import pack

from tlscomm._capture.packets import Address

__all__ = ["LARGEST_PAYLOAD", "Encoder", "checksum", "emptyPacket", "packed"]

#: What fits into one packet of IPv4, beside the headers and options that are made here.
LARGEST_PAYLOAD = 65_487

_TCP = 6
_HOPS = 64

#: As large as it can be without being scaled.
_WINDOW = 0xFFFF

#: The largest segment, and how often the window is doubled: to 1 GB, so that it is never full.
_OPTIONS = pack("!BBHBBBB", 2, 4, 65_000, 1, 3, 3, 14)


def checksum(data: bytes) -> int:
    """Return the checksum of RFC 1071 over bytes in which its own place is zero, or 0 where it is there and right.

    A sum of 16-bit numbers whose carries are added again is the remainder of a division by 65,535, and Python divides
    one large number faster than it adds thousands.
    """
    remainder = int.from_bytes(data + b"\x00" if len(data) & 1 else data, "big") % 0xFFFF
    return 0xFFFF - remainder if remainder else 0


def packed(host: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address as text, or None where it is none. The zone of an address is left out."""
    text = host.partition("%")[0]
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None


class Encoder:
    """Makes the segments of one direction of a connection."""

    def __init__(self, source: Address, destination: Address) -> None:
        """
        Args:
            source: an IPv4 or IPv6 address and the port.
            destination: the same. Where one is IPv4 and the other is not, it is written as IPv6 (RFC 4291, 2.5.5.2).

        Raises:
            ValueError: one of them is no address.
        """
        first, second = packed(source.host), packed(destination.host)
        if first is None or second is None:
            raise ValueError(f"{source} or {destination} is no address of IP")
        self._isIPv4 = len(first) == len(second) == 4
        if not self._isIPv4:
            first, second = _asIPv6(first), _asIPv6(second)
        self._addresses = first + second
        self._ports = pack("!HH", source.port & 0xFFFF, destination.port & 0xFFFF)
        self._identification = 0

    def segment(self, flags: int, sequence: int, acknowledged: int, payload: bytes = b"", *, isFirst: bool) -> bytes:
        """Return a packet of IP.

        Args:
            flags: of TCP, as in its header.
            sequence: its number.
            acknowledged: which number is awaited from the other side.
            payload: at most 65,487 bytes.
            isFirst: whether it opens the connection, and so says how large segments and windows may be.
        """
        options = _OPTIONS if isFirst else b""
        offset = (20 + len(options)) << 2
        header = self._ports + pack("!IIBBH", sequence, acknowledged, offset, flags, _WINDOW)
        size = 20 + len(options) + len(payload)
        pseudo = self._addresses + pack("!II", _TCP, size)
        total = checksum(b"".join((pseudo, header, b"\x00\x00\x00\x00", options, payload)))
        return b"".join((self._header(size), header, pack("!HH", total, 0), options, payload))

    def _header(self, size: int) -> bytes:
        if not self._isIPv4:
            return pack("!IHBB", 6 << 28, size, _TCP, _HOPS) + self._addresses
        self._identification = (self._identification + 1) & 0xFFFF
        # 0x4000: it may not be cut into fragments.
        before = pack("!BBHHHBB", 0x45, 0, 20 + size, self._identification, 0x4000, _HOPS, _TCP)
        total = checksum(before + b"\x00\x00" + self._addresses)
        return before + pack("!H", total) + self._addresses


def emptyPacket() -> bytes:
    """Return a packet of IPv4 from nowhere to nowhere, with nothing in it, of an experimental protocol (RFC 3692)."""
    head = pack("!BBHHHBBHQ", 0x45, 0, 20, 0, 0x4000, _HOPS, 253, 0, 0)
    return head[:10] + pack("!H", checksum(head)) + head[12:]


def _asIPv6(address: bytes) -> bytes:
    return address if len(address) == 16 else bytes(10) + b"\xff\xff" + address
