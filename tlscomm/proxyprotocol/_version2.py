"""The header of version 2: binary, with a length of its own (section 2.2 of the specification)."""

from __future__ import annotations

import os
import socket
import struct
from typing import Literal

from tlscomm.proxyprotocol import _tlvs as tlvs
from tlscomm.proxyprotocol._header import ProxyAddress, ProxyHeader

__all__ = ["HEAD_SIZE", "INET", "INET6", "LOCAL", "PROXY", "SIGNATURE", "UNSPECIFIED", "lengthOf", "parse2"]

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"

#: The bytes before the addresses: signature, version and command, family and transport, length.
HEAD_SIZE = 16

#: Version and command in one byte.
LOCAL, PROXY = 0x20, 0x21

#: Family and transport in one byte: of a connection that is not known, and of streams.
UNSPECIFIED, INET, INET6, UNIX = 0x00, 0x11, 0x21, 0x31

#: How many bytes the addresses of a family have, by its number.
_SIZES = {0: 0, 1: 12, 2: 36, 3: 216}

_UNIX_SIZE = 108

_LONGEST_AUTHORITY, _LONGEST_UNIQUE_ID = 255, 128


def lengthOf(head: bytes, most: int) -> int:
    """Return how long the header is in all that begins with these bytes.

    Raises:
        ValueError: there is no such header, or it is longer than some bytes.
    """
    command, family = head[12], head[13]
    length = HEAD_SIZE + int.from_bytes(head[14:16], "big")
    if command >> 4 != 2:
        raise ValueError(f"it has the signature of version 2, and says version {command >> 4}")
    if command not in (LOCAL, PROXY):
        raise ValueError(f"it has the command {command & 15}, which there is not")
    if family >> 4 not in _SIZES or family & 15 > 2:
        raise ValueError(f"it has the address family {family:#04x}, which there is not")
    if length > most:
        raise ValueError(f"it has {length} bytes, and {most} are the most that are taken")
    if command == PROXY and length < HEAD_SIZE + _SIZES[family >> 4]:
        raise ValueError("it is too short for its addresses")
    return length


def parse2(data: bytes) -> ProxyHeader:
    """Return what a header says, of which `lengthOf` has said that it is whole.

    Raises:
        ValueError: it is broken.
    """
    if data[12] == LOCAL:
        # All that it says besides has to be ignored.
        return ProxyHeader(2, isLocal=True)
    family = data[13]
    start = HEAD_SIZE + _SIZES[family >> 4]
    source, destination = _addresses(family, data[HEAD_SIZE:start])
    header = ProxyHeader(2, source=source, destination=destination, tlvs=_checkedTLVs(data, start))
    # What it says of TLS has to be whole.
    _ = header.tls
    return header


def _checkedTLVs(data: bytes, start: int) -> tuple[tuple[int, bytes], ...]:
    found = []
    checksum: tuple[int, bytes] | None = None
    for kind, place, value in tlvs.split(data[start:]):
        if kind == tlvs.CRC32C:
            if checksum is not None or len(value) != 4:
                raise ValueError("it has more than one checksum, or one of another length than 4")
            checksum = start + place, value
        if kind == tlvs.AUTHORITY and len(value) > _LONGEST_AUTHORITY:
            raise ValueError(f"its authority has more than {_LONGEST_AUTHORITY} bytes")
        if kind == tlvs.UNIQUE_ID and len(value) > _LONGEST_UNIQUE_ID:
            raise ValueError(f"its unique id has more than {_LONGEST_UNIQUE_ID} bytes")
        if kind != tlvs.NOOP:
            found.append((kind, value))
    if checksum is not None:
        place, value = checksum
        if tlvs.crc32c(data[:place] + bytes(4) + data[place + 4 :]) != int.from_bytes(value, "big"):
            raise ValueError("its checksum (CRC32C) is wrong")
    return tuple(found)


def _addresses(family: int, data: bytes) -> tuple[ProxyAddress, ProxyAddress] | tuple[None, None]:
    if family == UNIX:
        return _path(data[:_UNIX_SIZE]), _path(data[_UNIX_SIZE:])
    # What was no stream did not become this connection, and what is not known holds no addresses.
    if family not in (INET, INET6):
        return None, None
    name: Literal["IPv4", "IPv6"] = "IPv4" if family == INET else "IPv6"
    kind, size = (socket.AF_INET, 4) if family == INET else (socket.AF_INET6, 16)
    hosts = [socket.inet_ntop(kind, data[place : place + size]) for place in (0, size)]
    ports = struct.unpack_from("!2H", data, 2 * size)
    return ProxyAddress(name, hosts[0], ports[0]), ProxyAddress(name, hosts[1], ports[1])


def _path(field: bytes) -> ProxyAddress:
    # A name in Linux's abstract space begins with a zero byte.
    name = field.rstrip(b"\0") if field[:1] == b"\0" else field.partition(b"\0")[0]
    return ProxyAddress("UNIX", os.fsdecode(name))
