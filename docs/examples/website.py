"""A web site that knows its visitors by their certificates, and a web client that shows one.

python website.py serve 8443
python website.py get 8443 hello
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import react
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from tlscomm import TLSClientEndpoint, TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.transport import transportOf


class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        visitor = transportOf(request).peer
        return f"{request.path.decode()} for {visitor.dnsNames[0]}\n".encode()


async def serve(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
    )
    listening = await endpoint.listen(Site(Page()))
    print("listening on", listening.getHost().port)
    await Deferred()


@implementer(IAgentEndpointFactory)
class Endpoints:
    """Makes the endpoint for each host that an Agent wants to talk to."""

    def __init__(self, reactor):
        self.reactor = reactor
        self.settings = {
            "roots": loadCertificates("certs/ca.pem"),
            "credential": loadCredential("certs/client.pfx"),
            "applicationProtocols": (b"http/1.1",),
        }

    def endpointForURI(self, uri):
        if uri.scheme != b"https":
            raise ValueError("this client speaks https alone")
        return TLSClientEndpoint.toHost(self.reactor, uri.host.decode(), uri.port, **self.settings)


class Body(Protocol):
    """Prints the body of a response as it comes."""

    def __init__(self):
        self.complete = Deferred()

    def dataReceived(self, data):
        print(data.decode(), end="")

    def connectionLost(self, reason):
        self.complete.callback(None)


async def get(reactor, port, path):
    pool = HTTPConnectionPool(reactor)
    agent = Agent.usingEndpointFactory(reactor, Endpoints(reactor), pool)
    response = await agent.request(b"GET", f"https://localhost:{port}/{path}".encode())
    print(response.code)
    body = Body()
    response.deliverBody(body)
    await body.complete
    await pool.closeCachedConnections()


if __name__ == "__main__":
    react({"serve": serve, "get": get}[sys.argv[1]], sys.argv[2:])
