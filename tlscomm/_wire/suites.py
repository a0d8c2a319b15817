"""What a cipher suite protects records with. Its name says it, so its name is read.

A live connection knows the name of its suite. The table of all names is loaded where there is only a number.
"""

from __future__ import annotations

import re
from functools import cache

from tlscomm._dataclasses import dataclass

__all__ = ["Suite", "exchangeOf", "suiteNamed", "suiteOf"]

#: RFC 8446, appendix B.4, RFC 5246, appendix A.5, RFC 5288, 5289, 6655, 7251 and 7905.
_NAME = re.compile(
    r"TLS_(?:(?P<exchange>\w+)_WITH_)?"
    r"(?:(?P<cipher>AES|CAMELLIA)_(?P<bits>128|256)_(?P<mode>GCM|CCM|CBC)|(?P<fixed>CHACHA20_POLY1305|3DES_EDE_CBC))"
    r"(?P<short>_8)?(?:_(?P<hash>SHA|SHA256|SHA384))?"
)

#: Bytes of a key, and the mode of it.
_FIXED = {"CHACHA20_POLY1305": ("CHACHA20", 32, "POLY1305"), "3DES_EDE_CBC": ("3DES", 24, "CBC")}


@dataclass(frozen=True)
class Suite:
    """A suite that records can be opened of.

    Attributes:
        cipher: ``AES``, ``CAMELLIA``, ``CHACHA20`` or ``3DES``.
        mode: ``GCM``, ``CCM``, ``POLY1305`` or ``CBC``.
        keyLength: in bytes.
        tagLength: of an AEAD, in bytes.
        digest: the hash of the key schedule.
        mac: with CBC the hash of the MAC; else nothing.
        isVersion13: whether it is one of TLS 1.3.
    """

    cipher: str
    mode: str
    keyLength: int
    tagLength: int
    digest: str
    mac: str
    isVersion13: bool


@cache
def suiteOf(number: int) -> Suite | None:
    """Return a suite, or None where it is not known, or nothing here can open its records."""
    return suiteNamed(_nameOf(number))


def suiteNamed(name: str) -> Suite | None:
    """Return a suite by the name that standards give it, as `suiteOf` does."""
    match = _NAME.fullmatch(name)
    if match is None or (match["cipher"] == "CAMELLIA" and match["mode"] != "CBC"):
        return None
    fixed = match["fixed"]
    cipher, keyLength, mode = _FIXED[fixed] if fixed else (match["cipher"], int(match["bits"]) // 8, match["mode"])
    digest = "sha384" if match["hash"] == "SHA384" else "sha256"
    mac = {"SHA": "sha1", "SHA256": "sha256", "SHA384": "sha384"}[match["hash"]] if mode == "CBC" else ""
    return Suite(cipher, mode, keyLength, 8 if match["short"] else 16, digest, mac, match["exchange"] is None)


def exchangeOf(number: int) -> str:
    """Return how a suite up to TLS 1.2 exchanges keys, ``ECDHE_RSA`` for example, or nothing where it is not known."""
    exchange, isOld, _ = _nameOf(number).removeprefix("TLS_").partition("_WITH_")
    return exchange if isOld else ""


def _nameOf(number: int) -> str:
    from tlscomm._wire.suitenames import SUITES

    return SUITES.get(number, "")
