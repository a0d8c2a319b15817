"""How the supervisor starts the process of a worker, and what that inherits.

It is this program's Python, started anew: with the same module path, environment and folder, and with the words of the
command line as they were typed, none of which is a secret. What is one goes through the channel.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.python.failure import Failure

from tlscomm.processes._connectionnumbers import newNumbersFile
from tlscomm.processes._workerchannel import WorkerChannel
from tlscomm.processes._workerprocess import WorkerProcess
from tlscomm.serving._sockets import ListeningSockets

__all__ = [
    "CHANNEL",
    "FIRST_SOCKET",
    "NUMBERS",
    "RECORDS",
    "Launcher",
    "oneConnection",
    "workerCommand",
    "workerEnvironment",
]

#: The files of a worker, besides standard input, output and error: the channel, its log, the numbers of connections,
#: and the listening sockets.
CHANNEL, RECORDS, NUMBERS, FIRST_SOCKET = 3, 4, 5, 6

_PATH = "TLSCOMM_MODULE_PATH"
_PROGRAM = (
    f"import os, sys; sys.path[:] = os.environ.pop({_PATH!r}).split(os.pathsep); "
    "from tlscomm.server._worker import {main}; {main}()"
)

#: What systemd says to one process, which is not a worker.
_OF_SUPERVISOR = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


def workerCommand(main: str, words: Sequence[str]) -> list[str]:
    """Return the words that start a program of `tlscomm.server._worker`.

    Args:
        main: the name of the function there.
        words: those after ``tlscomm`` on the command line of twistd.
    """
    return [sys.executable, "-c", _PROGRAM.format(main=main), *words]


def workerEnvironment() -> dict[str, str]:
    """Return the environment of such a program."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_SUPERVISOR}
    return {**environment, _PATH: os.pathsep.join(sys.path)}


class Launcher:
    """Starts the processes of workers."""

    def __init__(
        self,
        reactor: Any,
        words: Sequence[str],
        sockets: ListeningSockets,
        facts: Callable[[WorkerProcess], Mapping[str, Any]],
        folder: str | None,
    ) -> None:
        """
        Args:
            reactor: starts processes.
            words: those after ``tlscomm`` on the command line of twistd.
            sockets: are open when the first process is started.
            facts: returns what a process is told, besides its number and its sockets.
            folder: where the program was started; None for where it is now.
        """
        self._reactor = reactor
        self._command = workerCommand("serve", words)
        self._sockets = sockets
        self._facts = facts
        self._folder = folder
        self._numbers = newNumbersFile()

    def __call__(self, worker: WorkerProcess) -> None:
        """Start the process of a worker."""
        ours, theirs = socket.socketpair()
        with ours, theirs, open(os.devnull, "rb") as nothing:
            files: dict[int, int | str] = {0: nothing.fileno(), 1: "r", 2: "r", CHANNEL: theirs.fileno()}
            files |= {RECORDS: "r", NUMBERS: self._numbers.fileno()}
            files |= {FIRST_SOCKET + number: each.socket.fileno() for number, each in enumerate(self._sockets)}
            try:
                process = self._reactor.spawnProcess(
                    _Process(worker),
                    self._command[0],
                    self._command,
                    workerEnvironment(),
                    self._folder,
                    childFDs=files,
                )
            except OSError as problem:
                self._neverStarted(worker, problem)
                return
            channel = WorkerChannel(self._reactor, worker)
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, oneConnection(channel))
        worker.launched(process.pid, channel, partial(_signal, process))
        places = [each.place for each in self._sockets]
        worker.tell("serve", **{**self._facts(worker), "number": worker.number, "places": places})

    def _neverStarted(self, worker: WorkerProcess, problem: OSError) -> None:
        worker.problem = (
            f"{sys.executable} cannot be started: {problem.strerror or problem}\n"
            "Next step: Let the user who the server runs as execute it, and have as many processes as are wanted."
        )
        clock: IReactorTime = self._reactor
        clock.callLater(0, worker.ended, None, None)


class _Process(ProcessProtocol):
    """Tells a worker what its process writes and that it has ended."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._worker.output.received(childFD, data)

    def processEnded(self, reason: Failure) -> None:
        ended: Any = reason.value
        self._worker.ended(0 if isinstance(ended, ProcessDone) else ended.exitCode, ended.signal)


def _signal(process: Any, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessExitedAlready):
        process.signalProcess(number.name.removeprefix("SIG"))


def oneConnection(protocol: Protocol) -> Any:
    """Return a factory for one connection alone, which has its protocol already."""
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    return factory
