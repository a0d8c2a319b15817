"""Where one message ends and the next begins.

TLS carries a stream of bytes, and the pieces it arrives in say nothing about the pieces it was sent in. The source
document's own loop shows the three ways to get this wrong: it decodes each chunk by itself, which breaks a character
that is split over two; it searches everything received again for every chunk, which is quadratic; and it has no limit.

So the bytes go into a `Decoder` and messages come out, the same ones however the stream was cut. Three rules hold for
every framing here:

*Nothing is looked at twice.* What is held back of a half-received message is only ever appended to, until the chunk
that settles it arrives: the one with the delimiter, or with the last byte that the prefix announced. Only then is the
whole put together and taken apart, once. A chunk that comes when nothing is held is taken apart in place.

*Nothing too long is held.* A message is refused as soon as it must be longer than the maximum, so a decoder holds at
most the maximum and the delimiter or prefix, whatever it is fed. It may not be refused any sooner: bytes past the
maximum that could still be the start of the delimiter are held until the next byte decides.

*The first failure is the last.* After it the start of the next message is not known, so everything later is ignored.
Messages that were complete before it are still delivered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from tlscomm.failures import MessageTooLong, TLSFailure, Truncated, Undecodable

__all__ = ["FRAMINGS", "Decoder", "Framing", "Message", "framingNamed"]

Message: TypeAlias = str | bytes
"""What a framing delivers: `str` where `Framing.isText`, else `bytes`."""


def framingNamed(name: str) -> Framing:
    """Find a framing by the name that options and endpoint strings use.

    Args:
        name: a key of `FRAMINGS`.

    Returns:
        The framing, which any number of connections can share.

    Raises:
        ValueError: there is no such framing; the message lists those there are.
    """
    try:
        return FRAMINGS[name]
    except KeyError:
        raise ValueError(f"no framing is named {name!r}; there are {', '.join(FRAMINGS)}") from None


class Framing(ABC):
    """One way to mark where messages end. Immutable, and shared by all connections that use it."""

    name: str
    """What options call it: a key of `FRAMINGS`."""

    isText: bool
    """Whether messages are received as `str` (sent and checked as UTF-8) or as `bytes`."""

    @abstractmethod
    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        """Turn a message into the bytes to send.

        Args:
            message: a `str`; a framing that is not text also takes the bytes types, and sends a `str` as UTF-8.
            maximum: the most bytes the message may have, without delimiter or prefix.

        Returns:
            The message with its delimiter or prefix.

        Raises:
            MessageTooLong: it has more than `maximum` bytes (`side` is "local").
            Undecodable: the peer could not read it back: it contains the delimiter, or half of a surrogate pair, which
                UTF-8 cannot carry (`side` is "local").
            TypeError: the framing does not carry this type.
        """

    @abstractmethod
    def decoder(self, maximum: int) -> Decoder:
        """Make the decoder for one connection.

        Args:
            maximum: the most bytes a message may have, without delimiter or prefix.
        """


class Decoder(ABC):
    """Turns one connection's bytes into messages.

    Attributes:
        failure: why nothing more can be decoded, or None: `MessageTooLong`, `Undecodable` or `Truncated`, each with
            `side` "remote". Once it is set, input is ignored and nothing is held.
    """

    def __init__(self, maximum: int) -> None:
        self.failure: TLSFailure | None = None
        self._maximum = maximum
        self._held = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of a half-received message are held, its prefix or half a delimiter included."""
        return len(self._held)

    def receive(self, data: bytes) -> list[Message]:
        """Take the next bytes of the stream.

        Args:
            data: any number of bytes, cut anywhere.

        Returns:
            The messages that are now complete, in order. Where one is bad, those before it; then `failure` is set.
        """
        messages: list[Message] = []
        if self.failure is not None:
            return messages
        try:
            if not self._held:
                self._take(data, messages)
            elif self._settles(data):
                self._take(self._release(data), messages)
            else:
                self._hold(data)
        except TLSFailure as failure:
            self._fail(failure)
        return messages

    def end(self) -> list[Message]:
        """Take note that the stream ended in order, by a close_notify.

        Returns:
            The last message, where the framing lets the end of the stream end one. Where it does not and a message was
            half received, `failure` is set to `Truncated`.
        """
        messages: list[Message] = []
        if self._held:
            try:
                messages.append(self._last(self._release()))
            except TLSFailure as failure:
                self._fail(failure)
        return messages

    @abstractmethod
    def _settles(self, data: bytes) -> bool:
        """Whether `data` brings what the held bytes wait for. Work in proportion to `data`, not to what is held."""

    @abstractmethod
    def _take(self, data: bytes, messages: list[Message]) -> None:
        """Add the messages in `data`, which starts where a message starts, to `messages`, and hold the rest.

        Raises:
            TLSFailure: the next message is bad.
        """

    def _last(self, rest: bytes) -> Message:
        """Make a message of what was held at the end of the stream, or raise a `TLSFailure`."""
        raise Truncated(f"it ended after byte {len(rest)} of a message", side="remote")

    def _hold(self, data: bytes) -> None:
        self._held += data

    def _release(self, data: bytes = b"") -> bytes:
        whole = b"".join((self._held, data))
        self._held.clear()
        return whole

    def _fail(self, failure: TLSFailure) -> None:
        # The frames of a traceback would keep the refused bytes in memory for as long as the failure is kept.
        self.failure = failure.with_traceback(None)
        self._held.clear()


