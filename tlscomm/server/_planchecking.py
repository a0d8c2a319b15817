"""What of a plan cannot be done: each thing is tried by itself, so that all that is wrong is told at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from twisted.internet.task import Clock
from twisted.python.usage import UsageError

from tlscomm.configuration._fromsettings import identitiesOf, loadRoots
from tlscomm.configuration._identities import loadIdentity
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import FileNotFound, PassphraseRequired, TLSFailure, printable
from tlscomm.limits import Limits
from tlscomm.operation._operation import SITES, Operation
from tlscomm.plans._plan import ListenerPlan, Origin, ServerPlan
from tlscomm.plans._planproblems import ConfigurationProblems, PlanProblem
from tlscomm.revocation import Revocation, Staple
from tlscomm.server._applications import hookNamed
from tlscomm.server._configuring import Configuring
from tlscomm.server._listenerparts import applicationFrom, placeFrom, siteEndpoint
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.transport._eventlog import EventLog, writeText

__all__ = [
    "failedAttempts",
    "madeOf",
    "problemsIn",
    "processProblems",
    "requireProcess",
    "restartNeeded",
    "withProblemsOfFiles",
]

_CHECK_PATH = "Check the path. A relative path starts at the folder of the file that names it."

_T = TypeVar("_T")

_REFUSALS = (TLSFailure, UsageError, ValueError)

#: What a running server takes of a listener: all that its configuration is made of, and nothing that decides how its
#: ports are opened or what makes its protocols.
_TAKEN = frozenset(each.name for each in settingsOn(Interface.SERVER_STRING))
_TAKEN |= {"hook", "hookTimeout", "renewCommand", "renewBefore"}
_TAKEN -= {"proxyFrom", "proxyProtocol", "upgrade"}
#: What it takes where a listener has proxies before and after.
_OF_PROXIES = frozenset({"proxyFrom", "proxyProtocol"})
#: What a running process can take.
_CHANGEABLE = frozenset(each.name for each in fields(Limits))


def madeOf(
    plan: ServerPlan, configuring: Configuring, make: Callable[[Mapping[str, Any]], _T], *, isRunning: bool = False
) -> list[_T]:
    """Return what is made of the settings of each listener.

    Args:
        plan: what is to be served.
        configuring: makes configurations.
        make: is given the settings of a listener.
        isRunning: whether the listeners run already, so that their applications are none to be made.

    Raises:
        ConfigurationProblems: files describe some that cannot be made; it tells all that is wrong with all of them.
    """
    made: list[_T] = []
    problems: list[PlanProblem] = []
    for listener in plan.listeners:
        try:
            made.append(make(listener.settings))
        except _REFUSALS as refusal:
            if not listener.origin.file:
                raise
            # What was not tried by itself, as a socket of systemd's, is refused here alone.
            problems += problemsIn(listener, configuring, isRunning=isRunning) or [_problem(listener.origin, refusal)]
    if problems:
        raise ConfigurationProblems(problems)
    return made


def problemsIn(listener: ListenerPlan, configuring: Configuring, *, isRunning: bool = False) -> list[PlanProblem]:
    """Return all that cannot be done of what a listener is to do, each with its place. No port is opened.

    Args:
        listener: what is to be served.
        configuring: makes its configuration, as if that was read again.
        isRunning: whether it runs already, so that its application is none to be made.
    """
    problems = failedAttempts(listener, configuring, isRunning=isRunning)
    try:
        configuring.again(listener.settings)
    except _REFUSALS as problem:
        # What is told already comes again here, if nothing worse does.
        if not problems:
            isOurs = isinstance(problem, TLSFailure) and problem.stage == "credential"
            problems.append(_problem(listener.originOf("identity") if isOurs else listener.origin, problem))
    return problems


def processProblems(plan: ServerPlan) -> list[PlanProblem]:
    """Return what cannot be done of what the whole process is to do. No port is opened, and no file is made."""
    problems = []
    try:
        Limits.fromSettings(plan.settings)
    except ValueError as problem:
        problems.append(_problem(Origin(plan.listeners[0].origin.file), problem))
    clock, sockets = Clock(), ListeningSockets()
    sites = {name: plan.settings[name] for name in SITES if plan.settings.get(name) is not None}
    for name, place in sites.items():
        try:
            operation = Operation(clock, {name: place}, EventLog(writeText, clock), list)
            operation.sites(partial(siteEndpoint, clock, sockets))
        except _REFUSALS as problem:
            problems.append(_problem(plan.originOf(name), problem))
    if plan.settings["logFormat"] == "journal" and plan.settings.get("logFile"):
        text = "logFile: logFormat journal writes into systemd's journal; leave one of them out"
        problems.append(PlanProblem(plan.originOf("logFile"), text))
    for name in ("trace", "capture", "keylog", "logFile", "handover"):
        path = plan.settings.get(name)
        if isinstance(path, str) and (why := _whyNotWritable(path, name)):
            problems.append(PlanProblem(plan.originOf(name), f"{name}: {printable(path)} cannot be written: {why}"))
    return problems


def requireProcess(plan: ServerPlan) -> None:
    """See that what files say of the whole process can be done. What a command line says is found out on the way.

    Raises:
        ConfigurationProblems: it cannot; what cannot be done of the listeners is told with it.
    """
    if plan.files and (found := processProblems(plan)):
        raise withProblemsOfFiles(plan, found)


def _whyNotWritable(path: str, name: str) -> str:
    """Return why what a setting names cannot be written; nothing where it can."""
    # The socket of a server that is to be replaced is there, and is made anew.
    if os.path.lexists(path) and name != "handover":
        if os.path.isdir(path) is not (name == "trace"):
            return "it is no folder" if name == "trace" else "it is a folder"
        return "" if os.access(path, os.W_OK) else "this user may not write it"
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return f"there is no folder {printable(folder)}"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"this user may not write in {printable(folder)}"


def withProblemsOfFiles(plan: ServerPlan | None, problems: list[PlanProblem]) -> ConfigurationProblems:
    """Return what is wrong with a plan, with what is wrong with the files that it names.

    Args:
        plan: as far as it could be read.
        problems: what was wrong with what was read. What may follow from that alone is not told.
    """
    configuring = Configuring()
    listeners = () if plan is None else plan.listeners
    named = (listener for listener in listeners if listener.settings["identity"])
    found = [each for listener in named for each in failedAttempts(listener, configuring)]
    known = {each.origin for each in problems}
    # A person may know the pass phrase, and is not asked for the sake of a configuration that cannot be used.
    new = [each for each in found if not isinstance(each.failure, PassphraseRequired) and each.origin not in known]
    return ConfigurationProblems([*problems, *new])


def restartNeeded(before: ServerPlan, now: ServerPlan) -> list[PlanProblem]:
    """Return what a running server cannot take of a plan that was read again.

    Args:
        before: what it runs with.
        now: what was read.
    """
    problems = [
        _restart(now.originOf(name), f"{name} has changed")
        for name in _changed(before.settings, now.settings)
        if name not in _CHANGEABLE
    ]
    former = {listener.name: listener for listener in before.listeners}
    for listener in now.listeners:
        if listener.name not in former:
            problems.append(_restart(listener.origin, f"the listener {printable(listener.name)} is new"))
            continue
        settings = former.pop(listener.name).settings
        taken = _TAKEN | _OF_PROXIES if settings["proxyFrom"] and listener.settings["proxyFrom"] else _TAKEN
        changed = (name for name in _changed(settings, listener.settings) if name not in taken)
        problems += [_restart(listener.originOf(name), f"{name} has changed") for name in changed]
    for gone in former.values():
        problems.append(_restart(Origin(gone.origin.file), f"the listener {printable(gone.name)} is gone"))
    return problems


def failedAttempts(listener: ListenerPlan, configuring: Configuring, *, isRunning: bool = False) -> list[PlanProblem]:
    """Return what cannot be done of what can be tried by itself, each with its place; arguments as of `problemsIn`."""
    problems = []
    settings = listener.settings
    parts = () if isRunning else _partAttempts(settings)
    # Whether one is made may depend on what came of those before it.
    for name, number, attempt in chain(parts, _configurationAttempts(settings, configuring)):
        try:
            attempt()
        except _REFUSALS as problem:
            problems.append(_problem(listener.originOf(name, number), problem))
    return problems


def _restart(origin: Origin, what: str) -> PlanProblem:
    return PlanProblem(origin, f"{what}, which needs a restart", "Restart the server, or take that back.")


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in {**before, **now} if before.get(name) != now.get(name)]


def _problem(origin: Origin, problem: Exception) -> PlanProblem:
    found = PlanProblem.of(origin, problem)
    if origin.file and isinstance(problem, FileNotFound):
        return replace(
            found, nextStep="Check the path. A relative path starts at the folder of the file that names it."
        )
    # Options are spelled with hyphens in front, settings in files without.
    isOption = origin.file and found.failure is None
    return PlanProblem(origin, found.message.removeprefix("--"), found.nextStep) if isOption else found


_Attempt = tuple[str, int, Callable[[], object]]


def _partAttempts(settings: Mapping[str, Any]) -> Iterator[_Attempt]:
    """Return what can be tried of the parts of a listener, each with its setting, and the number of the value."""
    clock, sockets = Clock(), ListeningSockets()
    for number, place in enumerate(settings["listen"]):
        # A process that systemd did not start for that has no socket of systemd's.
        if not place.startswith("systemd:"):
            yield "listen", number, partial(placeFrom, place, settings, clock, sockets)
    yield "forward" if settings["forward"] else "application", -1, partial(applicationFrom, settings, clock)


def _configurationAttempts(settings: Mapping[str, Any], configuring: Configuring) -> Iterator[_Attempt]:
    """Return what can be tried of its configuration, in the same way."""
    if "hook" in settings:
        yield "hook", -1, partial(hookNamed, settings["hook"])
    given = configuring.given(settings)
    identities = identitiesOf(given, configuring.person.remember)
    yield from _identityAttempts(settings, identities.load, identities.passphrase)
    for name in ("clientRoots", "intermediates"):
        for number, source in enumerate(settings[name]):
            yield name, number, partial(loadRoots, source, identities.passphrase, "client")
    for number, source in enumerate(settings["crl"]):
        yield "crl", number, partial(Revocation, files=[source])
    for number, source in enumerate(settings["staple"]):
        if source != "fetch":
            yield "staple", number, partial(Staple, [source])


def _identityAttempts(settings: Mapping[str, Any], load: Callable[[], object], passphrase: Any) -> Iterator[_Attempt]:
    sources: Sequence[str] = settings["identity"]
    if len(sources) <= 1:
        yield "identity", 0, load
        return
    isReadable = settings["insecureAllowReadableKey"]
    wrong: list[int] = []

    def one(number: int) -> None:
        wrong.append(number)
        loadIdentity(sources[number], passphrase=passphrase, insecureAllowReadableKey=isReadable)
        wrong.pop()

    for number in range(len(sources)):
        yield "identity", number, partial(one, number)
    if not wrong:
        yield "key", -1, load
