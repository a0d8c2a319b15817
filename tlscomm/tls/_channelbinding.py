"""What ties a protocol above to the very connection that it runs over (RFC 5056): exporters and channel bindings.

A program that logs in over TLS by a means of its own, as SCRAM-SHA-256-PLUS does, puts a channel binding into what it
proves. A machine between that has TLS with both sides has another one with each, so what it passes on proves nothing.

That only holds for a connection that is what it seems to be. Before both sides have accepted each other nothing is
given out, nor under TLS 1.2 without the extended master secret, where a machine between can arrange that both of its
connections have the same secrets (RFC 7627, section 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from tlscomm.failures import printable
from tlscomm.tls._connection import TLSConnection

__all__ = ["NoChannelBinding", "channelBinding", "exportKeyingMaterial"]

_EXPORTER = "EXPORTER-Channel-Binding"
_EXPORTER_SIZE = 32

#: What TLS itself derives under these names (RFC 5246, sections 6.3, 7.4.9 and 8.1, RFC 7627, section 4).
_RESERVED = frozenset(
    {"client finished", "server finished", "master secret", "key expansion", "extended master secret"}
)
_LONGEST_LABEL = 249
#: HKDF makes 255 blocks of a digest at most (RFC 5869, section 2.3), the shortest of which has 32 bytes.
_MOST = 255 * 32
_LARGEST_CONTEXT = 0xFFFF

#: RFC 5929, section 4.1.
_TOO_WEAK = ("md5", "sha1")


class NoChannelBinding(Exception):
    """The connection has none that could be relied on. The text says why."""


def exportKeyingMaterial(connection: TLSConnection, label: str, length: int, context: bytes | None = None) -> bytes:
    """Return bytes that only the two sides of a connection know; see `TLSTransport.exportKeyingMaterial`."""
    name = label.encode("ascii") if label.isascii() else b""
    if not 0 < len(name) <= _LONGEST_LABEL or label in _RESERVED:
        raise ValueError(
            f"a label is {_LONGEST_LABEL} characters of ASCII at most, and not one of TLS's: {printable(label)}"
        )
    if not 0 < length <= _MOST:
        raise ValueError(f"from 1 to {_MOST} bytes can be exported, not {length}")
    if context is not None and len(context) > _LARGEST_CONTEXT:
        raise ValueError(f"a context has {_LARGEST_CONTEXT} bytes at most")
    _checkBound(connection)
    return connection.handle.export_keying_material(name, length, context)


def channelBinding(connection: TLSConnection, kind: str) -> bytes:
    """Return a channel binding; see `TLSTransport.channelBinding`."""
    if kind not in _BINDINGS:
        unique = "; tls-unique is not safe, and TLS 1.3 has none (RFC 9266)" if kind == "tls-unique" else ""
        raise ValueError(f"a channel binding is {' or '.join(_BINDINGS)}, not {printable(kind)}{unique}")
    return _BINDINGS[kind](connection)


def _exporter(connection: TLSConnection) -> bytes:
    """RFC 9266, section 2: with a context that has no bytes, which under TLS 1.2 is not the same as none."""
    return exportKeyingMaterial(connection, _EXPORTER, _EXPORTER_SIZE, b"")


def _serverEndPoint(connection: TLSConnection) -> bytes:
    """RFC 5929, section 4.1: the digest of the server's certificate, by the hash function of its signature."""
    _checkAccepted(connection)
    certificate = _serversCertificate(connection)
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    if digest is None:
        raise NoChannelBinding(
            "tls-server-end-point is not defined for this server's certificate, whose signature has no hash function "
            "of its own (RFC 5929, section 4.1); tls-exporter is"
        )
    return hashlib.new(
        "sha256" if digest.name in _TOO_WEAK else digest.name, certificate.public_bytes(Encoding.DER)
    ).digest()


def _serversCertificate(connection: TLSConnection) -> x509.Certificate:
    if connection.isClient:
        return connection.presented[0]
    certificate = connection.shown
    if certificate is None:
        raise NoChannelBinding(
            "a session was resumed, and which of the server's certificates it began with is not known; tls-exporter "
            "needs none"
        )
    return certificate


def _checkBound(connection: TLSConnection) -> None:
    _checkAccepted(connection)
    if connection.handle.get_protocol_version() < SSL.TLS1_3_VERSION and not connection.hasExtendedMasterSecret:
        raise NoChannelBinding(
            "the peer speaks TLS 1.2 without the extended master secret (RFC 7627), so that a machine between could "
            "have the same secrets with both sides"
        )


def _checkAccepted(connection: TLSConnection) -> None:
    if not connection.isConfirmed:
        raise NoChannelBinding("both sides have yet to accept each other")


_BINDINGS: dict[str, Callable[[TLSConnection], bytes]] = {
    "tls-exporter": _exporter,
    "tls-server-end-point": _serverEndPoint,
}
