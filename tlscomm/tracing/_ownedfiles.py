"""Files with secrets in them, made so that no other user reads them, in a folder too where every user may write.

Such a folder may hold what another user has put there for us: a link to a file of ours, a pipe, a file that this user
keeps open. So a file is made new, or is looked at through its descriptor, which no other user can exchange.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tlscomm.failures import printable

__all__ = ["OwnedFile", "Replaceable", "appendTo", "create", "isAnothers"]

_OWNER_ONLY = 0o600
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

#: Where a pipe waits for its reader, or a terminal would become ours.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

#: Bytes of a file that tell what it is.
_LOOKED_AT = 4096


class OwnedFile:
    """A file that is open for writing, without a buffer, and holds whole pieces alone.

    Attributes:
        size: of the whole pieces in it.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor: int | None = descriptor

    def write(self, data: bytes) -> int:
        """Write a piece whole. What is written of it is taken back where it cannot be.

        Raises:
            OSError: on a full disk, for one.
        """
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)
        return len(data)

    def close(self) -> None:
        """Close it; more than once does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def create(path: Path) -> OwnedFile:
    """Make a file that is not there yet, readable by its owner only from the moment it exists.

    Raises:
        OSError: there is something of that name already, a link too, or it cannot be made.
    """
    return OwnedFile(_open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), 0)


def appendTo(path: Path) -> OwnedFile:
    """Open a file to write behind what is in it, and make it if it is not there, readable by its owner only.

    Raises:
        OSError: it is a link or no ordinary file, is another user's, others have access to it, or it cannot be opened.
    """
    descriptor = _open(path, os.O_WRONLY | _AT_ONCE | os.O_CREAT | os.O_APPEND)
    try:
        found = os.fstat(descriptor)
        _refuse(path, found)
    except OSError:
        os.close(descriptor)
        raise
    return OwnedFile(descriptor, found.st_size)


class Replaceable:
    """Which files may be replaced, or get another name: those that are what we write, and no others.

    A file that was looked at, or made, by root may be one that this user cannot read when root's rights were given up.
    So it is known by its number as long as it is there.
    """

    def __init__(self, what: str, fits: Callable[[bytes], bool]) -> None:
        """
        Args:
            what: the files are, a capture for example.
            fits: says of the first bytes of a file, at most 4,096, whether it is one. An empty one always is.
        """
        self._what = what
        self._fits = fits
        self._known: set[tuple[int, int]] = set()

    def require(self, paths: Iterable[Path]) -> None:
        """Look at all that are to be replaced or moved. One that is not there does no harm.

        Raises:
            OSError: there is something else of one of the names; the message has the name.
        """
        known = set()
        for path in paths:
            try:
                with suppress(FileNotFoundError):
                    known.add(self._identity(path))
            except OSError as error:
                # The name is another one than that which the user gave.
                raise OSError(error.errno, f"{printable(path.name)}: {error.strerror}", str(path)) from None
        self._known = known

    def made(self, path: Path) -> None:
        """Take a new file for one that may be replaced."""
        self._known.add(_numbers(os.lstat(path)))

    def _identity(self, path: Path) -> tuple[int, int]:
        try:
            descriptor = _open(path, os.O_RDONLY | _AT_ONCE)
        except PermissionError:
            identity = _numbers(os.lstat(path))
            if identity not in self._known:
                raise
            return identity
        try:
            found = os.fstat(descriptor)
            beginning = os.read(descriptor, _LOOKED_AT) if stat.S_ISREG(found.st_mode) else None
        finally:
            os.close(descriptor)
        if beginning is None or (beginning and not self._fits(beginning)):
            raise FileExistsError(errno.EEXIST, f"it is there and no {self._what}, so it is kept")
        return _numbers(found)


def isAnothers(path: Path) -> bool:
    """Return whether a file is there and belongs to another user."""
    try:
        return sys.platform != "win32" and os.lstat(path).st_uid != os.geteuid()
    except FileNotFoundError:
        return False


def _numbers(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | _FLAGS, _OWNER_ONLY)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PermissionError(errno.ELOOP, "it is a symbolic link, which is not followed", str(path)) from None
        raise


def _refuse(path: Path, found: os.stat_result) -> None:
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "it is no ordinary file"
    elif found.st_nlink > 1:
        problem = "it has another name too, and may be another file than it seems"
    elif sys.platform != "win32" and found.st_uid != os.geteuid():
        problem = "it belongs to another user"
    elif sys.platform != "win32" and found.st_mode & 0o077:
        problem = "others have access to it, and secrets are to be written into it; to mend it: chmod 600"
    if problem:
        raise PermissionError(errno.EPERM, problem, str(path))
