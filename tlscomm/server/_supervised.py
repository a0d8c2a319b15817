"""The supervisor that the options of ``twistd tlscomm`` describe, ready to be started."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from twisted.internet.interfaces import IReactorProcess
from twisted.logger import Logger
from twisted.python.usage import UsageError

from tlscomm.failures import printable
from tlscomm.plans._plan import ServerPlan
from tlscomm.plans._shownsettings import shownSettings
from tlscomm.processes._commonoperation import CommonOperation
from tlscomm.processes._launching import Launcher
from tlscomm.processes._supervisor import Supervisor
from tlscomm.processes._workerprocess import WorkerProcess
from tlscomm.server._fromoptions import complainOnTerminal
from tlscomm.server._listenerparts import endpointFor, siteEndpoint
from tlscomm.server._startcheck import whatWasSaid
from tlscomm.serving._eventlog import eventLog, onStandardOutput
from tlscomm.serving._lines import Lines
from tlscomm.serving._logfile import openLogFile
from tlscomm.serving._notifying import systemdObserver
from tlscomm.serving._observers import Observers
from tlscomm.serving._ports import complainInLog
from tlscomm.serving._sockets import ListeningSockets
from tlscomm.serving._stopping import endProgram

__all__ = ["supervisorFor"]

_log = Logger(namespace="tlscomm")


def supervisorFor(
    plan: ServerPlan, words: Sequence[str], reactor: Any, *, isForeground: bool, folder: str | None
) -> Supervisor:
    """Return the supervisor of a server of several processes. It has found out that such a process can start.

    Args:
        plan: what is to be served.
        words: those after ``tlscomm`` on the command line of twistd, which say the same.
        reactor: starts processes and tells the time.
        isForeground: whether the server keeps its terminal.
        folder: where the words were typed; None where that is no place in the new root any more.

    Raises:
        UsageError: the server cannot start; the message says why.
    """
    hasProcesses = IReactorProcess.providedBy(cast(object, reactor)) and hasattr(socket, "AF_UNIX")
    if not hasProcesses:
        raise UsageError("--processes: this system, or this reactor, has no processes that can share sockets")
    places = [place for each in plan.listeners for place in each.settings["listen"]]
    for place in places:
        endpointFor(reactor, place, ListeningSockets())
    said = whatWasSaid(words, {number for each in plan.listeners for number in each.settings["passphraseFD"]})
    # What workers log is logged here, and so is in the file.
    lines: Lines | None = openLogFile(plan.settings, reactor)
    if plan.settings["logFormat"] != "json":
        lines = None
    elif lines is None and isForeground:
        lines = onStandardOutput(reactor)
    log = eventLog(plan.settings["logFormat"], reactor, foreground=lines is not None, lines=lines)
    complain = complainOnTerminal if isForeground else complainInLog
    sockets = ListeningSockets(reusePort=plan.settings["reusePort"])
    operation = CommonOperation(reactor, plan.settings, log, lambda: supervisor.workers, partial(shownSettings, plan))
    systemd = systemdObserver(
        reactor, lambda: supervisor.connections, isWell=lambda: any(not each.unanswered for each in supervisor.workers)
    )
    supervisor = Supervisor(
        reactor,
        places,
        sockets,
        Launcher(reactor, words, sockets, partial(_factsFor, plan, said, lines is not None), folder),
        Observers(log, [*operation.observers, *(() if systemd is None else (systemd,))]),
        count=plan.settings["processes"],
        drainDelay=plan.settings.get("drainDelay"),
        drainTimeout=plan.settings["drainTimeout"],
        handover=plan.settings.get("handover"),
        passOn=_logLine if lines is None else lines.take,
        numbers=operation.numbers,
        complain=complain,
        endProgram=partial(endProgram, reactor),
    )
    siteSockets = sockets.others()
    sites = operation.sites(partial(siteEndpoint, reactor, siteSockets), siteSockets, complain)
    if sites is not None:
        sites.setServiceParent(supervisor)  # type: ignore[no-untyped-call]
    return supervisor


def _factsFor(plan: ServerPlan, said: Mapping[str, Any], isForeground: bool, worker: WorkerProcess) -> dict[str, Any]:
    """Return what a worker is told."""
    count = plan.settings["processes"]
    return {"said": said, "count": count, "introduces": worker.serial == 1, "isForeground": isForeground}


def _logLine(line: bytes) -> None:
    _log.info("{text}", text=printable(line.decode("utf-8", "replace")))
