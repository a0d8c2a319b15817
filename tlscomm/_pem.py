"""Certificates and private keys as PEM, in any order (RFC 7468, and RFC 1421 for the encryption of old OpenSSL).

The text is cut into its blocks here, because `cryptography` reads one key or a list of certificates and says neither
what else there is nor which block is broken. Whether a key is encrypted, and by what, is read from the block before any
pass phrase is tried: afterwards it could not be told apart from a wrong one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlscomm import _pkcs8
from tlscomm._material import REJECTIONS, Contents, Passphrase, Secret, Source
from tlscomm.failures import Damaged, UnknownFormat, printable

__all__ = ["isPEM", "readPEM"]

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_DASHES = b"-----"
_LONGEST_LABEL = 64

_CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})
_KEYS = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})

#: A private key takes milliseconds to check, so a file full of them would take minutes.
_MOST_KEYS = 16

#: The ciphers of "DEK-Info" that cryptography 50 decrypts.
_OLD_CIPHERS = frozenset({"AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC"})

T = TypeVar("T")


def isPEM(content: bytes) -> bool:
    return _BEGIN in content


def readPEM(source: Source, passphrase: Passphrase, wantKeys: bool) -> Contents:
    """Read every certificate and, where they are wanted, every private key of a PEM file.

    Blocks of other kinds (parameters, public keys, comments between blocks) are passed over.

    Raises:
        Damaged: a block is cut off or broken, or there are more than 16 private keys.
        UnknownFormat: no block is a certificate or a key, or a key is of a kind or encrypted in a way that is not
            supported.
        PassphraseRequired, PassphraseWrong: a key is encrypted.
    """
    blocks = tuple(_blocks(source))
    keyBlocks = [block for block in blocks if block.label in _KEYS]
    certificateBlocks = [block for block in blocks if block.label in _CERTIFICATES]
    if not keyBlocks and not certificateBlocks:
        labels = printable(", ".join(dict.fromkeys(block.label for block in blocks)))
        raise UnknownFormat(f"{source.name} holds neither a certificate nor a private key but {labels}")
    if len(keyBlocks) > _MOST_KEYS:
        raise Damaged(f"{source.name} holds {len(keyBlocks)} private keys; at most {_MOST_KEYS} are looked at")
    return Contents(
        certificates=tuple(_certificate(source, block) for block in certificateBlocks),
        keys=tuple(_key(source, block, passphrase) for block in keyBlocks) if wantKeys else (),
        holdsKey=bool(keyBlocks),
    )


@dataclass(frozen=True, repr=False)
class _Block:
    label: str
    text: bytes

    @property
    def body(self) -> bytes:
        start = self.text.find(_DASHES, len(_BEGIN)) + len(_DASHES)
        return self.text[start : self.text.rfind(_END)]

    @property
    def isEncrypted(self) -> bool:
        return self.label == "ENCRYPTED PRIVATE KEY" or self.oldCipher is not None

    @property
    def oldCipher(self) -> str | None:
        """The cipher of RFC 1421's header, empty where the header is there and does not name one."""
        lines = [line.strip() for line in self.body.splitlines()[:10]]
        if not any(line.startswith(b"Proc-Type:") and b"ENCRYPTED" in line for line in lines):
            return None
        for line in lines:
            if line.startswith(b"DEK-Info:"):
                return line[len(b"DEK-Info:") :].split(b",")[0].strip().decode("latin-1")
        return ""

    @property
    def der(self) -> bytes:
        """What it encodes. Raises `binascii.Error` where it is not base64."""
        # Only RFC 1421's header has colons.
        lines = (line for line in self.body.splitlines() if b":" not in line)
        return base64.b64decode(b"".join(b"".join(lines).split()), validate=True)


def _blocks(source: Source) -> Iterator[_Block]:
    start = source.content.find(_BEGIN)
    while start >= 0:
        # Each search ends where the next one begins, or ends it all: the time is linear in the content.
        end = source.content.find(_END, start)
        labelEnd = source.content.find(_DASHES, start + len(_BEGIN), end)
        label = source.content[start + len(_BEGIN) : labelEnd][:_LONGEST_LABEL]
        last = _END + label + _DASHES
        if end < 0 or labelEnd < 0 or not source.content.startswith(last, end):
            raise Damaged(f"{source.name}: the PEM block at byte {start} has no end")
        yield _Block(label.decode("latin-1"), source.content[start : end + len(last)])
        start = source.content.find(_BEGIN, end + len(last))


def _certificate(source: Source, block: _Block) -> x509.Certificate:
    return _loaded(source, block, lambda: x509.load_pem_x509_certificate(block.text))


def _key(source: Source, block: _Block, passphrase: Passphrase) -> PrivateKeyTypes:
    if block.isEncrypted:
        return _encryptedKey(source, block, passphrase)
    return _loaded(source, block, lambda: load_pem_private_key(block.text, None))


def _loaded(source: Source, block: _Block, load: Callable[[], T]) -> T:
    try:
        return load()
    except UnsupportedAlgorithm as error:
        raise UnknownFormat(
            f"the {block.label} in {source.name} is of a kind that is not supported", evidence=(printable(str(error)),)
        ) from None
    except REJECTIONS as error:
        raise Damaged(f"the {block.label} in {source.name}", evidence=(printable(str(error)),)) from None


def _encryptedKey(source: Source, block: _Block, passphrase: Passphrase) -> PrivateKeyTypes:
    if _isBroken(block):
        raise Damaged(f"the encrypted {block.label} in {source.name}")
    for secret in passphrase.candidates(source.name):
        key = _decrypted(source, block, secret)
        if key is not None:
            return key
    # Looked at only now, so that a cipher which a later cryptography decrypts is not refused.
    unsupported = _unsupportedCipher(block)
    if unsupported is not None:
        raise UnknownFormat(
            f"the {block.label} in {source.name} is encrypted with {unsupported}, which is not supported"
        )
    raise passphrase.refusal(source.name)


def _decrypted(source: Source, block: _Block, secret: Secret) -> PrivateKeyTypes | None:
    # To cryptography an empty pass phrase means none at all. HMAC, which PBKDF2 and scrypt are made of, pads its key
    # with zeros (RFC 2104, section 2), and so does PKCS#12's derivation: one zero byte is the same key.
    try:
        return load_pem_private_key(block.text, secret.value or b"\0")
    except UnsupportedAlgorithm as error:
        # Only a key that was decrypted can be of the wrong kind.
        raise UnknownFormat(
            f"the private key in {source.name} is of a kind that is not supported", evidence=(printable(str(error)),)
        ) from None
    except REJECTIONS:
        return None


def _isBroken(block: _Block) -> bool:
    try:
        der = block.der
    except binascii.Error:
        return True
    if block.oldCipher is None:
        return not _pkcs8.isEncryptedKey(der)
    # The ciphers all work on blocks of 8 or 16 bytes.
    return not block.oldCipher or not der or len(der) % 8 != 0


def _unsupportedCipher(block: _Block) -> str | None:
    if block.oldCipher is None:
        return _pkcs8.unsupportedAlgorithm(block.der)
    return None if block.oldCipher in _OLD_CIPHERS else printable(block.oldCipher)
