"""Whether a certificate was issued by another one."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["hasIssued"]


def hasIssued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return whether a certificate bears the name and the signature of an issuer.

    The names have to be written in the same way, byte by byte, and the signature has to be of an algorithm that the
    library verifies, which SHA-1 for one is not.
    """
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *REJECTIONS):
        return False
    return True
