"""Modules that others import and no command uses, loaded only where one is used after all.

Twisted imports Python's cookies for a name that it once had for them, and with them come urllib, HTTP and mail. What is
put off here is loaded by `importlib.util.LazyLoader` when something of it is looked at, so nothing else changes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["putOff"]

#: What is imported more than once is not put off by this: the second import looks at it.
_MODULES = frozenset({"asyncio.sslproto", "http.cookiejar"})


def putOff() -> None:
    """Put their loading off, for the whole of a process. What is loaded already stays."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _MODULES:
            return None
        from importlib.util import LazyLoader

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
