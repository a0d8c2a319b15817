"""What people and programs are told of a certificate: the same in `store`, in its picker, and in `inspect`.

Everything that is shown was written by another party, so all of it goes through `tlscomm.failures.printable`, and what
does not parse is said to be unreadable instead of ending the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm.commandline._printing import Row, Styled
from tlscomm.credentials import Credential, usabilityProblems
from tlscomm.failures import TLSFailure, printable
from tlscomm.store._search import KEY_USAGES, isKeyUsage
from tlscomm.x509._digests import thumbprintOf
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._keystrengths import keyKind
from tlscomm.x509._purposes import purposeOf
from tlscomm.x509._roles import ROLES, Role
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import validityOf

__all__ = [
    "certificateJSON",
    "certificateRows",
    "daysLeft",
    "isAuthority",
    "issuerTitle",
    "obstacleRows",
    "present",
    "purposes",
    "requestJSON",
    "revocationsJSON",
    "titleOf",
    "validity",
    "verdictRows",
    "verdictsJSON",
]

#: Days that are left where a colour says that it is time to renew.
_SOON, _VERY_SOON = 30, 7

_UNREADABLE = "unreadable"

T = TypeVar("T")


def present() -> datetime:
    return datetime.now(timezone.utc)


def titleOf(certificate: x509.Certificate) -> str:
    """Return what a list calls a certificate: its common name, the whole name where it has none."""
    return _title(lambda: certificate.subject, certificateFacts(certificate).subject)


def issuerTitle(certificate: x509.Certificate) -> str:
    """Return the same of its issuer."""
    return _title(lambda: certificate.issuer, certificateFacts(certificate).issuer)


def daysLeft(certificate: x509.Certificate, now: datetime) -> int | None:
    """Return how many whole days it is valid from now, negative once it has expired; None if it cannot be read."""
    dates = validityOf(certificate)
    return None if dates is None else (dates[1] - now).days


def validity(certificate: x509.Certificate, now: datetime) -> Styled:
    """Say how long it is valid, in the colour of how soon its owner has to act."""
    dates = validityOf(certificate)
    if dates is None:
        return Styled((_UNREADABLE, "red"))
    begins, ends = dates
    if now < begins:
        return Styled((f"in {(begins - now).days + 1} days", "red"))
    left = (ends - now).days
    if left < 0:
        return Styled((f"expired {(now - ends).days} days ago", "red"))
    style = "red" if left < _VERY_SOON else "yellow" if left < _SOON else "green"
    return Styled((f"{left} days", style))


def purposes(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return what it may be used for, as far as it says: ``any`` where it does not."""
    found = readExtension(certificate, x509.ExtendedKeyUsage)
    if found is None:
        return ("authority",) if isAuthority(certificate) else ("any",)
    return tuple(printable(_purposeName(oid)) for oid in found)


def _purposeName(oid: x509.ObjectIdentifier) -> str:
    purpose = purposeOf(oid)
    return oid.dotted_string if purpose is None else purpose.role or purpose.name


def isAuthority(certificate: x509.Certificate) -> bool:
    found = readExtension(certificate, x509.BasicConstraints)
    return found is not None and found.ca


def keyUsages(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return what its key may be used for, nothing where it does not say."""
    found = readExtension(certificate, x509.KeyUsage)
    if found is None:
        return ()
    return tuple(name for name, usage in KEY_USAGES.items() if isKeyUsage(found, usage))


def certificateRows(certificate: x509.Certificate, now: datetime) -> Iterator[Row]:
    """Give what there is to know of a certificate, a line each."""
    facts = certificateFacts(certificate)
    yield "Subject", facts.subject or "(no name)"
    yield "Issuer", facts.issuer or "(no name)"
    yield "Names", ", ".join(facts.names) or "none"
    yield "Valid", Styled(f"{facts.notBefore} to {facts.notAfter}, ", *validity(certificate, now).parts)
    yield "Purposes", ", ".join(purposes(certificate))
    yield "Key usage", ", ".join(keyUsages(certificate)) or "any"
    yield "Public key", _publicKeyKind(certificate)
    yield "Serial", facts.serial
    yield "Thumbprint", thumbprintOf(certificate)
    yield "Fingerprint", facts.fingerprint


def verdictRows(credential: Credential, now: datetime) -> Iterator[Row]:
    """Say for each side of a connection whether a credential can stand there, and what to do where it cannot."""
    for role in ROLES:
        yield from obstacleRows(role, list(usabilityProblems(credential, role, now)))


def obstacleRows(role: Role, failures: Sequence[TLSFailure]) -> Iterator[Row]:
    """Say what is in the way of a role, and what to do about it."""
    if not failures:
        yield f"As a {role}", Styled(("nothing is in the way", "green"))
    for number, failure in enumerate(failures):
        yield "" if number else f"As a {role}", Styled((failure.code, "bold red"), f": {failure.message}")
        yield "", failure.nextStep


def certificateJSON(certificate: x509.Certificate, now: datetime) -> dict[str, object]:
    """Return the same for a program."""
    return {
        **certificateFacts(certificate).toJSON(),
        "thumbprint": thumbprintOf(certificate),
        "daysLeft": daysLeft(certificate, now),
        "purposes": list(purposes(certificate)),
        "keyUsage": list(keyUsages(certificate)),
        "publicKey": _publicKeyKind(certificate),
        "isAuthority": isAuthority(certificate),
    }


def verdictsJSON(credential: Credential, now: datetime) -> dict[str, object]:
    """Return for each side of a connection the codes of what keeps a credential from it."""
    return {role: [failure.code for failure in usabilityProblems(credential, role, now)] for role in ROLES}


def revocationsJSON(revocations: x509.CertificateRevocationList, now: datetime) -> dict[str, object]:
    """Return what there is to know of a revocation list."""
    number = _either(lambda: revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, None)
    begins, ends = (
        _either(lambda: revocations.last_update_utc, None),
        _either(lambda: revocations.next_update_utc, None),
    )
    return {
        "issuer": _either(lambda: printable(revocations.issuer.rfc4514_string()), _UNREADABLE),
        "number": number,
        "lastUpdate": _UNREADABLE if begins is None else begins.isoformat(timespec="seconds"),
        "nextUpdate": None if ends is None else ends.isoformat(timespec="seconds"),
        "isExpired": ends is not None and ends < now,
        "revoked": len(revocations),
    }


def requestJSON(request: x509.CertificateSigningRequest) -> dict[str, Any]:
    """Return what there is to know of a request for a certificate."""
    return {
        "subject": _either(lambda: printable(request.subject.rfc4514_string()), _UNREADABLE),
        "names": _requestedNames(request),
        "publicKey": _either(lambda: keyKind(request.public_key()), _UNREADABLE),
        "isSigned": _either(lambda: request.is_signature_valid, False),
    }


def _requestedNames(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(printable(str(name.value)) for name in names)
    except (x509.ExtensionNotFound, *REJECTIONS):
        return ()


def _publicKeyKind(certificate: x509.Certificate) -> str:
    return _either(lambda: keyKind(certificate.public_key()), _UNREADABLE)


def _title(read: Callable[[], x509.Name], whole: str) -> str:
    try:
        names = read().get_attributes_for_oid(NameOID.COMMON_NAME)
    except REJECTIONS:
        return _UNREADABLE
    return printable(str(names[0].value)) if names else whole or "(no name)"


def _either(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except (x509.ExtensionNotFound, *REJECTIONS):
        return otherwise
