"""How times and what a parser says are written in messages: everywhere in the same way."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from tlscomm.failures import printable

__all__ = ["timeText", "unreadableText"]

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


def timeText(time: datetime) -> str:
    """Return a time as everywhere else in failures and JSON: ISO 8601 in UTC, to the second."""
    return time.astimezone(timezone.utc).isoformat(timespec="seconds")


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
