"""The program of a worker: a server as `twistd tlscomm` is one, without what its supervisor has for all of them.

It inherits the listening sockets, and is told everything else by the supervisor through the channel. When that is gone
so is the supervisor, and the worker ends in order. A signal for the whole group of processes, as ^C in a terminal, is
for the supervisor, which tells the workers.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from tlscomm._clocks import keepSteady
from tlscomm.failures import TLSFailure, printable
from tlscomm.processes._connectionnumbers import SharedNumbers
from tlscomm.processes._inheritedsockets import InheritedSockets
from tlscomm.processes._launching import CHANNEL, FIRST_SOCKET, NUMBERS, RECORDS, oneConnection
from tlscomm.processes._workerchannel import NoAnswer, RefusedRequest, WorkerChannel
from tlscomm.processes._workerlog import RecordsForSupervisor
from tlscomm.server._collection import leaveOutOfCollections
from tlscomm.server._options import Options, messageFor
from tlscomm.server._processpart import ProcessPart
from tlscomm.server._startcheck import REPORT
from tlscomm.serving._stopping import UNFINISHED
from tlscomm.watching._rereading import nextStepFor

__all__ = ["check", "serve"]

_log = Logger(namespace="tlscomm")

#: Seconds for the supervisor to hear what a worker has counted, at its end.
_LAST_SECONDS = 2.0


def serve() -> None:
    """Serve until the supervisor says otherwise, or is gone."""
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    from twisted.internet import reactor

    from tlscomm.serving._lines import JSONLines

    records = JSONLines(io.FileIO(RECORDS, "wb"), cast(Any, reactor))
    globalLogBeginner.beginLoggingTo([RecordsForSupervisor(records)], redirectStandardIO=True)
    keepSteady(reactor)
    worker = _Worker(reactor, sys.argv[1:])
    worker.connect()
    cast(Any, reactor).run()
    records.finish()
    sys.exit(worker.status)


def check() -> None:
    """Find out whether a server could be started, ask the person at the terminal for pass phrases, and say so.

    What is found is written as one object of JSON on the file that is named in the environment (`REPORT`).
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(int(os.environ.pop(REPORT)), "w", encoding="utf-8") as report:
        try:
            found: dict[str, Any] = {"said": _said(sys.argv[1:])}
        except (TLSFailure, UsageError, ValueError) as refusal:
            found = {"problem": messageFor(refusal)}
        json.dump(found, report)


def _said(words: Sequence[str]) -> dict[str, Any]:
    from twisted.internet import reactor

    from tlscomm.server._fromoptions import checkPlan

    options = Options()
    options.parseOptions(words)
    return checkPlan(options.plan, reactor)


