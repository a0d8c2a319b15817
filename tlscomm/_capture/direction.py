"""One direction of a TCP connection, and what of it has to wait.

Bytes are told in the order of cause and effect: those of one side in their order, and what a side sent only after what
it had acknowledged by then. A segment that comes too early waits. Positions count bytes without end, so that sequence
numbers may wrap; the position's lower 32 bits are the sequence number.
"""

from __future__ import annotations

from bisect import bisect_left
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
    """A segment that waits, or a part of one.

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

    def part(self, start: int, end: int) -> Waiting:
        """Return what of it is between two positions inside it."""
        payload = self.payload[start - self.position : end - self.position]
        flags = self.flags if end == self.end else self.flags & ~(FIN | RST)
        return self._replace(position=start, payload=payload, lost=end - start - len(payload), flags=flags)


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
        waiting: the segments that wait, in their order; none has bytes that another one has.
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
        """Have a segment wait, without the bytes that were told or wait already: those hold that came first."""
        waiting, start, end = self.waiting, segment.position, segment.end
        place = bisect_left(waiting, segment)
        if self.position is not None:
            start = max(start, self.position)
        if place:
            start = max(start, waiting[place - 1].end)
        while place < len(waiting) and waiting[place].position < end:
            following = waiting[place]
            if following.position > start:
                self._insert(place, segment.part(start, following.position))
                place += 1
            start = max(start, following.end)
            place += 1
        if start < end or (start == end and segment.flags & FIN):
            self._insert(place, segment.part(start, end))
        elif segment.flags & RST:
            self._insert(place, segment._replace(position=start))

    def _insert(self, place: int, segment: Waiting) -> None:
        self.waiting.insert(place, segment)
        self.held += len(segment.payload) + _COST

    def take(self) -> Waiting:
        """Return the segment that comes next, and have it wait no longer."""
        segment = self.waiting.pop(0)
        self.held -= len(segment.payload) + _COST
        return segment

    def ready(self) -> Waiting | None:
        """Return the next segment that can be told now, or None. It does not wait any longer."""
        waiting, position = self.waiting, self.position
        while waiting and position is not None and waiting[0].position <= position:
            if self.other.isAhead(waiting[0].acknowledged):
                return None
            segment = self.take()
            if segment.position == position:
                return segment
            # What lies behind a FIN begins before what is told next.
            self.add(segment)
        return None
