"""What the refused side makes of a peer that says little or nothing: exactly what its own facts show, and no more."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from failuretable import VERSIONS, Stage, gallery
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.alerts import plainAlert, sealedAlert
from tlscomm.configuration import Version, insecurelyPresenting
from tlscomm.failures import KeyTooWeak, TLSFailure
from tlscomm.testing import HTTP_REQUEST
from tlscomm.tls import TLSConnection
from tlscomm.tls._verdict import pump
from tlscomm.x509._roles import Role

#: handshake_failure, bad_certificate, certificate_unknown, access_denied, internal_error, and none at all.
VAGUE = (40, 42, 46, 49, 80, None)

#: What our own certificate shows to be wrong.
KNOWABLE = {
    "client": ("expired", "not-yet-valid", "wrong-purpose", "self-signed", "unknown-issuer", "weak-key"),
    "server": ("expired", "not-yet-valid", "wrong-purpose", "self-signed", "name-mismatch", "weak-key"),
}
CODES = {"weak-key": "key-too-weak"}


def undecided(_question: object) -> Awaitable[Any]:
    return Deferred()


def ended(role: Role, version: Version, credential: Any, alert: int | None, **judging: Any) -> TLSFailure:
    """Return what a side names a peer that has seen its certificate, and then closes or sends an alert."""
    stage = Stage(version)
    changes = {"hook": undecided, **judging}
    if role == "client":
        ours = stage.client(credential=None) if credential is None else insecurelyPresenting(stage.client(), credential)
        refused, refusing = TLSConnection(ours), TLSConnection(stage.server(**changes))
        client, server = refused, refusing
    else:
        ours = insecurelyPresenting(stage.server(), credential)
        refused, refusing = TLSConnection(ours), TLSConnection(stage.client(**changes))
        client, server = refusing, refused
    client.start()
    pump(client, server)
    if alert is None:
        refused.receiveEnd()
    elif version == "1.2":
        refused.receive(plainAlert(alert))
    else:
        secret = refusing._channel.secret
        assert secret is not None
        refused.receive(sealedAlert(alert, refusing.handle.get_cipher_name() or "", secret))
    assert refused.failure is not None
    assert refused.failure.side == "remote"
    return refused.failure


def cases(*alerts: int | None) -> Iterator[tuple[Role, Version, int | None]]:
    roles: tuple[Role, ...] = ("client", "server")
    for role in roles:
        for version in VERSIONS:
            for alert in alerts:
                yield role, version, alert


class OwnFacts(SynchronousTestCase):
    def test_whatOurCertificateShowsIsNamed(self) -> None:
        """Whether the peer closes, or sends an alert that says nothing: what we can see ourselves has its name."""
        for role, version, alert in cases(42, None):
            for name in KNOWABLE[role]:
                self.assertNamed(name, role, version, alert)

    def test_whateverTheAlert(self) -> None:
        """It has that name under each alert that several causes share."""
        for role, version, alert in cases(*VAGUE):
            self.assertNamed("expired" if role == "client" else "name-mismatch", role, version, alert)

    def assertNamed(self, name: str, role: Role, version: Version, alert: int | None) -> None:
        failure = ended(role, version, gallery().credential(name, role=role), alert)
        self.assertEqual(failure.code, CODES.get(name, name), (role, version, alert))
        self.assertIn("CN=", failure.detail)
        self.assertIsNotNone(failure.certificate)

    def test_aWrongSignatureIsNamed(self) -> None:
        """A client that knows an authority of its issuer's name sees itself that this one has not signed."""
        for name, code in (("bad-signature", "bad-signature"), ("unknown-issuer-namesake", "unknown-issuer")):
            for version in VERSIONS:
                for alert in VAGUE:
                    failure = ended("client", version, gallery().credential(name, role="client"), alert)
                    self.assertEqual(failure.code, code, (version, alert))

    def test_theCertificateThatIsAtFaultIsNamed(self) -> None:
        """An alert that fits one certificate of the chain as well as another is told of the one that it fits."""
        for name, alert in (("bad-signature-intermediate", 51), ("wrong-purpose-intermediate", 43)):
            failure = ended("client", "1.3", gallery().credential(name, role="client"), alert)
            self.assertEqual((failure.code, failure.depth), (name.removesuffix("-intermediate"), 1))
            self.assertIn("an issuing certificate in our chain", failure.message)

    def test_noCertificateIsNamed(self) -> None:
        """A client that was asked for a certificate and sent none knows what it was refused for."""
        for version in VERSIONS:
            for alert in VAGUE:
                failure = ended("client", version, None, alert, clientCertificates="requested")
                self.assertEqual(failure.code, "no-certificate")
                self.assertIn("accepts CN=tlscomm gallery root", failure.message)

    def test_whatIsNotKnownIsNotClaimed(self) -> None:
        """Where nothing is wrong with what we show, the refusal does not say why, and names the facts of both sides."""
        for role, version, alert in cases(*VAGUE):
            failure = ended(role, version, gallery().credential("good", role=role), alert)
            expected = "closed-in-handshake" if (role, alert) == ("server", None) else "refused"
            self.assertEqual(failure.code, "not-allowed" if alert == 49 else expected, (role, version, alert))
            self.assertIn(f"CN=good {role},O=tlscomm gallery is issued by CN=tlscomm gallery root", failure.message)
            fact = "the server accepts CN=tlscomm gallery root" if role == "client" else "asked for localhost"
            self.assertIn(fact, failure.message)
            self.assertNotIn("got none", failure.nextStep)

    def test_aForeignIssuerIsToldWithThoseThatAreAccepted(self) -> None:
        """Who has issued our certificate and whom the server accepts stand beside each other."""
        failure = ended("client", "1.3", gallery().credential("unknown-issuer", role="client"), 48)
        self.assertRegex(
            failure.message,
            "CN=unknown-issuer client,.* is issued by CN=strange root,.*; the server accepts CN=tlscomm gallery root",
        )

    def test_accessDeniedSaysLittleWhereNoAuthoritiesAreNamed(self) -> None:
        """GnuTLS denies access to whatever it refuses, so nothing says there that our certificate is valid."""
        ours = TLSConnection(Stage("1.3").client())
        naming, channel = ours._naming, ours._channel
        channel.certificateRequested = channel.certificateSent = True
        channel.alertReceived = 49
        self.assertEqual(naming._problemForAlert(49).code, "refused")

    def test_accessDeniedClaimsNoValidity(self) -> None:
        """A peer's access_denied may be about revocation: that our certificate is valid is not ours to say."""
        failure = ended("client", "1.3", gallery().credential("good", role="client"), 49)
        self.assertNotIn("valid", failure.message)


