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
from typing import TypeAlias

from tlscomm.failures import MessageTooLong, TLSFailure, Truncated, Undecodable

__all__ = ["Decoder", "Framing", "Message", "encodeText", "longer", "refuseLonger"]

Message: TypeAlias = str | bytes
"""What a framing delivers: `str` where `Framing.isText`, else `bytes`."""


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


def encodeText(message: str) -> bytes:
    try:
        return message.encode()
    except UnicodeEncodeError as error:
        offset = error.start
    # Raised out here, so that the failure does not carry the codec's error, which carries the whole message.
    raise Undecodable(f"character {offset} of the message is half of a surrogate pair", side="local")


def refuseLonger(length: int, maximum: int) -> None:
    if length > maximum:
        raise MessageTooLong(f"it has {length} bytes, and {maximum} are allowed", side="local")


def longer(maximum: int) -> MessageTooLong:
    return MessageTooLong(f"it has more than the {maximum} bytes that are allowed", side="remote")
