"""A clock that is set forward or back ends no connection, and keeps none for ever."""

import time
from typing import Any

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import _clocks


class Steady(SynchronousTestCase):
    """A reactor whose delays are measured by a clock that is not set."""

    def setUp(self) -> None:
        self.day, self.passed = 1_700_000_000.0, 50.0
        self.patch(_clocks, "time", lambda: self.day)
        self.patch(_clocks, "monotonic", lambda: self.passed)
        self.reactor: Any = SelectReactor()  # type: ignore[no-untyped-call]
        self.addCleanup(self._close)
        self.called: list[str] = []

    def _close(self) -> None:
        for descriptor in (*self.reactor.getReaders(), *self.reactor.getWriters()):
            descriptor.connectionLost(None)

    def test_setForward(self) -> None:
        """A delay is as long as it was although the clock is set an hour forward meanwhile."""
        _clocks.keepSteady(self.reactor)
        self.reactor.callLater(5, self.called.append, "after")
        self.day += 3600
        self.reactor.runUntilCurrent()
        self.assertEqual(self.called, [])
        self.passed += 5
        self.reactor.runUntilCurrent()
        self.assertEqual(self.called, ["after"])

    def test_setBack(self) -> None:
        """A delay is as long as it was although the clock is set an hour back meanwhile."""
        _clocks.keepSteady(self.reactor)
        self.reactor.callLater(5, self.called.append, "after")
        self.day -= 3600
        self.assertAlmostEqual(self.reactor.timeout(), 5)
        self.passed += 5
        self.reactor.runUntilCurrent()
        self.assertEqual(self.called, ["after"])

    def test_timeOfDay(self) -> None:
        """What is written for people has the time of day, as it was set."""
        _clocks.keepSteady(self.reactor)
        self.assertEqual(self.reactor.seconds(), 1_700_000_000.0)
        self.day += 3600
        self.assertEqual(self.reactor.seconds(), 1_700_000_000.0)
        self.assertEqual(_clocks.timeOfDay(self.reactor)(), 1_700_003_600.0)

    def test_again(self) -> None:
        """To say it again changes nothing."""
        _clocks.keepSteady(self.reactor)
        seconds = self.reactor.seconds
        _clocks.keepSteady(self.reactor)
        self.assertIs(self.reactor.seconds, seconds)


class OtherClocks(SynchronousTestCase):
    def test_timeOfDay(self) -> None:
        """A clock of a test tells the time of day, and so does a reactor that was left as it is."""
        clock = Clock()
        clock.advance(7)
        self.assertEqual(_clocks.timeOfDay(clock)(), 7)
        self.assertIs(_clocks.timeOfDay(SelectReactor), time.time)
