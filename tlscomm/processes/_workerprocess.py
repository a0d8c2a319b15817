"""One worker as its supervisor sees it: a process, the channel to it, what it writes, and where it is in its life."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from tlscomm.failures import printable
from tlscomm.processes._workerchannel import NoAnswer, WorkerChannel
from tlscomm.processes._workerlog import WorkerOutput

__all__ = ["WorkerOwner", "WorkerProcess", "WorkerState"]

_log = Logger(namespace="tlscomm")

_LONGEST_MESSAGE = 2000


class WorkerState(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    #: It takes no new connections, because it was told to end.
    DRAINING = "draining"
    ENDED = "ended"


class WorkerOwner(Protocol):
    """Is told of a worker."""

    def workerReady(self, worker: WorkerProcess) -> None:
        """It takes connections."""

    def workerLeaving(self, worker: WorkerProcess) -> None:
        """It takes no new connections, because of a signal that was for it alone."""

    def workerChanged(self, worker: WorkerProcess) -> None:
        """It has seen that files of its configuration have changed."""

    def workerCounted(self, worker: WorkerProcess, counts: object) -> None:
        """It has said what it has counted up to its end."""

    def workerEnded(self, worker: WorkerProcess) -> None:
        """The process has ended."""


class WorkerProcess:
    """One process that serves.

    Attributes:
        number: the worker's, from 1. The process that takes the place of one that has ended has the same.
        serial: the process's, among all that the supervisor has started.
        started: when it was started, in seconds since 1970.
        state: where it is in its life.
        hasServed: whether it has ever taken connections.
        wasToldToEnd: whether the supervisor has told it to end.
        pid: the process's number in the system; None before it has one.
        ending: how it has ended, in words.
        status: its exit status; None before it has one, and where a signal has ended it.
        problem: why it could not serve, in its own words; empty where it did not say.
        unanswered: how many times in a row it has not said that it lives.
        life: what it said last about itself: ``connections``, ``reasons`` why it is not ready, ``counts``.
        generation: of the configuration that it has read (`CommonReload.generation`).
        output: what it writes.
    """

    def __init__(
        self, number: int, serial: int, started: float, owner: WorkerOwner, passOn: Callable[[bytes], object]
    ) -> None:
        """
        Args:
            number: the worker's.
            serial: the process's.
            started: in seconds since 1970.
            owner: is told of it.
            passOn: takes its events as lines of JSON.
        """
        self.number = number
        self.serial = serial
        self.started = started
        self.state = WorkerState.STARTING
        self.hasServed = False
        self.wasToldToEnd = False
        self.pid: int | None = None
        self.ending = ""
        self.status: int | None = None
        self.problem = ""
        self.unanswered = 0
        self.life: Mapping[str, Any] = {}
        self.generation = 0
        self.output = WorkerOutput(number, passOn)
        self._owner = owner
        self._channel: WorkerChannel | None = None
        self._sendSignal: Callable[[signal.Signals], object] = lambda _: None

    def __str__(self) -> str:
        return f"worker {self.number}" if self.pid is None else f"worker {self.number} (pid {self.pid})"

    def launched(self, pid: int | None, channel: WorkerChannel, sendSignal: Callable[[signal.Signals], object]) -> None:
        """The process was started.

        Args:
            pid: its number.
            channel: goes to it.
            sendSignal: sends it a signal, if it is still there.
        """
        self.pid = pid
        self._channel = channel
        self._sendSignal = sendSignal

    @property
    def why(self) -> str:
        """Why it has ended: what it has said itself, else how."""
        return self.problem or self.ending

    def tell(self, notice: str, **facts: Any) -> None:
        """Say something to it; see `WorkerChannel.tell`."""
        if self._channel is not None:
            self._channel.tell(notice, **facts)

    def ask(self, request: str, seconds: float, **facts: Any) -> Deferred[Any]:
        """Ask it for something; see `WorkerChannel.ask`."""
        if self._channel is None:
            return fail(NoAnswer("it has not started"))
        return self._channel.ask(request, seconds, **facts)

    def drain(self, *, areAll: bool) -> None:
        """Have it take no new connections, and end when the open ones have.

        Args:
            areAll: whether all workers are to end, so that no other accepts the clients who wait.
        """
        if self.state is not WorkerState.ENDED:
            self.state, self.wasToldToEnd = WorkerState.DRAINING, True
            self.tell("drain", areAll=areAll)

    def kill(self) -> None:
        """End it now."""
        if self.state is not WorkerState.ENDED:
            self._sendSignal(signal.SIGKILL)

    def told(self, notice: str, facts: dict[str, Any]) -> None:
        """It has said something: `ChannelUser.told`."""
        if notice == "ready" and self.state is WorkerState.STARTING:
            self.state, self.hasServed = WorkerState.READY, True
            self._owner.workerReady(self)
        elif notice == "failed":
            self.problem = _paragraph(facts["message"])
        elif notice == "leaving" and self.state is WorkerState.READY:
            self.state = WorkerState.DRAINING
            self._owner.workerLeaving(self)
        elif notice == "changed" and self.state is WorkerState.READY:
            self._owner.workerChanged(self)

    def asked(self, request: str, facts: dict[str, Any]) -> Any:
        """It says what it has counted, and ends when that was heard: `ChannelUser.asked`."""
        if request != "ended":
            raise ValueError(f"a worker cannot ask for {printable(request)}")
        self._owner.workerCounted(self, facts["counts"])

    def channelEnded(self) -> None:
        """A process that cannot be talked to cannot be supervised: `ChannelUser.channelEnded`.

        One that has said why it cannot serve ends by itself.
        """
        if self.state is not WorkerState.DRAINING and not self.problem:
            self.kill()

    def ended(self, status: int | None, number: int | None) -> None:
        """The process has ended.

        Args:
            status: its exit status; None where a signal has ended it.
            number: that of the signal.
        """
        self.output.ended()
        self.status = status
        self.ending = _ending(status, number)
        self.state = WorkerState.ENDED
        self._owner.workerEnded(self)


def _ending(status: int | None, number: int | None) -> str:
    if number is None and status is None:
        return "could not be started"
    if number is None:
        return f"has ended with exit status {status}"
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"was ended by signal {number}"


def _paragraph(text: object) -> str:
    return "\n".join(printable(line) for line in str(text)[:_LONGEST_MESSAGE].split("\n"))
