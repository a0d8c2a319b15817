"""One message as the page shows it: its arrow, and what is inside when it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event, Field, Kind, Record
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._words import LEGENDS, eventName, eventWords, lockOf
from tlscomm.tracing._fields import fieldsOf

__all__ = ["FieldView", "MessageView", "Room", "messageView", "styleOf"]

#: Fields of one message, and how deep they stand inside each other.
_MOST_FIELDS, _DEEPEST = 400, 12
#: Bytes of one message.
_MOST_BYTES = 1600
_MOST_RECORDS = 6
_LONGEST_VALUE = 300
#: What the markup around a field or a line of bytes takes, in characters.
_MARKUP = 80

_CONTENT_TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data", 24: "heartbeat"}


class Room:
    """How much of a page is left for details, so that its size is bounded whatever it is about."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def take(self, characters: int) -> bool:
        """Return whether there is room for so many characters more, and take it."""
        if characters > self._left:
            return False
        self._left -= characters
        return True


@dataclass(frozen=True)
class FieldView:
    """One field: its name, what it says, and the fields inside it."""

    name: str
    text: str
    children: tuple[FieldView, ...] = ()


@dataclass(frozen=True)
class MessageView:
    """One message.

    Attributes:
        number: its place, from 1; 0 where it is not one message but so many that are left out.
        style: what it looks like: ``handshake``, ``alert``, ``data``, ``small`` or ``damaged``.
        isTurn: whether the side that speaks is another than before.
        after: the time since the connection began; empty where it is that of the message before.
        lock: ``sealed``, ``opened`` or nothing.
        lockWords: what that means.
        mark: what to say beside it where the verdict fell.
        facts: names and values that are not in the message itself.
        fields: what it says.
        dump: its bytes, as offset, hexadecimal digits and characters.
        dumpNote: how many of them these are, where they are not all.
        notes: what is left out, and why.
        left: how many messages are left out here.
    """

    number: int
    isFromClient: bool = True
    style: str = "small"
    isTurn: bool = False
    name: str = ""
    words: str = ""
    detail: str = ""
    after: str = ""
    size: str = ""
    lock: str = ""
    lockWords: str = ""
    mark: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    fields: tuple[FieldView, ...] = ()
    dump: tuple[str, ...] = ()
    dumpNote: str = ""
    notes: tuple[str, ...] = ()
    left: int = 0

    @property
    def sender(self) -> str:
        """Which side it came from."""
        return "client" if self.isFromClient else "server"


def messageView(number: int, event: Event, began: int, room: Room, *, mark: str, isTurn: bool) -> MessageView:
    """Return what the page shows of an event.

    Args:
        number: its place among what is shown, from 1.
        event: what was seen.
        began: when the connection began.
        room: what the page has left for details.
        mark: what to say where the verdict fell on it, else nothing.
        isTurn: whether the other side spoke before it.
    """
    shown = _Fields(room)
    fields = shown.views(fieldsOf(event))
    dump, dumpNote = _dump(event, room)
    notes = []
    if shown.isCut:
        notes.append("Not all of its fields are shown.")
    if event.content and not dump:
        notes.append("Its bytes are left out, so that this page stays small.")
    lock = lockOf(event)
    return MessageView(
        number,
        event.isFromClient,
        styleOf(event),
        isTurn,
        eventName(event),
        eventWords(event),
        event.detail,
        durationText(event.time - began),
        sizeText(event.size) if event.size else "",
        lock,
        LEGENDS.get(lock, ""),
        mark,
        tuple(_facts(event, began)),
        fields,
        dump,
        dumpNote,
        tuple(notes),
    )


def styleOf(event: Event) -> str:
    """Return what an event looks like: ``handshake``, ``alert``, ``data``, ``small`` or ``damaged``."""
    if event.kind in (Kind.TCP, Kind.CHANGE_CIPHER_SPEC, Kind.PREFACE):
        return "small"
    if event.kind in (Kind.GAP, Kind.OMITTED, Kind.DAMAGED):
        return "damaged"
    if event.kind in (Kind.APPLICATION_DATA, Kind.SEALED):
        return "data"
    return "alert" if event.kind is Kind.ALERT and event.name != "close_notify" else "handshake"


def _facts(event: Event, began: int) -> Iterator[tuple[str, str]]:
    yield "from", "the client" if event.isFromClient else "the server"
    yield "when", f"{durationText(event.time - began)} after the connection began"
    if event.packet is not None:
        yield "packet", f"{event.packet} of the capture"
    if event.size:
        yield "size", f"{event.size:,} bytes on the wire"
    if event.records:
        shown = "; ".join(_recordText(record) for record in event.records[:_MOST_RECORDS])
        more = max(event.count, len(event.records)) - _MOST_RECORDS
        yield "in", f"{shown}; and {more:,} more" if more > 0 else shown


def _recordText(record: Record) -> str:
    kind = _CONTENT_TYPES.get(record.type, f"type {record.type}")
    inner = "" if record.innerType is None else f", {_CONTENT_TYPES.get(record.innerType, record.innerType)} inside"
    return f"record {record.number} of this side ({kind}{inner}, {record.length:,} bytes)"


def _dump(event: Event, room: Room) -> tuple[tuple[str, ...], str]:
    content = event.content[:_MOST_BYTES]
    dump = tuple(_dumpLines(content))
    if not room.take(sum(len(line) for line in dump)):
        return (), ""
    isCut = len(content) < len(event.content)
    return dump, f"The first {len(content):,} of {len(event.content):,} bytes are shown." if isCut else ""


class _Fields:
    """Makes views of the fields of one message, as many as are bearable."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._left = _MOST_FIELDS
        self.isCut = False

    def views(self, fields: Sequence[Field], depth: int = 0) -> tuple[FieldView, ...]:
        views = []
        for field in fields:
            text = _valueText(field)
            if depth == _DEEPEST or not self._left or not self._room.take(len(field.name) + len(text) + _MARKUP):
                self.isCut = True
                break
            self._left -= 1
            views.append(FieldView(field.name, text, self.views(field.children, depth + 1)))
        return tuple(views)


def _valueText(field: Field) -> str:
    if field.value is None and field.children:
        # Its text sums up what stands below it.
        return ""
    text = field.text
    if not text and isinstance(field.value, bytes):
        text = field.value[:_LONGEST_VALUE].hex()
    elif not text and field.value is not None:
        text = str(field.value)
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _dumpLines(content: bytes) -> Iterator[str]:
    """Give lines of eight bytes, which fit a phone."""
    for offset in range(0, len(content), 8):
        piece = content[offset : offset + 8]
        characters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in islice(piece, 8))
        yield f"{offset:04x}  {piece.hex(' '):<23}  {characters}"
