"""What the command sends: texts from its options, and a file that is cut into messages as a connection's bytes are.

A file of any size goes through in pieces. What comes out of an echo server is the file again, byte for byte, also where
its last message has no delimiter: so each message remembers whether it had one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import IO, NamedTuple, TypeAlias

from tlscomm.failures import MessageTooLong
from tlscomm.messages import Decoder, Framing, Message

__all__ = ["Outgoing", "Read", "Sending", "fromFile", "outgoing"]


Read: TypeAlias = Callable[[], Awaitable[bytes]]
"""Returns the next bytes of a file, none at its end."""


class Outgoing(NamedTuple):
    """A message to send.

    Attributes:
        content: the message.
        isDelimited: whether a delimiter followed it; not so only for the rest of a file after the last one.
    """

    content: Message
    isDelimited: bool = True


class Sending(NamedTuple):
    """What is to be sent, and how.

    Attributes:
        texts: a message each.
        file: a file of messages that come after them, or None.
        framing: how messages are told apart, on the connection and in the file.
        maximum: the most bytes that a message may have.
    """

    texts: Sequence[str]
    file: IO[bytes] | None
    framing: Framing
    maximum: int

    def refuseUnsendable(self) -> None:
        """Refuse texts that cannot be sent, before anything is.

        Raises:
            TLSFailure: a text is too long, or holds the delimiter.
        """
        for text in self.texts:
            self.framing.encode(text, self.maximum)


async def outgoing(texts: Iterable[str], read: Read | None, framing: Framing, maximum: int) -> AsyncIterator[Outgoing]:
    """Give the texts, then the messages of the file.

    Args:
        texts: a message each.
        read: reads the file, if there is one.
        framing: how the file is cut.
        maximum: the most bytes a message may have.

    Raises:
        TLSFailure: see `fromFile`.
        OSError: the file cannot be read.
    """
    for text in texts:
        yield Outgoing(text)
    if read is not None:
        async for message in fromFile(read, framing, maximum):
            yield message


async def fromFile(read: Read, framing: Framing, maximum: int) -> AsyncIterator[Outgoing]:
    """Give the messages of a file: what stands between delimiters, or all of it where the framing has none.

    Args:
        read: returns the next bytes, none at the end.
        framing: how the file is cut.
        maximum: the most bytes a message may have. No more than that is held.

    Raises:
        MessageTooLong: a message is longer.
        Undecodable: a message is not UTF-8 and has to be.
        OSError: the file cannot be read.
    """
    pieces = _cut(read, framing, maximum) if framing.isText else _whole(read, maximum)
    async for message in pieces:
        yield message


async def _cut(read: Read, framing: Framing, maximum: int) -> AsyncIterator[Outgoing]:
    decoder, count = framing.decoder(maximum), 0
    while data := await read():
        for message in decoder.receive(data):
            count += 1
            yield Outgoing(message)
        _refuseBroken(decoder, count)
    if decoder.pending:
        # An empty message is encoded as its delimiter alone.
        for message in decoder.receive(framing.encode("", maximum)):
            yield Outgoing(message, isDelimited=False)
        _refuseBroken(decoder, count)


async def _whole(read: Read, maximum: int) -> AsyncIterator[Outgoing]:
    content = bytearray()
    while data := await read():
        content += data
        if len(content) > maximum:
            raise MessageTooLong(f"the file has more than the {maximum} bytes that are allowed", side="local")
    yield Outgoing(bytes(content), isDelimited=False)


def _refuseBroken(decoder: Decoder, count: int) -> None:
    """Raise the failure of a decoder as what it is here: a mistake in our own file."""
    if (failure := decoder.failure) is not None:
        raise type(failure)(f"message {count + 1} of the file: {failure.detail}", side="local")
