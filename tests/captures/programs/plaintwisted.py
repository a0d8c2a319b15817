"""A server of Twisted's own TLS that sends back the first line of each client.

Arguments: host; port; version; identity; roots.
"""

import sys

from twisted.internet import reactor, ssl
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver


class Echo(LineReceiver):
    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line)
        self.transport.loseConnection()


host, port, version, identity, roots = sys.argv[1:]
with open(identity, "rb") as file:
    own = ssl.PrivateCertificate.loadPEM(file.read())
with open(roots, "rb") as file:
    trusted = ssl.Certificate.loadPEM(file.read())
only = ssl.TLSVersion.TLSv1_3 if version == "1.3" else ssl.TLSVersion.TLSv1_2
options = ssl.CertificateOptions(
    own.privateKey.original,
    own.original,
    trustRoot=ssl.trustRootFromCertificates([trusted]),
    insecurelyLowerMinimumTo=only,
    lowerMaximumSecurityTo=only,
)
reactor.listenSSL(int(port), Factory.forProtocol(Echo), options, interface=host)
print("listening", flush=True)
reactor.run()
