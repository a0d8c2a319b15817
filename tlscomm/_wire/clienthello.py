"""The first message of a client, taken out of the bytes that it came in.

OpenSSL keeps most of a ClientHello to itself. The bytes of a connection that has just begun are in the clear, so what
it says can be read from them (RFC 8446, sections 4.1.2 and 5.1, and RFC 5246, section 6.2.1).
"""

from __future__ import annotations

from tlscomm._wire.recordheader import ALERT, HANDSHAKE, HEADER, headerAt, recordsIn
from tlscomm._wire.requests import CLIENT_HELLO

__all__ = ["chosenVersion", "clientHello", "isSSL2", "opensTLS"]

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
    message = b""
    for header, fragment in recordsIn(opening):
        message += fragment
        if header[0] != HANDSHAKE or (message and message[0] != CLIENT_HELLO):
            break
        if len(message) >= max(4, size := 4 + int.from_bytes(message[1:4], "big")):
            return message[:size]
    return b""


def chosenVersion(opening: bytes) -> int | None:
    """Return the number of the version that a server's first message chooses, as TLS 1.2 and older ones say it.

    Args:
        opening: what the server has sent first, from its first byte on.

    Returns:
        The version; None where this does not begin with a ServerHello.
    """
    header, hello = headerAt(opening, 0), opening[HEADER : HEADER + 6]
    if header is None or header[0] != HANDSHAKE or len(hello) < 6 or hello[0] != _SERVER_HELLO:
        return None
    return int.from_bytes(hello[4:], "big")


def opensTLS(opening: bytes) -> bool:
    """Return whether bytes, of which there is at least one, begin as the records that can open a stream of TLS do.

    They are of handshake messages and alerts (RFC 8446, section 5.1).
    """
    return opening[0] in (ALERT, HANDSHAKE) and (len(opening) == 1 or opening[1] == 3)


def isSSL2(opening: bytes) -> bool:
    """Return whether a client begins with the ClientHello of SSL 2, which is none of TLS (RFC 8446, appendix D.5).

    Args:
        opening: its first three bytes, or more.
    """
    return len(opening) > 2 and opening[0] >= 0x80 and opening[2] == _SSL2_CLIENT_HELLO
