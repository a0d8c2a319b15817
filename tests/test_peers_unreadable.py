"""Peers whose certificate OpenSSL cannot read."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.failures import InvalidCertificate, TLSFailure
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection

ROOT = Authority.create()
SERVER = ROOT.issue("M\xe4rchen server", role="server", dnsNames=["localhost"])
CLIENT = ROOT.issue("M\xe4rchen client", role="client")

#: The name in UTF-8, and Latin-1 that is as long and says to be UTF-8.
SENT, INSTEAD = "M\xe4rchen".encode(), b"M\xe4rchen\xfc"


class UnreadableTests(SynchronousTestCase):
    """It is badly issued, which is neither an attack nor a fault of the handshake. TLS 1.2 shows it to the network."""

    def failures(self, *, ofClient: bool) -> tuple[TLSFailure | None, TLSFailure | None]:
        client = TLSConnection(
            ClientConfiguration(serverName="localhost", roots=(ROOT.certificate,), credential=CLIENT, maximumTLS="1.2")
        )
        server = TLSConnection(ServerConfiguration(credential=SERVER, clientRoots=(ROOT.certificate,)))
        client.start()
        while True:
            toServer, toClient = client.outgoing(), server.outgoing()
            if not toServer and not toClient:
                return client.failure, server.failure
            if toServer:
                server.receive(toServer.replace(SENT, INSTEAD) if ofClient else toServer)
            if toClient:
                client.receive(toClient if ofClient else toClient.replace(SENT, INSTEAD))

    def test_ofAClient(self) -> None:
        _, failure = self.failures(ofClient=True)
        self.assertIsInstance(failure, InvalidCertificate)
        self.assertIn("it cannot be read: invalid utf8string", str(failure))

    def test_ofAServer(self) -> None:
        failure, _ = self.failures(ofClient=False)
        self.assertIsInstance(failure, InvalidCertificate)
        self.assertIn("it cannot be read: invalid utf8string", str(failure))
