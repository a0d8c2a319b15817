"""An alert of our own choice, in place of the one that OpenSSL chose.

OpenSSL picks the alert for a refused certificate out of a fixed table, and that table has no ``access_denied``: a valid
certificate whose holder is not let in (RFC 8446, section 6.2) is called a bad one. A refused peer then mends a
certificate that is not broken. There is no call that sends another alert, so the record is written anew: under TLS 1.2
it is in the clear at that point of the handshake, and under TLS 1.3 it is sealed as RFC 8446, section 5.2, says.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["replaceAlert"]

_ALERT = 21
_APPLICATION_DATA = 23
_FATAL = 2
_HEADER = 5
_TAG = 16

#: RFC 8446, appendix B.4: hash, AEAD and key length in bytes.
_SUITES: dict[str, tuple[type[HashAlgorithm], type[AESGCM] | type[ChaCha20Poly1305], int]] = {
    "TLS_AES_128_GCM_SHA256": (SHA256, AESGCM, 16),
    "TLS_AES_256_GCM_SHA384": (SHA384, AESGCM, 32),
    "TLS_CHACHA20_POLY1305_SHA256": (SHA256, ChaCha20Poly1305, 32),
}


def replaceAlert(flight: bytes, number: int, suite: str, secret: bytes | None) -> bytes | None:
    """Return a flight with another alert at its end.

    Args:
        flight: what was about to be sent; its last record is a fatal alert.
        number: the AlertDescription to send instead.
        suite: the cipher suite, as the standard names it.
        secret: the traffic secret that the alert is sealed with, under which nothing else was sent; None under TLS 1.2.

    Returns:
        The flight, or None where it does not end in such an alert or the suite is not known; send it as it is then.
    """
    plain = bytes((_ALERT, 3, 3, 0, 2, _FATAL))
    if secret is None:
        return flight[:-1] + bytes((number,)) if flight[-7:-1] == plain else None
    sealedLength = 2 + 1 + _TAG
    header = bytes((_APPLICATION_DATA, 3, 3)) + sealedLength.to_bytes(2, "big")
    start = len(flight) - _HEADER - sealedLength
    if suite not in _SUITES or start < 0 or flight[start : start + _HEADER] != header:
        return None
    digest, aead, keyLength = _SUITES[suite]
    key, nonce = _expand(secret, b"key", keyLength, digest()), _expand(secret, b"iv", 12, digest())
    # The first record under a secret has sequence number 0, so its nonce is the initialization vector as it is.
    sealed = aead(key).encrypt(nonce, bytes((_FATAL, number, _ALERT)), header)
    return flight[:start] + header + sealed


def _expand(secret: bytes, label: bytes, length: int, digest: HashAlgorithm) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446, section 7.1)."""
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
    return HKDFExpand(digest, length, info).derive(secret)
