"""Whether OpenSSL can read a certificate that `cryptography` has loaded.

`cryptography` reads names and dates when they are asked for, and OpenSSL all of them at once; with a name that is no
UTF-8, for one, it has no certificate at all.
"""

from __future__ import annotations

from cryptography import x509
from OpenSSL.crypto import X509
from OpenSSL.crypto import Error as CryptoError

__all__ = ["decodingFault"]

#: What OpenSSL adds for each structure that encloses what it could not read.
_ENCLOSING = "nested asn1 error"


def decodingFault(certificate: x509.Certificate) -> str:
    """Return why OpenSSL cannot read a certificate, in its words; nothing where it can."""
    try:
        X509.from_cryptography(certificate)
    except CryptoError as error:
        reasons = [str(entry[-1]) for entry in error.args[0]] if error.args else []
        return next((reason for reason in reasons if reason != _ENCLOSING), "it is not well-formed")
    return ""
