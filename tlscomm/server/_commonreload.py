"""The configuration of several processes, read again by all of them, and taken by all of them or by none.

Each process reads and makes ready by itself, because nothing of a configuration can be handed over (keys, contexts).
When all are ready all are told to use it, which cannot fail. A process that does not do so is replaced: the new one
reads what the others have read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._clocks import timeOfDay
from tlscomm.credentials._rereading import READING_SECONDS
from tlscomm.server._workerprocess import WorkerProcess
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["CommonReload", "WorkerProblem"]

_log = Logger(namespace="tlscomm")

#: What a worker says of a problem, and how many characters of each.
_PROBLEM = ("message", "code", "nextStep")
_LONGEST = 4000

#: Seconds for a worker to make ready what it reads, and to use it.
_PREPARE_SECONDS, _COMMIT_SECONDS = READING_SECONDS + 5.0, 5.0


class WorkerProblem(ValueError):
    """Why a worker cannot use what it has read.

    Attributes:
        code: that of the failure; ``other`` where it is none.
        nextStep: what to do about it.
    """

    def __init__(self, message: str, code: str = "other", nextStep: str = "Correct it and try again.") -> None:
        super().__init__(message)
        self.code = code
        self.nextStep = nextStep


class CommonReload:
    """Has all workers read their configuration again.

    Attributes:
        generation: how many readings have begun. A worker that was started before the last one is asked to read again.
    """

    def __init__(
        self,
        clock: IReactorTime,
        workers: Callable[[], Iterable[WorkerProcess]],
        told: Callable[[ReloadResult], object],
    ) -> None:
        """
        Args:
            clock: tells the time.
            workers: returns those that take connections.
            told: is told what came of each reading.
        """
        self.generation = 0
        self._now = timeOfDay(clock)
        self._workers = workers
        self._told = told
        self._isReading = False
        self._next: list[tuple[str, Deferred[ReloadResult]]] = []

    def begin(self, trigger: str) -> Deferred[ReloadResult]:
        """Read now, or once more after the reading that is under way.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.
        """
        told: Deferred[ReloadResult] = Deferred()
        self._next.append((trigger, told))
        if not self._isReading:
            self._isReading = True
            Deferred.fromCoroutine(self._readAll())
        return told

    async def _readAll(self) -> None:
        while self._next:
            waiting, self._next = self._next, []
            self.generation += 1
            result = await self._once(waiting[0][0])
            self._told(result)
            for _, told in waiting:
                told.callback(result)
        self._isReading = False

    async def _once(self, trigger: str) -> ReloadResult:
        workers = list(self._workers())
        problems = await _problems({each: each.ask("prepare", _PREPARE_SECONDS, trigger=trigger) for each in workers})
        problem = next(iter(problems.values()), None) if workers else WorkerProblem("no worker takes connections")
        if problem is None:
            refused = await _problems({each: each.ask("commit", _COMMIT_SECONDS) for each in workers})
            for worker, why in refused.items():
                _log.error("{worker} does not use what it has read: {why}", worker=str(worker), why=str(why))
                worker.kill()
        else:
            # Not all of them may be there any more, and there is nothing to be done about that.
            for each in workers:
                each.ask("abort", _COMMIT_SECONDS, problem=str(problem)).addErrback(lambda _: None)
        return ReloadResult(self._now(), trigger, problem)


async def _problems(asked: dict[WorkerProcess, Deferred[Any]]) -> dict[WorkerProcess, WorkerProblem]:
    """Return what each worker has against what it was asked, of those that have something."""
    answers = await DeferredList(list(asked.values()), consumeErrors=True)
    found = {}
    for worker, (_, answer) in zip(asked, answers, strict=True):
        if isinstance(answer, Failure):
            found[worker] = WorkerProblem(f"{worker}: {answer.value}")
        elif isinstance(answer, dict):
            found[worker] = WorkerProblem(
                *(str(answer.get(name, ""))[:4000] for name in ("message", "code", "nextStep"))
            )
    return found
