"""What a traced connection costs is bounded, in memory and in work, whatever is sent on it."""

from __future__ import annotations

from typing import Any

from conversation import serverConfiguration
from logs import logged
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Kind
from tlscomm.failures import NotTLS
from tlscomm.testing import MemoryLink, Speaker
from tlscomm.tracing import Tracing
from tlscomm.tracing import _recorder as recorders
from tlscomm.tracing._places import Places
from tlscomm.tracing._recorder import Recorder
from tlscomm.transport import TLSFactory

_TINY = b"\x16\x03\x01\x00\x01\x01"
_LARGE = b"\x17\x03\x03\x40\x00" + bytes(1 << 14)


def recorder(now: Any = lambda: 1, **tracing: Any) -> Recorder:
    made = Recorder(Tracing(now=now, **tracing), "server", 1, Places(9, lambda: 1))
    made.begin(None, None)
    return made


def receive(recorder: Recorder, data: bytes) -> None:
    recorder.came(data)
    recorder.settle()


def seen(recorder: Recorder) -> tuple[int, int]:
    """Return how many bytes of the client a trace tells of, and how many it says were left out."""
    trace = recorder.trace()
    assert trace is not None
    sizes = dict.fromkeys((False, True), 0)
    for event in trace.events:
        if event.isFromClient:
            sizes[event.kind is Kind.GAP] += event.size
    return sizes[False], sizes[True]


