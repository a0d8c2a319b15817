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
from tlscomm._log import LOG_FORMATS, eventLog
from tlscomm._reading.passphrasesources import Prompt, passphraseSource
from tlscomm._settings import Identities, seconds, serverConfiguration
from tlscomm.access import AccessRules
from tlscomm.applications import applicationNamed, factoryFor, hookNamed
from tlscomm.authority import DEVELOPMENT_HOSTS, DevelopmentAuthority, ensureDevelopmentAuthority
from tlscomm.configuration import Deadlines, ServerConfiguration
from tlscomm.failures import TLSFailure, printable
from tlscomm.framing import FRAMINGS
from tlscomm.peer import Peer
from tlscomm.revocation import MODES
from tlscomm.service import Listener, TLSService
from tlscomm.verification import PROFILES

__all__ = ["Options", "makeService"]

_log = Logger(namespace="tlscomm")

_DEFAULT_PLACE = "tcp:8443:interface=127.0.0.1"

#: How many clients may wait to be let in. With Twisted's 50, of a thousand that come at once most wait for a second.
_BACKLOG = 1024

_DEADLINES = ("handshake-timeout", "hook-timeout", "read-timeout", "write-timeout", "close-timeout")
#: Endpoint strings that speak TLS themselves: Twisted's, txacme's and ours.
_WITH_TLS = ("ssl:", "tls:", "le:", "tlscomm:")
_COUNTS = ("maximum-message", "maximum-connections")
_CHOICES = {
    "client-certificates": (None, "none", "requested", "required"),
    "revocation": (None, *MODES),
    "framing": tuple(FRAMINGS),
    "minimum-tls": ("1.2", "1.3"),
    "maximum-tls": ("1.2", "1.3"),
    "log-format": LOG_FORMATS,
    "profile": PROFILES,
}
#: What says more about an identity.
_OF_IDENTITY = ("key", "passphrase-file", "passphrase-env", "passphrase-fd", "insecure-allow-readable-key")
_SEVERAL = (
    "listen",
    "identity",
    "key",
    "passphrase-file",
    "passphrase-env",
    "passphrase-fd",
    "client-roots",
    "crl",
    "staple",
    "allow",
    "deny",
    "intermediates",
    "pin",
)


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
        ["client-certificates", None, None, "Whether clients must show a certificate: none, requested or required. "
         "What is shown is always checked. Default: required where --client-roots is given or the identity is the "
         "development identity, else none."],
        ["revocation", None, None, "What happens to a client where no list tells whether its certificate was revoked: "
         "required refuses it, soft warns, off looks at no list. Default: required where --crl or --fetch-crls is "
         "given."],
        ["fetch-crls", None, None, "A folder for revocation lists that are fetched in the background from where the "
         "clients' certificates say that they are published. Default: nothing is fetched."],
        ["profile", None, "compatible", "How much of the rules for certificates is insisted on. compatible: what makes "
         "a chain secure. strict: RFC 5280 and the Web PKI's rules as well."],
        ["application", None, "echo", "What is done with the messages: echo returns each, greet answers each with a "
         "greeting, and package.module:name is a class that extends tlscomm.protocol.MessageProtocol, or any protocol "
         "factory of Twisted's, to which --framing, --maximum-message and --read-timeout do not apply."],
        ["hook", None, None, "package.module:name: a function that is asked about each client before it is let in, and "
         "may answer later. Without one, who has a valid certificate and keeps to --allow and --deny is let in."],
        ["framing", None, "eof", f"How messages are told apart: {', '.join(FRAMINGS)}."],
        ["maximum-message", None, 1 << 20, "The most bytes a message may have, either way."],
        ["minimum-tls", None, "1.2", "The oldest version of TLS that is spoken: 1.2 or 1.3."],
        ["maximum-tls", None, "1.3", "The newest version of TLS that is spoken: 1.2 or 1.3."],
        ["handshake-timeout", None, 10, "Seconds from the TCP connection until both sides have accepted each other, 0 "
         "for no limit."],
        ["hook-timeout", None, 5, "Seconds in which the hook has to answer, 0 for no limit but the handshake's."],
        ["read-timeout", None, 5, "Seconds in which the next message has to come, 0 for no limit."],
        ["write-timeout", None, 5, "Seconds in which some of the bytes that are queued for a client have to move, 0 "
         "for no limit."],
        ["close-timeout", None, 5, "Seconds for a client's answer to the end of a connection, and for all connections "
         "to end when the server stops; 0 for no limit, except that a stop takes 5 seconds at most."],
        ["maximum-connections", None, 10000, "The most connections at a time, on all ports together."],
        ["log-format", None, "text", "text: events are lines of Twisted's log. json: each is one line of JSON on "
         "standard output, and Twisted's log goes to standard error; a daemon has its lines in the log file."],
    ]  # fmt: skip

    optFlags: Sequence[Sequence[object]] = [
        [
            "insecure-allow-readable-key",
            None,
            "Accept a private key in a file that other users of the machine can read.",
        ],
        ["no-resumption", None, "Resume no sessions: every client shows its certificate in every connection."],
        ["no-judging-again", None, "Let clients stay that would not be let in any more."],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.docs = {name: " ".join((text or "").split()) for name, text in self.docs.items()}
        self.defaults["listen"] = _DEFAULT_PLACE
        for name in _SEVERAL:
            self[name] = []

    def opt_listen(self, place: str) -> None:
        """Where to listen: a Twisted server endpoint string for the TCP side. May be given several times."""
        self["listen"].append(place)

    def opt_identity(self, source: str) -> None:
        """
        The server's certificate with its chain and private key: a PEM or PFX file, or store:LOCATION/NAME:FIELD=VALUE.
        May be given several times: each client is shown the one for the name that it asks for and with a key that it
        can verify, the first where none fits. Default: a development identity.
        """
        self["identity"].append(source)

    def opt_key(self, file: str) -> None:
        """
        The file with the private key, where --identity has none. May be given several times; each is that of the
        certificate that it fits.
        """
        self["key"].append(file)

    def opt_passphrase_file(self, file: str) -> None:
        """
        The file whose first line is the pass phrase of an identity or key. May be given several times, and so may the
        other two; each opens what it opens. With none of them the credential tlscomm.passphrase of systemd's is taken,
        or it is asked for, where there is a terminal.
        """
        self["passphrase-file"].append(file)

    def opt_passphrase_env(self, variable: str) -> None:
        """The environment variable that holds the pass phrase. May be given several times."""
        self["passphrase-env"].append(variable)

    def opt_passphrase_fd(self, number: str) -> None:
        """The number of an open file whose first line is the pass phrase. May be given several times."""
        self["passphrase-fd"].append(_count(number, "--passphrase-fd", 0))

    def opt_client_roots(self, source: str) -> None:
        """Who may issue client certificates: a file, a folder, store:…, or system. May be given several times."""
        self["client-roots"].append(source)

    def opt_intermediates(self, source: str) -> None:
        """
        Authorities that are known and not trusted by themselves, for clients that forget to send them: a file or a
        folder. May be given several times.
        """
        self["intermediates"].append(source)

    def opt_pin(self, pin: str) -> None:
        """
        A certificate or a key that has to be in a client's chain: fingerprint=sha256: or spki=sha256: and the digest.
        May be given several times; one that fits is enough.
        """
        self["pin"].append(pin)

    def opt_crl(self, file: str) -> None:
        """
        A certificate revocation list, PEM or DER, or a folder with such files, which are read again when they change.
        With one, each certificate of a client's chain has to be covered by a list. May be given several times.
        """
        self["crl"].append(file)

    def opt_staple(self, source: str) -> None:
        """
        An OCSP response (DER) for the server's certificate, to be sent along with it; a file, which is read again when
        it changes, or fetch, to fetch it in the background from the responder that the certificate names. May be given
        several times.
        """
        self["staple"].append(source)

    def opt_allow(self, rule: str) -> None:
        """
        Who of the clients with a valid certificate is let in: cn=, ou=, o=, dns=, ip=, uri=, trust-domain=, email=,
        issuer=, authority=sha256:, authority-spki=sha256:, spki=sha256: or fingerprint=sha256: and what it has to be,
        with * for any part of one label; joined with & (and), | (or), ! (not) and parentheses. May be given several
        times; one that fits is enough.
        """
        self["allow"].append(rule)

    def opt_deny(self, rule: str) -> None:
        """
        Who of them is kept out, whatever --allow says; the same words. May be given several times.
        """
        self["deny"].append(rule)

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
        with _saidPlainly(self):
            super().parseOptions(options)  # type: ignore[no-untyped-call]

    def parseArgs(self, *words: str) -> None:
        if words:
            raise UsageError(f"{words[0]!r} is not an option")

    def postOptions(self) -> None:
        self["listen"] = self["listen"] or [_DEFAULT_PLACE]
        for name in _DEADLINES:
            self[name] = seconds(self[name], f"--{name}")
        for name in _COUNTS:
            self[name] = _count(self[name], f"--{name}")
        for name, choices in _CHOICES.items():
            _choose(self[name], choices, f"--{name}")
        AccessRules.parse(self["allow"], self["deny"])
        for name in _OF_IDENTITY:
            if self[name] and not self["identity"]:
                raise UsageError(f"--{name} says more about --identity, which is missing")
        if self["log-format"] == "json":
            self._clearStandardOutput()

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


def _count(text: str | int, name: str, least: int = 1) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not least <= value < 1 << 31:
        raise UsageError(f"{name} is a whole number of {least} or more, not {text!r}")
    return value


def _choose(word: str | None, choices: Sequence[str | None], name: str) -> None:
    if word not in choices:
        raise UsageError(f"{name} is one of {', '.join(filter(None, choices))}, not {word!r}")


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
    identity, key, roots = options["identity"], options["key"], options["client-roots"]
    if development is not None:
        identity, key = [str(development.path("server.pem"))], [str(development.path("server.key"))]
        if not roots and options["client-certificates"] != "none":
            roots = [str(development.path("ca.pem"))]
    return serverConfiguration(
        identities=Identities(
            identity=tuple(identity),
            key=tuple(key),
            passphraseFile=tuple(options["passphrase-file"]),
            passphraseEnv=tuple(options["passphrase-env"]),
            passphraseFD=tuple(pipes),
            prompt=prompt,
            insecureAllowReadableKey=bool(options["insecure-allow-readable-key"]),
        ),
        clientCertificates=options["client-certificates"],
        clientRoots=roots,
        crl=options["crl"],
        revocation=options["revocation"],
        fetchCRLs=options["fetch-crls"],
        staple=options["staple"],
        allow=options["allow"],
        deny=options["deny"],
        intermediates=options["intermediates"],
        pins=options["pin"],
        profile=options["profile"],
        minimumTLS=options["minimum-tls"],
        maximumTLS=options["maximum-tls"],
        hook=None if options["hook"] is None else hookNamed(options["hook"]),
        resumption=not options["no-resumption"],
        revalidation=not options["no-judging-again"],
        limits=Deadlines(
            handshake=options["handshake-timeout"],
            hook=options["hook-timeout"],
            write=options["write-timeout"],
            close=options["close-timeout"],
        ),
    )


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
