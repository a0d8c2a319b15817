"""What some bytes in ASN.1 are: told by how they begin, so that what is cut off is still called by its name.

The formats have no magic number. They have different elements in a different order, and where two agree so far, an
object identifier or a version number tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from tlscomm.x509 import _der
from tlscomm.x509._der import (
    BIT_STRING,
    CONTEXT_0,
    ENUMERATED,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    Element,
)

__all__ = ["Structure", "structureOf"]

_TIMES = (0x17, 0x18)

#: 1.2.840.113549.1.7, encoded: PKCS#7.
_PKCS7 = bytes.fromhex("2a864886f70d0107")
#: 1.2.840.113549.1.5 and 12: the encryptions of PKCS#5 and PKCS#12.
_ENCRYPTIONS = (bytes.fromhex("2a864886f70d0105"), bytes.fromhex("2a864886f70d010c"))


class Structure(Enum):
    """What there is in ASN.1 that a person may take for a credential."""

    PKCS12 = "PKCS#12 (PFX)"
    CERTIFICATE = "DER certificate"
    PKCS7 = "PKCS#7 (P7B)"
    KEY = "DER private key"
    ENCRYPTED_KEY = "encrypted DER private key"
    REQUEST = "certificate request"
    REVOCATION_LIST = "revocation list"
    PUBLIC_KEY = "public key"
    OCSP_RESPONSE = "OCSP response"


def structureOf(content: bytes, offset: int = 0) -> Structure | None:
    """Return what begins at an offset, damaged or not, or None where it is nothing that is known here."""
    outer = _der.beginning(content, offset)
    if outer is None or outer.tag != SEQUENCE:
        return None
    parts = outer.beginnings()
    tags = _tags(parts)
    if tags[:1] == [INTEGER]:
        return _ofNumbers(parts)
    if tags[:1] == [OBJECT_IDENTIFIER]:
        return Structure.PKCS7 if parts[0].value.startswith(_PKCS7) else None
    if tags[:1] == [ENUMERATED]:
        return Structure.OCSP_RESPONSE
    return _ofSequences(parts) if tags[:1] == [SEQUENCE] else None


def _ofNumbers(parts: Sequence[Element]) -> Structure | None:
    """Tell apart what begins with a number: its version, or part of a key."""
    version, tags = parts[0].value, _tags(parts)
    if tags[1:2] == [SEQUENCE]:
        return {b"\3": Structure.PKCS12, b"\0": Structure.KEY, b"\1": Structure.KEY}.get(version)
    if tags[1:2] == [OCTET_STRING]:
        return Structure.KEY if version == b"\1" else None
    if tags[1:2] == [INTEGER]:
        # PKCS#1 and DSA's old form have versions. A public key of PKCS#1 begins with the modulus.
        return Structure.KEY if version in (b"\0", b"\1") else Structure.PUBLIC_KEY
    return None


def _ofSequences(parts: Sequence[Element]) -> Structure | None:
    """Tell apart what begins with a sequence: what was signed, or the algorithm of what follows."""
    inner = parts[0].beginnings()
    if _tags(inner)[:1] == [OBJECT_IDENTIFIER]:
        return _ofAlgorithm(inner[0], _tags(parts))
    return _ofSigned(_tags(inner))


def _ofAlgorithm(algorithm: Element, tags: Sequence[int]) -> Structure | None:
    if tags[1:2] == [BIT_STRING]:
        return Structure.PUBLIC_KEY
    isEncryption = algorithm.value.startswith(_ENCRYPTIONS)
    return Structure.ENCRYPTED_KEY if tags[1:2] == [OCTET_STRING] or isEncryption else None


def _ofSigned(tags: Sequence[int]) -> Structure | None:
    # RFC 5280, sections 4.1 and 5.1, and RFC 2986, section 4.1. Version 1 of a certificate, and of a revocation list,
    # leaves the version out.
    if tags[:1] == [CONTEXT_0]:
        return Structure.CERTIFICATE
    if tags[:4] == [INTEGER, SEQUENCE, SEQUENCE, CONTEXT_0] or tags == [INTEGER, SEQUENCE, SEQUENCE]:
        return Structure.REQUEST
    fromSequence = tags[1:] if tags[:1] == [INTEGER] else tags
    if len(fromSequence) > 2 and fromSequence[2] in _TIMES:
        return Structure.REVOCATION_LIST
    return Structure.CERTIFICATE if tags[:3] == [INTEGER, SEQUENCE, SEQUENCE] else None


def _tags(parts: Sequence[Element]) -> list[int]:
    return [part.tag for part in parts]
