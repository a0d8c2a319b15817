"""Which kinds of private keys are made."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from tlscomm.issuing._certificates import newKey

__all__ = ["newKeyOf"]

_MAKERS: dict[str, Callable[[], CertificateIssuerPrivateKeyTypes]] = {
    "ec": newKey,
    "ec384": lambda: ec.generate_private_key(ec.SECP384R1()),
    # NIST SP 800-57, part 1, section 5.6.1: 128 bits of security, as P-256 has.
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    "rsa4096": lambda: rsa.generate_private_key(public_exponent=65537, key_size=4096),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    # The one of the three (FIPS 204) that is level with AES-192, and the usual one in TLS.
    "mldsa": mldsa.MLDSA65PrivateKey.generate,
}


def newKeyOf(kind: str) -> CertificateIssuerPrivateKeyTypes:
    """Make a private key of one of the `tlscomm.issuing._choices.KEY_KINDS`."""
    return _MAKERS[kind]()
