"""The server that the options of ``twistd tlscomm`` describe, ready to be started."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.usage import UsageError

from tlscomm.access import Peer
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import serverConfiguration
from tlscomm.credentials._passphrasesources import Prompt, passphraseSource
from tlscomm.endpoints._below import endpointBelow
from tlscomm.failures import printable
from tlscomm.issuing import DEVELOPMENT_HOSTS, DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.server._applications import applicationNamed, factoryFor, hookNamed
from tlscomm.server._eventlog import eventLog
from tlscomm.server._observers import Observers
from tlscomm.server._server import Server
from tlscomm.server._service import Listener, TLSService
from tlscomm.tracing._fromsettings import tracingFrom

__all__ = ["serviceFor"]

_log = Logger(namespace="tlscomm")

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
    development = None if settings["identity"] else _developmentAuthority()
    person = _Person()
    # Each can be read once, and what it gave is needed again when the files have changed.
    pipes = [passphraseSource(descriptor=number) for number in settings["passphraseFD"]]
    configure = partial(_configuration, settings, development, [pipe for pipe in pipes if pipe is not None])
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
        whenListening=None if development is None else _introduction(settings, configuration, development),
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


def _configuration(
    settings: Mapping[str, Any], development: DevelopmentAuthority | None, pipes: Sequence[Prompt], prompt: Prompt
) -> ServerConfiguration:
    given = {**settings, "passphraseFD": pipes}
    if development is not None:
        given["identity"], given["key"] = ([str(development.path(f"server.{ending}"))] for ending in ("pem", "key"))
        if not given["clientRoots"] and given.get("clientCertificates") != "none":
            given["clientRoots"] = [str(development.path("ca.pem"))]
    hook = hookNamed(given["hook"]) if "hook" in given else None
    return serverConfiguration(given, prompt=prompt, hook=hook)


class _Person:
    """Who started the program, and is asked for pass phrases once: later it has no terminal, or other things to do."""

    def __init__(self) -> None:
        self._answers: dict[str, bytes | None] = {}

    def ask(self, source: str) -> bytes | None:
        """Ask for a pass phrase, where there is a terminal."""
        if sys.stdin is None or not sys.stdin.isatty():
            return None
        try:
            answer = os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
        except (EOFError, KeyboardInterrupt):
            answer = None
        self._answers[source] = answer
        return answer

    def remember(self, source: str) -> bytes | None:
        """Return what was answered last."""
        return self._answers.get(source)


def _developmentAuthority() -> DevelopmentAuthority:
    try:
        folder = Path(os.environ.get("TLSCOMM_HOME") or Path.home() / ".tlscomm" / "development").absolute()
        return ensureDevelopmentAuthority(folder)
    except (OSError, RuntimeError) as problem:
        raise UsageError(
            f"the development identity cannot be made: {printable(str(problem))}; name the server's own with "
            "--identity, or a folder for the development identity in the environment variable TLSCOMM_HOME"
        ) from None


def _introduction(
    settings: Mapping[str, Any], configuration: ServerConfiguration, development: DevelopmentAuthority
) -> Callable[[Sequence[str]], None]:
    """Return what tells a person how to talk to a server with the development identity."""

    def introduce(addresses: Sequence[str]) -> None:
        if words := _connectLine(settings, configuration, development, addresses):
            _log.info("talk to it with: {command}", command=shlex.join(words))

    return introduce


def _connectLine(
    settings: Mapping[str, Any],
    configuration: ServerConfiguration,
    development: DevelopmentAuthority,
    addresses: Sequence[str],
) -> list[str]:
    """Return the command that talks to the first address, empty where the development client cannot."""
    client = Peer((development.client.certificate, development.authority.certificate))
    isTrusted = not settings["clientRoots"] and configuration.revocation.mode != "required"
    isTrusted = isTrusted and configuration.access.judge(client).isLetIn
    host, _, port = (addresses[0] if addresses else "").rpartition(":")
    isTCP = port.isdigit() and not host.startswith("unix:")
    if not isTCP or (configuration.clientCertificates == "required" and not isTrusted):
        return []
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    words = ["tlscomm", "connect", f"{host}:{port}", "--roots", str(development.path("ca.pem"))]
    if configuration.clientCertificates != "none" and isTrusted:
        words += ["--identity", str(development.path("client.pfx"))]
    if host.strip("[]") not in DEVELOPMENT_HOSTS:
        words += ["--server-name", DEVELOPMENT_HOSTS[0]]
    if settings["framing"] != "eof":
        words += ["--framing", settings["framing"]]
    return [*words, "--message", "Hello"]
