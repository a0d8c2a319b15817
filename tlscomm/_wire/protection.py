"""Sealed records, opened with a secret: up to TLS 1.2. Those of TLS 1.3 are in ``protection13.py``.

An `Opener` is made once for each key. cryptography decrypts; here is only what goes in: nonces, additional data, and
where the content type is.
"""

from __future__ import annotations

from hmac import digest as macOf
from struct import Struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import Camellia, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tlscomm._wire.keyschedule import keyBlock
from tlscomm._wire.protection13 import NONCE, Aead, Opened, aeadOf
from tlscomm._wire.suites import Suite

__all__ = ["Opener", "openerFor12"]

#: RFC 5246, section 6.2.3.3, of GCM and CCM: what of the nonce is in the key block, and what is in the record.
_IMPLICIT, _EXPLICIT = 4, 8

_TLS_1_0 = 0x0301

_aad = Struct(">QBHH").pack


class Opener(Protocol):
    """Opens the records of one direction under one key."""

    def open(self, sequence: int, header: bytes, fragment: bytes) -> Opened | None:
        """Return what is sealed in a record, or None where the key or the number is not that of the record.

        Args:
            sequence: the record's number under this key, from 0.
            header: its five bytes.
            fragment: what follows them.
        """


def openerFor12(
    suite: Suite,
    master: bytes,
    clientRandom: bytes,
    serverRandom: bytes,
    version: int,
    *,
    isFromClient: bool,
    isEncryptThenMac: bool,
) -> Opener:
    """Return what opens records of one direction, up to TLS 1.2, under a master secret.

    Args:
        suite: the cipher suite.
        master: the master secret.
        clientRandom: of the ClientHello.
        serverRandom: of the ServerHello.
        version: the number of the version.
        isFromClient: the direction.
        isEncryptThenMac: whether that extension was agreed on (RFC 7366).
    """
    macLength = {"": 0, "sha1": 20, "sha256": 32, "sha384": 48}[suite.mac]
    ivLength = {"GCM": _IMPLICIT, "CCM": _IMPLICIT, "POLY1305": NONCE, "CBC": 0}[suite.mode]
    if suite.mode == "CBC" and version <= _TLS_1_0:
        ivLength = _blockLength(suite)
    sizes = [size for size in (macLength, suite.keyLength, ivLength) for _ in range(2)]
    block = keyBlock(master, serverRandom + clientRandom, sum(sizes), version, suite.digest)
    parts = []
    for size in sizes:
        parts.append(block[:size])
        block = block[size:]
    mac, key, iv = parts[0 if isFromClient else 1 :: 2]
    if suite.mode == "CBC":
        return _SealedCBC(suite, key, mac, iv, isEncryptThenMac=isEncryptThenMac)
    if suite.mode == "POLY1305":
        return _SealedPoly(aeadOf(suite, key), iv)
    return _Sealed12(aeadOf(suite, key), iv, suite.tagLength)


class _Sealed12:
    """GCM and CCM (RFC 5288, section 3, and RFC 6655, section 3)."""

    def __init__(self, aead: Aead, salt: bytes, tagLength: int) -> None:
        self._decrypt = aead.decrypt
        self._salt = salt
        self._overhead = _EXPLICIT + tagLength

    def open(self, sequence: int, header: bytes, fragment: bytes) -> Opened | None:
        length = len(fragment) - self._overhead
        if length < 0:
            return None
        kind, version = header[0], header[1] << 8 | header[2]
        nonce = self._salt + fragment[:_EXPLICIT]
        try:
            return kind, self._decrypt(nonce, fragment[_EXPLICIT:], _aad(sequence, kind, version, length))
        except (InvalidTag, ValueError):
            return None


class _SealedPoly:
    """ChaCha20-Poly1305 (RFC 7905, section 2)."""

    def __init__(self, aead: Aead, iv: bytes) -> None:
        self._decrypt = aead.decrypt
        self._iv = int.from_bytes(iv, "big")

    def open(self, sequence: int, header: bytes, fragment: bytes) -> Opened | None:
        length = len(fragment) - 16
        if length < 0:
            return None
        kind, version = header[0], header[1] << 8 | header[2]
        nonce = (self._iv ^ sequence).to_bytes(NONCE, "big")
        try:
            return kind, self._decrypt(nonce, fragment, _aad(sequence, kind, version, length))
        except (InvalidTag, ValueError):
            return None


class _SealedCBC:
    """Block ciphers, with the MAC inside, or outside where that was agreed on (RFC 5246, 6.2.3.2, and RFC 7366)."""

    def __init__(self, suite: Suite, key: bytes, mac: bytes, iv: bytes, *, isEncryptThenMac: bool) -> None:
        """
        Args:
            suite: the cipher suite.
            key: of the cipher.
            mac: the key of the MAC.
            iv: of the first record under TLS 1.0; nothing where each record has its own.
            isEncryptThenMac: whether the MAC is outside.
        """
        self._key = _blockCipher(suite, key)
        self._block = _blockLength(suite)
        self._mac, self._digest = mac, suite.mac
        self._macLength = len(mac)
        # Under TLS 1.0 a record's is the last block of the one before it, whether that was opened or not.
        self._isChained, self._iv, self._nextIV = bool(iv), iv, iv
        self._fragment = b""
        self._isOutside = isEncryptThenMac

    def open(self, sequence: int, header: bytes, fragment: bytes) -> Opened | None:
        kind, version = header[0], header[1] << 8 | header[2]
        sealed = fragment[: -self._macLength] if self._isOutside else fragment
        if self._isChained and fragment is not self._fragment:
            # It may be tried several times, with one number after the other.
            self._iv, self._nextIV, self._fragment = self._nextIV, sealed[-self._block :], fragment
        if self._isOutside and fragment[-self._macLength :] != self._macOf(sequence, kind, version, sealed):
            return None
        iv, body = (self._iv, sealed) if self._isChained else (sealed[: self._block], sealed[self._block :])
        if not body or len(iv) != self._block or len(body) % self._block:
            return None
        decryptor = Cipher(self._key, CBC(iv)).decryptor()
        plain = decryptor.update(body) + decryptor.finalize()
        content = self._unpadded(sequence, kind, version, plain)
        return None if content is None else (kind, content)

    def _unpadded(self, sequence: int, kind: int, version: int, plain: bytes) -> bytes | None:
        padding = plain[-1] + 1
        if padding > len(plain) or plain[-padding:] != bytes((padding - 1,)) * padding:
            return None
        content = plain[:-padding]
        if self._isOutside:
            return content
        content, mac = content[: -self._macLength], content[-self._macLength :]
        return content if mac == self._macOf(sequence, kind, version, content) else None

    def _macOf(self, sequence: int, kind: int, version: int, data: bytes) -> bytes:
        return macOf(self._mac, _aad(sequence, kind, version, len(data)) + data, self._digest)


def _blockCipher(suite: Suite, key: bytes) -> BlockCipherAlgorithm:
    if suite.cipher == "AES":
        return AES(key)
    return Camellia(key) if suite.cipher == "CAMELLIA" else TripleDES(key)


def _blockLength(suite: Suite) -> int:
    return 8 if suite.cipher == "3DES" else 16
