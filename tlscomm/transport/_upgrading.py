"""A factory whose connections talk in the clear before TLS."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IAddress, ILoggingContext, IProtocol, IProtocolFactory
from zope.interface import implementer

from tlscomm.transport._clear import MOST_CLEAR, ClearConnection
from tlscomm.transport._factory import TLSFactory
from tlscomm.transport._transport import TLSTransport

__all__ = ["UpgradingFactory"]


@implementer(IProtocolFactory, ILoggingContext)
class UpgradingFactory:
    """Puts what is said in the clear before the TLS of a factory."""

    def __init__(
        self,
        factory: TLSFactory,
        talk: Callable[[IAddress | None], IProtocol | None] | None = None,
        most: int = MOST_CLEAR,
    ) -> None:
        """
        Args:
            factory: makes the TLS transports.
            talk: makes what talks in the clear and is done when TLS begins. None: the protocols above TLS do, and go
                on.
            most: how many bytes may come in the clear.
        """
        self._factory = factory
        self._talk = talk
        self._most = most

    def logPrefix(self) -> str:
        """Return what Twisted's log calls each factory of TLS."""
        return TLSFactory.__name__

    def buildProtocol(self, addr: IAddress | None) -> ClearConnection | None:
        """Return what takes a new TCP connection, or None where there are too many."""
        return self._before(self._factory.buildProtocol(addr))

    def buildProxied(self, addr: IAddress | None) -> ClearConnection | None:
        """Return the same for a connection from a proxy (`TLSFactory.buildProxied`)."""
        return self._before(self._factory.buildProxied(addr))

    def _before(self, transport: TLSTransport | None) -> ClearConnection | None:
        return None if transport is None else ClearConnection(transport, self._talk, self._most)

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()
