"""The digests that certificates and keys are known by."""

from __future__ import annotations

from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.x509._fields import signedFields

__all__ = ["digestText", "fingerprintOf", "publicKeyDigest", "thumbprintOf"]


def digestText(digest: bytes) -> str:
    """Return a SHA-256 digest as it is written everywhere: ``sha256:`` and lower-case hexadecimal digits."""
    return f"sha256:{digest.hex()}"


def fingerprintOf(certificate: x509.Certificate) -> str:
    """Return the SHA-256 digest of a certificate, as `digestText` writes it."""
    return digestText(sha256(certificate.public_bytes(Encoding.DER)).digest())


def thumbprintOf(certificate: x509.Certificate) -> str:
    """Return the SHA-1 digest of a certificate as .NET writes it: upper-case hexadecimal digits.

    It is a name for a file or an entry, and proves nothing.
    """
    return certificate.fingerprint(SHA1()).hex().upper()


def publicKeyDigest(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 digest of the public key with its kind (SubjectPublicKeyInfo), as its bytes stand there.

    Raises:
        Malformed: the certificate does not have the structure of one.
    """
    return sha256(signedFields(certificate.tbs_certificate_bytes).subjectPublicKeyInfo.encoded).digest()
