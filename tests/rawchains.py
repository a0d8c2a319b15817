"""Certificates put together from their parts, so that each of the parts can be wrong (RFC 5280, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.pfxfiles import der, oid, seq

__all__ = [
    "AKI",
    "AT",
    "BASIC",
    "CONSTRAINTS",
    "ECDSA_WITH_SHA256",
    "NAME",
    "NAMES",
    "POLICIES",
    "PURPOSES",
    "SKI",
    "USAGE",
    "Chain",
    "Edit",
    "Raw",
    "extension",
    "integer",
    "keyOf",
    "name",
    "utcTime",
]

AT = datetime(2026, 6, 1, tzinfo=timezone.utc)
NAME = "www.server.example"

SKI, USAGE, NAMES, BASIC = "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19"
CONSTRAINTS, POLICIES, AKI, PURPOSES = "2.5.29.30", "2.5.29.32", "2.5.29.35", "2.5.29.37"
ECDSA_WITH_SHA256 = seq(oid("1.2.840.10045.4.3.2"))

_CRITICAL = der(1, b"\xff")


@cache
def _key(whose: str) -> ec.EllipticCurvePrivateKey:
    # The same one in each run.
    return ec.derive_private_key(int.from_bytes(sha256(whose.encode()).digest()[:31], "big"), ec.SECP256R1())


def keyOf(raw: Raw) -> bytes:
    """Return the private key of a certificate, PEM."""
    return _key(raw.whose).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def name(*units: str, tag: int = 0x0C) -> bytes:
    """Return a distinguished name of an organization and a common name."""
    types = (oid("2.5.4.10"), oid("2.5.4.3"))
    return seq(*(der(0x31, seq(kind, der(tag, unit.encode()))) for kind, unit in zip(types, units, strict=False)))


def utcTime(days: float) -> bytes:
    return der(0x17, f"{AT + timedelta(days=days):%y%m%d%H%M%SZ}".encode())


def extension(kind: str, value: bytes, critical: bool = False) -> bytes:
    return seq(oid(kind), _CRITICAL if critical else b"", der(4, value))


@dataclass
class Raw:
    """The parts of one certificate, encoded."""

    whose: str
    extensions: dict[str, bytes] = field(default_factory=dict)
    version: bytes = der(0xA0, integer(2))
    serial: bytes = b""
    issuer: bytes = b""
    subject: bytes = b""
    notBefore: bytes = utcTime(-30)
    notAfter: bytes = utcTime(30)
    signer: str = ""
    outside: bytes = ECDSA_WITH_SHA256
    inside: bytes = ECDSA_WITH_SHA256
    beforeExtensions: bytes = b""

    def __post_init__(self) -> None:
        self.serial = integer(1 + int.from_bytes(sha256(self.whose.encode()).digest()[:8], "big"))
        self.subject = name("compared", self.whose)
        self.extensions[SKI] = extension(SKI, der(4, self.identifier))

    @property
    def publicKey(self) -> bytes:
        return _key(self.whose).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def identifier(self) -> bytes:
        return sha256(self.publicKey).digest()[:20]

    def signedBy(self, issuer: Raw) -> x509.Certificate:
        validity = seq(self.notBefore, self.notAfter)
        extensions = der(0xA3, seq(*self.extensions.values())) if self.extensions else b""
        content = seq(
            *(self.version, self.serial, self.inside, self.issuer or issuer.subject, validity, self.subject),
            *(self.publicKey, self.beforeExtensions, extensions),
        )
        signature = _key(self.signer or issuer.whose).sign(content, ec.ECDSA(hashes.SHA256()))
        return x509.load_der_x509_certificate(seq(content, self.outside, der(3, b"\0" + signature)))


class Chain:
    """A leaf, an intermediate and a root with which all is well, until an edit makes it otherwise."""

    def __init__(self) -> None:
        authority = {
            BASIC: extension(BASIC, seq(_CRITICAL), critical=True),
            USAGE: extension(USAGE, der(3, b"\1\6"), critical=True),
        }
        self.root = Raw("root", dict(authority))
        self.issuer = Raw("issuer", dict(authority))
        self.leaf = Raw("leaf")
        self.leaf.extensions |= {
            USAGE: extension(USAGE, der(3, b"\7\x80"), critical=True),
            PURPOSES: extension(PURPOSES, seq(oid("1.3.6.1.5.5.7.3.1"))),
            NAMES: extension(NAMES, seq(der(0x82, NAME.encode()))),
        }
        for below, above in ((self.leaf, self.issuer), (self.issuer, self.root)):
            below.extensions[AKI] = extension(AKI, seq(der(0x80, above.identifier)))

    def certificates(self) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
        """Return leaf, intermediate and root.

        Raises:
            ValueError: what came of it is no certificate.
        """
        return self.leaf.signedBy(self.issuer), self.issuer.signedBy(self.root), self.root.signedBy(self.root)


Edit = Callable[[Chain], None]
