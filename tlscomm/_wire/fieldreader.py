"""Fields, made while a message is read: each with its place, in a bounded number.

A message may end early, because a capture has not all of it. What is there is read all the same, lists and parts of
them too, and what cannot be read is in a last field ``undecodable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tlscomm._wire.events import Field
from tlscomm._wire.names import numberText
from tlscomm._wire.reading import Cut, Reader
from tlscomm.failures import printable

__all__ = ["FieldReader", "bytesText", "summary"]

#: Of one message, and of one list in it. The longest lists of real peers have some two hundred entries.
_MOST_FIELDS = 2000
_MOST_ENTRIES = 300

_MOST_BYTES_SHOWN = 32
_LONGEST_TEXT = 200
_MOST_IN_SUMMARY = 8

_Read = Callable[["FieldReader"], object]
_Text = Callable[[bytes], str]


def bytesText(value: bytes) -> str:
    """Return bytes in hexadecimal, the first ones and their number where there are many."""
    if len(value) <= _MOST_BYTES_SHOWN:
        return value.hex() or "empty"
    return f"{value[: _MOST_BYTES_SHOWN // 2].hex()}… ({len(value):,} bytes)"


class FieldReader:
    """Reads a message, or a part of it, and makes a field of each thing in it.

    Attributes:
        fields: those that were made so far.
    """

    def __init__(self, reader: Reader, *, isPlaced: bool = True, budget: list[int] | None = None) -> None:
        """
        Args:
            reader: where to read.
            isPlaced: whether places in it are places in the message; not where it was unpacked.
            budget: how many more fields may be made, in a list that all parts of a message share.
        """
        self.fields: list[Field] = []
        self._reader = reader
        self._isPlaced = isPlaced
        self._budget = [_MOST_FIELDS] if budget is None else budget
        # Where the last field ends.
        self._done = reader.offset

    @property
    def isEmpty(self) -> bool:
        return self._reader.isEmpty

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self._reader.left

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end, and stay before them."""
        return self._reader.peek(size)

    def number(self, name: str, size: int, names: Mapping[int, str] | None = None) -> int:
        """Read a number of so many bytes; `names` has the names that such numbers have.

        Raises:
            Cut: where there are fewer bytes. So do all that read.
        """
        value = self._reader.number(size)
        self._leaf(name, value, str(value) if names is None else numberText(value, names, size))
        return value

    def opaque(self, name: str, size: int, text: _Text = bytesText) -> bytes:
        """Read so many bytes."""
        value = self._reader.take(size)
        self._leaf(name, value, text(value))
        return value

    def rest(self, name: str, text: _Text = bytesText) -> bytes:
        """Read all that is left."""
        return self.opaque(name, self.left, text)

    def vector(self, name: str, size: int, text: _Text = bytesText, *, lead: int = 0) -> bytes:
        """Read bytes that are preceded by their length, which belongs to the field.

        Args:
            name: of the field.
            size: of how many bytes the number is that says the length.
            text: shows it to a person.
            lead: so many bytes stand before the length and belong to the field too.
        """
        self._reader.take(lead)
        value = self._reader.vector(size)
        self._leaf(name, value, text(value))
        return value

    def string(self, name: str, size: int) -> None:
        """Read text that is preceded by its length."""
        value = self._reader.vector(size).decode("ascii", "backslashreplace")
        self._leaf(name, value, printable(value, _LONGEST_TEXT))

    def structure(self, name: str, size: int, read: _Read, *, lead: int = 0, isNamed: bool = False) -> None:
        """Read a part that is preceded by its length and has parts itself, of which `read` reads all.

        `isNamed` says that the names of the parts tell more in short than what is in them.
        """
        self._reader.take(lead)
        length = self._reader.number(size)
        isCut = length > self.left
        inside = self._inside(self._reader.inside(min(length, self.left)))
        inside.readAll(read)
        self._add(name, None, summary(inside.fields, isNamed=isNamed), tuple(inside.fields))
        if isCut:
            raise Cut

    def entries(self, name: str, size: int, read: _Read, *, lead: int = 0, isNamed: bool = False) -> None:
        """Read a list that is preceded by its length, of which `read` reads one entry."""

        def readEach(inside: FieldReader) -> None:
            count = 0
            while not inside.isEmpty:
                if count >= _MOST_ENTRIES or self._budget[0] <= 0:
                    raise _TooMany
                read(inside)
                count += 1

        self.structure(name, size, readEach, lead=lead, isNamed=isNamed)

    def numbers(self, name: str, size: int, entry: str, width: int, names: Mapping[int, str], *, lead: int = 0) -> None:
        """Read a list of numbers of so many bytes, each a field of the name `entry`."""
        self.entries(name, size, lambda inside: inside.number(entry, width, names), lead=lead)

    def entry(self, name: str, read: _Read) -> None:
        """Read the next parts as the parts of one."""
        inside = self._inside(self._reader)
        try:
            read(inside)
        finally:
            self._reader.offset = inside._done
            self._add(name, None, summary(inside.fields), tuple(inside.fields))

    def unpacked(self, name: str, data: bytes, read: _Read) -> None:
        """Read what was packed in the last field. It has no place in the message."""
        inside = FieldReader(Reader(data), isPlaced=False, budget=self._budget)
        inside.readAll(read)
        self.fields.append(Field(name, data, summary(inside.fields), tuple(inside.fields)))

    def readAll(self, read: _Read, *, isMessage: bool = False) -> None:
        """Read all that there is. What cannot be read, and what is too much, is in a last field."""
        try:
            read(self)
        except Cut:
            self._undecodable("ends too early", isSaid=isMessage)
        except _TooMany:
            self._more()
        else:
            self._undecodable("more than there should be", isSaid=False)

    def _more(self) -> None:
        count = self._reader.end - self._done
        self._reader.offset = self._reader.end
        self._add("more", None, f"{count:,} more bytes")

    def _undecodable(self, why: str, *, isSaid: bool) -> None:
        self._reader.offset = self._done
        value = self._reader.take(self._reader.end - self._done)
        if value or isSaid:
            self._add("undecodable", value, f"{why}: {bytesText(value)}" if value else why)

    def _leaf(self, name: str, value: int | bytes | str, text: str) -> None:
        if self._budget[0] <= 0:
            raise _TooMany
        self._add(name, value, text)

    def _add(self, name: str, value: int | bytes | str | None, text: str, inside: tuple[Field, ...] = ()) -> None:
        self._budget[0] -= 1
        end = self._reader.offset
        offset = self._done if self._isPlaced else None
        self.fields.append(Field(name, value, text, inside, offset, end - self._done))
        self._done = end

    def _inside(self, reader: Reader) -> FieldReader:
        return FieldReader(reader, isPlaced=self._isPlaced, budget=self._budget)


class _TooMany(Exception):
    """There is more than is read."""


def summary(fields: Sequence[Field], *, isNamed: bool = False) -> str:
    """Return what is in some fields, or what they are called, in a few words."""
    texts = [text for field in fields[:_MOST_IN_SUMMARY] if (text := field.name if isNamed else field.text)]
    more = len(fields) - _MOST_IN_SUMMARY
    text = ", ".join(texts) + (f" and {more} more" if more > 0 else "")
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"
