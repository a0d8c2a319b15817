"""One sentence that another program prints, and where it is found in a line.

A sentence is literal pieces with named gaps: ``x509: certificate is valid for {names}, not {name}``. Pieces are
searched one after the other, so a hostile line costs no more than a long one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Literal

from tlscomm._dataclasses import dataclass

__all__ = ["ErrorText", "TextSide", "Where", "plain"]

TextSide = Literal["local", "remote", "either"]
"""Whose decision it was: of the program that printed the sentence, of its peer, or the sentence does not say."""

_GAP = re.compile(r"\{[A-Za-z]+\}")

#: Programs write one sentence with spaces, hyphens or underscores, and in both cases; each stands for one character.
_SAME = str.maketrans("_-\u2010\u2011\u2018\u2019\u201c\u201d\u00a0\t", "    ''\"\"  ")


def plain(text: str) -> str:
    """Return text as sentences are compared, of the same length."""
    lowered = text.lower()
    if text.isascii():
        # Several times as fast, and nearly all of a log.
        return lowered.replace("_", " ").replace("-", " ").replace("\t", " ")
    # A few letters of Unicode have another length in lower case.
    return (lowered if len(lowered) == len(text) else text).translate(_SAME)


@dataclass(frozen=True)
class Where:
    """Where in a line a sentence was found: its first character, and the one behind its last."""

    begin: int
    end: int

    def isWithin(self, other: Where) -> bool:
        """Return whether another place has all of this one, and more."""
        return other.begin <= self.begin and self.end <= other.end and self != other


@dataclass(frozen=True, kw_only=True)
class ErrorText:
    """A sentence that other programs print.

    Attributes:
        sentence: as they print it, with a name in braces for what differs each time.
        programs: who prints it.
        side: whether the program that printed it decided (``local``), or was told by its peer (``remote``).
        causes: the codes of the failures that it can stand for, the likeliest first.
        apart: what tells them apart, as a sentence; where there is one cause, what to look at.
        command: the command that does.
        seen: the version that this is the wording of, where the program was run; not each of its sentences was met.
            ``not run`` where the program was not, and ``other people's reports`` where it was read in those alone.
        also: other forms of the sentence.
        isVague: whether it only says that something failed, and what else is said of the case counts for more.
    """

    sentence: str
    programs: tuple[str, ...]
    side: TextSide
    causes: tuple[str, ...]
    apart: str
    command: str
    seen: str = ""
    also: tuple[str, ...] = ()
    isVague: bool = False

    @cached_property
    def forms(self) -> tuple[tuple[str, ...], ...]:
        """The literal pieces of each form, as they are compared."""
        return tuple(tuple(plain(piece) for piece in _GAP.split(each) if piece) for each in (self.sentence, *self.also))

    def within(self, line: str) -> Where | None:
        """Return where the sentence is in a line that `plain` has made, or None."""
        return next((where for pieces in self.forms if (where := _found(pieces, line))), None)

    def firstPieces(self) -> Iterator[str]:
        """Give a text for each form that is in every line that has it."""
        return (max(pieces, key=len) for pieces in self.forms)


def _found(pieces: tuple[str, ...], line: str) -> Where | None:
    begin = end = -1
    for piece in pieces:
        place = _place(piece, line, max(end, 0))
        if place < 0:
            return None
        begin = place if begin < 0 else begin
        end = place + len(piece)
    return Where(begin, end)


def _place(piece: str, line: str, start: int) -> int:
    """Return where a piece begins that does not begin or end in the middle of a word or number, or -1."""
    for _ in range(_TRIES):
        place = line.find(piece, start)
        if place < 0 or _isWhole(line, place, place + len(piece)):
            return place
        start = place + 1
    return -1


#: How often a piece may stand inside of longer words before a line is given up.
_TRIES = 20


def _isWhole(line: str, begin: int, end: int) -> bool:
    isCutBefore = begin > 0 and line[begin - 1].isalnum() and line[begin].isalnum()
    # "\nCaused by" of a text in JSON has its n before a word.
    isEscape = begin > 1 and line[begin - 2] == "\\"
    isCutBehind = end < len(line) and line[end].isalnum() and line[end - 1].isalnum()
    return (isEscape or not isCutBefore) and not isCutBehind