class ClosedByTheClient(SynchronousTestCase):
    def test_afterItSawOurCertificate(self) -> None:
        """A client that leaves then is no port scanner, and the next step is about our certificate."""
        for version in VERSIONS:
            failure = ended("server", version, gallery().credential("good", role="server"), None)
            self.assertIn("left after it had seen our certificate", failure.message)
            self.assertNotIn("port scanner", failure.nextStep)

    def test_byAReset(self) -> None:
        """A client that resets the connection then is asked about in the same way; else a reset is a reset."""
        for version in VERSIONS:
            for name, code in (("name-mismatch", "name-mismatch"), ("good", "reset")):
                stage = Stage(version)
                ours = insecurelyPresenting(stage.server(), gallery().credential(name, role="server"))
                client, server = TLSConnection(stage.client()), TLSConnection(ours)
                client.start()
                server.receive(client.outgoing())
                server.outgoing()
                server.receiveReset("Connection reset by peer.")
                assert server.failure is not None
                self.assertEqual((server.failure.code, server.failure.side), (code, "remote"))
                self.assertIn("Connection reset by peer.", server.failure.evidence)

    def test_beforeItSawAnything(self) -> None:
        """A client that says nothing, or only begins, may be a port scanner, and a client is not told of such."""
        server = TLSConnection(Stage("1.3").server())
        server.receiveEnd()
        assert server.failure is not None
        self.assertIn("port scanner", server.failure.nextStep)
        client = TLSConnection(Stage("1.3").client())
        client.start()
        client.receiveEnd()
        assert client.failure is not None
        self.assertEqual(client.failure.code, "closed-in-handshake")
        self.assertNotIn("port scanner", client.failure.nextStep)
        self.assertIn("we offer TLS 1.3", client.failure.message)
        self.assertIn("no version of TLS", client.failure.nextStep)


