"""What stands in a certificate, and its signature.

The defaults are those of RFC 5280 and of the CA/Browser Forum's baseline requirements as far as strict verifiers insist
on them: critical basic constraints and key usage in an authority, both key identifiers, serial numbers of 20 random
bytes, and names as subject alternative names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from tlscomm._dataclasses import dataclass
from tlscomm.x509._purposes import purposeFor
from tlscomm.x509._roles import ROLES, Role

__all__ = [
    "Extension",
    "Purpose",
    "Validity",
    "alternativeNames",
    "authorityExtensions",
    "chosen",
    "distinguishedName",
    "leafExtensions",
    "newKey",
    "revokedCertificate",
    "signCertificate",
    "signatureHash",
]

Purpose: TypeAlias = Literal["client", "server", "both"]
"""What a credential is for: one side of a connection, or either."""

Extension: TypeAlias = "tuple[x509.ExtensionType, bool]"
"""An extension, and whether it is critical."""

#: The clock of a peer may be behind.
_BACKDATED = timedelta(hours=1)

_ROLES: dict[Purpose, tuple[Role, ...]] = {"client": ("client",), "server": ("server",), "both": ROLES}


@dataclass(frozen=True)
class Validity:
    """From when and until when.

    Attributes:
        notBefore: its first moment, with a time zone.
        notAfter: its last.
    """

    notBefore: datetime
    notAfter: datetime

    @classmethod
    def of(cls, now: datetime | None, days: float, notBefore: datetime | None, notAfter: datetime | None) -> Validity:
        """Count from now, the present where it is None, as far as the ends are not given."""
        now = now or datetime.now(timezone.utc)
        return cls(notBefore or now - _BACKDATED, notAfter or now + timedelta(days=days))


def newKey() -> ec.EllipticCurvePrivateKey:
    """Make an ECDSA P-256 key: accepted everywhere, and made in a fraction of a millisecond."""
    return ec.generate_private_key(ec.SECP256R1())


def distinguishedName(commonName: str, organization: str | None) -> x509.Name:
    owner = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*owner, x509.NameAttribute(NameOID.COMMON_NAME, commonName)])


def alternativeNames(
    dnsNames: Iterable[str], addresses: Iterable[str], uris: Iterable[str], emails: Iterable[str]
) -> tuple[x509.GeneralName, ...]:
    return (
        *(x509.DNSName(name) for name in dnsNames),
        *(x509.IPAddress(_withoutZone(address)) for address in addresses),
        *(x509.UniformResourceIdentifier(uri) for uri in uris),
        *(x509.RFC822Name(email) for email in emails),
    )


def _withoutZone(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    # The library would leave it out without a word.
    if "%" in text:
        raise ValueError(f"an address in a certificate has no zone, so {text!r} cannot be one")
    return address


def authorityExtensions(key: CertificatePublicKeyTypes, pathLength: int | None) -> tuple[Extension, ...]:
    """RFC 5280, sections 4.2.1.2, 4.2.1.3 and 4.2.1.9: what an authority must have."""
    return (
        (x509.BasicConstraints(ca=True, path_length=pathLength), True),
        (_keyUsage(key_cert_sign=True, crl_sign=True), True),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    )


def leafExtensions(
    key: CertificatePublicKeyTypes, purpose: Purpose | None, names: tuple[x509.GeneralName, ...]
) -> tuple[Extension, ...]:
    # TLS 1.3 signs, whatever the key; RSA keys of TLS 1.2 may have to decrypt (RFC 5246, section 7.4.2).
    usage = _keyUsage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey))
    return (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        *(((x509.ExtendedKeyUsage(purposeFor(role).oid for role in _ROLES[purpose]), False),) if purpose else ()),
        *(((x509.SubjectAlternativeName(names), False),) if names else ()),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    )


def chosen(
    usual: Iterable[Extension], extensions: Iterable[Extension], omit: Iterable[x509.ObjectIdentifier]
) -> tuple[Extension, ...]:
    """Return the usual extensions, with some replaced or added and some left out."""
    byKind = {extension.oid: (extension, isCritical) for extension, isCritical in (*usual, *extensions)}
    for kind in omit:
        byKind.pop(kind, None)
    return tuple(byKind.values())


def signCertificate(
    subject: x509.Name,
    publicKey: CertificatePublicKeyTypes,
    validity: Validity,
    extensions: Iterable[Extension],
    *,
    issuer: x509.Name,
    issuerKey: CertificateIssuerPrivateKeyTypes,
    serialNumber: int | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(publicKey)
        .serial_number(x509.random_serial_number() if serialNumber is None else serialNumber)
        .not_valid_before(validity.notBefore)
        .not_valid_after(validity.notAfter)
    )
    for extension, isCritical in extensions:
        builder = builder.add_extension(extension, isCritical)
    return builder.sign(issuerKey, signatureHash(issuerKey))


def revokedCertificate(serialNumber: int, date: datetime, reason: x509.ReasonFlags | None) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serialNumber).revocation_date(date)
    return (builder if reason is None else builder.add_extension(x509.CRLReason(reason), critical=False)).build()


def signatureHash(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | None:
    """Return what is signed with a key: a digest, or with the newer kinds of key the thing itself."""
    return (
        hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey) else None
    )


def _keyUsage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
