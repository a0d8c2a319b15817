"""Files that hold revocation lists, read again when they change.

They come in every form in which credentials come, PEM, DER, UTF-16 or base64, alone or several, and are read by the
same readers. A person who names a folder relies on the lists in it, so a list that is not recognised, or a folder
without any, is a failure: in the mode ``soft`` it would let the revoked in.

An authority publishes a new list every day, and a server runs for months. What is read again may be half written,
damaged or gone: then the lists that were read last go on counting, until they expire by themselves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import SourceLike
from tlscomm.credentials._contents import FoundList
from tlscomm.credentials._formats import formOf, readContents
from tlscomm.credentials._passphrase import Passphrase
from tlscomm.credentials._sources import STANDARD_INPUT, Source, readSource
from tlscomm.credentials._structure import structureOf
from tlscomm.failures import Damaged, FileNotFound, TLSFailure, UnknownFormat, Unreadable, printable
from tlscomm.revocation._revocationlist import RevocationList
from tlscomm.watching._marks import Mark, markOf
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["ListFiles", "readLists"]

_COPY_AGAIN = (
    "Get the list again from its authority, and put it there in one step (mv). If it is the same again, it is not "
    "encoded as RFC 5280 says, and its authority has to publish it in another way."
)
_NAME_LISTS = "Put the revocation lists into it, or name the file of a list (--crl FILE)."
_NAME_LIST = "Name the file with the list of the authority, PEM or DER; tlscomm inspect FILE says what a file holds."

#: What files with lists are called: the last as OpenSSL's folders have it, HASH.r0 (``openssl rehash``).
_LIST_NAME = re.compile(r".*\.(?:crl|r[0-9]+)", re.IGNORECASE | re.DOTALL)
#: What certificates are called as well.
_NAME = re.compile(r".*\.(?:crl|r[0-9]+|der|pem|p7b|p7c|b64)", re.IGNORECASE | re.DOTALL)
#: The folders of grids have seven for each of a hundred authorities.
_MOST_FILES = 5000


@dataclass(frozen=True)
class _Known:
    mark: Mark
    lists: tuple[RevocationList, ...]


#: What was read of each file and is in use. A configuration that is read again has most files of the one before, and
#: to read thousands of lists takes many seconds.
_inMemory: WeakValueDictionary[tuple[str, Mark, bool], _Known] = WeakValueDictionary()


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
        # A folder for OpenSSL has each file a second time, as a link.
        found = (each for files in self._known.values() for known in files.values() for each in known.lists)
        return list(dict.fromkeys(found))

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
            gone = files.keys() - set(paths)
            isOther = bool(gone)
            for path in gone:
                del files[path]
            for path in paths:
                isOther |= _readAgain(path, files, problems, isAlone=str(path) == source)
            if not any(each.lists for each in files.values()):
                if source not in self._missing:
                    problems.append(_withoutLists(source))
                self._missing.add(source)
                known[source] = _withListsOf(self._known[source], files)
                continue
            self._missing.discard(source)
            changed = changed or isOther
        self._known = known
        return changed, problems


def _readAgain(path: Path, files: dict[Path, _Known], problems: list[TLSFailure], *, isAlone: bool) -> bool:
    """Read a file if it has changed, and return whether its lists are others now."""
    mark, known = markOf(path), files.get(path)
    if known is not None and known.mark == mark:
        return False
    same = next((each for each in files.values() if mark is not None and each.mark == mark), None)
    place = os.path.abspath(path), mark, isAlone
    same = same or (_inMemory.get(place) if mark is not None else None)
    try:
        found = _Known(mark, _readFile(path, isAlone=isAlone) if same is None else same.lists)
        _inMemory[place] = files[path] = found
    except TLSFailure as problem:
        files[path] = _Known(mark, () if known is None else known.lists)
        problems.append(problem)
        return False
    return True


def readLists(source: SourceLike) -> tuple[RevocationList, ...]:
    """Read the lists of one file, any number in any form: PEM, DER, PKCS#7, in UTF-16 or base64.

    Raises:
        FileNotFound, Unreadable: the file cannot be read.
        UnknownFormat: it holds no revocation list.
        Damaged: it holds one that is broken.
    """
    if source == STANDARD_INPUT:
        raise Unreadable("standard input, which cannot be read again when the lists change")
    found = readSource(source)
    try:
        lists = _listsIn(found)
    except UnknownFormat as foreign:
        raise UnknownFormat(f"{foreign.detail}, and holds no revocation list", remedy=_NAME_LIST) from None
    if not lists:
        form = formOf(found.content)
        raise UnknownFormat(f"{found.name} holds no revocation list{f' ({form})' if form else ''}", remedy=_NAME_LIST)
    return lists


def _listsIn(source: Source) -> tuple[RevocationList, ...]:
    """Return the lists of a source, none where it is known to hold something else."""
    try:
        contents = readContents(source, Passphrase(None), wantKeys=False, wantLists=True)
    except Damaged as broken:
        broken.remedy = broken.remedy or _COPY_AGAIN
        raise
    return tuple(map(_asList, contents.lists))


def _asList(found: FoundList) -> RevocationList:
    try:
        return RevocationList(found.content)
    except REJECTIONS as error:
        raise Damaged(f"{found.place} cannot be read: {unreadableText(error)}", remedy=_COPY_AGAIN) from None


def _readFile(path: Path, *, isAlone: bool) -> tuple[RevocationList, ...]:
    if isAlone or _LIST_NAME.fullmatch(path.name):
        return readLists(path)
    mayBe = _NAME.fullmatch(path.name) is not None
    try:
        found = readSource(path)
        # A request of an authority, or a public key, is no list either.
        mayBe = mayBe and structureOf(found.content) is None
        return _listsIn(found)
    except (UnknownFormat, Unreadable):
        # A folder may hold anything else, and the certificates of its authorities, too. But what is called as if it
        # were a list and is nothing that is known may be one.
        if mayBe:
            raise
        return ()


def _filesOf(source: str) -> list[Path]:
    if not os.path.isdir(source):
        return [Path(source)]
    try:
        paths = sorted(_listed(source), key=os.fspath)
    except OSError as problem:
        raise Unreadable(f"{printable(source)}: {problem.strerror}") from None
    if not paths:
        raise FileNotFound(f"{printable(source)} is an empty folder, without a revocation list", remedy=_NAME_LISTS)
    if len(paths) > _MOST_FILES:
        raise Unreadable(f"{printable(source)} holds more than {_MOST_FILES} files")
    return paths


def _listed(folder: str) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if not entry.name.startswith(".") and _mayHoldLists(entry):
            yield Path(entry.path)


def _mayHoldLists(entry: os.DirEntry[str]) -> bool:
    try:
        # A link that leads nowhere is named, if it is called as a list is.
        return entry.is_file() or (entry.is_symlink() and not entry.is_dir() and bool(_NAME.fullmatch(entry.name)))
    except OSError:
        return _NAME.fullmatch(entry.name) is not None


def _withListsOf(before: dict[Path, _Known], files: dict[Path, _Known]) -> dict[Path, _Known]:
    """Return the files as they are now with the lists that there were before, since there are no others."""
    kept = {path: _Known(each.mark, before[path].lists) for path, each in files.items() if path in before}
    return {**before, **files, **kept}


def _withoutLists(folder: str) -> FileNotFound:
    return FileNotFound(
        f"{printable(folder)} is a folder, and no file in it holds a revocation list", remedy=_NAME_LISTS
    )
