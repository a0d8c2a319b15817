"""Each package imports only from those above it, in no circle, and the core does without Twisted's input and output."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tlscomm

FOLDER = Path(tlscomm.__file__).parent

#: The packages below `tlscomm` in their order. One imports only from those above it.
PACKAGES: tuple[str, ...] = (
    "_lazy",
    "_waits",
    "_clocks",
    "_dataclasses",
    "failures",
    "errortexts",
    "_openssl",
    "_wire",
    "_capture",
    "x509",
    "messages",
    "access",
    "credentials",
    "store",
    "watching",
    "revocation",
    "issuing",
    "verification",
    "limits",
    "configuration",
    "tls",
    "proxyprotocol",
    "tracing",
    "drawing",
    "transport",
    "endpoints",
    "web",
    "probing",
    "relaying",
    "serving",
    "operation",
    "processes",
    "plans",
    "server",
    "testing",
    "commandline",
    "__main__",
    # The face of the whole.
    "",
)

#: The core is all packages from the first to this one.
LAST_OF_CORE = "drawing"

#: The modules of Twisted that may be loaded when the core is imported, with all of theirs.
TWISTED_OF_CORE = {
    "twisted.logger": "the log of a Twisted program is Twisted's; it writes where the program says",
    "twisted.python": "the log is made of it; nothing in it has to do with a reactor",
}

#: What in the core uses more of Twisted than that, and why. It imports that inside functions, or for types alone.
USES_TWISTED = {
    "credentials": "makes Twisted's objects for programs that want them",
    "watching": "looks at files while a reactor runs",
    "revocation": "looks at files again, and fetches, while a reactor runs",
    "verification._trust": "takes Twisted's trust roots, and makes them",
    "verification._trustroots": "looks into Twisted's trust roots",
    "configuration": "builds Twisted's CertificateOptions, and takes creators of connections",
}

#: What is in a package of the core and imports more of Twisted when it is imported itself.
NOT_OF_CORE = {
    "_waits": "Twisted's clock is what it is about",
    "messages._protocol": "Twisted's protocols are what it is about",
    "watching._notices": "it is what Twisted tells of Linux's inotify",
    "watching._pending": "what waits, waits by a clock of Twisted's",
    "watching._renewal": "files are watched where a reactor runs",
    "watching._rereading": "files are read again where a reactor runs",
    "revocation._web": "Twisted's HTTP client, which is loaded when something is fetched",
}


@cache
def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def isWithin(module: str, names: Iterable[str]) -> bool:
    """Return whether a module has one of some names (below `tlscomm`), or is inside of what has."""
    return any(f"{module}.".startswith(f"tlscomm.{name}.") for name in names)


def placeOf(module: str) -> int:
    """Return the place of a module's package in the order, or -1 where it is in none of them."""
    package = f"{module}..".split(".")[1]
    return PACKAGES.index(package) if package in PACKAGES else -1


def imported(tree: ast.Module) -> Iterator[str]:
    """Give what a module imports anywhere: when it is imported, inside functions, and for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            for alias in node.names:
                name = f"{source}.{alias.name}"
                # The version is a fact and no part of the face.
                if alias.name != "__version__":
                    yield name if name in modules() else source


@cache
def arrows() -> dict[str, frozenset[str]]:
    """Return the modules of `tlscomm` that each of them imports."""
    return {name: frozenset(imported(tree)) & modules().keys() for name, tree in modules().items()}


def core() -> list[str]:
    """Return the modules of the core in the order of their packages."""
    last = PACKAGES.index(LAST_OF_CORE)
    found = [module for module in modules() if placeOf(module) <= last and not isWithin(module, NOT_OF_CORE)]
    return sorted(found, key=placeOf)


def isNamed(module: str) -> bool:
    """Return whether the core may load a module of Twisted."""
    # Twisted itself, and its version.
    roots = (*TWISTED_OF_CORE, "twisted._version")
    return module == "twisted" or any(f"{module}.".startswith(f"{root}.") for root in roots)


class Order(SynchronousTestCase):
    """The packages are in an order, and the arrows between them go one way, so there is no circle of packages."""

    def test_everyModuleHasAPackage(self) -> None:
        self.assertEqual([module for module in modules() if placeOf(module) < 0], [])

    def test_everyNameIsThere(self) -> None:
        """What the tables name exists."""
        names = [*PACKAGES[:-1], *USES_TWISTED, *NOT_OF_CORE]
        self.assertEqual([name for name in names if f"tlscomm.{name}" not in modules()], [])

    def test_noArrowUp(self) -> None:
        """A package imports only from those above it in the table, inside functions and for types too."""
        wrong = [
            f"{module} imports {other}"
            for module, others in arrows().items()
            for other in sorted(others)
            if placeOf(other) > placeOf(module)
        ]
        self.assertEqual(wrong, [])

    def test_noCircle(self) -> None:
        """No module needs itself by way of others, inside functions and for types too."""
        try:
            TopologicalSorter(arrows()).prepare()
        except CycleError as circle:
            # The sorter's arrows point the other way.
            self.fail(" imports ".join(reversed(circle.args[1])))


class WithoutTwisted(SynchronousTestCase):
    """The core can be imported without any of Twisted but its log."""

    def test_whatUsesItIsNamed(self) -> None:
        """Only what is named uses more of Twisted, inside functions and for types too."""
        names = (*USES_TWISTED, *NOT_OF_CORE)
        wrong = [
            f"{module} imports {other}"
            for module in core()
            for other in imported(modules()[module])
            if other.split(".")[0] == "twisted" and not isNamed(other) and not isWithin(module, names)
        ]
        self.assertEqual(wrong, [])

    def test_whatIsLoaded(self) -> None:
        """Whatever the core imports, and that imports, loads no more of Twisted than is named."""
        program = """
import json, sys
from importlib import import_module
for module in json.load(sys.stdin):
    before = set(sys.modules)
    import_module(module)
    more = {name for name in sys.modules if name.split(".")[0] == "twisted"} - before
    print(json.dumps([module, sorted(more)]))
"""
        wanted = json.dumps(core())
        done = subprocess.run(
            (sys.executable, "-c", program), input=wanted, capture_output=True, text=True, check=True, timeout=60
        )
        loaded = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(loaded), len(core()))
        wrong = [f"{module} loads {other}" for module, others in loaded for other in others if not isNamed(other)]
        self.assertEqual(wrong, [])
