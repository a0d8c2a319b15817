"""``twistd tlscomm``: from the words of a command line to a server that can be started.

Everything that can be wrong is found out before a port is opened, and before a daemon leaves its terminal: the words,
then the application, then the credential. The user who started the program gets one message with a next step, and exit
status 1. twistd itself would answer a wrong word with the whole list of options, on standard output, and an unusable
credential with a traceback; so, under twistd, both end here as `SystemExit`. A program that uses this module by itself
gets the exceptions as they are.

Credentials are read here because here the process may still be root; the ports are opened by the service, as with any
plugin of twistd.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from getopt import GetoptError, getopt
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import IReactorCore
from twisted.python.usage import Options as _Options
from twisted.python.usage import UsageError

from tlscomm import __version__
from tlscomm._clocks import keepSteady
from tlscomm.configuration._settings import defaultsOn, formerNamesOn, settingsOn
from tlscomm.configuration._settingtypes import Interface, Setting
from tlscomm.failures import TLSFailure
from tlscomm.plans._plan import ServerPlan, planFromOptions
from tlscomm.server._collection import leaveOutOfCollections
from tlscomm.server._refusedstart import RefusedStart

if TYPE_CHECKING:
    from tlscomm.processes._supervisor import Supervisor
    from tlscomm.serving._server import Server

__all__ = ["Options", "makeService", "messageFor"]

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
        words = self.words = tuple(sys.argv[1:] if options is None else options)
        words = tuple(_FORMER_NAMES.get(word, word) for word in words)
        with _saidPlainly(self):
            self._typed = self._optionsIn(words)
            super().parseOptions(words)  # type: ignore[no-untyped-call]

    def parseArgs(self, *words: str) -> None:
        if words:
            raise UsageError(f"{words[0]!r} is not an option")

    def postOptions(self) -> None:
        self._given = {each.name for each in _SETTINGS if self[each.option] is not None}
        for setting in _SETTINGS:
            value = self[setting.option]
            if setting.isRepeatable:
                self[setting.option] = value or list(setting.default or ())
            elif value is not None and not setting.isFlag:
                self[setting.option] = setting.parse(value, _TWISTD)
        if self["configuration"] is None:
            self._requireIdentity()
            self._plan = planFromOptions(self.settings)
        else:
            self._plan = self._planOfFile()
        isJournal = self._plan.settings["logFormat"] == "journal"
        if self._plan.settings.get("logFile"):
            if isJournal:
                raise UsageError("--log-format journal writes into systemd's journal: leave out --log-file")
            self._logThere("_logfile", "--log-file is where all is logged")
        elif isJournal:
            self._logThere("_journal", "systemd's journal is where all is logged")
        elif self._plan.settings["logFormat"] == "json":
            self._clearStandardOutput()

    @property
    def settings(self) -> dict[str, Any]:
        """The values by the names of the settings. What was not given and has no default is not among them."""
        values = {each.name: self[each.option] for each in _SETTINGS if not each.isFlag}
        said = {name: value for name, value in values.items() if name in self._given or name in _DEFAULTS}
        # A flag says the opposite of the default.
        return {**said, **{each.name: bool(self[each.option]) != each.default for each in _SETTINGS if each.isFlag}}

    @property
    def plan(self) -> ServerPlan:
        """What is to be served."""
        return self._plan

    def readPlan(self) -> ServerPlan:
        """Return what is to be served, of files that may have changed; for any thread.

        Raises:
            ConfigurationProblems: the files describe nothing that can be served.
        """
        if self["configuration"] is None:
            return self._plan
        from tlscomm.plans._planfromfiles import planFromFile

        return planFromFile(self._file, self._overriding, self["configuration"])

    @property
    def isForeground(self) -> bool:
        """Whether the server keeps its terminal. Only twistd, and without ``--nodaemon``, takes it away."""
        twistd: dict[str, Any] = self.parent or {}
        return bool(twistd.get("nodaemon", True) or twistd.get("debug"))

    def _optionsIn(self, words: Sequence[str]) -> frozenset[str]:
        """Return the options that are given, as they are called here. What is wrong with them is told later."""
        with suppress(GetoptError):
            found, _ = getopt(words, self.shortOpt, self.longOpt)
            return frozenset(name.lstrip("-").replace("_", "-") for name, _ in found)
        return frozenset()

    def _requireIdentity(self) -> None:
        for setting in _SETTINGS:
            if setting.name in _OF_IDENTITY and self[setting.option] and not self["identity"]:
                raise UsageError(f"{setting.spelled(_TWISTD)} says more about --identity, which is missing")

    def _planOfFile(self) -> ServerPlan:
        # Late, and where there is a file alone.
        from tlscomm.plans._planfromfiles import planWithProblems

        # A daemon goes to another folder.
        self._file = os.path.abspath(self["configuration"])
        settings = self.settings
        self._overriding = {
            each.name: settings[each.name] for each in _SETTINGS if each.option in self._typed and each.name in settings
        }
        self._overriding.pop("configuration", None)
        plan, problems = planWithProblems(self["configuration"], self._overriding)
        if problems or plan is None:
            from tlscomm.server._planchecking import withProblemsOfFiles

            raise withProblemsOfFiles(plan, problems)
        return plan

    def _logThere(self, module: str, where: str) -> None:
        """Have Twisted's log go where a module of the server writes."""
        program: dict[str, Any] = self.parent or {}
        if program.get("logger") or program.get("syslog") or program.get("logfile"):
            raise UsageError(f"{where}: leave out twistd's --logfile, --logger and --syslog")
        if "nodaemon" in program:
            program["logger"] = f"tlscomm.serving.{module}.twistdsObserver"

    def _clearStandardOutput(self) -> None:
        """Have Twisted's log on standard error, where it would go to standard output."""
        program: dict[str, Any] = self.parent or {}
        if "nodaemon" in program:
            named = any(program[option] for option in ("logger", "syslog")) or program["logfile"] not in (None, "-")
            if self.isForeground and not named:
                program["logger"] = "tlscomm.serving._eventlog.onStandardError"
        elif program.get("logFile") is sys.stdout:
            program["logFile"] = sys.stderr


