"""Files with secrets in them, made so that no other user reads them, in a folder too where every user may write.

Such a folder may hold what another user has put there for us: a link to a file of ours, a pipe, a file that this user
keeps open. So a file is made new, or is looked at through its descriptor, which no other user can exchange.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

__all__ = ["OwnedFile", "appendTo", "create", "refuseUnless"]

_OWNER_ONLY = 0o600
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

#: Where a pipe waits for its reader, or a terminal would become ours.
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

#: So much of a file tells what it is.
_LOOKED_AT = 1024


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


def refuseUnless(beginning: re.Pattern[bytes], path: Path) -> None:
    """Do nothing where a file begins so, is empty or is not there, and so may be replaced or added to.

    Raises:
        OSError: there is something else of that name.
    """
    try:
        descriptor = _open(path, os.O_RDONLY | _AT_ONCE)
    except FileNotFoundError:
        return
    try:
        isOrdinary = stat.S_ISREG(os.fstat(descriptor).st_mode)
        found = os.read(descriptor, _LOOKED_AT) if isOrdinary else b""
        if not isOrdinary or (found and not beginning.match(found)):
            raise FileExistsError(errno.EEXIST, "there is something else of that name, which is kept", str(path))
    finally:
        os.close(descriptor)


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
