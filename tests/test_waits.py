"""The deadlines of many connections over one delayed call of Twisted's."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._waits import Waits


class WaitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.waits = Waits(self.clock)
        self.called: list[object] = []

    def note(self, name: object) -> Callable[[], None]:
        return lambda: self.called.append(name)

    def test_asTheClock(self) -> None:
        """Whatever begins and is cancelled in whatever order, all is called that a clock would call, and when."""
        for seed in range(8):
            draw = random.Random(seed)
            clock, plain = Clock(), Clock()
            waits = Waits(clock)
            called: dict[Clock, list[tuple[float, int]]] = {clock: [], plain: []}
            running = []

            def note(clock: Clock, number: int, called: Any = called) -> None:
                called[clock].append((clock.seconds(), number))

            for number in range(300):
                delay = draw.choice([0.25, 1.25, 5, 10, draw.randrange(1, 8192) / 1024])
                both = waits.callLater(delay, note, clock, number), plain.callLater(delay, note, plain, number)
                running.append(both)
                if draw.random() < 0.6:
                    for each in running.pop(draw.randrange(len(running))):
                        if each.active():
                            each.cancel()
                if draw.random() < 0.5:
                    amount = draw.randrange(100) / 1024
                    clock.advance(amount)
                    plain.advance(amount)
                self.assertLessEqual(len(clock.getDelayedCalls()), 1)
            for _ in range(1500):
                clock.advance(1 / 128)
                plain.advance(1 / 128)
            self.assertEqual(called[clock], called[plain])
            self.assertEqual(clock.getDelayedCalls(), [])

    def test_exactly(self) -> None:
        """Each is called when its time is over, whatever is called before, and not earlier."""
        for delay in range(1, 11):
            self.waits.callLater(delay / 10, self.note(delay))
        for delay in range(1, 11):
            self.clock.advance(0.099)
            self.assertEqual(self.called, [*range(1, delay)])
            # Sums of a tenth are not all what they should be.
            self.clock.advance(delay / 10 - self.clock.seconds())
            self.assertEqual(self.called, [*range(1, delay + 1)])

    def test_noneLeft(self) -> None:
        """When all were cancelled the clock is asked for nothing any more, as a test's reactor has to be clean."""
        first, second = self.waits.callLater(5, self.note(1)), self.waits.callLater(1, self.note(2))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        for wait in (first, second):
            wait.cancel()
            self.assertFalse(wait.active())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_keepsNothing(self) -> None:
        """What was cancelled, or called, is not kept, though others still wait."""

        class Connection:
            def expired(self) -> None: ...

        self.waits.callLater(1, self.note(1))
        cancelled, called = Connection(), Connection()
        references = [weakref.ref(cancelled), weakref.ref(called)]
        wait = self.waits.callLater(5, cancelled.expired)
        self.waits.callLater(0.5, called.expired)
        wait.cancel()
        self.clock.advance(0.5)
        del cancelled, called
        self.assertEqual([reference() for reference in references], [None, None])

    def test_bounded(self) -> None:
        """Of ten thousand that were cancelled, while one goes on, few are kept."""
        self.waits.callLater(10, self.note("slow"))
        for _ in range(10_000):
            self.waits.callLater(10, self.note("quick")).cancel()
        self.assertLess(len(self.waits._heap), 100)
        self.clock.advance(10)
        self.assertEqual(self.called, ["slow"])

    def test_raises(self) -> None:
        """One that raises does not keep the others from being called."""
        for number in range(3):
            self.waits.callLater(1, self.note(number))
            self.waits.callLater(1, lambda: 1 / 0)
        for _ in range(4):
            try:
                self.clock.advance(1)
            except ZeroDivisionError:
                self.called.append("raised")
        self.assertEqual(self.called, [0, "raised", 1, "raised", 2, "raised"])

    def test_begunMeanwhile(self) -> None:
        """One that begins when another is called has its time, whether it is over before the next one's or after."""
        self.waits.callLater(1, lambda: [self.waits.callLater(delay, self.note(delay)) for delay in (3, 0.5)])
        self.waits.callLater(2, self.note(2))
        for called in ([], [], [0.5], [0.5, 2], [0.5, 2], [0.5, 2], [0.5, 2], [0.5, 2, 3]):
            self.clock.advance(0.5)
            self.assertEqual(self.called, called)

    def test_looksAgain(self) -> None:
        """One that looks at the clock itself and waits for what is left, however little, is called at that time."""
        for start in (0, 0.1, 1.7e9 + 0.3):
            clock = Clock()
            clock.advance(start)
            waits, end, called = Waits(clock), start + 5.3, []

            def look(clock: Clock = clock, waits: Waits = waits, end: float = end, called: Any = called) -> None:
                called.append(clock.seconds())
                self.assertLess(len(called), 50)
                if (left := end - clock.seconds()) > 0:
                    waits.callLater(left, look)

            waits.callLater(9, self.note(9))
            waits.callLater(0.1, look)
            for _ in range(70):
                clock.advance(0.1)
            self.assertLess(called[-1], end + 0.1 + 1e-6)
            self.assertGreaterEqual(called[-1], end)

    def test_nextTurn(self) -> None:
        """What is for the next turn of the reactor is called then, with what is to be told to it."""
        self.waits.callLater(0, self.called.extend, (1, 2))
        self.assertEqual(self.called, [])
        self.clock.advance(0)
        self.assertEqual(self.called, [1, 2])
