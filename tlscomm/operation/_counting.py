"""Counts what a server does: an observer of it that costs a connection a few additions, and a message nothing.

What open connections have received and sent is added up when it is asked for, a hundred connections at a time with
other work in between, and once more when each closes: what was added before is remembered, so that none falls.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import timezone
from pathlib import Path
from typing import Any

import twisted
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator

from tlscomm import __version__
from tlscomm._clocks import timeOfDay
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._expiries import expiriesOf
from tlscomm.failures import TLSFailure
from tlscomm.operation._counts import Counts, Labels
from tlscomm.operation._metrictable import ACCEPTED, IN_ORDER, OTHER, POST_QUANTUM
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._service import TLSService
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["Counting"]

#: Connections that are looked at in one turn of the reactor, which takes less than a millisecond.
_SLICE = 100
_MOST_EXPIRIES = 16

#: A listener, a group, and what was added of bytes received and sent and messages received and sent.
_Added = tuple[str, str, int, int, int, int]

#: Seconds between two looks at how late the process is.
_LOOK_SECONDS = 1.0


class Counting:
    """Keeps the numbers of one process. It is an observer of its server.

    Attributes:
        counts: the numbers. Those of what is now are as they were when `gather` was called last.
    """

    def __init__(
        self, clock: IReactorTime, listeners: Callable[[], Sequence[TLSService]], lost: Callable[[], int] = lambda: 0
    ) -> None:
        """
        Args:
            clock: tells the time, in seconds since 1970.
            listeners: returns the services as they are now. Their names are those of the listeners.
            lost: returns how many events could not be written.
        """
        self.counts = Counts()
        self._clock = clock
        self._listeners = listeners
        self._lost = lost
        self._names: dict[TLSFactory, str] = {}
        self._open: dict[TLSTransport, _Added] = {}
        self._new: dict[tuple[str, str], _Added] = {}
        self._openOf: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._expiries = _Expiries()
        self._walking: CooperativeTask[Any] | None = None
        self._looking: IDelayedCall | None = None
        # One slice a turn.
        self._cooperator = Cooperator(lambda: lambda: True, lambda step: clock.callLater(0, step))
        self._noteReload(isTaken=True)
        self.counts.set("tlscomm_build_info", _build(), 1)

    def accepted(self, transport: TLSTransport) -> None:
        """Both sides have accepted each other."""
        counts, (version, group, isResumed) = self.counts, transport.agreed
        listener = self._nameOf(transport.factory)
        counts.add("tlscomm_handshakes_total", (ACCEPTED, "", "", version, group))
        counts.add("tlscomm_incoming_connections_total", (listener, ACCEPTED))
        if isResumed:
            counts.add("tlscomm_resumptions_total")
        counts.observe("tlscomm_handshake_duration_seconds", (ACCEPTED,), transport.acceptedAt - transport.began)
        new = (listener, group)
        self._open[transport] = self._new.get(new) or self._new.setdefault(new, (*new, 0, 0, 0, 0))
        self._openOf[listener] = self._openOf.get(listener, 0) + 1
        self._groups[group] = self._groups.get(group, 0) + 1

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """There is no connection."""
        counts, (version, group, _) = self.counts, transport.agreed
        counts.add("tlscomm_handshakes_total", (failure.code, failure.side, failure.stage, version, group))
        counts.add("tlscomm_incoming_connections_total", (self._nameOf(transport.factory), "refused"))
        if transport.refusedAt:
            counts.observe("tlscomm_handshake_duration_seconds", ("refused",), transport.refusedAt - transport.began)
        self._noteLimit(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        """An accepted connection has ended."""
        self._addTraffic(transport, self._open[transport])
        listener, group, *_ = self._open.pop(transport)
        self._openOf[listener] -= 1
        self._groups[group] -= 1
        result = (IN_ORDER, "") if failure is None else (failure.code, failure.side)
        self.counts.add("tlscomm_connections_closed_total", result)
        if failure is not None:
            self._noteLimit(failure)

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        self.counts.replace("tlscomm_phase", {(phase.value,): 1})
        if phase is ServerPhase.STOPPED and self._looking is not None:
            self._looking.cancel()
            self._looking = None
        elif phase is ServerPhase.READY and self._looking is None:
            self._lookLater()

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""
        # Failures have a code, and so have several things that are wrong, and what another process has said of them.
        outcome = "taken" if result.isTaken else str(getattr(result.problem, "code", "") or OTHER)
        self.counts.add("tlscomm_config_reloads_total", (outcome,))
        self._noteReload(isTaken=result.isTaken)

    def gather(self) -> Deferred[Counts]:
        """Bring the numbers up to date, those of open connections included.

        Several that ask while that is under way get the same.
        """
        if self._walking is None:
            self._walking = self._cooperator.cooperate(self._walk())
            self._walking.whenDone().addBoth(self._walked)
        return self._walking.whenDone().addCallback(lambda _: self.counts)

    def _lookLater(self) -> None:
        self._looking = self._clock.callLater(_LOOK_SECONDS, self._look, self._clock.seconds() + _LOOK_SECONDS)

    def _look(self, due: float) -> None:
        self.counts.observe("tlscomm_reactor_delay_seconds", (), max(0.0, self._clock.seconds() - due))
        self._lookLater()

    def _walked(self, _: object) -> None:
        self._walking = None

    def _walk(self) -> Iterator[None]:
        queued = 0
        for number, transport in enumerate(tuple(self._open), 1):
            # It may have ended meanwhile.
            if (added := self._open.get(transport)) is not None:
                self._addTraffic(transport, added)
                queued += transport.unsent
            if number % _SLICE == 0:
                yield
        self.counts.set("tlscomm_queue_bytes", (), queued)
        self.counts.set("tlscomm_log_events_lost_total", (), self._lost())
        self._tellProcess()
        self._tellPeers()
        self._tellListeners()

    def _addTraffic(self, transport: TLSTransport, added: _Added) -> None:
        # A protocol that does not speak in messages has none to count.
        protocol: Any = transport.protocol
        received, sent = transport.bytesReceived, transport.bytesSent
        messagesReceived = getattr(protocol, "messagesReceived", 0)
        messagesSent = getattr(protocol, "messagesSent", 0)
        now = (*added[:2], received, sent, messagesReceived, messagesSent)
        if now == added:
            return
        self._open[transport] = now
        add = self.counts.add
        add("tlscomm_bytes_total", ("received",), received - added[2])
        add("tlscomm_bytes_total", ("sent",), sent - added[3])
        add("tlscomm_messages_total", ("received",), messagesReceived - added[4])
        add("tlscomm_messages_total", ("sent",), messagesSent - added[5])

    def _tellProcess(self) -> None:
        used = os.times()
        self.counts.set("tlscomm_processes_cpu_seconds_total", (), used.user + used.system)
        # Other systems than Linux do not tell what there is now, but only what there was at most.
        with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
            pages = int(Path("/proc/self/statm").read_bytes().split()[1])
            self.counts.set("tlscomm_processes_resident_memory_bytes", (), pages * os.sysconf("SC_PAGE_SIZE"))

    def _tellPeers(self) -> None:
        peers: dict[Labels, float] = {}
        for group, count in self._groups.items():
            peers[group, "yes" if group in POST_QUANTUM else "no"] = count
        self.counts.replace("tlscomm_peers", peers)

    def _tellListeners(self) -> None:
        services = [(str(service.name or ""), service) for service in self._listeners()]
        connections: dict[Labels, float] = {}
        for name, service in services:
            isOpen = self._openOf.get(name, 0)
            connections[name, "open"] = isOpen
            connections[name, "handshaking"] = max(0, len(service.factory.connections) - isOpen)
        replace = self.counts.replace
        replace("tlscomm_connections", connections)
        # All of them together may have so many.
        limits = [service.factory.maximumConnections for _, service in services]
        known = [limit for limit in limits if limit is not None]
        replace("tlscomm_connections_limit", {(): min(known)} if known else {})
        replace("tlscomm_ports", {(name,): len(service.addresses) for name, service in services})
        replace("tlscomm_not_after_timestamp_seconds", dict(self._expiries.of(services)))

    def _noteReload(self, *, isTaken: bool) -> None:
        now = timeOfDay(self._clock)()
        self.counts.set("tlscomm_config_last_reload_successful", (), int(isTaken))
        self.counts.set("tlscomm_config_last_reload_timestamp_seconds", (), now)
        if isTaken:
            self.counts.set("tlscomm_config_last_reload_success_timestamp_seconds", (), now)

    def _noteLimit(self, failure: TLSFailure) -> None:
        if limit := getattr(failure, "limit", ""):
            self.counts.add("tlscomm_limits_hit_total", (limit,))

    def _nameOf(self, factory: Any) -> str:
        try:
            return self._names[factory]
        except KeyError:
            self._names = {each.factory: str(each.name or "") for each in self._listeners()}
            return self._names.setdefault(factory, "")


class _Expiries:
    """What expires when, kept until the configuration or its revocation lists have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, int, dict[Labels, float]]] = {}

    def of(self, services: Sequence[tuple[str, TLSService]]) -> Iterator[tuple[Labels, float]]:
        """Give the values of the metric's labels and the times, in seconds since 1970."""
        self._known = {name: self._told(name, service) for name, service in services}
        for _, _, told in self._known.values():
            yield from told.items()

    def _told(self, name: str, service: TLSService) -> tuple[object, int, dict[Labels, float]]:
        configuration = service.factory.configuration
        if not isinstance(configuration, ServerConfiguration):
            return configuration, 0, {}
        generation = configuration.revocation.generation
        known = self._known.get(name)
        if known is not None and known[0] is configuration and known[1] == generation:
            return known
        return configuration, generation, _expiriesOf(name, configuration)


def _expiriesOf(listener: str, configuration: ServerConfiguration) -> dict[Labels, float]:
    found: dict[Labels, float] = {}
    positions: dict[str, int] = {}
    for each in expiriesOf(configuration):
        position = positions[each.kind] = positions.get(each.kind, 0) + 1
        if each.at is not None and position <= _MOST_EXPIRIES:
            # Lists may be fetched from where a peer's certificate says, and their names are not the operator's words.
            name = "" if each.kind == "list" else each.name
            at = each.at if each.at.tzinfo is not None else each.at.replace(tzinfo=timezone.utc)
            found[listener, each.kind, str(position), name] = at.timestamp()
    return found


def _build() -> Labels:
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii", "replace")
    return __version__, platform.python_version(), str(twisted.__version__), openssl
