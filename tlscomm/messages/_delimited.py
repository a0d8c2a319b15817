"""Text with a delimiter after each message."""

from __future__ import annotations

from typing import AnyStr

from tlscomm.failures import Undecodable
from tlscomm.messages._delimiter import find, split
from tlscomm.messages._framing import LONG, Decoder, Framing, Message, cut, encodeText, longer, longerThan

__all__ = ["Delimited"]

#: More bytes than a delimiter has, with what a peer may put before it.
_MOST_UNFINISHED = 8


class Delimited(Framing):
    """UTF-8 text with a delimiter after each message.

    The delimiter is ASCII and does not overlap itself. So it is never found inside a character, and a message that does
    not contain it cannot form it together with the delimiter that follows.

    Attributes:
        delimiter: what ends a message.
        optional: a character that a peer may put between message and delimiter, and that is dropped, or "".
        endsWithStream: whether an orderly end of the stream ends a message too.
    """

    isText = True

    def __init__(self, name: str, delimiter: str, *, optional: str = "", endsWithStream: bool = False) -> None:
        self.name = name
        self.delimiter = delimiter
        self.optional = optional
        self.endsWithStream = endsWithStream
        self.delimiterBytes = delimiter.encode()
        self._firstByte = self.delimiterBytes[0]
        self._optionalBytes = optional.encode()

    def encode(self, message: Message | bytearray | memoryview, maximum: int) -> bytes:
        return b"".join(self.pieces(message, maximum))

    def pieces(self, message: Message | bytearray | memoryview, maximum: int) -> list[bytes]:
        if not isinstance(message, str):
            raise TypeError(f"a message in {self.name} framing is a str, not {type(message).__name__}")
        if not message.isascii():
            payload = encodeText(message)
        elif len(message) < LONG:
            payload = message.encode()
        else:
            # Its characters are its bytes, so it is cut before it is encoded, and not copied as a whole.
            self._refuseUnreadable(message, self.delimiter, self.optional, maximum)
            return [piece.encode() for piece in cut("", message, self.delimiter)]
        size = len(payload)
        if size > maximum or self._firstByte in payload or (self.optional and payload[-1:] == self._optionalBytes):
            self._refuseUnreadable(payload, self.delimiterBytes, self._optionalBytes, maximum)
        return [payload + self.delimiterBytes] if size < LONG else cut(b"", payload, self.delimiterBytes)

    def _refuseUnreadable(self, payload: AnyStr, delimiter: AnyStr, optional: AnyStr, maximum: int) -> None:
        if len(payload) > maximum:
            raise longerThan(maximum, len(payload))
        if (offset := find(payload, delimiter)) >= 0:
            raise Undecodable(f"the message contains the delimiter, at byte {offset}", side="local")
        if optional and payload.endswith(optional):
            raise Undecodable(f"the message ends in {self._optionalBytes!r}, which the peer would drop", side="local")

    def decoder(self, maximum: int) -> Decoder:
        return _DelimitedDecoder(self, maximum)

    def parse(self, payload: bytes, maximum: int) -> str:
        """Read what stood before a delimiter, or raise `MessageTooLong` or `Undecodable`."""
        payload = payload.removesuffix(self._optionalBytes)
        if len(payload) > maximum:
            raise longer(maximum)
        return _decodeText(payload)

    def unfinished(self, tail: bytes | bytearray) -> int:
        """Return how many bytes at the end of `tail` could be the start of a delimiter."""
        ending = self._optionalBytes + self.delimiterBytes
        return next(size for size in reversed(range(len(ending))) if tail.endswith(ending[:size]))


class _DelimitedDecoder(Decoder):
    __slots__ = ("_framing",)

    def __init__(self, framing: Delimited, maximum: int) -> None:
        super().__init__(maximum)
        self._framing = framing

    def receive(self, data: bytes) -> list[Message]:
        # Mostly nothing is held, and what comes is whole messages, none of which can be too long. Then they are decoded
        # and taken apart together. Where one of them is not UTF-8, it is found by taking them one by one.
        framing = self._framing
        if (
            data.endswith(framing.delimiterBytes)
            and not self.pending
            and len(data) <= self._maximum
            and self.failure is None
        ):
            try:
                text = data.decode()
            except UnicodeDecodeError:
                pass
            else:
                messages: list[Message] = split(text, framing.delimiter)  # type: ignore[assignment]
                messages.pop()
                if (optional := framing.optional) and optional in text:
                    return [message.removesuffix(optional) for message in messages]  # type: ignore[arg-type]
                return messages
        return super().receive(data)

    def _take(self, data: bytes, messages: list[Message]) -> None:
        parse, maximum = self._framing.parse, self._maximum
        if self.pending:
            after = self._complete(data, messages)
            if after == len(data):
                return
            data = data[after:]
        payloads = split(data, self._framing.delimiterBytes)
        rest = payloads.pop()
        for payload in payloads:
            messages.append(parse(payload, maximum))
        if rest:
            self._hold(rest)

    def _complete(self, data: bytes, messages: list[Message]) -> int:
        """Make a message of what is held if `data` has its end, and return how many bytes of `data` are used."""
        delimiter = self._framing.delimiterBytes
        after = len(delimiter)
        # A delimiter may have begun in what is held.
        edge = self._edge(after - 1) if after > 1 else b""
        if delimiter[0] in edge and (begun := len(edge) - (edge + data[: after - 1]).find(delimiter)) <= len(edge):
            after -= begun
            payload = b"".join(self._release())[:-begun]
        elif (end := find(data, delimiter)) >= 0:
            after += end
            payload = b"".join((*self._release(), data[:end]))
        else:
            self._hold(data)
            return len(data)
        messages.append(self._framing.parse(payload, self._maximum))
        return after

    def _hold(self, data: bytes) -> None:
        excess = self.pending + len(data) - self._maximum
        if excess > 0 and excess > self._framing.unfinished(self._edge(_MOST_UNFINISHED) + data[-_MOST_UNFINISHED:]):
            raise longer(self._maximum)
        super()._hold(data)

    def _last(self, rest: bytes) -> Message:
        if self._framing.endsWithStream:
            return self._framing.parse(rest, self._maximum)
        return super()._last(rest)


def _decodeText(payload: bytes) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError as error:
        offset = error.start
    # Raised out here, so that the failure does not carry the codec's error, which carries the whole message.
    raise Undecodable(f"the message is not UTF-8 at byte {offset}", side="remote")
