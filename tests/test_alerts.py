"""An alert that OpenSSL cannot send is on the wire all the same, and other implementations read it."""

import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.alerts import plainAlert, sealedAlert
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.failures import CODES, Alert, CertificateFailure, NotAllowed, alertForCode, codeForAlert
from tlscomm.issuing import Authority
from tlscomm.tls import State, TLSConnection, pump

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
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


class Records(SynchronousTestCase):
    def test_inTheClear(self) -> None:
        self.assertEqual(plainAlert(49), b"\x15\x03\x03\x00\x02\x02\x31")

    def test_anUnknownSuiteHasNoRecord(self) -> None:
        self.assertEqual(sealedAlert(49, "TLS_NEW", bytes(32)), b"")


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
