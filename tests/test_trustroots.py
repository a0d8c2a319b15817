"""The private name that tlscomm takes from Twisted's trust roots is still there, and still does what it is used for."""

from inspect import getfile
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.ssl import Certificate, CertificateOptions, platformTrust, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.issuing import Authority
from tlscomm.store import systemRoots
from tlscomm.verification import _trustroots
from tlscomm.verification._trustroots import certificatesOf

AUTHORITY = Authority.create().certificate


class OfMine:
    """A trust root that does with a context what a test says."""

    def __init__(self, fill: Any) -> None:
        self._addCACertsToContext = fill


class PrivateName(SynchronousTestCase):
    """The one private name in use exists, and Twisted itself uses it; when that ends, a test here fails."""

    def test_theInterfaceHasIt(self) -> None:
        self.assertEqual([*IOpenSSLTrustRoot], ["_addCACertsToContext"])

    def test_twistedHandsItAContext(self) -> None:
        given: list[object] = []
        trustRoot = implementer(IOpenSSLTrustRoot)(OfMine)(given.append)
        CertificateOptions(trustRoot=trustRoot).getContext()
        self.assertEqual([type(context) for context in given], [SSL.Context])

    def test_onlyOneModuleUsesIt(self) -> None:
        path = Path(getfile(_trustroots))
        offenders = [
            other.name
            for other in path.parent.rglob("*.py")
            if other != path and ("_addCACerts" in other.read_text() or "_sslverify" in other.read_text())
        ]
        self.assertEqual(offenders, [])


class Found(SynchronousTestCase):
    """The authorities are found whichever of pyOpenSSL's ways a trust root takes."""

    def test_ofCertificates(self) -> None:
        own = X509.from_cryptography(AUTHORITY)
        self.assertEqual(certificatesOf(trustRootFromCertificates([Certificate(own)])), (AUTHORITY,))

    def test_eachOnce(self) -> None:
        own = Certificate(X509.from_cryptography(AUTHORITY))
        self.assertEqual(certificatesOf(trustRootFromCertificates([own, own])), (AUTHORITY,))

    def test_ofThePlatform(self) -> None:
        self.assertEqual({*certificatesOf(platformTrust())}, {*systemRoots()})

    def test_ofAFile(self) -> None:
        path = self.mktemp()
        Path(path).write_bytes(AUTHORITY.public_bytes(Encoding.PEM))
        self.assertEqual(certificatesOf(OfMine(lambda context: context.load_verify_locations(path))), (AUTHORITY,))

    def test_ofAFileThatIsNotThere(self) -> None:
        """OpenSSL says so where the context is used; the list is empty."""
        path = self.mktemp()
        self.assertEqual(certificatesOf(OfMine(lambda context: context.load_verify_locations(path))), ())
