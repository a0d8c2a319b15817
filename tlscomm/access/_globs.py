"""Patterns with ``*``, and what they fit, in time that no pattern and no name can blow up.

A peer chooses the names in its certificate. A regular expression that is searched by trying back and forth
lets him choose the work, too. Here each part of a pattern is looked for once, from left to right, in the part of the
name that it stands for, and never again: what a ``*`` has skipped is not looked at twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

__all__ = ["Glob", "Split", "Texts"]

#: Takes a name apart: its parts, and the signs between them as parts of their own.
Split = Callable[[str], tuple[str, ...]]


class Texts:
    """The names of one kind that a peer has, in the form in which they are compared."""

    def __init__(self, texts: Iterable[str], split: Split) -> None:
        """
        Args:
            texts: the names.
            split: takes one apart.
        """
        self.whole = frozenset(texts)
        self._split = split

    @cached_property
    def parts(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each name, whole and in its parts."""
        return tuple((text, self._split(text)) for text in self.whole)


class Glob:
    """A pattern: ``*`` stands for any characters of one part of a name, none of them for one, and for no separator."""

    def __init__(self, pattern: str, split: Split) -> None:
        """
        Args:
            pattern: in the form in which names are compared.
            split: takes it apart, as it does the names.
        """
        self._split = split
        self._literal = None if "*" in pattern else pattern
        self._head, _, rest = pattern.partition("*")
        self._tail = rest.rpartition("*")[2]
        self._pattern = split(pattern)
        self._wild = [(place, part.split("*")) for place, part in enumerate(self._pattern) if "*" in part]

    def fitsAny(self, names: Texts) -> bool:
        """Return whether it fits one of a peer's names."""
        if self._literal is not None:
            return self._literal in names.whole
        head, tail = self._head, self._tail
        # Both ends of a name are compared first, because that is done soonest.
        return any(
            self._fitsParts(parts) for text, parts in names.parts if text.startswith(head) and text.endswith(tail)
        )

    def fits(self, name: str) -> bool:
        """Return whether it fits a name."""
        return self._fitsParts(self._split(name))

    def _fitsParts(self, parts: tuple[str, ...]) -> bool:
        if len(parts) != len(self._pattern):
            return False
        literal = list(parts)
        for place, pieces in self._wild:
            if not _fitsPart(pieces, parts[place]):
                return False
            literal[place] = self._pattern[place]
        return tuple(literal) == self._pattern


def _fitsPart(pieces: list[str], part: str) -> bool:
    # A piece of an A-label is no piece of the name that it means (RFC 9525, section 6.3).
    if part.startswith("xn--") and pieces != ["", ""]:
        return False
    head, tail = pieces[0], pieces[-1]
    if len(part) < len(head) + len(tail) or not part.startswith(head) or not part.endswith(tail):
        return False
    place, end = len(head), len(part) - len(tail)
    for piece in pieces[1:-1]:
        if (found := part.find(piece, place, end)) < 0:
            return False
        place = found + len(piece)
    return True
