"""Private keys: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC1 (RFC 5915), and DSA's old form; encrypted in PKCS#8 or not.

`cryptography` loads them, and is strict. Four deviations that other programs write are put right here:

* GnuTLS 3.7 writes every second key of an elliptic curve with a zero too many in front, and others leave zeros out.
* PKCS#8 has a second version, with the public key in it. Rust's and Go's tools write it for Ed25519.
* OpenSSL passes over bytes after the end.
* OpenSSL 3.5 and newer write a key of ML-DSA with its seed and what follows from it (RFC 9881, section 6).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from tlscomm.credentials._contents import Contents, Reading, named
from tlscomm.credentials._cost import Unsupported
from tlscomm.credentials._encryption import encryptionOf
from tlscomm.credentials._passphrase import Secret, Spelling, WrongPassphrase, spellings
from tlscomm.credentials._pbes2 import PBES2
from tlscomm.credentials._sources import Source
from tlscomm.failures import Damaged
from tlscomm.x509 import _der
from tlscomm.x509._der import INTEGER, OCTET_STRING, SEQUENCE, Element
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["decryptedKey", "loadedKey", "readEncryptedKey", "readKey"]

#: An RSA key of 8192 bits has 4,700, and takes four seconds to check. The time grows with the third power.
_LARGEST_KEY = 5200
#: With attributes, and the padding of a cipher.
_LARGEST_ENCRYPTED_KEY = _LARGEST_KEY + 1024

_CONSTRUCTED = 0x20

_EC = "1.2.840.10045.2.1"
#: What cryptography 50 loads.
_SUPPORTED = {
    _EC: "EC",
    "1.2.840.113549.1.1.1": "RSA",
    "1.2.840.113549.1.1.10": "RSA-PSS",
    "1.2.840.10040.4.1": "DSA",
    "1.3.101.110": "X25519",
    "1.3.101.111": "X448",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}


def readKey(source: Source, reading: Reading) -> Contents:
    """Read a private key that is not encrypted, whatever its form.

    Raises:
        Damaged: it is broken.
        UnknownFormat: it is of a kind that is not supported, or too large.
    """
    if not reading.wantKeys:
        return Contents(holdsKey=True)
    what = f"the private key in {source.name}"
    with named(what):
        key = _der.first(source.content)
        return Contents(keys=(loadedKey(Secret(key.encoded), what, reading),), holdsKey=True)


def readEncryptedKey(source: Source, reading: Reading) -> Contents:
    """Read an EncryptedPrivateKeyInfo.

    Raises:
        Damaged: it is broken.
        UnknownFormat: key or encryption is of a kind that is not supported, too large, or costs too much.
        PassphraseRequired, PassphraseWrong: no pass phrase opens it.
    """
    what = f"the encrypted private key in {source.name}"
    with named(what):
        info = _der.first(source.content)
        info.parts(SEQUENCE, OCTET_STRING)
        if not reading.wantKeys:
            return Contents(holdsKey=True)
        for secret in reading.passphrase.candidates(source.name):
            for spelling in spellings(secret):
                with suppress(WrongPassphrase), reading.attempt():
                    return Contents(keys=(decryptedKey(info, spelling, what, reading),), holdsKey=True)
    raise reading.passphrase.refusal(source.name)


def decryptedKey(info: Element, spelling: Spelling, what: str, reading: Reading) -> PrivateKeyTypes:
    """Decrypt and load an EncryptedPrivateKeyInfo (RFC 5958, section 3).

    Raises:
        WrongPassphrase: the pass phrase does not open it, in this spelling.
        Damaged: the key is broken.
        Malformed: it is none.
        Unsupported: its encryption is not supported, or costs too much.
    """
    algorithm, encrypted, *_ = info.parts(SEQUENCE, OCTET_STRING)
    size = encrypted.end - encrypted.start
    if size > _LARGEST_ENCRYPTED_KEY:
        raise Unsupported(f"it has more than {_LARGEST_ENCRYPTED_KEY} bytes, which is too large for a private key")
    encryption = encryptionOf(algorithm)
    if isinstance(encryption, PBES2):
        return loadedKey(encryption.opened(spelling, encrypted.value, reading.work), what, reading)
    _countKey(size, reading)
    return encryption.key(encrypted.value, spelling, reading.work)


def loadedKey(der: Secret, what: str, reading: Reading) -> PrivateKeyTypes:
    """Load a private key.

    Args:
        der: one element of ASN.1 and nothing else.
        what: what is being read, and of which source.
        reading: counts it.

    Raises:
        Damaged: it is broken.
        Malformed: its structure is.
        Unsupported: it is of a kind that is not supported, or too large.
    """
    _countKey(len(der.value), reading)
    try:
        return load_der_private_key(der.value, None)
    except (UnsupportedAlgorithm, Warning) as error:
        # The warning, where warnings are errors, is of kinds of keys that are no use to TLS.
        raise Unsupported(f"it is of a kind that is not supported ({unreadableText(error)})") from None
    except REJECTIONS as error:
        reason = unreadableText(error)
    key = _mended(_der.first(der.value))
    if key is None:
        raise Damaged(what, evidence=(reason,))
    return key


def _countKey(size: int, reading: Reading) -> None:
    reading.countKey(size)
    if size > _LARGEST_KEY:
        raise Unsupported(f"it has {size} bytes; keys are read up to {_LARGEST_KEY}, which is RSA of 8192 bits")


def _mended(key: Element) -> PrivateKeyTypes | None:
    """Load a key that deviates in one of the known ways, or return None. Raises as `loadedKey` does."""
    parts = key.parts()
    tags = tuple(part.tag for part in parts[:3])
    if tags[:2] == (INTEGER, OCTET_STRING):
        return _curveKey(key, None)
    if tags != (INTEGER, SEQUENCE, OCTET_STRING):
        return None
    version, algorithm, inner, *_ = parts
    identifier, parameters = algorithm.algorithm()
    if identifier not in _SUPPORTED:
        raise Unsupported(f"it is of a kind that is not supported ({identifier})")
    if _SUPPORTED[identifier].startswith("ML-DSA"):
        return _fromSeed(algorithm, inner)
    if version.integer() == 1 and (found := _ofFirstVersion(algorithm, inner)) is not None:
        return found
    return _curveKey(inner.inner(), parameters) if identifier == _EC else None


def _ofFirstVersion(algorithm: Element, key: Element) -> PrivateKeyTypes | None:
    content = b"\x02\x01\x00" + algorithm.encoded + key.encoded
    try:
        return load_der_private_key(_der.encode(SEQUENCE, content), None)
    except REJECTIONS:
        return None


def _fromSeed(algorithm: Element, key: Element) -> PrivateKeyTypes | None:
    """Load a key of ML-DSA from its seed, if the key that is written beside it is the one that follows from it."""
    content = key.inner()
    if content.tag == OCTET_STRING:
        raise Unsupported(
            "it is a key of ML-DSA without its seed, by which keys are loaded here; OpenSSL writes the seed as well "
            "unless ml-dsa.output_formats says otherwise"
        )
    seed, expanded = content.parts(OCTET_STRING, OCTET_STRING)
    bare = _der.encode(_der.CONTEXT_0 & ~_CONSTRUCTED, seed.value)
    loaded = _ofFirstVersion(algorithm, _der.first(_der.encode(OCTET_STRING, bare)))
    return loaded if _follows(loaded, expanded.value) else None


def _follows(key: PrivateKeyTypes | None, expanded: bytes) -> bool:
    """Return whether an expanded key of ML-DSA has the digest of a key's public half (FIPS 204, algorithm 6)."""
    public = getattr(key, "public_key", None)
    if public is None:
        return False
    return hashlib.shake_256(public().public_bytes_raw()).digest(64) == expanded[64:128]