@dataclass(frozen=True)
class _Delimited(Framing):
    """UTF-8 text with a delimiter after each message.

    The delimiter is ASCII and does not overlap itself. So it is never found inside a character, and a message that does
    not contain it cannot form it together with the delimiter that follows.

    Attributes:
        optional: what a peer may put between message and delimiter, and is dropped.
        endsWithStream: whether an orderly end of the stream ends a message too.
    """

    name: str
    delimiter: bytes
    optional: bytes = b""
    endsWithStream: bool = False
    isText = True

    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        if not isinstance(message, str):
            raise TypeError(f"a message in {self.name} framing is a str, not {type(message).__name__}")
        payload = _encodeText(message)
        _refuseLonger(len(payload), maximum)
        offset = payload.find(self.delimiter)
        if offset >= 0:
            raise Undecodable(f"the message contains the delimiter, at byte {offset}", side="local")
        if self.optional and payload.endswith(self.optional):
            raise Undecodable(f"the message ends in {self.optional!r}, which the peer would drop", side="local")
        return payload + self.delimiter

    def decoder(self, maximum: int) -> Decoder:
        return _DelimitedDecoder(self, maximum)

    def parse(self, payload: bytes, maximum: int) -> str:
        """Read what stood before a delimiter, or raise `MessageTooLong` or `Undecodable`."""
        payload = payload.removesuffix(self.optional)
        if len(payload) > maximum:
            raise _longer(maximum)
        return _decodeText(payload)

    def unfinished(self, held: bytearray, data: bytes) -> int:
        """How many bytes at the end of `held` and `data` could be the start of a delimiter."""
        ending = self.optional + self.delimiter
        tail = held[-len(ending) :] + data[-len(ending) :]
        return next(size for size in reversed(range(len(ending))) if tail.endswith(ending[:size]))


class _DelimitedDecoder(Decoder):
    def __init__(self, framing: _Delimited, maximum: int) -> None:
        super().__init__(maximum)
        self._framing = framing

    def _settles(self, data: bytes) -> bool:
        delimiter = self._framing.delimiter
        return delimiter in self._held[-len(delimiter) :] + data

    def _take(self, data: bytes, messages: list[Message]) -> None:
        parse, maximum = self._framing.parse, self._maximum
        payloads = data.split(self._framing.delimiter)
        rest = payloads.pop()
        for payload in payloads:
            messages.append(parse(payload, maximum))
        if rest:
            self._hold(rest)

    def _hold(self, data: bytes) -> None:
        excess = len(self._held) + len(data) - self._maximum
        if excess > 0 and excess > self._framing.unfinished(self._held, data):
            raise _longer(self._maximum)
        super()._hold(data)

    def _last(self, rest: bytes) -> Message:
        if self._framing.endsWithStream:
            return self._framing.parse(rest, self._maximum)
        return super()._last(rest)


class _Prefixed(Framing):
    """Bytes with their length before them, and perhaps a trailer behind."""

    isText = False
    trailer = b""

    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        if isinstance(message, str):
            message = _encodeText(message)
        elif not isinstance(message, bytes | bytearray | memoryview):
            raise TypeError(f"a message in {self.name} framing is bytes or a str, not {type(message).__name__}")
        payload = bytes(message)
        _refuseLonger(len(payload), maximum)
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


class _Netstring(_Prefixed):
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
            raise _longer(maximum)
        return colon + 1, colon + 1 + length


class _Int32(_Prefixed):
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
            raise _longer(maximum)
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


def _encodeText(message: str) -> bytes:
    try:
        return message.encode()
    except UnicodeEncodeError as error:
        offset = error.start
    # Raised out here, so that the failure does not carry the codec's error, which carries the whole message.
    raise Undecodable(f"character {offset} of the message is half of a surrogate pair", side="local")


def _decodeText(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        offset = error.start
    # Raised out here for the same reason.
    raise Undecodable(f"the message is not UTF-8 at byte {offset}", side="remote")


def _refuseLonger(length: int, maximum: int) -> None:
    if length > maximum:
        raise MessageTooLong(f"it has {length} bytes, and {maximum} are allowed", side="local")


def _longer(maximum: int) -> MessageTooLong:
    return MessageTooLong(f"it has more than the {maximum} bytes that are allowed", side="remote")


_ALL: tuple[Framing, ...] = (
    # The source document's (S8): its reader stops at the delimiter, or when the stream ends.
    _Delimited("eof", b"<EOF>", endsWithStream=True),
    _Delimited("line", b"\n", optional=b"\r"),
    _Netstring(),
    _Int32(),
)

#: The framings by name, the default first.
FRAMINGS: Mapping[str, Framing] = MappingProxyType({framing.name: framing for framing in _ALL})
