"""What an application may ask of an accepted connection, and an observer that hears of every connection, refused too.

python who.py serve 8443
tlscomm connect localhost:8443 --identity certs/client.pfx --roots certs/ca.pem --framing line --message hello
"""

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineReceiver

from tlscomm import Deadlines, ServerConfiguration, TLSServerEndpoint, loadCertificates, loadCredential


class Who(LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        peer, tls = self.transport.peer, self.transport.tls
        print(peer.facts.subject, peer.dnsNames, peer.uris, peer.emails, peer.addresses)
        print(peer.fingerprint, peer.certificate.not_valid_after_utc)
        print([certificate.subject.rfc4514_string() for certificate in peer.chain])
        print(tls.version, tls.cipher, tls.group, tls.alpn, tls.resumed, tls.serverName, tls.acceptance)
        self.sendLine(b"hello " + peer.dnsNames[0].encode())


class Counter:
    """Part of a program's metrics: how many were accepted, and how many were refused by which code."""

    def __init__(self):
        self.counts = {}

    def accepted(self, transport):
        self.count("accepted")

    def refused(self, transport, failure):
        self.count(failure.code)

    def closed(self, transport, failure):
        self.count("closed in order" if failure is None else f"closed: {failure.code}")

    def count(self, name):
        self.counts[name] = self.counts.get(name, 0) + 1
        print(self.counts)


async def serve(reactor, port):
    configuration = ServerConfiguration(
        credential=loadCredential("certs/server.pfx"),
        clientRoots=loadCertificates("certs/ca.pem"),
        minimumTLS="1.3",
        deadlines=Deadlines(handshake=5, write=30, close=2),
    )
    tcp = TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")
    endpoint = TLSServerEndpoint(reactor, tcp, configuration, observer=Counter(), maximumConnections=1000)
    listening = await endpoint.listen(Factory.forProtocol(Who))
    print("listening on", listening.getHost().port)
    await Deferred()


if __name__ == "__main__":
    react({"serve": serve}[sys.argv[1]], sys.argv[2:])
