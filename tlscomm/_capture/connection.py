"""One TCP connection, from its segments to the bytes of both sides in the order of cause and effect.

Most segments come in order, and `Connections` tells those at once. All others come here: they wait until what they
follow on has come. Three things end that. Bytes that the other side has acknowledged arrived, so where they do not come
within some packets, they were not captured. Bytes that are not acknowledged will be sent again, and are waited for
longer. And what waits is bounded in number and size, whatever a capture holds.
"""

from __future__ import annotations

from tlscomm._capture.direction import ACK, FARTHEST, FIN, MASK, RST, SYN, Direction, Waiting
from tlscomm._capture.network import Segment
from tlscomm._capture.packets import StreamReader

__all__ = ["Connection"]

#: So many packets are waited for what was acknowledged, or for where a side begins. Captures of several queues or
#: interfaces may have packets in a slightly wrong order.
_PROVED_WAIT = 128
_BEGIN_WAIT = 32

#: So many packets are waited for what was not acknowledged, and so many segments and bytes wait.
_UNPROVED_WAIT = 1024
_MOST_WAITING = 1024
_MOST_HELD = 8 << 20

#: After so many segments of one side that are too far ahead, the bytes between were not captured.
_MOST_STRAYS = 16

#: Nearer than this, a segment that nothing leads up to is taken for one of this connection all the same.
_NEAR = 1 << 20


