"""Faces that cost nothing to import: a package's public names, each loaded from its module when it is first used.

A face that imports what it shows makes each program pay for all of it. With `lazyFace` a package knows where its names
are and loads none (PEP 562). Type checkers and editors do not run it, so the names stand in the package twice, and a
test compares the two::

    TYPE_CHECKING = False
    if TYPE_CHECKING:
        from tlscomm.endpoints import TLSClientEndpoint
    else:
        __getattr__, __dir__ = lazyFace(__name__, {"TLSClientEndpoint": "tlscomm.endpoints"})

In the branch that a type checker skips, because with a ``__getattr__`` it would believe in any name. It takes each
variable of this name for true, as it does `typing.TYPE_CHECKING`; importing `typing` costs ten times what a face does.

A name must not be that of a module in the package: importing the module would put it in the name's place.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["lazyFace"]


def lazyFace(package: str, places: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package.

    Args:
        package: its ``__name__``.
        places: each public name, with the full name of the module that defines it.
    """

    def load(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        from importlib import import_module

        found = getattr(import_module(places[name]), name)
        # The next time Python finds it without asking.
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *places})

    return load, names
