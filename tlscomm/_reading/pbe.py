"""What is encrypted with a pass phrase: in PKCS#8 and PKCS#12, as PKCS#5 and PKCS#12 lay down.

`cryptography` decrypts private keys and whole PFX files, and answers a wrong pass phrase, a damaged file and a cipher
that it does not have with one text. With its ciphers used one by one, each of these has a name, and nothing is worked
out before its cost is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, SEED, Blowfish, Camellia, TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4

from tlscomm import _der
from tlscomm._reading import kdf, rc2
from tlscomm._reading.kdf import IV, KEY, Derivation, Spelling, Unsupported, Work, algorithmOf
from tlscomm._reading.passphrase import Secret

__all__ = ["Scheme", "schemeOf"]

#: Python decrypts it at 300 kB a second.
_LARGEST_RC2 = 1 << 19

_PBES2 = "1.2.840.113549.1.5.13"

Decrypt: TypeAlias = "Callable[[bytes, bytes, bytes], bytes]"
"""Takes a key, an initial value and the ciphertext. Raises `ValueError` where these cannot be right."""


@dataclass(frozen=True)
class Scheme:
    """How something is encrypted.

    Attributes:
        derivation: how the key comes from the pass phrase.
        keySize: of the key, in bytes.
        iv: the initial value, or its size in bytes where it comes from the pass phrase too.
        decrypt: the cipher.
    """

    derivation: Derivation
    keySize: int
    iv: bytes | int
    decrypt: Decrypt

    def opened(self, spelling: Spelling, ciphertext: bytes, work: Work) -> Secret | None:
        """Decrypt something that encodes one element of ASN.1, as all does that is encrypted so.

        Returns:
            The element, or None where the pass phrase is wrong.

        Raises:
            Unsupported: it costs too much.
        """
        work.spend(self.derivation.rounds)
        key = Secret(self.derivation.derive(spelling, KEY, self.keySize))
        iv = self.iv if isinstance(self.iv, bytes) else self.derivation.derive(spelling, IV, self.iv)
        try:
            plain = Secret(self.decrypt(key.value, iv, ciphertext))
        except ValueError:
            return None
        return plain if _isOneElement(plain) else None


def schemeOf(algorithm: _der.Element) -> Scheme:
    """Read how something is encrypted.

    Args:
        algorithm: the AlgorithmIdentifier.

    Raises:
        Malformed: it is none.
        Unsupported: it is not known here, or costs too much.
    """
    identifier, parameters = algorithmOf(algorithm)
    if parameters is None:
        raise _der.Malformed("the encryption has no parameters")
    if identifier == _PBES2:
        return _pbes2(parameters)
    if identifier in _PBES1:
        return _pbes1(identifier, parameters)
    if identifier in _PKCS12:
        return _pkcs12(identifier, parameters)
    raise _unsupported(identifier)


def _pbes2(parameters: _der.Element) -> Scheme:
    # RFC 8018, appendix A.4.
    function, scheme, *_ = parameters.parts(_der.SEQUENCE, _der.SEQUENCE)
    identifier, details = algorithmOf(scheme)
    if details is None:
        raise _der.Malformed("the cipher has no parameters")
    if identifier == _RC2_CBC:
        return _rc2InPBES2(function, details)
    if identifier not in _CIPHERS:
        raise _unsupported(identifier)
    algorithm, size, block = _CIPHERS[identifier]
    derivation, iv = kdf.pbes2Derivation(function, size), _initialValue(details, block)
    return Scheme(derivation, size, iv, partial(_cbc, algorithm, block))


def _rc2InPBES2(function: _der.Element, details: _der.Element) -> Scheme:
    # RFC 8018, appendix B.2.3: a number for the effective bits, 32 where it is missing, and the initial value. The
    # length of the key is left open there; all programs take that of the effective bits.
    *version, iv = details.parts() or [details]
    number = version[0].integer() if version else 0
    if number not in _RC2_BITS:
        raise Unsupported(f"RC2 with the version number {number} is not supported")
    bits = _RC2_BITS[number]
    return Scheme(
        kdf.pbes2Derivation(function, bits // 8), bits // 8, _initialValue(iv, rc2.BLOCK), partial(_rc2CBC, bits)
    )


def _pbes1(identifier: str, parameters: _der.Element) -> Scheme:
    # RFC 8018, appendix A.3.
    function, decrypt = _PBES1[identifier]
    salt, iterations, *_ = parameters.parts(_der.OCTET_STRING, _der.INTEGER)
    return Scheme(kdf.pbkdf1Derivation(kdf.hashOf(function), salt, iterations.integer()), 8, 8, decrypt)


def _pkcs12(identifier: str, parameters: _der.Element) -> Scheme:
    # RFC 7292, appendix C.
    size, ivSize, decrypt = _PKCS12[identifier]
    salt, iterations, *_ = parameters.parts(_der.OCTET_STRING, _der.INTEGER)
    derivation = kdf.pkcs12Derivation(kdf.hashOf(kdf.SHA1), salt, iterations.integer(), size + ivSize)
    return Scheme(derivation, size, ivSize, decrypt)


def _initialValue(element: _der.Element, size: int) -> bytes:
    if element.tag != _der.OCTET_STRING or len(element.value) != size:
        raise _der.Malformed("the initial value of the cipher is of the wrong size")
    return element.value


def _cbc(algorithm: Callable[[bytes], CipherAlgorithm], block: int, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    try:
        decryptor = Cipher(algorithm(key), modes.CBC(iv)).decryptor()
    except UnsupportedAlgorithm:
        raise Unsupported("this OpenSSL does not have its cipher") from None
    return _unpadded(decryptor.update(ciphertext) + decryptor.finalize(), block)


def _rc2CBC(bits: int, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    if len(ciphertext) > _LARGEST_RC2:
        raise Unsupported(f"it has {len(ciphertext)} bytes in RC2; at most {_LARGEST_RC2} are decrypted")
    if len(ciphertext) % rc2.BLOCK:
        raise ValueError("it does not end with a block")
    return _unpadded(rc2.decrypt(key, bits, iv, ciphertext), rc2.BLOCK)


def _rc4(key: bytes, _iv: bytes, ciphertext: bytes) -> bytes:
    try:
        return Cipher(ARC4(key), None).decryptor().update(ciphertext)
    except UnsupportedAlgorithm:
        raise Unsupported("this OpenSSL does not have its cipher, RC4") from None


def _twoKeys(key: bytes) -> CipherAlgorithm:
    return TripleDES(key + key[:8])


def _oneKey(key: bytes) -> CipherAlgorithm:
    return TripleDES(key * 3)


def _unpadded(padded: bytes, block: int) -> bytes:
    # RFC 8018, section 6.1.1. Nobody can ask this twice, so how long it takes tells nobody anything.
    size = padded[-1] if padded else 0
    if not 1 <= size <= block or not padded.endswith(bytes([size]) * size):
        raise ValueError("the padding is wrong")
    return padded[:-size]


def _isOneElement(plain: Secret) -> bool:
    try:
        return _der.first(plain.value).following == len(plain.value)
    except _der.Malformed:
        return False


def _unsupported(identifier: str) -> Unsupported:
    name = f"{_NAMES[identifier]} ({identifier})" if identifier in _NAMES else identifier
    return Unsupported(f"it is encrypted with {name}, which is not supported")


_DES = partial(_cbc, _oneKey, 8)
_TRIPLE_DES = partial(_cbc, TripleDES, 8)

_RC2_CBC = "1.2.840.113549.3.2"
#: RFC 8018, appendix B.2.3: 0 stands for no number at all.
_RC2_BITS = {0: 32, 58: 128, 120: 64, 160: 40}

#: The ciphers of PBES2: each with the sizes of its key and of its blocks.
_CIPHERS: dict[str, tuple[Callable[[bytes], CipherAlgorithm], int, int]] = {
    "2.16.840.1.101.3.4.1.2": (AES, 16, 16),
    "2.16.840.1.101.3.4.1.22": (AES, 24, 16),
    "2.16.840.1.101.3.4.1.42": (AES, 32, 16),
    "1.2.840.113549.3.7": (TripleDES, 24, 8),
    "1.3.14.3.2.7": (_oneKey, 8, 8),
    "1.3.6.1.4.1.3029.1.2": (Blowfish, 16, 8),
    "1.2.392.200011.61.1.1.1.2": (Camellia, 16, 16),
    "1.2.392.200011.61.1.1.1.3": (Camellia, 24, 16),
    "1.2.392.200011.61.1.1.1.4": (Camellia, 32, 16),
    "1.2.410.200004.1.4": (SEED, 16, 16),
    "1.2.156.10197.1.104.2": (SM4, 16, 16),
}

#: The schemes of PBES1: each with its hash function and its cipher.
_PBES1: dict[str, tuple[str, Decrypt]] = {
    "1.2.840.113549.1.5.3": (kdf.MD5, _DES),
    "1.2.840.113549.1.5.6": (kdf.MD5, partial(_rc2CBC, 64)),
    "1.2.840.113549.1.5.10": (kdf.SHA1, _DES),
    "1.2.840.113549.1.5.11": (kdf.SHA1, partial(_rc2CBC, 64)),
}

#: The schemes of PKCS#12, all with SHA-1: the sizes of key and initial value, and the cipher.
_PKCS12: dict[str, tuple[int, int, Decrypt]] = {
    "1.2.840.113549.1.12.1.1": (16, 0, _rc4),
    "1.2.840.113549.1.12.1.2": (5, 0, _rc4),
    "1.2.840.113549.1.12.1.3": (24, 8, _TRIPLE_DES),
    "1.2.840.113549.1.12.1.4": (16, 8, partial(_cbc, _twoKeys, 8)),
    "1.2.840.113549.1.12.1.5": (16, 8, partial(_rc2CBC, 128)),
    "1.2.840.113549.1.12.1.6": (5, 8, partial(_rc2CBC, 40)),
}

#: What is met and not supported.
_NAMES = {
    "1.2.410.200046.1.1.2": "ARIA-128-CBC",
    "1.2.410.200046.1.1.7": "ARIA-192-CBC",
    "1.2.410.200046.1.1.12": "ARIA-256-CBC",
    "1.2.840.113533.7.66.10": "CAST-128",
    "1.3.6.1.4.1.188.7.1.1.2": "IDEA",
    "1.2.643.2.2.21": "GOST 28147-89",
    "1.2.643.7.1.1.5.2.2": "GOST Kuznyechik",
    "1.2.840.113549.1.5.1": "PBES1 with MD2 and DES",
    "1.2.840.113549.1.5.4": "PBES1 with MD2 and RC2",
}
