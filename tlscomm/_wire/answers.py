"""What a server answers to a ClientHello, and the certificates that either side shows.

A connection of ours has OpenSSL read these; of one that is only watched they are read here. What is not as it should be
says nothing and breaks nothing.
"""

from __future__ import annotations

from tlscomm._dataclasses import dataclass
from tlscomm._wire.hellos import RETRY_RANDOM
from tlscomm._wire.reading import Cut, Reader, extensionsIn
from tlscomm._wire.requests import (
    _APPLICATION_PROTOCOLS,
    _SUPPORTED_GROUPS,
    _SUPPORTED_VERSIONS,
    CLIENT_HELLO,
    _body,
    _list,
    _protocols,
)

__all__ = [
    "Answer",
    "certificatesIn",
    "chosenProtocol",
    "chosenSignatureAlgorithm",
    "exchangeGroup",
    "extensionsOffered",
    "isEmptyCertificate",
    "offeredGroups",
    "readServerHello",
    "signatureOf",
]

_SERVER_HELLO, _ENCRYPTED_EXTENSIONS, _CERTIFICATE, _SERVER_KEY_EXCHANGE, _CERTIFICATE_VERIFY = 2, 8, 11, 12, 15
_PRE_SHARED_KEY, _KEY_SHARE = 41, 51

_NAMED_CURVE = 3

#: Certificates of a chain that are read. OpenSSL sends as many as it is given, and no path is as long.
_MOST_CERTIFICATES = 16


@dataclass(frozen=True)
class Answer:
    """What a ServerHello says (RFC 8446, section 4.1.3, and RFC 5246, section 7.4.1.3).

    Attributes:
        version: the number of the version that is chosen, 0 where there is none.
        suite: the number of the cipher suite.
        group: the number of the key exchange group, under TLS 1.3.
        applicationProtocol: the protocol of ALPN, up to TLS 1.2.
        isResumed: whether it chooses a session that the client named, under TLS 1.3.
        isRetry: whether it is a HelloRetryRequest.
    """

    version: int = 0
    suite: int | None = None
    group: int | None = None
    applicationProtocol: bytes | None = None
    isResumed: bool = False
    isRetry: bool = False


def readServerHello(message: bytes) -> Answer:
    """Read a ServerHello, from its type on; nothing where it is none, or cut off."""
    try:
        hello = Reader(_body(message, _SERVER_HELLO))
        version = hello.number(2)
        isRetry = hello.take(32) == RETRY_RANDOM
        hello.vector(1)
        suite = hello.number(2)
        hello.take(1)
        extensions = extensionsIn(hello)
        if len(chosen := extensions.get(_SUPPORTED_VERSIONS, b"")) == 2:
            version = int.from_bytes(chosen, "big")
        share = extensions.get(_KEY_SHARE)
        return Answer(
            version,
            suite,
            int.from_bytes(share[:2], "big") if share else None,
            next(iter(_protocols(extensions.get(_APPLICATION_PROTOCOLS))), None),
            _PRE_SHARED_KEY in extensions,
            isRetry,
        )
    except Cut:
        return Answer()


def chosenProtocol(message: bytes) -> bytes | None:
    """Return the protocol of ALPN in EncryptedExtensions, or None."""
    try:
        extensions = extensionsIn(Reader(_body(message, _ENCRYPTED_EXTENSIONS)))
        return next(iter(_protocols(extensions.get(_APPLICATION_PROTOCOLS))), None)
    except Cut:
        return None


def offeredGroups(message: bytes) -> tuple[int, ...]:
    """Return the groups of a ClientHello in its order; nothing where it is none, or cut off."""
    try:
        hello = Reader(_body(message, CLIENT_HELLO))
        hello.take(34)
        for size in (1, 2, 1):
            hello.vector(size)
        return _list(extensionsIn(hello).get(_SUPPORTED_GROUPS)) or ()
    except Cut:
        return ()


def extensionsOffered(message: bytes) -> frozenset[int]:
    """Return the numbers of the extensions of a ClientHello; nothing where it is none, or cut off."""
    try:
        hello = Reader(_body(message, CLIENT_HELLO))
        hello.take(34)
        for size in (1, 2, 1):
            hello.vector(size)
        return frozenset(extensionsIn(hello))
    except Cut:
        return frozenset()


def exchangeGroup(message: bytes) -> int | None:
    """Return the group of a ServerKeyExchange with a named curve (RFC 8422, section 5.4), or None."""
    try:
        exchange = Reader(_body(message, _SERVER_KEY_EXCHANGE))
        return exchange.number(2) if exchange.number(1) == _NAMED_CURVE else None
    except Cut:
        return None


def chosenSignatureAlgorithm(message: bytes) -> int | None:
    """Return the number of the signature algorithm of a CertificateVerify, or of a ServerKeyExchange of TLS 1.2."""
    try:
        if message[:1] == bytes((_CERTIFICATE_VERIFY,)):
            return Reader(_body(message, _CERTIFICATE_VERIFY)).number(2)
        exchange = Reader(_body(message, _SERVER_KEY_EXCHANGE))
        if exchange.number(1) != _NAMED_CURVE:
            return None
        exchange.take(2)
        exchange.vector(1)
        return exchange.number(2)
    except Cut:
        return None


def signatureOf(message: bytes) -> tuple[int | None, bytes, bytes]:
    """Return the signature of a CertificateVerify, or of a ServerKeyExchange of TLS 1.2 with a named curve.

    Returns:
        The number of the algorithm, None where it cannot be read; the parameters that are signed too; the signature.
    """
    try:
        if message[:1] == bytes((_CERTIFICATE_VERIFY,)):
            verify = Reader(_body(message, _CERTIFICATE_VERIFY))
            return verify.number(2), b"", verify.vector(2)
        body = _body(message, _SERVER_KEY_EXCHANGE)
        exchange = Reader(body)
        if exchange.number(1) != _NAMED_CURVE:
            return None, b"", b""
        exchange.take(2)
        size = 4 + len(exchange.vector(1))
        return exchange.number(2), body[:size], exchange.vector(2)
    except Cut:
        return None, b"", b""


def certificatesIn(message: bytes, *, isTLS13: bool) -> tuple[bytes, ...]:
    """Return the certificates of a Certificate message, DER, in its order; of one that is cut off, those before.

    Args:
        message: the handshake message, from its type on.
        isTLS13: whether TLS 1.3 was negotiated; it has another form there (RFC 8446, section 4.4.2).
    """
    found: list[bytes] = []
    try:
        body = Reader(_body(message, _CERTIFICATE))
        if isTLS13:
            body.vector(1)
        entries = Reader(body.vector(3))
        while not entries.isEmpty and len(found) < _MOST_CERTIFICATES:
            found.append(entries.vector(3))
            if isTLS13:
                entries.vector(2)
    except Cut:
        pass
    return tuple(found)


def isEmptyCertificate(message: bytes, *, isTLS13: bool) -> bool:
    """Return whether a whole Certificate message has no certificate in it."""
    try:
        body = Reader(_body(message, _CERTIFICATE))
        if isTLS13:
            body.vector(1)
        return not body.vector(3)
    except Cut:
        return False
