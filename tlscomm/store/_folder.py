"""Where a certificate store keeps its files, who may touch them, and how they change.

The layout is that of .NET on Linux, as its class ``OpenSslDirectoryBasedStoreProvider`` has it: a folder for each
store, and in it one PKCS#12 file for each certificate, named after its SHA-1 thumbprint, with ``.1`` to ``.9`` before
the ending where that name is taken by something else. .NET looks at nothing but ``*.pfx``, and takes no lock. So
everything that is ours alone has other names, a new file never takes the place of one that appeared meanwhile, and a
file is seen whole or not at all.

One store lies elsewhere. As soon as the folder ``disallowed`` holds any file, .NET refuses to build any chain for that
user ("The Disallowed store is not supported on this platform, but already has data"): sharing it would break every .NET
program of the user, and .NET could not read it anyway.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlscomm._dataclasses import dataclass
from tlscomm.failures import FileNotFound, StoreReadOnly, Unreadable, UnsafePermissions, printable
from tlscomm.x509._files import File, exclusively, makeFolder, writeFiles

__all__ = ["LOCATIONS", "NAMES", "Files", "StoreFolder", "exposure", "locationNamed", "storeNamed"]

LOCATIONS = ("CurrentUser", "LocalMachine")
NAMES = ("My", "Root", "CA", "TrustedPeople", "Disallowed")

#: Which environment variable moves a location.
_VARIABLES = {"CurrentUser": "TLSCOMM_STORE", "LocalMachine": "TLSCOMM_MACHINE_STORE"}

#: ASCII, because the folder has the name in lower case, and programs differ in how they lower other letters.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,98}[A-Za-z0-9_-])?")
#: What Windows takes for a device, whatever follows a dot.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9])(?:\..*)?", re.IGNORECASE)

#: The character is in no store's name.
_DISALLOWED = "disallowed@tlscomm"
_LOCK = ".tlscomm-lock"
_PFX = ".pfx"
_MARK = ".not-exportable"
_STAGED = ".staged"
#: What a process leaves that ended while it wrote.
_LEFT = re.compile(r"\.?[0-9A-F]{40}(?:\..*)?(?:\.staged|\.[0-9a-f]{16})")
#: As many as .NET tries.
_MOST_NAMESAKES = 9

_CHANGED_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_READ_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
_REFUSALS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
#: A file system without hard links.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def locationNamed(text: str) -> str:
    """Return a location as it is spelled; capitals do not matter.

    Raises:
        ValueError: there is no such location.
    """
    for location in LOCATIONS:
        if text.lower() == location.lower():
            return location
    raise ValueError(f"a store's location is {' or '.join(LOCATIONS)}, not {printable(text)!r}")


def storeNamed(text: str) -> str:
    """Return a store's name as it is spelled; capitals do not matter in the well-known ones.

    Raises:
        ValueError: it cannot be the name of a store.
    """
    if not _NAME.fullmatch(text) or _DEVICES.fullmatch(text):
        raise ValueError(
            f"a store's name has at most 100 letters, digits, spaces and . _ - in it, unlike {printable(text)!r}"
        )
    return next((name for name in NAMES if name.lower() == text.lower()), text)


@dataclass(frozen=True)
class Files:
    """What is in a folder.

    Attributes:
        certificates: the files with certificates, by name.
        marked: the thumbprints whose keys may not be exported.
        broken: a failure for each link in the place of such a file that leads nowhere, or to itself.
    """

    certificates: tuple[Path, ...] = ()
    marked: frozenset[str] = frozenset()
    broken: tuple[Unreadable, ...] = ()


class StoreFolder:
    """The files of one store.

    Args:
        location: where it is, as in `LOCATIONS`.
        name: what it is called.
        root: the folder that holds the folders of all stores; where None is given, what the environment variable of the
            location names, or the usual place.

    Raises:
        FileNotFound: the user has no home folder, and none is given.
    """

    def __init__(self, location: str, name: str, root: str | os.PathLike[str] | None = None) -> None:
        self._root = _rootOf(location) if root is None else Path(root).absolute()
        self._isForAll = location == "LocalMachine"
        self.path = self._root / (_DISALLOWED if name == "Disallowed" else name.lower())

    def check(self) -> None:
        """Refuse a folder that others can change: they could put certificates of theirs into it, or take keys away.

        .NET makes its folders readable by others, and that does no harm: the files are not.

        Raises:
            UnsafePermissions: it is one.
            Unreadable: it cannot be looked at.
        """
        for folder in (self._root, self.path):
            try:
                found = os.stat(folder)
            except FileNotFoundError:
                return
            except OSError as error:
                raise Unreadable(f"{folder}: {error.strerror}") from None
            if not stat.S_ISDIR(found.st_mode):
                raise Unreadable(f"{folder} is not a folder")
            _refuseStrangers(folder, found)

    def files(self) -> Files:
        """List what is there, nothing where the folder does not exist.

        Raises:
            Unreadable: it may not be read.
        """
        try:
            with os.scandir(self.path) as entries:
                found = sorted(entry.name for entry in entries if entry.is_symlink() or entry.is_file())
        except FileNotFoundError:
            return Files()
        except OSError as error:
            raise Unreadable(f"{self.path}: {error.strerror}") from None
        certificates, broken = list[Path](), list[Unreadable]()
        for name in found:
            path = self.path / name
            if name.endswith(_PFX) and (problem := _problemOf(path)) is not None:
                broken.append(problem)
            elif name.endswith(_PFX) and path.is_file():
                certificates.append(path)
        return Files(
            tuple(certificates),
            frozenset(name.removesuffix(_MARK) for name in found if name.endswith(_MARK)),
            tuple(broken),
        )

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from changing anything at the same time. The folder is made where it does not exist.

        Raises:
            StoreReadOnly: this user may not change it.
            UnsafePermissions: others may.
            OSError: something else prevents it.
        """
        try:
            self._make()
            self.check()
            self._refuseForeign()
            with exclusively(self._root / _LOCK):
                self._sweep()
                yield
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            raise StoreReadOnly(f"{self.path}: {error.strerror}") from None

    def put(self, thumbprint: str, content: bytes, *, isSecret: bool) -> Path:
        """Write a certificate that is not there yet.

        Raises:
            OSError: it cannot be written, or all ten names are taken by something else.
        """
        staged = f"{thumbprint}{_STAGED}"
        self._write(staged, content, isSecret=isSecret)
        try:
            return self._publish(self.path / staged, thumbprint)
        finally:
            with suppress(FileNotFoundError):
                (self.path / staged).unlink()
            self._sync()

    def replace(self, path: Path, content: bytes, *, isSecret: bool) -> None:
        """Put other content in the place of a file, at once."""
        self._write(path.name, content, isSecret=isSecret)
        self._sync()

    def remove(self, path: Path) -> None:
        """Remove a file that may be gone already."""
        with suppress(FileNotFoundError):
            path.unlink()
        self._sync()

    def mark(self, thumbprint: str, isMarked: bool) -> None:
        """Write down that a key may not be exported, or that it may."""
        path = self.path / f"{thumbprint}{_MARK}"
        if not isMarked:
            self.remove(path)
        elif not path.exists():
            self._write(path.name, b"", isSecret=not self._isForAll)
            self._sync()

    def _make(self) -> None:
        mode = 0o755 if self._isForAll else 0o700
        for folder in (self._root, self.path):
            makeFolder(folder, mode)

    def _refuseForeign(self) -> None:
        # As .NET does. The files of root in a user's folder could not be read by that user.
        if sys.platform != "win32" and self.path.stat().st_uid != os.geteuid():
            raise StoreReadOnly(f"{self.path} belongs to another user")

    def _sweep(self) -> None:
        with os.scandir(self.path) as entries:
            left = [entry.path for entry in entries if _LEFT.fullmatch(entry.name)]
        for path in left:
            with suppress(FileNotFoundError):
                os.unlink(path)

    def _write(self, name: str, content: bytes, *, isSecret: bool) -> None:
        writeFiles(self.path, {name: File(content, isSecret or not self._isForAll)})

    def _publish(self, staged: Path, thumbprint: str) -> Path:
        for name in (thumbprint, *(f"{thumbprint}.{number}" for number in range(1, _MOST_NAMESAKES + 1))):
            path = self.path / f"{name}{_PFX}"
            with suppress(FileExistsError):
                _linkOrRename(staged, path)
                return path
        raise FileExistsError(errno.EEXIST, "all names for it are taken by files that hold something else", str(path))

    def _sync(self) -> None:
        # A rename is on the disk when its folder is.
        if sys.platform != "win32":
            descriptor = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def exposure(path: Path, *, holdsKey: bool) -> UnsafePermissions | None:
    """Return what others may do with a file and should not, None where there is no such thing.

    Raises:
        OSError: it cannot be looked at.
    """
    # Windows makes up the mode from the read-only attribute.
    mode = 0 if sys.platform == "win32" else path.stat().st_mode
    if not mode & (_CHANGED_BY_OTHERS | (_READ_BY_OTHERS if holdsKey else 0)):
        return None
    mend = f"chmod {'600' if holdsKey else 'go-w'} {shlex.quote(str(path))}"
    what = f"{path} can be changed by others" if mode & _CHANGED_BY_OTHERS else str(path)
    more = "If others could read it for long, replace the key." if holdsKey else "Then look whether it is still yours."
    return UnsafePermissions(f"{what}; to mend it: {mend}", remedy=f"Keep others out: {mend}. {more}")


