"""A running program's configuration, read again while it runs, in two steps: all of it is ready, then it is used.

Files are read, and whatever is made of them is made, in a thread, one reading at a time. One that takes too long counts
as failed; its thread is left to itself, and what it may still bring is not used. Whatever goes wrong, the configuration
of before stays, as a whole: nothing is used before all of it is there, and to use it then cannot fail.

The second step is one of its own because several processes that are one server take it together, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._clocks import timeOfDay
from tlscomm.credentials._rereading import READING_SECONDS, inOwnThread
from tlscomm.failures import TLSFailure, Unreadable
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.transport._reloadresult import ReloadResult

__all__ = ["Prepared", "Rereading", "logReload", "nextStepFor", "nothingToRead"]

_log = Logger(namespace="tlscomm")

_T = TypeVar("_T")

#: How many readings may be left to themselves at a time.
_MOST_LATE = 4

_PLAIN_FILE = "Have a plain file on a disk there, and try again."


class Prepared(Generic[_T]):
    """What was read and is ready, and what nothing uses yet; or why there is nothing.

    Attributes:
        value: what was read; None where nothing has changed, and where there is a problem.
        problem: why it cannot be used; None where it can.
        trigger: why it was read: ``signal``, ``files`` or ``program``.
        result: what became of it; None before that is decided.
    """

    def __init__(
        self,
        trigger: str,
        decide: Callable[[Prepared[_T], BaseException | None], ReloadResult],
        value: _T | None = None,
        problem: BaseException | None = None,
    ) -> None:
        """
        Args:
            trigger: why it was read.
            decide: uses it, or not where there is a problem.
            value: what was read.
            problem: why it cannot be used.
        """
        self.trigger = trigger
        self.value = value
        self.problem = problem
        self.result: ReloadResult | None = None
        self._decide = decide

    def commit(self) -> ReloadResult:
        """Use it, where there is no problem. What was decided once stays so."""
        return self._end(self.problem)

    def abort(self, problem: BaseException) -> ReloadResult:
        """Do not use it.

        Args:
            problem: why, where it could be used: that of another process for one.
        """
        return self._end(self.problem or problem)

    def _end(self, problem: BaseException | None) -> ReloadResult:
        if self.result is None:
            self.result = self._decide(self, problem)
            self.value = None
        return self.result


class Rereading(Generic[_T]):
    """Reads a configuration again when it is told to."""

    def __init__(
        self,
        clock: IReactorTime,
        read: Callable[[], _T | None],
        take: Callable[[_T], object],
        told: Callable[[ReloadResult], object] | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time.
            read: returns the configuration as it is now, ready to be used, or None where it has not changed. It is
                called in a thread.
            take: uses what it returned, where the reactor runs.
            told: is told of what came of each reading that found a change, once; `logReload` where None.
        """
        self._clock = clock
        self._read = read
        self._take = take
        self._told = told or logReload
        self._late = 0
        self._isReading = False
        self._undecided: Prepared[_T] | None = None
        self._next: list[tuple[str, Deferred[Prepared[_T]]]] = []

    def begin(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read now, or once more after the reading that is under way, which may have seen what was there before.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where it could not be read, the configuration of before stays.
        """
        return self.prepare(trigger).addCallback(lambda prepared: prepared.commit())

    def prepare(self, trigger: str = "program") -> Deferred[Prepared[_T]]:
        """Read as `begin` does, and use nothing of it yet.

        Who prepares has to commit or to abort. A later reading takes the place of one of which that was not decided.
        """
        told: Deferred[Prepared[_T]] = Deferred()
        self._next.append((trigger, told))
        if not self._isReading:
            self._go()
        return told

    def _go(self) -> None:
        waiting, self._next = self._next, []
        self._isReading = True
        self._once(waiting[0][0]).addCallback(self._done, waiting)

    def _done(self, prepared: Prepared[_T], waiting: list[tuple[str, Deferred[Prepared[_T]]]]) -> None:
        self._isReading = False
        if self._undecided is not None:
            self._undecided.abort(ValueError("a later reading took its place"))
        self._undecided = prepared
        for _, told in waiting:
            told.callback(prepared)
        if self._next and not self._isReading:
            self._go()

    def _once(self, trigger: str) -> Deferred[Prepared[_T]]:
        if self._late >= _MOST_LATE:
            return succeed(self._refused(trigger, Unreadable(f"{self._late} readings of before still wait for a file")))
        finished: Deferred[Prepared[_T]] = Deferred()

        def late(name: str) -> None:
            self._late += 1
            detail = f"reading {name or 'the files'} has taken {READING_SECONDS:g} s"
            finished.callback(self._refused(trigger, Unreadable(detail, remedy=_PLAIN_FILE)))

        def end(result: _T | Failure | None) -> None:
            if finished.called:
                self._late -= 1
            elif isinstance(result, Failure):
                finished.callback(self._refused(trigger, cast(BaseException, result.value)))
            else:
                finished.callback(Prepared(trigger, self._decide, result))

        inOwnThread(self._clock, self._read, late).addBoth(end)
        return finished

    def _refused(self, trigger: str, problem: BaseException) -> Prepared[_T]:
        return Prepared(trigger, self._decide, problem=problem)

    def _decide(self, prepared: Prepared[_T], problem: BaseException | None) -> ReloadResult:
        if self._undecided is prepared:
            self._undecided = None
        isChange = prepared.value is not None or problem is not None
        if prepared.value is not None and problem is None:
            try:
                self._take(prepared.value)
            except Exception as broken:
                problem = broken
        result = ReloadResult(timeOfDay(self._clock)(), prepared.trigger, problem)
        if isChange:
            self._told(result)
        return result


def nothingToRead(clock: IReactorTime) -> Deferred[ReloadResult]:
    """Return what comes of reading again where there is nothing to read."""
    return succeed(ReloadResult(timeOfDay(clock)(), "program", ValueError("there is nothing that could be read again")))


def logReload(result: ReloadResult) -> None:
    """Write what came of a reading into Twisted's log."""
    if (problem := result.problem) is None:
        _log.info("the configuration was read again")
    elif isinstance(problem, TLSFailure | ValueError):
        _log.error(
            "the configuration is not read again, the former one stays: {problem} Next step: {nextStep}",
            problem=str(problem),
            nextStep=nextStepFor(problem),
        )
    else:
        # A bug, or what a module of the program's own raised when it was asked.
        logFailure(_log, "the configuration is not read again, the former one stays", Failure(problem))


def nextStepFor(problem: BaseException) -> str:
    """Return what to do about a configuration that could not be read."""
    return problem.nextStep if isinstance(problem, TLSFailure) else "Correct it and try again."
