"""The benchmarks' own parts: what they compare, and that a load and a server understand each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks._comparison import comparison
from benchmarks._contestants import Contestant, Server
from benchmarks._credentials import Certificates
from benchmarks._load import Load, Talker
from benchmarks._measure import Sample
from benchmarks._table import heading, row

CONTESTANTS = Path(__file__).parents[1] / "benchmarks" / "contestants"


def run(**ratios: float | None) -> dict[str, Any]:
    return {
        "measures": {name: {"title": name, "peer": "Twisted", "ratio": ratio} for name, ratio in ratios.items()},
    }


class ComparisonTests(SynchronousTestCase):
    """Two runs are compared by ratios to the peer."""

    def test_slower(self) -> None:
        """What costs a tenth more of its peer than it did is named, with both ratios."""
        lines, isAnySlower = comparison(run(ping=0.5, handshake=0.8), run(ping=0.56, handshake=0.86))
        self.assertEqual(lines, ["ping: slower by 12%: 0.56 of Twisted, it was 0.50"])
        self.assertTrue(isAnySlower)

    def test_not_slower(self) -> None:
        """What became faster, or is as it was, is not named."""
        self.assertEqual(comparison(run(ping=0.5, storm=1.0), run(ping=0.3, storm=1.0)), ([], False))

    def test_not_comparable(self) -> None:
        """What one of the runs lacks is named, and is not slower."""
        lines, isAnySlower = comparison(run(ping=None), run(ping=0.5, storm=1.0))
        self.assertEqual(len(lines), 2)
        self.assertFalse(isAnySlower)


class TableTests(SynchronousTestCase):
    """The table has what tlscomm costs of each."""

    def test_row(self) -> None:
        """A row has the median of each, and what tlscomm's is of it; of what was not measured it has a dash."""
        samples = {"tlscomm": [Sample(1.0), Sample(2.0), Sample(9.0)], "Twisted": [Sample(4.0)]}
        _, *values = row("ping", ["tlscomm", "Twisted", "Go"], samples).split()
        self.assertEqual(values, ["2", "±100%", "4", "±0%", "0.50", "-"])
        self.assertEqual(heading(["tlscomm", "Go"]).split(), ["tlscomm", "Go"])


class ContestantTests(SynchronousTestCase):
    """The contestants do the same work."""

    def test_splitter(self) -> None:
        """Messages are found however the stream was cut."""
        sys.path.insert(0, str(CONTESTANTS))
        self.addCleanup(sys.path.remove, str(CONTESTANTS))
        from echoing import Splitter

        messages = [b"", b"one", b"<", b"<EOFO>", b"a longer one with <EO in it", b""]
        stream = b"".join(message + b"<EOF>" for message in messages)
        for size in range(1, len(stream) + 1):
            splitter, got = Splitter(), list[bytes]()
            for begin in range(0, len(stream), size):
                got += splitter.take(stream[begin : begin + size])
            self.assertEqual(got, messages)

    def test_echo(self) -> None:
        """A load is accepted by a server, and gets its messages back."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        certificates = Certificates(folder)
        server = Server(Contestant("asyncio", (sys.executable, str(CONTESTANTS / "on_asyncio.py"))), folder)
        self.addCleanup(server.stop)
        load, talker = Load(server.port), Talker(certificates.connection(), b"hello<EOF>", 2)
        load.connect(talker)
        load.runUntil(lambda: talker.isAccepted)
        talker.talk(5)
        load.runUntil(lambda: not talker.left)
        talker.close()
        load.runUntil(lambda: load.isIdle)
        self.assertGreater(server.cpu(), 0)
        self.assertGreater(server.memory(), 0)
