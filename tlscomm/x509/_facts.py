"""Certificates described for messages and logs.

A peer chooses what stands in its certificate, and whoever describes a failure must not cause another one. So nothing
here raises, and everything is printable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.failures import CertificateFacts, printable
from tlscomm.x509._digests import digestText
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._generalnames import kindOf

__all__ = ["authoritiesText", "certificateFacts", "issuedText", "nameText", "subjectText"]

_UNREADABLE = "unreadable"

#: So many authorities are named in a sentence; a system has hundreds.
_MOST_NAMED = 3

T = TypeVar("T")


def certificateFacts(certificate: x509.Certificate) -> CertificateFacts:
    """Describe a certificate for messages and logs. Never raises.

    A peer chooses what stands in its certificate, and parts of it are parsed only when they are asked for. A part that
    does not parse is described as ``unreadable``.
    """
    der = _either(lambda: certificate.public_bytes(Encoding.DER), b"")
    return CertificateFacts(
        subject=subjectText(certificate),
        issuer=_either(lambda: printable(certificate.issuer.rfc4514_string()), _UNREADABLE),
        serial=_either(lambda: f"{certificate.serial_number:x}", _UNREADABLE),
        notBefore=_either(lambda: certificate.not_valid_before_utc.isoformat(timespec="seconds"), _UNREADABLE),
        notAfter=_either(lambda: certificate.not_valid_after_utc.isoformat(timespec="seconds"), _UNREADABLE),
        fingerprint=digestText(sha256(der).digest()),
        names=_either(lambda: tuple(_alternativeNames(certificate)), (_UNREADABLE,)),
        der=der,
    )


def subjectText(certificate: x509.Certificate) -> str:
    """Return whose certificate it is, printable. Never raises."""
    return _either(lambda: printable(certificate.subject.rfc4514_string()), _UNREADABLE)


def issuedText(certificate: x509.Certificate) -> str:
    """Return who has issued a certificate, as a clause: ``CN=x is issued by CN=y``. Never raises."""
    if _either(lambda: certificate.issuer == certificate.subject, False):
        return f"{subjectText(certificate)} is its own issuer"
    issuer = _either(lambda: printable(certificate.issuer.rfc4514_string()), _UNREADABLE)
    return f"{subjectText(certificate)} is issued by {issuer}"


def authoritiesText(names: Iterable[x509.Name]) -> str:
    """Return the names of authorities, the first few of them, printable. Never raises."""
    several = list(names)
    named = [_either(lambda name=name: printable(name.rfc4514_string()), _UNREADABLE) for name in several[:_MOST_NAMED]]  # type: ignore[misc]
    more = len(several) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "") if named else "none"


def _alternativeNames(certificate: x509.Certificate) -> Iterator[str]:
    try:
        names = extensionsOf(certificate).get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    for name in names:
        yield printable(nameText(name))


def nameText(name: x509.GeneralName) -> str:
    """Return a subject alternative name as ``kind:value``. It is not printable yet. Never raises."""
    return f"{kindOf(name).word}:{_either(lambda: _text(name), _UNREADABLE)}"


def _text(name: x509.GeneralName) -> str:
    value = name.value
    return value.rfc4514_string() if isinstance(value, x509.Name) else str(value)


def _either(read: Callable[[], T], otherwise: T) -> T:
    # Whatever a parser raises for what a stranger wrote: a description of a failure must not become another one.
    try:
        return read()
    except Exception:
        return otherwise
