"""Which peers are the same one, whatever certificate they show today."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from tlscomm.x509._extensions import readExtension

__all__ = ["identityOf"]


def identityOf(certificate: x509.Certificate) -> bytes:
    """Return what a peer is counted by: its subject and its alternative names together, in 32 bytes.

    A renewed certificate has the same names and another key, so its peer is the same one. A certificate without names,
    or whose names cannot be read, is one by itself.
    """
    try:
        subject = certificate.subject.public_bytes()
        names = readExtension(certificate, x509.SubjectAlternativeName)
        encoded = b"" if names is None else names.public_bytes()
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return certificate.fingerprint(SHA256())
    if not certificate.subject.rdns and not encoded:
        return certificate.fingerprint(SHA256())
    digest = Hash(SHA256())
    digest.update(len(subject).to_bytes(4, "big") + subject + encoded)
    return digest.finalize()
