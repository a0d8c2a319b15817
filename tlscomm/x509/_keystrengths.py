"""Which keys and digests are strong enough: the one table of them.

Three documents are behind it. Security level 2 of OpenSSL (SSL_CTX_set_security_level(3)), its default, asks for 112
bits of security, and so does NIST SP 800-131A (revision 2, sections 3 and 9): RSA and DSA keys of 2048 bits, and no
signature with MD5 or SHA-1 (RFC 9155 says the same of TLS). RFC 8446, section 4.2.3, with RFC 8734, RFC 8422, section
5.1.1, and RFC 7027 says which curves a TLS peer can verify a handshake's signature on.

A key that certificates are signed with has to be strong. A key that a handshake is signed with has to be one of TLS's
as well, which P-256 is and secp256k1 is not.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import PublicKeyAlgorithmOID

from tlscomm._dataclasses import dataclass
from tlscomm.x509._unreadable import REJECTIONS

__all__ = [
    "LARGEST_EXPONENT",
    "LARGEST_FACTORED",
    "MLDSA_KEYS",
    "PURE_KEYS",
    "SMALLEST_CURVE",
    "SMALLEST_FACTORED",
    "TLS_CURVES",
    "WEAK_DIGESTS",
    "WEB_PKI_CURVES",
    "WEB_PKI_DIGESTS",
    "TLSCurve",
    "digestWeakness",
    "handshakeKeyWeakness",
    "isForPSSAlone",
    "keyKind",
    "keyText",
    "keyWeakness",
    "unsignableKey",
]

#: Bits of an RSA or DSA key.
SMALLEST_FACTORED = 2048
#: OpenSSL takes no larger ones, because of what their signatures cost to verify.
LARGEST_FACTORED = 16384
#: Bits of the exponent of an RSA key. OpenSSL takes no larger ones of keys of more than 3072 bits, because a signature
#: costs by the length of the exponent as well. Programs make 17 bits.
LARGEST_EXPONENT = 64
#: Bits of a curve, which is 128 bits of security (NIST SP 800-57, part 1, section 5.6.1). The curves with 112, P-224
#: for one, are not in TLS 1.3.
SMALLEST_CURVE = 256

#: 64 and 80 bits of security at most.
WEAK_DIGESTS = (hashes.MD5, hashes.SHA1)

#: CA/Browser Forum BR, sections 6.1.5 and 7.1.3.2.
WEB_PKI_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
WEB_PKI_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


@dataclass(frozen=True)
class TLSCurve:
    """What TLS calls a curve.

    Attributes:
        scheme: the number of the signature scheme with it in TLS 1.3 (RFC 8446, section 4.2.3, and RFC 8734).
        group: its number among the groups, which TLS 1.2 looks at instead (RFC 8422, section 5.1.1, and RFC 7027).
    """

    scheme: int
    group: int


#: With any other curve OpenSSL 4 finds no signature algorithm and fails with "no shared cipher" or "unsupported
#: protocol".
TLS_CURVES = {
    "secp256r1": TLSCurve(0x0403, 23),
    "secp384r1": TLSCurve(0x0503, 24),
    "secp521r1": TLSCurve(0x0603, 25),
    "brainpoolP256r1": TLSCurve(0x081A, 26),
    "brainpoolP384r1": TLSCurve(0x081B, 27),
    "brainpoolP512r1": TLSCurve(0x081C, 28),
}

#: The signature scheme of each kind of ML-DSA key (FIPS 204), which is for TLS 1.3 alone (draft-ietf-tls-mldsa).
MLDSA_KEYS: dict[type[CertificatePublicKeyTypes], int] = {
    mldsa.MLDSA44PublicKey: 0x0904,
    mldsa.MLDSA65PublicKey: 0x0905,
    mldsa.MLDSA87PublicKey: 0x0906,
}

#: Kinds of keys that sign a thing itself, by one algorithm: there is no digest and no padding to choose.
PURE_KEYS = (
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)

#: As people write them. The library has the names of the standards.
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def keyWeakness(key: object) -> str:
    """Return how a public key is too weak for any signature, as a noun phrase, or nothing where it is strong enough."""
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey):
        return _factoredWeakness(key)
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < SMALLEST_CURVE:
        return f"a key on the curve {key.curve.name}, and {SMALLEST_CURVE} bits are needed"
    return ""


def handshakeKeyWeakness(certificate: x509.Certificate) -> str:
    """Return why no handshake should be signed with the key of a certificate, as a noun phrase; nothing where one can.

    The signature is that of CertificateVerify (RFC 8446, section 4.4.3), and of TLS 1.2's ServerKeyExchange.
    """
    return unsignableKey(certificate) or keyWeakness(certificate.public_key())


def unsignableKey(certificate: x509.Certificate) -> str:
    """Return why no handshake can be signed with the key of a certificate, however long it is, as a noun phrase.

    OpenSSL does not say so: it finds no common cipher suite, or sends no certificate.
    """
    if isForPSSAlone(certificate):
        # `cryptography` forgets the restriction when it loads the private key, and OpenSSL then signs with neither.
        return "an RSA key that is for PSS alone (id-RSASSA-PSS), which cannot be used here"
    try:
        key = certificate.public_key()
    except REJECTIONS:
        return "a key of a kind that TLS peers do not accept"
    if isinstance(key, ec.EllipticCurvePublicKey):
        isKnown = key.curve.name in TLS_CURVES
        return "" if isKnown else f"a key on the curve {key.curve.name}, which TLS peers do not accept"
    if isinstance(key, (rsa.RSAPublicKey, *PURE_KEYS)):
        return ""
    return f"a key of the kind {keyKind(key)}, which TLS peers do not accept"


def keyKind(key: object) -> str:
    """Return what kind of key it is, public or private: ``ECDSA P-256``, ``RSA 2048``, ``Ed25519``, ``ML-DSA-65``."""
    kind = _kindName(key)
    curve = getattr(key, "curve", None)
    if isinstance(curve, ec.EllipticCurve):
        return f"ECDSA {_CURVES.get(curve.name, curve.name)}"
    size = getattr(key, "key_size", None)
    return f"{kind} {size}" if size and kind in ("RSA", "DSA", "DH") else kind


def keyText(certificate: x509.Certificate) -> str:
    """Return what kind of key a certificate has, as a noun phrase."""
    try:
        key = certificate.public_key()
    except REJECTIONS:
        return "a key of a kind that is not known here"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"a key on the curve {key.curve.name}"
    size = getattr(key, "key_size", None)
    return f"a key of the kind {_kindName(key)}" + (f" with {size} bits" if size else "")


def isForPSSAlone(certificate: x509.Certificate) -> bool:
    """Return whether the key of a certificate is an RSA key that signs by RSASSA-PSS alone (RFC 4055, section 1.2)."""
    return certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS


def digestWeakness(certificate: x509.Certificate) -> str:
    """Return the name of the digest that a certificate is signed with where that is too weak, else nothing.

    Raises:
        UnsupportedAlgorithm: the signature is of an algorithm that `cryptography` does not know.
    """
    digest = certificate.signature_hash_algorithm
    return digest.name if isinstance(digest, WEAK_DIGESTS) else ""


def _kindName(key: object) -> str:
    name = type(key).__name__.lstrip("_").removesuffix("PublicKey").removesuffix("PrivateKey")
    return f"ML-DSA-{name[-2:]}" if name.startswith("MLDSA") else name


def _factoredWeakness(key: rsa.RSAPublicKey | dsa.DSAPublicKey) -> str:
    kind = "an RSA key" if isinstance(key, rsa.RSAPublicKey) else "a DSA key"
    if key.key_size < SMALLEST_FACTORED:
        return f"{kind} of {key.key_size} bits, and {SMALLEST_FACTORED} are needed"
    if key.key_size > LARGEST_FACTORED:
        return f"{kind} of {key.key_size} bits, and {LARGEST_FACTORED} are the most"
    if isinstance(key, rsa.RSAPublicKey) and ((e := key.public_numbers().e) < 3 or not e % 2):
        return f"an RSA key whose exponent is {e}"
    if isinstance(key, rsa.RSAPublicKey) and (bits := key.public_numbers().e.bit_length()) > LARGEST_EXPONENT:
        return f"an RSA key whose exponent has {bits} bits, and {LARGEST_EXPONENT} are the most"
    return ""
