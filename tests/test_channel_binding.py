"""What a user can rely on who ties a login to the connection that it comes over."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.issuing import Authority
from tlscomm.testing import Pair, Recorder
from tlscomm.tls import NoChannelBinding, State, TLSConnection
from tlscomm.tls._channelbinding import exportKeyingMaterial
from tlscomm.transport import TLSTransport

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
OTHER = AUTHORITY.issue("other", role="server", dnsNames=["other.example"])
CLIENT = AUTHORITY.issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)

#: SSL_OP_NO_EXTENDED_MASTER_SECRET of ssl.h.
_NO_EXTENDED_MASTER_SECRET = 0x1


def server(**more: Any) -> ServerConfiguration:
    return ServerConfiguration(**{"credential": SERVER, "clientRoots": ROOTS, **more})


def client(**more: Any) -> ClientConfiguration:
    return ClientConfiguration(**{"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, **more})


def joined(here: ClientConfiguration, there: ServerConfiguration) -> tuple[TLSTransport, TLSTransport]:
    pair = Pair(here, there)
    pair.flush()
    assert pair.client.isAccepted and pair.server.isAccepted, (pair.client.failure, pair.server.failure)
    return pair.client.transport, pair.server.transport


class Exporters(SynchronousTestCase):
    def test_same(self) -> None:
        """Both sides get the same bytes, under both versions; another label, context or connection gives others."""
        for version in ("1.2", "1.3"):
            found = set()
            for _ in range(2):
                ours, theirs = joined(client(maximumTLS=version), server())
                for label, context in (("EXPERIMENTAL a", None), ("EXPERIMENTAL a", b"c"), ("EXPERIMENTAL b", None)):
                    exported = ours.exportKeyingMaterial(label, 48, context)
                    self.assertEqual(exported, theirs.exportKeyingMaterial(label, 48, context))
                    self.assertEqual(len(exported), 48)
                    found.add(exported)
            self.assertEqual(len(found), 6)

    def test_arguments(self) -> None:
        """Labels of TLS itself, and sizes that cannot be had, are refused."""
        ours, _ = joined(client(), server())
        for label in ("", "master secret", "client finished", "größe", "x" * 250):
            self.assertRaises(ValueError, ours.exportKeyingMaterial, label, 32)
        for length in (0, -1, 8161):
            self.assertRaises(ValueError, ours.exportKeyingMaterial, "EXPERIMENTAL a", length)
        self.assertRaises(ValueError, ours.exportKeyingMaterial, "EXPERIMENTAL a", 32, bytes(65536))
        self.assertEqual(len(ours.exportKeyingMaterial("EXPERIMENTAL a", 8160)), 8160)


class Bindings(SynchronousTestCase):
    def test_exporter(self) -> None:
        """tls-exporter is that of RFC 9266: 32 bytes by its label, with a context that is empty."""
        for version in ("1.2", "1.3"):
            ours, theirs = joined(client(maximumTLS=version), server())
            self.assertEqual(ours.channelBinding(), theirs.channelBinding("tls-exporter"))
            self.assertEqual(ours.channelBinding(), theirs.exportKeyingMaterial("EXPORTER-Channel-Binding", 32, b""))

    def test_serverEndPoint(self) -> None:
        """tls-server-end-point is the digest of the server's certificate, on both sides, in a resumed session too."""
        here, there = client(), server()
        expected = hashlib.sha256(SERVER.certificate.public_bytes(Encoding.DER)).digest()
        for isResumed in (False, True):
            pair = joined(here, there)
            for each in pair:
                self.assertEqual((each.channelBinding("tls-server-end-point"), each.tls.resumed), (expected, isResumed))
            pair[0].loseConnection()

    def test_withoutHashFunction(self) -> None:
        """For a certificate whose signature has no hash function there is none, and the other kind is pointed to."""
        authority = Authority.create(privateKey=ed25519.Ed25519PrivateKey.generate())
        there = server(credential=authority.issue("s", role="server", dnsNames=["localhost"]))
        ours, _ = joined(client(roots=(authority.certificate,)), there)
        refused = self.assertRaises(NoChannelBinding, ours.channelBinding, "tls-server-end-point")
        self.assertIn("tls-exporter is", str(refused))

    def test_severalCertificates(self) -> None:
        """A server with several certificates says so where a session was resumed, and guesses none."""
        here, there = client(serverName="other.example"), server(others=(OTHER,))
        _, theirs = joined(here, there)
        expected = hashlib.sha256(OTHER.certificate.public_bytes(Encoding.DER)).digest()
        self.assertEqual(theirs.channelBinding("tls-server-end-point"), expected)
        theirs.loseConnection()
        ours, theirs = joined(here, there)
        self.assertTrue(theirs.tls.resumed)
        self.assertEqual(ours.channelBinding("tls-server-end-point"), expected)
        self.assertRaises(NoChannelBinding, theirs.channelBinding, "tls-server-end-point")
        self.assertEqual(ours.channelBinding(), theirs.channelBinding())

    def test_otherKinds(self) -> None:
        """Of tls-unique is said why it is not there, and of other words which ones there are."""
        ours, _ = joined(client(), server())
        self.assertIn("not safe", str(self.assertRaises(ValueError, ours.channelBinding, "tls-unique")))
        self.assertIn("tls-exporter or", str(self.assertRaises(ValueError, ours.channelBinding, "x\n")))

    def test_tooEarly(self) -> None:
        """Nothing is given out before both sides have accepted each other, nor to a client that waits to hear of it."""
        untouched = Pair(client(), server()).client.transport
        self.assertRaises(NoChannelBinding, untouched.channelBinding)
        here, there = TLSConnection(client()), TLSConnection(server())
        here.start()
        there.receive(here.outgoing())
        here.receive(there.outgoing())
        self.assertIs(here.state, State.UNCONFIRMED)
        for connection in (here, there):
            refused = self.assertRaises(NoChannelBinding, exportKeyingMaterial, connection, "EXPERIMENTAL a", 32)
            self.assertIn("accept each other", str(refused))

    def test_withoutExtendedMasterSecret(self) -> None:
        """Under TLS 1.2 a peer without the extended master secret gets none that could be shared with a third."""
        there = server(maximumTLS="1.2")
        there._context.set_options(_NO_EXTENDED_MASTER_SECRET)
        for each in joined(client(), there):
            self.assertIn("RFC 7627", str(self.assertRaises(NoChannelBinding, each.channelBinding)))
            self.assertRaises(NoChannelBinding, each.exportKeyingMaterial, "EXPERIMENTAL a", 32)
            each.channelBinding("tls-server-end-point")

    def test_inTheProtocol(self) -> None:
        """A protocol has it from connectionMade on."""
        found = []

        class Login(Recorder):
            def connectionMade(self) -> None:
                transport: Any = self.transport
                found.append(transport.channelBinding())

        pair = Pair(
            client(), server(), clientFactory=Factory.forProtocol(Login), serverFactory=Factory.forProtocol(Login)
        )
        pair.flush()
        self.assertEqual(found[0], found[1])
