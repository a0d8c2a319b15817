"""Whether a file is still the one that was read: a look that costs microseconds and opens nothing."""

from __future__ import annotations

import os
from typing import TypeAlias

__all__ = ["Mark", "markFrom", "markOf"]

Mark: TypeAlias = "tuple[int, int, int, int] | None"
"""Inode, size, and the times of the last change of content and of anything, or None where there is no file.

The last one cannot be set, so that a copy which keeps the time of its original is another file. It also changes with
the permissions, and a key that was refused for them is to be read again when they are good.
"""


def markOf(path: str | os.PathLike[str]) -> Mark:
    """Return what tells a file from another one of the name."""
    try:
        return markFrom(os.stat(path))
    except (OSError, ValueError):
        return None


def markFrom(status: os.stat_result) -> Mark:
    """Return the same of a file whose status is known."""
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
