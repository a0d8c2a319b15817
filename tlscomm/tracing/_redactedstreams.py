"""The bytes of one TCP connection, redacted: as many, with the same records in them.

The headers of records stay, and so do alerts in the clear. Handshake messages in the clear are redacted one by one, and
take their place when they are complete. All else is zeros: what is sealed, because its secrets may be kept elsewhere,
and everything of which it is not certain what it is. In a record of handshake messages it is 255, which no message
begins with.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

from tlscomm._wire.beginning import Beginning
from tlscomm._wire.direction import LONGEST_MESSAGE
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.hellos import serverKeyFacts
from tlscomm._wire.names import HANDSHAKE_TYPES
from tlscomm._wire.recordheader import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, LIKE_HEADER, headerAt
from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.tracing._redactedmessages import redactMessage
from tlscomm.tracing._redactedprefaces import redactPreface

__all__ = ["Place", "RedactedStreams"]

_TLS_1_3, _SERVER_HELLO = 0x0304, 2

#: Takes bytes for what was said at once, from an offset in it.
Place = Callable[[int, bytes], None]


class _Span(NamedTuple):
    """Where some bytes come from, and so where they go to."""

    place: Place
    offset: int
    size: int


class RedactedStreams:
    """Redacts one connection. It is told of it as a `StreamReader` is, and tells what there is for each place."""

    def __init__(self, pseudonyms: Pseudonyms, isClientFirst: bool) -> None:
        """
        Args:
            pseudonyms: what is put in the place of names.
            isClientFirst: whether the first side is the client, where no message tells.
        """
        self.version = 0
        self.pseudonyms = pseudonyms
        self._lanes = {True: _Lane(self), False: _Lane(self)}
        # It looks for the beginning, and has what it finds read by this object, which has the face of a dissector.
        self._beginning = Beginning(lambda: cast(Dissector, self), isClientFirst)
        self.step = self._beginning.step
        self.events = [Event(Kind.TCP, True, 0, "", 0)]

    def said(self, isFirst: bool, data: bytes, time: int, packet: int, place: Place) -> None:
        """Take the next bytes of one side, and what is told of them when they are redacted."""
        self._lanes[isFirst].push(data, _Span(place, 0, len(data)))
        self._beginning.data(isFirst, data, time, packet)
        self._look()

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        """Take note that bytes of one side were not captured."""
        self._beginning.missing(isFirst, size, time, packet)
        self._look()

    def ended(self) -> None:
        """Nothing more will come."""
        self._beginning.ended()
        for lane in self._lanes.values():
            lane.stop()

    def feed(self, isFromClient: bool, data: bytes, time: int, packet: int | None = None) -> None:
        """Bytes of TLS: see `Dissector.feed`."""
        self._lane(isFromClient).feed(data)

    def skip(self, isFromClient: bool, size: int, time: int, packet: int | None = None) -> None:
        """Missing bytes: see `Dissector.skip`."""
        self._lane(isFromClient).skip(size)

    def note(self, event: Event) -> None:
        """What was said before TLS: see `Dissector.note`."""
        self.events = [event]
        if event.kind is Kind.PREFACE:
            self._lane(event.isFromClient).preface(event.size)

    def _lane(self, isFromClient: bool) -> _Lane:
        return self._lanes[isFromClient == self._beginning.isClientFirst]

    def _look(self) -> None:
        if self._beginning.isTLS is False:
            for lane in self._lanes.values():
                lane.stop()


class _Lane:
    """One direction."""

    def __init__(self, streams: RedactedStreams) -> None:
        self._streams = streams
        self._spans: deque[_Span] = deque()
        # What was pushed, and not said to be TLS or something else yet.
        self._raw = bytearray()
        self._isStopped = False
        self._isChanged = False
        self._header = b""
        self._left = 0
        self._kind = 0
        # What follows the first byte that is not known yet, and where in it the bytes of the message go.
        self._tail = bytearray()
        self._holes: deque[tuple[int, int]] = deque()
        self._message = bytearray()
        self._hasBegun = False
        # Behind missing bytes it is not known where a record begins, or where in a record a message does.
        self._isLost = False
        self._isAligned = True
        self._isFresh = False

    def push(self, data: bytes, span: _Span) -> None:
        self._spans.append(span)
        self._raw += data
        if self._isStopped:
            self._discard()

    def stop(self) -> None:
        """All that is not known by now is zeros, and all that comes."""
        self._isStopped = True
        self._giveUp()
        self._discard()

    def preface(self, size: int) -> None:
        said = bytes(self._raw[:size])
        del self._raw[:size]
        if not self._isStopped:
            self._add(redactPreface(said, self._streams.pseudonyms))
            self._flush()

    def feed(self, data: bytes) -> None:
        if self._isStopped:
            return
        del self._raw[: len(data)]
        at = self._find(data) if self._isLost else 0
        self._add(bytes(at))
        while at < len(data) and not self._isOver():
            if not self._left:
                at += self._begin(data, at)
            else:
                size = min(self._left, len(data) - at)
                self._left -= size
                self._fragment(data[at : at + size])
                at += size
        if not self._isOver():
            self._flush()

    def skip(self, size: int) -> None:
        """Inside of a record it is known where the next one begins."""
        if self._isStopped:
            return
        self._giveUp()
        self._isAligned = False
        if 0 < size <= self._left:
            self._left -= size
            return
        self._left = 0
        self._isLost = True

    def _find(self, data: bytes) -> int:
        """Return where a record begins: where a header leads to another one, or to the end."""
        for found in LIKE_HEADER.finditer(data):
            at = found.start()
            end = at + HEADER + int.from_bytes(data[at + 3 : at + HEADER], "big")
            if end == len(data) or LIKE_HEADER.match(data, end):
                self._isLost = False
                return at
        return len(data)

    def _isOver(self) -> bool:
        return self._isStopped

    @property
    def _isClear(self) -> bool:
        """Whether the present record holds handshake messages in the clear."""
        version = self._streams.version
        return self._kind == HANDSHAKE and (version == _TLS_1_3 or not self._isChanged)

    def _begin(self, data: bytes, at: int) -> int:
        """Read the header of a record, and return how many bytes of it were here."""
        size = min(HEADER - len(self._header), len(data) - at)
        self._header += data[at : at + size]
        if len(self._header) < HEADER:
            return size
        header, self._header = self._header, b""
        if (found := headerAt(header, 0)) is None:
            self._isNone(header + data[at + size :])
            return size
        self._hasBegun = self._isFresh = True
        self._kind, self._left = found
        self._add(header)
        return size

    def _isNone(self, rest: bytes) -> None:
        """It is no TLS. Where it never was, it may be a plain request, which is redacted as such."""
        if not self._hasBegun:
            self._add(redactPreface(rest, self._streams.pseudonyms))
        self.stop()

    def _fragment(self, data: bytes) -> None:
        if self._kind == HANDSHAKE:
            if self._isClear and self._isReadable(data):
                self._handshake(data)
            else:
                self._add(b"\xff" * len(data))
        elif self._kind == CHANGE_CIPHER_SPEC and data == b"\x01" and not self._left:
            self._isChanged = True
            self._add(data)
        elif self._kind == ALERT and len(data) == 2 and not self._left:
            self._add(data)
        else:
            self._add(bytes(len(data)))
        self._isFresh = False

    def _isReadable(self, data: bytes) -> bool:
        """Return whether messages can be read. Behind missing bytes one has to be whole in its record."""
        if not self._isAligned and self._isFresh and len(data) >= 4 and data[0] in HANDSHAKE_TYPES:
            self._isAligned = 4 + int.from_bytes(data[1:4], "big") <= len(data) + self._left
        return self._isAligned

    def _handshake(self, data: bytes) -> None:
        self._holes.append((len(self._tail), len(data)))
        self._tail += bytes(len(data))
        self._message += data
        while len(self._message) >= 4:
            size = 4 + int.from_bytes(self._message[1:4], "big")
            if size > LONGEST_MESSAGE:
                self.stop()
            if size > len(self._message):
                return
            self._fill(bytes(self._message[:size]))
            del self._message[:size]

    def _giveUp(self) -> None:
        """No more is seen of what has begun. What there is of it takes its place."""
        self._add(bytes(len(self._header)))
        self._header = b""
        if self._message:
            self._fill(bytes(self._message))
        self._message.clear()
        self._flush()

    def _fill(self, message: bytes) -> None:
        if message[0] == _SERVER_HELLO and (facts := serverKeyFacts(message)) is not None:
            self._streams.version = facts.version
        made = redactMessage(message, self._streams.version, self._streams.pseudonyms)
        at = 0
        while at < len(made):
            start, size = self._holes.popleft()
            taken = min(size, len(made) - at)
            self._tail[start : start + taken] = made[at : at + taken]
            at += taken
            if taken < size:
                self._holes.appendleft((start + taken, size - taken))

    def _add(self, data: bytes) -> None:
        self._tail += data

    def _flush(self) -> None:
        """Tell what is known."""
        end = self._holes[0][0] if self._holes else len(self._tail)
        if not end:
            return
        known = bytes(self._tail[:end])
        del self._tail[:end]
        self._holes = deque((start - end, size) for start, size in self._holes)
        self._tell(known)

    def _discard(self) -> None:
        self._raw.clear()
        self._tell(bytes(sum(span.size for span in self._spans)))

    def _tell(self, known: bytes) -> None:
        at = 0
        while at < len(known):
            span = self._spans.popleft()
            size = min(span.size, len(known) - at)
            span.place(span.offset, known[at : at + size])
            at += size
            if size < span.size:
                self._spans.appendleft(_Span(span.place, span.offset + size, span.size - size))
