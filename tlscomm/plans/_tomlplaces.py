"""Where in the text of a TOML file each key and each value stands.

Python's parser tells the line of a mistake in the syntax, and nothing of what it has read; of the libraries that keep a
file's form none says lines. So a text that the parser has taken is gone through once more for the places alone. What is
TOML is the parser's to say: this only has to find its way in texts that are, and a test compares the two.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Callable
from typing import TypeAlias, cast

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["KeyPath", "Place", "placesIn"]

KeyPath: TypeAlias = "tuple[str | int, ...]"
"""Keys from the outermost to the innermost, with the index of each element of an array."""

Place: TypeAlias = "tuple[int, int]"
"""Line and column, counted from 1."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_SIMPLE = re.compile(
    # Up to two quotes may stand before the three that end a text of several lines.
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|"
    r"[^,\]}#\n]+",
    re.DOTALL,
)


def placesIn(text: str) -> dict[KeyPath, Place]:
    """Return where each key stands, and each element of an array, by their paths.

    A table that is opened by its own line stands there; of one with several the last is meant.

    Args:
        text: what ``tomllib`` reads without an error, with ``\\n`` between its lines.
    """
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._found: dict[KeyPath, Place] = {}
        self._counts: dict[KeyPath, int] = {}

    def scan(self) -> dict[KeyPath, Place]:
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            table = self._statement(table)
            self._skip()
        return self._found

    def _statement(self, table: KeyPath) -> KeyPath:
        """Read a key with its value, or the line that opens a table; return the table that is open then."""
        if self._peek() != "[":
            self._pair(table)
            return table
        start = self._at
        isArray = self._text.startswith("[[", start)
        self._at += 2 if isArray else 1
        opened = self._opened(self._keys(), isArray)
        self._at += 2 if isArray else 1
        self._found[opened] = self._place(start)
        return opened

    def _opened(self, keys: list[str], isArray: bool) -> KeyPath:
        path: KeyPath = ()
        for key in keys[:-1]:
            path = (*path, key)
            # Of an array of tables the last is meant.
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        path = (*path, keys[-1])
        if isArray:
            number = self._counts.get(path, 0)
            self._counts[path] = number + 1
            path = (*path, number)
        return path

    def _pair(self, table: KeyPath) -> None:
        place = self._place(self._at)
        path = table
        for key in self._keys():
            path = (*path, key)
            self._found.setdefault(path, place)
        self._skip()
        self._at += len("=")
        self._skip()
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip()
            keys.append(_key(self._take(_KEY)))
            if not self._take(_DOT):
                self._skip()
                return keys

    def _value(self, path: KeyPath) -> None:
        if self._peek() == "[":
            self._inside("]", lambda number: self._element((*path, number)))
        elif self._peek() == "{":
            self._inside("}", lambda _: self._pair(path))
        else:
            self._take(_SIMPLE)

    def _element(self, path: KeyPath) -> None:
        self._found[path] = self._place(self._at)
        self._value(path)

    def _inside(self, end: str, read: Callable[[int], None]) -> None:
        """Read what stands between brackets, with commas between."""
        number = 0
        self._at += 1
        self._skip()
        while self._peek() != end:
            before = self._at
            read(number)
            number += 1
            self._skip()
            if self._peek() == ",":
                self._at += 1
                self._skip()
            if self._at == before:
                raise ValueError("this is no TOML")
        self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        self._take(_BLANK)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def _place(self, at: int) -> Place:
        line = bisect_right(self._lines, at)
        return line, at - self._lines[line - 1] + 1


def _key(text: str) -> str:
    return text if text[:1] not in {'"', "'"} else cast(str, tomllib.loads(f"key = {text}")["key"])
