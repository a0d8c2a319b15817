"""What was seen of a connection, in order and bounded.

A connection may carry any number of records. Those of application data, and those that nothing opens, are told in runs:
one event for all that follow each other in one direction. A run grows without an object for each record.
"""

from __future__ import annotations

from tlscomm._wire.events import Event, Kind, Protection, Record

__all__ = ["EventList", "Run", "RunKey", "Seen"]

#: So many records of a run are kept, and the last one: the sizes of a sealed handshake tell what happened.
_MOST_RECORDS = 64

#: After so many runs, what follows is added to the last run of its kind. Request and answer would make a million.
_MOST_RUNS = 64

#: The first and the last events are kept: the handshake, and how it ended. What is left out between them is counted.
_FIRST, _LAST = 256, 128

_TOO_MANY = "too many messages to keep them all"

#: A record, as the arguments that one is made with.
Seen = tuple[int, int, "int | None", int, int, int, Protection, "int | None", bool]

#: What the records of a run have in common: kind, isFromClient, name, protection, version.
RunKey = tuple[Kind, bool, str, Protection, int]


class Run:
    """An event that may grow.

    Attributes:
        size: how many bytes it took on the wire.
        count: how many records, or gaps.
        content: of application data, what is to be kept of it; of what is no TLS, its first bytes.
        detail: of what is no TLS, what it is; of application data, a phrase of `httpanswers`.
    """

    __slots__ = ("_event", "_key", "_last", "_records", "content", "count", "detail", "size")

    def __init__(self, key: RunKey) -> None:
        self.size = 0
        self.count = 0
        self.content = bytearray()
        self.detail = ""
        self._key = key
        self._records: list[Record] = []
        self._last: Seen | None = None
        self._event: Event | None = None

    def extend(self, seen: Seen, size: int) -> None:
        """Add a record, and the bytes that it took on the wire."""
        self.count += 1
        self.size += size
        self._last = seen
        self._event = None
        if self.count < _MOST_RECORDS:
            self._records.append(Record(*seen))

    def grow(self, size: int) -> None:
        """Add bytes that are no record."""
        self.size += size
        self._event = None

    @property
    def kind(self) -> Kind:
        return self._key[0]

    @property
    def isFromClient(self) -> bool:
        return self._key[1]

    @property
    def event(self) -> Event:
        """All that was seen so far, as an event."""
        if self._event is None:
            self._event = self._made()
        return self._event

    def _made(self) -> Event:
        kind, isFromClient, name, _, version = self._key
        last = self._last
        assert last is not None
        records = tuple(self._records) if kind not in (Kind.GAP, Kind.DAMAGED) else ()
        if self.count >= _MOST_RECORDS and records:
            records += (Record(*last),)
        return Event(
            kind,
            isFromClient,
            last[1],
            name,
            self.size,
            records,
            self.count,
            bytes(self.content),
            last[2],
            version,
            self.detail,
        )


class _Omitted:
    """Counts what was left out of one side."""

    __slots__ = ("_packet", "_time", "count", "size")

    def __init__(self) -> None:
        self.count = self.size = self._time = 0
        self._packet: int | None = None

    def add(self, left: Event | Run) -> None:
        self.count += left.count
        self.size += left.size
        event = left.event if isinstance(left, Run) else left
        self._time, self._packet = event.time, event.packet

    def event(self, isFromClient: bool) -> Event:
        return Event(
            Kind.OMITTED, isFromClient, self._time, "", self.size, (), self.count, packet=self._packet, detail=_TOO_MANY
        )


class EventList:
    """Events in the order in which they were complete, with the first and the last ones where there are many."""

    def __init__(self) -> None:
        self._seen: list[Event | Run] = []
        self._newest: Run | None = None
        self._newestKey: RunKey | None = None
        self._runs: dict[RunKey, Run] = {}
        self._runCount = 0
        self._omitted = {True: _Omitted(), False: _Omitted()}

    def events(self) -> list[Event]:
        """Return them as they are now."""
        events = [each.event if isinstance(each, Run) else each for each in self._seen]
        events[_FIRST:_FIRST] = [each.event(side) for side, each in self._omitted.items() if each.count]
        return events

    def add(self, event: Event | Run) -> None:
        """Add an event that does not grow, or one that grows by itself, whatever comes behind it."""
        self._newestKey = None
        self._append(event)

    def run(self, key: RunKey) -> Run:
        """Return the run that a record belongs to."""
        if key == self._newestKey and self._newest is not None:
            return self._newest
        found = self._runs.get(key) if self._runCount >= _MOST_RUNS else None
        if found is None:
            found = Run(key)
            self._runs[key] = found
            self._runCount += 1
            self._append(found)
        self._newest, self._newestKey = found, key
        return found

    def _least(self) -> int:
        """Return where the event is that is left out next. What breaks the form of TLS goes on growing, and is kept."""
        at = _FIRST
        while isinstance(each := self._seen[at], Run) and each.kind is Kind.DAMAGED:
            at += 1
        return at

    def _append(self, event: Event | Run) -> None:
        self._seen.append(event)
        if len(self._seen) > _FIRST + _LAST:
            left = self._seen.pop(self._least())
            self._omitted[left.isFromClient].add(left)
            if isinstance(left, Run):
                self._runs = {key: run for key, run in self._runs.items() if run is not left}
