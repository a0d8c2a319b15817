"""TLS between the protocols of a factory and their TCP connections.

A `TLSFactory` is what a TCP port or connector is given. It makes one `TLSTransport` for each TCP connection, asks the
factory above for a protocol when both sides have accepted each other, and tells an `Observer` what becomes of each.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress, IProtocolFactory, IReactorTime
from zope.interface import implementer

from tlscomm._observer import Nobody, Observer, describeAddress, tell
from tlscomm._transport import TLSTransport
from tlscomm.configuration import Configuration
from tlscomm.failures import TooManyConnections

__all__ = ["Observer", "TLSFactory", "TLSTransport", "describeAddress"]


@implementer(IProtocolFactory)
class TLSFactory:
    """Puts TLS between the protocols of another factory and their TCP transports.

    Attributes:
        configuration: a server's or a client's.
        wrappedFactory: makes the protocols above, each when its connection was accepted.
        connections: the transports that are alive, accepted or not yet.
    """

    def __init__(
        self,
        configuration: Configuration,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        observer: Observer | None = None,
        maximumConnections: int | None = None,
    ) -> None:
        """
        Args:
            configuration: a server's or a client's.
            wrappedFactory: makes the protocols above.
            clock: tells the time, usually the reactor.
            observer: is told of every connection.
            maximumConnections: connections beyond this number are closed at once; None for no limit.
        """
        self.configuration = configuration
        self.wrappedFactory = wrappedFactory
        self.clock = clock
        self.observer = Nobody() if observer is None else observer
        self.connections: set[TLSTransport] = set()
        self._maximumConnections = maximumConnections

    def buildProtocol(self, addr: IAddress | None) -> TLSTransport | None:
        """Return the transport for a new TCP connection, or None where there are too many."""
        transport = TLSTransport(self, addr)
        if self._maximumConnections is not None and len(self.connections) >= self._maximumConnections:
            detail = f"{self._maximumConnections} are open"
            tell(self.observer, "refused", transport, TooManyConnections(detail, peer=describeAddress(addr)))
            return None
        self.connections.add(transport)
        return transport

    def doStart(self) -> None:
        self.wrappedFactory.doStart()

    def doStop(self) -> None:
        self.wrappedFactory.doStop()
