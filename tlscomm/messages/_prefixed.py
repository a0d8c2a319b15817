"""Bytes with their length before them."""

from __future__ import annotations

from abc import abstractmethod
from struct import Struct

from tlscomm.failures import Undecodable
from tlscomm.messages._framing import LONG, Decoder, Framing, Message, cut, encodeText, longer, longerThan

__all__ = ["Int32", "Netstring"]

#: In how many bytes a colon is looked for first.
_DIGITS = 20

_ZERO = ord("0")

_lengthAt = Struct(">I").unpack_from


class _Prefixed(Framing):
    """Bytes with their length before them, and perhaps a trailer behind."""

    isText = False
    trailer = b""

    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        return b"".join(self.pieces(message, maximum))

    def pieces(self, message: Message | bytearray | memoryview, maximum: int) -> list[bytes]:
        if isinstance(message, bytes):
            payload = message
        elif isinstance(message, str):
            payload = encodeText(message)
        elif isinstance(message, bytearray | memoryview):
            payload = bytes(message)
        else:
            raise TypeError(f"a message in {self.name} framing is bytes or a str, not {type(message).__name__}")
        size = len(payload)
        if size > maximum:
            raise longerThan(maximum, size)
        if size < LONG:
            return [b"".join((self.prefix(size), payload, self.trailer))]
        return cut(self.prefix(size), payload, self.trailer)

    def decoder(self, maximum: int) -> Decoder:
        return _PrefixedDecoder(self, maximum)

    @abstractmethod
    def prefix(self, length: int) -> bytes:
        """Return what stands before a payload of `length` bytes."""

    @abstractmethod
    def locate(self, data: bytes, start: int, maximum: int) -> tuple[int, int] | None:
        """Read the prefix at `start`.

        Returns:
            Where the payload begins and where it ends, which may be past the end of `data`; None where the prefix is
            not complete.

        Raises:
            MessageTooLong: more than `maximum` bytes are announced (`side` is "remote").
            Undecodable: it is no prefix (`side` is "remote").
        """


class Netstring(_Prefixed):
    """``12:hello world!,`` after https://cr.yp.to/proto/netstrings.txt."""

    name = "netstring"
    trailer = b","

    def prefix(self, length: int) -> bytes:
        return b"%d:" % length

    def locate(self, data: bytes, start: int, maximum: int) -> tuple[int, int] | None:
        # Mostly the whole prefix is there and is right; what else it can be is told apart below.
        colon = data.find(b":", start, start + _DIGITS)
        if colon >= 0 and (digits := data[start:colon]).isdigit() and (digits[0] != _ZERO or len(digits) == 1):
            length = int(digits)
            if length > maximum:
                raise longer(maximum)
            return colon + 1, colon + 1 + length
        # One digit more than the maximum has is too long by itself, so no colon is waited for.
        width = len(str(maximum)) + 1
        colon = data.find(b":", start, start + width)
        digits = data[start : start + width if colon < 0 else colon]
        # "The [len] begins with 30 exactly when [string] is empty."
        if not digits.isdigit() or (len(digits) > 1 and digits.startswith(b"0")):
            raise Undecodable("a netstring begins with its length, without leading zeros, and a colon", side="remote")
        if colon < 0 and len(digits) < width:
            return None
        length = int(digits)
        if length > maximum:
            raise longer(maximum)
        return colon + 1, colon + 1 + length


class Int32(_Prefixed):
    """Four bytes of length, big-endian, as `twisted.protocols.basic.Int32StringReceiver`.

    So a payload of 4 GiB cannot be sent, even where the maximum allows it: `prefix` raises `OverflowError`.
    """

    name = "int32"

    def prefix(self, length: int) -> bytes:
        return length.to_bytes(4, "big")

    def locate(self, data: bytes, start: int, maximum: int) -> tuple[int, int] | None:
        payload = start + 4
        if payload > len(data):
            return None
        (length,) = _lengthAt(data, start)
        if length > maximum:
            raise longer(maximum)
        return payload, payload + length


class _PrefixedDecoder(Decoder):
    __slots__ = ("_framing", "_located")

    def __init__(self, framing: _Prefixed, maximum: int) -> None:
        super().__init__(maximum)
        self._framing = framing
        self._located: tuple[int, int] | None = None

    def _take(self, data: bytes, messages: list[Message]) -> None:
        framing, maximum = self._framing, self._maximum
        locate, trailer = framing.locate, framing.trailer
        start, size = 0, len(data)
        if self.pending:
            if self._located is None:
                # Only a part of the prefix is held, a few bytes.
                data = b"".join((*self._release(), data))
                size = len(data)
            elif self._located[1] + len(trailer) > self.pending + size:
                self._hold(data)
                return
            else:
                start = self._complete(data, self._located, messages)
        while start < size:
            located = locate(data, start, maximum)
            if located is None:
                self._located = None
                break
            begin, end = located
            after = end + len(trailer)
            if after > size:
                self._located = begin - start, end - start
                break
            if trailer and data[end:after] != trailer:
                raise _noTrailer(end - begin, trailer)
            messages.append(data[begin:end])
            start = after
        if start < size:
            self._hold(data[start:])

    def _complete(self, data: bytes, located: tuple[int, int], messages: list[Message]) -> int:
        """Make a message of what is held and of the start of `data`, and return how many bytes of that are used."""
        begin, end = located
        trailer = self._framing.trailer
        missing = end + len(trailer) - self.pending
        # A trailer is one byte at most, so what is missing includes it.
        last = missing - len(trailer)
        first, *others = self._release()
        payload = b"".join((memoryview(first)[begin:], *others, memoryview(data)[:last]))
        if data[last:missing] != trailer:
            raise _noTrailer(end - begin, trailer)
        messages.append(payload)
        return missing


def _noTrailer(length: int, trailer: bytes) -> Undecodable:
    return Undecodable(f"the announced {length} bytes are not followed by {trailer!r}", side="remote")
