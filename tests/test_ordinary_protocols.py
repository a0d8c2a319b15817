"""Twisted's own protocols over tlscomm endpoints: written without a thought of tlscomm, and none is needed."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

from forkserver import python
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from interop import (
    LOOPBACK,
    PATIENCE,
    PATIENT,
    InteropCase,
    authorityFile,
    clientContext,
    credential,
    files,
    reactor,
    root,
)
from twisted.internet.defer import Deferred, DeferredQueue, gatherResults
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    clientFromString,
    connectProtocol,
    quoteStringArgument,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.protocols.amp import AMP, Command, Integer, Unicode
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http import HTTPChannel
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.transport import transportOf

#: More than any buffer on the way holds.
LARGE = 20_000_000


class OrdinaryCase(InteropCase):
    """A test with our endpoints on both sides, and nothing else of ours."""

    def endpoint(self, port: int, **settings: Any) -> IStreamClientEndpoint:
        """Return our client endpoint for a port of this machine."""
        configuration = ClientConfiguration(
            serverName="localhost",
            roots=(root().certificate,),
            credential=credential("client"),
            deadlines=PATIENT,
            **settings,
        )
        return TLSClientEndpoint(reactor, TCP4ClientEndpoint(reactor, LOOPBACK, port), configuration)


class Lines(LineReceiver):
    """A protocol that keeps the lines that it gets, and one that ends when it is asked to."""

    def __init__(self) -> None:
        self.lines: DeferredQueue[bytes] = DeferredQueue()
        self.lost: Deferred[BaseException] = Deferred()

    def connectionMade(self) -> None:
        self.sendLine(b"welcome")

    def lineReceived(self, line: bytes) -> None:
        self.lines.put(line)
        if line == b"quit":
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        self.lost.callback(reason.value)


class LineReceiverTests(OrdinaryCase):
    async def test_conversation(self) -> None:
        """Lines pass in both directions, from the first moment on, until one side ends it."""
        port = await self.serve(Factory.forProtocol(Lines))
        client: Any = await self.endpoint(port).connect(Factory.forProtocol(Lines))
        transport = await self.record.next("accepted")
        server = transport.protocol
        self.assertEqual(await client.lines.get(), b"welcome")
        self.assertEqual(await server.lines.get(), b"welcome")
        server.sendLine("你好".encode())
        self.assertEqual(await client.lines.get(), "你好".encode())
        client.sendLine(b"quit")
        self.assertIsNone(await self.record.next("closed"))
        await client.lost


class Difference(Command):
    arguments = [(b"a", Integer()), (b"b", Integer())]
    response = [(b"difference", Integer()), (b"by", Unicode())]


class Subtracting(AMP):
    """Answers, and can ask the other side the same."""

    @Difference.responder
    def subtract(self, a: int, b: int) -> dict[str, object]:
        return {"difference": a - b, "by": self.transport.getPeer().host}


class AMPTests(OrdinaryCase):
    async def test_bothDirections(self) -> None:
        """Either side can call the other, any number of calls at once."""
        port = await self.serve(Factory.forProtocol(Subtracting))
        client: Any = await self.endpoint(port).connect(Factory.forProtocol(Subtracting))
        server: Any = (await self.record.next("accepted")).protocol
        calls = [side.callRemote(Difference, a=n, b=1) for n in range(100) for side in (client, server)]
        answers = await gatherResults(calls)
        self.assertEqual([answer["difference"] for answer in answers], [n - 1 for n in range(100) for _ in range(2)])
        client.transport.loseConnection()
        self.assertIsNone(await self.record.next("closed"))


class Mirror(Resource):
    """Answers with what it was sent, or with what it knows of the request."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        facts = {
            "isSecure": request.isSecure(),
            "alpn": transportOf(request).tls.alpn,
            "client": transportOf(request).peer.dnsNames,
            "address": request.getClientAddress().host,
        }
        return json.dumps(facts).encode()

    def render_POST(self, request: Request) -> bytes:
        return request.content.read()