class Work(SynchronousTestCase):
    """How much is read, and when."""

    def setUp(self) -> None:
        self.fed = 0
        test = self

        class Counted(Dissector):
            def feed(self, isFromClient: bool, data: bytes, time: int, packet: int | None = None) -> None:
                test.fed += len(data)
                super().feed(isFromClient, data, time, packet)

        self.patch(recorders, "Dissector", Counted)

    def test_stranger(self) -> None:
        """Before the acceptance nothing is read while it comes, and later no more than was kept."""
        stranger = recorder()
        for _ in range(20):
            receive(stranger, _LARGE)
        self.assertEqual(self.fed, 0)
        stranger.trace()
        self.assertEqual(self.fed, 1 << 17)

    def test_tinyRecords(self) -> None:
        """Of records of one byte some hundred are read, and how many bytes were left out is said."""
        stranger = recorder()
        for _ in range(100):
            receive(stranger, _TINY * 430)
        stranger.trace()
        self.assertEqual(self.fed, 512 * len(_TINY))
        self.assertEqual(seen(stranger)[1], (43000 - 512) * len(_TINY))

    def test_cutHeaders(self) -> None:
        """Records are counted wherever they are cut."""
        for size in range(1, 14):
            stranger, sent = recorder(), _TINY * 600
            for at in range(0, len(sent), size):
                receive(stranger, sent[at : at + size])
            self.fed = 0
            stranger.trace()
            self.assertEqual(self.fed // len(_TINY), 512)

    def test_observed(self) -> None:
        """The same holds where an observer is told of everything as it happens."""

        class Observer:
            def happened(self, *_: Any) -> None:
                pass

            def ended(self, _: Any) -> None:
                pass

        stranger = recorder(observer=Observer())
        for _ in range(100):
            receive(stranger, _TINY * 430)
        self.assertEqual(self.fed, 512 * len(_TINY))

    def test_refused(self) -> None:
        """Of what comes after a refusal next to nothing is kept or read; our own alert is."""
        stranger = recorder()
        stranger.came(_TINY)
        stranger.judge(NotTLS())
        stranger.went(b"\x15\x03\x03\x00\x02\x02\x0a")
        for _ in range(16):
            receive(stranger, bytes([20, 3, 3, 0, 1, 1]) * 2700)
        trace = stranger.trace()
        assert trace is not None
        self.assertIn("unexpected_message", [event.name for event in trace.events])
        self.assertLess(self.fed, 3000)
        self.assertLess(stranger.size, 10_000)

    def test_largeHandshake(self) -> None:
        """The longest chain that OpenSSL takes fits, also in the smallest records that can be agreed on."""
        peer = recorder()
        for _ in range(0, 102_400, 512):
            receive(peer, b"\x16\x03\x03\x02\x00" + bytes(512))
        peer.trace()
        self.assertEqual(self.fed, 200 * 517)

    def test_accepted(self) -> None:
        """What was left out before an acceptance is missing, and what follows it is read as it comes."""
        peer = recorder()
        for _ in range(16):
            receive(peer, _LARGE)
        peer.accepted()
        self.fed = 0
        for _ in range(4):
            receive(peer, _LARGE)
        self.assertEqual(self.fed, 4 * len(_LARGE))
        self.assertEqual(seen(peer)[1], 16 * len(_LARGE) - (1 << 17))


class Memory(SynchronousTestCase):
    """How much is kept."""

    def test_drops(self) -> None:
        """Bytes that come one by one are counted with what a piece takes, and joined when they are many."""
        stranger = recorder()
        for _ in range(100):
            receive(stranger, b"x")
        self.assertGreater(stranger.size, 100 * 100)
        for _ in range(50_000):
            receive(stranger, b"x")
        self.assertLess(stranger.size, 100_000)
        self.assertLess(len(stranger._kept), 300)

    def test_asked(self) -> None:
        """A trace that was asked for takes no more memory afterwards."""
        stranger = recorder()
        receive(stranger, _TINY * 500)
        before = stranger.size
        stranger.trace()
        self.assertEqual(stranger.size, before)
        self.assertIsNone(stranger._dissector)


class PlacesOfConnections(SynchronousTestCase):
    """Which connections are traced where there are too many."""

    def setUp(self) -> None:
        self.clock = Clock()
        tracing = Tracing(refusedTraces=9, connections=4, now=lambda: int(self.clock.seconds() * 1e9))
        self.factory = TLSFactory(serverConfiguration(), Factory(), self.clock, tracing=tracing)

    def connect(self, words: bytes = b"\x16\x03") -> Any:
        transport = self.factory.buildProtocol(None)
        assert transport is not None
        MemoryLink(Speaker(words), transport).flush()
        return transport

    def test_silent(self) -> None:
        """Connections on which nothing is said keep no other one from being traced."""
        silent = [self.connect(b"") for _ in range(50)]
        self.assertIsNotNone(self.connect().trace)
        self.assertTrue(all(transport.trace for transport in silent))

    def test_oldest(self) -> None:
        """The oldest gives way, and the log says how many did, once a minute."""
        with logged() as captured:
            strangers = [self.connect() for _ in range(10)]
            self.assertEqual([transport.trace is None for transport in strangers], [True] * 6 + [False] * 4)
            self.clock.pump([1.0] * 61)
            self.connect()
        said = [text for text in map(formatEvent, captured) if "left out" in text]
        self.assertEqual([text.split()[3] for text in said], ["1", "6"])
        self.assertIn("more than 4", said[0])

    def test_accepted(self) -> None:
        """Strangers cannot take the last half of the places from those that were accepted, nor these from them."""
        forgotten: list[str] = []

        class Named:
            def __init__(self, name: str) -> None:
                self.name = name

            def forget(self) -> None:
                forgotten.append(self.name)

        places = Places(4, lambda: 0)
        for number in range(4):
            places.take(peer := Named(f"accepted {number}"))
            places.accept(peer)
        for number in range(5):
            places.take(Named(f"stranger {number}"))
        self.assertEqual(forgotten, ["accepted 0", "accepted 1", "stranger 0", "stranger 1", "stranger 2"])


class Clocks(SynchronousTestCase):
    def test_broken(self) -> None:
        """A clock that fails ends the recording, and nothing else."""

        def now() -> int:
            raise RuntimeError("no time")

        broken = recorder(now)
        receive(broken, b"x")
        broken.went(b"x")
        broken.streamEnded(True)
        broken.finish(None)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
