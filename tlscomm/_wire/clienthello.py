"""The first message of a client, taken out of the bytes that it came in.

OpenSSL keeps most of a ClientHello to itself. The bytes of a connection that has just begun are in the clear, so what
it says can be read from them (RFC 8446, sections 4.1.2 and 5.1, and RFC 5246, section 6.2.1).
"""

from __future__ import annotations

from tlscomm._wire.requests import CLIENT_HELLO

__all__ = ["chosenVersion", "clientHello", "isSSL2"]

_HANDSHAKE_RECORD = 22
_SERVER_HELLO = 2

#: RFC 6101, appendix E: a record's length has its highest bit set, and the message follows.
_SSL2_CLIENT_HELLO = 1


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


def chosenVersion(opening: bytes) -> int | None:
    """Return the number of the version that a server's first message chooses, as TLS 1.2 and older ones say it.

    Args:
        opening: what the server has sent first, from its first byte on.

    Returns:
        The version; None where this does not begin with a ServerHello.
    """
    if len(opening) < 11 or opening[0] != _HANDSHAKE_RECORD or opening[5] != _SERVER_HELLO:
        return None
    return int.from_bytes(opening[9:11], "big")


def isSSL2(opening: bytes) -> bool:
    """Return whether a client begins with the ClientHello of SSL 2, which is none of TLS (RFC 8446, appendix D.5).

    Args:
        opening: its first three bytes, or more.
    """
    return len(opening) > 2 and opening[0] >= 0x80 and opening[2] == _SSL2_CLIENT_HELLO


def _length(message: bytes) -> int:
    return 4 + int.from_bytes(message[1:4], "big")
