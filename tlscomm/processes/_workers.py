"""The workers of a server that is several processes: started, asked whether they live, and replaced.

All workers accept from the same sockets, which stay open while one of them dies or
is replaced: a client who waits to be accepted is accepted by another one, and none is refused. (With ``SO_REUSEPORT``
each worker would have a queue of its own, and what waits in it would be lost with the worker.)

A worker that has died is replaced at once when it had lived a while; where it dies again and again, after pauses that
double. Where not a single worker has ever served, and one has died three times, the start has failed, and the server
ends with what the worker has said.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from tlscomm._clocks import timeOfDay
from tlscomm.processes._workerprocess import WorkerProcess, WorkerState

__all__ = ["Slot", "Workers"]

_log = Logger(namespace="tlscomm")

#: Seconds of the first pause before a worker is replaced, and of the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0
#: Seconds after which a worker that serves has not died at its start.
_SETTLED = 5.0
#: How many times a worker may die at its start, before the start of the whole has failed.
_MOST_FAILURES = 3
#: Seconds for a worker to serve after it was started.
_START_SECONDS = 60.0
#: Seconds between two questions whether a worker lives, and how many of them it may leave unanswered in a row.
_QUESTION_SECONDS, _MOST_UNANSWERED = 5.0, 6
#: Seconds that a worker has beyond the drain's own limit.
_DRAIN_GRACE = 5.0
#: Seconds for a worker to end at once.
_MOMENT = 2.0


class Slot:
    """The place of one worker, which one process after the other takes.

    Attributes:
        number: the worker's, from 1.
        worker: the process that serves or is to serve; None while a pause is made.
        failures: how many have died at their start in a row.
        restarts: how many times a process had to take another's place that had died.
        problem: why the last one has died, in one line; empty when a later one serves.
        problemTime: when that was, in seconds since 1970.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.worker: WorkerProcess | None = None
        self.failures = 0
        self.restarts = 0
        self.problem = ""
        self.problemTime = 0.0
        self.pause: IDelayedCall | None = None
        self.successor: WorkerProcess | None = None
        #: Is told when a new process serves, or has failed.
        self.replaced: Deferred[bool] | None = None

    def failed(self, problem: str, time: float) -> None:
        """Note why its process does not serve."""
        self.problem, self.problemTime = " ".join(problem.split()), time


