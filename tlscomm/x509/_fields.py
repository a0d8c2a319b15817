"""Where the fields of a certificate lie (RFC 5280, section 4.1).

To have a field read and written again is to lose what the library does not know of it, as the parameters of RSA-PSS, or
the type of string in a name. Where the bytes count, they are taken from the certificate itself.
"""

from __future__ import annotations

from typing import NamedTuple

from tlscomm.x509 import _der

__all__ = ["SignedFields", "signedFields"]


class SignedFields(NamedTuple):
    """The fields of a TBSCertificate, but for the version.

    Attributes:
        optional: the unique identifiers and the extensions, as far as they are there.
    """

    serialNumber: _der.Element
    signature: _der.Element
    issuer: _der.Element
    validity: _der.Element
    subject: _der.Element
    subjectPublicKeyInfo: _der.Element
    optional: tuple[_der.Element, ...]


def signedFields(content: bytes) -> SignedFields:
    """Take the signed part of a certificate apart.

    Args:
        content: a TBSCertificate, DER.

    Raises:
        Malformed: it has not that structure.
    """
    parts = _der.first(content).parts()
    # The version has a tag of its own, and is left out in certificates of the first.
    parts = parts[1:] if parts and parts[0].tag == _der.CONTEXT_0 else parts
    try:
        serialNumber, signature, issuer, validity, subject, key, *optional = parts
    except ValueError:
        raise _der.Malformed("a certificate has more fields") from None
    return SignedFields(serialNumber, signature, issuer, validity, subject, key, tuple(optional))
