"""Certificates and keys as bytes, in the forms that other programs read."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7, pkcs12

__all__ = ["cer", "keyPEM", "p7b", "pem", "pfx"]


def cer(certificate: x509.Certificate) -> bytes:
    """One certificate, DER."""
    return certificate.public_bytes(Encoding.DER)


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates one after the other, PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def p7b(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates without keys, PKCS#7 in DER as Windows writes it."""
    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def keyPEM(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """A private key, PKCS#8 in PEM and in the clear: for a file that only its owner can read."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pfx(
    name: str,
    key: pkcs12.PKCS12PrivateKeyTypes,
    certificate: x509.Certificate,
    others: Iterable[x509.Certificate],
) -> bytes:
    """A certificate with its key and the certificates above it, PKCS#12 with an empty pass phrase."""
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, list(others), NoEncryption())
