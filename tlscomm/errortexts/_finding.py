"""Known sentences in a text or in a log of any length, each once.

Logs are hostile and large: a line is cut, what is kept is one entry for each sentence of the table, and what most lines
lack is looked for first, in many lines at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

from tlscomm._dataclasses import dataclass
from tlscomm.errortexts._errortext import ErrorText, Where, plain
from tlscomm.errortexts._table import ERROR_TEXTS
from tlscomm.failures import printable

__all__ = ["Finding", "findingsIn", "findingsInLines"]

_LONGEST_LINE = 1 << 16
_LINES_AT_ONCE = 500
_LONGEST_EXAMPLE = 300
_SHORTEST_WORD = 4

_MENTIONS = [(piece, entry) for entry in ERROR_TEXTS for piece in entry.firstPieces()]
_ORDER = {id(entry): place for place, entry in enumerate(ERROR_TEXTS)}


@dataclass
class Finding:
    """A sentence of the table that a text has.

    Attributes:
        text: the entry.
        line: the number of the first line that has it, from 1.
        example: that line around the sentence, printable and cut.
        count: how many lines have it.
    """

    text: ErrorText
    line: int
    example: str
    count: int = 1


def findingsIn(text: str) -> list[Finding]:
    """Return what is known of a text of a few lines, the most telling first.

    What only says that something failed is left out where the text says more.
    """
    found = findingsInLines(_lines(text)) or findingsInLines([" ".join(text[:_LONGEST_LINE].split())])
    telling = [each for each in found if not each.text.isVague]
    return telling or found


def findingsInLines(lines: Iterable[str]) -> list[Finding]:
    """Return what is known of the lines of a log, the most telling first, then the most frequent.

    A line is cut at 65,536 characters.
    """
    found: dict[int, Finding] = {}
    for number, line, matches in _matched(lines):
        for entry, where in matches:
            if (known := found.get(id(entry))) is not None:
                known.count += 1
            else:
                found[id(entry)] = Finding(entry, number, _example(line, where))
    return sorted(found.values(), key=lambda each: (each.text.isVague, -each.count, each.line))


def _matched(lines: Iterable[str]) -> Iterator[tuple[int, str, list[tuple[ErrorText, Where]]]]:
    number = 0
    rest = iter(lines)
    while some := [line[:_LONGEST_LINE] for line in islice(rest, _LINES_AT_ONCE)]:
        made = [plain(_unescaped(line)) for line in some]
        mentions = _mentionedIn("\n".join(made))
        if mentions:
            for place, line in enumerate(made):
                # By its number, since an entry with several forms may be mentioned several times.
                entries = {id(entry): entry for piece, entry in mentions if piece in line}
                if entries and (matches := _matches(entries.values(), line)):
                    yield number + place + 1, _unescaped(some[place]), matches
        number += len(some)


def _mentionedIn(text: str) -> list[tuple[str, ErrorText]]:
    pieces = [each for word, those in _byWord().items() if word in text for each in those]
    return sorted((each for each in pieces if each[0] in text), key=lambda each: _ORDER[id(each[1])])


@cache
def _byWord() -> dict[str, list[tuple[str, ErrorText]]]:
    """Return what is looked for by a few words that all of it has one of: a search each tells what can be there."""
    rest = list(_MENTIONS)
    words: dict[str, list[tuple[str, ErrorText]]] = {}
    while rest:
        counts = Counter(word for piece, _ in rest for word in _wordsOf(piece))
        (word, _), *_ = counts.most_common(1)
        words[word] = [each for each in rest if word in _wordsOf(each[0])]
        rest = [each for each in rest if word not in _wordsOf(each[0])]
    return words


def _wordsOf(piece: str) -> set[str]:
    """Return the words of a piece, the piece itself where they are all short."""
    return {word for word in piece.split() if len(word) >= _SHORTEST_WORD} or {piece}


def _matches(entries: Iterable[ErrorText], line: str) -> list[tuple[ErrorText, Where]]:
    """Return the sentences of a line that are not parts of others; vague ones only where there are no telling ones."""
    found = [(entry, where) for entry in entries if (where := entry.within(line)) is not None]
    found = [(entry, where) for entry, where in found if not any(where.isWithin(other) for _, other in found)]
    telling = [(entry, where) for entry, where in found if not entry.isVague]
    return telling or found


def _lines(text: str) -> list[str]:
    r"""Return the lines of a text, also where they stand in it as ``\n``."""
    return text.replace("\\r\\n", "\n").replace("\\n", "\n").splitlines()


def _unescaped(line: str) -> str:
    return line.replace('\\"', '"').replace("\\u0027", "'") if "\\" in line else line


def _example(line: str, where: Where) -> str:
    begin = max(0, where.begin - _LONGEST_EXAMPLE // 3)
    return printable(line[begin : begin + _LONGEST_EXAMPLE].strip(), _LONGEST_EXAMPLE)
