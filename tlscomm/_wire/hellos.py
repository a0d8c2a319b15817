"""What the two hellos say of the keys that follow."""

from __future__ import annotations

from typing import NamedTuple

from tlscomm._wire.reading import Cut, Reader, extensionsIn

__all__ = [
    "RETRY_RANDOM",
    "ClientKeyFacts",
    "ServerKeyFacts",
    "clientKeyFacts",
    "serverKeyFacts",
    "ssl2Random",
    "ticketOf",
]

#: The random of a ServerHello that is a HelloRetryRequest (RFC 8446, section 4.1.3).
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

_ENCRYPT_THEN_MAC = 22
_SESSION_TICKET = 35
_EARLY_DATA = 42
_SUPPORTED_VERSIONS = 43

#: The first byte of the suites of TLS 1.3 (RFC 8446, appendix B.4).
_SUITES_13 = 0x13


class ClientKeyFacts(NamedTuple):
    """What a ClientHello says of keys.

    Attributes:
        random: its 32 bytes.
        suites: the numbers of the suites, as bytes, two for each.
        hasEarlyData: whether early data follows it.
        session: the identifier of the session that it wants to resume, which may be none.
        ticket: the ticket of the session (RFC 5077); nothing where it has none.
    """

    random: bytes
    suites: bytes = b""
    hasEarlyData: bool = False
    session: bytes = b""
    ticket: bytes = b""


class ServerKeyFacts(NamedTuple):
    """What a ServerHello says of keys.

    Attributes:
        random: its 32 bytes.
        suite: the number of the suite.
        version: the number of the version.
        isEncryptThenMac: whether that was agreed on (RFC 7366).
        isRetry: whether it is a HelloRetryRequest.
        session: the identifier of the session, which may be empty.
    """

    random: bytes
    suite: int
    version: int
    isEncryptThenMac: bool
    isRetry: bool
    session: bytes


def clientKeyFacts(message: bytes) -> ClientKeyFacts | None:
    """Read a ClientHello, as a handshake message; None where not even the random is there."""
    if len(message) < 38:
        return None
    reader = Reader(message, 38)
    session, suites, extensions = b"", b"", {}
    try:
        session = reader.vector(1)
        suites = reader.vector(2)
        reader.vector(1)
        extensions = extensionsIn(reader)
    except Cut:
        pass
    ticket = extensions.get(_SESSION_TICKET, b"")
    return ClientKeyFacts(message[6:38], suites, _EARLY_DATA in extensions, session, ticket)


def serverKeyFacts(message: bytes) -> ServerKeyFacts | None:
    """Read a ServerHello, as a handshake message; None where not even the suite is there."""
    reader = Reader(message, 4)
    try:
        version, random = reader.number(2), reader.take(32)
        session = reader.vector(1)
        suite = reader.number(2)
    except Cut:
        return None
    extensions = {}
    try:
        reader.take(1)
        extensions = extensionsIn(reader)
    except Cut:
        pass
    if suite >> 8 == _SUITES_13:
        # They are of TLS 1.3 and no other version, also where the extension that says so was not seen.
        version = 0x0304
    chosen = extensions.get(_SUPPORTED_VERSIONS, b"")
    version = int.from_bytes(chosen, "big") if len(chosen) == 2 else version
    return ServerKeyFacts(random, suite, version, _ENCRYPT_THEN_MAC in extensions, random == RETRY_RANDOM, session)


def ssl2Random(message: bytes) -> bytes:
    """Return the random of a ClientHello in the form of SSL 2: its challenge (RFC 5246, appendix E.2)."""
    reader = Reader(message, 3)
    try:
        suites, session, challenge = reader.number(2), reader.number(2), reader.number(2)
        reader.take(suites + session)
        return reader.take(challenge)[-32:].rjust(32, b"\0")
    except Cut:
        return bytes(32)


def ticketOf(message: bytes) -> bytes:
    """Return the ticket in a NewSessionTicket up to TLS 1.2, nothing where there is none (RFC 5077, section 3.3)."""
    try:
        return Reader(message, 8).vector(2)
    except Cut:
        return b""
