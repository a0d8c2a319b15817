"""Sentences about a connection, without the names in it.

A sentence is written from what peers have sent. Each name that was replaced in their messages is replaced in it too.
Then it is looked through for what is left of any of them: a name may have been cut off, or written in another way.
Where something is left, the sentence is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from tlscomm.failures import CODES

__all__ = ["RedactedTexts"]

_WORD = re.compile(r"[^\W_]+")

#: Words of sentences that are written elsewhere than in the list of failures.
_OURS = """
    a accepted accepts after alert all an and are as asked at authority before both but by ca came certificate
    certificates client close connection does ended example expired for from handshake has have in is issued issuer it
    its itself localhost name names no none not of offers on one or other own reports root said sent server sides signed
    ssl test that the tls to trusted unknown until valid was were which with
"""


class RedactedTexts:
    """Redacts the texts of one trace."""

    def __init__(self, given: Mapping[str, str]) -> None:
        """
        Args:
            given: each true name, and what was put in its place.
        """
        common = _commonWords()
        ordered = sorted(given, key=len, reverse=True)
        self._given = {name.lower(): given[name] for name in ordered}
        # What is a common word too is a name only where it stands as one.
        told = [rf"(?<=[=:]){re.escape(name)}" if name.lower() in common else re.escape(name) for name in ordered]
        edge = r"(?<![^\W_])(?:{})(?![^\W_])"
        self._names = re.compile(edge.format("|".join(told)), re.IGNORECASE) if told else None
        self._words = {word.lower() for name in ordered for word in _WORD.findall(name)} - common

    def redact(self, text: str) -> str | None:
        """Return a text with pseudonyms in it, or None where it may still tell something."""
        if "…" in text or "\\" in text or "sha256:" in text:
            return text if not self._names else None
        made = self._names.sub("\0", text) if self._names else text
        if any(word.lower() in self._words for word in _WORD.findall(made)):
            return None
        return self._names.sub(lambda found: self._given.get(found[0].lower(), ""), text) if self._names else text


@lru_cache(maxsize=1)
def _commonWords() -> frozenset[str]:
    texts = [_OURS]
    for kind in CODES.values():
        texts += [kind.code, kind.summary, kind.ours, kind.theirs]
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))