class NotTLS(SynchronousTestCase):
    def failureOf(self, *pieces: bytes) -> TLSFailure:
        server = TLSConnection(Stage("1.3").server())
        for piece in pieces:
            server.receive(piece)
        assert server.failure is not None
        return server.failure

    def test_SSL2(self) -> None:
        """The ClientHello of SSL 2 is none of TLS, whichever version it offers (RFC 6101, appendix E)."""
        for version in (b"\x00\x02", b"\x03\x00", b"\x03\x01"):
            hello = b"\x80\x2e\x01" + version + b"\x00\x15\x00\x00\x00\x10" + bytes(37)
            failure = self.failureOf(hello)
            self.assertEqual(failure.code, "not-tls")
            self.assertIn("SSL 2", failure.message)

    def test_inPieces(self) -> None:
        """It does not matter how many bytes come first."""
        self.assertEqual(self.failureOf(b"\x16", HTTP_REQUEST).code, "not-tls")
        self.assertEqual(self.failureOf(b"\x80", b"\x2e\x01\x00\x02").code, "not-tls")

    def test_DTLS(self) -> None:
        """A client of DTLS that has come to a TCP port is told as such."""
        self.assertIn("DTLS", self.failureOf(b"\x16\xfe\xfd\x00\x00\x00").message)


class UnknownKeys(SynchronousTestCase):
    """A certificate whose public key is of an algorithm that OpenSSL does not know."""

    def odd(self) -> x509.Certificate:
        der = gallery().credential("good", role="client").certificate.public_bytes(Encoding.DER)
        known, unknown = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")
        return x509.load_der_x509_certificate(der.replace(known, unknown))

    def test_ours(self) -> None:
        """Of ours it is said that no peer accepts such a key, and not that the private key is another's."""
        good = gallery().credential("good", role="client")
        with self.assertRaises(KeyTooWeak) as raised:
            Stage("1.3").client(credential=replace(good, certificate=self.odd()))
        self.assertIn("a key of a kind that TLS peers do not accept", str(raised.exception))

    def test_thePeers(self) -> None:
        """A peer's has the same name; there is no hook that could have refused."""
        odd = self.odd().public_bytes(Encoding.DER)
        stage = Stage("1.2")
        client, server = TLSConnection(stage.client()), TLSConnection(stage.server())
        client.start()
        server.receive(client.outgoing())
        client.receive(server.outgoing())
        server.receive(_withCertificate(client.outgoing(), odd))
        assert server.failure is not None
        self.assertEqual((server.failure.code, server.failure.side), ("key-too-weak", "local"))


def _withCertificate(flight: bytes, certificate: bytes) -> bytes:
    """Return a TLS 1.2 client's flight whose Certificate, its first record, is another (RFC 5246, section 7.4.2)."""
    listed = _prefixed(_prefixed(certificate))
    message = b"\x0b" + _prefixed(listed)
    return flight[:3] + len(message).to_bytes(2, "big") + message + flight[5 + int.from_bytes(flight[3:5], "big") :]


def _prefixed(content: bytes) -> bytes:
    return len(content).to_bytes(3, "big") + content
