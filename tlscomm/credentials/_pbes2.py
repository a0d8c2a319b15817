"""PBES2, with which today's programs encrypt private keys and PKCS#12 (RFC 8018, section 6.2).

`cryptography` has its derivations and ciphers. They are put together here, because its loaders of whole files give the
first of several keys alone, and pay whatever is asked for by a key that shows only when what encloses it is decrypted.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InternalError
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._cost import MOST_MEMORY, Unsupported, UnsupportedCipher, Work, bounded, saltOf
from tlscomm.credentials._passphrase import Secret, Spelling, WrongPassphrase
from tlscomm.x509 import _der
from tlscomm.x509._der import INTEGER, OCTET_STRING, SEQUENCE, Element, Malformed

__all__ = ["PBES2", "Derivation", "derivationOf", "hmacOf", "unsupportedCipher"]

_PBKDF2 = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"

#: RFC 8018, appendix B.1.
_HMACS: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.2.7": hashes.SHA1(),
    "1.2.840.113549.2.8": hashes.SHA224(),
    "1.2.840.113549.2.9": hashes.SHA256(),
    "1.2.840.113549.2.10": hashes.SHA384(),
    "1.2.840.113549.2.11": hashes.SHA512(),
    "1.2.840.113549.2.12": hashes.SHA512_224(),
    "1.2.840.113549.2.13": hashes.SHA512_256(),
}

#: Each with the size of its key.
_CIPHERS: dict[str, tuple[Callable[[bytes], CipherAlgorithm], int]] = {
    "2.16.840.1.101.3.4.1.2": (AES, 16),
    "2.16.840.1.101.3.4.1.22": (AES, 24),
    "2.16.840.1.101.3.4.1.42": (AES, 32),
    "1.2.840.113549.3.7": (TripleDES, 24),
}

#: What is met and not supported.
_NAMES = {
    "1.2.392.200011.61.1.1.1.2": "Camellia-128-CBC",
    "1.2.392.200011.61.1.1.1.3": "Camellia-192-CBC",
    "1.2.392.200011.61.1.1.1.4": "Camellia-256-CBC",
    "1.2.410.200046.1.1.2": "ARIA-128-CBC",
    "1.2.410.200046.1.1.7": "ARIA-192-CBC",
    "1.2.410.200046.1.1.12": "ARIA-256-CBC",
    "1.2.410.200004.1.4": "SEED-CBC",
    "1.2.156.10197.1.104.2": "SM4-CBC",
    "1.3.6.1.4.1.3029.1.2": "Blowfish-CBC",
    "1.3.14.3.2.7": "DES-CBC",
    "1.2.840.113549.3.2": "RC2-CBC in PBES2",
    "1.2.840.113533.7.66.10": "CAST-128",
    "1.3.6.1.4.1.188.7.1.1.2": "IDEA",
    "1.2.643.2.2.21": "GOST 28147-89",
    "1.2.643.7.1.1.5.2.2": "GOST Kuznyechik",
    "1.2.840.113549.1.5.1": "PBES1 with MD2 and DES",
    "1.2.840.113549.1.5.4": "PBES1 with MD2 and RC2",
}


@dataclass(frozen=True)
class Derivation:
    """How a key comes from a pass phrase.

    Attributes:
        rounds: what it costs.
        derive: returns a key for a pass phrase, of a length in bytes.
    """

    rounds: int
    derive: Callable[[Spelling, int], bytes]


class PBES2:
    """How something is encrypted.

    Args:
        parameters: those of its AlgorithmIdentifier (RFC 8018, appendix A.4).

    Raises:
        Malformed: they are none.
        Unsupported: its cipher or derivation is not known here, or costs too much.
    """

    def __init__(self, parameters: Element) -> None:
        function, scheme, *_ = parameters.parts(SEQUENCE, SEQUENCE)
        identifier, iv = scheme.algorithm()
        if iv is None:
            raise Malformed("the cipher has no parameters")
        if identifier not in _CIPHERS:
            raise unsupportedCipher(identifier)
        self._cipher, self._keySize = _CIPHERS[identifier]
        self._derivation = derivationOf(function, self._keySize)
        self._iv = iv.value
        if iv.tag != OCTET_STRING or 8 * len(self._iv) != _blockSize(self._cipher):
            raise Malformed("the initial value of the cipher is of the wrong size")

    def opened(self, spelling: Spelling, ciphertext: bytes, work: Work) -> Secret:
        """Decrypt something that encodes one element of ASN.1, as all does that is encrypted so.

        Raises:
            WrongPassphrase: the pass phrase does not open it.
            Unsupported: it costs too much.
        """
        work.spend(self._derivation.rounds)
        key = Secret(self._derivation.derive(spelling, self._keySize))
        decryptor = Cipher(self._cipher(key.value), modes.CBC(self._iv)).decryptor()
        unpadder = PKCS7(_blockSize(self._cipher)).unpadder()
        try:
            padded = Secret(decryptor.update(ciphertext) + decryptor.finalize())
            plain = Secret(unpadder.update(padded.value) + unpadder.finalize())
            isWhole = _der.first(plain.value).following == len(plain.value)
        except ValueError:
            raise WrongPassphrase from None
        if not isWhole:
            raise WrongPassphrase
        return plain


def _blockSize(cipher: Callable[[bytes], CipherAlgorithm]) -> int:
    return 128 if cipher is AES else 64


def unsupportedCipher(identifier: str) -> UnsupportedCipher:
    name = f"{_NAMES[identifier]} ({identifier})" if identifier in _NAMES else identifier
    return UnsupportedCipher(f"it is encrypted with {name}, which is not supported")


def hmacOf(algorithm: Element) -> hashes.HashAlgorithm:
    """Return the hash function of an HMAC.

    Args:
        algorithm: its AlgorithmIdentifier.

    Raises:
        Unsupported: it is not known here.
    """
    identifier, _ = algorithm.algorithm()
    if identifier not in _HMACS:
        raise Unsupported(f"its HMAC {identifier} is not supported")
    return _HMACS[identifier]


def derivationOf(algorithm: Element, size: int) -> Derivation:
    """Read a key derivation: PBKDF2, or scrypt (RFC 7914, section 7).

    Args:
        algorithm: its AlgorithmIdentifier.
        size: how many bytes will be asked for.

    Raises:
        Malformed: it is none.
        Unsupported: it is not known here, or costs too much.
    """
    identifier, parameters = algorithm.algorithm()
    if parameters is None:
        raise Malformed("the key derivation has no parameters")
    if identifier == _PBKDF2:
        return _pbkdf2(parameters, size)
    if identifier == _SCRYPT:
        return _scrypt(parameters)
    raise Unsupported(f"its key derivation {identifier} is not supported")


def _pbkdf2(parameters: Element, size: int) -> Derivation:
    salt, iterations, *others = parameters.parts(OCTET_STRING, INTEGER)
    # A length of the key may come before the algorithm.
    function = hmacOf(others[-1]) if others and others[-1].tag == SEQUENCE else hashes.SHA1()
    salted, blocks = saltOf(salt), -(-size // function.digest_size)
    count = bounded("PBKDF2", iterations.integer(), blocks)
    return Derivation(
        count * blocks, lambda spelling, length: PBKDF2HMAC(function, length, salted, count).derive(spelling.plain)
    )


def _scrypt(parameters: Element) -> Derivation:
    salt, *costs = parameters.parts(OCTET_STRING, INTEGER, INTEGER, INTEGER)
    n, r, p = (cost.integer() for cost in costs[:3])
    salted = saltOf(salt)
    # Section 2: N is a power of 2; a step takes about as long as a round of a hash function.
    if n < 2 or n & (n - 1) or not r or not p:
        raise Malformed("scrypt has impossible parameters")
    if 128 * n * r > MOST_MEMORY:
        raise Unsupported(f"scrypt asks for {128 * n * r} bytes of memory; at most {MOST_MEMORY} are given to it")
    rounds = bounded("scrypt", n * r * p, 1)

    def derive(spelling: Spelling, length: int) -> bytes:
        try:
            return Scrypt(salted, length, n, r, p).derive(spelling.plain)
        except (InternalError, MemoryError, ValueError):
            raise Unsupported(f"scrypt cannot be worked out with the parameters {n}, {r} and {p}") from None

    return Derivation(rounds, derive)
