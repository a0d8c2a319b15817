"""Klein: routes that know who asks.

python routes.py 8443
"""

import sys

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.server import Site

from tlscomm import TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.web import peerOf

app = Klein()


@app.route("/hello/<name>")
def hello(request, name):
    return f"hello {name}, says {peerOf(request).dnsNames[0]}\n"


async def main(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
    )
    listening = await endpoint.listen(Site(app.resource()))
    print("listening on", listening.getHost().port)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
