"""What was seen of a connection, in order and bounded.

A connection may carry any number of records. Those of application data, and those that nothing opens, are told in runs:
one event for all that follow each other in one direction. A run grows without an object for each record.
"""

from __future__ import annotations

from dataclasses import replace

from tlscomm._wire.events import Event, Kind, Protection, Record

__all__ = ["EventList", "Run", "RunKey", "Seen"]

#: So many records of a run are kept, and the last one: the sizes of a sealed handshake tell what happened.
_MOST_RECORDS = 64

#: After so many runs, what follows is added to the last run of its kind. Request and answer would make a million.
_MOST_RUNS = 64

#: The first and the last events are kept: the handshake, and how it ended. What is left out between them is counted.
_FIRST, _LAST = 256, 128

#: The same of a connection that holds much: then fewer records of application data are kept, but those of the
#: handshake.
_FIRST_OF_SOME, _LAST_OF_SOME, _HANDSHAKE = 48, 16, 16

#: The same of a connection that has given up what it held, and how many records of each event it keeps.
_FIRST_OF_FEW, _LAST_OF_FEW, _FEW_RECORDS = 12, 8, 2

#: What an event and a record take in memory in bytes, about.
_EVENT, _RECORD = 400, 200

_TOO_MANY = "too many messages to keep them all"

#: A record, as the arguments that one is made with.
Seen = tuple[int, int, "int | None", int, int, int, Protection, "int | None", bool]

#: What the records of a run have in common: kind, isFromClient, name, protection, version.
RunKey = tuple[Kind, bool, str, Protection, int]


class Held:
    """How many bytes the events of a connection take in memory, about."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class Run:
    """An event that may grow.

    Attributes:
        size: how many bytes it took on the wire.
        count: how many records, or gaps.
        content: of application data, what is to be kept of it; of what is no TLS, its first bytes.
        detail: of what is no TLS, what it is; of application data, a phrase of `httpanswers`.
    """

    __slots__ = ("_event", "_held", "_key", "_last", "_most", "_records", "content", "count", "detail", "size")

    def __init__(self, key: RunKey, held: Held | None = None, most: int = _MOST_RECORDS) -> None:
        self.size = 0
        self.count = 0
        self.content = bytearray()
        self.detail = ""
        self._key = key
        self._held = held or Held()
        self._most = most
        self._records: list[Record] = []
        self._last: Seen | None = None
        self._event: Event | None = None

    def extend(self, seen: Seen, size: int) -> None:
        """Add a record, and the bytes that it took on the wire."""
        self.count += 1
        self.size += size
        self._last = seen
        self._event = None
        if self.count < self._most:
            self._records.append(Record(*seen))
            self._held.size += _RECORD

    def grow(self, size: int) -> None:
        """Add bytes that are no record."""
        self.size += size
        self._event = None

    @property
    def held(self) -> int:
        """How many bytes it takes in memory, about."""
        return _EVENT + _RECORD * len(self._records) + len(self.content)

    def forget(self) -> None:
        """Keep the first records only."""
        self._most = _FEW_RECORDS
        del self._records[_FEW_RECORDS - 1 :]
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
        if self.count >= self._most and records:
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
        event = left.event if isinstance(left, Run) else left
        self.leave(left.size, event.time, event.packet)

    def leave(self, size: int, time: int, packet: int | None) -> None:
        self.size += size
        self._time, self._packet = time, packet

    def event(self, isFromClient: bool) -> Event:
        return Event(
            Kind.OMITTED, isFromClient, self._time, "", self.size, (), self.count, packet=self._packet, detail=_TOO_MANY
        )


def _heldBy(each: Event | Run) -> int:
    return each.held if isinstance(each, Run) else _EVENT + _RECORD * len(each.records) + len(each.content)


def _without(event: Event) -> Event:
    """Return an event without its content."""
    detail = "too much to keep" if event.kind is Kind.HANDSHAKE else event.detail
    return replace(event, content=b"", records=event.records[:_FEW_RECORDS], detail=detail)


class EventList:
    """Events in the order in which they were complete, with the first and the last ones where there are many."""

    def __init__(self) -> None:
        self._seen: list[Event | Run] = []
        self._newest: Run | None = None
        self._newestKey: RunKey | None = None
        self._runs: dict[RunKey, Run] = {}
        self._runCount = 0
        self._first, self._last = _FIRST, _LAST
        self._held = Held()
        self._omitted = {True: _Omitted(), False: _Omitted()}

    def events(self) -> list[Event]:
        """Return them as they are now."""
        events = [each.event if isinstance(each, Run) else each for each in self._seen]
        events[self._first : self._first] = [each.event(side) for side, each in self._omitted.items() if each.count]
        return events

    def add(self, event: Event | Run) -> None:
        """Add an event that does not grow, or one that grows by itself, whatever comes behind it."""
        self._newestKey = None
        self._append(event)

    @property
    def held(self) -> int:
        """How many bytes its events take in memory, about."""
        return self._held.size

    @property
    def _isOfFew(self) -> bool:
        return self._first == _FIRST_OF_FEW

    def thin(self) -> None:
        """Keep fewer events from here on, and few records of those behind the handshake."""
        if self._first == _FIRST:
            self._first, self._last = _FIRST_OF_SOME, _LAST_OF_SOME
            self._bound()
            self._trim(_HANDSHAKE)

    def forget(self) -> None:
        """Keep few events from here on, without what messages said."""
        self._first, self._last = _FIRST_OF_FEW, _LAST_OF_FEW
        self._bound()
        self._seen = [each if isinstance(each, Run) else _without(each) for each in self._seen]
        self._trim(0)

    def _trim(self, first: int) -> None:
        for each in self._seen[first:]:
            if isinstance(each, Run):
                each.forget()
        self._held.size = sum(map(_heldBy, self._seen))

    def leaveOut(self, isFromClient: bool, size: int, time: int, packet: int | None) -> None:
        """So many bytes of a message that is not finished are not kept."""
        self._omitted[isFromClient].count += 1
        self._omitted[isFromClient].leave(size, time, packet)

    def run(self, key: RunKey) -> Run:
        """Return the run that a record belongs to."""
        if key == self._newestKey and self._newest is not None:
            return self._newest
        found = self._runs.get(key) if self._runCount >= _MOST_RUNS else None
        if found is None:
            found = Run(key, self._held, _MOST_RECORDS if self._first == _FIRST else _FEW_RECORDS)
            self._runs[key] = found
            self._runCount += 1
            self._append(found)
        self._newest, self._newestKey = found, key
        return found

    def _least(self) -> int:
        """Return where the event is that is left out next. What breaks the form of TLS goes on growing, and is kept."""
        at = self._first
        while isinstance(each := self._seen[at], Run) and each.kind is Kind.DAMAGED:
            at += 1
        return at

    def _append(self, event: Event | Run) -> None:
        kept = _without(event) if self._isOfFew and isinstance(event, Event) else event
        self._seen.append(kept)
        self._held.size += _heldBy(kept)
        self._bound()

    def _bound(self) -> None:
        while len(self._seen) > self._first + self._last:
            left = self._seen.pop(self._least())
            self._held.size -= _heldBy(left)
            self._omitted[left.isFromClient].add(left)
            if isinstance(left, Run):
                self._runs = {key: run for key, run in self._runs.items() if run is not left}
