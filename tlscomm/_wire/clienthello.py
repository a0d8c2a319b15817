"""The first message of a client, taken out of the bytes that it came in.

OpenSSL keeps most of a ClientHello to itself. The bytes of a connection that has just begun are in the clear, so what
it says can be read from them (RFC 8446, sections 4.1.2 and 5.1, and RFC 5246, section 6.2.1).
"""

from __future__ import annotations

from tlscomm._wire.requests import CLIENT_HELLO, readClientHello

__all__ = ["clientHello", "supportedGroups"]

_HANDSHAKE_RECORD = 22


def clientHello(opening: bytes) -> bytes:
    """Return the ClientHello as a handshake message, from its type on. It may be spread over several records.

    Args:
        opening: what the client has sent first, from its first byte on.

    Returns:
        The message; nothing where this is no whole ClientHello.
    """
    message, at = b"", 0
    while len(message) < 4 or len(message) < _length(message):
        end = at + 5 + int.from_bytes(opening[at + 3 : at + 5], "big")
        if len(opening) < max(end, at + 5) or opening[at] != _HANDSHAKE_RECORD:
            return b""
        message, at = message + opening[at + 5 : end], end
    return message[: _length(message)] if message[0] == CLIENT_HELLO else b""


def supportedGroups(opening: bytes) -> frozenset[int] | None:
    """Return the key exchange groups that a client offers, by their numbers (RFC 8446, section 4.2.7).

    OpenSSL refuses a TLS 1.2 client whose groups it does not have with "no shared cipher", because without a group no
    cipher suite is left. Which of the two it was stands in the ClientHello.

    Args:
        opening: what the client has sent first, from its first byte on.

    Returns:
        The groups; None where the client does not say, or this is not a whole ClientHello.
    """
    return readClientHello(clientHello(opening)).groups


def _length(message: bytes) -> int:
    return 4 + int.from_bytes(message[1:4], "big")
