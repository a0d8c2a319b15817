"""Servers that trust more authorities than a handshake has room to name."""

from __future__ import annotations

from cryptography import x509
from logs import logged
from rawchains import Raw, name
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.issuing import Authority
from tlscomm.tls import handshake
from tlscomm.tls._connection import TLSConnection

ROOT = Authority.create()
SERVER = ROOT.issue("server", role="server", dnsNames=["localhost"])
CLIENT = ROOT.issue("client", role="client")


def authorities(count: int) -> list[x509.Certificate]:
    """Return authorities whose names have some 330 bytes each."""
    roots = []
    for number in range(count):
        raw = Raw("authority")
        raw.subject = name("x" * 250, f"authority {number:050}")
        roots.append(raw.signedBy(raw))
    return roots


class NameTests(SynchronousTestCase):
    def connected(self, count: int, version: str) -> TLSConnection:
        roots = (*authorities(count), ROOT.certificate)
        server = ServerConfiguration(credential=SERVER, clientRoots=roots)
        client, other = handshake(
            ClientConfiguration(
                serverName="localhost", roots=(ROOT.certificate,), credential=CLIENT, maximumTLS=version
            ),
            server,
        )
        self.assertIsNone(other.failure)
        self.assertIsNone(client.failure)
        return client

    def test_asManyAsThereIsRoomFor(self) -> None:
        """Where they fit into 64 kilobytes, all are named and nothing is said."""
        for version in ("1.2", "1.3"):
            with logged() as events:
                client = self.connected(180, version)
            self.assertEqual((len(client._raw.get_client_ca_list(as_cryptography=True)), events), (181, []))

    def test_more(self) -> None:
        """Where they do not, none is named, the log says so once, and clients are let in all the same."""
        for version in ("1.2", "1.3"):
            with logged() as events:
                client = self.connected(210, version)
            self.assertEqual(client._raw.get_client_ca_list(as_cryptography=True), [])
            (event,) = events
            self.assertIn("211 authorities", formatEvent(event))

    def test_eachNameOnce(self) -> None:
        """Authorities of one name, as after a renewal, are named once."""
        renewed = authorities(1) * 3
        server = ServerConfiguration(credential=SERVER, clientRoots=[*renewed, ROOT.certificate])
        self.assertEqual(len(server._namedAuthorities), 2)
