"""Files that hold revocation lists, read again when they change.

An authority publishes a new list every day, and a server runs for months. What is read again may be half written,
damaged or gone: then the lists that were read last go on counting, until they expire by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlscomm.credentials import SourceLike
from tlscomm.credentials._contents import named
from tlscomm.credentials._sources import STANDARD_INPUT, readSource
from tlscomm.failures import Damaged, FileNotFound, TLSFailure, UnknownFormat, Unreadable, printable
from tlscomm.revocation._entries import decoded
from tlscomm.revocation._marks import Mark, markOf
from tlscomm.revocation._revocationlist import RevocationList
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["ListFiles", "readLists"]

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_BEGINS = b"-----BEGIN X509 CRL-----"
_COPY_AGAIN = "Get the list again from its authority, and put it there in one step (mv)."
_ENDINGS = (".crl", ".der", ".pem")
_MOST_FILES = 1000


@dataclass(frozen=True)
class _Known:
    mark: Mark
    lists: tuple[RevocationList, ...]


class ListFiles:
    """Files and folders with revocation lists.

    Args:
        sources: their paths.

    Raises:
        TLSFailure: one of them cannot be used.
    """

    def __init__(self, sources: Sequence[str | os.PathLike[str]]) -> None:
        self._known: dict[str, dict[Path, _Known]] = {os.fspath(source): {} for source in sources}
        self._missing: set[str] = set()
        problems = self.reread()[1]
        if problems:
            raise problems[0]

    def __bool__(self) -> bool:
        return bool(self._known)

    @property
    def lists(self) -> list[RevocationList]:
        """The lists that count now."""
        return [each for files in self._known.values() for known in files.values() for each in known.lists]

    @property
    def mayHaveChanged(self) -> bool:
        """Whether there is anything to read again. That costs a look at each file, which is not opened."""
        return any(self._mayHaveChanged(source, files) for source, files in self._known.items())

    def reread(self) -> tuple[bool, list[TLSFailure]]:
        """Read what has changed.

        Returns:
            Whether the lists are others now, and what could not be read. Of a file that could not be read the lists
            from before stay, and it is not reported again until it changes again.
        """
        changed, problems = False, list[TLSFailure]()
        # This may run in a thread, while others read what is known.
        known = {source: dict(files) for source, files in self._known.items()}
        for source, files in known.items():
            try:
                paths = _filesOf(source)
            except TLSFailure as problem:
                if source not in self._missing:
                    problems.append(problem)
                self._missing.add(source)
                continue
            self._missing.discard(source)
            gone = files.keys() - set(paths)
            changed = changed or bool(gone)
            for path in gone:
                del files[path]
            for path in paths:
                changed |= _readAgain(path, files, problems, isAlone=str(path) == source)
        self._known = known
        return changed, problems

    def _mayHaveChanged(self, source: str, files: dict[Path, _Known]) -> bool:
        try:
            paths = _filesOf(source)
        except TLSFailure:
            return source not in self._missing
        if source in self._missing or files.keys() != set(paths):
            return True
        return any(files[path].mark != markOf(path) for path in paths)


def _readAgain(path: Path, files: dict[Path, _Known], problems: list[TLSFailure], *, isAlone: bool) -> bool:
    """Read a file if it has changed, and return whether its lists are others now."""
    mark, known = markOf(path), files.get(path)
    if known is not None and known.mark == mark:
        return False
    try:
        files[path] = _Known(mark, _readFile(path, isAlone=isAlone))
    except TLSFailure as problem:
        files[path] = _Known(mark, () if known is None else known.lists)
        problems.append(problem)
        return False
    return True


def readLists(source: SourceLike) -> tuple[RevocationList, ...]:
    """Read the lists of one file, PEM (any number) or DER (one).

    Raises:
        FileNotFound, Unreadable: the file cannot be read.
        UnknownFormat: it holds no revocation list.
        Damaged: it holds one that is broken.
    """
    if source == STANDARD_INPUT:
        raise Unreadable("standard input, which cannot be read again when the lists change")
    found = readSource(source)
    blocks = _PEM.findall(found.content)
    if found.content.count(_BEGINS) > len(blocks):
        raise Damaged(f"{found.name} holds the beginning of a revocation list without its end", remedy=_COPY_AGAIN)
    if not blocks and not found.content.startswith(b"\x30"):
        raise UnknownFormat(f"{found.name} holds no revocation list, neither PEM nor DER")
    what = f"{found.name} holds a revocation list that cannot be read"
    with named(what):
        try:
            if blocks:
                return tuple(RevocationList(decoded(block)) for block in blocks)
            return (RevocationList(found.content),)
        except REJECTIONS:
            raise Damaged(what, remedy=_COPY_AGAIN) from None


def _readFile(path: Path, *, isAlone: bool) -> tuple[RevocationList, ...]:
    try:
        return readLists(path)
    except UnknownFormat:
        # A folder may hold the authorities' certificates too.
        if isAlone or path.suffix == ".crl":
            raise
        return ()


def _filesOf(source: str) -> list[Path]:
    if not os.path.isdir(source):
        return [Path(source)]
    try:
        paths = sorted(_listed(source))
    except OSError as problem:
        raise Unreadable(f"{printable(source)}: {problem.strerror}") from None
    if not paths:
        raise FileNotFound(
            f"{printable(source)} is a folder, and no file in it ends in {', '.join(_ENDINGS)}",
            remedy="Put the revocation lists into it, or name the file of a list (--crl FILE).",
        )
    if len(paths) > _MOST_FILES:
        raise Unreadable(f"{printable(source)} holds more than {_MOST_FILES} files")
    return paths


def _listed(folder: str) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if entry.name.endswith(_ENDINGS) and not entry.name.startswith("."):
            yield Path(entry.path)
