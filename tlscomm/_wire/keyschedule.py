"""Keys, derived from secrets: HKDF-Expand-Label of TLS 1.3, and the pseudorandom functions of older versions."""

from __future__ import annotations

import hmac

from cryptography.hazmat.primitives.hashes import SHA256, SHA384, HashAlgorithm
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__ = ["expandLabel", "keyBlock"]

_HASHES: dict[str, type[HashAlgorithm]] = {"sha256": SHA256, "sha384": SHA384}

_TLS_1_2 = 0x0303


def expandLabel(secret: bytes, label: bytes, length: int, digest: str) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446, section 7.1).

    Args:
        secret: a secret of the key schedule.
        label: without the ``tls13`` before it.
        length: how many bytes are wanted.
        digest: ``sha256`` or ``sha384``.
    """
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0"
    return HKDFExpand(_HASHES[digest](), length, info).derive(secret)


def keyBlock(master: bytes, randoms: bytes, length: int, version: int, digest: str) -> bytes:
    """Return the keys of a connection up to TLS 1.2, one behind the other (RFC 5246, section 6.3).

    Args:
        master: the master secret.
        randoms: of the ServerHello, and behind it of the ClientHello.
        length: how many bytes are wanted.
        version: the number of the version of TLS.
        digest: the hash of the suite's pseudorandom function; before TLS 1.2 all have the same.
    """
    seed = b"key expansion" + randoms
    if version >= _TLS_1_2:
        return _expand(master, seed, length, digest)
    # RFC 2246, section 5: two halves, each with a hash of its own.
    half = (len(master) + 1) // 2
    md5, sha1 = _expand(master[:half], seed, length, "md5"), _expand(master[-half:], seed, length, "sha1")
    return bytes(a ^ b for a, b in zip(md5, sha1, strict=True))


def _expand(secret: bytes, seed: bytes, length: int, digest: str) -> bytes:
    """P_hash (RFC 5246, section 5)."""
    found, chained = b"", seed
    while len(found) < length:
        chained = hmac.digest(secret, chained, digest)
        found += hmac.digest(secret, chained + seed, digest)
    return found[:length]