class WebCase(OrdinaryCase):
    async def web(self) -> int:
        """Start a web server and return its port."""
        return await self.serve(Site(Mirror()))


def fetch(address: str, context: ssl.SSLContext) -> bytes:
    """Return a page as ``urllib`` gets it."""
    https = urllib.request.HTTPSHandler(context=context)
    # The environment of whoever runs the tests may name a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https)
    with opener.open(address, timeout=PATIENCE) as response:
        return response.read()  # type: ignore[no-any-return]


class WebServerTests(WebCase):
    """A Site of Twisted's behind our server endpoint, and web clients that are not ours."""

    async def test_urllib(self) -> None:
        """A request over TLS is known to be secure and by whom it is; ALPN settles on what it offers."""
        port, context = await self.web(), clientContext()
        context.set_alpn_protocols(["http/1.1"])
        facts = json.loads(await deferToThread(fetch, f"https://localhost:{port}/", context))
        expected = {"isSecure": True, "alpn": "http/1.1", "client": ["localhost"], "address": LOOPBACK}
        self.assertEqual(facts, expected)

    async def test_noALPN(self) -> None:
        """A client that knows no ALPN is served all the same."""
        port, context = await self.web(), clientContext()

        def fetch() -> Any:
            connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)
            try:
                connection.request("GET", "/")
                return json.load(connection.getresponse())
            finally:
                connection.close()

        # http.client offers http/1.1 in contexts that it makes, and leaves those that it is given as they are.
        self.assertIsNone((await deferToThread(fetch))["alpn"])

    async def test_keepAlive(self) -> None:
        """Requests follow each other on one connection, large bodies both ways among them."""
        port, context = await self.web(), clientContext()
        bodies = [b"x", b"y" * LARGE, b"", b"z" * 1000]

        def exchange() -> list[bytes]:
            connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)
            replies = []
            try:
                for body in bodies:
                    connection.request("POST", "/", body)
                    replies.append(connection.getresponse().read())
            finally:
                connection.close()
            return replies

        self.assertEqual(await deferToThread(exchange), bodies)
        await self.record.next("closed")
        await self.record.next("accepted")
        self.assertEqual(self.record.count("accepted"), 0)


