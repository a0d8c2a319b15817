"""The dataclasses of tlscomm are those of Python, and their methods are made when they are needed."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import tlscomm

# By its module, for the type checker takes the name itself for Python's own decorator.
from tlscomm import _dataclasses

Decorator = Callable[..., Any]

OURS: Decorator = _dataclasses.dataclass

#: What is asked of classes.
OPTIONS: tuple[dict[str, bool], ...] = (
    {},
    {"frozen": True},
    {"frozen": True, "kw_only": True},
    {"frozen": True, "eq": False},
    {"frozen": True, "repr": False},
    {"eq": False},
    {"frozen": True, "slots": True},
    {"order": True},
)


def point(decorator: Decorator, **options: bool) -> Any:
    """Return a class with fields of every kind."""

    @decorator(**options)
    class Point:
        """A point."""

        x: int
        y: int = 2
        tags: list[str] = dataclasses.field(default_factory=list, hash=False)
        note: str = dataclasses.field(default="", compare=False, repr=False)
        color: dataclasses.InitVar[str] = "red"

        def __post_init__(self, color: str) -> None:
            self.tags.append(color)

    return Point


def own(decorator: Decorator, **options: bool) -> Any:
    """Return a class with methods of its own in the place of those that are made."""

    @decorator(**options)
    class Own:  # noqa: PLW1641
        """A class."""

        x: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

    return Own


def told(act: Callable[[], object]) -> object:
    """Return what something returns or raises, as it can be compared."""
    try:
        return act()
    except (TypeError, AttributeError) as raised:
        return type(raised), str(raised)


def behaviour(kind: Any) -> list[object]:
    """Return what a class and its objects do."""
    one, same, other = kind(x=1), kind(x=1), kind(x=3)
    return [
        inspect.signature(kind),
        [(field.name, field.default, field.kw_only, field.compare) for field in dataclasses.fields(kind)],
        repr(kind.__dataclass_params__),
        kind.__match_args__,
        kind.__doc__,
        kind.__init__.__qualname__,
        told(lambda: kind(1)),
        told(lambda: kind(1) == one),
        told(lambda: kind(1, 2, 3, 4, 5, 6)),
        told(lambda: hash(one) == hash(same)),
        told(lambda: one < other),
        repr(one),
        (one == same, one == other, one == 1, one != other),
        told(lambda: setattr(one, "x", 5)),
        told(lambda: delattr(one, "x")),
        told(lambda: setattr(other, "fresh", 5)),
        dataclasses.asdict(other),
        dataclasses.asdict(copy.deepcopy(other)),
        told(lambda: repr(dataclasses.replace(other, x=8, **({"color": "blue"} if hasattr(kind, "y") else {})))),
    ]


def comparable(value: object) -> str:
    """Return a result without the address of an object."""
    return re.sub("0x[0-9a-f]+", "", str(value))


@_dataclasses.dataclass(frozen=True)
class Base:
    """A frozen class."""

    x: int


class SameTests(SynchronousTestCase):
    """A class is as Python's own decorator makes it."""

    def test_behaviour(self) -> None:
        """It takes, shows, compares, hashes, copies and refuses the same."""
        for options in OPTIONS:
            for make in (point, own):
                if make is own and "order" in options:
                    continue
                ours, theirs = behaviour(make(OURS, **options)), behaviour(make(dataclasses.dataclass, **options))
                for mine, yours in zip(ours, theirs, strict=True):
                    self.assertEqual(comparable(mine), comparable(yours), options)

    def test_bare(self) -> None:
        """The decorator also stands without options."""

        @OURS
        class Bare:
            """A class."""

            x: int = 4

        self.assertEqual(Bare().x, 4)

    def test_pickled(self) -> None:
        """An object comes back from bytes also where none of its class was made before."""
        self.assertEqual(pickle.loads(pickle.dumps(Base(1))), Base(1))
        empty = object.__new__(point(OURS, frozen=True))
        self.assertEqual(told(lambda: setattr(empty, "x", 1)), told(lambda: setattr(Base(1), "x", 1)))

    def test_extended(self) -> None:
        """A frozen class is extended by frozen ones alone, whichever decorator they have."""
        for decorator in (OURS, dataclasses.dataclass):

            @decorator(frozen=True)
            class Extended(Base):
                """More of it."""

                y: int = 5

            self.assertEqual(repr(Extended(1)).rpartition(".")[2], "Extended(x=1, y=5)")
            self.assertEqual(Extended(1), Extended(1))
            with self.assertRaises(TypeError):
                decorator(type("Thawed", (Base,), {}))

    def test_threads(self) -> None:
        """Threads that need a class for the first time at once all get it whole."""
        for _ in range(20):
            kind, ready, made = point(OURS, frozen=True), Barrier(4), []

            def make(kind: Any = kind, ready: Barrier = ready, made: list[Any] = made) -> None:
                ready.wait()
                made.append(hash(kind(1)))

            threads = [Thread(target=make) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len(made), 4)


class CostTests(SynchronousTestCase):
    """What it costs."""

    def test_late(self) -> None:
        """A class has no method of its own before that is needed, and from then on nothing stands before it."""
        kind = point(OURS, frozen=True)
        methods = ("__init__", "__repr__", "__eq__", "__hash__")
        made = [[inspect.isfunction(vars(kind)[name]) for name in methods]]
        for use in (lambda: kind(1), lambda: kind(1) == kind(1)):
            use()
            made.append([inspect.isfunction(vars(kind)[name]) for name in methods])
        self.assertEqual(made, [[False] * 4, [True, False, False, False], [True] * 4])

    def test_everywhere(self) -> None:
        """Every module of tlscomm uses it."""
        package = Path(tlscomm.__file__).parent
        others = [
            path
            for path in package.rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
            and node.module == "dataclasses"
            and "dataclass" in {alias.name for alias in node.names}
        ]
        self.assertEqual(others, [package / "_dataclasses.py"])
