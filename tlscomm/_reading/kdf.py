"""From a pass phrase to a key, at a cost that has a limit.

Whoever writes an encrypted file decides how much work it is to open it, and a file of a kilobyte can ask for hours, or
for the memory of the machine. So every cost is read and weighed before anything is worked out. Costs are counted in
rounds of a hash function, a million of which take between a tenth of a second and two.

The derivation of PKCS#12 is not in `cryptography`, apart from the loader that pays what a file asks for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from cryptography.exceptions import InternalError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tlscomm._der import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Element, Malformed
from tlscomm._reading.passphrase import Secret

__all__ = [
    "Derivation",
    "Purpose",
    "Spelling",
    "Unsupported",
    "Work",
    "algorithmOf",
    "hashOf",
    "hmacOf",
    "pbes2Derivation",
    "pbkdf1Derivation",
    "pkcs12Derivation",
    "spellings",
]

#: The same limit as Java's. Programs write between 1,000 and 1,300,000.
MOST_ROUNDS = 5_000_000
#: For all keys, certificates and pass phrases of one source together.
MOST_ROUNDS_IN_ALL = 4 * MOST_ROUNDS
MOST_MEMORY = 256 * 1024 * 1024
_LONGEST_SALT = 1024

#: What a derived value is for (RFC 7292, appendix B.3).
Purpose: TypeAlias = int
KEY: Purpose = 1
IV: Purpose = 2
MAC: Purpose = 3

MD5, SHA1 = "1.2.840.113549.2.5", "1.3.14.3.2.26"

_DIGESTS = {
    MD5: "md5",
    SHA1: "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.5": "sha512_224",
    "2.16.840.1.101.3.4.2.6": "sha512_256",
    "2.16.840.1.101.3.4.2.7": "sha3_224",
    "2.16.840.1.101.3.4.2.8": "sha3_256",
    "2.16.840.1.101.3.4.2.9": "sha3_384",
    "2.16.840.1.101.3.4.2.10": "sha3_512",
    "1.2.156.10197.1.401": "sm3",
}

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

_PBKDF2 = "1.2.840.113549.1.5.12"
_SCRYPT = "1.3.6.1.4.1.11591.4.11"

Hash: TypeAlias = Callable[..., Any]


class Unsupported(Exception):
    """It cannot be opened here, whatever the pass phrase. The text is the reason, as a clause."""


@dataclass(frozen=True, repr=False)
class Spelling:
    """A pass phrase as bytes, which each standard spells in its own way. Its `repr` does not show it.

    Attributes:
        wide: as PKCS#12 has it: UTF-16, and two zeros at the end (RFC 7292, appendix B.1).
        plain: as PKCS#5 has it: the bytes as they are.
    """

    wide: bytes
    plain: bytes


@dataclass(frozen=True)
class Derivation:
    """How a key comes from a pass phrase.

    Attributes:
        rounds: what it costs.
        derive: returns a value for a purpose, of a length in bytes.
    """

    rounds: int
    derive: Callable[[Spelling, Purpose, int], bytes]


class Work:
    """How much may still be spent on one source."""

    def __init__(self) -> None:
        self._left = MOST_ROUNDS_IN_ALL

    def spend(self, rounds: int) -> None:
        """Take note of a cost before it is paid.

        Raises:
            Unsupported: it is too much.
        """
        self._left -= rounds
        if self._left < 0:
            raise Unsupported(f"it costs more than {MOST_ROUNDS_IN_ALL} rounds of key derivation in all")


def spellings(secret: Secret) -> Iterator[Spelling]:
    """Return a pass phrase in each way in which programs have spelt it, the right one first.

    The empty one is two zeros or nothing at all. One that is not ASCII was once widened byte by byte, without a look at
    its encoding.
    """
    plain = secret.value
    yield Spelling(_wide(plain) + b"\0\0", plain)
    if not plain:
        yield Spelling(b"", b"")
    elif not plain.isascii():
        yield Spelling(plain.decode("latin-1").encode("utf-16-be") + b"\0\0", plain)


def algorithmOf(algorithm: Element) -> tuple[str, Element | None]:
    """Return the object identifier of an AlgorithmIdentifier, and its parameters."""
    if algorithm.tag != SEQUENCE:
        raise Malformed("there is no algorithm")
    identifier, *parameters = algorithm.parts(OBJECT_IDENTIFIER)
    return identifier.identifier(), parameters[0] if parameters else None


def hashOf(identifier: str) -> Hash:
    """Return a hash function.

    Raises:
        Unsupported: this Python does not have it.
    """
    name = _DIGESTS.get(identifier, "")
    if name not in hashlib.algorithms_available:
        raise Unsupported(f"its hash function {identifier} is not supported")
    # Where a policy forbids an old function, it does so for new signatures.
    return partial(getattr(hashlib, name, partial(hashlib.new, name)), usedforsecurity=False)


def hmacOf(algorithm: Element) -> hashes.HashAlgorithm:
    """Return the hash function of an HMAC.

    Args:
        algorithm: its AlgorithmIdentifier.

    Raises:
        Unsupported: it is not known here.
    """
    identifier, _ = algorithmOf(algorithm)
    if identifier not in _HMACS:
        raise Unsupported(f"its HMAC {identifier} is not supported")
    return _HMACS[identifier]


def pkcs12Derivation(function: Hash, salt: Element, iterations: int, size: int) -> Derivation:
    """Read the derivation of PKCS#12 (RFC 7292, appendix B.2).

    Args:
        function: the hash function.
        salt: the salt.
        iterations: how often it is applied.
        size: how many bytes will be asked for in all, for the cost.
    """
    salted = _salt(salt)
    blocks = -(-size // function().digest_size)
    count = _bounded("PKCS#12's key derivation", iterations, blocks)

    def derive(spelling: Spelling, purpose: Purpose, length: int) -> bytes:
        mixed = _repeated(salted, function().block_size) + _repeated(spelling.wide, function().block_size)
        return b"".join(_pkcs12(function, mixed, count, purpose, length))[:length]

    return Derivation(count * blocks, derive)


def pbkdf1Derivation(function: Hash, salt: Element, iterations: int) -> Derivation:
    """Read PBKDF1 (RFC 8018, section 5.1). Key and initial value are the two halves of what it derives."""
    salted = _salt(salt)
    count = _bounded("PBKDF1", iterations, 1)

    def derive(spelling: Spelling, purpose: Purpose, length: int) -> bytes:
        derived = spelling.plain + salted
        for _ in range(count):
            derived = function(derived).digest()
        return derived[:length] if purpose == KEY else derived[8 : 8 + length]

    # Key and initial value are worked out apart.
    return Derivation(2 * count, derive)


def pbes2Derivation(algorithm: Element, size: int) -> Derivation:
    """Read the key derivation of PBES2 (RFC 8018, section 6.2): PBKDF2, or scrypt (RFC 7914, section 7).

    Args:
        algorithm: its AlgorithmIdentifier.
        size: how many bytes will be asked for.
    """
    identifier, parameters = algorithmOf(algorithm)
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
    salted, blocks = _salt(salt), -(-size // function.digest_size)
    count = _bounded("PBKDF2", iterations.integer(), blocks)

    def derive(spelling: Spelling, _purpose: Purpose, length: int) -> bytes:
        return PBKDF2HMAC(function, length, salted, count).derive(spelling.plain)

    return Derivation(count * blocks, derive)


def _scrypt(parameters: Element) -> Derivation:
    salt, *costs = parameters.parts(OCTET_STRING, INTEGER, INTEGER, INTEGER)
    n, r, p = (cost.integer() for cost in costs[:3])
    salted = _salt(salt)
    # Section 2: N is a power of 2; a step takes about as long as a round of a hash function.
    if n < 2 or n & (n - 1) or not r or not p:
        raise Malformed("scrypt has impossible parameters")
    if 128 * n * r > MOST_MEMORY:
        raise Unsupported(f"scrypt asks for {128 * n * r} bytes of memory; at most {MOST_MEMORY} are given to it")
    rounds = _bounded("scrypt", n * r * p, 1)

    def derive(spelling: Spelling, _purpose: Purpose, length: int) -> bytes:
        try:
            return Scrypt(salted, length, n, r, p).derive(spelling.plain)
        except (InternalError, MemoryError, ValueError):
            raise Unsupported(f"scrypt cannot be worked out with the parameters {n}, {r} and {p}") from None

    return Derivation(rounds, derive)


def _pkcs12(function: Hash, mixed: bytes, count: int, purpose: Purpose, length: int) -> Iterator[bytes]:
    # Appendix B.2; `mixed` is its I, and the numbers are those of its steps.
    size, block = function().digest_size, function().block_size
    diversifier = bytes([purpose]) * block  # 1
    for _ in range(0, length, size):  # 6
        digest = function(diversifier + mixed).digest()
        for _ in range(count - 1):
            digest = function(digest).digest()
        yield digest
        addend = int.from_bytes(_repeated(digest, block)[:block], "big") + 1
        mixed = b"".join(
            ((int.from_bytes(mixed[at : at + block], "big") + addend) % (1 << 8 * block)).to_bytes(block, "big")
            for at in range(0, len(mixed), block)
        )


def _repeated(value: bytes, block: int) -> bytes:
    # Up to the next whole block; nothing stays nothing.
    size = -(-len(value) // block) * block
    return (value * (size // len(value) + 1))[:size] if value else b""


def _wide(plain: bytes) -> bytes:
    try:
        return plain.decode("utf-8").encode("utf-16-be")
    except UnicodeDecodeError:
        return plain.decode("latin-1").encode("utf-16-be")


def _salt(salt: Element) -> bytes:
    if salt.tag != OCTET_STRING or len(value := salt.value) > _LONGEST_SALT:
        raise Malformed("there is no salt of a sensible size")
    return value


def _bounded(name: str, count: int, blocks: int) -> int:
    if count < 1:
        raise Malformed(f"{name} has no rounds")
    if count * blocks > MOST_ROUNDS:
        raise Unsupported(f"{name} costs {count * blocks} rounds; at most {MOST_ROUNDS} are worked out")
    return count
