"""How a source names something in a store. It is asked of every source, and most name a file."""

from __future__ import annotations

__all__ = ["PREFIX", "isStoreSource"]

PREFIX = "store:"


def isStoreSource(source: str) -> bool:
    """Whether a source names something in a store: it begins with ``store:``."""
    return source.startswith(PREFIX)
