"""What a user can rely on when a distinguished name is typed."""

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.x509._distinguishednames import parsedName


class DistinguishedNames(SynchronousTestCase):
    def assertParsed(self, text: str, *attributes: tuple[x509.ObjectIdentifier, str]) -> None:
        self.assertEqual([(each.oid, each.value) for each in parsedName(text)], list(attributes))

    def test_asOthersWriteIt(self) -> None:
        """Windows and OpenSSL put spaces between the parts, and have names for more attributes than RFC 4514."""
        self.assertParsed(
            " CN = gateway, S=Bavaria, E=a@example.org ",
            (NameOID.EMAIL_ADDRESS, "a@example.org"),
            (NameOID.STATE_OR_PROVINCE_NAME, "Bavaria"),
            (NameOID.COMMON_NAME, "gateway"),
        )
        self.assertEqual(parsedName("emailAddress=a,serialNumber=1"), parsedName("E=a,SERIALNUMBER=1"))

    def test_escaped(self) -> None:
        """What stands behind a backslash belongs to the value, a space at the end included."""
        self.assertParsed("CN=a\\, b\\ ", (NameOID.COMMON_NAME, "a, b "))

    def test_none(self) -> None:
        for text in ("gateway", "CN=a, b", "XY=a"):
            self.assertRaises(ValueError, parsedName, text)
