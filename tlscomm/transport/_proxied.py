"""The PROXY protocol's header before TLS: who the client of a proxy's connection is, before anything else happens.

Twisted has a reader of such headers (its ``haproxy:`` endpoint), which believes any peer, drops all that a header says
besides the addresses, stays in the way of each byte that follows, and ends a connection without a word where there is
no header. So it is not used here.

What stands before TLS is out of the way afterwards: TCP brings its bytes to TLS itself.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    ILoggingContext,
    IProtocol,
    IProtocolFactory,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import BadProxyHeader
from tlscomm.proxyprotocol import HeaderReader, ProxyAddress, ProxyHeader, TrustedProxies
from tlscomm.transport._clear import ClearConnection
from tlscomm.transport._factory import TLSFactory
from tlscomm.transport._transport import TLSTransport
from tlscomm.transport._upgrading import UpgradingFactory

__all__ = ["ProxiedFactory"]


@implementer(IProtocolFactory, ILoggingContext)
class ProxiedFactory:
    """Has the connections of proxies begin with a header, and those of others with TLS."""

    def __init__(self, factory: TLSFactory | UpgradingFactory, proxies: TrustedProxies) -> None:
        """
        Args:
            factory: makes the transports.
            proxies: those whose headers are believed.
        """
        self._factory = factory
        self._proxies = proxies

    def logPrefix(self) -> str:
        """Return what Twisted's log calls each factory of TLS."""
        return TLSFactory.__name__

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:
        """Return what takes a new TCP connection, or None where there are too many."""
        if not self._proxies.areAt(_hostOf(addr)):
            return cast("IProtocol | None", self._factory.buildProtocol(addr))
        protocol = self._factory.buildProxied(addr)
        return None if protocol is None else _HeaderAwaited(protocol, HeaderReader(self._proxies.versions))

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()


@implementer(IProtocol, IHalfCloseableProtocol)
class _HeaderAwaited:
    """Stands before a TLS transport, or what talks in the clear before one, until the header has come."""

    def __init__(self, next_: TLSTransport | ClearConnection, reader: HeaderReader) -> None:
        self._next = next_
        self._tls: TLSTransport = next_.tls if isinstance(next_, ClearConnection) else next_
        self._reader = reader
        self._header: ProxyHeader | None = None
        self._transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        self._transport = transport
        if isinstance(self._next, ClearConnection):
            self._next.attach(transport)
        else:
            self._next.makeConnection(transport)
        self._tls.expect("the proxy's PROXY header")

    def connectionMade(self) -> None:
        """Part of `IProtocol`; `makeConnection` does the work."""

    def dataReceived(self, data: bytes) -> None:
        if self._header is None:
            if self._tls.disconnecting:
                return
            try:
                read = self._reader.feed(data)
            except BadProxyHeader as refusal:
                self._tls.closeBecause(refusal)
                return
            if read is None:
                return
            self._header, data = read
            self._announce(self._header)
        if data:
            self._leave()
            self._next.dataReceived(data)

    def readConnectionLost(self) -> None:
        self._noteEnd()
        self._next.readConnectionLost()

    def writeConnectionLost(self) -> None:
        self._next.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._noteEnd()
        self._next.connectionLost(reason)

    def _announce(self, header: ProxyHeader) -> None:
        self._tls.noteProxied(header, _addressIn(header.source), _addressIn(header.destination))
        if isinstance(self._next, ClearConnection):
            self._next.begin()
        else:
            self._tls.expect("")

    def _leave(self) -> None:
        """Have TCP bring what follows to TLS itself, where it is a transport that knows its protocol."""
        if getattr(self._transport, "protocol", None) is self:
            self._transport.protocol = self._next

    def _noteEnd(self) -> None:
        """The connection ends before TLS has begun."""
        if self._tls.disconnecting:
            return
        if self._header is None and self._reader.received:
            detail = f"it ended after {self._reader.received} bytes"
            self._tls.closeBecause(BadProxyHeader(detail))
        elif self._header is not None and self._header.isLocal:
            # The proxy has looked whether we live.
            self._tls.abortConnection()


def _hostOf(address: Any) -> str | None:
    """Return the host of an address; None for a UNIX socket's."""
    return None if isinstance(address, UNIXAddress) else str(getattr(address, "host", ""))


def _addressIn(address: ProxyAddress | None) -> IAddress | None:
    """Return an address in Twisted's form."""
    if address is None:
        return None
    if address.family == "UNIX":
        return cast(IAddress, UNIXAddress(address.host))
    kind = IPv4Address if address.family == "IPv4" else IPv6Address
    return cast(IAddress, kind("TCP", address.host, address.port))
