"""Text with a delimiter after each message."""

from __future__ import annotations

from dataclasses import dataclass

from tlscomm.failures import Undecodable
from tlscomm.messages._framing import Decoder, Framing, Message, encodeText, longer, refuseLonger

__all__ = ["Delimited"]


@dataclass(frozen=True)
class Delimited(Framing):
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
        payload = encodeText(message)
        refuseLonger(len(payload), maximum)
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
            raise longer(maximum)
        return _decodeText(payload)

    def unfinished(self, held: bytearray, data: bytes) -> int:
        """How many bytes at the end of `held` and `data` could be the start of a delimiter."""
        ending = self.optional + self.delimiter
        tail = held[-len(ending) :] + data[-len(ending) :]
        return next(size for size in reversed(range(len(ending))) if tail.endswith(ending[:size]))


class _DelimitedDecoder(Decoder):
    def __init__(self, framing: Delimited, maximum: int) -> None:
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
    # Raised out here for the same reason.
    raise Undecodable(f"the message is not UTF-8 at byte {offset}", side="remote")
