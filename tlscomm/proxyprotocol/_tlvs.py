"""The types of what a header of version 2 says besides the addresses, and how that is cut (section 2.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = [
    "ALPN",
    "AUTHORITY",
    "CLIENT_CERT_CONN",
    "CLIENT_CERT_SESS",
    "CLIENT_SSL",
    "CRC32C",
    "NETNS",
    "NOOP",
    "SSL",
    "SSL_CIPHER",
    "SSL_CN",
    "SSL_KEY_ALG",
    "SSL_SIG_ALG",
    "SSL_VERSION",
    "UNIQUE_ID",
    "crc32c",
    "split",
    "splitSSL",
    "tlv",
]

ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID = 0x01, 0x02, 0x03, 0x04, 0x05
SSL, SSL_VERSION, SSL_CN, SSL_CIPHER, SSL_SIG_ALG, SSL_KEY_ALG = 0x20, 0x21, 0x22, 0x23, 0x24, 0x25
NETNS = 0x30

#: The bits of the first byte of an SSL TLV.
CLIENT_SSL, CLIENT_CERT_CONN, CLIENT_CERT_SESS = 1, 2, 4

_SSL_HEAD = struct.Struct("!BI")
_HEAD = struct.Struct("!BH")

#: Castagnoli's polynomial, its bits in the order of the bytes on the wire (RFC 3720, section 12.1).
_POLYNOMIAL = 0x82F63B78


def split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Give the TLVs that some bytes consist of: type, where its value begins, value.

    Raises:
        ValueError: the last one is not whole.
    """
    position = 0
    while position < len(data):
        start = position + _HEAD.size
        if start > len(data):
            raise ValueError("its last TLV has no length")
        kind, length = _HEAD.unpack_from(data, position)
        position = start + length
        if position > len(data):
            raise ValueError(f"a TLV of type {kind:#04x} is longer than what is left")
        yield kind, start, data[start:position]


def splitSSL(value: bytes) -> tuple[int, int, list[tuple[int, bytes]]]:
    """Return what an SSL TLV holds: its flags, the result of the verification, and its own TLVs.

    Raises:
        ValueError: it is not whole.
    """
    if len(value) < _SSL_HEAD.size:
        raise ValueError("its SSL TLV is too short")
    flags, verify = _SSL_HEAD.unpack_from(value)
    return flags, verify, [(kind, part) for kind, _, part in split(value[_SSL_HEAD.size :])]


def tlv(kind: int, value: bytes) -> bytes:
    """Return a TLV, whose value is less than 65,536 bytes."""
    return _HEAD.pack(kind, len(value)) + value


def crc32c(data: bytes) -> int:
    """Return the checksum of a header (RFC 3720, appendix B.4). No library that we use has this one."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = _TABLE[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    return checksum ^ 0xFFFFFFFF


def _entry(number: int) -> int:
    for _ in range(8):
        number = (number >> 1) ^ (_POLYNOMIAL if number & 1 else 0)
    return number


_TABLE = tuple(map(_entry, range(256)))
