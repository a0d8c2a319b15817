"""The ``tlscomm:`` endpoint strings, as Twisted's plugins.

Every program that looks up plugins imports this module, every ``twistd`` of the machine among them, so it imports
nothing that costs: neither OpenSSL nor a reactor, nor the table of settings. A string is parsed by
`tlscomm.endpoints._parsing`, which is imported when there is one.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IReactorCore,
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

__all__ = ["TLSCommClientParser", "TLSCommServerParser"]


@implementer(IPlugin, IStreamServerEndpointStringParser)
class TLSCommServerParser:
    """``tlscomm:PORT:identity=server.pfx:clientRoots=ca.pem:…`` for servers."""

    prefix = "tlscomm"

    def parseStreamServer(  # type: ignore[override]
        self, reactor: IReactorCore, port: str | None = None, *more: str, **arguments: str
    ) -> IStreamServerEndpoint:
        """Return the endpoint that a string describes.

        Raises:
            TypeError: there is no such argument; the message names it.
            ValueError: an argument's value is not one.
            TLSFailure: the credential or the authorities cannot be used.
        """
        from tlscomm.endpoints._parsing import serverEndpoint

        return serverEndpoint(reactor, port, more, arguments)


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class TLSCommClientParser:
    """``tlscomm:HOST:PORT:identity=client.pfx:roots=ca.pem:…`` for clients."""

    prefix = "tlscomm"

    def parseStreamClient(  # type: ignore[override]
        self, reactor: IReactorCore, host: str | None = None, port: str | None = None, *more: str, **arguments: str
    ) -> IStreamClientEndpoint:
        """Return the endpoint that a string describes; it raises as `TLSCommServerParser.parseStreamServer`."""
        from tlscomm.endpoints._parsing import clientEndpoint

        return clientEndpoint(reactor, host, port, more, arguments)
