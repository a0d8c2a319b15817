"""An HTTP site for an operator's programs, on a port of its own.

It may be open to strangers, so it is narrow: GET and HEAD alone, no bodies, few connections, and no word of what runs
here in errors. It is twisted.web's site with that taken away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from io import BytesIO
from typing import cast

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

__all__ = ["OperationSite"]

#: Connections at a time. One more ends the one that has been there for longest.
_MOST_CONNECTIONS = 64
#: Seconds without a byte. A scraper that comes each minute keeps its connection.
_IDLE_SECONDS = 75

_HEADERS = {
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}


class OperationSite(WrappingFactory):
    """The factory of a site.

    Attributes:
        paths: what can be asked for, each with a slash in front.
        isLocal: whether it is for this machine alone. Names in the Host field are then refused but for ``localhost``,
            so that no page of another site, whose name leads here, can have a browser ask.
    """

    noisy = False

    def __init__(self, clock: IReactorTime, resources: Mapping[str, IResource]) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            resources: by their paths, without a slash in front; ``""`` is the page at ``/``.
        """
        self.paths = tuple(f"/{path}" for path in resources)
        self._site = _Site(_Root(resources, self.paths), reactor=clock)
        super().__init__(self._site)  # type: ignore[no-untyped-call]
        self.protocol = _Connection
        self._connections: dict[_Connection, None] = {}

    @property
    def isLocal(self) -> bool:
        return self._site.isLocal

    @isLocal.setter
    def isLocal(self, isLocal: bool) -> None:
        self._site.isLocal = isLocal

    def buildProtocol(self, addr: IAddress | None) -> _Connection:
        if len(self._connections) >= _MOST_CONNECTIONS:
            next(iter(self._connections)).cut()
        return cast(_Connection, super().buildProtocol(addr))

    def registerProtocol(self, p: _Connection) -> None:
        super().registerProtocol(p)  # type: ignore[no-untyped-call]
        self._connections[p] = None

    def unregisterProtocol(self, p: _Connection) -> None:
        super().unregisterProtocol(p)  # type: ignore[no-untyped-call]
        self._connections.pop(p, None)

    def close(self) -> None:
        """End all connections."""
        for each in tuple(self._connections):
            each.loseConnection()  # type: ignore[no-untyped-call]


class _Connection(ProtocolWrapper):
    """One connection of the site."""

    def cut(self) -> None:
        """End it at once."""
        # It is gone for the factory now, and not in a later turn.
        cast(OperationSite, self.factory)._connections.pop(self, None)
        self.abortConnection()


class _Request(Request):
    """A request without a body."""

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Throw it away: nothing here takes any."""

    def process(self) -> None:
        if self.method in (b"GET", b"HEAD"):
            super().process()  # type: ignore[no-untyped-call]
        else:
            self.setHeader(b"allow", b"GET, HEAD")  # type: ignore[no-untyped-call]
            self._refuse(405, b"Method Not Allowed", "Only GET and HEAD are understood here.")

    def render(self, resrc: Resource) -> None:
        site = cast(_Site, self.site)
        if site.isLocal and not _isLocalName(self.getHeader("host") or ""):
            self._refuse(
                421, b"Misdirected Request", "This is for this machine alone: ask for localhost, or for the address."
            )
        else:
            super().render(resrc)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        if not self.startedWriting:
            # What runs here, in which version, is not for strangers.
            self.responseHeaders.removeHeader(b"server")
            for name, value in _HEADERS.items():
                if not self.responseHeaders.hasHeader(name):
                    self.setHeader(name, value)  # type: ignore[no-untyped-call]
        super().write(data)  # type: ignore[no-untyped-call]

    def _refuse(self, code: int, phrase: bytes, sentence: str) -> None:
        self.setResponseCode(code, phrase)
        _say(self, sentence)
        self.finish()  # type: ignore[no-untyped-call]


class _Site(Site):
    """Twisted's site, which writes no line for each request into the log, and speaks HTTP/1.1 alone.

    Attributes:
        isLocal: whether it is for this machine alone.
    """

    requestFactory = _Request
    noisy = False
    isLocal = False

    def __init__(self, resource: Resource, reactor: IReactorTime) -> None:
        super().__init__(resource, requestFactory=_Request, timeout=_IDLE_SECONDS, reactor=reactor)  # type: ignore[no-untyped-call]

    def startFactory(self) -> None:
        """It has no log to open."""

    def stopFactory(self) -> None:
        """Nor one to close."""

    def log(self, request: object) -> None:
        """Write nothing."""

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]


class _Root(Resource):
    """Finds the resource of a path."""

    def __init__(self, resources: Mapping[str, IResource], paths: tuple[str, ...]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._paths = paths
        for path, resource in resources.items():
            self.putChild(path.encode("ascii"), resource)

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _NotFound(f"There is nothing here. Ask for {', '.join(sorted(self._paths))}.")


class _NotFound(Resource):
    """Says what there is."""

    isLeaf = True

    def __init__(self, sentence: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sentence = sentence

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(404)
        return _said(request, self._sentence)


def _say(request: Request, sentence: str) -> None:
    request.write(_said(request, sentence))


def _said(request: Request, sentence: str) -> bytes:
    body = sentence.encode() + b"\n"
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


def _isLocalName(host: str) -> bool:
    """Return whether a Host field names this machine, or an address: no name of another site does."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower() in ("", "localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
