"""What a client offers in its first message (RFC 8446, section 4.1.2, and RFC 5246, section 7.4.1.2).

OpenSSL refuses a TLS 1.2 client whose key exchange groups it does not have with "no shared cipher", because without a
group no cipher suite is left. Which of the two it was stands in the ClientHello.
"""

from __future__ import annotations

__all__ = ["supportedGroups"]

_HANDSHAKE_RECORD = 22
_CLIENT_HELLO = 1
_SUPPORTED_GROUPS = 10


class _Cut(Exception):
    """The message ends where there should be more of it."""


def supportedGroups(opening: bytes) -> frozenset[int] | None:
    """Return the key exchange groups that a client offers, by their numbers (RFC 8446, section 4.2.7).

    Args:
        opening: what the client has sent first, from its first byte on.

    Returns:
        The groups; None where the client does not say, or this is not a whole ClientHello.
    """
    try:
        return _groupsIn(_Reader(_firstMessage(opening)))
    except _Cut:
        return None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if count > len(self.data):
            raise _Cut
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Read bytes that are preceded by their length, a number of so many bytes."""
        return self.take(self.number(size))


def _firstMessage(opening: bytes) -> bytes:
    """Return the body of the ClientHello, which may be spread over several records."""
    stream, message = _Reader(opening), b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        if stream.number(1) != _HANDSHAKE_RECORD:
            raise _Cut
        stream.take(2)
        message += stream.vector(2)
    if message[0] != _CLIENT_HELLO:
        raise _Cut
    return message[4 : 4 + int.from_bytes(message[1:4], "big")]


def _groupsIn(hello: _Reader) -> frozenset[int] | None:
    hello.take(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    extensions = _Reader(hello.vector(2))
    while extensions.data:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == _SUPPORTED_GROUPS:
            groups = _Reader(content).vector(2)
            return frozenset(int.from_bytes(groups[i : i + 2], "big") for i in range(0, len(groups), 2))
    return None
