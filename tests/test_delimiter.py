"""How a delimiter is searched for: with what Python's own search finds, and in a bounded number of steps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.messages._delimiter import find, split

#: What a search stumbles over, and enough of what it does not, to change the way it goes.
parts = st.tuples(
    st.sampled_from(["<EOF>", "<EO", "<", "<<EOF", "\n", "\r\n", "a", "é", "你", "<p>", "EOF>"]),
    st.sampled_from([1, 2, 3, 700, 3000]),
)
texts = st.lists(parts, max_size=6).map(lambda drawn: "".join(part * times for part, times in drawn))


class SameTests(SynchronousTestCase):
    @settings(deadline=None)
    @given(texts, st.sampled_from(["<EOF>", "\n"]))
    def test_asPython(self, text: str, delimiter: str) -> None:
        """Whatever is searched, the answer is Python's own, for bytes and for a text."""
        self.assertEqual(find(text, delimiter), text.find(delimiter))
        self.assertEqual(split(text, delimiter), text.split(delimiter))
        data, ending = text.encode(), delimiter.encode()
        self.assertEqual(find(data, ending), data.find(ending))
        self.assertEqual(split(data, ending), data.split(ending))


class _Counted(bytes):
    """Bytes that know what is searched for in them, how often, and how many bytes that passes."""

    searches = 0
    passed = 0

    def __init__(self, data: bytes) -> None:
        self.wanted: set[bytes] = set()

    def find(self, part: bytes, start: int = 0) -> int:  # type: ignore[override]
        self.wanted.add(part)
        at = super().find(part, start)
        self._count((len(self) if at < 0 else at + 1) - start)
        return at

    def split(self, part: bytes) -> list[bytes]:  # type: ignore[override]
        self._count(len(self))
        return super().split(part)

    def __getitem__(self, key: slice) -> bytes:  # type: ignore[override]
        if key.stop is not None:
            return super().__getitem__(key)
        # The rest is searched by Python alone, once.
        self._count(len(self) - (key.start or 0))
        return super().__getitem__(key)

    def _count(self, size: int) -> None:
        self.searches += 1
        self.passed += size


class LinearTests(SynchronousTestCase):
    """The searches are counted, not timed."""

    def counted(self, data: bytes) -> None:
        """Check that neither way to search makes more than a few searches, and none looks at much twice."""
        size = len(data)
        for search in (find, split):
            counted = _Counted(data)
            search(counted, b"<EOF>")
            self.assertLess(counted.searches, size / 2000 + 8)
            self.assertLess(counted.passed, 2.1 * size)

    def test_hostile(self) -> None:
        """Nothing that begins like the delimiter makes more searches than one in two kilobytes."""
        for size in (5_000, 50_000):
            for pattern in (b"<", b"<E", b"<EOF", b"<<EOF", b"<a>b</a>", b"<EOF>", b"a<EOF>", b"<" + b"a" * 1999):
                self.counted((pattern * size)[:size])

    def test_lateHostile(self) -> None:
        """Nor does it after as many harmless bytes as are wished."""
        self.counted(b"a" * 100_000 + b"<" * 100_000)

    def test_ordinary(self) -> None:
        """Where the first byte is rare, only that is searched for."""
        for search in (find, split):
            counted = _Counted((b"a" * 10_000 + b"<p>" + b"a" * 10_000 + b"<EOF>") * 3)
            search(counted, b"<EOF>")
            self.assertEqual(counted.wanted, {b"<"})