class Workers:
    """The workers of a server, as many as there are to be.

    Attributes:
        slots: the places of the workers.
        haveServed: whether one of them has ever taken connections.
        isStopping: whether no others are started any more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        count: int,
        launch: Callable[[WorkerProcess], object],
        *,
        passOn: Callable[[bytes], object],
        serving: Callable[[WorkerProcess], object],
        failed: Callable[[str], object],
        changed: Callable[[], object] = lambda: None,
        counted: Callable[[WorkerProcess, object], object] = lambda worker, counts: None,
        ended: Callable[[WorkerProcess], object] = lambda worker: None,
        drainSeconds: float | None = 30.0,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            clock: tells the time.
            count: how many workers there are to be.
            launch: starts the process of a worker.
            passOn: takes events of workers, as lines of JSON.
            serving: is told of each worker that takes connections.
            failed: is told why the start has failed.
            changed: is told that files of the configuration have changed.
            counted: is told what a worker has counted, as JSON has it.
            ended: is told of each process that has ended, after `counted`.
            drainSeconds: how long a worker may take to end in order; None for as long as it needs.
            jitter: returns a number from 0 to 1, by which pauses differ.
        """
        self.slots = tuple(Slot(number) for number in range(1, count + 1))
        self.haveServed = False
        self._clock = clock
        self._now = timeOfDay(clock)
        self._launch = launch
        self._passOn = passOn
        self._serving = serving
        self._failed = failed
        self._changed = changed
        self._counted = counted
        self._ended = ended
        self._drainSeconds = drainSeconds
        self._jitter = jitter
        self._count = 0
        self.isStopping = False
        self._alive: dict[int, WorkerProcess] = {}
        self._deadlines: dict[int, IDelayedCall] = {}
        self._asking: IDelayedCall | None = None
        self._stopped: Deferred[int] | None = None
        self._unfinished = 0

    def __iter__(self) -> Iterator[WorkerProcess]:
        """Give the processes that take connections."""
        return (each for each in tuple(self._alive.values()) if each.state is WorkerState.READY)

    @property
    def processes(self) -> tuple[WorkerProcess, ...]:
        """All processes that have not ended, those that start and drain included."""
        return tuple(self._alive.values())

    def start(self) -> None:
        """Start them all."""
        for slot in self.slots:
            slot.worker = self._new(slot.number)
        self._asking = self._clock.callLater(_QUESTION_SECONDS, self._askAll)

    def stop(self, *, areAll: bool = True) -> Deferred[int]:
        """Have all of them end, in order.

        Args:
            areAll: whether no other process accepts the clients who wait.

        Returns:
            How many did not.
        """
        self.isStopping = True
        self._quiet()
        for worker in self.processes:
            self._drain(worker, areAll=areAll)
        self._stopped = Deferred()
        self._tellStopped()
        return self._stopped

    def tryAgain(self) -> None:
        """Start now what a pause is made before: what has kept workers from starting may be mended."""
        for slot in self.slots:
            if slot.pause is not None and not self.isStopping:
                slot.pause.cancel()
                slot.failures = 0
                self._again(slot)

    def hurry(self) -> None:
        """Have those that are about to end do so now, and kill those that take more than a moment."""
        for worker in self.processes:
            worker.tell("hurry")
            self._cancelDeadline(worker)
            self._deadlines[worker.serial] = self._clock.callLater(_MOMENT, self._tooLate, worker, "to end")

    async def replaceAll(self) -> tuple[int, ...]:
        """Replace each process by a new one, one after the other; each new one serves before its predecessor drains.

        Where a process is starting already it is that one which has to serve, and where a pause is made before it, the
        pause ends.

        Returns:
            The numbers of the workers that were not. Where a new one cannot serve, the others stay as they are.
        """
        for place, slot in enumerate(self.slots):
            if self.isStopping or not await self._replace(slot):
                return tuple(each.number for each in self.slots[place:])
        return ()

    def workerReady(self, worker: WorkerProcess) -> None:
        """A worker takes connections: `WorkerOwner.workerReady`."""
        self._cancelDeadline(worker)
        self.haveServed = True
        slot = self._slotOf(worker)
        slot.problem = ""
        if slot.successor is worker:
            former, slot.worker, slot.successor = slot.worker, worker, None
            if former is not None:
                self._drain(former)
        self._tellReplaced(slot, True)
        self._serving(worker)

    def workerLeaving(self, worker: WorkerProcess) -> None:
        """A worker ends because of a signal that was for it alone: `WorkerOwner.workerLeaving`."""
        slot = self._slotOf(worker)
        if not self.isStopping and slot.worker is worker and slot.successor is None:
            _log.info("{worker} was told to end by a signal; another one is started now", worker=str(worker))
            slot.restarts += 1
            slot.failed("was told to end by a signal", self._now())
            slot.worker = self._new(slot.number)

    def workerChanged(self, worker: WorkerProcess) -> None:
        """A worker has seen that files have changed: `WorkerOwner.workerChanged`."""
        self._changed()

    def workerCounted(self, worker: WorkerProcess, counts: object) -> None:
        """A worker has said what it has counted up to its end: `WorkerOwner.workerCounted`."""
        self._counted(worker, counts)

    def workerEnded(self, worker: WorkerProcess) -> None:
        """A process has ended: `WorkerOwner.workerEnded`."""
        self._cancelDeadline(worker)
        del self._alive[worker.serial]
        self._ended(worker)
        slot = self._slotOf(worker)
        if self.isStopping:
            self._note(worker)
            self._tellStopped()
        elif slot.successor is worker:
            slot.successor = None
            self._complain(worker, "")
            self._tellReplaced(slot, False)
        elif slot.worker is worker and slot.successor is not None:
            slot.worker, slot.successor = slot.successor, None
            slot.failed(worker.why, self._now())
            self._complain(worker, "; another one starts already")
        elif slot.worker is worker:
            slot.worker = None
            self._died(slot, worker)
        elif worker.status != 0:
            self._complain(worker, " while it was to end")

    def _new(self, number: int) -> WorkerProcess:
        self._count += 1
        worker = WorkerProcess(number, self._count, self._clock.seconds(), self, self._passOn)
        self._alive[worker.serial] = worker
        self._deadlines[worker.serial] = self._clock.callLater(_START_SECONDS, self._tooLate, worker, "to start")
        self._launch(worker)
        return worker

    def _died(self, slot: Slot, worker: WorkerProcess) -> None:
        hasSettled = worker.hasServed and self._clock.seconds() - worker.started > _SETTLED
        slot.failures = 0 if hasSettled else slot.failures + 1
        slot.restarts += 1
        slot.failed(worker.why, self._now())
        self._tellReplaced(slot, False)
        if not self.haveServed and slot.failures >= _MOST_FAILURES:
            self.isStopping = True
            self._quiet()
            self._failed(_lastWords(worker))
            return
        # A worker that served is replaced at once, the first time.
        pause = 0.0
        if (failures := slot.failures - worker.hasServed) > 0:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures, 20)) * (1 + self._jitter()) / 2
        self._complain(worker, f"; another one is started {f'in {pause:.1f} s' if pause else 'now'}")
        slot.pause = self._clock.callLater(pause, self._again, slot)

    def _again(self, slot: Slot) -> None:
        slot.pause = None
        slot.worker = self._new(slot.number)

    def _replace(self, slot: Slot) -> Deferred[bool]:
        slot.replaced = replaced = Deferred[bool]()
        if slot.pause is not None:
            slot.pause.cancel()
            self._again(slot)
        elif slot.worker is not None and slot.worker.state is WorkerState.READY:
            slot.successor = self._new(slot.number)
        return replaced

    def _tellReplaced(self, slot: Slot, isReplaced: bool) -> None:
        replaced, slot.replaced = slot.replaced, None
        if replaced is not None:
            replaced.callback(isReplaced)

    def _drain(self, worker: WorkerProcess, *, areAll: bool = False) -> None:
        self._cancelDeadline(worker)
        if self._drainSeconds is not None:
            limit = self._drainSeconds + _DRAIN_GRACE
            self._deadlines[worker.serial] = self._clock.callLater(limit, self._tooLate, worker, "to end")
        worker.drain(areAll=areAll)

    def _tooLate(self, worker: WorkerProcess, purpose: str) -> None:
        self._deadlines.pop(worker.serial, None)
        _log.error("{worker} takes too long {purpose}, and is killed", worker=str(worker), purpose=purpose)
        worker.kill()

    def _cancelDeadline(self, worker: WorkerProcess) -> None:
        deadline = self._deadlines.pop(worker.serial, None)
        if deadline is not None:
            deadline.cancel()

    def _quiet(self) -> None:
        pauses = [slot.pause for slot in self.slots if slot.pause is not None]
        for each in (*pauses, *([] if self._asking is None else [self._asking])):
            each.cancel()
        self._asking = None
        for slot in self.slots:
            slot.pause = None
            self._tellReplaced(slot, False)

    def _tellStopped(self) -> None:
        if self._stopped is not None and not self._alive:
            stopped, self._stopped = self._stopped, None
            stopped.callback(self._unfinished)

    def _note(self, worker: WorkerProcess) -> None:
        if worker.status != 0:
            self._unfinished += 1
            self._complain(worker, "")

    def _askAll(self) -> None:
        self._asking = self._clock.callLater(_QUESTION_SECONDS, self._askAll)
        for worker in self:
            asking = worker.ask("alive", _QUESTION_SECONDS * 0.9)
            asking.addCallback(self._answered, worker).addErrback(self._unanswered, worker)

    def _answered(self, life: Any, worker: WorkerProcess) -> None:
        if isinstance(life, dict):
            worker.life = life
            self._counted(worker, life.get("counts"))
        if worker.unanswered:
            _log.info("{worker} answers again", worker=str(worker))
        worker.unanswered = 0

    def _unanswered(self, _: Failure, worker: WorkerProcess) -> None:
        if worker.state is not WorkerState.READY:
            return
        worker.unanswered += 1
        if worker.unanswered == 1:
            _log.warn("{worker} does not answer", worker=str(worker))
        if worker.unanswered >= _MOST_UNANSWERED:
            self._tooLate(worker, "to answer")

    def _complain(self, worker: WorkerProcess, what: str) -> None:
        if worker.problem and not worker.hasServed:
            _log.error(
                "{worker} cannot serve{what}. It said: {said}", worker=str(worker), what=what, said=worker.problem
            )
            return
        said = worker.problem or " / ".join(tuple(worker.output.lastLines)[-3:])
        _log.error(
            "{worker} {ending}{what}{said}",
            worker=str(worker),
            ending=worker.ending,
            what=what,
            said=f". It said: {said}" if said else "",
        )

    def _slotOf(self, worker: WorkerProcess) -> Slot:
        return self.slots[worker.number - 1]


def _lastWords(worker: WorkerProcess) -> str:
    """Return why a worker could not serve."""
    if worker.problem:
        return worker.problem
    lines = "".join(f"\n  {line}" for line in worker.output.lastLines)
    return f"{worker} {worker.ending} before it could serve{':' if lines else ''}{lines}"
