"""Dependencies point one way: from the transport down to bytes and names, and never back up."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import tlscomm

PACKAGE = Path(tlscomm.__file__).parent

#: Who may import whom: each layer itself and those before it. A package of modules stands for all of them.
LAYERS: tuple[tuple[str, str], ...] = (
    ("names", "alerts failures sslpolicy _lazy _remembering _wording"),
    ("bytes", "framing wire x509 _der _globs _nameforms _openssl"),
    (
        "certificates",
        "access authority choosing credentials export gallery hook peer revocation stapling store trust verification "
        "_admitting _chains _exhibits _export _facts _folder _identities _issuing _reading _revoking _storing "
        "_systemroots _trustroots",
    ),
    ("configuration", "configuration _settings"),
    ("TLS, no I/O", "connection verdict _handshake"),
    ("transport", "transport _carrying"),
    ("messages", "applications protocol"),
    ("endpoints", "endpoints reconnecting _hosts _parsers"),
    ("for users' tests", "testing"),
    ("service", "service tap _log"),
    ("tools", "commandline"),
)

#: What knows nothing of Twisted: it can be used, and tested, without.
WITHOUT_TWISTED = (
    "access alerts choosing connection export failures framing gallery hook peer sslpolicy verdict wire x509 "
    "_admitting _chains _der _globs _handshake _nameforms _openssl _reading _storing _systemroots _wording"
)


def unitOf(module: str) -> str:
    """The module, or the package that it is in, directly below `tlscomm`."""
    return module.split(".")[1] if "." in module else ""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """What a module needs to be imported itself; what only its types need does not count."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tlscomm":
            if node.module == "tlscomm":
                yield from (f"tlscomm.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tlscomm."))


def allImported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def isOfTwisted(module: str) -> bool:
    """Whether a module is Twisted's, but for what it has to offer to any Python program."""
    return module.startswith("twisted.") and not module.startswith("twisted.python.")


class LayerTests(SynchronousTestCase):
    """Each module imports from its own layer and those before it."""

    def test_everyModuleHasALayer(self) -> None:
        known = {unit for _, units in LAYERS for unit in units.split()}
        found = {unitOf(name) for name, _ in modules()} - {"", "_version"}
        self.assertEqual(found - known, set())
        self.assertEqual(known - found, set())

    def test_oneWay(self) -> None:
        places = {unit: place for place, (_, units) in enumerate(LAYERS) for unit in units.split()}
        wrong = [
            f"{name} imports {other}"
            for name, tree in modules()
            for other in imported(tree)
            if unitOf(name) in places and places.get(unitOf(other), -1) > places[unitOf(name)]
        ]
        self.assertEqual(wrong, [])

    def test_noCircles(self) -> None:
        """Packages of modules do not need each other."""
        needs: dict[str, set[str]] = {}
        for name, tree in modules():
            needs.setdefault(unitOf(name), set()).update(unitOf(other) for other in imported(tree))
        for unit, others in needs.items():
            others.discard(unit)
        self.assertTrue(list(TopologicalSorter(needs).static_order()))

    def test_withoutTwisted(self) -> None:
        wrong = [
            name
            for name, tree in modules()
            if unitOf(name) in WITHOUT_TWISTED.split() and any(map(isOfTwisted, allImported(tree)))
        ]
        self.assertEqual(wrong, [])
