"""What a server does now, over HTTP: a page for people, the same as JSON, and the handshakes that were refused."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from tlscomm.failures._loggedfailure import logFailure

__all__ = ["StatusSource", "statusResources"]

_log = Logger(namespace="tlscomm")

_HTML, _JSON, _TEXT = b"text/html; charset=utf-8", b"application/json", b"text/plain; charset=utf-8"

#: Characters of what is searched for.
_LONGEST_SEARCH = 200
#: Seconds between two times that a browser asks by itself.
_LEAST_REFRESH, _MOST_REFRESH = 2, 3600
#: Digits of a connection's number.
_LONGEST_NUMBER = 15


class StatusSource(Protocol):
    """What tells the status of one process, or of several that are one server."""

    def snapshot(self, search: str = "") -> Deferred[dict[str, Any]]:
        """Return the object; see `tlscomm.operation._status.Status.snapshot`."""

    def drawnTrace(self, number: int) -> Deferred[str | None]:
        """Return the page that explains a refused connection, or None where nothing is kept of it."""


class PeersSource(Protocol):
    """What tells who a server's peers are."""

    def told(self) -> Deferred[str]:
        """Return the object as JSON; see `tlscomm.operation._seenpeers.SeenPeers.told`."""


def statusResources(source: StatusSource, peers: PeersSource | None = None) -> Mapping[str, IResource]:
    """Return the resources of the status by their paths, for a site.

    Args:
        source: is asked for each request.
        peers: in the same way, where peers are told of.
    """
    resources: dict[str, IResource] = {
        "": _Page(source),
        "status.json": _Object(source),
        "traces": _Traces(source),
    }
    return resources if peers is None else {**resources, "peers.json": _Peers(peers)}


class _Answer(Resource, ABC):
    """A resource whose answer takes a few turns of the reactor."""

    isLeaf = True

    def render_GET(self, request: Request) -> int:
        answering = self._answer(request)
        answering.addErrback(_broken, request)
        # A client that goes away is answered no more, and Twisted refuses to end what has ended.
        request.notifyFinish().addErrback(lambda _: answering.cancel())
        answering.addCallbacks(lambda _: request.finish(), lambda _: None)
        return NOT_DONE_YET

    # Twisted's Request sends no body of an answer to HEAD.
    render_HEAD = render_GET

    @abstractmethod
    def _answer(self, request: Request) -> Deferred[None]:
        """Write the answer."""


class _OfStatus(_Answer):
    """One that tells of the status."""

    def __init__(self, source: StatusSource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = source


class _Page(_OfStatus):
    """The page."""

    def _answer(self, request: Request) -> Deferred[None]:
        # Its template library is loaded when the page is asked for.
        from tlscomm.drawing import drawStatus

        refresh = _refresh(request)
        snapshot = self._source.snapshot(_argument(request, "search"))
        return snapshot.addCallback(lambda status: _write(request, _HTML, drawStatus(status, refresh=refresh)))


class _Object(_OfStatus):
    """The same as JSON."""

    def _answer(self, request: Request) -> Deferred[None]:
        snapshot = self._source.snapshot(_argument(request, "search"))
        return snapshot.addCallback(lambda status: _write(request, _JSON, json.dumps(status) + "\n"))


class _Peers(_Answer):
    """Who the peers are, with their certificates."""

    def __init__(self, source: PeersSource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = source

    def _answer(self, request: Request) -> Deferred[None]:
        return self._source.told().addCallback(lambda text: _write(request, _JSON, text))


class _Trace(_OfStatus):
    """One handshake that was refused."""

    def __init__(self, source: StatusSource, number: int) -> None:
        super().__init__(source)
        self._number = number

    def _answer(self, request: Request) -> Deferred[None]:
        return self._source.drawnTrace(self._number).addCallback(self._show, request)

    def _show(self, page: str | None, request: Request) -> None:
        if page is not None:
            _write(request, _HTML, page)
            return
        request.setResponseCode(404)
        _write(
            request,
            _TEXT,
            f"No trace of connection {self._number} is kept. --refused-traces N keeps those of the last N connections "
            "that were refused.\n",
        )


class _Traces(Resource):
    """The handshakes that were refused, by their numbers."""

    def __init__(self, source: StatusSource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._source = source

    def getChild(self, path: bytes, request: Request) -> IResource:
        isNumber = path.isdigit() and len(path) <= _LONGEST_NUMBER
        return _Trace(self._source, int(path) if isNumber else -1)


def _argument(request: Request, name: str) -> str:
    values = (request.args or {}).get(name.encode(), [b""])
    text: str = values[0].decode("utf-8", "replace")
    return text[:_LONGEST_SEARCH].strip()


def _refresh(request: Request) -> int | None:
    text = _argument(request, "refresh")
    if not (text.isascii() and text.isdigit()):
        return None
    return max(_LEAST_REFRESH, min(_MOST_REFRESH, int(text)))


def _write(request: Request, kind: bytes, text: str) -> None:
    request.setHeader(b"content-type", kind)
    body = text.encode()
    request.setHeader(b"content-length", b"%d" % len(body))
    request.write(body)


def _broken(reason: Failure, request: Request) -> None:
    if reason.check(CancelledError):
        reason.raiseException()
    logFailure(_log, "the status cannot be told", reason)
    request.setResponseCode(500)
    _write(request, _TEXT, "The status cannot be told; the log says why.\n")
