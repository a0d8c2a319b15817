"""``tlscomm tunnel``: TLS with a client certificate for programs of this machine that have none of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import settingOptions
from tlscomm.commandline._plan import EndpointText, addressIn
from tlscomm.commandline._printing import sayFailure, sayingWarnings
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure

if TYPE_CHECKING:
    from twisted.internet.interfaces import IStreamClientEndpoint

    from tlscomm.endpoints import TLSClientEndpoint
    from tlscomm.server._tunnel import Tunnel

__all__ = ["command"]

#: What Twisted is told where there is no limit; thirty years.
_FOREVER = 1e9


@click.command("tunnel", cls=GroupedCommand)
@click.argument("target", metavar="TARGET")
@settingOptions(Interface.TUNNEL)
def command(target: str, *, settings: dict[str, Any]) -> None:
    """Listen without TLS, and pass each connection on to TARGET over TLS, with a client certificate.

    TARGET is HOST:PORT, or a Twisted client endpoint string to run TLS over, with --server-name. It runs until SIGTERM
    or SIGINT, and then waits for its connections to end; a second one cuts them. SIGHUP has it read its files again,
    which it does by itself when they have changed. The exit status is 0 where it ended in order, 3 where connections
    were cut, and 1 where it could not start.
    """
    from tlscomm.commandline._serving import serve

    try:
        status = serve(lambda reactor: _made(reactor, target, settings))
    except TLSFailure as failure:
        sayFailure(failure)
        status = 1
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    click.get_current_context().exit(status)


def _made(reactor: Any, target: str, settings: dict[str, Any]) -> tuple[Tunnel, TLSClientEndpoint]:
    from tlscomm.endpoints._below import endpointBelow
    from tlscomm.relaying._places import privately
    from tlscomm.server._tunnel import Tunnel
    from tlscomm.serving._eventlog import eventLog
    from tlscomm.serving._ports import Listener

    if not settings["listen"]:
        raise ValueError("say where to listen: --listen tcp:PORT:interface=127.0.0.1, or --listen unix:PATH")
    listeners = [Listener(place, _below(endpointBelow, reactor, privately(place))) for place in settings["listen"]]
    with sayingWarnings():
        endpoint = _endpoint(reactor, target, settings)
    tunnel = Tunnel(
        reactor,
        endpoint,
        target,
        listeners,
        eventLog(settings["logFormat"], reactor),
        connectTimeout=_whole(settings["timeout"], settings["handshakeTimeout"]),
        halfCloseTimeout=settings["halfCloseTimeout"],
        maximumConnections=settings["maximumConnections"],
        drainTimeout=settings["drainTimeout"],
        insecureListenPlain=settings["insecureListenPlain"],
        complain=lambda message: click.echo(f"tlscomm tunnel: {message}", err=True),
    )
    return tunnel, endpoint


def _below(make: Any, reactor: Any, place: str) -> Any:
    try:
        return make(reactor, place)
    except ValueError as problem:
        raise ValueError(f"--listen {place}: {problem}") from None


def _endpoint(reactor: Any, target: str, settings: dict[str, Any]) -> TLSClientEndpoint:
    from tlscomm.endpoints._parsing import renewedClient
    from tlscomm.server._person import Person
    from tlscomm.tracing._fromsettings import tracingFrom

    below, name, place = _place(reactor, target, settings)
    name = settings.get("serverName", name)
    if name is None:
        raise ValueError("with an endpoint string the server's name must be given: --server-name")
    person = Person()
    given = {**settings, "passphraseFD": [person.pipe(number) for number in settings["passphraseFD"]]}
    tracing = tracingFrom(settings, reactor.callLater)
    prompts = (person.ask, person.remember)
    return renewedClient(reactor, below, name, given, place, tracing=tracing, prompts=prompts)


def _place(
    reactor: Any, target: str, settings: dict[str, Any]
) -> tuple[IStreamClientEndpoint, str | None, tuple[str, int] | None]:
    """Return what makes the TCP connection, and the name that the server has by that and its place, if any."""
    from tlscomm.endpoints._beforetls import connectingTo
    from tlscomm.endpoints._hosts import tcpTo
    from tlscomm.relaying._fromsettings import clientEndpointFrom
    from tlscomm.verification._servernames import hostAndServerName

    address = addressIn(target)
    if isinstance(address, EndpointText):
        return clientEndpointFrom(reactor, target, "TARGET"), None, None
    host, name = hostAndServerName(address.host)
    place = host, address.port
    if "proxy" in settings:
        return connectingTo(reactor, *place, settings, settings["timeout"]), name, place
    return tcpTo(reactor, *place, settings["timeout"] or _FOREVER), name, place


def _whole(*limits: float | None) -> float | None:
    """Return the limit of waits that follow each other, None where one has none."""
    return None if None in limits else sum(limit for limit in limits if limit is not None)
