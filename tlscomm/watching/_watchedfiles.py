"""The files of a configuration: which there are, and which of them are others than those that were read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._sources import STANDARD_INPUT
from tlscomm.store import isStoreSource
from tlscomm.watching._marks import Mark, markFrom, markOf

__all__ = ["Marks", "Sources", "WatchedFiles"]

#: How many files of a folder are looked at.
_MOST_FILES = 5000

Marks: TypeAlias = "Mapping[str, tuple[tuple[str, Mark], ...]]"
"""What is in the place of each source: itself, and, of a folder, what is in it."""


@dataclass(frozen=True)
class Sources:
    """What a configuration is read from, as it was named.

    Attributes:
        files: files and folders. What is no file, a store or standard input, may be among them.
        lists: those with revocation lists and OCSP responses, each of which counts by itself.
    """

    files: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them that are files or folders, each once."""
        named = dict.fromkeys((*self.files, *self.lists))
        return tuple(each for each in named if each not in ("system", STANDARD_INPUT) and not isStoreSource(each))


class WatchedFiles:
    """Files and folders that may change. It is made before they are read, so that no change is missed.

    Attributes:
        sources: what is looked at.
    """

    def __init__(self, sources: Sources | Callable[[], Sources]) -> None:
        """
        Args:
            sources: what is looked at. Where that may change too, because a file says it, what returns it; it is called
                before each reading, in the same thread.
        """
        self._named = sources if callable(sources) else lambda: sources
        self.sources = self._named()
        self._read = self._tried = self.look()

    @classmethod
    def of(cls, files: Iterable[str] = (), lists: Iterable[str] = ()) -> WatchedFiles:
        """Return those of these sources."""
        return cls(Sources(tuple(files), tuple(lists)))

    def look(self) -> Marks:
        """Return what tells the files from others of their names. It may take for ever, where a file system does."""
        return {path: _marksOf(path) for path in self.sources.paths}

    def lookBeforeReading(self) -> Marks:
        """Return the same of what the configuration is read from now."""
        # Why it cannot be known will be said by the reading; what was known is looked at until then.
        with contextlib.suppress(Exception):
            self.sources = self._named()
        return self.look()

    def withNew(self, marks: Marks) -> Marks:
        """Return the marks with those of what a reading has just found to belong to it, too."""
        before = self.sources
        with contextlib.suppress(Exception):
            self.sources = self._named()
        new = {path: _marksOf(path) for path in self.sources.paths if path not in before.paths}
        return {path: mark for path, mark in {**marks, **new}.items() if path in self.sources.paths}

    def isUntried(self, marks: Marks) -> bool:
        """Return whether the files are others than those of the last reading, whatever came of it."""
        return marks != self._tried

    def changedSince(self, marks: Marks) -> tuple[str, ...]:
        """Return the sources whose files are others than those in use."""
        return tuple(path for path, found in marks.items() if self._read.get(path) != found)

    def areListsAlone(self, marks: Marks) -> bool:
        """Return whether nothing but lists has changed since the last reading, whatever came of that."""
        changed = {path for path, found in marks.items() if self._tried.get(path) != found}
        return bool(changed) and not changed & set(self.sources.files)

    def noteTried(self, marks: Marks) -> None:
        """These files were read, or could not be."""
        self._tried = marks

    def noteRead(self, marks: Marks, *, areLists: bool = False) -> None:
        """What is in use was read from these files, or what of it is lists."""
        self._tried = marks
        if areLists:
            files = set(self.sources.files)
            marks = {path: self._read.get(path, ()) if path in files else found for path, found in marks.items()}
        self._read = marks


def _marksOf(path: str) -> tuple[tuple[str, Mark], ...]:
    marks = [(path, markOf(path))]
    try:
        with os.scandir(path) as entries:
            marks += sorted((entry.path, _markOfEntry(entry)) for entry in entries)
    except (OSError, ValueError):
        # It is a file; and what cannot be listed is named when it is read.
        pass
    return tuple(marks[:_MOST_FILES])


def _markOfEntry(entry: os.DirEntry[str]) -> Mark:
    try:
        return markFrom(entry.stat())
    except OSError:
        return None
