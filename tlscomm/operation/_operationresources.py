"""What an operator's programs ask a server over HTTP: ``/metrics``, ``/live`` and ``/ready``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Cooperator, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from tlscomm.failures._loggedfailure import logFailure
from tlscomm.operation._counts import Counts
from tlscomm.operation._exposition import Exposition
from tlscomm.revocation._backgroundtask import inThread

__all__ = ["healthResources", "metricsResources"]

_log = Logger(namespace="tlscomm")

#: Characters of the Accept field that are looked at.
_LONGEST_ACCEPT = 1000

#: How many times as long as the last scrape took the next one waits, so that however many ask, most of the time is for
#: connections; and seconds that it waits at most.
_REST, _LONGEST_REST = 3, 2.0

_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"

_Readiness = Callable[[], Mapping[str, Any]]


def healthResources(readiness: _Readiness) -> Mapping[str, IResource]:
    """Return the resources that say whether a server lives and whether it is ready, by their paths.

    Args:
        readiness: returns the verdict for JSON; ``ready`` is true or false.
    """
    live = _Live()  # type: ignore[no-untyped-call]
    return {"live": live, "ready": _Ready(readiness)}


def metricsResources(
    clock: IReactorTime, exposition: Exposition, gather: Callable[[], Deferred[Counts]]
) -> Mapping[str, IResource]:
    """Return the resource that has the numbers, by its path.

    Args:
        clock: calls later, and has threads where it is a reactor.
        exposition: writes them.
        gather: brings them up to date.
    """
    return {"metrics": _Metrics(clock, exposition, gather)}


class _Live(Resource):
    """Answers while the reactor turns."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return _answer(request, _JSON, b'{"live": true}\n')


class _Ready(Resource):
    """Says whether the server takes new connections, and why not."""

    isLeaf = True

    def __init__(self, readiness: _Readiness) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._readiness = readiness

    def render_GET(self, request: Request) -> bytes:
        verdict = self._readiness()
        if not verdict["ready"]:
            request.setResponseCode(503)
        return _answer(request, _JSON, json.dumps(verdict).encode() + b"\n")


class _Metrics(Resource):
    """Has the numbers. Those who ask while they are gathered and written get the same."""

    isLeaf = True

    def __init__(self, clock: IReactorTime, exposition: Exposition, gather: Callable[[], Deferred[Counts]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._clock = clock
        self._exposition = exposition
        self._gather = gather
        self._waiting: dict[str, list[Request]] = {}
        self._notBefore = 0.0
        # One part a turn.
        self._cooperator = Cooperator(lambda: lambda: True, lambda step: clock.callLater(0, step))

    def render_GET(self, request: Request) -> int:
        accept = (request.getHeader("accept") or "")[:_LONGEST_ACCEPT]
        kind = self._exposition.contentType(accept)
        if kind in self._waiting:
            self._waiting[kind].append(request)
        else:
            self._waiting[kind] = [request]
            self._write(kind, accept).addErrback(self._broken, kind)
        request.notifyFinish().addErrback(self._gone, kind, request)
        return NOT_DONE_YET

    # Twisted's Request sends no body of an answer to HEAD.
    render_HEAD = render_GET

    def _write(self, kind: str, accept: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._written(kind, accept))

    async def _written(self, kind: str, accept: str) -> None:
        if (rest := self._notBefore - self._clock.seconds()) > 0:
            await deferLater(self._clock, rest)
        began = self._clock.seconds()
        body = await self._body(accept)
        ended = self._clock.seconds()
        self._notBefore = ended + min(_LONGEST_REST, _REST * (ended - began))
        for request in self._waiting.pop(kind):
            request.write(_answer(request, kind, body))
            request.finish()

    async def _body(self, accept: str) -> bytes:
        process = await inThread(self._clock, self._exposition.writeProcess, accept)
        counts = (await self._gather()).copy()
        parts = [process]
        await self._cooperator.cooperate(self._parts(counts, accept, parts)).whenDone()
        return b"".join(parts)

    def _parts(self, counts: Counts, accept: str, parts: list[bytes]) -> Iterator[None]:
        for write in self._exposition.write(counts, accept):
            parts.append(write())
            yield

    def _gone(self, _: Failure, kind: str, request: Request) -> None:
        """Who asked has gone away."""
        waiting = self._waiting.get(kind, [])
        if request in waiting:
            waiting.remove(request)

    def _broken(self, reason: Failure, kind: str) -> None:
        logFailure(_log, "the metrics cannot be told", reason)
        for request in self._waiting.pop(kind, []):
            request.setResponseCode(500)
            request.write(_answer(request, _TEXT, b"The metrics cannot be told; the log says why.\n"))
            request.finish()


def _answer(request: Request, kind: str, body: bytes) -> bytes:
    request.setHeader("content-type", kind)
    request.setHeader("content-length", str(len(body)))
    return body
