"""How long the hook and the backend take is measured, whatever way they take to answer, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.operation._counts import Counts
from tlscomm.operation._operation import Operation
from tlscomm.operation._timing import timedConnecting, timedHook
from tlscomm.relaying._fromsettings import forwardingFrom
from tlscomm.transport._awaitables import asDeferred
from tlscomm.transport._eventlog import EventLog


class TimingCase(SynchronousTestCase):
    name: str

    def setUp(self) -> None:
        self.clock = Clock()
        self.counts = Counts()

    def noted(self) -> dict[str, tuple[int, float]]:
        """Return how many there are, and for how long together, by what came of them."""
        histograms = self.counts.histograms(self.name)
        return {result: (each.count, each.sum) for (result,), each in histograms.items() if each.count}


class Hooks(TimingCase):
    name = "tlscomm_hook_duration_seconds"

    def ask(self, hook: Callable[[Any], Any]) -> Any:
        return timedHook(hook, self.clock, self.counts)("a question")

    def test_atOnce(self) -> None:
        """A hook that answers at once is asked the question, and its answer is what it was."""

        def hook(question: str) -> bool:
            self.clock.advance(0.25)
            return question == "a question"

        self.assertIs(self.ask(hook), True)
        self.assertEqual(self.noted(), {"answered": (1, 0.25)})

    def test_raises(self) -> None:
        """One that raises has failed, and what it raised is what it was."""
        self.assertRaises(ZeroDivisionError, self.ask, lambda question: 1 / 0)
        self.assertEqual(self.noted(), {"failed": (1, 0)})

    def test_later(self) -> None:
        """One that answers later, by a Deferred or a coroutine, is timed until then."""
        for make in (lambda answer: answer, self.coroutine):
            answer: Deferred[bool] = Deferred()
            asked = asDeferred(self.ask(lambda question, it=answer, make=make: make(it)))  # type: ignore[misc]
            self.clock.advance(2)
            answer.callback(False)
            self.assertIs(self.successResultOf(asked), False)
        self.assertEqual(self.noted(), {"answered": (2, 4)})

    def test_failsLater(self) -> None:
        """One that fails later is counted as that."""
        for make in (lambda answer: answer, self.coroutine):
            asked = asDeferred(self.ask(lambda question, make=make: make(fail(ZeroDivisionError()))))  # type: ignore[misc]
            self.failureResultOf(asked, ZeroDivisionError)
        self.assertEqual(self.noted(), {"failed": (2, 0)})

    def test_cancelled(self) -> None:
        """One that is not waited for any more hears of it, and is counted as that."""
        cancelled: list[Any] = []
        for make in (lambda answer: answer, self.coroutine):
            answer: Deferred[bool] = Deferred(cancelled.append)
            asked = asDeferred(self.ask(lambda question, it=answer, make=make: make(it)))  # type: ignore[misc]
            self.clock.advance(5)
            asked.cancel()
            self.failureResultOf(asked)
        self.assertEqual(len(cancelled), 2)
        self.assertEqual(self.noted(), {"cancelled": (2, 10)})

    @staticmethod
    async def coroutine(answer: Deferred[bool]) -> bool:
        return await answer


class Backends(TimingCase):
    name = "tlscomm_backend_connect_duration_seconds"

    def connect(self, answer: Deferred[Any]) -> Deferred[Any]:
        return timedConnecting(self.clock, self.counts)(answer)

    def test_connected(self) -> None:
        """A connection is timed, and is what it was."""
        answer: Deferred[Any] = Deferred()
        connecting = self.connect(answer)
        self.clock.advance(0.5)
        answer.callback("a protocol")
        self.assertEqual(self.successResultOf(connecting), "a protocol")
        self.assertEqual(self.successResultOf(self.connect(succeed("another"))), "another")
        self.assertEqual(self.noted(), {"connected": (2, 0.5)})

    def test_failed(self) -> None:
        """So is the attempt that fails, and one whose client has gone is no failure of the backend."""
        self.failureResultOf(self.connect(fail(ConnectionRefusedError())), ConnectionRefusedError)
        connecting = self.connect(Deferred())
        self.clock.advance(10)
        connecting.cancel()
        self.failureResultOf(connecting)
        self.assertEqual(self.noted(), {"failed": (1, 0), "cancelled": (1, 10)})

    def test_forwarded(self) -> None:
        """A server that forwards, by the name or to one place, is looked on where there are metrics, and only there."""
        place = "unix:/run/backend.sock"
        settings: Any = {"connectTimeout": None, "halfCloseTimeout": None}
        for forward in ([place], [f"one.example={place}", f"two.example={place}"]):
            for sites, isTimed in (({"metrics": "tcp:9180"}, True), ({"health": "tcp:9180"}, False)):
                application: Any = forwardingFrom({**settings, "forward": forward}, MemoryReactorClock())
                Operation(self.clock, sites, EventLog(print, self.clock), list).watchBackend(application)
                each = getattr(application, "forwardings", {"": application}).values()
                self.assertEqual({one.timed is not None for one in each}, {isTimed})
