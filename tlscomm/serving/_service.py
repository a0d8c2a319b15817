"""The running server: what ``twistd tlscomm`` starts and stops, and what any Twisted application can.

All ports of a server share one `TLSFactory`, and so one configuration, one limit of connections and one list of them.
The configuration of new connections is one attribute of that factory, and to stop is to go through that list.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.logger import Logger

from tlscomm.configuration import ServerConfiguration
from tlscomm.endpoints._beforetls import filesBeforeTLS
from tlscomm.failures import CloseTimeout
from tlscomm.limits import Admission
from tlscomm.serving._draining import Draining
from tlscomm.serving._ports import Listener, Ports, complainInLog
from tlscomm.serving._signals import Signals
from tlscomm.transport import TLSFactory, describeAddress
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import Rereading, nothingToRead

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from tlscomm.serving._observers import ServerObserver
    from tlscomm.tracing import Trace, Tracing

__all__ = ["OTHER_FILES", "TLSService", "permitFiles"]

_log = Logger(namespace="tlscomm")

#: How long a stop waits for connections that have no close deadline: it has to end.
_LONGEST_STOP = 5.0
#: How much longer than their own deadlines, so that these come first.
_GRACE = 0.02

#: The files that a process has open besides its connections.
OTHER_FILES = 64


class TLSService(Service):
    """Serves an application over TLS on any number of ports.

    Ports are opened with privileges, where the service is started with them, and before anything is said about them.

    Attributes:
        factory: makes and knows the connections.
        unfinished: when it has stopped, how many connections were cut while something was under way on them.
        listeners: where to listen.
        addresses: where it listens, as ``host:port``.
    """

    def __init__(
        self,
        clock: IReactorTime,
        configuration: ServerConfiguration,
        application: IProtocolFactory,
        listeners: Sequence[Listener],
        log: EventLog,
        *,
        maximumConnections: int | None = None,
        admission: Admission | None = None,
        complain: Callable[[str], object] | None = None,
        whenListening: Callable[[Sequence[str]], object] | None = None,
        readAgain: Callable[[], ServerConfiguration] | None = None,
        tracing: Tracing | None = None,
        observer: ServerObserver | None = None,
        drainTimeout: float | None = 0.0,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            configuration: of all connections.
            application: makes the protocols, each for an accepted connection.
            listeners: where to listen.
            log: is told of all that happens.
            maximumConnections: on all ports together; those beyond are closed at once. As far as the system allows it,
                the process may then have that many files open. None for no limit.
            admission: has the limits, in the place of ``maximumConnections``. Services that share one have what holds
                in all together.
            complain: is told why the service cannot start; the log where None.
            whenListening: called with the addresses, as ``host:port``, when the service has started.
            readAgain: returns the configuration as it is now, of files that may have changed. Where there is one,
                SIGHUP calls `reload` while the service runs. It is called in a thread where the clock is a reactor.
            tracing: what is traced of the connections; None for nothing. SIGUSR2 calls `logRefusedTraces` while the
                service runs, in any case, unless the service is a part of a `Server`, which listens to the signals.
            observer: is told of the connections in the place of the log, which is one of those that it tells, and
                where the service listens.
            drainTimeout: seconds that connections have, when the service stops, for what is under way on them: see
                `IDrainable`. None waits for ever, and 0 not at all.
        """
        self._application = application
        self._observer: ServerObserver | EventLog = log if observer is None else observer
        self.factory = TLSFactory(
            self._negotiating(configuration),
            application,
            clock,
            self._observer,
            maximumConnections,
            tracing=tracing,
            admission=admission,
        )
        self.listeners = tuple(listeners)
        self.addresses: list[str] = []
        self._clock = clock
        self._events = log
        self._ports = Ports(complain or complainInLog)
        self._whenListening = whenListening
        self._rereading = None if readAgain is None else Rereading(clock, lambda: self.prepared(readAgain()), self.take)
        self._nextTrace: IDelayedCall | None = None
        self._signals = Signals(clock)
        self._draining = Draining(self.factory, clock)
        self._drainTimeout = drainTimeout
        self._isHurried = self._hasDrained = False
        self.unfinished = 0

    def setName(self, name: str) -> None:
        """Have a name, which the log and the status say of each connection."""
        super().setName(name)  # type: ignore[no-untyped-call]
        self.factory.name = name

    def privilegedStartService(self) -> None:
        """Open the ports.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        if self.factory.maximumConnections is not None:
            each = getattr(self._application, "filesPerConnection", 1)
            others = OTHER_FILES + filesBeforeTLS(listener.endpoint for listener in self.listeners)
            permitFiles(each * self.factory.maximumConnections + others)
        factory = cast(IProtocolFactory, self.factory)
        self._ports.open((each.place, partial(each.endpoint.listen, factory)) for each in self.listeners)

    def startService(self) -> None:
        """Say where the server listens, after opening the ports if that was not done yet.

        Raises:
            CannotListen: a port cannot be opened.
        """
        if not self._ports.areOpen:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        self._listenToSignals()
        self._isHurried = self._hasDrained = False
        # So that it is in use until the last connection is gone, and not only while ports are open.
        self.factory.doStart()
        self._ports.announce(self._announce)
        if self._whenListening is not None:
            self._whenListening(self.addresses)

    def stopService(self) -> Deferred[None]:
        """Close the ports, then the connections, in order: what was sent goes out and close_notify is exchanged.

        They have the drain timeout for what is under way on them. After it all are asked to end, and those that have
        not ended by their own deadlines are cut after the close deadline.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        self._signals.release()
        if self._nextTrace is not None:
            self._nextTrace.cancel()
            self._nextTrace = None
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> Deferred[ReloadResult]:
        """Read the configuration again, for new connections, and judge the open ones by it.

        Files are read in a thread. One that cannot be read in ten seconds counts as one that cannot be read.

        Returns:
            What came of it, which is false where it could not be read: then the log says why, and the former one stays
            in use.
        """
        return nothingToRead(self._clock) if self._rereading is None else self._rereading.begin()

    def logRefusedTraces(self) -> None:
        """Write the traces that are kept of refused connections into the log, the oldest first, and say how many.

        One is made and written in a turn of the reactor, because it takes some milliseconds, and connections do not
        wait for all of them. While that goes on, it is not begun again.
        """
        if self._nextTrace is None:
            self._logTrace(self.factory.eachRefusedTrace(), 0)

    def _logTrace(self, traces: Iterator[Trace], count: int) -> None:
        self._nextTrace = None
        if (trace := next(traces, None)) is not None:
            self._nextTrace = self._clock.callLater(0, partial(self._logTrace, traces, count + 1))
            self._events.traced(trace)
        elif count or self._keepsRefusedTraces:
            _log.info("{count} traces of refused connections are kept", count=count)
        else:
            _log.info("no traces of refused connections are kept: --refused-traces N keeps those of the last N")

    @property
    def _keepsRefusedTraces(self) -> bool:
        return self.factory.tracing is not None and self.factory.tracing.refusedTraces > 0

    def reconfigure(self, configuration: ServerConfiguration) -> None:
        """Use another configuration for new connections, and judge the open ones by it."""
        self.take(self.prepared(configuration))

    def prepared(self, configuration: ServerConfiguration) -> ServerConfiguration:
        """Return a configuration as `take` needs it. All that can fail, or takes its time, is done in here.

        It may be called in a thread.
        """
        return self._negotiating(configuration)

    def take(self, prepared: ServerConfiguration) -> None:
        """Use what `prepared` returned for new connections, and judge the open ones by it."""
        self.factory.reconfigure(prepared)

    def _negotiating(self, configuration: ServerConfiguration) -> ServerConfiguration:
        if IProtocolNegotiationFactory.providedBy(self._application):
            return configuration.withProtocols(self._application.acceptableProtocols())
        return configuration

    def _listenToSignals(self) -> None:
        if self.parent is not None and hasattr(self.parent, "logRefusedTraces"):
            return
        if self._rereading is not None:
            self._signals.listenTo("SIGHUP", partial(self._rereading.begin, "signal"))
        # A process that does not listen to it is ended by it.
        self._signals.listenTo("SIGUSR2", self.logRefusedTraces)

    def _announce(self, port: IListeningPort) -> None:
        address = describeAddress(port.getHost()) or ""
        self.addresses.append(address)
        self._observer.listening(address)

    def drain(self) -> Deferred[None]:
        """Close the ports, and wait until nothing is under way on any connection, or the drain timeout has passed."""
        return Deferred.fromCoroutine(self._drain())

    def endNow(self) -> None:
        """Cut all connections, where the service is stopping and there is no time for an end in order."""
        self._isHurried = True
        self.unfinished += sum(each.connected for each in self.factory.connections)
        self._draining.end()
        for transport in tuple(self.factory.connections):
            transport.abortBecause(CloseTimeout("the server was told to end at once"))

    async def _drain(self) -> None:
        await self.closePorts()
        mayWait = self._drainTimeout != 0.0 and not (self._isHurried or self._hasDrained)
        self._hasDrained = True
        if self.factory.connections and mayWait:
            self.unfinished += await self._draining.run(self._drainTimeout)

    async def _stop(self) -> None:
        await self._drain()
        for transport in tuple(self.factory.connections):
            transport.stop()
        limit = self.factory.configuration.deadlines.close or _LONGEST_STOP
        await self._whileConnected(limit)
        # Deadlines of their own that end at the same moment come first: they have names.
        await self._whileConnected(_GRACE)
        for transport in tuple(self.factory.connections):
            transport.abortBecause(CloseTimeout("the server stops, and its time to end was over"))
        await self._whileConnected(limit)
        self.factory.doStop()
        self._events.flush()

    def closePorts(self) -> Deferred[None]:
        """Take no new connections."""
        self.addresses.clear()
        return self._ports.close()

    async def _whileConnected(self, limit: float) -> None:
        """Wait until all connections are gone, or time is up."""
        await self.factory.whenIdle().addTimeout(limit, self._clock, lambda *_: None)


def permitFiles(wanted: int) -> None:
    """Let this process have as many files open as it may need, which most systems do not do by themselves."""
    if resource is None:
        return  # type: ignore[unreachable]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    # Some systems have another limit, which they do not tell.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if (soft := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) < wanted:
        _log.warn("the system allows {soft} open files, and {wanted} may be needed", soft=soft, wanted=wanted)
