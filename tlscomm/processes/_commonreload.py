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
from tlscomm._dataclasses import dataclass
from tlscomm.credentials._rereading import READING_SECONDS
from tlscomm.failures import printable
from tlscomm.processes._workerprocess import WorkerProcess
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["CommonReload", "WorkerProblem"]

_log = Logger(namespace="tlscomm")

#: What a worker says of a problem, and how many characters of each.
_PROBLEM = ("message", "code", "nextStep")
_LONGEST = 4000
#: Names of files that have changed.
_MOST_NAMES = 20

#: Seconds for a worker to make ready what it reads, and to use it.
_PREPARE_SECONDS, _COMMIT_SECONDS = READING_SECONDS + 5.0, 5.0


#: Why all read again where a worker has started, and which reason counts where several come together: the least.
_WORKER = "worker"
_RANKS = {"files": 1, _WORKER: 2}


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
        self._isReading = self._isRefused = False
        self._next: list[tuple[str, Deferred[ReloadResult]]] = []

    def begin(self, trigger: str) -> Deferred[ReloadResult]:
        """Read now, or once more after the reading that is under way.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``; or ``worker`` where one has started that may have read
                what the others have not. That is told of as ``files``, and only where something has come of it.
        """
        told: Deferred[ReloadResult] = Deferred()
        self._next.append((trigger, told))
        if not self._isReading:
            self._isReading = True
            Deferred.fromCoroutine(self._readAll())
        return told

    @property
    def isWaiting(self) -> bool:
        """Whether a reading is to begin that has not begun, and will see what is there now."""
        return bool(self._next)

    async def _readAll(self) -> None:
        while self._next:
            waiting, self._next = self._next, []
            self.generation += 1
            trigger = min((trigger for trigger, _ in waiting), key=lambda each: _RANKS.get(each, 0))
            result = await self._once(trigger)
            for _, told in waiting:
                told.callback(result)
        self._isReading = False

    async def _once(self, trigger: str) -> ReloadResult:
        workers = list(self._workers())
        asked = "program" if trigger == _WORKER else trigger
        read = await _answers({each: each.ask("prepare", _PREPARE_SECONDS, trigger=asked) for each in workers})
        problem = next((each.problem for each in read.values() if each.problem is not None), None)
        if not workers:
            problem = WorkerProblem("no worker takes connections")
        changed = tuple(dict.fromkeys(name for each in read.values() for name in each.changed))
        isPartial = False
        if problem is None:
            used = await _answers({each: each.ask("commit", _COMMIT_SECONDS) for each in workers})
            problem = next((each.problem for each in used.values() if each.isPartial), None)
            isPartial = problem is not None
            _replace({worker: each.problem for worker, each in used.items() if not each.isPartial})
        else:
            # Not all of them may be there any more, and there is nothing to be done about that.
            for each in workers:
                each.ask("abort", _COMMIT_SECONDS, problem=str(problem)).addErrback(lambda _: None)
        why = "files" if trigger == _WORKER else trigger
        result = ReloadResult(self._now(), why, problem, changed, isPartial=isPartial)
        isChange = any(each.isChange for each in read.values())
        if trigger == _WORKER:
            # It has read what the others have: that is no change.
            isChange = bool(changed) or self._isRefused
        if problem is not None or isChange:
            self._isRefused = problem is not None
            self._told(result)
        return result


@dataclass(frozen=True)
class _Answer:
    """What a worker has said of what it has read."""

    problem: WorkerProblem | None = None
    isChange: bool = False
    isPartial: bool = False
    changed: tuple[str, ...] = ()


async def _answers(asked: dict[WorkerProcess, Deferred[Any]]) -> dict[WorkerProcess, _Answer]:
    answers = await DeferredList(list(asked.values()), consumeErrors=True)
    return {worker: _answer(worker, answer) for worker, (_, answer) in zip(asked, answers, strict=True)}


def _answer(worker: WorkerProcess, answer: object) -> _Answer:
    if isinstance(answer, Failure):
        return _Answer(WorkerProblem(f"{worker}: {answer.value}"))
    if not isinstance(answer, dict):
        return _Answer(WorkerProblem(f"{worker}: what it answers is no answer"))
    told, changed = answer.get("problem"), answer.get("changed")
    problem = None
    if told is not None:
        facts = told if isinstance(told, dict) else {"message": told}
        problem = WorkerProblem(*(str(facts.get(name, ""))[:_LONGEST] for name in _PROBLEM))
    changed = changed if isinstance(changed, list) else []
    names = tuple(printable(str(name)[:_LONGEST]) for name in changed[:_MOST_NAMES])
    return _Answer(problem, bool(answer.get("isChange")), bool(answer.get("isPartial")), names)


def _replace(problems: dict[WorkerProcess, WorkerProblem | None]) -> None:
    """Kill the workers that do not use what all the others use. Others take their places, and read the same."""
    for worker, problem in problems.items():
        if problem is not None:
            _log.error("{worker} does not use what it has read: {problem}", worker=str(worker), problem=str(problem))
            worker.kill()
