"""What may not be read: what the library raises for it, and how that is said.

Certificates, keys and lists are written by others, and parts of them are parsed only when they are asked for. So each
place that asks for a part expects it to be unreadable.
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm

from tlscomm.failures import printable

__all__ = ["REJECTIONS", "unreadableText"]

#: All that cryptography 50 raises for content that it does not read. `Warning` is among them for programs that run with
#: warnings as errors: it warns of deviations from the standards that it still puts up with.
REJECTIONS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    InternalError,
    NotImplementedError,
    Warning,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

#: What `cryptography` raises for malformed ASN.1 is what its parser prints for those who wrote it.
_KIND = re.compile(r"ParseError \{ kind: (\w+)")
_LOCATION = re.compile(r"location: \[([^\]]*)\]")
_KINDS = {
    "ShortData": "it ends too early",
    "ExtraData": "there is something after its end",
    "InvalidLength": "a length is not written as it has to be",
    "InvalidSize": "it has too few or too many parts",
    "InvalidTag": "a tag is not written as it has to be",
    "InvalidValue": "a value is not permitted",
    "UnexpectedTag": "a part is of another kind than expected",
    "EncodedDefault": "a default value is written out",
    "OidTooLong": "an object identifier is too long",
}


def unreadableText(error: BaseException) -> str:
    """Return why something cannot be parsed, in words."""
    text = str(error)
    if (kind := _KIND.search(text)) is None:
        return printable(text)
    location = _LOCATION.search(text)
    parts = [part.strip().strip('"') for part in location[1].split(",")] if location else []
    named = ", ".join(part.rpartition("::")[2].replace("_", " ") for part in parts if part and not part.isdigit())
    reason = _KINDS.get(kind[1], "it is not well-formed")
    return printable(f"{reason} ({named})" if named else reason)
