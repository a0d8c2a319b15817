"""Numbers and vectors, taken from a message one after the other (RFC 8446, section 3)."""

from __future__ import annotations

__all__ = ["Cut", "Reader", "extensionsIn"]

#: Extensions that are read: some ten times as many as any peer has. A stranger may send eight thousand, and to take one
#: apart costs a microsecond.
_MOST_EXTENSIONS = 128


class Cut(Exception):
    """The message ends where there should be more of it."""


class Reader:
    """Reads bytes from a place up to an end.

    Attributes:
        offset: the place, counted from the first byte of the message.
        end: where what may be read ends.
    """

    __slots__ = ("_data", "end", "offset")

    def __init__(self, data: bytes, offset: int = 0, end: int | None = None) -> None:
        self._data = data
        self.offset = offset
        self.end = len(data) if end is None else end

    @property
    def isEmpty(self) -> bool:
        return self.offset >= self.end

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return self.end - self.offset

    def take(self, count: int) -> bytes:
        """Read so many bytes.

        Raises:
            Cut: where there are fewer.
        """
        begin = self.offset
        end = begin + count
        if end > self.end:
            raise Cut
        self.offset = end
        return self._data[begin:end]

    def peek(self, count: int) -> bytes:
        """Return the next so many bytes, fewer at the end, and stay before them."""
        return self._data[self.offset : min(self.offset + count, self.end)]

    def number(self, size: int) -> int:
        """Read a number of so many bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Read bytes that are preceded by their length, a number of so many bytes."""
        return self.take(self.number(size))

    def inside(self, size: int) -> Reader:
        """Return a reader of the next so many bytes, and go on behind them."""
        begin = self.offset
        end = begin + size
        if end > self.end:
            raise Cut
        self.offset = end
        return Reader(self._data, begin, end)


def extensionsIn(reader: Reader) -> dict[int, bytes]:
    """Read the extensions of a message, as the message says how long they are.

    Args:
        reader: what is left of the message. One of old may end before them.

    Returns:
        What is in each, by its number; of many the first ones.

    Raises:
        Cut: where one of them is cut off.
    """
    extensions = Reader(b"" if reader.isEmpty else reader.vector(2))
    found = {}
    for _ in range(_MOST_EXTENSIONS):
        if extensions.isEmpty:
            break
        kind = extensions.number(2)
        found[kind] = extensions.vector(2)
    return found
