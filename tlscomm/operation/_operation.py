"""What an operator sees of one process, as the settings say: what looks on, and the sites that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.python.usage import UsageError

from tlscomm.failures import printable
from tlscomm.relaying._places import privately
from tlscomm.serving._service import TLSService
from tlscomm.transport._eventlog import EventLog

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from tlscomm.operation._counting import Counting
    from tlscomm.operation._operationsites import OperationSites
    from tlscomm.operation._readiness import Readiness
    from tlscomm.operation._seenpeers import SeenPeers
    from tlscomm.operation._status import Status
    from tlscomm.serving._sockets import ListeningSockets
    from tlscomm.verification import Hook

__all__ = ["SITES", "Operation"]

SITES = ("health", "metrics", "status")
"""The settings that name where a site listens."""


class Operation:
    """What looks on one process, and what tells of it. What is not asked for is neither made nor loaded.

    Attributes:
        counting: keeps the numbers, where there are to be metrics.
        status: tells what the server does, where that is to be told.
        peers: keeps who the server's peers are, in the same case.
        readiness: tells whether it is ready, where any site is.
    """

    def __init__(
        self,
        clock: IReactorTime,
        settings: Mapping[str, Any],
        log: EventLog,
        listeners: Callable[[], Sequence[TLSService]],
        told: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            settings: those of the process, by name.
            log: is told of everything before these are.
            listeners: returns the services as they are now.
            told: returns what was set, of each listener by its name, as the status may show it.

        Raises:
            UsageError: prometheus_client is needed and missing.
        """
        self.counting: Counting | None = None
        self.status: Status | None = None
        self.peers: SeenPeers | None = None
        self.readiness: Readiness | None = None
        self._clock = clock
        self._places = {name: settings[name] for name in SITES if settings.get(name) is not None}
        if self._places:
            from tlscomm.operation._readiness import Readiness

            self.readiness = Readiness(clock, listeners)
        if "metrics" in self._places:
            from tlscomm.operation._counting import Counting
            from tlscomm.operation._exposition import Exposition

            self.counting = Counting(clock, listeners, log.lost)
            self._exposition = Exposition()
        if "status" in self._places:
            from tlscomm.operation._seenpeers import SeenPeers
            from tlscomm.operation._status import Status

            self.peers = SeenPeers(clock, listeners)
            self.status = Status(clock, log, listeners, settings=told)

    @property
    def observers(self) -> list[Any]:
        """What is to be told of the server."""
        return [each for each in (self.counting, self.status, self.peers, self.readiness) if each is not None]

    def watchHook(self, hook: Hook) -> Hook:
        """Return a hook as it is to be asked."""
        if self.counting is None:
            return hook
        from tlscomm.operation._timing import timedHook

        return timedHook(hook, self._clock, self.counting.counts)

    def watchBackend(self, application: IProtocolFactory) -> None:
        """Look on where an application connects to a backend."""
        if self.counting is None:
            return
        for each in getattr(application, "forwardings", {"": application}).values():
            if hasattr(each, "timed"):
                from tlscomm.operation._timing import timedConnecting

                each.timed = timedConnecting(self._clock, self.counting.counts)

    def sites(
        self,
        endpoint: Callable[[str], IStreamServerEndpoint],
        sockets: ListeningSockets | None = None,
        complain: Callable[[str], object] | None = None,
    ) -> OperationSites | None:
        """Return the service of the sites, None where there is none.

        Args:
            endpoint: makes an endpoint of an endpoint string.
            sockets: those that such endpoints open, which are closed after their ports.
            complain: is told why one cannot be opened; the log where None.

        Raises:
            TLSFailure: the credential or the authorities of an endpoint string cannot be used.
            UsageError: an endpoint string is none, or a stranger could come to what is private.
        """
        if not self._places:
            return None
        from tlscomm.operation._operationsites import OperationSites, SitePlace

        places = []
        for place, names in self._namesByPlace().items():
            option = " ".join(f"--{name}" for name in names)
            resources = {path: each for name in names for path, each in self._resources(name)}
            try:
                # Peers are named there, and a Unix socket is open to all users where nothing else is said.
                listening = endpoint(privately(place) if "status" in names else place)
            except ValueError as problem:
                raise UsageError(f"{option} {printable(place)}: {problem}") from None
            places.append(SitePlace(option, place, listening, resources, isPrivate="status" in names))
        return OperationSites(self._clock, places, sockets, complain)

    def _namesByPlace(self) -> dict[str, list[str]]:
        """Return the settings that name each place: one that several do is one site."""
        found: dict[str, list[str]] = {}
        for name, place in self._places.items():
            found.setdefault(place, []).append(name)
        return found

    def _resources(self, name: str) -> Iterator[tuple[str, IResource]]:
        from tlscomm.operation._operationresources import healthResources, metricsResources

        if self.readiness is not None:
            yield from healthResources(self.readiness.toJSON).items()
        if name == "metrics" and self.counting is not None:
            yield from metricsResources(self._clock, self._exposition, self.counting.gather).items()
        if name == "status" and self.status is not None:
            from tlscomm.operation._statussite import statusResources

            yield from statusResources(self.status, self.peers).items()
