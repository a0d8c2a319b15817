"""As much of ASN.1's encoding as is needed to say what a file is, and to take it apart (ITU-T X.690).

`cryptography` reads certificates and keys. What encloses them in a file it either does not open at all, or opens
without saying what was wrong. So the layers around are opened here, one at a time and only where something is wanted.

BER is read, not DER alone: NSS and old Windows write PKCS#12 with indefinite lengths and with octet strings in pieces.
The writer of a file may mean harm, so depth and number of elements have a limit, and every length is compared with
the bytes that are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

__all__ = [
    "BIT_STRING",
    "CONTEXT_0",
    "CONTEXT_1",
    "ENUMERATED",
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "SET",
    "Element",
    "Malformed",
    "TooMuch",
    "beginning",
    "encode",
    "first",
]

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
SEQUENCE = 0x30
SET = 0x31
CONTEXT_0 = 0xA0
CONTEXT_1 = 0xA1

_CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80

#: Credentials are nested some fifteen deep.
_DEEPEST = 32
#: More than the largest bundle of certificates has on any one level.
_MOST_PARTS = 2000
#: Each level of it has to be searched for its end, so there a limit on the bytes bounds the time.
_LARGEST_INDEFINITE = 1 << 19
#: What is read of an identifier or a number: none that means something here is longer.
_LONGEST_SCALAR = 64


class Malformed(ValueError):
    """The bytes do not have the structure that they should have."""


class TooMuch(Malformed):
    """There is more of something than any credential has."""


class Element(NamedTuple):
    """Where one tag, length and value lie in some bytes. Its `repr` does not show them.

    Attributes:
        data: the bytes that it is in.
        tag: the identifier octet.
        offset: where that is.
        start: where the value begins.
        end: where the value ends.
        following: where the next element begins.
        depth: in how many elements it is.
    """

    data: bytes
    tag: int
    offset: int
    start: int
    end: int
    following: int
    depth: int = 0

    def __repr__(self) -> str:
        return f"<Element {self.tag:#04x}>"

    @property
    def value(self) -> bytes:
        return self.data[self.start : self.end]

    @property
    def encoded(self) -> bytes:
        """Tag, length and value."""
        return self.data[self.offset : self.following]

    def parts(self, *tags: int) -> tuple[Element, ...]:
        """Read what is inside.

        Args:
            tags: those of the first elements that must be there.

        Raises:
            Malformed: it is not constructed, what is inside does not fill it exactly, or begins with something else.
        """
        if not self.tag & _CONSTRUCTED:
            raise Malformed(f"the element with the tag {self.tag:#04x} has no parts")
        parts = tuple(_elements(self.data, self.start, self.end, self.depth + 1))
        if tuple(part.tag for part in parts[: len(tags)]) != tags:
            raise Malformed(f"the element with the tag {self.tag:#04x} has other parts")
        return parts

    def wrapped(self) -> Element:
        """Read the one element that this one encloses.

        Raises:
            Malformed: there is none.
        """
        parts = self.parts()
        if not parts:
            raise Malformed(f"the element with the tag {self.tag:#04x} is empty")
        return parts[0]

    def algorithm(self) -> tuple[str, Element | None]:
        """Read an AlgorithmIdentifier: its object identifier and its parameters (RFC 5280, section 4.1.1.2).

        Raises:
            Malformed: it is none.
        """
        if self.tag != SEQUENCE:
            raise Malformed("there is no algorithm")
        identifier, *parameters = self.parts(OBJECT_IDENTIFIER)
        return identifier.identifier(), parameters[0] if parameters else None

    def octets(self) -> bytes:
        """Return an octet string, whole or in pieces (X.690, section 8.7), whatever its tag.

        Raises:
            Malformed: a piece is something else.
        """
        if not self.tag & _CONSTRUCTED:
            return self.value
        parts = self.parts()
        if any(part.tag & ~_CONSTRUCTED != OCTET_STRING for part in parts):
            raise Malformed("a piece of an octet string is something else")
        return b"".join(part.octets() for part in parts)

    def inner(self) -> Element:
        """Read what this octet string encodes."""
        return first(self.octets(), depth=self.depth + 1)

    def beginnings(self, most: int = 8) -> list[Element]:
        """Read what is inside, for recognising content that may be cut off: the last may go beyond the end.

        Args:
            most: how many are read.
        """
        return list(islice(_beginnings(self.data, self.start, self.end), most))

    def integer(self) -> int:
        """Return a number that is not negative.

        Raises:
            Malformed: it is no such number, or larger than anything here counts.
        """
        value = self.value
        if self.tag not in (INTEGER, ENUMERATED) or not 0 < len(value) <= 8 or value[0] > 0x7F:
            raise Malformed("it is no whole number of a sensible size")
        return int.from_bytes(value, "big")

    def identifier(self) -> str:
        """Return an object identifier, dotted.

        Raises:
            Malformed: it is none.
        """
        if self.tag != OBJECT_IDENTIFIER or not 0 < self.end - self.start <= _LONGEST_SCALAR:
            raise Malformed("it is no object identifier")
        return _dotted(self.value)


def encode(tag: int, *contents: bytes) -> bytes:
    """Return one element in DER, with its contents one after another."""
    content = b"".join(contents)
    size = len(content)
    if size < _INDEFINITE:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _INDEFINITE | len(length))) + length + content


def first(data: bytes, offset: int = 0, depth: int = 0) -> Element:
    """Read one element of some bytes. What follows it is passed over.

    Args:
        data: the bytes.
        offset: where it is.
        depth: in how many elements they are themselves.

    Raises:
        Malformed: there is none, or the bytes end before it does.
    """
    return _element(data, offset, len(data), depth)


def beginning(data: bytes, offset: int = 0) -> Element | None:
    """Read an element that may be cut off, for recognising it; None where there is not a byte of it."""
    return next(_beginnings(data, offset, len(data)), None)


def _beginnings(data: bytes, offset: int, limit: int) -> Iterator[Element]:
    while offset < limit:
        start = min(_valueOffset(data, offset), limit)
        length = data[offset + 1] if offset + 1 < limit else 0
        if length > _INDEFINITE:
            length = int.from_bytes(data[offset + 2 : start], "big")
        elif length == _INDEFINITE:
            # Nothing that follows it is looked at, so its end need not be found.
            length = limit
        end = min(start + length, limit)
        yield Element(data, data[offset], offset, start, end, end)
        offset = end


def _elements(data: bytes, offset: int, end: int, depth: int) -> Iterator[Element]:
    for _ in range(_MOST_PARTS):
        if offset >= end:
            return
        element = _element(data, offset, end, depth)
        yield element
        offset = element.following
    raise TooMuch(f"it has more than {_MOST_PARTS} parts")


def _element(data: bytes, offset: int, limit: int, depth: int) -> Element:
    start = _valueOffset(data, offset)
    if depth > _DEEPEST:
        raise TooMuch(f"it is nested more than {_DEEPEST} deep")
    if start > limit:
        raise Malformed("an element is cut off")
    tag, length = data[offset], data[offset + 1]
    if tag & _LONG_TAG == _LONG_TAG:
        raise Malformed("an element has a tag that does not occur in credentials")
    if length == _INDEFINITE:
        end = _endOfContents(data, start, min(limit, start + _LARGEST_INDEFINITE), depth + 1)
        return Element(data, tag, offset, start, end, end + 2, depth)
    if length > _INDEFINITE:
        length = int.from_bytes(data[offset + 2 : start], "big")
    if start + length > limit:
        raise Malformed("an element is cut off")
    return Element(data, tag, offset, start, start + length, start + length, depth)


def _endOfContents(data: bytes, offset: int, limit: int, depth: int) -> int:
    for _ in range(_MOST_PARTS):
        if data[offset : offset + 2] == b"\0\0" and offset + 2 <= limit:
            return offset
        offset = _element(data, offset, limit, depth).following
    raise TooMuch(f"it has more than {_MOST_PARTS} parts")


def _valueOffset(data: bytes, offset: int) -> int:
    length = data[offset + 1] if offset + 1 < len(data) else 0
    return offset + 2 + (length & 0x7F if length > _INDEFINITE else 0)


def _dotted(value: bytes) -> str:
    # X.690, section 8.19: seven bits an octet, and the first number holds the first two arcs.
    numbers = [0]
    for octet in value:
        numbers[-1] = numbers[-1] << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(0)
    arc = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (arc, numbers[0] - 40 * arc, *numbers[1:-1]))
