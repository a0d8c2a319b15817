"""Any mixture of what a client, a service and the networks between can do: what a relay keeps to, whatever happens."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from logs import logged
from relays import MemoryBackend, Relayed
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

#: Without a deadline, which would make the clock part of the test, and the same plays every time.
unhurried = settings(deadline=None, derandomize=True, max_examples=40)

SIDES = st.sampled_from(["client", "service"])
SIZES = st.sampled_from([1, 100, 5_000, 70_000, 200_000])

CALM = (
    st.tuples(st.just("write"), SIDES, SIZES),
    st.tuples(st.just("write"), SIDES, SIZES),
    st.tuples(st.just("carry"), SIDES, SIZES),
    st.tuples(st.sampled_from(["flush", "accept"])),
    st.tuples(st.sampled_from(["deafen", "listen", "half"]), SIDES),
)
WILD = (
    st.tuples(st.sampled_from(["lose", "abort", "cut", "endTCP"]), SIDES),
    st.tuples(st.just("advance"), st.sampled_from([0.1, 1.0, 20.0])),
    st.tuples(st.sampled_from(["refuse", "stop"])),
)


class Play:
    """A client, a relay and a service, and what can be done with them."""

    def __init__(self, version: str) -> None:
        self.backend = MemoryBackend()
        self.relayed = Relayed(self.backend, version=version)
        self.relayed.flush()
        self.written = {"client": bytearray(), "service": bytearray()}
        self.ended: set[str] = set()
        self.number = 0

    @property
    def service(self) -> Any:
        return self.backend.made[-1][0] if self.backend.made else None

    def side(self, name: str) -> Any:
        return self.relayed.client if name == "client" else self.service

    def ends(self, name: str) -> list[Any]:
        """The ends of TCP of a side, its own one first."""
        if name == "client":
            return [self.relayed.link.client, self.relayed.link.server]
        return [self.backend.made[-1][1].server, self.backend.made[-1][1].client] if self.backend.made else []

    def write(self, name: str, size: int) -> None:
        side = self.side(name)
        if side is None or name in self.ended or not self.ends(name)[0].connected or side.lost:
            return
        self.number += 1
        data = bytes([self.number % 251]) * size
        self.written[name] += data
        side.transport.write(data)

    def carry(self, name: str, size: int) -> None:
        if name == "client":
            self.relayed.link.toServer(size)
        elif self.backend.made:
            self.backend.made[-1][1].toClient(size)

    def flush(self) -> None:
        self.relayed.flush()

    def advance(self, seconds: float) -> None:
        self.relayed.clock.advance(seconds)

    def accept(self) -> None:
        if not self.backend.made and self.backend.asked and not self.backend.asked[-1].called:
            self.backend.accept()

    def refuse(self) -> None:
        if not self.backend.made and self.backend.asked and not self.backend.asked[-1].called:
            self.backend.refuse(ConnectionRefusedError())

    def stop(self) -> None:
        for transport in tuple(self.relayed.factory.connections):
            transport.stop()

    def deafen(self, name: str) -> None:
        for end in self.ends(name)[:1]:
            end.isReading = False

    def listen(self, name: str) -> None:
        for end in self.ends(name)[:1]:
            end.isReading = True

    def half(self, name: str) -> None:
        self._end(name, "loseWriteConnection")

    def lose(self, name: str) -> None:
        self._end(name, "loseConnection")

    def abort(self, name: str) -> None:
        self._end(name, "abortConnection")

    def cut(self, name: str) -> None:
        for end in self.ends(name):
            end.written.clear()
            end.lose(ConnectionLost())

    def endTCP(self, name: str) -> None:
        if name == "client":
            # Without close_notify.
            self.relayed.link.client.loseWriteConnection()

    def _end(self, name: str, how: str) -> None:
        if (side := self.side(name)) is not None and not side.lost:
            self.ended.add(name)
            getattr(side.transport, how)()


class RandomTests(SynchronousTestCase):
    """What holds whatever happens."""

    @unhurried
    @given(st.sampled_from(["1.2", "1.3"]), st.lists(st.one_of(*CALM, *WILD), max_size=40))
    def test_anything(self, version: str, actions: list[Any]) -> None:
        """What arrives was sent, an end in order comes when all has arrived, and nothing is left."""
        with logged():
            play = Play(version)
            for name, *details in actions:
                getattr(play, name)(*details)
                self.assertTold(play)
            self.over(play)

    @unhurried
    @given(st.sampled_from(["1.2", "1.3"]), st.lists(st.one_of(*CALM), min_size=5, max_size=40))
    def test_calm(self, version: str, actions: list[Any]) -> None:
        """Where nothing goes wrong, all arrives, both sides are told of the other's end, and all ends in order."""
        play = Play(version)
        for name, *details in actions:
            getattr(play, name)(*details)
            self.assertTold(play)
        play.accept()
        for name in ("client", "service"):
            play.listen(name)
            play.half(name)
        play.flush()
        self.assertEqual(play.service.received, play.written["client"])
        self.assertEqual(play.relayed.client.received, play.written["service"])
        self.assertEqual(play.relayed.codes, [None])
        for name in ("client", "service"):
            self.assertIn("read end", play.side(name).events)
        self.over(play)

    def assertTold(self, play: Play) -> None:
        for name, other in (("client", "service"), ("service", "client")):
            side = play.side(name)
            if side is None:
                continue
            sent = play.written[other]
            self.assertEqual(side.received, sent[: len(side.received)])
            if "read end" in side.events:
                self.assertIn(other, play.ended)
                self.assertEqual(len(side.received), len(sent))

    def over(self, play: Play) -> None:
        """End both sides, let time pass, and see that nothing is left."""
        for name in ("client", "service"):
            play.listen(name)
            play.lose(name)
        for _ in range(30):
            play.advance(60)
            play.flush()
        self.assertTold(play)
        self.assertEqual(play.relayed.factory.connections, set())
        self.assertEqual(play.relayed.forwarding.relays, set())
        self.assertEqual(play.relayed.clock.getDelayedCalls(), [])
        self.assertEqual(len(play.relayed.codes), 1)
