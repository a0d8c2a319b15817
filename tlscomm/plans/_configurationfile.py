"""Configuration files as they are written: TOML, with the place of each key, and the files that they include.

A mistake in the syntax hides nothing that can be found out besides: a line that is wrong by itself is told and left
out, and the rest is read.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import Any

from tlscomm._dataclasses import dataclass
from tlscomm.failures import printable
from tlscomm.plans._plan import Origin
from tlscomm.plans._planproblems import PlanProblem
from tlscomm.plans._tomlplaces import KeyPath, Place, placesIn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ConfigurationFile", "readFiles"]

#: Bytes of one file, files in all, and how deep one may include others.
_LARGEST = 1 << 20
_MOST_FILES = 100
_DEEPEST = 5
#: Lines with wrong syntax that are told of one file.
_MOST_SYNTAX_ERRORS = 20

#: What the parser says of the most frequent mistakes, for a person who made one.
_IN_OTHER_WORDS = {
    "Invalid value": "This is no value of TOML; a text stands in quotes",
    "Unclosed array": "A comma or the bracket ] is missing",
    "Cannot overwrite a value": "This key has a value already",
    "Invalid statement": "This is no line of TOML; a line is KEY = VALUE, [[listener]] or a # comment",
}

_PLACE = re.compile(r" ?\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True)
class ConfigurationFile:
    """One file, as far as it could be read.

    Attributes:
        path: absolute, with the names that were used.
        shown: what messages call it.
        values: the tables of the file, as ``tomllib`` returns them.
        places: where each key stands.
        isWhole: whether there was no mistake in its syntax.
        folders: where more files may come that it includes by a pattern.
    """

    path: str
    shown: str
    values: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[KeyPath, Place] = field(default_factory=dict)
    isWhole: bool = True
    folders: tuple[str, ...] = ()

    def origin(self, *path: str | int) -> Origin:
        """Return where something stands, or what it is in where that has no place of its own."""
        for length in range(len(path), 0, -1):
            if (place := self.places.get(path[:length])) is not None:
                return Origin(self.shown, *place)
        return Origin(self.shown)


def readFiles(path: str, shown: str) -> tuple[list[ConfigurationFile], list[PlanProblem]]:
    """Return a configuration file and those that it includes, and what is wrong with them as files.

    Each stands before those that it includes, and these are in the order of their names where they are meant by one
    pattern. Of several mistakes in syntax each is told that is one by itself.

    Args:
        path: of the file.
        shown: what messages call it.
    """
    reading = _Reading()
    reading.read(os.path.abspath(path), shown, Origin(shown), 0)
    return reading.files, reading.problems


class _Reading:
    def __init__(self) -> None:
        self.files: list[ConfigurationFile] = []
        self.problems: list[PlanProblem] = []
        self._read: dict[str, str] = {}

    def read(self, path: str, shown: str, named: Origin, depth: int) -> None:
        """Read a file and all that it includes.

        Args:
            path: absolute.
            shown: what messages call it.
            named: where it is named.
            depth: how many files include each other down to it.
        """
        if problem := self._refusal(path, shown, depth):
            self.problems.append(PlanProblem(named, problem))
            return
        self._read[os.path.realpath(path)] = shown
        try:
            text = _textOf(path)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            self.problems.append(PlanProblem(named, f"the configuration file {printable(shown)}: {reason}"))
            return
        file = self._parsed(path, shown, text)
        self.files.append(file)
        for number, pattern in enumerate(self._patterns(file)):
            self._include(file, pattern, file.origin("include", number), depth)

    def _refusal(self, path: str, shown: str, depth: int) -> str:
        if (other := self._read.get(os.path.realpath(path))) is not None:
            return f"{printable(shown)} is read already, as {printable(other)}; a file can be included once"
        if depth > _DEEPEST:
            return f"{printable(shown)} is included through {depth} files; {_DEEPEST} is the most"
        if len(self._read) >= _MOST_FILES:
            return f"{printable(shown)} is one file too many; {_MOST_FILES} is the most"
        return ""

    def _parsed(self, path: str, shown: str, text: str) -> ConfigurationFile:
        values, text, problems = _parse(text)
        self.problems += [PlanProblem(Origin(shown, *place), message) for message, place in problems]
        file = ConfigurationFile(path, shown, values, placesIn(text) if values else {}, not problems)
        return replace(file, folders=tuple(_foldersOf(file)))

    def _patterns(self, file: ConfigurationFile) -> list[str]:
        patterns = file.values.get("include", [])
        if isinstance(patterns, str):
            return [patterns]
        if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
            message = 'include is a list of files, such as ["conf.d/*.toml"]'
            self.problems.append(PlanProblem(file.origin("include"), message))
            return []
        return patterns

    def _include(self, file: ConfigurationFile, pattern: str, named: Origin, depth: int) -> None:
        folder = os.path.dirname(file.path)
        path = os.path.join(folder, pattern)
        # No file of a pattern is no mistake: the folder may wait for the first.
        found = sorted(glob.iglob(path)) if glob.has_magic(pattern) else [path]
        for each in found[: _MOST_FILES + 1]:
            shown = each if os.path.isabs(pattern) else _beside(file.shown, os.path.relpath(each, folder))
            self.read(each, shown, named, depth + 1)


def _foldersOf(file: ConfigurationFile) -> Iterator[str]:
    patterns = file.values.get("include", ())
    for pattern in (patterns,) if isinstance(patterns, str) else patterns if isinstance(patterns, list) else ():
        if isinstance(pattern, str) and glob.has_magic(pattern):
            folder = os.path.dirname(os.path.join(os.path.dirname(file.path), pattern))
            # A pattern of folders is looked for when the file is read again for another reason.
            if not glob.has_magic(folder) and os.path.isdir(folder):
                yield folder


def _beside(shown: str, name: str) -> str:
    return os.path.join(os.path.dirname(shown), name)


def _textOf(path: str) -> str:
    # A pipe without a writer would hold the program up.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("this is no plain file, which can be read again")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST >> 20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise ValueError(f"it is not UTF-8, as TOML has to be (line {line})") from None
    return text.replace("\r\n", "\n")


def _parse(text: str) -> tuple[dict[str, Any], str, list[tuple[str, Place]]]:
    """Return what a text says without its wrong lines, that text, and what is wrong with each of them."""
    problems: list[tuple[str, Place]] = []
    while True:
        try:
            return tomllib.loads(text), text, problems
        except RecursionError:
            return {}, "", [*problems, ("the values are nested too deep", (0, 0))]
        except ValueError as problem:
            message, place = _said(text, str(problem))
        problems.append((message, place))
        lines = text.split("\n")
        if len(problems) >= _MOST_SYNTAX_ERRORS or not _isWrongItself(lines, *place):
            return {}, "", problems
        lines[place[0] - 1] = ""
        text = "\n".join(lines)


def _isWrongItself(lines: list[str], number: int, column: int) -> bool:
    """Return whether a line is wrong without the others. One that is not only shows what went wrong before it."""
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    # Without the line that opens a table, what follows would be taken for another's.
    if not column or line.lstrip().startswith("["):
        return False
    try:
        tomllib.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def _said(text: str, problem: str) -> tuple[str, Place]:
    """Return what is wrong, without the place, and the place."""
    found = _PLACE.search(problem)
    message = problem if found is None else problem[: found.start()]
    message = _IN_OTHER_WORDS.get(message, message)
    if found is None:
        return message, (0, 0)
    if found.group(1) is None:
        return f"{message} (at the end of the file)", (text.rstrip("\n").count("\n") + 1, 0)
    return message, (int(found.group(1)), int(found.group(2)))
