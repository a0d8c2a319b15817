"""Who else may read a file with a private key.

The nine bits of a file's mode do not tell it. Where a file has an access control list the group's bits are the most
that anyone on the list gets, and not what the group gets (acl(5)): systemd hands a service its credentials as files of
root's with mode 0440, and a list that lets the service's user read them and no one else.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["isReadableByOthers"]

_GROUP, _OTHERS = 0o070, 0o007

_LIST = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")

#: The tags of linux/posix_acl_xattr.h.
_USER, _OWNING_GROUP, _NAMED_GROUP, _MASK = 0x02, 0x04, 0x08, 0x10


def isReadableByOthers(descriptor: int, path: str | None = None) -> bool:
    """Return whether a user besides the file's owner, root and this process's own user may use an open file.

    Args:
        descriptor: the file. What is no regular file is not looked at: a pipe or terminal is not kept.
        path: its name, where it has one. In the folder of systemd's credentials no other user gets as far as the file.
    """
    # Windows makes up the mode from the read-only attribute.
    if sys.platform == "win32":
        return False
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return False
    if found.st_mode & _OTHERS:
        return True
    if not found.st_mode & _GROUP or _isSystemds(path):
        return False
    entries = tuple(_entries(descriptor))
    return not entries or _letsOthersIn(entries)


def _entries(descriptor: int) -> Iterator[tuple[int, int, int]]:
    """Give the access control list of a file, tag, permissions and number of each; nothing where it has none."""
    try:
        content = os.getxattr(descriptor, _LIST)
    except (AttributeError, OSError):
        # This system, or this file system, has no such lists.
        return
    if content.startswith(_VERSION) and len(content) % _ENTRY.size == len(_VERSION):
        yield from _ENTRY.iter_unpack(content[len(_VERSION) :])


def _letsOthersIn(entries: tuple[tuple[int, int, int], ...]) -> bool:
    mask = next((permissions for tag, permissions, _ in entries if tag == _MASK), ~0)
    ours = os.geteuid()
    return any(
        permissions & mask and (tag in (_OWNING_GROUP, _NAMED_GROUP) or (tag == _USER and number not in (0, ours)))
        for tag, permissions, number in entries
    )


def _isSystemds(path: str | None) -> bool:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder and path) and Path(os.path.abspath(path or "")).parent == Path(os.path.abspath(folder or ""))
