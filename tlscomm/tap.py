"""``twistd tlscomm``: from the words of a command line to a server that can be started.

Everything that can be wrong is found out before a port is opened, and before a daemon leaves its terminal: the words,
then the application, then the credential. Whoever started the program gets one message with a next step, and exit
status 1. twistd itself would answer a wrong word with the whole list of options, on standard output, and an unusable
credential with a traceback; so, under twistd, both end here as `SystemExit`. A program that uses this module by itself
gets the exceptions as they are.

Credentials are read here because here the process may still be root; the ports are opened by the service, as with any
plugin of twistd.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.usage import Options as _Options
from twisted.python.usage import UsageError

from tlscomm import __version__
from tlscomm._log import eventLog
from tlscomm._reading.passphrasesources import Prompt, passphraseSource
from tlscomm.applications import applicationNamed, factoryFor, hookNamed
from tlscomm.authority import DEVELOPMENT_HOSTS, DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.configuration import ServerConfiguration
from tlscomm.configuration._fromsettings import serverConfiguration
from tlscomm.configuration._settings import defaultsOn, formerNamesOn, settingsOn
from tlscomm.configuration._settingtypes import Interface, Setting
from tlscomm.failures import TLSFailure, printable
from tlscomm.peer import Peer
from tlscomm.service import Listener, TLSService

__all__ = ["Options", "makeService"]

_log = Logger(namespace="tlscomm")

#: How many clients may wait to be let in. With Twisted's 50, of a thousand that come at once most wait for a second.
_BACKLOG = 1024

#: Endpoint strings that speak TLS themselves: Twisted's, txacme's and ours.
_WITH_TLS = ("ssl:", "tls:", "le:", "tlscomm:")
#: What says more about an identity.
_OF_IDENTITY = ("key", "passphraseFile", "passphraseEnv", "passphraseFD", "insecureAllowReadableKey")

_TWISTD = Interface.TWISTD
_SETTINGS = settingsOn(_TWISTD)
_DEFAULTS = defaultsOn(_TWISTD)
_FORMER_NAMES = formerNamesOn(_TWISTD)


def _collecting(setting: Setting) -> Callable[[Options, str], None]:
    """Return what Twisted calls with each value of an option that may be given several times."""

    def collect(self: Options, value: str) -> None:
        self[setting.option].append(setting.parse(value, _TWISTD))

    return collect


class Options(_Options):
    """The options of ``twistd tlscomm``. After parsing, each has the type that the server needs."""

    longdesc = (
        "Serves messages over TLS, with certificates on both sides. Without --identity it uses a development identity, "
        "which it makes on first use in ~/.tlscomm/development (or in the folder that the environment variable "
        "TLSCOMM_HOME names), together with one for clients. It then demands client certificates of that development "
        "authority, unless --client-roots or --client-certificates say otherwise, and prints the `tlscomm connect` "
        "line that talks to it."
    )

    optParameters: Sequence[Sequence[object]] = [
        [setting.option, None, setting.default, setting.helpText(_TWISTD)]
        for setting in _SETTINGS
        if not setting.isFlag and not setting.isRepeatable
    ]

    optFlags: Sequence[Sequence[object]] = [
        [setting.option, None, setting.helpText(_TWISTD)] for setting in _SETTINGS if setting.isFlag
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for setting in _SETTINGS:
            if setting.isRepeatable:
                self[setting.option] = []
                self.docs[setting.option] = setting.helpText(_TWISTD)
                if setting.default:
                    self.defaults[setting.option] = ", ".join(setting.default)

    def opt_version(self) -> None:
        """Display the version and exit."""
        print(f"tlscomm {__version__}")
        raise SystemExit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the words after ``tlscomm``.

        Raises:
            UsageError: one of them is wrong.
            SystemExit: the same, under twistd.
        """
        words = sys.argv[1:] if options is None else options
        with _saidPlainly(self):
            super().parseOptions([_FORMER_NAMES.get(word, word) for word in words])  # type: ignore[no-untyped-call]

    def parseArgs(self, *words: str) -> None:
        if words:
            raise UsageError(f"{words[0]!r} is not an option")

    def postOptions(self) -> None:
        for setting in _SETTINGS:
            value = self[setting.option]
            if setting.isRepeatable:
                self[setting.option] = value or list(setting.default or ())
            elif value is not None and not setting.isFlag:
                self[setting.option] = setting.parse(value, _TWISTD)
        for setting in _SETTINGS:
            if setting.name in _OF_IDENTITY and self[setting.option] and not self["identity"]:
                raise UsageError(f"{setting.spelled(_TWISTD)} says more about --identity, which is missing")
        if self["log-format"] == "json":
            self._clearStandardOutput()

    @property
    def settings(self) -> dict[str, Any]:
        """The values by the names of the settings. What was not given and has no default is not among them."""
        values = {each.name: self[each.option] for each in _SETTINGS if not each.isFlag}
        said = {name: value for name, value in values.items() if value is not None or name in _DEFAULTS}
        # A flag says the opposite of the default.
        return {**said, **{each.name: bool(self[each.option]) != each.default for each in _SETTINGS if each.isFlag}}

    @property
    def isForeground(self) -> bool:
        """Whether the server keeps its terminal. Only twistd, and without ``--nodaemon``, takes it away."""
        twistd: dict[str, Any] = self.parent or {}
        return bool(twistd.get("nodaemon", True) or twistd.get("debug"))

    def _clearStandardOutput(self) -> None:
        """Have Twisted's log on standard error, where it would go to standard output."""
        program: dict[str, Any] = self.parent or {}
        if "nodaemon" in program:
            named = any(program[option] for option in ("logger", "syslog")) or program["logfile"] not in (None, "-")
            if self.isForeground and not named:
                program["logger"] = "tlscomm._log.onStandardError"
        elif program.get("logFile") is sys.stdout:
            program["logFile"] = sys.stderr


