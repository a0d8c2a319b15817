"""What a certificate's key may be used for: the extended key usages (RFC 5280, section 4.2.1.12).

anyExtendedKeyUsage stands for none of the others: RFC 5280 leaves that to the application, the Web PKI forbids it, and
OpenSSL does not take it either.
"""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.x509._roles import Role

__all__ = ["PURPOSES", "KeyPurpose", "purposeFor", "purposeOf", "purposesText"]


@dataclass(frozen=True)
class KeyPurpose:
    """One extended key usage.

    Attributes:
        name: what RFC 5280 and OpenSSL call it, without the ``id-kp-``.
        oid: its number in certificates.
        text: what Windows and most authorities call it.
        role: the side of a connection whose certificate has to have it, or None where neither does.
        opensslNumber: OpenSSL's ``X509_PURPOSE_…`` for that side's path; 0 where neither side needs it.
    """

    name: str
    oid: ObjectIdentifier
    text: str
    role: Role | None = None
    opensslNumber: int = 0


PURPOSES: tuple[KeyPurpose, ...] = (
    KeyPurpose("serverAuth", ExtendedKeyUsageOID.SERVER_AUTH, "Server Authentication", "server", 2),
    KeyPurpose("clientAuth", ExtendedKeyUsageOID.CLIENT_AUTH, "Client Authentication", "client", 1),
    KeyPurpose("codeSigning", ExtendedKeyUsageOID.CODE_SIGNING, "Code Signing"),
    KeyPurpose("emailProtection", ExtendedKeyUsageOID.EMAIL_PROTECTION, "Email Protection"),
    KeyPurpose("timeStamping", ExtendedKeyUsageOID.TIME_STAMPING, "Time Stamping"),
    KeyPurpose("OCSPSigning", ExtendedKeyUsageOID.OCSP_SIGNING, "OCSP Signing"),
    KeyPurpose("anyExtendedKeyUsage", ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "Any Purpose"),
)

_BY_OID = {purpose.oid: purpose for purpose in PURPOSES}
_BY_ROLE = {purpose.role: purpose for purpose in PURPOSES if purpose.role is not None}


def purposeFor(role: Role) -> KeyPurpose:
    """Return the purpose that the certificate of a side has to have."""
    return _BY_ROLE[role]


def purposeOf(oid: ObjectIdentifier) -> KeyPurpose | None:
    """Return the purpose with a number, or None where it is not in the table."""
    return _BY_OID.get(oid)


def purposesText(oids: Iterable[ObjectIdentifier]) -> str:
    """Return extended key usages with their texts, where those are known, and numbers."""
    return printable(", ".join(map(_described, sorted(oids, key=lambda oid: oid.dotted_string)))) or "none"


def _described(oid: ObjectIdentifier) -> str:
    purpose = purposeOf(oid)
    return oid.dotted_string if purpose is None else f"{purpose.text} ({oid.dotted_string})"
