"""As much of DER as is needed to say what a file is and whether it is whole.

`cryptography` reads these files, but it answers a wrong pass phrase, a damaged file and a file of another kind with one
text. The lengths in the file tell them apart, and to read lengths needs no more than ITU-T X.690, section 8.1.

The indefinite lengths of BER are met in PKCS#12 files of NSS and of old Windows. They are let pass unchecked: what they
enclose is found out by whoever reads the content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "INTEGER",
    "OBJECT_IDENTIFIER",
    "OCTET_STRING",
    "SEQUENCE",
    "Element",
    "children",
    "element",
    "isWhole",
    "objectIdentifiers",
    "valueOffset",
]

INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30

_CONSTRUCTED = 0x20


@dataclass(frozen=True)
class Element:
    """Where one tag, length and value lie in some bytes.

    Attributes:
        tag: the identifier octet; tags of more than one octet do not occur in the formats that are read here.
        start: where the value begins.
        end: where the value ends, or must end at the latest where the length is indefinite.
        isIndefinite: whether the length is BER's indefinite one.
    """

    tag: int
    start: int
    end: int
    isIndefinite: bool = False

    @property
    def isConstructed(self) -> bool:
        return bool(self.tag & _CONSTRUCTED)

    def valueIn(self, data: bytes) -> bytes:
        return data[self.start : self.end]


def valueOffset(data: bytes, offset: int = 0) -> int:
    """Return where the value of the element at an offset begins, or would begin in data that is not cut off."""
    first = data[offset + 1] if offset + 1 < len(data) else 0
    return offset + 2 + (first & 0x7F if first > 0x80 else 0)


def element(data: bytes, offset: int = 0, end: int | None = None) -> Element | None:
    """Read the element at an offset.

    Args:
        data: the bytes that it is in.
        offset: where its tag is.
        end: what it may not go beyond; the end of the data where None is given.

    Returns:
        The element, or None where there is none or it would go beyond the end.
    """
    end = len(data) if end is None else end
    start = valueOffset(data, offset)
    if start > end:
        return None
    first = data[offset + 1]
    if first == 0x80:
        return Element(data[offset], start, end, isIndefinite=True)
    length = first if first < 0x80 else int.from_bytes(data[offset + 2 : start], "big")
    return Element(data[offset], start, start + length) if start + length <= end else None


def children(data: bytes, parent: Element) -> tuple[Element, ...] | None:
    """Read the elements directly inside of a constructed one.

    Returns:
        The elements, or None where they do not fill their parent exactly.
    """
    found = []
    offset = parent.start
    while offset < parent.end:
        child = element(data, offset, parent.end)
        if child is None:
            return None
        found.append(child)
        offset = child.end
    return tuple(found)


def isWhole(data: bytes) -> bool:
    """Whether the lengths of the first element, and of all that is constructed inside of it, add up."""
    outer = element(data)
    return outer is not None and all(_isFilled(data, inner) for inner in _descendants(data, outer))


def objectIdentifiers(data: bytes, parent: Element) -> tuple[str, ...]:
    """Return all object identifiers inside of an element, in dotted form, in no particular order."""
    inside = _descendants(data, parent)
    return tuple(_dotted(inner.valueIn(data)) for inner in inside if inner.tag == OBJECT_IDENTIFIER)


def _descendants(data: bytes, parent: Element) -> Iterator[Element]:
    # A list instead of recursion: a file may be nested deeper than Python's stack.
    unseen = [parent]
    while unseen:
        current = unseen.pop()
        yield current
        if current.isConstructed and not current.isIndefinite:
            unseen += children(data, current) or ()


def _isFilled(data: bytes, parent: Element) -> bool:
    return not parent.isConstructed or parent.isIndefinite or children(data, parent) is not None


def _dotted(value: bytes) -> str:
    # X.690, section 8.19: seven bits an octet, and the first number holds the first two arcs.
    numbers = [0]
    for octet in value:
        numbers[-1] = numbers[-1] << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(0)
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:-1]))
