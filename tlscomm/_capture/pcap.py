"""Captures in the older form, pcap: a header of 24 bytes, then packets with a header of 16 each.

Source: draft-ietf-opsawg-pcap. The first four bytes tell the byte order and whether times are in microseconds or
nanoseconds. Alexey Kuznetzov's variant has packet headers of 24 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct

from tlscomm._capture.packets import Packet
from tlscomm._capture.problems import Damage
from tlscomm._capture.source import Source

__all__ = ["LARGEST", "isPcap", "readPcap"]

#: No packet that is read is larger. The programs that capture keep 256 KiB at most.
LARGEST = 1 << 20

#: By the first four bytes: byte order, nanoseconds in a unit of the fraction, size of a packet's header.
_FORMS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
}

_HEADER = 24


def isPcap(head: bytes) -> bool:
    """Return whether a file that begins so is one."""
    return head[:4] in _FORMS


def readPcap(source: Source, first: int, note: Callable[[Damage], None]) -> Iterator[Packet]:
    """Give its packets.

    Args:
        source: at its beginning, which `isPcap`.
        first: the number of the first packet.
        note: is called with what is damaged in it.
    """
    buffer = source.more(b"", _HEADER)
    if len(buffer) < _HEADER:
        note(Damage(source.name, 0, "it ends inside its header"))
        return
    order, unit, headerSize = _FORMS[buffer[:4]]
    # The upper bits say how long a frame's check sequence is, which is found by the length of IP.
    linkType = Struct(order + "I").unpack_from(buffer, 20)[0] & 0xFFFF
    unpack = Struct(order + "IIII").unpack_from
    at, end, number = _HEADER, len(buffer), first
    isInside = False
    while True:
        if end - at < headerSize:
            buffer = source.more(buffer[at:], headerSize)
            at, end = 0, len(buffer)
            if end < headerSize:
                isInside = end > 0
                break
        seconds, fraction, kept, length = unpack(buffer, at)
        start = at + headerSize
        at = start + kept
        if at > end:
            if kept > LARGEST:
                position = source.end - end + start - headerSize
                note(Damage(source.name, position, f"packet {number} claims {kept} bytes"))
                return
            buffer = source.more(buffer[start - headerSize :], headerSize + kept)
            start, at, end = headerSize, headerSize + kept, len(buffer)
            if at > end:
                isInside = True
                break
        yield Packet(number, seconds * 1_000_000_000 + fraction * unit, linkType, buffer[start:at], length)
        number += 1
    if source.problem:
        note(Damage(source.name, source.end, source.problem))
    elif isInside:
        note(Damage(source.name, source.end - end, f"it ends inside packet {number}"))
