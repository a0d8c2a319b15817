"""The server that the options of ``twistd tlscomm`` describe, ready to be started."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.usage import UsageError

from tlscomm.credentials._passphrasesources import passphraseSource
from tlscomm.endpoints._below import endpointBelow
from tlscomm.failures import printable
from tlscomm.server._applications import applicationNamed, factoryFor
from tlscomm.server._configuring import Person, configurationFrom, developmentAuthority
from tlscomm.server._eventlog import eventLog
from tlscomm.server._introduction import introduction
from tlscomm.server._observers import Observers
from tlscomm.server._server import Server
from tlscomm.server._service import Listener, TLSService
from tlscomm.tracing._fromsettings import tracingFrom

__all__ = ["serviceFor"]

#: Endpoint strings that speak TLS themselves: Twisted's, txacme's and ours.
_WITH_TLS = ("ssl:", "tls:", "le:", "tlscomm:")


def serviceFor(settings: Mapping[str, Any], reactor: Any, *, isForeground: bool) -> Server:
    """Return the server that settings describe. It has read its credential and has not opened a port.

    Args:
        settings: those of `Interface.TWISTD`, by name.
        reactor: listens and tells the time.
        isForeground: whether the server keeps its terminal.

    Raises:
        TLSFailure: the credential or the authorities cannot be used.
        UsageError, ValueError: something else that the settings say cannot be done.
    """
    listeners = [Listener(place, _endpoint(reactor, place)) for place in settings["listen"]]
    application = factoryFor(
        applicationNamed(settings["application"]),
        framing=settings["framing"],
        maximumMessage=settings["maximumMessage"],
        readTimeout=settings["readTimeout"],
        clock=reactor,
    )
    development = None if settings["identity"] else developmentAuthority()
    person = Person()
    # Each can be read once, and what it gave is needed again when the files have changed.
    pipes = [passphraseSource(descriptor=number) for number in settings["passphraseFD"]]
    configure = partial(configurationFrom, settings, development, [pipe for pipe in pipes if pipe is not None])
    configuration = configure(person.ask)
    log = eventLog(settings["logFormat"], reactor, foreground=isForeground)
    observers = Observers(log)
    service = TLSService(
        reactor,
        configuration,
        application,
        listeners,
        log,
        maximumConnections=settings["maximumConnections"],
        complain=_complainOnTerminal if isForeground else None,
        whenListening=None if development is None else introduction(settings, configuration, development),
        tracing=tracingFrom(settings, reactor.callLater),
        observer=observers,
    )
    return Server(reactor, [service], observers, readAgain=lambda: [configure(person.remember)])


def _complainOnTerminal(message: str) -> None:
    # twistd puts its log in the place of sys.stderr.
    print(f"twistd tlscomm: {message}", file=sys.__stderr__, flush=True)


def _endpoint(reactor: Any, place: str) -> IStreamServerEndpoint:
    if place.startswith(_WITH_TLS):
        kind = place.partition(":")[0]
        raise UsageError(
            f"--listen {printable(place)}: {kind}: would put TLS into TLS, for this server adds its own; say "
            "--listen tcp:PORT, and the certificate with --identity"
        )
    try:
        return endpointBelow(reactor, place)
    except ValueError as problem:
        raise UsageError(f"--listen {printable(place)}: {problem}") from None
