"""A server endpoint behind proxies: some of its connections begin with a header of the PROXY protocol."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from zope.interface import implementer

from tlscomm.proxyprotocol import TrustedProxies
from tlscomm.proxyprotocol._trusted import Network
from tlscomm.transport import TLSFactory
from tlscomm.transport._proxied import ProxiedFactory
from tlscomm.transport._upgrading import UpgradingFactory

__all__ = ["ProxiedServerEndpoint"]


@implementer(IStreamServerEndpoint)
class ProxiedServerEndpoint:
    """Listens on another endpoint, and reads the headers of the proxies that are named. TLS is above it.

    Give it to `TLSServerEndpoint` as the endpoint that TCP connections come from. ``transport.getPeer()``,
    ``getHost()``, hooks, logs and failures then speak of the proxies' clients, and ``transport.proxied`` is the
    header.

    Attributes:
        proxies: those whose headers are believed; they can become others while it listens.
    """

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        proxies: Iterable[Network | str],
        versions: Collection[int] = (1, 2),
    ) -> None:
        """
        Args:
            endpoint: where TCP connections come from.
            proxies: the addresses whose headers are believed, and have to be there, as networks:
                ``["10.0.0.0/8", "2001:db8::1", "unix"]``. The connections of others begin with TLS.
            versions: those of the protocol that are accepted.

        Raises:
            ValueError: one of the addresses is none, or there is none.
        """
        self._endpoint = endpoint
        self.proxies = TrustedProxies(proxies, versions)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Begin to listen.

        Raises:
            TypeError: what is above is no TLS of tlscomm's.
        """
        factory: Any = protocolFactory
        if not isinstance(factory, TLSFactory | UpgradingFactory):
            raise TypeError("a ProxiedServerEndpoint is what a TLSServerEndpoint listens on")
        return self._endpoint.listen(cast(IProtocolFactory, ProxiedFactory(factory, self.proxies)))
