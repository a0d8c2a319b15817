"""Whether a file is still the one that was read: a look that costs microseconds and opens nothing."""

from __future__ import annotations

import os
from typing import TypeAlias

__all__ = ["Mark", "markOf"]

Mark: TypeAlias = "tuple[int, int, int] | None"
"""Inode, size and the time of the last change, or None where there is no file."""


def markOf(path: str | os.PathLike[str]) -> Mark:
    """Return what tells a file from another one of the name."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
