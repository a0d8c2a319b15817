"""An alert that OpenSSL cannot send is on the wire all the same, and other implementations read it."""

import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.alerts import fatalAlert, plainAlert, sealedAlert
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ExternalContextConfiguration, ServerConfiguration
from tlscomm.failures import CODES, Alert, CertificateFailure, NotAllowed, alertForCode, codeForAlert
from tlscomm.issuing import Authority
from tlscomm.tls import State, TLSConnection, pump

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
STRANGER = Authority.create(organization="strangers").issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


def server(rule: str) -> TLSConnection:
    return TLSConnection(ServerConfiguration(credential=SERVER, clientRoots=ROOTS, access=AccessRules.parse([rule])))


def client(**settings: Any) -> ClientConfiguration:
    return ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT, **settings)


class AccessDenied(SynchronousTestCase):
    def test_bothSidesNameIt(self) -> None:
        for version in ("1.2", "1.3"):
            one, other = TLSConnection(client(maximumTLS=version)), server("cn=somebody-else")
            one.start()
            pump(one, other)
            for side, failureSide, direction in ((one, "remote", "received"), (other, "local", "sent")):
                assert side.failure is not None
                self.assertEqual(side.failure, NotAllowed())
                self.assertEqual(side.failure.side, failureSide)
                self.assertEqual(side.failure.alert, Alert(49, direction))  # type: ignore[arg-type]

    def test_whoIsAllowedIsLetIn(self) -> None:
        for version in ("1.2", "1.3"):
            one, other = TLSConnection(client(maximumTLS=version)), server("cn=client")
            one.start()
            pump(one, other)
            self.assertEqual((one.state, other.state), (State.OPEN, State.OPEN))

    def test_everySuite(self) -> None:
        for suite in SUITES:
            configuration = client()
            configuration._context.set_tls13_ciphersuites(suite.encode())
            one, other = TLSConnection(configuration), server("cn=somebody-else")
            one.start()
            pump(one, other)
            self.assertEqual(one.facts.cipher, suite)
            self.assertEqual(one.failure and one.failure.alert, Alert(49, "received"))

    def test_pythonsSSLReadsIt(self) -> None:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            other = server("cn=somebody-else")
            peer = self.pythonContext(version).wrap_bio(incoming, outgoing, server_hostname="localhost")
            with self.assertRaisesRegex(ssl.SSLError, "(?i)access.denied"):
                for _ in range(10):
                    try:
                        peer.read()
                    except ssl.SSLWantReadError:
                        other.receive(outgoing.read())
                        incoming.write(other.outgoing())

    def pythonContext(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        assert CLIENT.privateKey is not None
        pem = CLIENT.certificate.public_bytes(Encoding.PEM)
        pem += CLIENT.privateKey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = Path(self.mktemp())
        path.write_bytes(pem)
        context = ssl.create_default_context(cadata=AUTHORITY.certificate.public_bytes(Encoding.PEM).decode())
        context.load_cert_chain(path)
        context.maximum_version = version
        return context


class ClientsAlert(SynchronousTestCase):
    def test_clientsRefusalIsSealed(self) -> None:
        """Under TLS 1.3 a client that refuses says why where the server expects it: in a sealed record."""
        for suite in SUITES:
            ours = ClientConfiguration(serverName="other.example", roots=ROOTS, credential=CLIENT)
            ours._context.set_tls13_ciphersuites(suite.encode())
            one, other = TLSConnection(ours), server("cn=client")
            one.start()
            other.receive(one.outgoing())
            one.receive(other.outgoing())
            words = one.outgoing()
            self.assertEqual((words[0], len(words)), (23, 5 + 2 + 1 + 16))
            other.receive(words)
            self.assertEqual(other.failure and other.failure.alert, Alert(42, "received"))


class Named(SynchronousTestCase):
    """An alert that ends a handshake is named on both sides, whoever sends it, and in the clear or sealed."""

    def shaken(self, one: TLSConnection, other: TLSConnection, number: int, sender: str) -> None:
        one.start()
        pump(one, other)
        for side, name in ((one, "client"), (other, "server")):
            assert side.failure is not None
            self.assertEqual(side.failure.alert, Alert(number, "sent" if name == sender else "received"), name)

    def test_serversSealed(self) -> None:
        """OpenSSL refuses a client's certificate, under TLS 1.3 in the first record under the server's secret."""
        for suite in (None, *SUITES):
            version = "1.2" if suite is None else "1.3"
            one = ClientConfiguration(serverName="localhost", roots=ROOTS, credential=STRANGER, maximumTLS=version)
            if suite is not None:
                one._context.set_tls13_ciphersuites(suite.encode())
            self.shaken(TLSConnection(one), server("cn=client"), 48, "server")

    def test_withoutCertificate(self) -> None:
        for version, number in (("1.2", 40), ("1.3", 116)):
            one = ClientConfiguration(serverName="localhost", roots=ROOTS, maximumTLS=version)
            self.shaken(TLSConnection(one), server("cn=client"), number, "server")

    def test_serversInTheClear(self) -> None:
        """Nothing is common, so nothing can be sealed."""
        other = ServerConfiguration(credential=SERVER, clientRoots=ROOTS, minimumTLS="1.3")
        self.shaken(TLSConnection(client(maximumTLS="1.2")), TLSConnection(other), 70, "server")

    def test_clients(self) -> None:
        """OpenSSL refuses what it cannot go on with: here a server that has changed a byte of its last message."""
        for version, number in (("1.2", 20), ("1.3", 20)):
            one, other = TLSConnection(client(maximumTLS=version)), server("cn=client")
            one.start()
            other.receive(one.outgoing())
            if version == "1.2":
                one.receive(other.outgoing())
                other.receive(one.outgoing())
            flight = bytearray(other.outgoing())
            flight[-1] ^= 1
            one.receive(bytes(flight))
            assert one.failure is not None
            self.assertEqual(one.failure.alert, Alert(number, "sent"))


class WithACallbackOfTheirOwn(SynchronousTestCase):
    """An external context's info callback hears of everything, and alerts are named as elsewhere."""

    def test_heard(self) -> None:
        for version in ("1.2", "1.3"):
            for credential, alerts in ((CLIENT, 0), (STRANGER, 1)):
                heard: list[int] = []
                options = server("cn=client")._configuration.certificateOptions()
                context = options.getContext()
                context.set_info_callback(lambda _connection, where, _value, heard=heard: heard.append(where))
                other = TLSConnection(ExternalContextConfiguration(creator=options))
                one = TLSConnection(
                    ClientConfiguration(serverName="localhost", roots=ROOTS, credential=credential, maximumTLS=version)
                )
                one.start()
                pump(one, other)
                self.assertEqual(sum(bool(where & SSL.SSL_CB_ALERT) for where in heard), alerts)
                self.assertGreater(sum(where == SSL.SSL_CB_ACCEPT_LOOP for where in heard), 5)
                self.assertEqual(bool(SSL.SSL_CB_HANDSHAKE_DONE in heard), not alerts)
                if alerts:
                    assert other.failure is not None
                    self.assertEqual(other.failure.alert, Alert(48, "sent"))


class NotFatal(SynchronousTestCase):
    """TLS 1.2 knows alerts that are not fatal, and some peers refuse by one and an orderly close."""

    WORDS = bytes.fromhex("1503030002012a 15030300020100")

    def assertRefused(self, side: TLSConnection) -> None:
        side.receive(self.WORDS)
        assert side.failure is not None
        self.assertEqual((side.failure.side, side.failure.alert), ("remote", Alert(42, "received")))

    def test_fromAClient(self) -> None:
        one, other = TLSConnection(client(maximumTLS="1.2")), server("cn=client")
        one.start()
        other.receive(one.outgoing())
        self.assertRefused(other)

    def test_fromAServer(self) -> None:
        """In the place of its first message, and of its last."""
        one = TLSConnection(client(maximumTLS="1.2"))
        one.start()
        self.assertRefused(one)
        one, other = TLSConnection(client(maximumTLS="1.2")), server("cn=client")
        one.start()
        other.receive(one.outgoing())
        one.receive(other.outgoing())
        self.assertRefused(one)

    def test_insteadOfAnyMessage(self) -> None:
        """From a server of either version that is offered."""
        one = TLSConnection(client())
        one.start()
        self.assertRefused(one)


class Records(SynchronousTestCase):
    def test_inTheClear(self) -> None:
        self.assertEqual(plainAlert(49), b"\x15\x03\x03\x00\x02\x02\x31")

    def test_read(self) -> None:
        """What a flight of ours ends with is read: in the clear, or the first record under a secret."""
        secret, other = bytes(32), bytes(31) + b"1"
        before = b"\x16\x03\x03\x00\x03abc" + b"\x14\x03\x03\x00\x01\x01"
        for suite in (*SUITES, "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"):
            sealed = before + sealedAlert(49, suite, secret)
            self.assertEqual(fatalAlert(sealed, suite, secret), 49)
            self.assertIsNone(fatalAlert(sealed, suite, other))
            self.assertIsNone(fatalAlert(sealed, suite, None))
            self.assertIsNone(fatalAlert(sealed, "TLS_NEW", secret))
            self.assertIsNone(fatalAlert(sealed, "TLS_RSA_WITH_AES_128_GCM_SHA256", secret))
            self.assertEqual(fatalAlert(before + plainAlert(50), suite, secret), 50)
        for none in (b"", before, plainAlert(49) + before, bytes.fromhex("15030300020100")):
            self.assertIsNone(fatalAlert(none, SUITES[0], secret), none)

    def test_anUnknownSuiteHasNoRecord(self) -> None:
        for suite in ("TLS_NEW", "TLS_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", ""):
            self.assertEqual(sealedAlert(49, suite, bytes(32)), b"")


class Numbers(SynchronousTestCase):
    def test_everyCodeHasAnAlert(self) -> None:
        """Whatever a certificate is refused for, there is an alert to say, out of those about certificates."""
        for code, kind in CODES.items():
            if issubclass(kind, CertificateFailure):
                self.assertIn(alertForCode(code), {42, 43, 44, 45, 46, 48, 49, 51, 80, 116}, code)

    def test_whatIsSaidIsHeard(self) -> None:
        """An alert that stands for one cause is sent for no other."""
        for code in ("expired", "revoked", "wrong-purpose", "unknown-issuer", "not-allowed", "no-certificate"):
            self.assertEqual(codeForAlert(alertForCode(code)), code)
