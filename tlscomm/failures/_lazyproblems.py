"""Problems that only few ask for, so that they are worked out when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, overload

from tlscomm.failures._failure import Problem

__all__ = ["LazyProblems", "Problems"]

Problems: TypeAlias = "tuple[Problem, ...] | Callable[[], tuple[Problem, ...]]"
"""Problems, or what returns them. It is called once at most."""


class LazyProblems:
    """An attribute that holds problems; it may be given what returns them instead, until it is read."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> tuple[Problem, ...]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> tuple[Problem, ...]: ...

    def __get__(self, instance: object | None, owner: type) -> tuple[Problem, ...]:
        if instance is None:
            # What a dataclass takes for the default (`dataclasses`, "Descriptor-typed fields").
            return ()
        problems: Problems = instance.__dict__[self._name]
        if callable(problems):
            problems = instance.__dict__[self._name] = problems()
        return problems

    def __set__(self, instance: object, problems: Problems) -> None:
        instance.__dict__[self._name] = problems
