"""PFX files that no program at hand writes: taken together from their parts, in DER or in BER (RFC 7292)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

MD5_DES = "1.2.840.113549.1.5.3"
SALT, IV = b"saltsalt", bytes(16)

DATA, SIGNED_DATA, ENVELOPED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG, SHROUDED_BAG, CERTIFICATE_BAG, REVOCATION_BAG, SECRET_BAG, BAG_OF_BAGS = (
    f"1.2.840.113549.1.12.10.1.{number}" for number in range(1, 7)
)
SHA256, HMAC_SHA256, AES_256 = "2.16.840.1.101.3.4.2.1", "1.2.840.113549.2.9", "2.16.840.1.101.3.4.1.42"
PBES2, PBKDF2, SCRYPT, PBMAC1 = (
    *("1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"),
    *("1.3.6.1.4.1.11591.4.11", "1.2.840.113549.1.5.14"),
)


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def indefinite(tag: int, content: bytes) -> bytes:
    return bytes((tag, 0x80)) + content + b"\0\0"


def seq(*parts: bytes) -> bytes:
    return der(0x30, b"".join(parts))


def octets(content: bytes) -> bytes:
    return der(0x04, content)


def explicit(content: bytes, number: int = 0) -> bytes:
    return der(0xA0 + number, content)


def integer(value: int) -> bytes:
    return der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(number) for number in dotted.split("."))
    content = bytearray()
    for number in (40 * first + second, *rest):
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.insert(0, 0x80 | number & 0x7F)
        content += bytes(septets)
    return der(0x06, bytes(content))


def pbkdf2(rounds: int = 1000, function: str = HMAC_SHA256, salt: bytes = SALT) -> bytes:
    return seq(oid(PBKDF2), seq(octets(salt), integer(rounds), seq(oid(function), der(5, b""))))


def scrypt(n: int, r: int, p: int) -> bytes:
    return seq(oid(SCRYPT), seq(octets(SALT), integer(n), integer(r), integer(p)))


def pbes2(derivation: bytes) -> bytes:
    return seq(oid(PBES2), seq(derivation, seq(oid(AES_256), octets(IV))))


class Encloses:
    """What encrypts."""

    @property
    def algorithm(self) -> bytes:
        raise NotImplementedError

    def encrypt(self, plain: bytes) -> bytes:
        raise NotImplementedError

    def key(self, key: bytes) -> bytes:
        """EncryptedPrivateKeyInfo."""
        return seq(self.algorithm, octets(self.encrypt(key)))

    def safe(self, *bags: bytes) -> bytes:
        """A safe that is encrypted as a whole."""
        info = seq(oid(DATA), self.algorithm, der(0x80, self.encrypt(seq(*bags))))
        return seq(oid(ENCRYPTED_DATA), explicit(seq(integer(0), info)))


@dataclass(frozen=True)
class Locked(Encloses):
    """What encrypts: PBES2 with AES-256.

    Attributes:
        passphrase: the pass phrase.
        rounds: how many rounds of PBKDF2.
        derivation: what the file says of the key derivation instead of the truth.
    """

    passphrase: bytes
    rounds: int = 1000
    derivation: bytes | None = None

    @property
    def algorithm(self) -> bytes:
        return pbes2(self.derivation or pbkdf2(self.rounds))

    def encrypt(self, plain: bytes) -> bytes:
        padder = padding.PKCS7(128).padder()
        key = PBKDF2HMAC(hashes.SHA256(), 32, SALT, self.rounds).derive(self.passphrase)
        encryptor = Cipher(algorithms.AES(key), modes.CBC(IV)).encryptor()
        return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


@dataclass(frozen=True)
class OldLocked(Encloses):
    """What encrypts: PBES1 with MD5 and DES.

    Attributes:
        passphrase: the pass phrase.
        rounds: what the file says of the rounds, which are one in truth.
    """

    passphrase: bytes
    rounds: int = 1

    @property
    def algorithm(self) -> bytes:
        return seq(oid(MD5_DES), seq(octets(SALT), integer(self.rounds)))

    def encrypt(self, plain: bytes) -> bytes:
        padder = padding.PKCS7(64).padder()
        derived = hashlib.md5(self.passphrase + SALT).digest()
        encryptor = Cipher(TripleDES(derived[:8] * 3), modes.CBC(derived[8:])).encryptor()
        return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()


def pkcs8(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def bag(kind: str, value: bytes, name: str = "", localKeyID: bytes = b"") -> bytes:
    attributes = b""
    if name:
        attributes += seq(oid("1.2.840.113549.1.9.20"), der(0x31, der(0x1E, name.encode("utf-16-be"))))
    if localKeyID:
        attributes += seq(oid("1.2.840.113549.1.9.21"), der(0x31, octets(localKeyID)))
    return seq(oid(kind), explicit(value), der(0x31, attributes) if attributes else b"")


def certificateBag(certificate: x509.Certificate, name: str = "", localKeyID: bytes = b"") -> bytes:
    content = explicit(octets(certificate.public_bytes(Encoding.DER)))
    return bag(CERTIFICATE_BAG, seq(oid("1.2.840.113549.1.9.22.1"), content), name, localKeyID)


def safe(*bags: bytes) -> bytes:
    """A safe in the clear."""
    return seq(oid(DATA), explicit(octets(seq(*bags))))


def pfx(*safes: bytes, mac: bytes = b"") -> bytes:
    return seq(integer(3), seq(oid(DATA), explicit(octets(seq(*safes)))), mac)


def pbmac1(safes: Iterable[bytes], passphrase: bytes, rounds: int = 1000) -> bytes:
    """An integrity check of RFC 9579."""
    key = PBKDF2HMAC(hashes.SHA256(), 32, SALT, rounds).derive(passphrase)
    digest = hmac.digest(key, seq(*safes), hashlib.sha256)
    parameters = seq(pbkdf2(rounds), seq(oid(HMAC_SHA256), der(5, b"")))
    return seq(seq(seq(oid(PBMAC1), parameters), octets(digest)), octets(b""), integer(1))


def macOf(rounds: int, function: str = SHA256) -> bytes:
    """An integrity check that fails, and costs so much."""
    return seq(seq(seq(oid(function), der(5, b"")), octets(bytes(32))), octets(SALT), integer(rounds))
