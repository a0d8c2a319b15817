"""Bytes with their length before them."""

from __future__ import annotations

from abc import abstractmethod

from tlscomm.failures import Undecodable
from tlscomm.messages._framing import Decoder, Framing, Message, encodeText, longer, refuseLonger

__all__ = ["Int32", "Netstring"]


class _Prefixed(Framing):
    """Bytes with their length before them, and perhaps a trailer behind."""

    isText = False
    trailer = b""

    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        if isinstance(message, str):
            message = encodeText(message)
        elif not isinstance(message, bytes | bytearray | memoryview):
            raise TypeError(f"a message in {self.name} framing is bytes or a str, not {type(message).__name__}")
        payload = bytes(message)
        refuseLonger(len(payload), maximum)
        return b"".join((self.prefix(len(payload)), payload, self.trailer))

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
        length = int.from_bytes(data[start:payload], "big")
        if length > maximum:
            raise longer(maximum)
        return payload, payload + length


class _PrefixedDecoder(Decoder):
    def __init__(self, framing: _Prefixed, maximum: int) -> None:
        super().__init__(maximum)
        self._framing = framing
        self._wanted = 0

    def _settles(self, data: bytes) -> bool:
        return len(self._held) + len(data) >= self._wanted

    def _take(self, data: bytes, messages: list[Message]) -> None:
        locate, trailer, maximum = self._framing.locate, self._framing.trailer, self._maximum
        start, size = 0, len(data)
        while start < size:
            located = locate(data, start, maximum)
            if located is None:
                self._wanted = size - start + 1
                break
            begin, end = located
            after = end + len(trailer)
            if after > size:
                self._wanted = after - start
                break
            if data[end:after] != trailer:
                raise Undecodable(f"the announced {end - begin} bytes are not followed by {trailer!r}", side="remote")
            messages.append(data[begin:end])
            start = after
        if start < size:
            self._hold(data[start:])
