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
        # The longest first, because others may be a part of them.
        self._given = {name.lower(): given[name] for name in sorted(given, key=len, reverse=True)}
        self._words = {word for name in self._given for word in _WORD.findall(name)} - _commonWords()

    def redact(self, text: str) -> str | None:
        """Return a text with pseudonyms in it, or None where it may still tell something."""
        if not self._given:
            return text
        if "…" in text or "\\" in text or "sha256:" in text:
            return None
        names = self._namesIn(text)
        if any(word in self._words for word in _WORD.findall(names.sub("", text).lower())):
            return None
        return names.sub(lambda found: self._given.get(found[0].lower(), ""), text)

    def _namesIn(self, text: str) -> re.Pattern[str]:
        """Return what finds the names in a text. What is a common word too is one only where it stands as one."""
        small, common = text.lower(), _commonWords()
        names = [name for name in self._given if name in small]
        told = [rf"(?<=[=:]){re.escape(name)}" if name in common else re.escape(name) for name in names]
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(told)})(?![^\W_])" if told else r"(?!)", re.IGNORECASE)


@lru_cache(maxsize=1)
def _commonWords() -> frozenset[str]:
    texts = [_OURS]
    for kind in CODES.values():
        texts += [kind.code, kind.summary, kind.ours, kind.theirs]
    return frozenset(word.lower() for text in texts for word in _WORD.findall(text))