def _curveKey(key: Element, parameters: Element | None) -> PrivateKeyTypes | None:
    """Work out a key of an elliptic curve from its number, if that has another length than it should have.

    Where the length is right the number is wrong, and a key worked out from it would be another one's.
    """
    _, number, *more = key.parts(INTEGER, OCTET_STRING)
    inside = {part.tag: part.wrapped() for part in more if part.tag in (_der.CONTEXT_0, _der.CONTEXT_1)}
    parameters = parameters or inside.get(_der.CONTEXT_0)
    if parameters is None or parameters.tag != _der.OBJECT_IDENTIFIER:
        return None
    try:
        curve = ec.get_curve_for_oid(x509.ObjectIdentifier(parameters.identifier()))()
        if len(number.value) == (curve.group_order.bit_length() + 7) // 8:
            return None
        mended = ec.derive_private_key(int.from_bytes(number.value, "big"), curve)
    except (LookupError, *REJECTIONS):
        return None
    return mended if _hasPoint(mended, inside.get(_der.CONTEXT_1)) else None


def _hasPoint(key: ec.EllipticCurvePrivateKey, point: Element | None) -> bool:
    forms = (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint)
    # A bit string begins with the number of bits that are not used.
    return point is None or point.value[1:] in [key.public_key().public_bytes(Encoding.X962, form) for form in forms]
