"""Files that several processes make and read, some of them secret.

Two rules are kept by the way files are opened, and not by looking first: a secret is readable by its owner only from
the moment it exists, and a file is seen whole or not at all. A file is therefore written under a name that no other
process uses, and then renamed. Who writes holds a lock, which the operating system takes back from a process that dies.
One that was stopped keeps it, so no process waits for it for ever.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tlscomm._dataclasses import dataclass
from tlscomm.failures import Unreadable, printable

__all__ = ["File", "exclusively", "makeFolder", "replaceFiles", "writeFiles"]

_OWNER_ONLY = 0o600
_EVERYBODY_READS = 0o644

#: Seconds. No process does more under a lock than to write a few files.
PATIENCE = 10.0
_INTERVAL = 0.02
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@dataclass(frozen=True, repr=False)
class File:
    """What is to stand in a file.

    Attributes:
        content: all of it.
        isSecret: whether only its owner may read it.
    """

    content: bytes
    isSecret: bool


def makeFolder(folder: Path, mode: int) -> None:
    """Make a folder and those above it, as far as they are not there yet, all of them with the same mode.

    `Path.mkdir` gives the mode to the last alone, and leaves those above it to the umask: with 0 every user of the
    machine could put another folder in the place of this one.

    Args:
        folder: which one.
        mode: who may do what with it, less what the umask takes away.

    Raises:
        OSError: it cannot be made, or is something else.
    """
    if not folder.is_dir():
        if folder.parent != folder:
            makeFolder(folder.parent, mode)
        try:
            folder.mkdir(mode=mode, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def writeFiles(folder: Path, files: Mapping[str, File]) -> None:
    """Replace files in a folder, or make them.

    All of them are on the disk before the first one is renamed, so a full disk, or a crash at nearly any moment, leaves
    the old ones as they were. They are renamed in the order of the mapping.

    Raises:
        OSError: one of them cannot be written. Nothing has changed then.
    """
    staged: dict[Path, Path] = {}
    try:
        for name, file in files.items():
            temporary = folder / f".{name}.{secrets.token_hex(8)}"
            staged[temporary] = folder / name
            try:
                _write(temporary, file)
            except OSError as error:
                # To write, on a full disk for one, names no file, and the user does not know the temporary one.
                raise type(error)(error.errno, error.strerror, str(folder / name)) from None
        for temporary, final in staged.items():
            os.replace(temporary, final)
    finally:
        for temporary in staged:
            with suppress(FileNotFoundError):
                temporary.unlink()


def replaceFiles(files: Mapping[Path, bytes]) -> None:
    """Replace the content of files that are there. They keep their modes and owners, and links lead where they led.

    All of them are on the disk before the first one is renamed. They are renamed in the order of the mapping.

    Raises:
        OSError: one of them cannot be written. Nothing has changed then.
    """
    staged: dict[Path, Path] = {}
    try:
        for path, content in files.items():
            final = Path(os.path.realpath(path))
            temporary = final.with_name(f".{final.name}.{secrets.token_hex(8)}")
            staged[temporary] = final
            try:
                _write(temporary, File(content, isSecret=True))
                _makeLike(temporary, final)
            except OSError as error:
                raise type(error)(error.errno, error.strerror, str(path)) from None
        for temporary, final in staged.items():
            os.replace(temporary, final)
    finally:
        for temporary in staged:
            with suppress(FileNotFoundError):
                temporary.unlink()


def _makeLike(path: Path, former: Path) -> None:
    status, ours = os.stat(former), os.stat(path)
    if hasattr(os, "chown") and (status.st_uid, status.st_gid) != (ours.st_uid, ours.st_gid):
        os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, status.st_mode & 0o7777)


@contextmanager
def exclusively(lock: Path) -> Iterator[None]:
    """Wait until no other process is inside, and keep them out.

    Args:
        lock: a file that exists for this alone. It is made, and it stays: removing it would let two in.

    Raises:
        OSError: the file cannot be made.
        Unreadable: another process does not let go of it.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
    try:
        _await(lock, descriptor)
        yield
    finally:
        # Which also unlocks it.
        os.close(descriptor)


def _await(lock: Path, descriptor: int) -> None:
    """Lock a file as soon as the process that has it lets go of it."""
    end = time.monotonic() + PATIENCE
    while not _isOurs(descriptor):
        if time.monotonic() > end:
            raise Unreadable(
                f"another process has had the lock {printable(str(lock))} for {PATIENCE:g} seconds",
                remedy="Find that process (fuser FILE names it), and let it go on or end it; then try again.",
            )
        time.sleep(_INTERVAL)


def _isOurs(descriptor: int) -> bool:
    try:
        _lock(descriptor)
    except OSError as problem:
        if problem.errno not in _TAKEN:
            raise
        return False
    return True


def _write(path: Path, file: File) -> None:
    mode = _OWNER_ONLY if file.isSecret else _EVERYBODY_READS
    # O_EXCL also refuses a symbolic link that another user put there.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)
        stream.flush()
        os.fsync(stream.fileno())


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
