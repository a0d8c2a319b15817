"""Where one message ends and the next begins.

TLS carries a stream of bytes, and the pieces it arrives in say nothing about the pieces it was sent in. The source
document's own loop shows the three ways to get this wrong: it decodes each chunk by itself, which breaks a character
that is split over two; it searches everything received again for every chunk, which is quadratic; and it has no limit.

So the bytes go into a `Decoder` and messages come out, the same ones however the stream was cut. Three rules hold for
every framing here:

*Nothing is looked at twice.* What is held back of a half-received message is only ever appended to, until the chunk
that completes it arrives: the one with the delimiter, or with the last byte that the prefix announced. Only then is the
message made, and what follows it is taken apart in place, as a chunk that comes when nothing is held.

*Nothing too long is held.* A message is refused as soon as it must be longer than the maximum, so a decoder holds at
most the maximum and the delimiter or prefix, whatever it is fed. It may not be refused any sooner: bytes past the
maximum that could still be the start of the delimiter are held until the next byte decides.

*The first failure is the last.* After it the start of the next message is not known, so everything later is ignored.
Messages that were complete before it are still delivered.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import AnyStr, TypeAlias

from tlscomm.failures import MessageTooLong, TLSFailure, Truncated, Undecodable

__all__ = ["LONG", "Decoder", "Framing", "Message", "cut", "encodeText", "longer", "longerThan"]

#: How many bytes a message has that is sent in pieces, because a copy of the whole costs more than they do.
LONG = 1 << 17

#: How many bytes such a piece has: what TLS encrypts at once, so that it need not be cut again.
_PIECE = 1 << 16

#: Pieces of a half-received message that are shorter are put together while they are held.
_SMALL = 4096

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

    def pieces(self, message: Message | bytearray | memoryview, maximum: int) -> list[bytes]:
        """Turn a long message into the bytes to send, as `encode` does, without a copy of the whole.

        Returns:
            What `encode` returns, in pieces.
        """
        return [self.encode(message, maximum)]

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
        pending: how many bytes of a half-received message are held, its prefix or half a delimiter included.
    """

    __slots__ = ("_held", "_maximum", "failure", "pending")

    def __init__(self, maximum: int) -> None:
        self.failure: TLSFailure | None = None
        self.pending = 0
        self._maximum = maximum
        self._held: list[bytes | bytearray] | tuple[()] = ()

    def receive(self, data: bytes) -> list[Message]:
        """Take the next bytes of the stream.

        Args:
            data: any number of bytes, cut anywhere.

        Returns:
            The messages that are now complete, in order, in a list that is the caller's. Where one is bad, those before
            it; then `failure` is set.
        """
        messages: list[Message] = []
        if self.failure is None:
            try:
                self._take(data, messages)
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
        if self.pending:
            try:
                messages.append(self._last(b"".join(self._release())))
            except TLSFailure as failure:
                self._fail(failure)
        return messages

    @abstractmethod
    def _take(self, data: bytes, messages: list[Message]) -> None:
        """Add the messages that `data` completes to `messages`, and hold the rest.

        The work is in proportion to `data`, not to what is held, except where a message is complete.

        Raises:
            TLSFailure: the next message is bad.
        """

    def _last(self, rest: bytes) -> Message:
        """Make a message of what was held at the end of the stream, or raise a `TLSFailure`."""
        raise Truncated(f"it ended after byte {len(rest)} of a message", side="remote")

    def _hold(self, data: bytes) -> None:
        """Hold back a piece of a message.

        A large piece is held as it is: a buffer that grows is copied each time it has to move. Small ones are put
        together, since each takes 33 bytes more than it has.
        """
        self.pending += len(data)
        if not self._held:
            self._held = [data]
        elif len(data) >= _SMALL or (len(last := self._held[-1]) >= _SMALL and isinstance(last, bytes)):
            self._held.append(data)
        elif isinstance(last, bytearray):
            last += data
        else:
            self._held[-1] = bytearray(last) + data

    def _edge(self, size: int) -> bytes | bytearray:
        """Return the last `size` bytes that are held, a few, or all where there are fewer.

        Two pieces that follow each other are not both small, so that the last two suffice.
        """
        last = self._held[-1] if self._held else b""
        if len(last) >= size or len(self._held) < 2:
            return last[-size:]
        return self._held[-2][-size:] + last

    def _release(self) -> list[bytes | bytearray]:
        """Return the pieces that are held, and let go of them."""
        held = list(self._held)
        self._held, self.pending = (), 0
        return held

    def _fail(self, failure: TLSFailure) -> None:
        # The frames of a traceback would keep the refused bytes in memory for as long as the failure is kept.
        self.failure = failure.with_traceback(None)
        self._release()


def cut(prefix: AnyStr, payload: AnyStr, ending: AnyStr) -> list[AnyStr]:
    """Put `prefix` before `payload` and `ending` after it, and return them in pieces."""
    first = _PIECE - len(prefix)
    pieces = [prefix + payload[:first]]
    pieces += [payload[start : start + _PIECE] for start in range(first, len(payload), _PIECE)]
    pieces[-1] += ending
    return pieces


def encodeText(message: str) -> bytes:
    """Turn a text into UTF-8, or raise `Undecodable`."""
    try:
        return message.encode()
    except UnicodeEncodeError as error:
        offset = error.start
    # Raised out here, so that the failure does not carry the codec's error, which carries the whole message.
    raise Undecodable(f"character {offset} of the message is half of a surrogate pair", side="local")


def longerThan(maximum: int, length: int) -> MessageTooLong:
    """Make the failure for a message of ours that has too many bytes."""
    return MessageTooLong(f"it has {length} bytes, and {maximum} are allowed", side="local")


def longer(maximum: int) -> MessageTooLong:
    """Make the failure for a peer's message that has too many bytes."""
    return MessageTooLong(f"it has more than the {maximum} bytes that are allowed", side="remote")
