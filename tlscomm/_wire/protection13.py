"""Records of TLS 1.3, sealed and opened with a traffic secret (RFC 8446, section 5.2).

Of the protection of records this is what live connections load too. What older versions had in its place, and their
ciphers, are in ``protection.py``.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305

from tlscomm._wire.keyschedule import expandLabel
from tlscomm._wire.suites import Suite

__all__ = ["NONCE", "Aead", "Opened", "Sealed13", "aeadOf"]

#: So many bytes it has.
NONCE = 12

Aead = AESGCM | AESCCM | ChaCha20Poly1305

#: The content type and the content.
Opened = tuple[int, bytes]


def aeadOf(suite: Suite, key: bytes) -> Aead:
    """Return what encrypts and decrypts under a key of a suite that has an AEAD."""
    if suite.mode == "CCM":
        return AESCCM(key, suite.tagLength)
    return AESGCM(key) if suite.mode == "GCM" else ChaCha20Poly1305(key)


class Sealed13:
    """Seals and opens the records of one direction under a traffic secret (RFC 8446, section 7.3)."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        """
        Args:
            suite: one of TLS 1.3.
            secret: the traffic secret.
        """
        aead = aeadOf(suite, expandLabel(secret, b"key", suite.keyLength, suite.digest))
        self._encrypt, self._decrypt = aead.encrypt, aead.decrypt
        self._tagLength = suite.tagLength
        self._iv = int.from_bytes(expandLabel(secret, b"iv", NONCE, suite.digest), "big")

    def seal(self, sequence: int, kind: int, content: bytes) -> bytes:
        """Return the record that some content is sealed in, without padding.

        Args:
            sequence: the record's number under this key, from 0.
            kind: the content type.
            content: the content.
        """
        header = b"\x17\3\3" + (len(content) + 1 + self._tagLength).to_bytes(2, "big")
        return header + self._encrypt(self._nonce(sequence), content + bytes((kind,)), header)

    def open(self, sequence: int, header: bytes, fragment: bytes) -> Opened | None:
        """Return what is sealed in a record: see `Opener.open`."""
        try:
            inner = self._decrypt(self._nonce(sequence), fragment, header)
        except (InvalidTag, ValueError):
            return None
        # Behind the content stand its type and padding of any length (RFC 8446, section 5.4).
        if not inner or not inner[-1]:
            inner = inner.rstrip(b"\0")
        return (inner[-1], inner[:-1]) if inner else (0, b"")

    def _nonce(self, sequence: int) -> bytes:
        return (self._iv ^ sequence).to_bytes(NONCE, "big")