class Connection:
    """A TCP connection.

    Attributes:
        reader: is told what comes.
        first: the direction of the side that opened it, or whose packet was seen first.
        second: the other one.
        key: what tells packets of the first side, and `reverse` those of the second.
        isOrderly: whether both beginnings are known, nothing waits and no side has closed, so that a segment in order
            can be told at once.
        isClosing: whether both sides have closed, or one has reset it.
    """

    __slots__ = ("_count", "first", "isClosing", "isOrderly", "key", "reader", "reverse", "second")

    def __init__(self, reader: StreamReader, key: bytes, reverse: bytes) -> None:
        self.reader = reader
        self.key = key
        self.reverse = reverse
        self.first = Direction(True)
        self.second = Direction(False)
        self.first.other, self.second.other = self.second, self.first
        self.isOrderly = False
        self.isClosing = False
        self._count = 0

    @property
    def last(self) -> int:
        """The time of its last packet."""
        return max(self.first.last, self.second.last)

    @property
    def held(self) -> int:
        """How many bytes take the segments that wait."""
        return self.first.held + self.second.held

    def isAnother(self, direction: Direction, segment: Segment) -> bool:
        """Return whether a segment begins a new connection between the same addresses and ports."""
        if not segment.flags & SYN or segment.flags & RST or segment.sequence == direction.start:
            return False
        if direction.position is None:
            return False
        # After a beginning that was not captured in order, its SYN may still come.
        isLate = direction.start is None and 0 <= (direction.position - segment.sequence - 1) & MASK <= 65_535
        return not (isLate and self._count < _PROVED_WAIT)

    def add(self, direction: Direction, segment: Segment, time: int, packet: int) -> None:
        """Take a segment that is not simply the next one."""
        self._count += 1
        sequence, flags = segment.sequence, segment.flags
        if flags & SYN:
            self._synchronize(direction, segment, time, packet)
            sequence = (sequence + 1) & MASK
        acknowledged = segment.acknowledged if flags & ACK else None
        other = direction.other
        if acknowledged is not None:
            self._acknowledge(other, acknowledged, (time, packet))
        if flags & RST:
            # A reset may have any number. What it carries is no part of the stream.
            self.isClosing = True
            position = direction.place(sequence)
            if direction.position is not None:
                position = max(position, direction.position) if direction.waiting else direction.position
            direction.add(Waiting(position, packet, self._count, None, flags, b"", 0, time))
        elif segment.payload or segment.lost or flags & FIN:
            position = direction.place(sequence)
            if not self._isStray(direction, position):
                direction.add(
                    Waiting(position, packet, self._count, acknowledged, flags, segment.payload, segment.lost, time)
                )
        self._tell()
        while self._isOverdue():
            self.giveUp()

    def _isStray(self, direction: Direction, position: int) -> bool:
        """Return whether a segment has a number that cannot be: a damaged capture has such."""
        if direction.position is None or position - direction.position < FARTHEST:
            return False
        direction.strays += 1
        return direction.strays < _MOST_STRAYS

    def _synchronize(self, direction: Direction, segment: Segment, time: int, packet: int) -> None:
        if direction.start is not None:
            return
        direction.start = segment.sequence
        if direction.position is None:
            position = direction.place((segment.sequence + 1) & MASK)
            direction.position = position
        self.reader.step(direction.isFirst, "SYN", time, packet)

    def _acknowledge(self, direction: Direction, acknowledged: int, seen: tuple[int, int]) -> None:
        if direction.position is None:
            return
        ahead = (acknowledged - direction.position) & MASK
        if 0 < ahead < FARTHEST and direction.position + ahead >= direction.acknowledged:
            direction.acknowledged = direction.position + ahead
            direction.proof = seen

    def _tell(self) -> None:
        """Tell all that can be told now."""
        first, second = self.first, self.second
        while True:
            # What one side said may be what the other side waits for.
            side = first
            segment = first.ready()
            if segment is None:
                side = second
                segment = second.ready()
            if segment is None:
                break
            self._tellSegment(side, segment)
        isKnown = first.position is not None and second.position is not None
        isOpen = not (first.isFinished or second.isFinished or self.isClosing)
        self.isOrderly = isKnown and isOpen and not first.waiting and not second.waiting

    def _tellSegment(self, side: Direction, segment: Waiting) -> None:
        reader, flags = self.reader, segment.flags
        side.position = segment.end
        side.advanced = self._count
        if side.isFinished and not flags & RST:
            return
        if segment.payload:
            reader.data(side.isFirst, segment.payload, segment.time, segment.packet)
        if segment.lost:
            reader.missing(side.isFirst, segment.lost, segment.time, segment.packet)
        if flags & FIN and not flags & RST:
            side.position += 1
            side.isFinished = True
            self.isClosing = self.isClosing or side.other.isFinished
            reader.step(side.isFirst, "FIN", segment.time, segment.packet)
        if flags & RST:
            reader.step(side.isFirst, "RST", segment.time, segment.packet)

    def _isOverdue(self) -> bool:
        """Return whether something has waited for too long."""
        if self.held > _MOST_HELD:
            return True
        for side in (self.first, self.second):
            if side.waiting:
                waits = self._count - side.waiting[0].arrival
                if side.position is None or side.other.position is None:
                    limit = _BEGIN_WAIT
                elif side.acknowledged > side.position or side.waiting[0].position <= side.position:
                    limit = _PROVED_WAIT
                else:
                    limit = _UNPROVED_WAIT
                if waits >= limit or len(side.waiting) > _MOST_WAITING:
                    return True
        return False

    def giveUp(self) -> None:
        """Wait no longer for what stands first in the way."""
        if not (self._begin(self.first) or self._begin(self.second) or self._dropStray()):
            first, second = self._hole(self.first), self._hole(self.second)
            if first and second:
                # What was acknowledged is known to have been sent.
                isSecond = self.second.acknowledged >= second and self.first.acknowledged < first
                first, second = (0, second) if isSecond else (first, 0)
            if first or second:
                self._leaveOut(self.first if first else self.second, first or second)
            else:
                self._ignoreAcknowledgement()
        self._tell()

    def _begin(self, side: Direction) -> bool:
        """Settle where a side begins whose SYN was not seen: with the first bytes of it that wait."""
        if side.position is not None:
            return False
        other = side.other.waiting
        if side.waiting:
            side.position = side.waiting[0].position
        elif other and other[0].acknowledged is not None:
            side.position = side.place(other[0].acknowledged)
        else:
            side.position = side.place(0)
        return True

    def _hole(self, side: Direction) -> int:
        """Return the position up to which bytes of a side are waited for, or 0."""
        position = side.position or 0
        if side.waiting and side.waiting[0].position > position:
            return side.waiting[0].position
        other = side.other.waiting
        if not side.waiting and other and other[0].acknowledged is not None and side.isAhead(other[0].acknowledged):
            return side.place(other[0].acknowledged)
        return 0

    def _dropStray(self) -> bool:
        """Drop what stands in the way of a side that has gone on meanwhile, and return whether there was something.

        It is a segment far ahead that nothing confirms, or an acknowledgement of bytes that the side has not reached.
        """
        for side in (self.first, self.second):
            position, waiting, other = side.position or 0, side.waiting, side.other.waiting
            if waiting and waiting[0].position - position > _NEAR and side.acknowledged <= position:
                if side.advanced > waiting[0].arrival:
                    side.take()
                    return True
            elif not waiting and other and side.isAhead(other[0].acknowledged):
                if side.isProved and side.advanced <= other[0].arrival:
                    continue
                side.other.add(side.other.take()._replace(acknowledged=None))
                return True
        return False

    def _leaveOut(self, side: Direction, end: int) -> None:
        cause = side.waiting[0] if side.waiting else side.other.waiting[0]
        size = end - (side.position or 0)
        side.position = end
        # A reset's number is no proof that there were bytes before it.
        isReset = bool(side.waiting) and bool(cause.flags & RST)
        if not side.isFinished and not isReset:
            self._tellMissing(side, size, cause.time, cause.packet)

    def _tellMissing(self, side: Direction, size: int, time: int, packet: int) -> None:
        """Tell what was not captured. One byte that was acknowledged, and nothing behind it, is a FIN."""
        if size == 1 and not side.waiting:
            self.reader.step(side.isFirst, "FIN", time, packet)
        else:
            self.reader.missing(side.isFirst, size, time, packet)

    def _ignoreAcknowledgement(self) -> None:
        """Each side waits for the other's bytes, so what they acknowledge cannot be right: the earlier packet goes."""
        sides = [side for side in (self.first, self.second) if side.waiting]
        side = min(sides, key=lambda side: side.waiting[0].packet)
        side.add(side.take()._replace(acknowledged=None))

    def end(self) -> None:
        """Tell what still waits, and that nothing more will come."""
        while self.first.waiting or self.second.waiting:
            self.giveUp()
        for side in (self.first, self.second):
            if side.position is not None and side.isProved and not side.isFinished:
                self._tellMissing(side, side.acknowledged - side.position, *side.proof)
        self.reader.ended()
