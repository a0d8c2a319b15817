"""What was said over TLS is read from the bytes of both directions, sealed or not, however they arrive."""

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.wiretraffic import Traffic, context, dissected, fed, names, pieces
from tlscomm._wire.events import Kind, Protection

_FULL_13 = [
    ">ClientHello",
    "<ServerHello",
    "<ChangeCipherSpec",
    "<EncryptedExtensions",
    "<CertificateRequest",
    "<Certificate",
    "<CertificateVerify",
    "<Finished",
    ">ChangeCipherSpec",
    ">Certificate",
    ">CertificateVerify",
    ">Finished",
    "<NewSessionTicket",
    "<NewSessionTicket",
    ">ApplicationData",
    "<ApplicationData",
    ">close_notify",
]

_FULL_12 = [
    ">ClientHello",
    "<ServerHello",
    "<Certificate",
    "<ServerKeyExchange",
    "<CertificateRequest",
    "<ServerHelloDone",
    ">Certificate",
    ">ClientKeyExchange",
    ">CertificateVerify",
    ">ChangeCipherSpec",
    ">Finished",
    "<NewSessionTicket",
    "<ChangeCipherSpec",
    "<Finished",
    ">ApplicationData",
    "<ApplicationData",
    ">close_notify",
]


def conversation(version: int, suite: str = "", *, isRSA: bool = False) -> Traffic:
    """Have both sides say something, and the client close."""
    sides = [context(role, version, suite, isRSA=isRSA) for role in ("client", "server")]
    traffic = Traffic(*sides).pump().say(True, b"How are you?").say(False, b"Fine.")
    traffic.client.shutdown()
    return traffic.pump()


class Version13(SynchronousTestCase):
    def test_isReadWithSecrets(self) -> None:
        """Every message is named, of each suite."""
        for suite in (
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_AES_128_CCM_SHA256",
            "TLS_AES_128_CCM_8_SHA256",
        ):
            self.assertEqual(names(dissected(conversation(SSL.TLS1_3_VERSION, suite))), _FULL_13, suite)

    def test_showsSizesWithoutSecrets(self) -> None:
        """Each sealed record is there with its length, and nothing is said of what is in it."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        opened, closed = dissected(traffic), dissected(traffic, withKeys=False)
        self.assertEqual([each.kind for each in closed if each.isSealed], [Kind.SEALED] * 6)
        self.assertEqual(
            [record.length for each in closed if each.isSealed for record in each.records],
            [record.length for each in opened if each.isSealed for record in each.records],
        )

    def test_knowsWhichKeysARecordIsUnder(self) -> None:
        events = dissected(conversation(SSL.TLS1_3_VERSION))
        found = {each.name: each.records[0].protection for each in events}
        self.assertEqual(found["EncryptedExtensions"], Protection.HANDSHAKE)
        self.assertEqual(found["Finished"], Protection.HANDSHAKE)
        self.assertEqual(found["NewSessionTicket"], Protection.APPLICATION)
        self.assertEqual(found["ServerHello"], Protection.NONE)


class Version12(SynchronousTestCase):
    def test_isReadWithSecrets(self) -> None:
        """Every message is named, of each kind of suite."""
        for suite in (
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-ECDSA-AES128-CCM",
            "ECDHE-ECDSA-AES256-CCM8",
            "ECDHE-ECDSA-AES128-SHA",
            "ECDHE-ECDSA-AES128-SHA256",
            "ECDHE-ECDSA-AES256-SHA384",
        ):
            self.assertEqual(names(dissected(conversation(SSL.TLS1_2_VERSION, suite))), _FULL_12, suite)

    def test_olderVersionsAreReadToo(self) -> None:
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            self.assertEqual(names(dissected(conversation(version))), _FULL_12)

    def test_isNamedWithoutSecretsAsFarAsTheRecordsTell(self) -> None:
        expected = [*_FULL_12[:-1], ">EncryptedAlert"]
        self.assertEqual(names(dissected(conversation(SSL.TLS1_2_VERSION), withKeys=False)), expected)


class Pieces(SynchronousTestCase):
    def test_anyPiecesSayTheSame(self) -> None:
        """Bytes may come one by one, or all at once."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            traffic = conversation(version)
            whole = names(dissected(traffic))
            for size in (1, 2, 7, 1000):
                self.assertEqual(names(fed(pieces(traffic.flights, size), traffic.keys).events), whole)
