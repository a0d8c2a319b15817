"""Who may ask for what: access rules for each path of a site.

python guarded.py 8443
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from tlscomm import AccessRules, TLSServerEndpoint, loadCertificates, loadCredential
from tlscomm.web import PUBLIC, AccessByPath


class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        return request.path + b"\n"


def site():
    return AccessByPath(
        Page(),
        {
            "/": AccessRules(),
            "/admin": ["dns=admin.example.org", "uri=spiffe://example.org/operators/*"],
            "/health": PUBLIC,
        },
    )


async def main(reactor, port):
    endpoint = TLSServerEndpoint.onPort(
        reactor,
        int(port),
        interface="127.0.0.1",
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
        clientCertificates="requested",
    )
    listening = await endpoint.listen(Site(site()))
    print("listening on", listening.getHost().port)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
