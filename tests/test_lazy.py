"""A package's public names are loaded when they are used, and it shows just those that it says."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tlscomm

PACKAGE = Path(tlscomm.__file__).parent

FACE = """
from tlscomm._lazy import lazyFace

__all__ = ["Given"]
__getattr__, __dir__ = lazyFace(__name__, {"Given": "faced._inside"})
"""


class Lazily(SynchronousTestCase):
    """A package `faced` has a name that is defined in its module `_inside`."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        (folder / "faced").mkdir(parents=True)
        (folder / "faced" / "__init__.py").write_text(FACE)
        (folder / "faced" / "_inside.py").write_text("class Given: pass\n")
        self.patch(sys, "path", [str(folder), *sys.path])
        self.addCleanup(self.forget)
        self.faced = import_module("faced")

    def forget(self) -> None:
        for name in ("faced", "faced._inside"):
            sys.modules.pop(name, None)

    def run_(self, program: str) -> dict[str, object]:
        names: dict[str, object] = {}
        exec(program, names)
        return names

    def test_importingThePackageLoadsNothing(self) -> None:
        self.assertNotIn("faced._inside", sys.modules)

    def test_aNameIsLoadedWhenItIsUsed(self) -> None:
        given = self.faced.Given
        self.assertIs(given, sys.modules["faced._inside"].Given)  # type: ignore[attr-defined]

    def test_itIsLoadedOnce(self) -> None:
        given = self.faced.Given
        self.assertIs(vars(self.faced)["Given"], given)

    def test_fromImport(self) -> None:
        self.assertIs(self.run_("from faced import Given")["Given"], self.faced.Given)

    def test_importStar(self) -> None:
        self.assertIs(self.run_("from faced import *")["Given"], self.faced.Given)

    def test_aModuleOfThePackage(self) -> None:
        """Its modules are imported as those of any package."""
        self.assertIs(self.run_("from faced import _inside")["_inside"], sys.modules["faced._inside"])

    def test_anotherNameIsNoAttribute(self) -> None:
        with self.assertRaises(AttributeError) as raised:
            _ = self.faced.Other
        self.assertEqual(str(raised.exception), "module 'faced' has no attribute 'Other'")
        with self.assertRaises(ImportError):
            self.run_("from faced import Other")

    def test_dirNamesIt(self) -> None:
        self.assertIn("Given", dir(self.faced))
        self.assertIn("__all__", dir(self.faced))


def faces() -> Iterator[tuple[str, ast.Module, dict[str, str]]]:
    """Each package with a lazy face, its source, and the table that it gives to `lazyFace`."""
    for path in sorted(PACKAGE.rglob("__init__.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "lazyFace":
                yield ".".join(path.parent.relative_to(PACKAGE.parent).parts), tree, ast.literal_eval(node.args[1])


def importedForTypes(tree: ast.Module) -> dict[str, str]:
    """The names that a package imports where a type checker reads it, with their modules."""
    return {
        alias.name: node.module or ""
        for branch in tree.body
        if isinstance(branch, ast.If)
        for node in branch.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


class Faces(SynchronousTestCase):
    """What each lazy face in `tlscomm` says of itself is true."""

    def test_thereAreSome(self) -> None:
        self.assertIn("tlscomm.configuration", [package for package, _, _ in faces()])

    def test_typesSeeTheSame(self) -> None:
        """A type checker finds each name in the module from which it is loaded."""
        for package, tree, places in faces():
            self.assertEqual(importedForTypes(tree), places, package)

    def test_eachNameIsThere(self) -> None:
        """Each name that is loaded is public, and is there."""
        for package, _, places in faces():
            module = import_module(package)
            self.assertLessEqual(places.keys(), {*module.__all__}, package)
            for name in module.__all__:
                self.assertTrue(hasattr(module, name), f"{package}.{name}")

    def test_importingItCostsNothing(self) -> None:
        """With the package come the standard library and the packages above it, and not what it shows."""
        for package in ("tlscomm", *(package for package, _, _ in faces())):
            program = f"import sys; before = set(sys.modules); import {package}; print(*(set(sys.modules) - before))"
            done = subprocess.run(
                (sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60
            )
            parents = {package.rsplit(".", up)[0] for up in range(package.count(".") + 1)}
            loaded = {name for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names}
            self.assertEqual(loaded - {"tlscomm._lazy"}, parents)

    def test_noNameIsThatOfAModule(self) -> None:
        """Importing a module of the package puts nothing in the place of a name."""
        for package, _, places in faces():
            folder = PACKAGE.joinpath(*package.split(".")[1:])
            modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/*.py")}
            self.assertEqual(places.keys() & modules, set(), package)
