"""TCP connections out of packets, each told to a reader of its own.

Connections end when both sides have closed or one has reset, a little later, for more may follow; when their ports are
used again; when they are silent for long; and the one that was silent for longest when there are too many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tlscomm._capture.connection import Connection
from tlscomm._capture.direction import ACK, FIN, HALF, MASK, RST, SYN, Direction
from tlscomm._capture.network import Segment, addresses
from tlscomm._capture.packets import Address, StreamReader

__all__ = ["Connections"]

#: So many connections are held at once, and so many bytes that wait in all of them.
_MOST_CONNECTIONS = 2048
_MOST_HELD = 24 << 20

#: A connection that is over is held for so long in nanoseconds, as long as there are no more than so many.
_CLOSED_FOR = 2_000_000_000
_MOST_CLOSED = 256

#: Of so many that have ended it is known, so that what comes late is no connection of its own.
_MOST_PAST = 1 << 14

#: A connection without a packet for so long is over; that is looked for every so many packets.
_SILENT_FOR = 3600 * 1_000_000_000
_LOOK_EVERY = 1 << 16


class Connections:
    """All TCP connections of a capture.

    Attributes:
        count: how many connections have begun.
    """

    def __init__(self, connected: Callable[[int, Address, Address], StreamReader], *, isLive: bool = False) -> None:
        """
        Args:
            connected: is called for each connection, with its number from 1, the address of the first side and of the
                second, and returns what is told of it.
            isLive: whether a person waits, while the capture is made, to be told that a connection has ended. Then what
                comes behind its end is not waited for.
        """
        self._closedFor = 0 if isLive else _CLOSED_FOR
        self.count = 0
        self._connected = connected
        self._directions: dict[bytes, tuple[Connection, Direction]] = {}
        # The values say nothing; the first ones are the oldest.
        self._past: dict[bytes, None] = {}
        self._closing: deque[tuple[int, Connection]] = deque()
        # In the order in which they began to wait. The values say nothing.
        self._waiting: dict[Connection, None] = {}
        self._held = 0
        self._time = 0
        self._packet = 0
        self._looked = 0

    def add(self, segment: Segment, time: int, packet: int) -> None:
        """Take the segment of the next packet."""
        key, sequence, acknowledged, flags, payload, lost = segment
        known = self._directions.get(key)
        if known is not None:
            connection, direction = known
            direction.last = time
            # In order, and acknowledging nothing that was not told: what nearly every segment is.
            if connection.isOrderly and flags & (SYN | FIN | RST | ACK) == ACK:
                position: int = direction.position  # type: ignore[assignment]
                if sequence == position & MASK:
                    ahead = (acknowledged - direction.other.position) & MASK  # type: ignore[operator]
                    if not ahead or ahead >= HALF:
                        if payload:
                            direction.position = position + len(payload)
                            connection.reader.data(direction.isFirst, payload, time, packet)
                        if lost:
                            direction.position += lost  # type: ignore[operator]
                            connection.reader.missing(direction.isFirst, lost, time, packet)
                        return
        self._time, self._packet = time, packet
        if known is not None and known[0].isAnother(known[1], segment):
            self._end(known[0])
            known = None
        if known is None:
            known = self._begin(segment, time)
        if known is not None:
            self._add(*known, segment)

    def _begin(self, segment: Segment, time: int) -> tuple[Connection, Direction] | None:
        """Begin a connection, unless a segment is what comes late from one that is over."""
        flags = segment.flags
        if flags & RST or not (flags & SYN or segment.payload or segment.lost):
            return None
        key = segment.key
        half = (len(key) - 4) // 2
        reverse = key[half:-4] + key[:half] + key[-2:] + key[-4:-2]
        if not flags & SYN and (key in self._past or reverse in self._past):
            return None
        self._tidy()
        self.count += 1
        # An answer to a SYN that was not seen comes from the second side.
        isAnswer = flags & (SYN | ACK) == SYN | ACK
        first, second = (reverse, key) if isAnswer else (key, reverse)
        connection = Connection(self._connected(self.count, *addresses(first)), first, second)
        self._directions[first] = (connection, connection.first)
        self._directions[second] = (connection, connection.second)
        known = self._directions[key]
        known[1].last = time
        return known

    def _add(self, connection: Connection, direction: Direction, segment: Segment) -> None:
        before, wasClosing = connection.held, connection.isClosing
        connection.add(direction, segment, self._time, self._packet)
        if connection.held != before:
            self._hold(connection, before)
        if connection.isClosing and not wasClosing:
            self._closing.append((self._time, connection))
        self._endClosed()

    def _hold(self, connection: Connection, before: int) -> None:
        """Count what waits, and have those wait no longer that have for longest, where it is too much."""
        self._held += connection.held - before
        if not connection.held:
            self._waiting.pop(connection, None)
        elif not before:
            self._waiting[connection] = None
        while self._held > _MOST_HELD:
            longest = next(iter(self._waiting))
            before = longest.held
            longest.giveUp()
            self._held += longest.held - before
            if not longest.held:
                del self._waiting[longest]

    def _endClosed(self) -> None:
        closing = self._closing
        while closing and (len(closing) > _MOST_CLOSED or self._time - closing[0][0] >= self._closedFor):
            self._end(closing.popleft()[1])

    def _tidy(self) -> None:
        """End what was silent, for another one begins."""
        if len(self._directions) >= 2 * _MOST_CONNECTIONS:
            self._endSilent(_MOST_CONNECTIONS // 8, 0)
        if self._packet - self._looked >= _LOOK_EVERY:
            self._looked = self._packet
            self._endSilent(_MOST_CONNECTIONS, _SILENT_FOR)

    def _endSilent(self, most: int, silent: int) -> None:
        """End connections that are silent for so long, at most so many, those first that are silent for longest."""
        held = {connection for connection, _ in self._directions.values()}
        for connection in sorted(held, key=lambda connection: connection.last)[:most]:
            if self._time - connection.last >= silent:
                self._end(connection)

    def _end(self, connection: Connection) -> None:
        known = self._directions.get(connection.key)
        if known is None or known[0] is not connection:
            return
        # Both keys are one where a port is connected to itself.
        self._directions.pop(connection.key, None)
        self._directions.pop(connection.reverse, None)
        self._past.pop(connection.key, None)
        self._past[connection.key] = None
        if len(self._past) > _MOST_PAST:
            del self._past[next(iter(self._past))]
        if connection.held:
            self._held -= connection.held
            del self._waiting[connection]
        connection.end()

    def finish(self) -> None:
        """End all connections, for the capture ends."""
        for connection, _ in list(self._directions.values()):
            self._end(connection)
