"""Certificates and keys as bytes, in the forms that other programs read."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

__all__ = ["cer", "keyPEM", "p7b", "pem", "pfx"]

#: As Windows and OpenSSL. With more, old Windows becomes slow to open it.
_OLD_ROUNDS = 2000


def cer(certificate: x509.Certificate) -> bytes:
    """One certificate, DER."""
    return certificate.public_bytes(Encoding.DER)


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates one after the other, PEM."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def p7b(certificates: Iterable[x509.Certificate]) -> bytes:
    """Certificates without keys, PKCS#7 in DER as Windows writes it."""
    # It loads Python's library for mail, for the signatures that it makes there.
    from cryptography.hazmat.primitives.serialization import pkcs7

    return pkcs7.serialize_certificates(list(certificates), Encoding.DER)


def keyPEM(key: PrivateKeyTypes, passphrase: bytes = b"") -> bytes:
    """A private key, PKCS#8 in PEM; in the clear, for a file that only its owner can read, without a pass phrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(passphrase))


def pfx(
    name: str,
    key: pkcs12.PKCS12PrivateKeyTypes | None,
    certificate: x509.Certificate,
    others: Iterable[x509.Certificate],
    passphrase: bytes = b"",
    *,
    legacy: bool = False,
) -> bytes:
    """A certificate with its key and the certificates above it, PKCS#12.

    Args:
        name: the friendly name; none where it is empty.
        key: the private key, or None for a certificate alone.
        certificate: its certificate.
        others: more certificates.
        passphrase: what opens it; in the clear without one.
        legacy: whether to encrypt as before 2018: triple DES, and SHA-1 in the integrity check. Needs a pass phrase.
    """
    encryption = _oldEncryption(passphrase) if legacy else _encryption(passphrase)
    return pkcs12.serialize_key_and_certificates(
        name.encode(errors="replace") or None, key, certificate, list(others), encryption
    )


def _encryption(passphrase: bytes) -> KeySerializationEncryption:
    return BestAvailableEncryption(passphrase) if passphrase else NoEncryption()


def _oldEncryption(passphrase: bytes) -> KeySerializationEncryption:
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_OLD_ROUNDS)
    builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
    return builder.build(passphrase)
