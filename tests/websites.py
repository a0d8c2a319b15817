"""What the tests of `tlscomm.web` share: a web site of Twisted's behind our endpoint, and its clients."""

from __future__ import annotations

import json
from typing import Any

from interop import LOOPBACK, PATIENT, InteropCase, credential, reactor, root
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from tlscomm.transport import transportOf
from tlscomm.web import agentFor, peerOf

__all__ = ["Told", "WebCase", "here"]


def here(_: str, port: int) -> IStreamClientEndpoint:
    """Return the way to any host: it is this machine."""
    return TCP4ClientEndpoint(reactor, LOOPBACK, port)


class Body(Protocol):
    """Collects the body of a response, as Twisted's ``readBody`` does, which warns of Twisted's own transports."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._chunks: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        self._chunks.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ResponseDone):
            self.whole.callback(b"".join(self._chunks))
        else:
            self.whole.errback(reason)


class Told(Resource):
    """Answers with what it knows of each request."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        peer = peerOf(request)
        headers = {name.decode(): value[0].decode() for name, value in request.requestHeaders.getAllRawHeaders()}
        facts = {
            "path": request.path.decode(),
            "client": None if peer is None else peer.commonName,
            "alpn": transportOf(request).tls.alpn,
            "headers": headers,
        }
        return json.dumps(facts).encode()


class WebCase(InteropCase):
    """A test with a web site behind our endpoint, and a client over ours."""

    async def site(self, resource: Any = None, **settings: Any) -> int:
        """Start a site and return its port."""
        return await self.serve(Site(Told() if resource is None else resource), **settings)

    def agent(self, kind: str = "good", hosts: Any = ("localhost",), **more: Any) -> Agent:
        """Return an agent that shows a credential of this kind at these hosts, which are all on this machine."""
        settings = {"credential": credential("client", kind), "roots": (root().certificate,), "deadlines": PATIENT}
        return agentFor(reactor, hosts, reachedBy=here, **(settings | more))

    def pool(self) -> HTTPConnectionPool:
        """Return a pool that closes its connections when the test ends."""
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        return pool

    async def get(self, agent: Any, port: int, path: str = "/", host: str = "localhost") -> tuple[int, Any, bytes]:
        """Ask for a page, and return status, headers and body."""
        response = await agent.request(b"GET", f"https://{host}:{port}{path}".encode())
        body = Body()
        response.deliverBody(body)
        return response.code, response.headers, await body.whole

    async def told(self, agent: Any, port: int, path: str = "/", host: str = "localhost") -> Any:
        """Ask `Told` for a page, and return what it knows."""
        return json.loads((await self.get(agent, port, path, host))[2])
