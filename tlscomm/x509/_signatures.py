"""Whether the key of one certificate has signed another one.

`cryptography` answers for nearly all that there are, and fast. It has no single way to do it for any kind of key, and
does not know every algorithm that OpenSSL knows. What it cannot tell OpenSSL is asked, so that a path may be found here
wherever OpenSSL accepts one in a handshake.

`Certificate.verify_directly_issued_by` is no use here: it takes a name that is spelled in another way, be it in another
type of string, for another name.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from tlscomm._openssl import isSignedBy
from tlscomm.x509._certificate import ParsedCertificate
from tlscomm.x509._keystrengths import PURE_KEYS
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["hasSigned"]


def hasSigned(issuer: ParsedCertificate, subject: ParsedCertificate) -> bool:
    """Return whether an issuer's key has signed a certificate, whatever names the two bear."""
    try:
        isKnown = _verify(issuer, subject)
    except InvalidSignature:
        return False
    except REJECTIONS:
        isKnown = False
    return isKnown or isSignedBy(subject.certificate, issuer.certificate)


def _verify(issuer: ParsedCertificate, subject: ParsedCertificate) -> bool:
    """Verify a signature, where `cryptography` can.

    Returns:
        Whether it can. Then the signature is right.

    Raises:
        InvalidSignature: it is wrong.
    """
    certificate, key = subject.certificate, issuer.key
    signature, content = certificate.signature, certificate.tbs_certificate_bytes
    parameters, digest = certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and isinstance(parameters, padding.AsymmetricPadding) and digest:
        key.verify(signature, content, parameters, digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
        key.verify(signature, content, parameters)
    elif isinstance(key, dsa.DSAPublicKey) and digest:
        key.verify(signature, content, digest)
    elif isinstance(key, PURE_KEYS):
        key.verify(signature, content)
    else:
        return False
    return True
