"""A reactor in memory that also finds the addresses of names, so that what an endpoint connects to can be seen."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

__all__ = ["NamingReactor"]

ADDRESS = "192.0.2.1"


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None: ...


@implementer(IHostnameResolver, IReactorPluggableNameResolver)
class NamingReactor(MemoryReactorClock):
    """Every name has one address.

    Attributes:
        asked: the names whose address was looked up, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.nameResolver: Any = self

    def resolveHostName(self, resolutionReceiver: Any, hostName: str, portNumber: int = 0, *_: Any, **__: Any) -> Any:
        self.asked.append(hostName)
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(IPv4Address("TCP", ADDRESS, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution

    def installNameResolver(self, resolver: Any) -> Any:
        former, self.nameResolver = self.nameResolver, resolver
        return former

    def connected(self, endpoint: Any, factory: Any) -> tuple[str, int, float]:
        """Have an endpoint connect, and return to which name or address it does, on which port, and for how long."""
        endpoint.connect(factory).addErrback(lambda _: None)
        host, port, _, timeout, _ = self.tcpClients[-1]
        return (self.asked[-1] if host == ADDRESS else host), port, timeout
