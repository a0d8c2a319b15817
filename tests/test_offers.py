"""A failure of negotiation says what was offered and what we have, and other failures what shows them."""

from __future__ import annotations

from failuretable import Stage
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.names import groupsText, signatureAlgorithmsText, suitesText, versionsText
from tlscomm.configuration import ClientConfiguration, Configuration, ServerConfiguration
from tlscomm.failures import Alert, ProtocolViolation, TLSFailure
from tlscomm.testing import CorruptingPeer, Pair
from tlscomm.tls import TLSConnection
from tlscomm.tls._verdict import handshake


def failures(client: Configuration, server: Configuration) -> tuple[TLSFailure, TLSFailure]:
    one, other = handshake(client, server)
    assert one.failure is not None and other.failure is not None
    return one.failure, other.failure


def client(**changes: object) -> ClientConfiguration:
    return Stage("1.3").client(**{"minimumTLS": "1.2", **changes})


def server(**changes: object) -> ServerConfiguration:
    return Stage("1.3").server(**{"minimumTLS": "1.2", **changes})


class Offers(SynchronousTestCase):
    def test_versions(self) -> None:
        """A server tells the client's versions and its own, a client its own alone."""
        ours, theirs = failures(client(maximumTLS="1.2"), server(minimumTLS="1.3"))
        self.assertIn("the client offers TLS 1.2, TLS 1.1, TLS 1.0; we have TLS 1.3", theirs.message)
        self.assertIn("we offer TLS 1.2; the server does not say what it has", ours.message)

    def test_suites(self) -> None:
        """Suites have the names of the registry, and the key that they have to fit is named."""
        _, theirs = failures(
            client(maximumTLS="1.2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384"),
            server(maximumTLS="1.2", ciphers="ECDHE-ECDSA-AES128-GCM-SHA256"),
        )
        self.assertEqual(theirs.code, "no-common-cipher")
        self.assertIn("the client offers TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", theirs.message)
        self.assertIn("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", theirs.message)
        self.assertIn("our certificate has a key on the curve secp256r1", theirs.message)

    def test_groups(self) -> None:
        """Groups have the names that people write."""
        ours, theirs = failures(client(groups=("P-384",)), server(groups=("X25519", "P-256")))
        self.assertIn("the client offers the groups P-384; we have the groups P-256, X25519", theirs.message)
        self.assertEqual(ours.code, "no-common-group")
        self.assertIn("we offer the groups P-384", ours.message)

    def test_protocols(self) -> None:
        """Application protocols are shown as they are, and a stranger's are printable."""
        ours, theirs = failures(client(applicationProtocols=(b"a\x1b",)), server(applicationProtocols=(b"b", b"c")))
        self.assertIn("the client offers a\\x1b; we have b, c", theirs.message)
        self.assertIn("we offer a\\x1b", ours.message)

    def test_names(self) -> None:
        """The name that was asked for is told on both sides, and on the server the names that it serves."""
        ours, theirs = failures(client(), server(serverNames=("server.example",)))
        self.assertIn("asked for localhost; it serves server.example", theirs.message)
        self.assertIn("we asked for localhost", ours.message)

    def test_noCertificate(self) -> None:
        """Both sides tell whose certificates the server accepts."""
        for failure in failures(client(credential=None), server()):
            self.assertEqual(failure.code, "no-certificate")
            self.assertIn("accepts CN=tlscomm gallery root", failure.message)


class HandshakeFailure(SynchronousTestCase):
    def codeFor(self, **settings: object) -> str:
        ours = TLSConnection(client(**settings))
        ours.start()
        return ours._naming._problemForAlert(40).code

    def test_onlyWhatIsRestrictedIsClaimed(self) -> None:
        """handshake_failure is the lack of what our settings restrict; with the versions alone it may be several."""
        self.assertEqual(self.codeFor(), "no-common-cipher")
        self.assertEqual(self.codeFor(groups=("P-384",)), "no-common-group")
        self.assertEqual(self.codeFor(ciphers="ECDHE+AES256"), "no-common-cipher")
        self.assertEqual(self.codeFor(minimumTLS="1.3"), "no-common-version")
        self.assertEqual(self.codeFor(maximumTLS="1.2"), "refused")


class Shown(SynchronousTestCase):
    def test_aBrokenRule(self) -> None:
        """That the rules of TLS were broken comes with OpenSSL's words and the alert wherever the failure is told."""
        failure = ProtocolViolation(alert=Alert(20, "sent"), evidence=("bad record mac",))
        for said in (failure.message, str(failure), str(failure.toJSON()["message"])):
            self.assertIn("(OpenSSL says: bad record mac; alert bad_record_mac (20) sent).", said)

    def test_aBrokenRuleLive(self) -> None:
        """So it does in a handshake, and what a peer makes OpenSSL say is bounded."""
        stage = Stage("1.3")
        pair = Pair(CorruptingPeer(stage.client(), at="Finished"), stage.server())
        pair.flush()
        assert pair.server.failure is not None
        self.assertRegex(str(pair.server.failure), r"OpenSSL says: .*; alert \w+ \(20\) sent")
        self.assertLess(len(ProtocolViolation(evidence=("x" * 10000,) * 100).message), 500)

    def test_aTimeout(self) -> None:
        """A handshake that takes too long is told with the seconds, with what had come and with what was awaited."""
        silent = TLSConnection(server())
        silent.timeOut()
        self.assertIn(
            "nothing had come in 10 s, and it was waiting for the client's first message", str(silent.failure)
        )
        begun, other = TLSConnection(server()), TLSConnection(client())
        other.start()
        begun.receive(other.outgoing()[:100])
        begun.timeOut()
        self.assertIn("100 bytes had come in 10 s", str(begun.failure))


class Names(SynchronousTestCase):
    def test_unknownNumbers(self) -> None:
        """A number without a name is shown as it is; those that mean nothing (RFC 8701) are left out."""
        self.assertEqual(versionsText([0x0304, 0x0A0A, 0x0399]), "0x0399, TLS 1.3")
        self.assertEqual(suitesText([0x1A1A, 0x1301, 0x00FF, 0x1399]), "TLS_AES_128_GCM_SHA256, 0x1399")
        self.assertEqual(groupsText([29, 23]), "P-256, X25519")
        self.assertEqual(signatureAlgorithmsText([0x0403]), "ecdsa_secp256r1_sha256")

    def test_many(self) -> None:
        """A few are named and the others counted."""
        self.assertTrue(suitesText(range(0x2000, 0x2064)).endswith("and 92 more"))
        self.assertEqual(groupsText([]), "none")
