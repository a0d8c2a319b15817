"""An alert of our own, where OpenSSL can send none or would send the wrong one.

OpenSSL picks the alert for a refused certificate out of a fixed table, which has no ``access_denied``, and it can send
one only while it verifies. Who decides later, because an application is asked first, or because the peer has to be told
that its certificate is good and its holder not welcome (RFC 8446, section 6.2), has to write the record himself. A
client's refusal is one of these under TLS 1.3: OpenSSL sends it in the clear, and a peer that expects it sealed
(RFC 8446, section 2) takes it for an attack.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from tlscomm._wire.keyschedule import expandLabel
from tlscomm._wire.recordheader import ALERT, APPLICATION_DATA, recordsIn

__all__ = ["fatalAlert", "plainAlert", "sealedAlert"]

_FATAL = 2
_TAG = 16

#: RFC 8446, appendix B.4: hash, AEAD and key length in bytes.
_SUITES: dict[str, tuple[str, type[AESGCM] | type[ChaCha20Poly1305], int]] = {
    "TLS_AES_128_GCM_SHA256": ("sha256", AESGCM, 16),
    "TLS_AES_256_GCM_SHA384": ("sha384", AESGCM, 32),
    "TLS_CHACHA20_POLY1305_SHA256": ("sha256", ChaCha20Poly1305, 32),
}


def plainAlert(number: int) -> bytes:
    """Return the record of a fatal alert in the clear.

    Args:
        number: the AlertDescription of RFC 8446, appendix B.2.
    """
    return bytes((ALERT, 3, 3, 0, 2, _FATAL, number))


def sealedAlert(number: int, suite: str, secret: bytes) -> bytes:
    """Return the record of a fatal alert under TLS 1.3, the first one under its secret (RFC 8446, section 5.2).

    Args:
        number: the AlertDescription.
        suite: the cipher suite, as the standard names it.
        secret: the traffic secret, under which nothing else was or will be sent.

    Returns:
        The record, or nothing where the suite is not known.
    """
    if suite not in _SUITES:
        return b""
    aead, nonce = _protection(suite, secret)
    header = bytes((APPLICATION_DATA, 3, 3)) + (2 + 1 + _TAG).to_bytes(2, "big")
    return header + aead.encrypt(nonce, bytes((_FATAL, number, ALERT)), header)


def fatalAlert(flight: bytes, suite: str, secret: bytes | None) -> int | None:
    """Return the number of the fatal alert that a flight of ours ends with, or None where it ends with none.

    Args:
        flight: whole records.
        suite: the cipher suite, as the standard names it.
        secret: of TLS 1.3 the traffic secret, where the alert may be the first record under it.
    """
    header, content = [(b"", b""), *recordsIn(flight)][-1]
    if header[:1] == bytes((APPLICATION_DATA,)) and secret is not None and suite in _SUITES:
        aead, nonce = _protection(suite, secret)
        try:
            content = aead.decrypt(nonce, content, header)
        except InvalidTag:
            return None
        # Behind the content stand its type and padding of any length.
        content = content.rstrip(b"\0")
        header, content = content[-1:], content[:-1]
    isFatal = header[:1] == bytes((ALERT,)) and len(content) == 2 and content[0] == _FATAL
    return content[1] if isFatal else None


def _protection(suite: str, secret: bytes) -> tuple[AESGCM | ChaCha20Poly1305, bytes]:
    digest, aead, keyLength = _SUITES[suite]
    # The first record under a secret has sequence number 0, so its nonce is the initialization vector as it is.
    return aead(expandLabel(secret, b"key", keyLength, digest)), expandLabel(secret, b"iv", 12, digest)
