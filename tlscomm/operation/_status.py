"""What a server is doing now, as one object of JSON: for the status page, for programs, and for a supervisor.

Its names are an interface. `VERSION` is counted up when one of them changes its meaning or goes away.

Ten thousand connections may be open. They are described a few at a time, with other work in between, and no more of
them than a person looks at.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator

from tlscomm import __version__
from tlscomm._clocks import timeOfDay
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._expiries import expiriesOf
from tlscomm.failures import printable
from tlscomm.operation._recentrefusals import RecentRefusals
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._service import TLSService
from tlscomm.transport import TLSTransport, describeAddress
from tlscomm.transport._eventlog import EventLog, Moment
from tlscomm.watching._reloadresult import ReloadResult

if TYPE_CHECKING:
    from tlscomm.tracing import Trace

__all__ = ["MOST_ROWS", "VERSION", "Status"]

#: Of the object and the meaning of its names.
VERSION = 1

#: Connections that are described at most.
MOST_ROWS = 500
#: How many of them, or of those that are looked through for some, in one turn of the reactor.
_SLICE = 20
#: Results of reading the configuration again that are kept, and expiries that are told of a listener.
_MOST_RELOADS, _MOST_EXPIRIES = 20, 100
_DAY = 86_400.0


class Status:
    """What one process does now. It is an observer of its server as well, of what the past left to be told.

    Attributes:
        phase: where the server is in its life.
    """

    def __init__(
        self,
        clock: IReactorTime,
        log: EventLog,
        listeners: Callable[[], Sequence[TLSService]],
        *,
        settings: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
    ) -> None:
        """
        Args:
            clock: tells the time, in seconds since 1970.
            log: knows the numbers of the connections. It is told of everything before this is.
            listeners: returns the services as they are now.
            settings: returns what was set, of each listener by its name, as it may be shown.
        """
        self.phase = ServerPhase.STARTING
        self._clock = clock
        self._log = log
        self._listeners = listeners
        self._settings = settings
        self._now = timeOfDay(clock)
        self._started = self._now()
        self._reloads: deque[ReloadResult] = deque(maxlen=_MOST_RELOADS)
        self._refusals = RecentRefusals(clock, log)
        # One slice a turn.
        self._cooperator = Cooperator(lambda: lambda: True, lambda step: clock.callLater(0, step))

    def refused(self, transport: TLSTransport, failure: Any) -> None:
        """A connection was refused."""
        self._refusals.refused(transport, failure)

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""
        self._reloads.append(result)

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        self.phase = phase

    def snapshot(self, search: str = "") -> Deferred[dict[str, Any]]:
        """Return the object.

        Args:
            search: only connections whose peer's name or address has this text in it; all where empty.
        """
        rows: list[dict[str, Any]] = []
        describing = self._cooperator.cooperate(self._describe(search.lower(), rows))
        return describing.whenDone().addCallback(lambda _: self._whole(rows, search))

    def trace(self, number: int) -> Trace | None:
        """Return what is kept of a connection that was refused, by its number; None where nothing is."""
        traces = (service.factory.refusedTrace(number) for service in self._listeners())
        return next((trace for trace in traces if trace is not None), None)

    def drawnTrace(self, number: int) -> Deferred[str | None]:
        """Return the page that explains a connection that was refused, or None where nothing is kept of it."""
        # Most servers draw nothing.
        from tlscomm.drawing import drawPage

        trace = self.trace(number)
        return succeed(None if trace is None else drawPage([trace]))

    def _whole(self, rows: list[dict[str, Any]], search: str) -> dict[str, Any]:
        services = self._listeners()
        return {
            "version": VERSION,
            "tlscomm": __version__,
            "time": Moment(self._now()).toJSON(),
            "started": Moment(self._started).toJSON(),
            "pid": os.getpid(),
            "phase": self.phase.value,
            "listeners": [_listener(service) for service in services],
            "connections": {
                "open": sum(_openOf(service) for service in services),
                "handshaking": sum(len(service.factory.connections) - _openOf(service) for service in services),
                "search": search or None,
                "list": sorted(rows, key=_newest),
            },
            "refusals": self._refusals.toJSON(frozenset().union(*(each.factory.refusedNumbers for each in services))),
            "reloads": [_reload(result) for result in reversed(self._reloads)],
            "expiries": [each for service in services for each in self._expiriesOf(service)],
            "settings": self._settings(),
        }

    def _describe(self, search: str, rows: list[dict[str, Any]]) -> Iterator[None]:
        """Fill the rows; give control back after each few."""
        looked = 0
        for service in self._listeners():
            for transport in tuple(service.factory.connections):
                if len(rows) >= MOST_ROWS:
                    return
                looked += 1
                if looked % _SLICE == 0:
                    yield
                # It may have ended meanwhile.
                if transport.connected and (row := self._row(service, transport, search)) is not None:
                    rows.append(row)

    def _row(self, service: TLSService, transport: TLSTransport, search: str) -> dict[str, Any] | None:
        peer = transport.peer
        address = describeAddress(transport.getPeer())
        subject = None if peer is None else peer.facts.subject
        if search and search not in f"{address}\n{subject}\n{'' if peer is None else peer.facts.names}".lower():
            return None
        facts = transport.tls
        seconds = self._clock.seconds() - transport.acceptedAt
        protocol: Any = transport.protocol
        return {
            "connection": self._log.numberOf(transport),
            "listener": service.name,
            "peer": address,
            "subject": subject,
            "names": [] if peer is None else list(peer.facts.names[:_SLICE]),
            "fingerprint": None if peer is None else peer.fingerprint,
            "notAfter": None if peer is None else peer.facts.notAfter,
            "rule": None if peer is None or peer.rule is None else printable(str(peer.rule)),
            "tls": facts.version,
            "cipher": facts.cipher,
            "group": facts.group,
            "ja4": facts.ja4,
            "alpn": facts.alpn,
            "serverName": facts.serverName,
            "resumed": facts.resumed,
            "since": Moment(self._now() - seconds).toJSON(),
            "seconds": round(seconds, 1),
            "bytesReceived": transport.bytesReceived,
            "bytesSent": transport.bytesSent,
            "messagesReceived": getattr(protocol, "messagesReceived", None),
            "messagesSent": getattr(protocol, "messagesSent", None),
        }

    def _expiriesOf(self, service: TLSService) -> list[dict[str, Any]]:
        configuration = service.factory.configuration
        if not isinstance(configuration, ServerConfiguration):
            return []
        now = self._now()
        found = []
        for expiry in expiriesOf(configuration)[:_MOST_EXPIRIES]:
            left = expiry.secondsLeft(now)
            days = None if left is None else round(left / _DAY, 1)
            found.append({"listener": service.name, **expiry.toJSON(), "daysLeft": days})
        return found


def _newest(row: Mapping[str, Any]) -> int:
    return -(row["connection"] or 0)


def _openOf(service: TLSService) -> int:
    return sum(transport.connected for transport in service.factory.connections)


def _reload(result: ReloadResult) -> dict[str, Any]:
    return {**result.toJSON(), "time": Moment(result.time).toJSON()}


def _listener(service: TLSService) -> dict[str, Any]:
    configuration = service.factory.configuration
    return {
        "name": service.name,
        "places": [listener.place for listener in service.listeners],
        "addresses": list(service.addresses),
        "connections": _openOf(service),
        "clientCertificates": getattr(configuration, "clientCertificates", None),
    }
