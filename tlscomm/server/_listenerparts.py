"""What a listener is made of, from its settings: where it listens, and what makes its protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.python.usage import UsageError

from tlscomm.endpoints._beforetls import acceptingBeforeTLS
from tlscomm.failures import printable
from tlscomm.server._applications import applicationNamed, factoryFor
from tlscomm.serving._ports import Listener
from tlscomm.serving._sockets import ListeningSockets

__all__ = ["applicationFrom", "endpointFor", "placeFrom", "siteEndpoint"]

#: Endpoint strings that speak TLS themselves: Twisted's, txacme's and ours.
_WITH_TLS = ("ssl:", "tls:", "le:", "tlscomm:")

#: Connections to a site over TLS at a time, those that have yet to be accepted among them.
_MOST_ASKING = 64


def placeFrom(place: str, settings: Mapping[str, Any], reactor: Any, sockets: ListeningSockets) -> Listener:
    """Return one place to listen.

    Args:
        place: an endpoint string.
        settings: of the listener.
        reactor: listens.
        sockets: those of the process.

    Raises:
        UsageError: it is none that a server can have.
    """
    return Listener(place, acceptingBeforeTLS(endpointFor(reactor, place, sockets), settings))


def applicationFrom(settings: Mapping[str, Any], clock: Any) -> IProtocolFactory:
    """Return what makes the protocols of a listener.

    Args:
        settings: of the listener.
        clock: tells the time.

    Raises:
        ValueError: there is no such application, or it cannot be imported.
    """
    if settings["forward"]:
        from tlscomm.relaying._fromsettings import forwardingFrom

        return forwardingFrom(settings, clock)
    if "sendProxy" in settings or settings["sendProxyOptions"]:
        raise ValueError("nothing is forwarded that a PROXY header could be sent with")
    return factoryFor(
        applicationNamed(settings.get("application", "echo")),
        framing=settings["framing"],
        maximumMessage=settings["maximumMessage"],
        readTimeout=settings["readTimeout"],
        clock=clock,
    )


def endpointFor(reactor: Any, place: str, sockets: ListeningSockets) -> IStreamServerEndpoint:
    """Return the endpoint of a place to listen.

    Args:
        reactor: listens.
        place: what was typed.
        sockets: opens it.

    Raises:
        UsageError: it describes none, or none that TLS can be put on.
    """
    if place.startswith(_WITH_TLS):
        kind = place.partition(":")[0]
        raise UsageError(
            f"--listen {printable(place)}: {kind}: would put TLS into TLS, for this server adds its own; say "
            "--listen tcp:PORT, and the certificate with --identity"
        )
    try:
        return sockets.endpoint(reactor, place)
    except ValueError as problem:
        raise UsageError(f"--listen {printable(place)}: {problem}") from None


def siteEndpoint(reactor: Any, sockets: ListeningSockets, place: str) -> IStreamServerEndpoint:
    """Return the endpoint of a site for operators."""
    if place.startswith("tlscomm:") and ":maximumConnections=" not in place:
        # Those who have yet to show a certificate must not use up the files of the server.
        place += f":maximumConnections={_MOST_ASKING}"
    return sockets.endpoint(reactor, place)
