"""The server that a plan describes, ready to be started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.interfaces import IProtocolFactory

from tlscomm.configuration import ServerConfiguration
from tlscomm.endpoints._beforetls import believeAnew
from tlscomm.limits import Admission, Limits
from tlscomm.operation._expirywatch import ExpiryWatch
from tlscomm.operation._operation import Operation
from tlscomm.plans._plan import ServerPlan
from tlscomm.plans._shownsettings import shownSettings
from tlscomm.server._configuring import Configuring
from tlscomm.server._introduction import introduction
from tlscomm.server._listenerparts import applicationFrom, placeFrom, siteEndpoint
from tlscomm.server._planchecking import madeOf, requireProcess
from tlscomm.server._planreading import PlanReading
from tlscomm.server._processpart import ProcessPart
from tlscomm.serving._eventlog import eventLog
from tlscomm.serving._logfile import openLogFile
from tlscomm.serving._notifying import systemdObserver
from tlscomm.serving._observers import Observers
from tlscomm.serving._ports import Listener
from tlscomm.serving._server import Server
from tlscomm.serving._service import TLSService
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.tracing._fromsettings import tracingFrom

__all__ = ["checkPlan", "complainOnTerminal", "serviceFor"]

_Served = tuple[list[Listener], IProtocolFactory, ServerConfiguration]


def serviceFor(
    plan: ServerPlan,
    reactor: Any,
    *,
    isForeground: bool,
    part: ProcessPart | None = None,
    readAgain: Callable[[], ServerPlan] | None = None,
) -> Server:
    """Return the server that a plan describes. It has read its credentials and has not opened a port.

    Args:
        plan: what is to be served.
        reactor: listens and tells the time.
        isForeground: whether the server keeps its terminal.
        part: what is different in a process that is one of several; None in one that is the whole server.
        readAgain: returns the plan as it is now, for any thread; None where it stays as it is.

    Raises:
        ConfigurationProblems: something that files say cannot be done; it tells of all.
        TLSFailure: a credential or the authorities cannot be used.
        UsageError, ValueError: something else that the command line says cannot be done.
    """
    if part is None:
        requireProcess(plan)
    settings = plan.settings if part is None else part.settings(plan.settings)
    configuring = Configuring(None if part is None else part.said)
    form = settings["logFormat"]
    if part is None:
        log = eventLog(form, reactor, foreground=isForeground, lines=openLogFile(settings, reactor))
    else:
        log = part.log(form, reactor, isForeground)
    reading = PlanReading(plan, readAgain, configuring)
    services: list[TLSService] = []
    systemd = systemdObserver(reactor, lambda: sum(len(each.factory.connections) for each in services))
    operation = Operation(reactor, settings, log, lambda: services, lambda: shownSettings(reading.plan))
    configuring.watchHook = operation.watchHook
    observers = Observers(log, [*operation.observers, *(() if systemd is None else (systemd,))])
    complain = complainOnTerminal if isForeground and part is None else None
    sockets = ListeningSockets(reusePort=settings["reusePort"]) if part is None else part.sockets
    siteSockets = sockets.others()
    sites = None
    if part is None:
        sites = operation.sites(partial(siteEndpoint, reactor, siteSockets), siteSockets, complain)
    # What a listener cannot do is found out before files are written.
    served = madeOf(plan, configuring, lambda each: _served(each, reactor, configuring, sockets))
    tracing = tracingFrom(settings, reactor.callLater)

    def ofThisProcess(limits: Limits) -> Limits:
        return limits if part is None else limits.shared(part.count)

    limits = Limits.fromSettings(settings)
    for place in (each for listener in plan.listeners for each in listener.settings["listen"]):
        limits.requireAddresses(place)
    # The limits in all are those of all that this process serves.
    admission = Admission(ofThisProcess(limits))

    def taken() -> None:
        admission.limits = ofThisProcess(reading.take())
        named = {listener.name: listener.settings for listener in reading.plan.listeners}
        for each in services:
            for place in each.listeners:
                believeAnew(place.endpoint, named[str(each.name)])

    for listener, (places, application, configuration) in zip(plan.listeners, served, strict=True):
        operation.watchBackend(application)
        service = TLSService(
            reactor,
            configuration,
            application,
            places,
            log,
            admission=admission,
            complain=complain,
            whenListening=introduction(listener.settings, configuration, configuring.developmentFor(listener.settings))
            if part is None or part.introduces
            else None,
            tracing=tracing,
            observer=observers,
            drainTimeout=settings["drainTimeout"],
        )
        service.setName(listener.name)
        services.append(service)
    server = Server(
        reactor,
        services,
        observers,
        readAgain=reading.configurations,
        taken=taken,
        sources=reading.sources,
        # Each of several processes watches, for any of them may die, and the supervisor says when all read.
        changed=None if part is None else part.changed,
        sockets=sockets,
        drainDelay=settings.get("drainDelay"),
        handover=settings.get("handover"),
        complain=complain,
        tellsReloads=part is None,
        operation=operation,
    )
    if part is None or part.number == 1:
        watch = ExpiryWatch(reactor, lambda: _inUse(services, reading.plan))
        watch.setServiceParent(server)  # type: ignore[no-untyped-call]
    if sites is not None:
        # After the listeners: what they cannot open, they say before anything else is open.
        sites.setServiceParent(server)  # type: ignore[no-untyped-call]
    return server


def _inUse(services: Sequence[TLSService], plan: ServerPlan) -> list[tuple[ServerConfiguration, Mapping[str, Any]]]:
    """Return the configurations that are in use, each with the settings that it was made of."""
    settings = {listener.name: listener.settings for listener in plan.listeners}
    found: list[Any] = [(each.factory.configuration, settings.get(str(each.name), {})) for each in services]
    return found


def checkPlan(plan: ServerPlan, reactor: Any) -> dict[str, Any]:
    """Find out whether a plan can be served, as far as that is known before a port is opened.

    Returns:
        What the person who started the program was asked for (`Person.said`).

    Raises:
        ConfigurationProblems, TLSFailure, UsageError, ValueError: as with `serviceFor`.
    """
    requireProcess(plan)
    configuring = Configuring()
    madeOf(plan, configuring, lambda settings: (applicationFrom(settings, reactor), configuring.first(settings)))
    return configuring.person.said


def _served(settings: Mapping[str, Any], reactor: Any, configuring: Configuring, sockets: ListeningSockets) -> _Served:
    """Return where a listener listens, what makes its protocols, and its configuration."""
    places = [placeFrom(place, settings, reactor, sockets) for place in settings["listen"]]
    return places, applicationFrom(settings, reactor), configuring.first(settings)


def complainOnTerminal(message: str) -> None:
    """Say to the person who started the program why it cannot go on."""
    # twistd puts its log in the place of sys.stderr.
    print(f"twistd tlscomm: {message}", file=sys.__stderr__, flush=True)
