"""All that one process serves, as one service: it starts, reads its configuration again, and stops as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorCore, IReactorTime

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._listsread import ListsRead
from tlscomm.serving._handover import Handover
from tlscomm.serving._observers import ServerObserver
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._ports import CannotListen, complainInLog
from tlscomm.serving._service import TLSService
from tlscomm.serving._signals import Signals
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.serving._stopping import EndSignals, Stopping, endProgram
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._renewal import Renewal
from tlscomm.watching._rereading import Prepared, logReload, nothingToRead
from tlscomm.watching._watchedfiles import Sources, WatchedFiles

__all__ = ["Server"]

_T = TypeVar("_T")

#: What was read again: all of it, or lists alone.
_Read: TypeAlias = "Sequence[ServerConfiguration] | ListsRead"


class Server(MultiService):
    """The services of one process, each with a configuration, an application and places to listen of its own.

    It alone listens to signals: SIGHUP reads the configuration again, SIGUSR2 writes the kept traces into the log.

    Attributes:
        listeners: the services, in the order of the configuration.
        phase: where the server is in its life.
        operation: what looks on the server; None where nothing does.
    """

    def __init__(
        self,
        clock: IReactorTime,
        listeners: Sequence[TLSService],
        observer: ServerObserver,
        *,
        readAgain: Callable[[], Sequence[ServerConfiguration]] | None = None,
        taken: Callable[[], object] | None = None,
        sources: Callable[[], Sources] | None = None,
        isWatching: bool = True,
        changed: Callable[[], object] | None = None,
        sockets: ListeningSockets | None = None,
        drainDelay: float | None = None,
        handover: str | None = None,
        complain: Callable[[str], object] | None = None,
        tellsReloads: bool = True,
        operation: Any = None,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            listeners: what is served. None of them has a `readAgain` of its own. The most connections that each may
                have are those of all of them together.
            observer: is told what becomes of the server.
            readAgain: returns the configurations of the listeners as they are now, in their order. It is called in a
                thread where the clock is a reactor. None: there is nothing to read.
            taken: is called when what that returned is used, to use whatever else was read with it. It must not fail.
            sources: returns what that reads, as it is named now, in the same thread. None where it is not known.
            isWatching: whether it is read again when files of these have changed. Of several processes that are one
                server, one watches.
            changed: is called instead of that, where another process says when it is read.
            sockets: those that the listeners listen on, which are closed after their ports.
            drainDelay: seconds from when the server is to stop until it takes no new connections. It is not ready
                meanwhile, so that what sends clients to it learns of that. None or 0: at once.
            handover: the path of the Unix socket where a server that is started takes over from the one that runs.
            complain: is told why nothing can be taken over; the log where None.
            tellsReloads: whether the log and the observer are told what comes of reading the configuration again.
                Where several processes read it together, one of them says it for all.
            operation: what looks on the server.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.listeners = tuple(listeners)
        for each in self.listeners:
            each.setServiceParent(self)  # type: ignore[no-untyped-call]
            each.factory.countTogether(one.factory for one in self.listeners)
        self.phase = ServerPhase.STARTING
        self.operation = operation
        self._tellsReloads = tellsReloads
        self._taken = taken or (lambda: None)
        self._observer = observer
        self._complain = complain or complainInLog
        self._signals = Signals(clock)
        self._clock = clock
        sockets = sockets or ListeningSockets()
        self._handover = (
            None if handover is None else Handover(clock, handover, sockets, self._handedOver, self._tooLate)
        )
        self._stopping = Stopping(clock, self.listeners, sockets, drainDelay or 0.0, self._handover)
        self._endSignals = EndSignals(clock, self._stopping.hurry)
        self._isWatching = isWatching and sources is not None
        self._renewal: Renewal[_Read] | None = None
        self._watched: Renewal[_Read] | None = None
        if readAgain is not None:
            self._renewal = Renewal(
                clock,
                lambda: self._prepared(readAgain()),
                self._take,
                self._reloaded,
                files=WatchedFiles(sources or Sources()),
                what="the files of the configuration",
                readLists=self._readLists,
                changed=changed,
            )

    def privilegedStartService(self) -> None:
        """Open the ports.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        try:
            if self._handover is not None:
                self._handover.take(self._complain)
            super().privilegedStartService()  # type: ignore[no-untyped-call]
        except CannotListen:
            for each in self.listeners:
                each.closePorts()
            self._stopping.giveUp()
            raise

    def startService(self) -> None:
        """Serve.

        Raises:
            CannotListen: a port cannot be opened.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._signals.listenTo("SIGHUP", partial(self.reload, "signal"))
        # A process that does not listen to it is ended by it.
        self._signals.listenTo("SIGUSR2", self.logRefusedTraces)
        self._endSignals.listen()
        if self._renewal is not None and self._isWatching:
            self._watched = self._renewal
            self._watched.use(self._clock)
        if self._handover is not None:
            # Nothing can fail any more when the reactor runs.
            cast(IReactorCore, self._clock).callWhenRunning(self._handover.ready)
        self._enter(ServerPhase.READY)

    def stopService(self) -> Deferred[None]:
        """Close the ports, then the connections, in order; see `TLSService.stopService`.

        What else is served, as a health check, ends when the connections have.
        """
        self._signals.release()
        self._enter(ServerPhase.DRAINING)
        return Deferred.fromCoroutine(self._stop())

    def endNow(self) -> None:
        """Cut all connections, where the server is stopping and there is no time for an end in order."""
        self._stopping.hurry()

    @property
    def unfinished(self) -> int:
        """When the server has stopped, how many connections were cut while something was under way on them."""
        return sum(each.unfinished for each in self.listeners)

    def reload(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read all of the configuration again. It is taken as a whole, or not at all.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where it was not taken, the log says why, and the former one stays in use.
        """
        if self._renewal is None:
            return nothingToRead(self._clock)
        if self.phase is ServerPhase.READY:
            self._enter(ServerPhase.RELOADING)
        return self._renewal.begin(trigger).addBoth(self._readyAgain)

    def prepare(self, trigger: str = "program") -> Deferred[Prepared[_Read]]:
        """Read all of the configuration again, and use nothing of it before `Prepared.commit`.

        It is for several processes that take a configuration together, or not at all. In each, the observers are told
        what came of it when that is decided. `reload` is both steps.

        Raises:
            ValueError: there is nothing to read.
        """
        if self._renewal is None:
            raise ValueError("this server has nothing to read again")
        return self._renewal.prepare(trigger)

    def logRefusedTraces(self) -> None:
        """Write the traces that are kept of refused connections into the log."""
        for each in self.listeners:
            each.logRefusedTraces()

    def _prepared(self, configurations: Sequence[ServerConfiguration]) -> Sequence[ServerConfiguration]:
        """Return what the listeners can take without a failure. It is made in a thread."""
        return [
            each.prepared(configuration) for each, configuration in zip(self.listeners, configurations, strict=True)
        ]

    def _readLists(self) -> ListsRead:
        return ListsRead([each.factory.configuration for each in self.listeners])

    def _take(self, read: _Read) -> Sequence[BaseException]:
        if isinstance(read, ListsRead):
            return read.take()
        for listener, configuration in zip(self.listeners, read, strict=True):
            listener.take(configuration)
        self._taken()
        return ()

    def _reloaded(self, result: ReloadResult) -> None:
        if self._tellsReloads:
            logReload(result)
            self._observer.reloaded(result)

    def _handedOver(self) -> None:
        self._stopping.handedOver()
        self._endSignals.stop()

    def _tooLate(self, message: str) -> None:
        """The former server goes on with the sockets."""
        self._complain(message)
        endProgram(self._clock, 1)

    def _readyAgain(self, result: _T) -> _T:
        if self.phase is ServerPhase.RELOADING:
            self._enter(ServerPhase.READY)
        return result

    async def _stop(self) -> None:
        if self._stopping.isHandedOver:
            # What is asked of a health check or for metrics is the next server's to answer.
            for each in self.services:
                if each not in self.listeners:
                    await maybeDeferred(each.stopService)
        await self._stopping.run()
        await super().stopService()  # type: ignore[no-untyped-call]
        self._endSignals.release()
        if self._watched is not None:
            self._watched.release()
            self._watched = None
        self._enter(ServerPhase.STOPPED)
        self._observer.flush()

    def _enter(self, phase: ServerPhase) -> None:
        self.phase = phase
        self._observer.entered(phase)
