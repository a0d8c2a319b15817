"""A trusted authority, written as the book has it.

Of an authority that is trusted its name, its key, its dates and what it allows count (RFC 5280, section 6.1.1 (d), and
RFC 5914, section 2), and not how its certificate is written: browsers trust roots with the serial number 0, without a
key usage, with basic constraints that are not critical. A verifier that insists on the form of each certificate is
shown such an authority in a form that has nothing wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cryptography import x509

from tlscomm.x509 import _der
from tlscomm.x509._fields import SignedFields, signedFields

__all__ = ["plainAnchor"]

_VERSION_3 = bytes.fromhex("a003020102")
_SERIAL = bytes.fromhex("020101")
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_CRITICAL = bytes.fromhex("0101ff")
_EXTENSIONS = 0xA3
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18

_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
_NAME_CONSTRAINTS = "2.5.29.30"
_EXTENDED_KEY_USAGE = "2.5.29.37"

#: Basic constraints, usage and name constraints of an authority are critical, and nothing else that counts.
_KEPT = {_BASIC_CONSTRAINTS: True, _KEY_USAGE: True, _NAME_CONSTRAINTS: True, _EXTENDED_KEY_USAGE: False}

#: A critical key usage for certificates and lists.
_USAGE = bytes.fromhex("300e0603551d0f0101ff040403020106")
#: A subject key identifier.
_IDENTIFIER = bytes.fromhex("300b0603551d0e040404020000")


def plainAnchor(authority: x509.Certificate) -> x509.Certificate:
    """Return a certificate of version 3 that says the same of an authority; its signature is none.

    Raises:
        ValueError: the authority's cannot be taken apart.
    """
    fields = signedFields(authority.tbs_certificate_bytes)
    name, key = fields.subject.encoded, fields.subjectPublicKeyInfo.encoded
    dates = _sequence(_time(authority.not_valid_before_utc), _time(authority.not_valid_after_utc))
    extensions = _der.encode(_EXTENSIONS, _sequence(*_extensions(fields)))
    content = _sequence(_VERSION_3, _SERIAL, _ECDSA_WITH_SHA256, name, dates, name, key, extensions)
    return x509.load_der_x509_certificate(_sequence(content, _ECDSA_WITH_SHA256, _der.encode(_der.BIT_STRING, b"\0")))


def _extensions(fields: SignedFields) -> Iterator[bytes]:
    """Give what an authority says of what it allows, critical where that has to be."""
    found = {}
    for each in fields.optional:
        if each.tag == _EXTENSIONS:
            found = {part.parts()[0].identifier(): part.parts() for part in each.wrapped().parts()}
    for identifier, isCritical in _KEPT.items():
        if identifier in found:
            kind, *_, value = found[identifier]
            yield _sequence(kind.encoded, _CRITICAL if isCritical else b"", value.encoded)
    if _KEY_USAGE not in found:
        yield _USAGE
    yield _IDENTIFIER


def _time(moment: datetime) -> bytes:
    """Write a date as RFC 5280, section 4.1.2.5, has it."""
    if 1950 <= moment.year < 2050:
        return _der.encode(_UTC_TIME, f"{moment:%y%m%d%H%M%SZ}".encode("ascii"))
    return _der.encode(_GENERALIZED_TIME, f"{moment.year:04}{moment:%m%d%H%M%SZ}".encode("ascii"))


def _sequence(*contents: bytes) -> bytes:
    return _der.encode(_der.SEQUENCE, *contents)
