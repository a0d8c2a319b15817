"""TLS between the protocols of a factory and their TCP connections.

A `TLSFactory` is what a TCP port or connector is given. It makes one `TLSTransport` for each TCP connection, asks the
factory above for a protocol when both sides have accepted each other, and tells an `Observer` what becomes of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from tlscomm._waits import Waits
from tlscomm.configuration import Configuration, ServerConfiguration
from tlscomm.failures import TLSFailure
from tlscomm.limits import Admission, Admitted, Limits
from tlscomm.revocation import warnOfUnstapled
from tlscomm.transport._address import describeAddress
from tlscomm.transport._eventlog import EventLog, writeText
from tlscomm.transport._interfaces import Observer, Transport
from tlscomm.transport._observer import ClientObserver, tell
from tlscomm.transport._phases import Phase
from tlscomm.transport._refusallimit import TracebackLimit
from tlscomm.transport._revalidation import Revalidation
from tlscomm.transport._transport import TLSTransport
from tlscomm.transport._turns import HandshakeTurns

if TYPE_CHECKING:
    from tlscomm.tracing._connections import TracedConnections
    from tlscomm.tracing._trace import Trace
    from tlscomm.tracing._tracing import Tracing
    from tlscomm.transport._traced import TracedTransport

_log = Logger(namespace="tlscomm")

_OPEN = (
    "every client is let in and none is authenticated: no authorities are named that may issue client certificates, so "
    "none are asked for. Next step: Name the authorities (--client-roots FILE, clientRoots=FILE), or say that this is "
    "meant (--client-certificates none, clientCertificates=none)."
)

__all__ = ["Observer", "Phase", "TLSFactory", "TLSTransport", "describeAddress"]


@implementer(IProtocolFactory)
class TLSFactory:
    """Puts TLS between the protocols of another factory and their TCP transports.

    Attributes:
        configuration: a server's or a client's.
        wrappedFactory: makes the protocols above, each when its connection was accepted.
        clock: tells the time.
        waits: has the deadlines of the connections.
        connections: the transports that are alive, accepted or not yet.
        changes: how often what a peer has to be has changed.
        hookTracebacks: how often the traceback of a hook is logged.
        protocolTracebacks: how often that of a protocol above is.
        turns: when the steps of handshakes are taken.
        tracing: what is traced of the connections, or None.
        name: what its server is called in the log; empty where it is called nothing.
        admission: says of each connection whether there is room for it, or None where there always is.
    """

    def __init__(
        self,
        configuration: Configuration,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        observer: Observer[TLSTransport] | None = None,
        maximumConnections: int | None = None,
        *,
        tracing: Tracing | None = None,
        admission: Admission | None = None,
    ) -> None:
        """
        Args:
            configuration: a server's or a client's.
            wrappedFactory: makes the protocols above.
            clock: tells the time, usually the reactor.
            observer: is told of every connection. Where None, a server's are written to Twisted's log, in the
                namespace ``tlscomm``.
            maximumConnections: connections beyond this number are closed at once; None for no limit.
            tracing: what is traced of the connections, and where it goes; None for nothing, which costs nothing.
            admission: has the limits, in the place of ``maximumConnections``. Several factories may share one, and then
                what holds in all holds for all of them together.
        """
        self.configuration = configuration
        self.wrappedFactory = wrappedFactory
        self.clock = clock
        self.waits = Waits(clock)
        self.observer = observer or _defaultObserver(configuration, clock)
        self.connections: set[TLSTransport] = set()
        self.changes = 0
        self.name = ""
        self.hookTracebacks = TracebackLimit(clock)
        self.protocolTracebacks = TracebackLimit(clock)
        self.turns = HandshakeTurns(clock)
        self._awaitingEnd: list[Deferred[None]] = []
        self._users = 0
        self._used: _Used | None = None
        if admission is None and maximumConnections is not None:
            admission = Admission(Limits(maximumConnections=maximumConnections))
        self.admission = admission
        self.tracing = tracing
        self._kind: type[TLSTransport] = TLSTransport
        self._traced = None if tracing is None else self._newTraced(tracing)
        self._revalidation = Revalidation(self.waits, self.connections, self.revalidateOne)

    def reconfigure(self, configuration: Configuration) -> None:
        """Use another configuration for new connections, and judge the open ones by it.

        Args:
            configuration: for the same side as before.

        Raises:
            TypeError: it is for the other side.
        """
        if configuration.isClient is not self.configuration.isClient:
            raise TypeError("a server cannot go on as a client, nor a client as a server")
        if isinstance(configuration, ServerConfiguration) and self.connections:
            configuration.follow(self.configuration)
        former, self.configuration = self._used, configuration
        if former is not None:
            self._use(configuration)
            former.release()
        if not configuration.revalidation:
            self._revalidation.stop()
        self.revalidate()

    def revalidate(self) -> None:
        """Judge all open connections by what holds now, and end those whose peer would be refused.

        It happens by itself every half minute, and when revocation lists have changed. The hook is not asked again.
        Nothing happens where the configuration says that it is not wanted.
        """
        self.changes += 1
        if self.configuration.revalidation and self.connections:
            self._revalidation.begin()

    def revalidateOne(self, transport: Transport) -> None:
        """Judge one open connection again, where that is wanted."""
        if self.configuration.revalidation:
            transport.revalidate(self.configuration.verifier)

    def countTogether(self, factories: Iterable[TLSFactory]) -> None:
        """Where this factory has limits, have them be those of the first of these factories, for all together.

        Args:
            factories: this one among them.
        """
        if self.admission is not None:
            self.admission = next(each.admission for each in factories if each.admission is not None)

    def forget(self, transport: Transport) -> None:
        """A connection is gone."""
        self.connections.discard(cast(TLSTransport, transport))
        if (admitted := cast(TLSTransport, transport).admitted) is not None:
            admitted.admission.gone(admitted)
        if not self.connections:
            self._revalidation.stop()
            awaiting, self._awaitingEnd = self._awaitingEnd, []
            for each in awaiting:
                each.callback(None)

    def whenIdle(self) -> Deferred[None]:
        """Return a Deferred for when no connection is alive, refused ones that still get their alert included."""
        if not self.connections:
            return succeed(None)
        idle: Deferred[None] = Deferred(self._awaitingEnd.remove)
        self._awaitingEnd.append(idle)
        return idle

    def newTransport(self, address: IAddress | None = None) -> TLSTransport:
        """Return a transport that is not among the connections, for what brings a TCP connection by itself."""
        traced = self._traced
        if traced is None:
            return TLSTransport(self, address)
        return cast("type[TracedTransport]", self._kind)(self, traced.begin(), traced.ended, address)

    def buildProtocol(self, addr: IAddress | None) -> TLSTransport | None:
        """Return the transport for a new TCP connection, or None where it is beyond a limit."""
        if self.admission is None:
            return self._admit(addr, None)
        return self._admit(addr, self.admission.arrive(getattr(addr, "host", None), self.waits.seconds()))

    def buildProxied(self, addr: IAddress | None) -> TLSTransport | None:
        """Return the same for a connection that a proxy passes on, or None where too many wait for what it says.

        The limits hold when the proxy has said from where it is (`TLSTransport.noteProxied`).
        """
        return self._admit(addr, None if self.admission is None else self.admission.arriveByProxy())

    def _admit(self, addr: IAddress | None, answer: Admitted | TLSFailure | None) -> TLSTransport | None:
        if isinstance(answer, TLSFailure):
            answer.peer = describeAddress(addr)
            # There is nothing to trace.
            tell(self.observer, "refused", TLSTransport(self, addr), answer)
            return None
        transport = self.newTransport(addr)
        transport.admitted = answer
        self.connections.add(transport)
        if self.configuration.revalidation:
            self._revalidation.watch()
        return transport

    @property
    def maximumConnections(self) -> int | None:
        """How many connections there may be at a time; None for no limit."""
        return None if self.admission is None else self.admission.limits.maximumConnections

    @property
    def refusedTraces(self) -> tuple[Trace, ...]:
        """The traces of the connections that were refused last, the oldest first, as many as ``tracing`` keeps."""
        return tuple(self.eachRefusedTrace())

    def eachRefusedTrace(self) -> Iterator[Trace]:
        """Return the same, of those that are kept now, each made when it is asked for, in some milliseconds."""
        return iter(()) if self._traced is None else self._traced.eachRefused()

    @property
    def refusedNumbers(self) -> frozenset[int]:
        """The numbers of the refused connections whose traces are kept."""
        return frozenset() if self._traced is None else self._traced.refusedNumbers

    def refusedTrace(self, number: int) -> Trace | None:
        """Return the trace of a refused connection by its number, or None where it is not kept."""
        return None if self._traced is None else self._traced.refusedTrace(number)

    def doStart(self) -> None:
        # Each port that listens, and each connector, starts the factory.
        self._users += 1
        if self._used is None:
            self._warn()
            self._use(self.configuration)
        self.wrappedFactory.doStart()

    def doStop(self) -> None:
        self._users -= 1
        if not self._users and self._used is not None:
            self._used.release()
            self._used = None
        if not self._users and isinstance(self.observer, EventLog):
            self.observer.flush()
        if not self._users and self.tracing is not None:
            self.tracing.flush()
        self.wrappedFactory.doStop()

    def _newTraced(self, tracing: Tracing) -> TracedConnections:
        # What is not traced does not load what traces.
        from tlscomm.tracing._connections import TracedConnections
        from tlscomm.transport._traced import TracedTransport

        self._kind = TracedTransport
        numbers = getattr(self.observer, "numbers", tracing.numbers)
        return TracedConnections(tracing, "client" if self.configuration.isClient else "server", numbers)

    def _warn(self) -> None:
        if self.tracing is not None and not self.configuration.isClient:
            for warning in self.tracing.warnings:
                _log.warn("{warning}", warning=warning)

    def _use(self, configuration: Configuration) -> None:
        if isinstance(configuration, ServerConfiguration):
            warnOfUnstapled((configuration.credential, *configuration.others), configuration.staple)
            if configuration.isOpenByDefault:
                _log.warn(_OPEN)
        self._used = _Used(configuration, self.clock, self.revalidate)


def _defaultObserver(configuration: Configuration, clock: IReactorTime) -> Observer[TLSTransport]:
    return ClientObserver() if configuration.isClient else EventLog(writeText, clock)


class _Used:
    """What a configuration needs while it is in use: its files are watched, and a change is heard of."""

    def __init__(self, configuration: Configuration, clock: IReactorTime, changed: Callable[[], object]) -> None:
        self._backgroundTasks = configuration.backgroundTasks
        self._forget = configuration.verifier.revocation.whenChanged(changed)
        for backgroundTask in self._backgroundTasks:
            backgroundTask.use(clock)

    def release(self) -> None:
        self._forget()
        for backgroundTask in self._backgroundTasks:
            backgroundTask.release()
