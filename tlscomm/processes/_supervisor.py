"""A server that is several processes: this one has the listening sockets, and workers serve them.

It speaks no TLS and reads no key. All workers accept from the same sockets, which stay open while a worker dies or is
replaced: a client who waits to be accepted is accepted by another one, and none is refused. (With ``SO_REUSEPORT`` each
worker would have a queue of its own, and what waits in it would be lost with the worker.)
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tlscomm.processes._commonreload import CommonReload
from tlscomm.processes._workerprocess import WorkerProcess
from tlscomm.processes._workers import Workers
from tlscomm.serving._handover import Handover
from tlscomm.serving._observers import ServerObserver
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._ports import CannotListen
from tlscomm.serving._signals import Signals
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.serving._stopping import EndSignals
from tlscomm.transport import describeAddress
from tlscomm.watching._pending import PendingRefusals
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import logReload

if TYPE_CHECKING:
    from tlscomm.processes._commonoperation import CommonNumbers

__all__ = ["Supervisor"]

_log = Logger(namespace="tlscomm")


class Supervisor(MultiService):
    """Has the listening sockets and the workers of a server.

    SIGHUP reads the configuration again in all workers, SIGUSR2 has their traces written into the log, and SIGRTMIN
    starts new processes in the place of all.

    Attributes:
        workers: the workers.
        phase: where the server is in its life.
        unfinished: when it has stopped, how many workers have not ended in order.
    """

    def __init__(
        self,
        clock: IReactorTime,
        places: Sequence[str],
        sockets: ListeningSockets,
        launch: Callable[[WorkerProcess], object],
        observer: ServerObserver,
        *,
        count: int,
        passOn: Callable[[bytes], object],
        drainDelay: float | None = None,
        drainTimeout: float | None = 10.0,
        handover: str | None = None,
        numbers: CommonNumbers | None = None,
        complain: Callable[[str], object],
        endProgram: Callable[[int], object],
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            places: where to listen, as it was typed.
            sockets: opens the places.
            launch: starts the process of a worker.
            observer: is told what becomes of the server.
            count: how many workers there are to be.
            passOn: takes events of workers, as lines of JSON.
            drainDelay: seconds from when the server is to stop until it takes no new connections; None: at once.
            drainTimeout: seconds that connections have for what is under way on them; None for ever.
            handover: the path of the Unix socket where a server that is started takes over from the one that runs.
            numbers: what adds up those of the workers; None where they are not asked for.
            complain: is told why the server cannot start.
            endProgram: ends the program with an exit status.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.workers = Workers(
            clock,
            count,
            partial(self._launched, launch),
            passOn=passOn,
            serving=self._isServed,
            failed=self._hasFailed,
            drainSeconds=drainTimeout,
            changed=self._filesChanged,
            counted=self._hasCounted,
            ended=self._hasEnded,
        )
        self.phase = ServerPhase.STARTING
        self._pending = PendingRefusals(clock, self._tellReload)
        self._reload = CommonReload(clock, self.workers.__iter__, self._hasReloaded)
        self._replacing = False
        self._numbers = numbers
        self.unfinished = 0
        self._places = tuple(places)
        self._sockets = sockets
        self._observer = observer
        self._complain = complain
        self._endProgram = endProgram
        self._signals = Signals(clock)
        self._endSignals = EndSignals(clock, self._hurry)
        self._clock = clock
        self._drainDelay = drainDelay
        self._delaying: Deferred[None] | None = None
        self._areOpen = self._isHandedOver = False
        self._handover = (
            None if handover is None else Handover(clock, handover, sockets, self._handedOver, self._hasFailed)
        )

    def privilegedStartService(self) -> None:
        """Open the sockets.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        self._areOpen = True
        try:
            self._openAll()
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except CannotListen:
            self._giveUp()
            raise

    def _openAll(self) -> None:
        if self._handover is not None:
            self._handover.take(self._complain)
        for place in self._places:
            try:
                self._sockets.open(place)
            except (CannotListenError, OSError, ValueError) as problem:
                refused = CannotListen(place, problem)
                self._complain(refused.message)
                raise refused from None

    def _giveUp(self) -> None:
        """Let go of what was opened for a start that has failed."""
        if self._handover is not None:
            self._handover.close()
        self._sockets.discard()

    def startService(self) -> None:
        """Start the workers."""
        if not self._areOpen:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        self._signals.listenTo("SIGHUP", partial(self.reload, "signal"))
        self._signals.listenTo("SIGUSR2", self.logRefusedTraces)
        # Few systems have it, and programs use it for nothing else: twistd rotates its log at SIGUSR1.
        self._signals.listenTo("SIGRTMIN", self.replaceWorkers)
        self._endSignals.listen()
        self.workers.start()

    def stopService(self) -> Deferred[None]:
        """Close the sockets, and have all workers end in order."""
        self._signals.release()
        self._enter(ServerPhase.DRAINING)
        return Deferred.fromCoroutine(self._stop())

    @property
    def connections(self) -> int:
        """How many connections the workers had when they were asked last."""
        return sum(int(each.life.get("connections", 0)) for each in self.workers.processes)

    def reload(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read all of the configuration again in all workers. All take it, as a whole, or none does.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where it was not taken, the log says why, and the former one stays in use.
        """
        if self.phase is ServerPhase.READY:
            self._enter(ServerPhase.RELOADING)
        return self._reload.begin(trigger).addCallback(self._readyAgain)

    def replaceWorkers(self) -> Deferred[bool]:
        """Start new processes in the place of all, one after the other, with the code that is installed now.

        Each of them serves before the one that it replaces is told to end.

        Returns:
            Whether all were replaced. Where a new one cannot serve, the log says why, and the others stay.
        """
        if self._replacing:
            return succeed(False)
        self._replacing = True
        _log.info("all workers are replaced, one after the other")
        return Deferred.fromCoroutine(self.workers.replaceAll()).addCallback(self._areReplaced)

    def logRefusedTraces(self) -> None:
        """Have the traces that are kept of refused connections written into the log."""
        for worker in self.workers:
            worker.tell("logTraces")

    def _isServed(self, worker: WorkerProcess) -> None:
        """A worker takes connections."""
        if worker.generation != self._reload.generation:
            # It may have read what the others have not.
            self._reload.begin("worker")
        if self.phase is ServerPhase.STARTING:
            self._enter(ServerPhase.READY)
            if self._handover is not None:
                self._handover.ready()
            for each in self._sockets:
                self._observer.listening(_described(each.socket))
        _log.info("{worker} takes connections", worker=str(worker))

    def _handedOver(self) -> None:
        """Another server has the sockets, and serves."""
        self._isHandedOver = True
        self._sockets.handOver()
        self._stopDelay()
        self._endSignals.stop()

    def _hasFailed(self, message: str) -> None:
        """No worker could be started, or another server goes on with the sockets."""
        self._complain(message)
        self._endProgram(1)

    def _areReplaced(self, left: tuple[int, ...]) -> bool:
        self._replacing = False
        if not left:
            _log.info("all workers were replaced")
        elif self.workers.isStopping:
            _log.info("not all workers were replaced, because the server ends")
        else:
            _log.error(
                "not all workers were replaced: the new worker {number} cannot serve, and what serves stays: not "
                "replaced: {left}",
                number=left[0],
                left=", ".join(f"worker {number}" for number in left),
            )
        return not left

    def _tellReload(self, result: ReloadResult) -> None:
        logReload(result)
        self._observer.reloaded(result)

    def _hasReloaded(self, result: ReloadResult) -> None:
        if result:
            self.workers.tryAgain()
        self._pending.came(result)

    def _readyAgain(self, result: ReloadResult) -> ReloadResult:
        if self.phase is ServerPhase.RELOADING:
            self._enter(ServerPhase.READY)
        return result

    def _filesChanged(self) -> None:
        # All workers say so, and one reading is for all of them.
        if not self._reload.isWaiting:
            self.reload("files")

    def _launched(self, launch: Callable[[WorkerProcess], object], worker: WorkerProcess) -> None:
        worker.generation = self._reload.generation
        launch(worker)

    def _hasCounted(self, worker: WorkerProcess, counts: object) -> None:
        if self._numbers is not None:
            self._numbers.counted(worker, counts)

    def _hasEnded(self, worker: WorkerProcess) -> None:
        if self._numbers is not None:
            self._numbers.ended(worker)

    async def _stop(self) -> None:
        await self._delayed()
        if self._isHandedOver:
            # What is asked of a health check or for metrics is the next server's to answer.
            await maybeDeferred(super().stopService)
        if not self.workers.haveServed:
            self._giveUp()
        elif self._handover is not None:
            self._handover.close(isHandedOver=self._isHandedOver)
        # Before the workers do: a client who comes now is told at once that nothing listens here any more.
        self._sockets.close()
        unfinished = await self.workers.stop(areAll=not self._isHandedOver)
        # A server that never served has another exit status.
        self.unfinished = unfinished if self.workers.haveServed else 0
        await maybeDeferred(super().stopService)
        self._endSignals.release()
        self._pending.tell()
        self._enter(ServerPhase.STOPPED)
        self._observer.flush()

    async def _delayed(self) -> None:
        if self._drainDelay and not self._isHandedOver:
            self._delaying = deferLater(self._clock, self._drainDelay)
            with suppress(CancelledError):
                await self._delaying

    def _stopDelay(self) -> None:
        if self._delaying is not None and not self._delaying.called:
            self._delaying.cancel()

    def _hurry(self) -> None:
        self._stopDelay()
        self.workers.hurry()

    def _enter(self, phase: ServerPhase) -> None:
        self.phase = phase
        self._observer.entered(phase)


def _described(listening: socket.socket) -> str | None:
    name = listening.getsockname()
    if listening.family == socket.AF_INET:
        return describeAddress(IPv4Address("TCP", *name))
    if listening.family == socket.AF_INET6:
        return describeAddress(IPv6Address("TCP", *name))
    return describeAddress(UNIXAddress(name))
