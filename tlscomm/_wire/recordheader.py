"""The header of a record (RFC 8446, section 5.1): what all that cut bytes into records, or look for them, take for one.

The types of content are those of RFC 8446 and RFC 6520. The version is 3 and any number, which servers have to accept
(RFC 5246, appendix E.1). A record may be empty. Live connections load this module too, so it imports next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct

__all__ = ["ALERT", "APPLICATION_DATA", "CHANGE_CIPHER_SPEC", "HANDSHAKE", "HEADER", "LIKE_HEADER", "LONGEST"]
__all__ += ["Bytes", "headerAt", "isHeader", "recordsIn", "unpackHeader"]

Bytes = bytes | bytearray

#: So many bytes it has.
HEADER = 5

#: What follows it has at most so many: 2^14, and what compression and encryption may add (RFC 5246, section 6.2.3).
LONGEST = (1 << 14) + 2048

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
_HEARTBEAT = 24

#: What is taken for the beginning of a header where nothing else says that bytes are TLS: its version has to be one
#: that exists, because chance makes fifty times as many of the others. The last byte may be missing.
LIKE_HEADER = re.compile(rb"[\x14-\x18]\x03[\x00-\x04](?:[\x00-\x47]|\x48(?:\x00|\Z))", re.DOTALL)

#: Reads the type, the version and the length, from a place in bytes.
unpackHeader = Struct(">BHH").unpack_from


def isHeader(kind: int, version: int, length: int) -> bool:
    """Return whether a type, a version and a length are those of a record."""
    return CHANGE_CIPHER_SPEC <= kind <= _HEARTBEAT and version >> 8 == 3 and length <= LONGEST


def headerAt(data: Bytes, at: int) -> tuple[int, int] | None:
    """Return the type and the length of the record that begins at a place; None where its header is none, or cut off.

    Args:
        data: what it is in.
        at: the place, from 0.
    """
    if len(data) < at + HEADER:
        return None
    kind, version, length = unpackHeader(data, at)
    return (kind, length) if isHeader(kind, version, length) else None


def recordsIn(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the header and the rest of each whole record, up to the first bytes that are none.

    Args:
        data: what begins with a record.
    """
    at = 0
    while (head := headerAt(data, at)) is not None:
        begin = at + HEADER
        end = begin + head[1]
        if end > len(data):
            return
        yield data[at:begin], data[begin:end]
        at = end
