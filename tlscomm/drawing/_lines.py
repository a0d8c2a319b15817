"""Lines for a terminal: how wide they are, where they end, and the signs in them.

A line is pieces of text, each with a style of rich's or with none, so one drawing serves a terminal with colours and a
file. A text of a peer may hold letters that take two columns, so it is measured, and what a terminal would obey is
escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias
from unicodedata import east_asian_width

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable

__all__ = ["ASCII", "UNICODE", "Line", "Pen", "Signs", "cells", "plain"]

Line: TypeAlias = "tuple[tuple[str, str], ...]"
"""Pieces of text with their styles."""


@dataclass(frozen=True)
class Signs:
    """What lines and arrows are drawn with."""

    down: str
    across: str
    missing: str
    right: str
    left: str
    closed: str
    opened: str
    wrong: str
    good: str
    cut: str


#: None of them but the locks is wide, or drawn as a picture anywhere; the locks stand at the end of a line.
UNICODE = Signs("│", "─", "┄", "►", "◄", "🔒", "🔓", "✗", "✓", "…")
ASCII = Signs("|", "-", ".", ">", "<", "#", "o", "x", "v", "..")


def cells(text: str) -> int:
    """Return how many columns a text takes; what marks a letter and takes none is counted as one."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def plain(lines: Iterable[Line]) -> str:
    """Return lines without their styles, each with its end."""
    return "".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines)


class Pen:
    """Makes lines of a width, in the signs that a terminal has.

    Attributes:
        width: how many columns there are.
        signs: what is drawn with.
    """

    def __init__(self, width: int, *, isASCII: bool) -> None:
        self.width = width
        self.signs = ASCII if isASCII else UNICODE
        self._isASCII = isASCII

    def text(self, text: str, limit: int = 1000) -> str:
        """Return a text on one line, without anything that a terminal would obey, in letters that it has."""
        harmless = printable(text, limit)
        if self._isASCII:
            harmless = harmless.replace("…", "..").encode("ascii", "backslashreplace").decode()
        return harmless

    def cut(self, text: str, width: int) -> str:
        """Return as much of a text as has room, with a sign where something is left out."""
        if cells(text) <= width:
            return text
        return _beginning(text, max(width - len(self.signs.cut), 0)) + self.signs.cut

    def wrap(self, text: str, width: int, most: int = 1000) -> list[str]:
        """Return a text in at most so many lines of a width; the last ends with a sign where something is left out."""
        lines = list(_wrapped(text, width))
        if len(lines) > most:
            lines[most - 1 :] = [self.cut(" ".join(lines[most - 1 : most + 1]), width)]
        return lines

    def paragraph(self, lead: Line, text: str, style: str = "", most: int = 1000) -> Iterator[Line]:
        """Give a text in lines, the first behind a beginning and the others below the text of the first."""
        indent = sum(cells(piece) for piece, _ in lead)
        for number, line in enumerate(self.wrap(self.text(text, 4000), self.width - indent, most)):
            yield (*(((" " * indent, ""),) if number else lead), (line, style))


def _beginning(text: str, width: int) -> str:
    taken = 0
    for place, letter in enumerate(text):
        taken += cells(letter)
        if taken > width:
            return text[:place]
    return text


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in _pieces(text, width):
        if line and cells(line) + 1 + cells(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        yield line


def _pieces(text: str, width: int) -> Iterator[str]:
    """Give the words of a text, those in pieces that no line has room for."""
    for word in text.split():
        rest = word
        while cells(rest) > width:
            begun = _beginning(rest, width) or rest[0]
            yield begun
            rest = rest[len(begun) :]
        if rest:
            yield rest
