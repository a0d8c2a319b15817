"""A header written, byte for byte as HAProxy 2.6 writes it.

The order of the TLVs, and what each holds, are those of its ``make_proxy_line_v2``. Two of them say something of the
proxy and not of the client: the kind of key, and the signature, are those of the certificate that the proxy has shown.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from tlscomm._dataclasses import dataclass
from tlscomm.proxyprotocol import _tlvs as tlvs
from tlscomm.proxyprotocol._header import ProxyAddress
from tlscomm.proxyprotocol._version2 import INET, INET6, LOCAL, PROXY, SIGNATURE, UNSPECIFIED
from tlscomm.x509 import _der
from tlscomm.x509._fields import signedFields

__all__ = ["OPTIONS", "WORDS", "ProxiedConnection", "headerBytes", "options"]

#: HAProxy's words for what a header of version 2 has besides addresses (``proxy-v2-options``).
OPTIONS = ("ssl", "cert-cn", "ssl-cipher", "cert-sig", "cert-key", "authority", "crc32c", "unique-id")

#: HAProxy's words for a header (``send-proxy``, ``send-proxy-v2`` and so on), and the options that they stand for.
WORDS: dict[str, tuple[str, ...]] = {"v1": (), "v2": (), "v2-ssl": ("ssl",), "v2-ssl-cn": ("ssl", "cert-cn")}

#: OpenSSL's short names, which HAProxy says, of algorithms of signatures.
_SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_SHA1: "RSA-SHA1",
    SignatureAlgorithmOID.RSA_WITH_SHA224: "RSA-SHA224",
    SignatureAlgorithmOID.RSA_WITH_SHA256: "RSA-SHA256",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "RSA-SHA384",
    SignatureAlgorithmOID.RSA_WITH_SHA512: "RSA-SHA512",
    SignatureAlgorithmOID.RSASSA_PSS: "RSASSA-PSS",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "ecdsa-with-SHA1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA224: "ecdsa-with-SHA224",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ecdsa-with-SHA256",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "ecdsa-with-SHA384",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ecdsa-with-SHA512",
    SignatureAlgorithmOID.ED25519: "ED25519",
    SignatureAlgorithmOID.ED448: "ED448",
}

_COMMON_NAME = NameOID.COMMON_NAME.dotted_string

#: The most bytes of a common name that are passed on. It should have 64 characters (RFC 5280, appendix A.1).
_LONGEST_NAME = 4096


@dataclass(frozen=True, kw_only=True)
class ProxiedConnection:
    """What there is to say of a connection that is passed on.

    Attributes:
        source: whence the client connected; None where that is not known, or no address of IP.
        destination: where it connected to.
        version: the version of TLS, ``TLSv1.3``, or empty where it did not connect over TLS.
        cipher: the cipher suite in OpenSSL's name.
        alpn: the application protocol, or None.
        serverName: the name that the client has asked for, or None.
        resumed: whether a TLS session was resumed, in which no certificate is presented anew.
        certificate: the client's, None where it presented none.
        verify: what was wrong with it, as OpenSSL's number of an error; 0 where nothing was.
        ownCertificate: the one that it was shown.
        uniqueID: what the connection is called, or empty.
    """

    source: ProxyAddress | None
    destination: ProxyAddress | None
    version: str = ""
    cipher: str = ""
    alpn: str | None = None
    serverName: str | None = None
    resumed: bool = False
    certificate: x509.Certificate | None = None
    verify: int = 0
    ownCertificate: x509.Certificate | None = None
    uniqueID: bytes = b""


def options(word: str, more: Collection[str] = ()) -> frozenset[str]:
    """Return what a header has besides addresses.

    Args:
        word: one of ``v1``, ``v2``, ``v2-ssl`` and ``v2-ssl-cn``.
        more: options of HAProxy's.

    Raises:
        ValueError: there is no such option, or version 1 has none.
    """
    if unknown := sorted(set(more) - set(OPTIONS)):
        raise ValueError(f"there is no option {unknown[0]!r} of a PROXY header")
    if word == "v1" and more:
        raise ValueError("a PROXY header of version 1 has addresses alone, and no options")
    chosen = {*WORDS[word], *more}
    # As in HAProxy, to say something of TLS is to say that it is TLS.
    return frozenset(chosen | ({"ssl"} if chosen & {"cert-cn", "ssl-cipher", "cert-sig", "cert-key"} else set()))


def headerBytes(connection: ProxiedConnection, word: str = "v2", more: Collection[str] = ()) -> bytes:
    """Return the header for a connection.

    Args:
        connection: what there is to say.
        word: ``v1``, ``v2``, ``v2-ssl`` (version 2, with what is known of TLS) or ``v2-ssl-cn`` (with the common name
            of the client's certificate too).
        more: further options of HAProxy's ``proxy-v2-options``: ``ssl``, ``cert-cn``, ``ssl-cipher``, ``cert-sig``,
            ``cert-key``, ``authority``, ``crc32c``, ``unique-id``.

    Raises:
        ValueError: there is no such word or option.
    """
    chosen = options(word, more)
    ends = _ends(connection)
    if word == "v1":
        return _first(ends)
    if ends is None:
        beginning, addresses = bytes((LOCAL, UNSPECIFIED)), b""
    else:
        isFour = isinstance(ends[0], IPv4Address)
        packed = ends[0].packed + ends[1].packed
        beginning, addresses = bytes((PROXY, INET if isFour else INET6)), packed + struct.pack("!2H", *ends[2:])
    return _summed(SIGNATURE, beginning, addresses, _tlvs(connection, chosen), "crc32c" in chosen)


_IP = IPv4Address | IPv6Address


def _ends(connection: ProxiedConnection) -> tuple[_IP, _IP, int, int] | None:
    source, destination = connection.source, connection.destination
    if source is None or destination is None or "UNIX" in (source.family, destination.family):
        return None
    ips = [ip_address(each.host.partition("%")[0]) for each in (source, destination)]
    if len({ip.version for ip in ips}) == 2:
        # A header has one family, so the other one is said in IPv6 (RFC 4291, section 2.5.5.2).
        ips = [IPv6Address(f"::ffff:{ip}") if isinstance(ip, IPv4Address) else ip for ip in ips]
    return ips[0], ips[1], source.port, destination.port


def _first(ends: tuple[_IP, _IP, int, int] | None) -> bytes:
    if ends is None:
        return b"PROXY UNKNOWN\r\n"
    family = "TCP4" if isinstance(ends[0], IPv4Address) else "TCP6"
    return f"PROXY {family} {ends[0]} {ends[1]} {ends[2]} {ends[3]}\r\n".encode("ascii")


def _summed(signature: bytes, beginning: bytes, addresses: bytes, more: bytes, hasChecksum: bool) -> bytes:
    """Return a header, whose checksum comes first after the addresses."""

    def header(checksum: int) -> bytes:
        first = tlvs.tlv(tlvs.CRC32C, checksum.to_bytes(4, "big")) if hasChecksum else b""
        length = struct.pack("!H", len(addresses) + len(first) + len(more))
        return signature + beginning + length + addresses + first + more

    return header(tlvs.crc32c(header(0))) if hasChecksum else header(0)


def _tlvs(connection: ProxiedConnection, chosen: Collection[str]) -> bytes:
    parts = []
    if connection.alpn is not None:
        # HAProxy says it whenever there is one.
        parts.append(tlvs.tlv(tlvs.ALPN, connection.alpn.encode("utf-8", "surrogateescape")))
    if "authority" in chosen and connection.serverName:
        parts.append(tlvs.tlv(tlvs.AUTHORITY, connection.serverName.encode("utf-8")))
    if "unique-id" in chosen:
        parts.append(tlvs.tlv(tlvs.UNIQUE_ID, connection.uniqueID))
    if "ssl" in chosen:
        parts.append(tlvs.tlv(tlvs.SSL, _ssl(connection, chosen)))
    return b"".join(parts)


def _ssl(connection: ProxiedConnection, chosen: Collection[str]) -> bytes:
    if not connection.version:
        return bytes(5)
    flags = tlvs.CLIENT_SSL
    if connection.certificate is not None:
        flags |= tlvs.CLIENT_CERT_SESS | (0 if connection.resumed else tlvs.CLIENT_CERT_CONN)
    values = (
        (True, tlvs.SSL_VERSION, connection.version.encode("ascii")),
        ("cert-cn" in chosen, tlvs.SSL_CN, _commonName(connection.certificate)),
        ("cert-key" in chosen, tlvs.SSL_KEY_ALG, _keyAlgorithm(connection.ownCertificate)),
        ("cert-sig" in chosen, tlvs.SSL_SIG_ALG, _signatureAlgorithm(connection.ownCertificate)),
        ("ssl-cipher" in chosen, tlvs.SSL_CIPHER, connection.cipher.encode("ascii")),
    )
    said = b"".join(tlvs.tlv(kind, value) for isSaid, kind, value in values if isSaid and value)
    return struct.pack("!BI", flags, connection.verify) + said


def _commonName(certificate: x509.Certificate | None) -> bytes:
    """Return the first common name, as its bytes stand in the certificate; nothing where there is none."""
    if certificate is None:
        return b""
    with contextlib.suppress(ValueError):
        for part in signedFields(certificate.tbs_certificate_bytes).subject.parts():
            for attribute in part.parts():
                kind, value = attribute.parts(_der.OBJECT_IDENTIFIER)[:2]
                if kind.identifier() == _COMMON_NAME:
                    # A header has no room for what is no name any more.
                    return value.value if len(value.value) <= _LONGEST_NAME else b""
    return b""


def _keyAlgorithm(certificate: x509.Certificate | None) -> bytes:
    key = None if certificate is None else certificate.public_key()
    for kind, name in ((rsa.RSAPublicKey, "RSA"), (ec.EllipticCurvePublicKey, "EC"), (dsa.DSAPublicKey, "DSA")):
        if isinstance(key, kind):
            return f"{name}{key.key_size}".encode("ascii")
    return b""


def _signatureAlgorithm(certificate: x509.Certificate | None) -> bytes:
    if certificate is None:
        return b""
    return _SIGNATURES.get(certificate.signature_algorithm_oid, "").encode("ascii")
