"""A running server's configuration, read again while it runs.

Files are read in a thread, one reading at a time. One that takes too long counts as failed; its thread is left to
itself, and what it may still bring is not used. Whatever goes wrong, the configuration of before stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm.credentials._rereading import READING_SECONDS, inOwnThread
from tlscomm.failures import TLSFailure, Unreadable
from tlscomm.failures._loggedfailure import logFailure

__all__ = ["Rereading"]

_log = Logger(namespace="tlscomm")

_T = TypeVar("_T")

#: How many readings may be left to themselves at a time.
_MOST_LATE = 4


class Rereading(Generic[_T]):
    """Reads a configuration again when it is told to."""

    def __init__(self, clock: IReactorTime, read: Callable[[], _T | None], take: Callable[[_T], object]) -> None:
        """
        Args:
            clock: tells the time.
            read: returns the configuration as it is now, or None where it has not changed. It is called in a thread.
            take: is given what it returned, where the reactor runs.
        """
        self._clock = clock
        self._read = read
        self._take = take
        self._late = 0
        self._current: Deferred[bool] | None = None
        self._next: list[Deferred[bool]] = []

    def begin(self) -> Deferred[bool]:
        """Read now, or once more after the reading that is under way, which may have seen what was there before.

        Returns:
            Whether it could be read. Otherwise the log says why, and the configuration of before stays.
        """
        told: Deferred[bool] = Deferred()
        self._next.append(told)
        if self._current is None:
            self._go()
        return told

    def _go(self) -> None:
        told, self._next = self._next, []
        self._current = self._once()
        self._current.addCallback(self._done, told)

    def _done(self, isRead: bool, told: list[Deferred[bool]]) -> None:
        self._current = None
        if self._next:
            self._go()
        for each in told:
            each.callback(isRead)

    def _once(self) -> Deferred[bool]:
        if self._late >= _MOST_LATE:
            _refuse(Unreadable(f"{self._late} readings of before still wait for a file"))
            return succeed(False)
        finished: Deferred[bool] = Deferred()

        def late(name: str) -> None:
            self._late += 1
            _refuse(Unreadable(f"reading {name or 'the files'} has taken {READING_SECONDS:g} s", remedy=_PLAIN_FILE))
            finished.callback(False)

        def end(result: _T | Failure | None) -> None:
            if finished.called:
                self._late -= 1
                return
            finished.callback(self._use(result))

        inOwnThread(self._clock, self._read, late).addBoth(end)
        return finished

    def _use(self, result: _T | Failure | None) -> bool:
        if result is None:
            return True
        if isinstance(result, Failure):
            _refuse(cast(BaseException, result.value), result)
            return False
        try:
            self._take(result)
        except Exception:
            logFailure(_log, "the configuration is not read again, the former one stays")
            return False
        _log.info("the configuration was read again")
        return True


_PLAIN_FILE = "Have a plain file on a disk there, and try again."


def _refuse(problem: BaseException, reason: Failure | None = None) -> None:
    if not isinstance(problem, TLSFailure | ValueError):
        # A bug, or what a module of the program's own raised when it was asked.
        logFailure(_log, "the configuration is not read again, the former one stays", reason)
        return
    nextStep = problem.nextStep if isinstance(problem, TLSFailure) else "Correct it and try again."
    _log.error(
        "the configuration is not read again, the former one stays: {problem} Next step: {nextStep}",
        problem=str(problem),
        nextStep=nextStep,
    )