class Asking(Protocol):
    """A client of HTTP/2, which asks for pages all at once and collects what they say.

    Attributes:
        whole: fires with the bodies, in the order of the requests.
    """

    transport: Any

    def __init__(self, *paths: str) -> None:
        self.whole: Deferred[list[bytes]] = Deferred()
        self._paths = paths
        self._bodies: dict[int, bytes] = {}
        self._ended = 0
        self._http = H2Connection(H2Configuration(client_side=True))

    def connectionMade(self) -> None:
        self._http.initiate_connection()
        for path in self._paths:
            stream = self._http.get_next_available_stream_id()
            names = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": path}
            self._http.send_headers(stream, list(names.items()), end_stream=True)
            self._bodies[stream] = b""
        self.transport.write(self._http.data_to_send())

    def dataReceived(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            if isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
            elif isinstance(event, StreamEnded):
                self._ended += 1
        self.transport.write(self._http.data_to_send())
        if self._ended == len(self._paths):
            self.transport.loseConnection()
            self.whole.callback([body for _, body in sorted(self._bodies.items())])


class SecondVersionTests(WebCase):
    """HTTP/2, with requests that share a connection."""

    async def test_visitor(self) -> None:
        """Each request knows its visitor, and that it is the connection's."""
        for factory in (Site(Mirror()), WrappingFactory(Site(Mirror()))):
            port = await self.serve(factory, applicationProtocols=(b"h2", b"http/1.1"))
            endpoint = self.endpoint(port, applicationProtocols=(b"h2",))
            client: Any = await connectProtocol(endpoint, Asking("/", "/second"))
            expected = {"isSecure": True, "alpn": "h2", "client": ["localhost"], "address": LOOPBACK}
            self.assertEqual([json.loads(body) for body in await client.whole], [expected] * 2)
            self.assertIsNone(await self.record.next("closed"))

    async def test_elsewhere(self) -> None:
        """A request that came without tlscomm, and one whose client is gone, are mistakes with a name."""
        channel: Any = HTTPChannel()
        channel.site = Site(Mirror())
        channel.transport = StringTransport()
        request = Request(channel, False)
        self.assertIn("StringTransport", str(self.assertRaises(TypeError, transportOf, request)))
        request.connectionLost(Failure(ConnectionLost()))
        self.assertRaises(ValueError, transportOf, request)


@implementer(IAgentEndpointFactory)
class EndpointFactory:
    """Connects an Agent of Twisted's by our client endpoint."""

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        configuration = ClientConfiguration(
            serverName=uri.host.decode("ascii"),
            roots=(root().certificate,),
            credential=credential("client"),
            applicationProtocols=(b"http/1.1",),
            deadlines=PATIENT,
        )
        return TLSClientEndpoint(reactor, HostnameEndpoint(reactor, LOOPBACK, uri.port), configuration)


class Body(Protocol):
    """Collects the body of a response."""

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


def bodyOf(response: Any) -> Deferred[bytes]:
    body = Body()
    response.deliverBody(body)
    return body.whole


class WebClientTests(WebCase):
    """An Agent of Twisted's over our client endpoint, and a Site behind our server endpoint."""

    async def test_agent(self) -> None:
        """A request is made over a connection that both sides have accepted, with ALPN."""
        agent = Agent.usingEndpointFactory(reactor, EndpointFactory())
        response = await agent.request(b"GET", f"https://localhost:{await self.web()}/".encode())
        facts = json.loads(await bodyOf(response))
        self.assertEqual((facts["isSecure"], facts["alpn"]), (True, "http/1.1"))
        self.assertIsNone(await self.record.next("closed"))

    async def test_largeBodies(self) -> None:
        """Large bodies go up from a producer and come down to a consumer, over a connection that is kept."""
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(pool.closeCachedConnections)
        agent = Agent.usingEndpointFactory(reactor, EndpointFactory(), pool)
        address = f"https://localhost:{await self.web()}/".encode()
        for _ in range(2):
            body = b"x" * LARGE
            response = await agent.request(b"POST", address, bodyProducer=FileBodyProducer(BytesIO(body)))
            self.assertEqual(await bodyOf(response), body)
        await self.record.next("accepted")
        self.assertEqual(self.record.count("accepted"), 0)


class TwistdTests(OrdinaryCase):
    """Programs that take endpoint strings, and know nothing of tlscomm."""

    async def test_twistdWeb(self) -> None:
        """``twistd web`` serves files over TLS, to clients with a certificate only, by an endpoint string."""
        Path("public").mkdir()
        Path("public", "page.txt").write_text("你好", encoding="utf-8")
        settings = f"identity={files('server')}:clientRoots={authorityFile()}:interface={LOOPBACK}"
        twistd = ("-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")
        web = ("web", "--path", "public", "--listen", f"tlscomm:0:{settings}")
        program = self.spawn(*python(*twistd, *web))
        port = int((await program.prints(r"starting on (\d+)\n"))[1])
        address = f"https://localhost:{port}/page.txt"
        self.assertEqual((await deferToThread(fetch, address, clientContext())).decode(), "你好")
        refused = await self.assertFailure(deferToThread(fetch, address, clientContext(None)), OSError)
        self.assertIn("ALERT_CERTIFICATE_REQUIRED", str(refused))

    async def test_clientFromString(self) -> None:
        """A client's endpoint string connects any protocol."""
        port = await self.serve(Factory.forProtocol(Lines))
        identity, roots = (quoteStringArgument(name) for name in (files("client"), authorityFile()))
        description = f"tlscomm:{LOOPBACK}:{port}:serverName=localhost:identity={identity}:roots={roots}"
        client: Any = await clientFromString(reactor, description).connect(Factory.forProtocol(Lines))
        self.assertEqual(await client.lines.get(), b"welcome")
        client.transport.loseConnection()
        self.assertIsNone(await self.record.next("closed"))
        await client.lost
