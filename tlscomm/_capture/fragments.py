"""Fragments of IP packets, put together again in bounded memory."""

from __future__ import annotations

__all__ = ["Fragments"]

#: So many packets may be incomplete at once, and hold so many bytes together; the oldest ones are given up.
_MOST_PACKETS = 256
_MOST_BYTES = 4 << 20

#: No packet has more fragments, or is larger.
_MOST_PIECES = 256
_LARGEST = 65_535


class Fragments:
    """Packets of which some fragments were seen. Of bytes that come twice, the first ones hold."""

    def __init__(self) -> None:
        self._packets: dict[bytes, _Incomplete] = {}
        self.held = 0

    def add(self, name: bytes, offset: int, data: bytes, isLast: bool) -> bytes | None:
        """Take a fragment, and return the whole packet's payload if that is complete now.

        Args:
            name: what tells the packet: addresses, protocol, identification.
            offset: where the fragment stands in it.
            data: its bytes.
            isLast: whether none stands behind it.
        """
        packet = self._packets.setdefault(name, _Incomplete())
        self.held += packet.add(offset, data, isLast)
        whole = packet.whole()
        if whole is not None:
            self._forget(name)
        while len(self._packets) > _MOST_PACKETS or self.held > _MOST_BYTES:
            self._forget(next(iter(self._packets)))
        return whole

    def _forget(self, name: bytes) -> None:
        self.held -= self._packets.pop(name).held


class _Incomplete:
    __slots__ = ("_pieces", "_size", "held")

    def __init__(self) -> None:
        self._pieces: dict[int, bytes] = {}
        self._size: int | None = None
        self.held = 0

    def add(self, offset: int, data: bytes, isLast: bool) -> int:
        """Take a fragment and return how many bytes more are held."""
        end = offset + len(data)
        if isLast and self._size is None:
            self._size = end
        if offset in self._pieces or end > _LARGEST or len(self._pieces) >= _MOST_PIECES:
            return 0
        self._pieces[offset] = data
        self.held += len(data)
        return len(data)

    def whole(self) -> bytes | None:
        """Return the packet's payload, or None where a part of it is missing."""
        if self._size is None or self.held < self._size:
            return None
        found = bytearray()
        for offset in sorted(self._pieces):
            if offset > len(found):
                return None
            found += self._pieces[offset][len(found) - offset :]
        return bytes(found[: self._size]) if len(found) >= self._size else None