for _setting in _SETTINGS:
    if _setting.isRepeatable:
        # Twisted finds an option that may be given several times by the name of a method.
        setattr(Options, f"opt_{_setting.option.replace('-', '_')}", _collecting(_setting))


def makeService(options: Options, reactor: Any = None) -> TLSService:
    """Return the server that the options describe. It has read its credential and has not opened a port.

    Args:
        options: after parsing.
        reactor: listens and tells the time; the global one where None.

    Raises:
        TLSFailure: the credential or the authorities cannot be used.
        UsageError, ValueError: something else that the options say cannot be done.
        SystemExit: one of these, under twistd, with what to do about it.
    """
    if reactor is None:
        from twisted.internet import reactor
    with _saidPlainly(options):
        listeners = [Listener(place, _endpoint(reactor, place)) for place in options["listen"]]
        application = factoryFor(
            applicationNamed(options["application"]),
            framing=options["framing"],
            maximumMessage=options["maximum-message"],
            readTimeout=options["read-timeout"],
            clock=reactor,
        )
        development = None if options["identity"] else _developmentAuthority()
        person = _Person()
        # Each can be read once, and what it gave is needed again when the files have changed.
        pipes = [passphraseSource(descriptor=number) for number in options["passphrase-fd"]]
        configure = partial(_configuration, options, development, [pipe for pipe in pipes if pipe is not None])
        configuration = configure(person.ask)
    return TLSService(
        reactor,
        configuration,
        application,
        listeners,
        eventLog(options["log-format"], reactor, foreground=options.isForeground),
        maximumConnections=options["maximum-connections"],
        complain=_complainOnTerminal if options.isForeground else None,
        whenListening=None if development is None else _introduction(options, configuration, development),
        readAgain=partial(configure, person.remember),
    )


@contextmanager
def _saidPlainly(options: Options) -> Iterator[None]:
    """Let a refusal end twistd with a message for a person."""
    try:
        yield
    except (TLSFailure, UsageError, ValueError) as refusal:
        if options.parent is None:
            raise
        raise SystemExit(f"twistd tlscomm: {_message(refusal)}") from None


def _message(refusal: Exception) -> str:
    if isinstance(refusal, TLSFailure):
        return f"{refusal}\nNext step: {refusal.nextStep}"
    return f"{refusal}\n`twistd tlscomm --help` explains every option."


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
    isPlain = place.startswith(("tcp:", "tcp6:")) and ":backlog=" not in place
    try:
        return cast(
            IStreamServerEndpoint, serverFromString(reactor, f"{place}:backlog={_BACKLOG}" if isPlain else place)
        )
    except Exception as problem:
        # Anybody's plugin may parse it, and raise what it likes.
        raise UsageError(f"--listen {printable(place)}: {printable(str(problem) or repr(problem))}") from None


def _configuration(
    options: Options, development: DevelopmentAuthority | None, pipes: Sequence[Prompt], prompt: Prompt
) -> ServerConfiguration:
    settings = options.settings | {"passphraseFD": pipes}
    if development is not None:
        settings["identity"], settings["key"] = (
            [str(development.path(f"server.{ending}"))] for ending in ("pem", "key")
        )
        if not settings["clientRoots"] and settings.get("clientCertificates") != "none":
            settings["clientRoots"] = [str(development.path("ca.pem"))]
    hook = None if options["hook"] is None else hookNamed(options["hook"])
    return serverConfiguration(settings, prompt=prompt, hook=hook)


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
    options: Options, configuration: ServerConfiguration, development: DevelopmentAuthority
) -> Callable[[Sequence[str]], None]:
    """Return what tells a person how to talk to a server with the development identity."""

    def introduce(addresses: Sequence[str]) -> None:
        if words := _connectLine(options, configuration, development, addresses):
            _log.info("talk to it with: {command}", command=shlex.join(words))

    return introduce


def _connectLine(
    options: Options, configuration: ServerConfiguration, development: DevelopmentAuthority, addresses: Sequence[str]
) -> list[str]:
    """Return the command that talks to the first address, empty where the development client cannot."""
    client = Peer((development.client.certificate, development.authority.certificate))
    isTrusted = not options["client-roots"] and configuration.revocation.mode != "required"
    isTrusted = isTrusted and configuration.access.judge(client).isLetIn
    host, colon, port = (addresses[0] if addresses else "").rpartition(":")
    if not colon or (configuration.clientCertificates == "required" and not isTrusted):
        return []
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    words = ["tlscomm", "connect", f"{host}:{port}", "--roots", str(development.path("ca.pem"))]
    if configuration.clientCertificates != "none" and isTrusted:
        words += ["--identity", str(development.path("client.pfx"))]
    if host.strip("[]") not in DEVELOPMENT_HOSTS:
        words += ["--server-name", DEVELOPMENT_HOSTS[0]]
    if options["framing"] != "eof":
        words += ["--framing", options["framing"]]
    return [*words, "--message", "Hello"]
