"""How a private key in PKCS#8 is encrypted (RFC 5958, section 3, and RFC 8018).

`cryptography` decrypts it. What it does not say is whether it failed because of the pass phrase, because the file is
broken, or because it does not have the cipher; a person can act on each of these, and differently.
"""

from __future__ import annotations

from tlscomm import _der

__all__ = ["isEncryptedKey", "unsupportedAlgorithm"]

#: What cryptography 50 decrypts, measured with the keys that ``openssl pkcs8`` writes.
_SUPPORTED = frozenset(
    {
        "1.2.840.113549.1.5.13",  # PBES2
        "1.2.840.113549.1.5.12",  # PBKDF2
        "1.3.6.1.4.1.11591.4.11",  # scrypt (RFC 7914)
        "1.2.840.113549.2.7",  # HMAC with SHA-1
        "1.2.840.113549.2.8",  # HMAC with SHA-224
        "1.2.840.113549.2.9",  # HMAC with SHA-256
        "1.2.840.113549.2.10",  # HMAC with SHA-384
        "1.2.840.113549.2.11",  # HMAC with SHA-512
        "2.16.840.1.101.3.4.1.2",  # AES-128-CBC
        "2.16.840.1.101.3.4.1.22",  # AES-192-CBC
        "2.16.840.1.101.3.4.1.42",  # AES-256-CBC
        "1.2.840.113549.3.2",  # RC2-CBC
        "1.2.840.113549.3.7",  # DES-EDE3-CBC
        "1.2.840.113549.1.5.3",  # PBES1 with MD5 and DES
        "1.2.840.113549.1.12.1.1",  # PKCS#12's, with SHA-1 and RC4 of 128 bits
        "1.2.840.113549.1.12.1.3",  # PKCS#12's, with SHA-1 and triple DES
        "1.2.840.113549.1.12.1.6",  # PKCS#12's, with SHA-1 and RC2 of 40 bits
    }
)


def isEncryptedKey(der: bytes) -> bool:
    """Whether these bytes are one whole EncryptedPrivateKeyInfo: an algorithm, then what it encrypted."""
    outer = _der.element(der)
    if outer is None or outer.tag != _der.SEQUENCE or outer.end != len(der) or not _der.isWhole(der):
        return False
    tags = tuple(part.tag for part in _der.children(der, outer) or ())
    return tags == (_der.SEQUENCE, _der.OCTET_STRING)


def unsupportedAlgorithm(der: bytes) -> str | None:
    """Name what keeps an encrypted key from being decrypted, whatever the pass phrase.

    Args:
        der: an EncryptedPrivateKeyInfo.

    Returns:
        The object identifier of a key derivation or cipher that is not supported, dotted, or None where all are.
    """
    outer = _der.element(der)
    parts = None if outer is None else _der.children(der, outer)
    found = _der.objectIdentifiers(der, parts[0]) if parts else ()
    return next((identifier for identifier in sorted(found) if identifier not in _SUPPORTED), None)
