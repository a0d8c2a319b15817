"""Certificates described for messages and logs.

A peer chooses what stands in its certificate, and to describe a failure must not cause another one. So nothing
here raises, and everything is printable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.failures import CertificateFacts, printable
from tlscomm.x509 import _der
from tlscomm.x509._bounds import partsOf
from tlscomm.x509._digests import digestText
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._fields import signedFields
from tlscomm.x509._generalnames import kindOf

__all__ = ["authoritiesText", "briefFacts", "certificateFacts", "issuedText", "nameText", "subjectText"]

_UNREADABLE = "unreadable"

#: So many authorities are named in a sentence; a system has hundreds.
_MOST_NAMED = 3
#: Names that are longer, or have more parts, are not read: it takes as long as a handshake.
_LONGEST_NAME = 1024
_MOST_NAME_PARTS = 50
#: Octets of a serial number (RFC 5280, section 4.1.2.2, allows 20).
_LONGEST_SERIAL = 64

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
        serial=_either(lambda: _numberText(certificate.serial_number), _UNREADABLE),
        notBefore=_either(lambda: certificate.not_valid_before_utc.isoformat(timespec="seconds"), _UNREADABLE),
        notAfter=_either(lambda: certificate.not_valid_after_utc.isoformat(timespec="seconds"), _UNREADABLE),
        fingerprint=digestText(sha256(der).digest()),
        names=_either(lambda: tuple(_alternativeNames(certificate)), (_UNREADABLE,)),
        der=der,
    )


def briefFacts(encoded: bytes) -> CertificateFacts:
    """Describe a stranger's certificate without reading what takes long to read. Never raises.

    A long name is described by its length, and alternative names are left out.

    Args:
        encoded: the certificate, DER.
    """
    try:
        fields = signedFields(_der.first(encoded).parts()[0].encoded)
        certificate = x509.load_der_x509_certificate(encoded)
        subject = _nameText(fields.subject.encoded, lambda: certificate.subject)
        issuer = _nameText(fields.issuer.encoded, lambda: certificate.issuer)
        serial = _serialText(fields.serialNumber.value)
        validity = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        notBefore, notAfter = (time.isoformat(timespec="seconds") for time in validity)
    except Exception:
        subject = issuer = serial = notBefore = notAfter = _UNREADABLE
    fingerprint = digestText(sha256(encoded).digest())
    return CertificateFacts(subject, issuer, serial, notBefore, notAfter, fingerprint, der=encoded)


def _nameText(encoded: bytes, name: Callable[[], x509.Name]) -> str:
    if len(encoded) > _LONGEST_NAME or partsOf(encoded, _MOST_NAME_PARTS) == _MOST_NAME_PARTS:
        return f"(a name of {len(encoded)} bytes)"
    return _either(lambda: printable(name().rfc4514_string()), _UNREADABLE)


def _serialText(octets: bytes) -> str:
    digits = octets[:_LONGEST_SERIAL].hex().lstrip("0") or "0"
    return digits if len(octets) <= _LONGEST_SERIAL else f"{digits}… ({len(octets)} octets)"


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


def _numberText(number: int) -> str:
    if number.bit_length() <= 8 * _LONGEST_SERIAL:
        return f"{number:x}"
    return _serialText(abs(number).to_bytes((number.bit_length() + 7) // 8, "big"))


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
