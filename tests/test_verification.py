"""A server's certificate is for exactly the names that it has, and one bad name does not spoil the others."""

import ipaddress
from collections.abc import Sequence

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Problem
from tlscomm.issuing import Authority
from tlscomm.verification import OpenSSLResult, Trust, Verifier, nameProblem

AUTHORITY = Authority.create(organization="ours")


def problem(serverName: str, *names: x509.GeneralName) -> Problem | None:
    extension = (x509.SubjectAlternativeName(names), False)
    certificate = AUTHORITY.issue("localhost", role="server", extensions=(extension,) if names else ()).certificate
    return nameProblem(certificate, serverName)


def dns(*names: str) -> list[x509.DNSName]:
    return [x509.DNSName(name) for name in names]


class Names(SynchronousTestCase):
    def good(self, serverName: str, *names: x509.GeneralName) -> None:
        self.assertIsNone(problem(serverName, *names))

    def bad(self, code: str, serverName: str, *names: x509.GeneralName) -> None:
        found = problem(serverName, *names)
        self.assertEqual(found and found.code, code)

    def test_oneOfItsNames(self) -> None:
        self.good("localhost", *dns("other", "localhost"))
        self.good("LOCALHOST".lower(), *dns("LocalHost"))

    def test_wildcards(self) -> None:
        self.good("a.example.org", *dns("*.example.org"))
        self.bad("name-mismatch", "a.b.example.org", *dns("*.example.org"))
        self.bad("name-mismatch", "example.org", *dns("*.example.org"))

    def test_aWildcardIsForLabelsOfOtherScriptsToo(self) -> None:
        self.good("xn--bcher-kva.example.org", *dns("*.example.org"))
        self.bad("name-mismatch", "xn--bcher-kva.b.example.org", *dns("*.example.org"))

    def test_aNameWithSomethingAroundItIsAnotherOne(self) -> None:
        for odd in (" localhost", "localhost ", "localhost\t", "localhost\n", "localhost.", "localhost\0"):
            self.bad("invalid-certificate", "localhost", *dns(odd))

    def test_theDotAtTheEndOfWhatIsAskedForIsNoneOfTheName(self) -> None:
        self.good("a.example.org.", *dns("a.example.org"))

    def test_addresses(self) -> None:
        self.good("127.0.0.1", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        self.good("::1", x509.IPAddress(ipaddress.ip_address("::1")))
        self.bad("name-mismatch", "127.0.0.2", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))

    def test_anAddressWrittenAsAName(self) -> None:
        self.good("localhost", *dns("127.0.0.1", "localhost"))
        self.bad("name-mismatch", "127.0.0.1", *dns("127.0.0.1"))

    def test_aNameThatCannotBeUsed(self) -> None:
        self.good("localhost", *dns("*.localhost", "localhost"))
        self.bad("invalid-certificate", "localhost", *dns("*.*.example"))
        self.bad("name-mismatch", "localhost", *dns("*.*.example", "other.example"))

    def test_otherKindsOfNames(self) -> None:
        self.bad("name-mismatch", "localhost", x509.UniformResourceIdentifier("spiffe://localhost"))

    def test_noNameAtAll(self) -> None:
        self.bad("name-mismatch", "localhost")


class Issuers(SynchronousTestCase):
    """A missing intermediate and an unknown authority are told apart where the certificates tell."""

    def code(self, issuer: Authority, anchors: Sequence[Authority]) -> str:
        verifier = Verifier(peerRole="client", trust=Trust(tuple(anchor.certificate for anchor in anchors)))
        leaf = issuer.issue("client", role="client").certificate
        opensslResult = OpenSSLResult((Problem("unknown-issuer", 0, opensslError=20),), (leaf,))
        return verifier.verify([leaf], opensslResult=opensslResult).problems[0].code

    def test_anIntermediateOfTheirs(self) -> None:
        self.assertEqual(self.code(AUTHORITY.intermediate(organization="ours"), [AUTHORITY]), "incomplete-chain")

    def test_anAuthorityOfAnotherOrganization(self) -> None:
        self.assertEqual(self.code(Authority.create("root", organization="theirs"), [AUTHORITY]), "unknown-issuer")

    def test_anAuthorityWithTheSameName(self) -> None:
        self.assertEqual(self.code(Authority.create(organization="ours"), [AUTHORITY]), "unknown-issuer")

    def test_belowAuthoritiesThatMayHaveNoIntermediates(self) -> None:
        anchor = Authority.create("anchor", pathLength=0)
        self.assertEqual(self.code(Authority.create("other"), [anchor]), "unknown-issuer")

    def test_whereNothingTells(self) -> None:
        self.assertEqual(self.code(Authority.create("other"), [Authority.create("anchor")]), "incomplete-chain")
