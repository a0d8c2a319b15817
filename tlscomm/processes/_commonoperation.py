"""What an operator sees of a server that is several processes: one set of numbers, one status, one readiness.

Each worker counts for itself and is asked when someone asks. What it answered last counts for one that does not answer,
and for one that has ended: counters never go back. What a worker has counted since it answered last is lost when it is
killed; one that ends in order says it at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime

from tlscomm.failures import printable
from tlscomm.operation._counting import Counting
from tlscomm.operation._counts import Counts
from tlscomm.operation._operation import SITES, Operation
from tlscomm.operation._seenpeers import mergedPeers
from tlscomm.operation._status import Status
from tlscomm.operation._statusmerging import mergedStatus
from tlscomm.processes._workerprocess import WorkerProcess, WorkerState
from tlscomm.processes._workers import Workers
from tlscomm.revocation._backgroundtask import inThread
from tlscomm.serving._phases import ServerPhase
from tlscomm.transport._eventlog import EventLog, Moment
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["CommonNumbers", "CommonOperation", "CommonPeers", "CommonReadiness", "CommonStatus"]

#: Seconds for a worker to answer what an operator asked.
_ANSWER_SECONDS = 2.0

#: What the supervisor knows itself.
_OWN = (
    "tlscomm_config_last_reload_successful",
    "tlscomm_config_last_reload_timestamp_seconds",
    "tlscomm_config_last_reload_success_timestamp_seconds",
)


class CommonNumbers:
    """The numbers of all workers together. An observer of the supervisor."""

    def __init__(self, clock: IReactorTime, workers: Callable[[], Workers]) -> None:
        """
        Args:
            clock: tells the time, in seconds since 1970.
            workers: returns the workers.
        """
        self._own = Counting(clock, list)
        self._workers = workers
        self._latest: dict[int, Counts] = {}
        self._ended = Counts().withoutGauges()

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""
        self._own.reloaded(result)

    def counted(self, worker: WorkerProcess, facts: object) -> None:
        """A worker has said what it has counted. What is no such thing is left out."""
        try:
            self._latest[worker.serial] = Counts.fromJSON(facts)  # type: ignore[arg-type]
        except (ValueError, TypeError, LookupError, AttributeError):
            return

    def ended(self, worker: WorkerProcess) -> None:
        """A worker has ended. Where it was not told to, another one takes its place."""
        latest = self._latest.pop(worker.serial, None)
        if latest is not None:
            self._ended = Counts.merged(self._ended, latest.withoutGauges())
        if not worker.wasToldToEnd:
            self._own.counts.add("tlscomm_worker_restarts_total")

    def gather(self) -> Deferred[Counts]:
        """Return the numbers as they are now: `Counting.gather`."""
        asked = _asked(self._workers(), "counts")
        return DeferredList([each.addCallback(self._answered, worker) for worker, each in asked]).addCallback(self._all)

    def _answered(self, answer: object, worker: WorkerProcess) -> None:
        if answer is not None and worker in self._workers().processes:
            self.counted(worker, answer)

    def _all(self, _: object) -> Counts:
        own = self._own.counts
        result = Counts.merged(self._ended, own.withoutGauges(), *self._latest.values())
        for name in _OWN:
            result.replace(name, own.values(name))
        return result


class CommonStatus:
    """The status of all workers together. An observer of the supervisor."""

    def __init__(
        self,
        clock: IReactorTime,
        log: EventLog,
        workers: Callable[[], Workers],
        settings: Callable[[], Mapping[str, Mapping[str, Any]]],
    ) -> None:
        """
        Args:
            clock: tells the time, in seconds since 1970.
            log: the supervisor's.
            workers: returns the workers.
            settings: returns what was set, of each listener by its name, as it may be shown.
        """
        self._own = Status(clock, log, list, settings=settings)
        self._workers = workers

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""
        self._own.reloaded(result)

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        self._own.entered(phase)

    def snapshot(self, search: str = "") -> Deferred[dict[str, Any]]:
        """Return the object: `Status.snapshot`."""
        asked = _asked(self._workers(), "status", search=search)
        return DeferredList([self._own.snapshot(search), *(each for _, each in asked)]).addCallback(
            self._merged, [worker for worker, _ in asked]
        )

    def drawnTrace(self, number: int) -> Deferred[str | None]:
        """Return the page that explains a connection that was refused: `Status.drawnTrace`."""
        asked = _asked(self._workers(), "trace", connection=number)
        return DeferredList([each for _, each in asked]).addCallback(
            lambda answers: next((page for _, page in answers if isinstance(page, str)), None)
        )

    def _merged(self, answers: list[tuple[bool, Any]], asked: list[WorkerProcess]) -> dict[str, Any]:
        (_, own), *others = answers
        known = {worker.serial: answer for worker, (_, answer) in zip(asked, others, strict=True)}
        statuses: dict[int, Any] = {slot.number: None for slot in self._workers().slots}
        for slot in self._workers().slots:
            if slot.worker is not None and isinstance(known.get(slot.worker.serial), dict):
                statuses[slot.number] = known[slot.worker.serial]
        merged = mergedStatus(own, statuses)
        rows = {row["worker"]: row for row in merged["workers"]}
        for slot in self._workers().slots:
            rows[slot.number].update(
                restarts=slot.restarts,
                problem=slot.problem or None,
                problemTime=Moment(slot.problemTime).toJSON() if slot.problem else None,
            )
            if statuses[slot.number] is None:
                rows[slot.number]["phase"] = "waiting" if slot.worker is None else _phaseOf(slot.worker)
        return merged


class CommonPeers:
    """The peers of all workers together, where each is told once for a listener."""

    def __init__(self, clock: IReactorTime, workers: Callable[[], Workers]) -> None:
        """
        Args:
            clock: has threads where it is a reactor.
            workers: returns the workers.
        """
        self._clock = clock
        self._workers = workers

    def told(self) -> Deferred[str]:
        """Return the object as JSON: `SeenPeers.told`. A worker that does not answer in time is left out."""
        asked = DeferredList([each for _, each in _asked(self._workers(), "peers")])
        return asked.addCallback(
            lambda answers: inThread(self._clock, mergedPeers, [text for _, text in answers if isinstance(text, str)])
        )


class CommonReadiness:
    """Whether one of the workers takes connections. An observer of the supervisor."""

    def __init__(self, workers: Callable[[], Workers]) -> None:
        """
        Args:
            workers: returns the workers.
        """
        self.phase = ServerPhase.STARTING
        self._workers = workers

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        self.phase = phase

    def toJSON(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        reasons = self._reasons()
        return {"ready": not reasons, "phase": self.phase.value, "reasons": reasons}

    def _reasons(self) -> list[str]:
        if not self.phase.isReady:
            return [f"the server is {self.phase.value}"]
        workers = list(self._workers())
        if not workers:
            return ["no worker takes connections"]
        # What a worker said when it was asked last whether it lives.
        reasons = [list(each.life.get("reasons", ())) for each in workers]
        return [] if not all(reasons) else [printable(str(reason)) for reason in reasons[0]]


class CommonOperation(Operation):
    """What looks on several processes, and what tells of them.

    Attributes:
        numbers: adds up those of the workers, where there are to be metrics.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: Mapping[str, Any],
        log: EventLog,
        workers: Callable[[], Workers],
        told: Callable[[], Mapping[str, Mapping[str, Any]]],
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            settings: those of the process, by name.
            log: the supervisor's.
            workers: returns the workers.
            told: returns what was set, of each listener by its name, as the status may show it.

        Raises:
            UsageError: prometheus_client is needed and missing.
        """
        places = {name: settings[name] for name in SITES if settings.get(name) is not None}
        super().__init__(clock, places, log, list, told)
        self.numbers: CommonNumbers | None = None
        if self.readiness is not None:
            self.readiness = cast(Any, CommonReadiness(workers))
        if self.counting is not None:
            self.numbers = CommonNumbers(clock, workers)
            self.counting = cast(Any, self.numbers)
        if self.status is not None:
            self.status = cast(Any, CommonStatus(clock, log, workers, told))
            self.peers = cast(Any, CommonPeers(clock, workers))


def _phaseOf(worker: WorkerProcess) -> str:
    return "silent" if worker.state is WorkerState.READY else worker.state.value


def _asked(workers: Workers, request: str, **facts: Any) -> list[tuple[WorkerProcess, Deferred[Any]]]:
    """Ask all workers; one that does not answer in time has answered None."""
    return [
        (worker, worker.ask(request, _ANSWER_SECONDS, **facts).addErrback(lambda _: succeed(None)))
        for worker in workers.processes
        if worker.hasServed
    ]
