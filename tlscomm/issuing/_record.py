"""What an authority has issued: the file that says so.

Without it there would be no list of revoked certificates, because the authority knows only by it what is to be on one.
So a record that cannot be read is never taken for an empty one, and never written over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.failures import Damaged, printable
from tlscomm.failures._wording import timeText
from tlscomm.issuing._choices import REASONS
from tlscomm.x509._digests import digestText, publicKeyDigest
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._purposes import purposeFor
from tlscomm.x509._roles import ROLES

__all__ = ["REASON_FLAGS", "Issued", "Record", "authorityDigest", "issuedFrom"]

REASON_FLAGS = dict(
    zip(
        REASONS,
        (
            x509.ReasonFlags.unspecified,
            x509.ReasonFlags.key_compromise,
            x509.ReasonFlags.ca_compromise,
            x509.ReasonFlags.affiliation_changed,
            x509.ReasonFlags.superseded,
            x509.ReasonFlags.cessation_of_operation,
            x509.ReasonFlags.certificate_hold,
            x509.ReasonFlags.privilege_withdrawn,
            x509.ReasonFlags.aa_compromise,
        ),
        strict=True,
    )
)
"""What `cryptography` calls the reasons."""

_ABOUT = "What this authority has issued, for its lists of revoked certificates. tlscomm pki keeps it."
_VERSION = 1
_LARGEST = 64 << 20
_REMEDY = (
    "Put a copy of it back, or move it away: what lies in the authority's folder and in its revocation list is then "
    "found again, and what was issued elsewhere is not."
)

T = TypeVar("T")


@dataclass(frozen=True)
class Issued:
    """One certificate.

    Attributes:
        serial: its number.
        name: what its files are called, without their endings.
        subject: whose it is, printable.
        names: its alternative names as ``kind:value``, printable.
        purpose: ``client``, ``server`` or ``both``.
        notBefore: its first moment.
        notAfter: its last.
        fingerprint: the digest of it.
        isSuperseded: whether another one has been issued in its place.
        revoked: since when it is revoked; None where it is not.
        reason: why, as in `REASONS`; empty where it is not, or where that is not said.
    """

    serial: int
    name: str
    subject: str
    names: tuple[str, ...]
    purpose: str
    notBefore: datetime
    notAfter: datetime
    fingerprint: str
    isSuperseded: bool = False
    revoked: datetime | None = None
    reason: str = ""

    def status(self, now: datetime) -> str:
        """Return ``revoked``, ``expired``, ``superseded`` or ``valid``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if now > self.notAfter else "superseded" if self.isSuperseded else "valid"

    def toJSON(self) -> dict[str, object]:
        return {
            "serial": f"{self.serial:x}",
            "name": self.name,
            "subject": self.subject,
            "names": list(self.names),
            "purpose": self.purpose,
            "notBefore": timeText(self.notBefore),
            "notAfter": timeText(self.notAfter),
            "fingerprint": self.fingerprint,
            "superseded": self.isSuperseded,
            "revoked": None if self.revoked is None else timeText(self.revoked),
            "reason": self.reason or None,
        }


@dataclass(frozen=True)
class Record:
    """All that an authority has issued.

    Attributes:
        authority: the digest of the authority's public key.
        listNumber: the number of its last revocation list; 0 where there was none.
        certificates: by their serial numbers, in the order in which they were issued.
    """

    authority: str
    listNumber: int
    certificates: dict[int, Issued]

    @classmethod
    def parse(cls, content: bytes, file: str) -> Record:
        """Read a record.

        Args:
            content: all of its file.
            file: what the file is called in messages.

        Raises:
            Damaged: it is none, or has been changed to what is none.
        """
        try:
            if len(content) > _LARGEST:
                raise ValueError(f"it has {len(content)} bytes")
            value = json.loads(content)
            if _of(value, "version", int) != _VERSION:
                raise ValueError(f"it is of version {value['version']}, and {_VERSION} is read here")
            issued = [_parsed(each) for each in _of(value, "certificates", list)]
            record = cls(
                _of(value, "authority", str), _of(value, "listNumber", int), {each.serial: each for each in issued}
            )
            if len(record.certificates) != len(issued):
                raise ValueError("a serial number is in it twice")
        except (ValueError, RecursionError) as wrong:
            raise Damaged(
                f"{file}, the record of what was issued, cannot be read: {printable(str(wrong))}", remedy=_REMEDY
            ) from None
        return record

    def content(self) -> bytes:
        """Return it as a file."""
        value = {
            "about": _ABOUT,
            "version": _VERSION,
            "authority": self.authority,
            "listNumber": self.listNumber,
            "certificates": [each.toJSON() for each in self.certificates.values()],
        }
        return json.dumps(value, indent=1, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"


def authorityDigest(certificate: x509.Certificate) -> str:
    """Return what a record knows its authority by: the digest of its public key, which outlives its certificate."""
    return digestText(publicKeyDigest(certificate))


def issuedFrom(certificate: x509.Certificate, name: str) -> Issued:
    """Return what a record has of a certificate."""
    facts = certificateFacts(certificate)
    return Issued(
        serial=certificate.serial_number,
        name=name,
        subject=facts.subject,
        names=facts.names,
        purpose=_purposeOf(certificate),
        notBefore=certificate.not_valid_before_utc,
        notAfter=certificate.not_valid_after_utc,
        fingerprint=facts.fingerprint,
    )


def _purposeOf(certificate: x509.Certificate) -> str:
    usage = readExtension(certificate, x509.ExtendedKeyUsage)
    if usage is None:
        return "both"
    roles = [role for role in ROLES if purposeFor(role).oid in usage]
    return "both" if len(roles) == len(ROLES) else roles[0] if roles else "other"


def _parsed(value: Any) -> Issued:
    return Issued(
        serial=int(_of(value, "serial", str), 16),
        name=_of(value, "name", str),
        subject=_of(value, "subject", str),
        names=tuple(map(str, _of(value, "names", list))),
        purpose=_of(value, "purpose", str),
        notBefore=_time(_of(value, "notBefore", str)),
        notAfter=_time(_of(value, "notAfter", str)),
        fingerprint=_of(value, "fingerprint", str),
        isSuperseded=_of(value, "superseded", bool),
        revoked=_optional(value, "revoked", _time),
        reason=_optional(value, "reason", _reason) or "",
    )


def _of(value: Any, key: str, kind: type[T]) -> T:
    found = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(found, kind):
        raise ValueError(f"it has no {key!r} where there has to be one")
    return found


def _optional(value: Any, key: str, parse: Callable[[str], T]) -> T | None:
    return None if value.get(key) is None else parse(_of(value, key, str))


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} has no zone")
    return time


def _reason(text: str) -> str:
    if text not in REASONS:
        raise ValueError(f"{text!r} is no reason to revoke a certificate")
    return text
