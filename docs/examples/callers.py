"""A WSGI application, of any framework, that knows who asks.

python callers.py 8443
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.server import Site

from tlscomm import TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.web import PeerWSGIResource


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    caller = environ["tlscomm.peer"]
    return [f"{environ['SSL_CLIENT_S_DN']} {caller.fingerprint[:14]}\n".encode()]


async def main(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
    )
    site = Site(PeerWSGIResource(reactor, reactor.getThreadPool(), application))
    listening = await endpoint.listen(site)
    print("listening on", listening.getHost().port)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