class _Worker:
    """Serves as it is told: the user of the worker's end of the channel.

    Attributes:
        status: the exit status of the process.
    """

    def __init__(self, reactor: Any, words: Sequence[str]) -> None:
        self.status = 0
        self._reactor = reactor
        self._words = words
        self._channel = WorkerChannel(reactor, self)
        self._server: Any = None
        self._prepared: Any = None
        self._isEnding = False
        self._part: ProcessPart | None = None

    def connect(self) -> None:
        """Talk to the supervisor."""
        self._reactor.adoptStreamConnection(CHANNEL, socket.AF_UNIX, oneConnection(self._channel))
        os.close(CHANNEL)

    def told(self, notice: str, facts: dict[str, Any]) -> None:
        if notice == "serve":
            self._serve(facts)
        elif notice == "drain":
            self._end(areAll=facts["areAll"])
        elif notice == "hurry" and self._server is not None:
            self._server.endNow()
        elif notice == "logTraces" and self._server is not None:
            self._server.logRefusedTraces()

    def asked(self, request: str, facts: dict[str, Any]) -> Any:
        answer = getattr(self, f"_asked_{request}", None)
        if answer is None:
            raise RefusedRequest(f"{printable(request)} is no request")
        return answer(**facts)

    def channelEnded(self) -> None:
        self._end(areAll=True)

    def _asked_alive(self) -> Deferred[dict[str, Any]]:
        life: dict[str, Any] = {"connections": sum(len(each.factory.connections) for each in self._server.listeners)}
        if (readiness := self._server.operation.readiness) is not None:
            life["reasons"] = readiness.reasons()
        return self._asked_counts().addCallback(lambda counts: {**life, "counts": counts})

    def _asked_counts(self) -> Deferred[Any]:
        counting = self._server.operation.counting
        return succeed(None) if counting is None else counting.gather().addCallback(lambda counts: counts.toJSON())

    def _asked_status(self, search: str) -> Any:
        status = self._server.operation.status
        return None if status is None else status.snapshot(search)

    def _asked_peers(self) -> Any:
        peers = self._server.operation.peers
        return None if peers is None else peers.told()

    def _asked_trace(self, connection: int) -> Any:
        status = self._server.operation.status
        return None if status is None else status.drawnTrace(connection)

    def _asked_prepare(self, trigger: str) -> Deferred[Any]:
        preparing: Deferred[Any] = maybeDeferred(self._server.prepare, trigger)
        return preparing.addCallback(self._readAgain)

    def _readAgain(self, prepared: Any) -> dict[str, Any]:
        self._prepared = prepared
        changed = [printable(name) for name in prepared.changed]
        return {"problem": _told(prepared.problem), "isChange": prepared.isChange, "changed": changed}

    def _asked_commit(self) -> dict[str, Any]:
        prepared, self._prepared = self._prepared, None
        result = prepared.commit()
        return {"problem": _told(result.problem), "isPartial": result.isPartial}

    def _asked_abort(self, problem: str) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.abort(ValueError(problem))

    def _serve(self, facts: dict[str, Any]) -> None:
        try:
            self._start(facts)
        except SystemExit as refusal:
            self._fail(str(getattr(refusal, "message", refusal)))
        except (TLSFailure, UsageError, ValueError) as refusal:
            self._fail(messageFor(refusal))
        except Exception:
            _log.failure("the worker cannot start")
            self._fail(printable(repr(Failure().value)))

    def _start(self, facts: dict[str, Any]) -> None:
        from tlscomm.server._fromoptions import serviceFor

        options = Options()
        options.parseOptions(self._words)
        self._part = _part(facts, lambda: self._channel.tell("changed"))
        self._server = serviceFor(
            options.plan,
            self._reactor,
            isForeground=facts["isForeground"],
            part=self._part,
            readAgain=options.readPlan,
        )
        self._server.privilegedStartService()
        self._server.startService()
        # The supervisor tells the workers of signals that are for all of them.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(self._stopServer()))
        leaveOutOfCollections()
        self._channel.tell("ready")

    async def _stopServer(self) -> None:
        if not self._isEnding:
            # A signal was for this process alone.
            self._channel.tell("leaving")
        await self._server.stopService()
        self.status = UNFINISHED if self._server.unfinished else 0
        counts = await self._asked_counts()
        # A supervisor that is gone, or has other things to do, does not keep the worker from its end.
        with contextlib.suppress(NoAnswer, RefusedRequest):
            await self._channel.ask("ended", _LAST_SECONDS, counts=counts)

    def _fail(self, message: str) -> None:
        self.status = 1
        self._channel.tell("failed", message=message)
        # What was told goes out first.
        transport: Any = self._channel.transport
        transport.loseConnection()

    def _end(self, *, areAll: bool) -> None:
        if not self._isEnding:
            self._isEnding = True
            if self._part is not None:
                self._part.sockets.areLast = areAll
            # Before it runs, it cannot be stopped.
            self._reactor.callWhenRunning(self._stop)

    def _stop(self) -> None:
        # A signal may have come first.
        with contextlib.suppress(ReactorNotRunning):
            self._reactor.stop()


def _told(problem: BaseException | None) -> dict[str, str] | None:
    """Return what the supervisor is told of a problem."""
    if problem is None:
        return None
    if not isinstance(problem, TLSFailure | ValueError):
        # A bug, or what a module of the program's own raised when it was asked.
        _log.failure("the configuration cannot be read again", Failure(problem))
    return {
        "message": str(problem),
        "code": str(getattr(problem, "code", "other")),
        "nextStep": nextStepFor(problem),
    }


def _part(facts: dict[str, Any], changed: Callable[[], object]) -> ProcessPart:
    inherited: dict[str, list[socket.socket]] = {}
    for number, place in enumerate(facts["places"]):
        inherited.setdefault(place, []).append(socket.socket(fileno=FIRST_SOCKET + number))
    return ProcessPart(
        number=facts["number"],
        count=facts["count"],
        numbers=SharedNumbers(NUMBERS),
        sockets=InheritedSockets(inherited),
        said=facts["said"],
        introduces=facts["introduces"],
        changed=changed,
    )
