"""The server that a plan describes, ready to be started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocolFactory, IStreamServerEndpoint
from twisted.python.usage import UsageError

from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import sourcesIn
from tlscomm.endpoints._below import endpointBelow
from tlscomm.endpoints._proxied import behindProxies
from tlscomm.failures import printable
from tlscomm.server._applications import applicationNamed, factoryFor
from tlscomm.server._configuring import Configuring
from tlscomm.server._eventlog import eventLog
from tlscomm.server._introduction import introduction
from tlscomm.server._notifying import systemdObserver
from tlscomm.server._observers import Observers
from tlscomm.server._operation import Operation
from tlscomm.server._plan import ServerPlan
from tlscomm.server._processpart import ProcessPart
from tlscomm.server._server import Server
from tlscomm.server._service import Listener, TLSService
from tlscomm.server._shownsettings import shownSettings
from tlscomm.server._sockets import ListeningSockets
from tlscomm.tracing._fromsettings import tracingFrom

__all__ = ["checkPlan", "complainOnTerminal", "endpointFor", "serviceFor", "siteEndpoint"]

#: Endpoint strings that speak TLS themselves: Twisted's, txacme's and ours.
_WITH_TLS = ("ssl:", "tls:", "le:", "tlscomm:")


def serviceFor(plan: ServerPlan, reactor: Any, *, isForeground: bool, part: ProcessPart | None = None) -> Server:
    """Return the server that a plan describes. It has read its credentials and has not opened a port.

    Args:
        plan: what is to be served.
        reactor: listens and tells the time.
        isForeground: whether the server keeps its terminal.
        part: what is different in a process that is one of several; None in one that is the whole server.

    Raises:
        TLSFailure: a credential or the authorities cannot be used.
        UsageError, ValueError: something else that the plan says cannot be done.
    """
    settings = plan.settings if part is None else part.settings(plan.settings)
    configuring = Configuring(None if part is None else part.said)
    form = settings["logFormat"]
    log = eventLog(form, reactor, foreground=isForeground) if part is None else part.log(form, reactor, isForeground)
    services: list[TLSService] = []
    systemd = systemdObserver(reactor, lambda: sum(len(each.factory.connections) for each in services))
    operation = Operation(reactor, settings, log, lambda: services, partial(shownSettings, plan))
    observers = Observers(log, [*operation.observers, *(() if systemd is None else (systemd,))])
    complain = complainOnTerminal if isForeground and part is None else None
    siteSockets = ListeningSockets(reusePort=settings["reusePort"])
    sites = None
    if part is None:
        sites = operation.sites(partial(siteEndpoint, reactor, siteSockets), siteSockets, complain)
    # What a listener cannot do is found out before files are written.
    sockets = ListeningSockets(reusePort=settings["reusePort"]) if part is None else part.sockets
    served = [(each, *_served(each.settings, reactor, configuring, sockets)) for each in plan.listeners]
    tracing = tracingFrom(settings, reactor.callLater)
    for listener, places, application, configuration in served:
        service = TLSService(
            reactor,
            configuration,
            application,
            places,
            log,
            maximumConnections=settings["maximumConnections"],
            complain=complain,
            whenListening=introduction(listener.settings, configuration, configuring.developmentFor(listener.settings))
            if part is None or part.introduces
            else None,
            tracing=tracing,
            observer=observers,
            drainTimeout=settings["drainTimeout"],
        )
        service.setName(listener.name)  # type: ignore[no-untyped-call]
        services.append(service)
    server = Server(
        reactor,
        services,
        observers,
        readAgain=lambda: [configuring.again(each.settings) for each in plan.listeners],
        sources=lambda: sourcesIn(*(configuring.given(each.settings) for each in plan.listeners)),
        # The supervisor of several processes watches for all of them.
        isWatching=part is None,
        sockets=sockets,
        drainDelay=settings.get("drainDelay"),
    )
    if sites is not None:
        # After the listeners: what they cannot open, they say before anything else is open.
        sites.setServiceParent(server)  # type: ignore[no-untyped-call]
    return server


def checkPlan(plan: ServerPlan, reactor: Any) -> dict[str, Any]:
    """Find out whether a plan can be served, as far as that is known before a port is opened.

    Returns:
        What the person who started the program was asked for (`Person.said`).

    Raises:
        TLSFailure, UsageError, ValueError: as with `serviceFor`.
    """
    configuring = Configuring()
    for listener in plan.listeners:
        _application(listener.settings, reactor)
        configuring.first(listener.settings)
    return configuring.person.said


def _served(
    settings: Mapping[str, Any], reactor: Any, configuring: Configuring, sockets: ListeningSockets
) -> tuple[list[Listener], IProtocolFactory, ServerConfiguration]:
    """Return where a listener listens, what makes its protocols, and its configuration."""
    places = [
        Listener(place, behindProxies(endpointFor(reactor, place, sockets), settings)) for place in settings["listen"]
    ]
    return places, _application(settings, reactor), configuring.first(settings)


def _application(settings: Mapping[str, Any], reactor: Any) -> IProtocolFactory:
    if "forward" in settings:
        from tlscomm.relaying._fromsettings import forwardingFrom

        return forwardingFrom(settings, reactor)
    return factoryFor(
        applicationNamed(settings.get("application", "echo")),
        framing=settings["framing"],
        maximumMessage=settings["maximumMessage"],
        readTimeout=settings["readTimeout"],
        clock=reactor,
    )


def complainOnTerminal(message: str) -> None:
    """Say to the person who started the program why it cannot go on."""
    # twistd puts its log in the place of sys.stderr.
    print(f"twistd tlscomm: {message}", file=sys.__stderr__, flush=True)


def siteEndpoint(reactor: Any, sockets: ListeningSockets, place: str) -> IStreamServerEndpoint:
    """Return the endpoint of a site for operators."""
    # A string that speaks TLS itself needs the reactor for more than listening.
    return endpointBelow(reactor, place) if place.startswith(_WITH_TLS) else sockets.endpoint(reactor, place)


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
