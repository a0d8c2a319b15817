"""An alert that OpenSSL cannot send is on the wire all the same, and other implementations read it."""

import ssl
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.alerts import Alert
from tlscomm.authority import Authority
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.connection import State, TLSConnection
from tlscomm.failures import NotAllowed
from tlscomm.testing import pump
from tlscomm.wire.alerts import replaceAlert

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
            one, other = TLSConnection(client(maximumVersion=version)), server("cn=somebody-else")
            one.start()
            pump(one, other)
            for side, failureSide, direction in ((one, "remote", "received"), (other, "local", "sent")):
                assert side.failure is not None
                self.assertEqual(side.failure, NotAllowed())
                self.assertEqual(side.failure.side, failureSide)
                self.assertEqual(side.failure.alert, Alert(49, direction))  # type: ignore[arg-type]

    def test_whoIsAllowedIsLetIn(self) -> None:
        for version in ("1.2", "1.3"):
            one, other = TLSConnection(client(maximumVersion=version)), server("cn=client")
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


class Records(SynchronousTestCase):
    def test_anotherRecordBeforeItIsKept(self) -> None:
        flight = b"\x16\x03\x03\x00\x01x\x15\x03\x03\x00\x02\x02\x2a"
        self.assertEqual(replaceAlert(flight, 49, "", None), flight[:-1] + b"\x31")

    def test_whatIsNoAlertIsLeftAlone(self) -> None:
        for flight in (b"", b"x", b"\x16\x03\x03\x00\x02\x02\x2a", b"\x15\x03\x03\x00\x02\x01\x00"):
            self.assertIsNone(replaceAlert(flight, 49, SUITES[0], None))
            self.assertIsNone(replaceAlert(flight, 49, SUITES[0], bytes(32)))

    def test_anUnknownSuiteIsLeftAlone(self) -> None:
        self.assertIsNone(replaceAlert(b"\x17\x03\x03\x00\x13" + bytes(19), 49, "TLS_NEW", bytes(32)))
