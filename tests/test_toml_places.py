"""Where keys and values stand in a text of TOML, compared with what Python's parser reads there."""

import sys
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.plans._tomlplaces import KeyPath, placesIn

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
QUOTED = st.sampled_from(['"a.b"', "'c # d'", '"\\u00e9 = \\"x\\""', '""', "'['"])
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e3",
        "true",
        "1979-05-27 07:32:00Z",
        '"a # b"',
        '"\\\\"',
        "'\\'",
        '"x]}\\""',
        '"""\na = 1\n[b]\\\n  """',
        "'''\n# '' no\n'''",
        '"""a""""',
        '""""""',
        "'''''''",
        "inf",
    ]
)
BLANKS = st.sampled_from(["", " ", "\n", " # a ] comment }\n", "\n\n\t"])


@st.composite
def arrays(draw: Any, values: Any) -> str:
    parts = draw(st.lists(values, max_size=4))
    inside = ",".join(f"{draw(BLANKS)}{part}{draw(BLANKS)}" for part in parts)
    return f"[{inside}{',' if parts and draw(st.booleans()) else draw(BLANKS)}]"


@st.composite
def inlineTables(draw: Any, values: Any) -> str:
    keys = draw(st.lists(BARE | QUOTED, max_size=3, unique=True))
    return "{" + ", ".join(f" {key}={draw(values)}" for key in keys) + "}"


VALUES = st.recursive(SCALARS, lambda inner: arrays(inner) | inlineTables(inner), max_leaves=8)


@st.composite
def documents(draw: Any) -> str:
    lines = []
    for number in range(draw(st.integers(0, 4))):
        if number:
            kind = draw(st.sampled_from(["[{}]", "[[{}]]", "[ {} . 'x' ]", "[[list.{}]]"]))
            lines.append(draw(st.sampled_from(["", "\n", "  "])) + kind.format(draw(BARE | QUOTED)))
        for key in draw(st.lists(BARE | QUOTED, max_size=3, unique=True)):
            dotted = draw(st.sampled_from(["{}", "{}.y", "z . {}"])).format(key)
            lines.append(
                f"{dotted} ={draw(st.sampled_from(['', ' ']))}{draw(VALUES)}{draw(st.sampled_from(['', ' # c']))}"
            )
    return "\n".join(lines)


def pathsIn(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of each key and each element."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from pathsIn(each, (*path, key))


class PlacesTests(SynchronousTestCase):
    """What the parser reads has a place."""

    @settings(max_examples=25, deadline=None)
    @given(documents())
    def test_all(self, text: str) -> None:
        """Each key and each element that Python reads from a text has a place in it, and nothing else has."""
        try:
            read = tomllib.loads(text)
        except ValueError:
            return
        places = placesIn(text)
        paths = set(pathsIn(read))
        # A table without a line of its own, above one that has, is nowhere; so is an array of tables as a whole.
        inner = {path[:length] for path in places for length in range(1, len(path))}
        self.assertEqual(paths - set(places) - inner, set())
        self.assertEqual(set(places) - paths, set())
        lines = text.split("\n")
        for line, column in places.values():
            self.assertTrue(lines[line - 1][column - 1 :].strip(), (text, line, column))

    def test_lines(self) -> None:
        """The place is that of the key, of the element, and of the line that opens a table."""
        text = 'a = 1\n\n[[listener]]\n  name = """\nx"""\n  b = [1, # one\n    "two"]\n[[listener]]\nc.d = {e = 2}\n'
        places = placesIn(text)
        self.assertEqual(places["a",], (1, 1))
        self.assertEqual(places["listener", 0], (3, 1))
        self.assertEqual(places["listener", 0, "b"], (6, 3))
        self.assertEqual(places["listener", 0, "b", 1], (7, 5))
        self.assertEqual(places["listener", 1], (8, 1))
        self.assertEqual(places["listener", 1, "c", "d", "e"], (9, 8))

    def test_otherText(self) -> None:
        """A text that is no TOML ends with an error or a result, and not never."""
        for text in ("a = [", "a = {", "a = [}", "[[", "a", "=", "a = [1 2]", '"'):
            try:
                placesIn(text)
            except ValueError:
                continue
