"""TLS options that a program has already, under tlscomm's endpoints.

python existing.py serve 8443
python existing.py ask 8443 hello
"""

import sys
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS
from twisted.internet.task import react

from tlscomm import ExternalContextConfiguration, MessageFactory, RequestProtocol, TLSClientEndpoint, TLSServerEndpoint
from tlscomm.server import Echo

root = Certificate.loadPEM(Path("certs/ca.pem").read_bytes())
server = PrivateCertificate.loadPEM(Path("certs/server-with-key.pem").read_bytes())
client = PrivateCertificate.loadPEM(Path("certs/client-with-key.pem").read_bytes())


async def serve(reactor, port):
    configuration = ExternalContextConfiguration(creator=server.options(root))
    tcp = TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")
    listening = await TLSServerEndpoint(reactor, tcp, configuration).listen(MessageFactory(Echo))
    print("listening on", listening.getHost().port)
    await Deferred()


async def ask(reactor, port, message):
    options = optionsForClientTLS("localhost", root, client)
    configuration = ExternalContextConfiguration(creator=options, serverName="localhost")
    tcp = HostnameEndpoint(reactor, "localhost", int(port))
    asker = await TLSClientEndpoint(reactor, tcp, configuration).connect(MessageFactory(RequestProtocol))
    print(await asker.request(message), asker.transport.tls.acceptance)


if __name__ == "__main__":
    react({"serve": serve, "ask": ask}[sys.argv[1]], sys.argv[2:])
