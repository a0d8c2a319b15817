"""A web site that knows its visitors by their certificates, and a web client that shows one.

python website.py serve 8443
python website.py get 8443 hello
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from tlscomm import TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.web import agentFor, peerOf


class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        visitor = peerOf(request)
        return f"{request.path.decode()} for {visitor.commonName}\n".encode()


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


class Body(Protocol):
    """Prints the body of a response as it comes."""

    def __init__(self):
        self.complete = Deferred()

    def dataReceived(self, data):
        print(data.decode(), end="")

    def connectionLost(self, reason):
        self.complete.callback(None)


async def get(reactor, port, path):
    agent = agentFor(
        reactor,
        ["localhost"],
        credential=loadCredential("certs/client.pfx"),
        roots=loadCertificates("certs/ca.pem"),
    )
    response = await agent.request(b"GET", f"https://localhost:{port}/{path}".encode())
    print(response.code)
    body = Body()
    response.deliverBody(body)
    await body.complete


if __name__ == "__main__":
    react({"serve": serve, "get": get}[sys.argv[1]], sys.argv[2:])
