"""One direction of a TCP connection, and what of it has to wait.

Bytes are told in the order of cause and effect: those of one side in their order, and what a side sent only after what
it had acknowledged by then. A segment that comes too early waits. Positions count bytes without end, so that sequence
numbers may wrap; the position's lower 32 bits are the sequence number.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import NamedTuple

__all__ = ["ACK", "FARTHEST", "FIN", "HALF", "MASK", "RST", "SYN", "Direction", "Waiting"]

FIN, SYN, RST, ACK = 1, 2, 4, 16

MASK = 0xFFFF_FFFF
HALF = 1 << 31


#: What is so far ahead of what was seen is not believed: no window of TCP is as large in practice.
FARTHEST = 1 << 26

#: What a segment that waits costs besides its bytes.
_COST = 256


class Waiting(NamedTuple):
    """A segment that waits. In a heap, the one that comes next is first, and of two, the one that was seen first.

    Attributes:
        position: of its first byte.
        packet: its number.
        arrival: how many packets the connection had by then.
        acknowledged: what it acknowledges, None where it does not.
        flags: of TCP.
        payload: its bytes.
        lost: how many more it had on the wire.
        time: of the packet.
    """

    position: int
    packet: int
    arrival: int
    acknowledged: int | None
    flags: int
    payload: bytes
    lost: int
    time: int

    @property
    def end(self) -> int:
        """The position behind its last byte."""
        return self.position + len(self.payload) + self.lost

    def since(self, position: int) -> Waiting:
        """Return what of it is behind a position inside it."""
        cut = position - self.position
        lost = self.lost - max(0, cut - len(self.payload))
        return self._replace(position=position, payload=self.payload[cut:], lost=lost)

    def until(self, position: int) -> Waiting:
        """Return what of it is before a position inside it."""
        size = position - self.position
        lost = max(0, size - len(self.payload))
        return self._replace(payload=self.payload[:size], lost=lost, flags=self.flags & ~(FIN | RST))


class Direction:
    """What one side sends.

    Attributes:
        isFirst: whether this side opened the connection.
        other: the other direction.
        position: of the byte that comes next, None before it is known where this side begins.
        start: the sequence number of its SYN, None where that was not seen.
        acknowledged: up to which position the other side has confirmed what came; at most what is proved by packets
            that were looked at closely.
        proof: the time and the number of the packet that confirmed it.
        advanced: how many packets the connection had when its position last moved, of those looked at closely.
        last: the time of its last packet.
        strays: how many segments came that were too far ahead to be believed.
        isFinished: whether its FIN was told.
        waiting: the segments that wait, as a heap.
        held: how many bytes they take.
    """

    __slots__ = (
        "acknowledged",
        "advanced",
        "held",
        "isFinished",
        "isFirst",
        "last",
        "other",
        "position",
        "proof",
        "start",
        "strays",
        "waiting",
    )

    other: Direction

    def __init__(self, isFirst: bool) -> None:
        self.isFirst = isFirst
        self.position: int | None = None
        self.start: int | None = None
        self.acknowledged = 0
        self.proof = (0, 0)
        self.advanced = 0
        self.last = 0
        self.strays = 0
        self.isFinished = False
        self.waiting: list[Waiting] = []
        self.held = 0

    def place(self, sequence: int) -> int:
        """Return the position that a sequence number means."""
        # Before it is known where this side begins, any first place will do, as long as it is the same.
        near = self.position
        if near is None:
            near = self.waiting[0].position if self.waiting else sequence + MASK + 1
        ahead = (sequence - near) & MASK
        return near + ahead - (MASK + 1 if ahead >= HALF else 0)

    def isAhead(self, acknowledged: int | None) -> bool:
        """Return whether the other side acknowledges what of this one was not told yet."""
        if acknowledged is None:
            return False
        return self.position is None or 0 < (acknowledged - self.position) & MASK < FARTHEST

    @property
    def isProved(self) -> bool:
        """Whether the other side confirms bytes that did not come, and has not confirmed less since."""
        isAhead = self.position is not None and self.acknowledged > self.position
        return isAhead and self.proof[0] == self.other.last

    def add(self, segment: Waiting) -> None:
        """Have a segment wait."""
        heappush(self.waiting, segment)
        self.held += len(segment.payload) + _COST

    def take(self) -> Waiting:
        """Return the segment that comes next, and have it wait no longer."""
        segment = heappop(self.waiting)
        self.held -= len(segment.payload) + _COST
        return segment

    def ready(self) -> Waiting | None:
        """Return the next segment that can be told now, or None. It does not wait any longer."""
        waiting = self.waiting
        position = self.position
        while waiting and position is not None and waiting[0].position <= position:
            if self.other.isAhead(waiting[0].acknowledged):
                return None
            segment = self.take()
            if segment.position == position:
                return self._withoutOlder(segment)
            if segment.end > position or (segment.end == position and segment.flags & FIN):
                self.add(segment.since(position))
            elif segment.flags & RST:
                return segment._replace(position=position)
        return None

    def _withoutOlder(self, segment: Waiting) -> Waiting:
        """Return what comes before bytes of a packet that was seen earlier; the rest waits again."""
        waiting = self.waiting
        if waiting and waiting[0].position < segment.end:
            older = [
                other.position
                for other in waiting
                if other.packet < segment.packet and segment.position < other.position < segment.end
            ]
            if older:
                self.add(segment.since(min(older)))
                return segment.until(min(older))
        return segment