def _problemOf(path: Path) -> Unreadable | None:
    """Return what is wrong with a link, None where it leads to something, and for what is none."""
    if not path.is_symlink():
        return None
    try:
        path.stat()
    except OSError as error:
        mend = f"rm {shlex.quote(str(path))}"
        return Unreadable(
            f"the link {printable(str(path))}: {error.strerror}", remedy=f"Remove the link, or mend it: {mend}."
        )
    return None


def _rootOf(location: str) -> Path:
    if moved := os.environ.get(_VARIABLES[location]):
        return Path(moved).absolute()
    if location == "LocalMachine":
        return _machinesRoot()
    try:
        return Path.home() / ".dotnet" / "corefx" / "cryptography" / "x509stores"
    except RuntimeError:
        raise FileNotFound(f"this user has no home folder; name one for the store in {_VARIABLES[location]}") from None


if sys.platform == "win32":

    def _machinesRoot() -> Path:
        return Path(os.environ.get("PROGRAMDATA", "C:\\ProgramData")) / "tlscomm" / "x509stores"

    def _refuseStrangers(folder: Path, found: os.stat_result) -> None:
        pass

else:

    def _machinesRoot() -> Path:
        return Path("/etc/tlscomm/x509stores")

    def _refuseStrangers(folder: Path, found: os.stat_result) -> None:
        if found.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
            raise UnsafePermissions(f"the folder {folder} belongs to another user, who can change what is in it")
        if found.st_mode & _CHANGED_BY_OTHERS:
            mend = f"chmod 700 {shlex.quote(str(folder))}"
            raise UnsafePermissions(
                f"the folder {folder} can be changed by others; to mend it: {mend}",
                remedy=f"Keep others out of it: {mend}. Then look whether what is in it is yours.",
            )


def _linkOrRename(staged: Path, path: Path) -> None:
    """Give a file its name, unless that is taken.

    Raises:
        FileExistsError: it is.
    """
    try:
        os.link(staged, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(staged, path)
