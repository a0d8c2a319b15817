"""Distinguished names in a form in which names that mean the same are equal.

Programs write the same name in several ways: in another type of string, in capitals, with more spaces. RFC 5280,
section 7.1, says at length when two names are the same. What is done here is what OpenSSL does.
"""

from __future__ import annotations

import re

from cryptography import x509

__all__ = ["CanonicalName", "canonicalName"]

#: The relative distinguished names in order, each a set of pairs of type and value.
CanonicalName = tuple[frozenset[tuple[str, str]], ...]

#: Spaces and letters of ASCII alone: what else is the same is not for us to say.
_SPACES = re.compile("[ \\t\\n\\v\\f\\r]+")

_LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def canonicalName(name: x509.Name) -> CanonicalName:
    """Return a name without regard to case, to spaces and to types of strings."""
    return tuple(frozenset((a.oid.dotted_string, _canonical(a.value)) for a in rdn) for rdn in name.rdns)


def _canonical(value: str | bytes) -> str:
    # No text begins so: in one, a space in front counts for nothing.
    return f" {value.hex()}" if isinstance(value, bytes) else _SPACES.sub(" ", value).strip(" ").translate(_LOWER)
