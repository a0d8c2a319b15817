"""Why an issuer was not found: each cause in its own words, with whom the certificate names and who is trusted."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from failuretable import gallery
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Problem, TLSFailure
from tlscomm.issuing import Authority
from tlscomm.tls._verdict import verdict
from tlscomm.verification import Verifier
from tlscomm.verification._trust import Trust

OTHER = Authority.create("Other Root")
CLIENT = OTHER.issue("x", role="client")


def identified(identifier: x509.AuthorityKeyIdentifier) -> tuple[Any, x509.Certificate]:
    """Return a client's credential with an authority key identifier, and its authority."""
    authority = Authority.create("made-up root")
    return authority.issue("x", role="client", extensions=[(identifier, False)]), authority.certificate


def problem(credential: Any, *roots: x509.Certificate, role: Any = "client") -> Problem:
    chain = (credential.certificate, *credential.chain)
    return Verifier(peerRole=role, trust=Trust(roots)).verify(chain[:1]).problems[0]


class NotFound(SynchronousTestCase):
    def test_anotherAuthorityIsTrusted(self) -> None:
        """Who has issued the certificate stands beside who is trusted, and nothing has to be sent."""
        found = problem(CLIENT, Authority.create("Foreign Root").certificate)
        self.assertEqual(found.code, "unknown-issuer")
        self.assertEqual(found.detail, "issued by CN=Other Root; trusted is CN=Foreign Root")

    def test_noneIsTrusted(self) -> None:
        """Where no roots were given, that is what is said, and what to do about it."""
        found = problem(CLIENT)
        self.assertEqual(found.code, "unknown-issuer")
        self.assertIn("no authority is trusted", found.detail)
        self.assertIn("--client-roots", found.remedy)
        self.assertNotIn("intermediate", found.remedy)

    def test_anIntermediateMayBeMissing(self) -> None:
        """Where nothing tells a missing intermediate from another authority, both are said."""
        found = problem(gallery().credential("incomplete-chain", role="client"), *gallery().roots)
        self.assertEqual(found.code, "incomplete-chain")
        self.assertIn("trusted is CN=tlscomm gallery root", found.detail)
        self.assertIn("If it is another authority", found.remedy)

    def test_manyAreTrusted(self) -> None:
        """A few of them are named, and the others counted."""
        several = [Authority.create(f"Foreign {number} Root").certificate for number in range(5)]
        self.assertIn("CN=Foreign 2 Root and 2 more", problem(CLIENT, *several).detail)

    def test_theSystemsAreTrusted(self) -> None:
        """A private authority is none of the system's: it has to be named, and no intermediate is missing."""
        server = OTHER.issue("localhost", role="server", dnsNames=["localhost"])
        failure: TLSFailure | None = verdict(server, "server")
        assert failure is not None
        self.assertEqual(failure.code, "unknown-issuer")
        self.assertIn("those of the system", failure.message)


class Namesakes(SynchronousTestCase):
    def test_anotherKey(self) -> None:
        """A trusted authority of the same name with another key is said to be that."""
        self.assertIn("but another key", problem(CLIENT, Authority.create("Other Root").certificate).detail)

    def test_anotherNumber(self) -> None:
        """An authority that was renewed with its key: the identifier names the certificate of before."""
        name = x509.DirectoryName(x509.Name.from_rfc4514_string("CN=made-up root"))
        credential, anchor = identified(x509.AuthorityKeyIdentifier(None, [name], 0x1234))
        found = problem(credential, anchor)
        self.assertEqual(found.code, "unknown-issuer")
        self.assertIn("has this name and this key", found.detail)
        self.assertIn("serial number 1234", found.detail)
        self.assertIn(f"{anchor.serial_number:x}", found.detail)

    def test_anotherHash(self) -> None:
        """An identifier of the same key that was made in another way is shown beside the authority's."""
        found = problem(*identified(x509.AuthorityKeyIdentifier(b"\x11" * 8, None, None)))
        self.assertIn("1111111111111111", found.detail)
        self.assertNotIn("another key", found.detail)

    def test_anUnknownAlgorithm(self) -> None:
        """Of a signature that cannot be checked nothing is said of another key."""
        known, unknown = (bytes.fromhex(f"06082a8648ce3d0403{last}") for last in ("02", "7f"))
        der = CLIENT.certificate.public_bytes(Encoding.DER).replace(known, unknown)
        odd = x509.load_der_x509_certificate(der)
        found = Verifier(peerRole="client", trust=Trust((OTHER.certificate,))).verify((odd,)).problems[0]
        self.assertNotIn("another key", found.detail)


class AuthoritiesAsPeers(SynchronousTestCase):
    def test_itsKeyUsageIsNamed(self) -> None:
        """The certificate of an authority is no peer's because of its key usage, whatever its purposes are."""
        found = Verifier(peerRole="client", trust=Trust((OTHER.certificate,))).verify((OTHER.certificate,)).problems
        self.assertIn("wrong-purpose", [each.code for each in found])
        said = next(each for each in found if each.code == "wrong-purpose")
        self.assertIn("key usage", said.detail)
        self.assertNotIn("extended key usage", said.detail)
