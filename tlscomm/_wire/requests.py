"""What a peer says of the certificates that it can use: in a ClientHello, and in a server's CertificateRequest.

OpenSSL has read these messages too, and gives away the server's name and the authorities alone. Which signatures the
peer can verify decides between an RSA and an ECDSA certificate, so it is read here. OpenSSL has checked that the
messages are whole; what is not as it should be here all the same says nothing and breaks nothing.
"""

from __future__ import annotations

import struct

from tlscomm._dataclasses import dataclass
from tlscomm._wire.reading import Cut, Reader, extensionsIn

__all__ = ["CertificateRequest", "ClientHello", "readCertificateRequest", "readClientHello"]

CLIENT_HELLO = 1
CERTIFICATE_REQUEST = 13

#: RFC 8446, section 4.2.
_SERVER_NAME = 0
_SUPPORTED_GROUPS = 10
_SIGNATURE_ALGORITHMS = 13
_APPLICATION_PROTOCOLS = 16
_SUPPORTED_VERSIONS = 43
_CERTIFICATE_AUTHORITIES = 47

_HOST_NAME = 0

_TLS_1_0, _TLS_1_2 = 0x0301, 0x0303

#: Application protocols that are read, as many as extensions.
_MOST_PROTOCOLS = 128


@dataclass(frozen=True)
class ClientHello:
    """What a ClientHello says (RFC 8446, section 4.1.2).

    Attributes:
        serverName: the name that is asked for (RFC 6066, section 3), or None.
        cipherSuites: the numbers of the cipher suites.
        groups: the numbers of the key exchange groups, None where it does not say.
        signatureAlgorithms: the numbers of the signatures that the client can verify, None where it does not say.
        versions: the numbers of the versions; where it names the newest alone, those from TLS 1.0 up to it.
        applicationProtocols: the protocols of ALPN (RFC 7301).
    """

    serverName: str | None = None
    cipherSuites: tuple[int, ...] = ()
    groups: frozenset[int] | None = None
    signatureAlgorithms: tuple[int, ...] | None = None
    versions: tuple[int, ...] = ()
    applicationProtocols: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class CertificateRequest:
    """What a CertificateRequest says (RFC 8446, section 4.3.2, and RFC 5246, section 7.4.4).

    Attributes:
        certificateTypes: the numbers of the types of certificate, None under TLS 1.3.
        signatureAlgorithms: the numbers of the signatures that the server can verify, None where it does not say.
        authorities: the distinguished names, in DER, of the authorities that it accepts; any where there are none.
    """

    certificateTypes: tuple[int, ...] | None = None
    signatureAlgorithms: tuple[int, ...] | None = None
    authorities: frozenset[bytes] = frozenset()


def readClientHello(message: bytes) -> ClientHello:
    """Read a ClientHello, as far as one of an honest client goes.

    Args:
        message: the handshake message, from its type on.

    Returns:
        What it says; nothing where it is none, or cut off.
    """
    try:
        hello = Reader(_body(message, CLIENT_HELLO))
        newest = hello.number(2)
        hello.take(32)
        hello.vector(1)
        suites = _numbers(hello.vector(2))
        hello.vector(1)
        extensions = extensionsIn(hello)
        return ClientHello(
            _hostName(extensions.get(_SERVER_NAME)),
            suites,
            None if (groups := _list(extensions.get(_SUPPORTED_GROUPS))) is None else frozenset(groups),
            _list(extensions.get(_SIGNATURE_ALGORITHMS)),
            _versions(extensions.get(_SUPPORTED_VERSIONS), newest),
            _protocols(extensions.get(_APPLICATION_PROTOCOLS)),
        )
    except Cut:
        return ClientHello()


def readCertificateRequest(message: bytes, *, isTLS13: bool) -> CertificateRequest:
    """Read a CertificateRequest.

    Args:
        message: the handshake message, from its type on.
        isTLS13: whether TLS 1.3 was negotiated; it has another form there.

    Returns:
        What it says; nothing where it is none, or cut off.
    """
    try:
        request = Reader(_body(message, CERTIFICATE_REQUEST))
        if isTLS13:
            request.vector(1)
            extensions = extensionsIn(request)
            authorities = Reader(extensions.get(_CERTIFICATE_AUTHORITIES, bytes(2))).vector(2)
            return CertificateRequest(None, _list(extensions.get(_SIGNATURE_ALGORITHMS)), _names(authorities))
        types = tuple(request.vector(1))
        algorithms = _numbers(request.vector(2))
        return CertificateRequest(types, algorithms, _names(request.vector(2)))
    except Cut:
        return CertificateRequest()


def _body(message: bytes, kind: int) -> bytes:
    if message[:1] != bytes([kind]):
        raise Cut
    return Reader(message[1:]).vector(3)


def _hostName(extension: bytes | None) -> str | None:
    names = Reader(b"" if extension is None else Reader(extension).vector(2))
    while not names.isEmpty:
        kind, name = names.number(1), names.vector(2)
        if kind == _HOST_NAME:
            return name.decode("ascii", "replace")
    return None


def _versions(extension: bytes | None, newest: int) -> tuple[int, ...]:
    if extension is not None:
        return _numbers(Reader(extension).vector(1))
    # RFC 5246, appendix E.1: it speaks all up to this one, for all that it says.
    if _TLS_1_0 <= newest <= _TLS_1_2:
        return tuple(range(newest, 0x0300, -1))
    return (newest,) if newest else ()


def _protocols(extension: bytes | None) -> tuple[bytes, ...]:
    reader = Reader(b"" if extension is None else Reader(extension).vector(2))
    protocols: list[bytes] = []
    while not reader.isEmpty and len(protocols) < _MOST_PROTOCOLS:
        protocols.append(reader.vector(1))
    return tuple(protocols)


def _list(extension: bytes | None) -> tuple[int, ...] | None:
    return None if extension is None else _numbers(Reader(extension).vector(2))


def _numbers(data: bytes) -> tuple[int, ...]:
    count = len(data) // 2
    return struct.unpack_from(f">{count}H", data)


def _names(data: bytes) -> frozenset[bytes]:
    reader, names = Reader(data), set()
    while not reader.isEmpty:
        names.add(reader.vector(2))
    return frozenset(names)
