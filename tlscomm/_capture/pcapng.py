"""Captures in the newer form, pcapng: blocks of a type and a length, in sections with interfaces of their own.

Source: draft-ietf-opsawg-pcapng. Read are Section Header, Interface Description, Enhanced Packet, Simple Packet, the
obsolete Packet Block, and Decryption Secrets. All other blocks, and options but the two about time, are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from tlscomm._capture.packets import Packet
from tlscomm._capture.pcap import LARGEST
from tlscomm._capture.problems import Damage
from tlscomm._capture.source import Source

__all__ = ["isPcapng", "readPcapng", "readSecrets"]

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_PACKETS = {_ENHANCED, _SIMPLE, _OLD_PACKET}

_ORDERS = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}

_TLS_KEY_LOG = 0x544C534B

#: No block that is read is larger: a packet, and its options.
_LARGEST_BLOCK = LARGEST + (1 << 18)

#: A section may describe so many interfaces.
_MOST_INTERFACES = 1 << 16

#: Lines of a key log are handed over in pieces of this many bytes.
_SECRETS_PIECE = 1 << 16


def isPcapng(head: bytes) -> bool:
    """Return whether a file that begins so is one."""
    return head[:4] == b"\x0a\x0d\x0d\x0a" and head[8:12] in _ORDERS


#: Times are in 1970 to 2262, as 63 bits of nanoseconds allow; others are put there.
_LAST_TIME = (1 << 63) - 1


class _Interface(NamedTuple):
    linkType: int
    snapLength: int
    #: A time is so many units, of which so many are a second, after so many nanoseconds.
    perSecond: int
    offset: int

    def time(self, units: int) -> int:
        return max(0, min(units * 1_000_000_000 // self.perSecond + self.offset, _LAST_TIME))


class _Blocks:
    """Goes from block to block.

    Attributes:
        order: the byte order of the section.
        buffer: a piece of the capture.
        at: where the block begins in it.
        size: how long the block is.
        type: which block it is.
        position: where it begins in the capture.
        damage: what is wrong with it, empty where nothing is.
    """

    def __init__(self, source: Source) -> None:
        self.order = "<"
        self.buffer = b""
        self.at = 0
        self.size = 0
        self.type = 0
        self.position = 0
        self.damage = ""
        self._source = source
        self._header = Struct("<II").unpack_from

    def has(self, size: int) -> bool:
        """Return whether so many bytes of the block are there, and have them in the buffer."""
        if len(self.buffer) - self.at < size:
            self.buffer = self._source.more(self.buffer[self.at :], size)
            self.at = 0
        return len(self.buffer) - self.at >= size

    def next(self) -> bool:
        """Go to the next block, and return whether there is one."""
        self.at += self.size
        past = self.at - len(self.buffer)
        if past > 0:
            if self._source.skip(past) < past:
                self.damage = "it ends inside a block"
                return self._finish()
            self.buffer, self.at = b"", 0
        isThere = self.has(12)
        self.position = self._source.end - len(self.buffer) + self.at
        if not isThere:
            if len(self.buffer) > self.at:
                self.damage = "it ends inside a block"
            return self._finish()
        if self.buffer.startswith(b"\x0a\x0d\x0d\x0a", self.at) and not self._readOrder():
            self.damage = "a section has no byte order"
            return False
        self.type, self.size = self._header(self.buffer, self.at)
        if self.size < 12 or self.size % 4:
            self.damage = f"a block claims a length of {self.size} bytes"
        return not self.damage

    def _readOrder(self) -> bool:
        order = _ORDERS.get(self.buffer[self.at + 8 : self.at + 12])
        if order is not None:
            self.order = order
            self._header = Struct(order + "II").unpack_from
        return order is not None

    def _finish(self) -> bool:
        if self._source.problem:
            self.damage = self._source.problem
        return False


def readPcapng(
    source: Source, first: int, note: Callable[[Damage], None], secrets: Callable[[bytes], None] | None
) -> Iterator[Packet]:
    """Give its packets.

    Args:
        source: at its beginning, which `isPcapng`.
        first: the number of the first packet.
        note: is called with what is damaged in it.
        secrets: is called with the lines of key logs that it carries; None where `readSecrets` has read them.
    """
    blocks = _Blocks(source)
    section = _Section("<")
    number = first
    while blocks.next():
        kind = blocks.type
        if kind in _PACKETS:
            packet = section.packet(number, blocks) if blocks.size <= _LARGEST_BLOCK else None
            number += 1
            if packet is not None:
                yield packet
        elif kind == _SECTION:
            section = _Section(blocks.order)
        elif kind == _INTERFACE:
            section.describe(blocks)
        elif kind == _SECRETS and secrets is not None:
            _secrets(source, blocks, secrets)
    if blocks.damage:
        note(Damage(source.name, blocks.position, blocks.damage))


class _Section:
    """A section: a byte order, and interfaces."""

    def __init__(self, order: str) -> None:
        self._order = order
        self._enhanced = Struct(order + "IIIII").unpack_from
        self._interfaces: list[_Interface] = []

    def describe(self, blocks: _Blocks) -> None:
        """Take the description of an interface."""
        if len(self._interfaces) >= _MOST_INTERFACES:
            return
        size = min(blocks.size, _LARGEST_BLOCK)
        if blocks.has(size):
            self._interfaces.append(_interface(blocks.buffer[blocks.at : blocks.at + size], self._order))

    def packet(self, number: int, blocks: _Blocks) -> Packet | None:
        """Return the packet in a block, or None where there is none that can be read."""
        size = blocks.size
        if not blocks.has(size):
            return None
        buffer, at = blocks.buffer, blocks.at
        if blocks.type != _ENHANCED:
            return self._older(number, blocks.type, buffer[at : at + size])
        if size < 32:
            return None
        which, high, low, kept, length = self._enhanced(buffer, at + 8)
        if kept > size - 32 or which >= len(self._interfaces):
            return None
        interface = self._interfaces[which]
        time = interface.time(high << 32 | low)
        return Packet(number, time, interface.linkType, buffer[at + 28 : at + 28 + kept], length)

    def _older(self, number: int, kind: int, block: bytes) -> Packet | None:
        """Return what a Simple Packet Block or the obsolete Packet Block holds."""
        if kind == _SIMPLE and len(block) >= 16 and self._interfaces:
            (length,) = Struct(self._order + "I").unpack_from(block, 8)
            first = self._interfaces[0]
            kept = min(length, len(block) - 16, first.snapLength or length)
            return Packet(number, 0, first.linkType, block[12 : 12 + kept], length)
        if kind == _OLD_PACKET and len(block) >= 32:
            which, high, low, kept, length = Struct(self._order + "HxxIIII").unpack_from(block, 8)
            if which < len(self._interfaces) and kept <= len(block) - 32:
                interface = self._interfaces[which]
                time = interface.time(high << 32 | low)
                return Packet(number, time, interface.linkType, block[28 : 28 + kept], length)
        return None


def readSecrets(source: Source, secrets: Callable[[bytes], None]) -> None:
    """Hand over the lines of all key logs in a capture, wherever they stand."""
    blocks = _Blocks(source)
    while blocks.next():
        if blocks.type == _SECRETS:
            _secrets(source, blocks, secrets)


def _secrets(source: Source, blocks: _Blocks, secrets: Callable[[bytes], None]) -> None:
    if blocks.size < 20 or not blocks.has(20):
        return
    kind, size = Struct(blocks.order + "II").unpack_from(blocks.buffer, blocks.at + 8)
    size = min(size, blocks.size - 20)
    blocks.at += 16
    blocks.size -= 16
    while kind == _TLS_KEY_LOG and size > 0:
        blocks.has(min(size, _SECRETS_PIECE))
        piece = blocks.buffer[blocks.at : blocks.at + min(size, _SECRETS_PIECE)]
        if len(piece) < size:
            # A line that does not fit into a piece is none.
            piece = piece[: piece.rfind(b"\n") + 1] or piece
        if not piece:
            return
        secrets(piece)
        blocks.at += len(piece)
        blocks.size -= len(piece)
        size -= len(piece)


def _interface(block: bytes, order: str) -> _Interface:
    if len(block) < 20:
        return _Interface(-1, 0, 1_000_000, 0)
    linkType, snapLength = Struct(order + "HxxI").unpack_from(block, 8)
    perSecond, offset = 1_000_000, 0
    for code, value in _options(block, order, 16):
        if code == 9 and len(value) == 1:
            perSecond = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == 14 and len(value) == 8:
            offset = Struct(order + "q").unpack(value)[0] * 1_000_000_000
    return _Interface(linkType, snapLength, perSecond, offset)


def _options(block: bytes, order: str, at: int) -> Iterator[tuple[int, bytes]]:
    header = Struct(order + "HH").unpack_from
    while at + 4 <= len(block) - 4:
        code, size = header(block, at)
        if not code:
            return
        yield code, block[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)