for _setting in _SETTINGS:
    if _setting.isRepeatable:
        # Twisted finds an option that may be given several times by the name of a method.
        setattr(Options, f"opt_{_setting.option.replace('-', '_')}", _collecting(_setting))


def makeService(options: Options, reactor: Any = None) -> Server | Supervisor:
    """Return the server that the options describe. It has read its credential and has not opened a port.

    Where the options ask for several processes, it is the supervisor of a server of which that is true.

    Args:
        options: after parsing.
        reactor: listens and tells the time; the global one where None.

    Raises:
        TLSFailure: the credential or the authorities cannot be used.
        UsageError, ValueError: something else that the options say cannot be done.
        SystemExit: one of these, under twistd, with what to do about it.
    """
    isAlone = reactor is None
    if reactor is None:
        from twisted.internet import reactor

        keepSteady(reactor)
    with _saidPlainly(options):
        server = _serverFor(options, reactor)
    if isAlone:
        _haveProcess(server, cast(IReactorCore, reactor))
    return server


def _serverFor(options: Options, reactor: Any) -> Server | Supervisor:
    if options.plan.settings["processes"] > 1:
        from tlscomm.server._supervised import supervisorFor

        twistd: dict[str, Any] = options.parent or {}
        folder = None if twistd.get("chroot") else os.getcwd()
        return supervisorFor(options.plan, options.words, reactor, isForeground=options.isForeground, folder=folder)
    # Late, so that options are explained and refused without OpenSSL.
    from tlscomm.server._fromoptions import serviceFor

    return serviceFor(options.plan, reactor, isForeground=options.isForeground, readAgain=options.readPlan)


def _haveProcess(server: Server | Supervisor, reactor: IReactorCore) -> None:
    """Let a server have the process for itself, as under twistd."""
    from tlscomm.serving._stopping import exitFor

    reactor.callWhenRunning(leaveOutOfCollections)
    reactor.addSystemEventTrigger("after", "shutdown", lambda: exitFor(server.unfinished))


@contextmanager
def _saidPlainly(options: Options) -> Iterator[None]:
    """Let a refusal end twistd with a message for a person."""
    try:
        yield
    except (TLSFailure, UsageError, ValueError) as refusal:
        if options.parent is None:
            raise
        raise SystemExit(f"twistd tlscomm: {messageFor(refusal)}") from None


def messageFor(refusal: Exception) -> str:
    """Return what a person is told who started a server that cannot start, with a next step."""
    if isinstance(refusal, RefusedStart):
        return str(refusal)
    if isinstance(refusal, TLSFailure):
        return f"{refusal}\nNext step: {refusal.nextStep}"
    from tlscomm.plans._planproblems import ConfigurationProblems

    if isinstance(refusal, ConfigurationProblems):
        return refusal.told
    return f"{refusal}\n`twistd tlscomm --help` explains every option."
