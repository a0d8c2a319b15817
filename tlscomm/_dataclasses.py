"""Dataclasses that cost little to define: their methods are made when they are first used.

The decorator of `dataclasses` writes a class's methods as source and compiles it, which takes most of a millisecond for
each class. tlscomm has a hundred of them, a command uses some twenty, and making the rest would be a tenth of all that
it does. So modules of tlscomm use the decorator of this module. The methods are still those of `dataclasses`: it makes
them for a subclass without a body, which has the same fields, and they are moved from there.

A type checker is shown the other decorator, for this one makes the same classes.
"""

from __future__ import annotations

import dataclasses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass
    from typing import Any
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """As `dataclasses.dataclass`, with the same options."""

        def decorate(decorated: type) -> type:
            isPlain = options.keys() <= _OPTIONS
            return _defined(decorated, **options) if isPlain else dataclasses.dataclass(**options)(decorated)

        return decorate if cls is None else decorate(cls)


__all__ = ["dataclass"]

#: What a class may be asked to be here. Those with slots are few and made at once.
_OPTIONS = frozenset({"frozen", "kw_only", "eq", "repr"})


def _defined(cls: Any, *, frozen: bool = False, kw_only: bool = False, eq: bool = True, repr: bool = True) -> type:
    isMade = {"__init__": True, "__repr__": repr, "__eq__": eq, "__hash__": eq and frozen}
    # Python gives a class that defines `__eq__` a `__hash__` that is None.
    names = [name for name in isMade if isMade[name] and vars(cls).get(name) is None]
    # Without one it would be given its signature, which takes longer to find out than all the rest.
    cls.__doc__ = cls.__doc__ or cls.__name__
    # Whether a class may be frozen that extends another is for `dataclasses` to say, which then freezes it at once.
    isExtending = any(map(dataclasses.is_dataclass, cls.__bases__))
    dataclasses.dataclass(init=False, frozen=frozen and isExtending, kw_only=kw_only, eq=False, repr=False)(cls)
    for option, value in (("init", True), ("frozen", frozen), ("eq", eq), ("repr", repr)):
        setattr(cls.__dataclass_params__, option, value)

    def make(method: str) -> None:
        namespace = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        extended = type(cls)(cls.__name__, (cls,), namespace)
        # Most classes are never compared and never shown.
        isInit = method == "__init__"
        dataclasses.dataclass(frozen=frozen, init=isInit, eq=eq and not isInit, repr=repr and not isInit)(extended)
        for name in names:
            if name in vars(extended):
                setattr(cls, name, vars(extended)[name])

    for name in names:
        setattr(cls, name, _Unmade(name, cls, make))
    if frozen:
        if not isExtending:
            _freeze(cls)
    elif eq and vars(cls).get("__hash__") is None:
        cls.__hash__ = None
    return cls  # type: ignore[no-any-return]


class _Unmade:
    """Stands where a method will be. The first look at it has the method made.

    Threads may do so at the same time: each puts the same in the same place.
    """

    def __init__(self, name: str, cls: type, make: Callable[[str], None]) -> None:
        self._name = name
        self._cls = cls
        self._make = make

    def __get__(self, instance: object, owner: type) -> Any:
        self._make(self._name)
        return vars(self._cls)[self._name].__get__(instance, owner)


def _freeze(cls: Any) -> None:
    fields = frozenset(field.name for field in dataclasses.fields(cls))

    def refuse(self: object, name: str, verb: str) -> None:
        if type(self) is cls or name in fields:
            raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")

    def __setattr__(self: object, name: str, value: object) -> None:
        refuse(self, name, "assign to")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:
        refuse(self, name, "delete")
        super(cls, self).__delattr__(name)

    cls.__setattr__, cls.__delattr__ = __setattr__, __delattr__
