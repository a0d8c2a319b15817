"""Endpoints whose connections begin in the clear and change to TLS: STARTTLS, and its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface import implementer

from tlscomm.transport import TLSFactory
from tlscomm.transport._clear import MOST_CLEAR, ClearConnection
from tlscomm.transport._upgrading import UpgradingFactory

__all__ = ["UpgradingClientEndpoint", "UpgradingServerEndpoint"]

Talk = Callable[["IAddress | None"], "IProtocol | None"]


@implementer(IStreamServerEndpoint)
class UpgradingServerEndpoint:
    """Listens on another endpoint, where clients talk in the clear before they ask for TLS.

    Give it to `TLSServerEndpoint` as the endpoint that TCP connections come from.

    Attributes:
        below: where they come from.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, talk: Talk | None = None, most: int = MOST_CLEAR) -> None:
        """
        Args:
            endpoint: where TCP connections come from, behind proxies too (`ProxiedServerEndpoint`).
            talk: makes, for an address, the protocol that talks in the clear; `PostgreSQLServer` for example. Its
                transport has ``startTLS()``, with which it is done. The protocol above TLS is made when both sides
                have accepted each other. None: the protocols above TLS talk in the clear too, as Twisted's own for
                SMTP and IMAP do; they are made when TCP is connected, and learn as an
                `twisted.internet.interfaces.IHandshakeListener` when both sides have accepted each other.
            most: how many bytes a client may send in the clear.
        """
        self.below = endpoint
        self._talk = talk
        self._most = most

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Begin to listen.

        Raises:
            TypeError: what is above is no TLS of tlscomm's.
        """
        factory: Any = UpgradingFactory(_tlsFactory(protocolFactory), self._talk, self._most)
        return self.below.listen(factory)


@implementer(IStreamClientEndpoint)
class UpgradingClientEndpoint:
    """Connects over another endpoint, to a server that talks in the clear before TLS.

    Give it to `TLSClientEndpoint` as the endpoint that makes the TCP connection.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, talk: Talk | None = None, most: int = MOST_CLEAR) -> None:
        """
        Args:
            endpoint: makes the TCP connection.
            talk: as with `UpgradingServerEndpoint`; `PostgreSQLClient` for example.
            most: how many bytes the server may send in the clear.
        """
        self._endpoint = endpoint
        self._talk = talk
        self._most = most

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        Raises:
            TypeError: what is above is no TLS of tlscomm's.
        """
        tls = _tlsFactory(protocolFactory)
        if getattr(self._talk, "serversAreSilent", False):
            # Otherwise the first connection would wait longer for a sign of acceptance that never comes.
            tls.configuration.acceptanceHistory.isUsuallySilent = True
        factory: Any = UpgradingFactory(tls, self._talk, self._most)
        return self._endpoint.connect(factory).addCallback(lambda clear: cast(ClearConnection, clear).tls)


def _tlsFactory(factory: Any) -> TLSFactory:
    if not isinstance(factory, TLSFactory):
        raise TypeError("it is a TLSServerEndpoint or a TLSClientEndpoint that goes over this endpoint")
    return factory
