"""The sites of a server's operator: where each listens, and who may ask there.

What is told of a server's peers is for its operator alone, so that a site with the status listens where no stranger
comes: on a loopback address, on a Unix socket, or with TLS that demands certificates.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from twisted.web.resource import IResource

from tlscomm._dataclasses import dataclass
from tlscomm.endpoints import TLSServerEndpoint
from tlscomm.failures import printable
from tlscomm.operation._operationsite import OperationSite
from tlscomm.serving._ports import CannotListen, Ports, complainInLog
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.transport import describeAddress

__all__ = ["OperationSites", "SitePlace"]

_log = Logger(namespace="tlscomm")

#: A port of TCP in an endpoint string, and its address.
_TCP = re.compile(r"tcp6?:")
_INTERFACE = re.compile(r":interface=((?:\\.|[^:\\])*)")

_EXPOSED = (
    "the status names peers, so it is told on a loopback address, on a Unix socket or over TLS that demands client "
    "certificates alone; say tcp:PORT:interface=127.0.0.1, unix:PATH, or tlscomm:PORT:identity=FILE:clientRoots=FILE"
)


@dataclass(frozen=True)
class SitePlace:
    """One place where a site listens.

    Attributes:
        option: which setting named it, for messages: ``--status`` if that is one of several.
        place: the endpoint string as it was typed.
        endpoint: where connections come from.
        resources: what can be asked for, by path.
        isPrivate: whether no stranger may come there.
    """

    option: str
    place: str
    endpoint: IStreamServerEndpoint
    resources: Mapping[str, IResource]
    isPrivate: bool

    def check(self) -> None:
        """See that no stranger comes to what is private, as far as that can be known before the port is open.

        Raises:
            UsageError: a stranger could.
        """
        if self.isPrivate and not (_isAuthenticated(self.endpoint) or _mayBeLocal(self.place)):
            raise UsageError(f"{self.option} {printable(self.place)}: {_EXPOSED}")


class OperationSites(Service):
    """Serves the sites from when the server starts until it has stopped, so that a balancer hears that it drains."""

    def __init__(
        self,
        clock: IReactorTime,
        places: Sequence[SitePlace],
        sockets: ListeningSockets | None = None,
        complain: Callable[[str], object] | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            places: where to listen.
            sockets: those that endpoints open, which are closed after their ports.
            complain: is told why a site cannot be opened; the log where None.

        Raises:
            UsageError: a stranger could come to what is private.
        """
        for each in places:
            each.check()
        self._clock = clock
        self._places = tuple(places)
        self._sockets = sockets
        self._ports = Ports(complain or complainInLog)
        self._sites: list[OperationSite] = []

    def privilegedStartService(self) -> None:
        """Open the ports.

        Raises:
            CannotListen: one of them cannot be opened. The others are closed again.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        try:
            self._ports.open((each.place, partial(self._listen, each)) for each in self._places)
        except CannotListen:
            self.close()
            raise

    def startService(self) -> None:
        """Open the ports if that was not done yet."""
        if not self._ports.areOpen:
            self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]

    def stopService(self) -> Deferred[None]:
        """Close the ports, and end the connections."""
        super().stopService()  # type: ignore[no-untyped-call]
        return self.close()

    def close(self) -> Deferred[None]:
        """Close the ports, and end the connections. Another process may open them when that is done."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._ports.close()
        if self._sockets is not None:
            self._sockets.close()
        for site in self._sites:
            site.close()
        self._sites.clear()

    def _listen(self, place: SitePlace) -> Deferred[Any]:
        site = OperationSite(self._clock, place.resources)
        self._sites.append(site)
        opening = maybeDeferred(place.endpoint.listen, cast(IProtocolFactory, site))
        return opening.addCallback(self._opened, place, site)

    def _opened(self, port: Any, place: SitePlace, site: OperationSite) -> Any:
        host = port.getHost()
        isAuthenticated = _isAuthenticated(place.endpoint)
        isLoopback = _isLoopback(getattr(host, "host", ""))
        if place.isPrivate and not (isAuthenticated or isLoopback or isinstance(host, UNIXAddress)):
            # Nothing was let in yet, for the reactor has not turned.
            refused = maybeDeferred(port.stopListening)
            return refused.addCallback(lambda _: Failure(CannotListen(place.place, ValueError(_EXPOSED))))
        site.isLocal = isLoopback and not isAuthenticated
        paths = " ".join(sorted(site.paths))
        _log.info("{paths} are served on {address}", paths=paths, address=describeAddress(host))
        return port


def _isAuthenticated(endpoint: IStreamServerEndpoint) -> bool:
    """Return whether all who come have shown a certificate that was accepted."""
    configuration = endpoint.configuration if isinstance(endpoint, TLSServerEndpoint) else None
    return getattr(configuration, "clientCertificates", None) == "required"


def _mayBeLocal(place: str) -> bool:
    """Return whether an endpoint string may be for this machine alone. Of a socket that others open it shows later."""
    if place.startswith("tlscomm:"):
        return False
    if not _TCP.match(place):
        return True
    interface = _INTERFACE.search(place)
    return interface is not None and _isLoopback(re.sub(r"\\(.)", r"\1", interface.group(1)))


def _isLoopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
