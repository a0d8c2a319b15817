"""A server that is several processes: this one has the listening sockets, and workers serve them.

It speaks no TLS and reads no key. All workers accept from the same sockets, which stay open while a worker dies or is
replaced: a client who waits to be accepted is accepted by another one, and none is refused. (With ``SO_REUSEPORT`` each
worker would have a queue of its own, and what waits in it would be lost with the worker.)
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from tlscomm.server._observers import ServerObserver
from tlscomm.server._phases import ServerPhase
from tlscomm.server._service import CannotListen
from tlscomm.server._signals import Signals
from tlscomm.server._sockets import ListeningSockets
from tlscomm.server._stopping import EndSignals
from tlscomm.server._workerprocess import WorkerProcess
from tlscomm.server._workers import Workers
from tlscomm.transport import describeAddress

__all__ = ["Supervisor"]

_log = Logger(namespace="tlscomm")


class Supervisor(MultiService):
    """Has the listening sockets and the workers of a server.

    SIGHUP reads the configuration again in all workers, SIGUSR2 has their traces written into the log.

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
            complain: is told why the server cannot start.
            endProgram: ends the program with an exit status.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.workers = Workers(
            clock,
            count,
            launch,
            passOn=passOn,
            serving=self._isServed,
            failed=self._hasFailed,
            drainSeconds=drainTimeout,
        )
        self.phase = ServerPhase.STARTING
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
        self._areOpen = False

    def privilegedStartService(self) -> None:
        """Open the sockets.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._areOpen = True
        for place in self._places:
            try:
                self._sockets.open(place)
            except (CannotListenError, OSError, ValueError) as problem:
                refused = CannotListen(place, problem)
                self._complain(refused.message)
                self._sockets.close()
                raise refused from None

    def startService(self) -> None:
        """Start the workers."""
        if not self._areOpen:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        self._signals.listenTo("SIGUSR2", self.logRefusedTraces)
        self._endSignals.listen()
        self.workers.start()

    def stopService(self) -> Deferred[None]:
        """Close the sockets, and have all workers end in order."""
        self._signals.release()
        self._enter(ServerPhase.DRAINING)
        return Deferred.fromCoroutine(self._stop())

    def logRefusedTraces(self) -> None:
        """Have the traces that are kept of refused connections written into the log."""
        for worker in self.workers:
            worker.tell("logTraces")

    def _isServed(self, worker: WorkerProcess) -> None:
        """A worker takes connections."""
        if self.phase is ServerPhase.STARTING:
            self._enter(ServerPhase.READY)
            for each in self._sockets:
                self._observer.listening(_described(each.socket))
        _log.info("{worker} takes connections", worker=str(worker))

    def _hasFailed(self, message: str) -> None:
        """No worker could be started."""
        self._complain(message)
        self._endProgram(1)

    async def _stop(self) -> None:
        await self._delayed()
        # Before the workers do: a client who comes now is told at once that nothing listens here any more.
        self._sockets.close()
        unfinished = await self.workers.stop()
        # A server that never served has another exit status.
        self.unfinished = unfinished if self.workers.haveServed else 0
        await maybeDeferred(super().stopService)
        self._endSignals.release()
        self._enter(ServerPhase.STOPPED)
        self._observer.flush()

    async def _delayed(self) -> None:
        if self._drainDelay:
            self._delaying = deferLater(self._clock, self._drainDelay)
            with suppress(CancelledError):
                await self._delaying

    def _hurry(self) -> None:
        if self._delaying is not None and not self._delaying.called:
            self._delaying.cancel()
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
