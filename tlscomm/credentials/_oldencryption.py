"""The encryptions of PKCS#12 and of PBES1, in which Windows, Java and old OpenSSL write (RFC 7292, appendix C, and RFC
8018, appendix A.3): with 3DES, RC2, RC4 and DES.

`load_pkcs12` of `cryptography` is the only loader that has them all. What is to be opened is put into a PFX that holds
nothing else, and where that is a safe, a key in the clear comes before it: OpenSSL takes the first key that it finds
and decrypts no other, so a key that is hidden in the safe costs nothing, whatever it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, PKCS12KeyAndCertificates, load_pkcs12

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._cost import Unsupported, UnsupportedCipher, Work, bounded, saltOf
from tlscomm.credentials._integrity import sealed
from tlscomm.credentials._passphrase import NotOpened, Secret, Spelling, WrongPassphrase
from tlscomm.x509._der import CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Element, encode
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["OldEncryption"]

#: What cryptography 50 says where what it decrypted does not end as it should.
_WRONG = "Incorrect password"

#: A thousand certificates, with room to spare: what a safe holds is counted only when all of it has been loaded.
_LARGEST_SAFE = 1 << 21

#: The schemes of PKCS#12, each with the bytes of key and initial value. They are derived with SHA-1.
_PKCS12 = {
    "1.2.840.113549.1.12.1.1": 16,
    "1.2.840.113549.1.12.1.2": 5,
    "1.2.840.113549.1.12.1.3": 24 + 8,
    "1.2.840.113549.1.12.1.4": 16 + 8,
    "1.2.840.113549.1.12.1.5": 16 + 8,
    "1.2.840.113549.1.12.1.6": 5 + 8,
}
_TRIPLE_DES = ("1.2.840.113549.1.12.1.3", "1.2.840.113549.1.12.1.4")
_PBES1 = frozenset(f"1.2.840.113549.1.5.{number}" for number in (3, 6, 10, 11))

_DATA = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d010701"))
_ENCRYPTED_DATA = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d010706"))
_KEY_BAG = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d010c0a0101"))
_SHROUDED_KEY_BAG = encode(OBJECT_IDENTIFIER, bytes.fromhex("2a864886f70d010c0a0102"))
_ED25519 = encode(OBJECT_IDENTIFIER, bytes.fromhex("2b6570"))

_VERSION_0, _VERSION_3 = encode(INTEGER, b"\0"), encode(INTEGER, b"\3")


@dataclass(frozen=True)
class OldEncryption:
    """How something is encrypted.

    Attributes:
        algorithm: its AlgorithmIdentifier, in DER.
        rounds: what it costs.
        isWide: whether pass phrases are spelt as PKCS#12 has them.
    """

    algorithm: bytes
    rounds: int
    isWide: bool

    @classmethod
    def of(cls, algorithm: Element) -> OldEncryption | None:
        """Read an AlgorithmIdentifier; None is returned for another kind of encryption.

        Raises:
            Malformed: its parameters are none.
            Unsupported: it costs too much, or this OpenSSL does not have its cipher.
        """
        kind, *parameters = algorithm.parts(OBJECT_IDENTIFIER)
        identifier = kind.identifier()
        if not parameters or identifier not in (*_PKCS12, *_PBES1):
            return None
        if identifier not in _TRIPLE_DES and not _hasOldCiphers():
            raise UnsupportedCipher("this OpenSSL does not have its cipher")
        salt, iterations, *_ = parameters[0].parts(OCTET_STRING, INTEGER)
        salted, count = saltOf(salt), iterations.integer()
        if isWide := identifier in _PKCS12:
            blocks = -(-_PKCS12[identifier] // 20)
            rounds = bounded("PKCS#12's key derivation", count, blocks) * blocks
        else:
            # Key and initial value are worked out apart.
            rounds = 2 * bounded("PBKDF1", count, 1)
        number = encode(INTEGER, count.to_bytes(count.bit_length() // 8 + 1, "big"))
        again = encode(SEQUENCE, encode(OCTET_STRING, salted), number)
        return cls(encode(SEQUENCE, kind.encoded, again), rounds, isWide)

    def key(self, ciphertext: bytes, spelling: Spelling, work: Work) -> PrivateKeyTypes:
        """Load the key of an EncryptedPrivateKeyInfo.

        Raises:
            NotOpened: the pass phrase does not open it in this spelling, or it cannot be read.
            Unsupported: the key is of a kind that is not supported, or costs too much.
        """
        info = encode(SEQUENCE, self.algorithm, encode(OCTET_STRING, ciphertext))
        with self._tellingWrong(ciphertext, spelling):
            key = self._opened(spelling, work, _safe(_SHROUDED_KEY_BAG, info)).key
        if key is None:
            raise NotOpened
        return key

    def certificates(self, ciphertext: bytes, spelling: Spelling, work: Work) -> list[PKCS12Certificate]:
        """Load the certificates of a safe.

        Raises:
            NotOpened: the pass phrase does not open it in this spelling, or it cannot be read.
            Unsupported: it costs too much.
        """
        if (size := len(ciphertext)) > _LARGEST_SAFE:
            raise Unsupported(f"it has {size} bytes in an old encryption; at most {_LARGEST_SAFE} are decrypted")
        number = encode(OCTET_STRING, encode(OCTET_STRING, bytes(32)))
        key = encode(SEQUENCE, _VERSION_0, encode(SEQUENCE, _ED25519), number)
        encrypted = encode(SEQUENCE, _DATA, self.algorithm, encode(0x80, ciphertext))
        safe = encode(SEQUENCE, _ENCRYPTED_DATA, encode(CONTEXT_0, encode(SEQUENCE, _VERSION_0, encrypted)))
        with self._tellingWrong(ciphertext, spelling):
            opened = self._opened(spelling, work, _safe(_KEY_BAG, key) + safe)
        return [*([opened.cert] if opened.cert else []), *opened.additional_certs]

    @contextmanager
    def _tellingWrong(self, ciphertext: bytes, spelling: Spelling) -> Iterator[None]:
        """Tell a wrong pass phrase from what cannot be read, as far as the library does that for private keys."""
        try:
            yield
        except NotOpened:
            info = encode(SEQUENCE, self.algorithm, encode(OCTET_STRING, ciphertext))
            try:
                load_der_private_key(info, spelling.unwidened if self.isWide else spelling.plain)
            except REJECTIONS as refusal:
                if _WRONG in str(refusal):
                    raise WrongPassphrase from None
            raise

    def _opened(self, spelling: Spelling, work: Work, safes: bytes) -> PKCS12KeyAndCertificates:
        work.spend(self.rounds)
        passphrase = Secret(spelling.unwidened if self.isWide else spelling.plain)
        if b"\0" in passphrase.value:
            # cryptography panics, and prints that. None of the programs that write so can take one.
            raise NotOpened
        content = encode(SEQUENCE, safes)
        # OpenSSL spells the empty pass phrase as nothing at all, unless an integrity check says otherwise.
        check = sealed(content, spelling) if not passphrase.value and spelling.wide else b""
        data = encode(SEQUENCE, _DATA, encode(CONTEXT_0, encode(OCTET_STRING, content)))
        try:
            return load_pkcs12(encode(SEQUENCE, _VERSION_3, data, check), passphrase.value)
        except UnsupportedAlgorithm as error:
            # Only a key that was decrypted can be of the wrong kind.
            raise Unsupported(f"it is of a kind that is not supported ({unreadableText(error)})") from None
        except REJECTIONS:
            raise NotOpened from None


@cache
def _hasOldCiphers() -> bool:
    # They are all in one part of OpenSSL, which may be missing.
    try:
        Cipher(ARC4(bytes(16)), None).decryptor()
    except UnsupportedAlgorithm:
        return False
    return True


def _safe(kind: bytes, value: bytes) -> bytes:
    """Return a safe in the clear with one bag."""
    bags = encode(SEQUENCE, encode(SEQUENCE, kind, encode(CONTEXT_0, value)))
    return encode(SEQUENCE, _DATA, encode(CONTEXT_0, encode(OCTET_STRING, bags)))
