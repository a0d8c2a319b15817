"""An authority's name constraints hold for each name, and for everything that a wildcard stands for."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NAME, intermediate, judged, leaf
from tlscomm.issuing import Authority
from tlscomm.x509._nameconstraints import Subtrees


def dns(name: str) -> x509.DNSName:
    return x509.DNSName(name)


def mail(name: str) -> x509.RFC822Name:
    # As it is read from a certificate, where nobody has looked at it yet.
    return x509.RFC822Name._init_without_validation(name)


def uri(name: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(name)


def address(name: str) -> x509.IPAddress:
    return x509.IPAddress(ip_address(name))


def network(name: str) -> x509.IPAddress:
    return x509.IPAddress(ip_network(name))


def directory(*units: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units]))


#: A constraint, a name, and whether the name is allowed where the constraint is permitted, and where it is excluded.
TABLE: tuple[tuple[x509.GeneralName, x509.GeneralName, bool, bool], ...] = (
    (dns("a.example"), dns("a.example"), True, False),
    (dns("a.example"), dns("A.Example"), True, False),
    (dns("a.example"), dns("b.a.example"), True, False),
    (dns("a.example"), dns("c.b.a.example"), True, False),
    (dns("a.example"), dns("ba.example"), False, True),
    (dns("a.example"), dns("example"), False, True),
    (dns("a.example"), dns("a.example.org"), False, True),
    (dns(""), dns("a.example"), True, False),
    (dns(".a.example"), dns("b.a.example"), True, False),
    (dns(".a.example"), dns("a.example"), False, True),
    # Wildcards: all that they stand for must be permitted, and nothing of it may be excluded.
    (dns("a.example"), dns("*.a.example"), True, False),
    (dns("a.example"), dns("*.b.a.example"), True, False),
    (dns(".a.example"), dns("*.a.example"), True, False),
    (dns("b.a.example"), dns("*.a.example"), False, False),
    (dns("c.b.a.example"), dns("*.a.example"), False, True),
    (dns("a.example"), dns("*.example"), False, False),
    (dns("b.example"), dns("*.a.example"), False, True),
    # What is no DNS name cannot be in a subtree, nor be known not to be in one.
    (dns("a.example"), dns("a.example."), False, False),
    (dns("a.example"), dns("b*.a.example"), False, False),
    (dns("a.example"), dns("b.*.a.example"), False, False),
    (dns("a.example"), dns("b a.example"), False, False),
    (dns("a.example"), dns(""), False, False),
    (dns("a b.example"), dns("b.a.example"), False, False),
    (dns("a.example."), dns("b.a.example"), False, False),
    (network("192.0.2.0/24"), address("192.0.2.1"), True, False),
    (network("192.0.2.0/24"), address("192.0.3.1"), False, True),
    (network("0.0.0.0/0"), address("192.0.3.1"), True, False),
    (network("2001:db8::/32"), address("2001:db8::1"), True, False),
    (network("::/0"), address("192.0.2.1"), False, True),
    (mail("a@a.example"), mail("a@a.example"), True, False),
    (mail("a@a.example"), mail("a@A.example"), True, False),
    (mail("a@a.example"), mail("A@a.example"), False, True),
    (mail("a.example"), mail("b@a.example"), True, False),
    (mail("a.example"), mail("b@c.a.example"), False, True),
    (mail(".a.example"), mail("b@c.a.example"), True, False),
    (mail(".a.example"), mail("b@a.example"), False, True),
    (mail("a.example"), mail("a.example"), False, False),
    (mail("a.example"), mail("b@c@a.example"), False, False),
    (mail("a.example"), mail('"b@c"@a.example'), True, False),
    # What has no meaning in the standard keeps everything out.
    (mail(""), mail("b@a.example"), False, False),
    (uri(""), uri("https://a.example/"), False, False),
    (uri("a.example"), uri("https://a.example/b"), True, False),
    (uri("a.example"), uri("spiffe://A.example/b"), True, False),
    (uri("a.example"), uri("https://b@a.example:8443/"), True, False),
    (uri("a.example"), uri("https://b.a.example/"), False, True),
    (uri(".a.example"), uri("https://b.a.example/"), True, False),
    (uri(".a.example"), uri("https://a.example/"), False, True),
    # A URI without a host, or with an address for one, cannot be constrained.
    (uri("a.example"), uri("urn:a.example"), False, False),
    (uri("a.example"), uri("https://192.0.2.1/"), False, False),
    (uri("a.example"), uri("https://%61.example/"), False, False),
    (uri("a.example"), uri("https://b\\@a.example/"), False, False),
    (directory("a"), directory("a"), True, False),
    (directory("a"), directory("A ", "b"), True, False),
    (directory("a", "b"), directory("a"), False, True),
    (directory("a"), directory("b", "a"), False, True),
    (x509.RegisteredID(NameOID.SURNAME), x509.RegisteredID(NameOID.SURNAME), False, False),
    (x509.OtherName(NameOID.SURNAME, b"\x05\0"), x509.OtherName(NameOID.SURNAME, b"\x05\0"), False, False),
    # Constraints of one kind say nothing of names of another.
    (dns("a.example"), mail("a@b.example"), True, True),
    (network("192.0.2.0/24"), dns("192.0.2.1"), True, True),
)


def isAllowed(name: x509.GeneralName, **constraints: Any) -> bool:
    subtrees = Subtrees(x509.NameConstraints(constraints.get("permitted"), constraints.get("excluded")))
    return not list(subtrees.violations((name,)))


class Table(SynchronousTestCase):
    def test_permitted(self) -> None:
        for constraint, name, expected, _ in TABLE:
            self.assertEqual(isAllowed(name, permitted=[constraint]), expected, f"{name} permitted by {constraint}")

    def test_excluded(self) -> None:
        for constraint, name, _, expected in TABLE:
            self.assertEqual(isAllowed(name, excluded=[constraint]), expected, f"{name} excluded by {constraint}")

    def test_oneOfSeveralIsEnough(self) -> None:
        several = [dns("a.example"), dns("b.example")]
        self.assertTrue(isAllowed(dns("b.example"), permitted=several))
        self.assertFalse(isAllowed(dns("b.example"), excluded=several))
        self.assertFalse(isAllowed(dns("c.b.example"), permitted=several, excluded=[dns("c.b.example")]))

    def test_aMailAddressInAnotherForm(self) -> None:
        internationalized = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), b"\x0c\x03a@b")
        self.assertFalse(isAllowed(internationalized, permitted=[mail("a.example")]))
        self.assertFalse(isAllowed(internationalized, excluded=[mail("a.example")]))
        self.assertTrue(isAllowed(internationalized, excluded=[dns("a.example")]))

    @given(st.lists(st.sampled_from("ab"), min_size=1, max_size=3), st.lists(st.sampled_from("ab"), max_size=3))
    def test_aWildcardIsRefusedExactlyWhereANameThatItStandsForIs(self, base: list[str], excluded: list[str]) -> None:
        wildcard, constraint = ".".join(["*", *base]), dns(".".join(excluded))
        names = [dns(".".join([label, *base])) for label in "abc"]
        self.assertEqual(
            isAllowed(dns(wildcard), excluded=[constraint]),
            all(isAllowed(name, excluded=[constraint]) for name in names),
        )


class Chains(SynchronousTestCase):
    def below(self, *names: x509.GeneralName, subject: x509.Name | None = None, **constraints: Any) -> bool:
        issuer = constrained(**constraints)
        extensions = [(x509.SubjectAlternativeName(names), False)] if names else []
        made = leaf(issuer, (), subject=subject, extensions=extensions)
        return not judged([made, issuer]).problems

    def test_aWildcardThatMayStandForAnExcludedName(self) -> None:
        self.assertFalse(self.below(dns("*.a.example"), excluded=[dns("b.a.example")]))
        self.assertTrue(self.below(dns("*.c.example"), excluded=[dns("b.a.example")]))

    def test_aCommonNameIsNoName(self) -> None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
        self.assertTrue(self.below(subject=subject, permitted=[dns("a.example")]))
        self.assertTrue(self.below(dns("a.example"), subject=subject, permitted=[dns("a.example")]))

    def test_theSubject(self) -> None:
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "b")])
        self.assertTrue(self.below(subject=subject, permitted=[directory("b")]))
        self.assertFalse(self.below(subject=subject, permitted=[directory("a")]))
        self.assertFalse(self.below(subject=subject, excluded=[directory("b")]))

    def test_aMailAddressInTheSubject(self) -> None:
        subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b.example")])
        self.assertFalse(self.below(subject=subject, permitted=[mail("a.example")]))
        self.assertTrue(self.below(subject=subject, permitted=[mail("b.example")]))

    def test_theyHoldForAllThatIsBelow(self) -> None:
        issuer = constrained(permitted=[dns("a.example")])
        second = intermediate(issuer, "second")
        self.assertTrue(judged([leaf(second), second, issuer]).problems)
        self.assertFalse(judged([leaf(second, ["a.example"]), second, issuer]).problems)

    def test_theyHoldForIssuersButNotForSelfIssuedOnes(self) -> None:
        issuer = constrained(permitted=[directory("a")])
        second = intermediate(issuer, "second")
        self.assertEqual(judged([leaf(second), second, issuer]).problems[0].code, "not-permitted")
        # An authority's new key, certified by its old one (RFC 5280, section 6.1.3, b).
        issuer = constrained(permitted=[x509.DirectoryName(_chains())])
        renewed = intermediate(issuer)
        self.assertEqual(renewed.certificate.subject, issuer.certificate.subject)
        self.assertFalse(judged([leaf(renewed), renewed, issuer]).problems)

    def test_thoseOfEachIssuerHold(self) -> None:
        first = constrained(permitted=[dns("a.example"), dns(NAME)])
        constraints = x509.NameConstraints([dns("b.example"), dns(NAME)], None)
        second = intermediate(first, "second", extensions=[(constraints, True)])
        self.assertFalse(judged([leaf(second), second, first]).problems)
        self.assertTrue(judged([leaf(second, ["a.example"]), second, first]).problems)
        self.assertTrue(judged([leaf(second, ["b.example"]), second, first]).problems)

    def test_ofManyThatAreWrongSomeAreTold(self) -> None:
        issuer = constrained(permitted=[dns("a.example")])
        problems = judged([leaf(issuer, [f"a{number}.b.example" for number in range(100)]), issuer]).problems
        told = sum(problem.detail.count("is in no permitted subtree") for problem in problems)
        self.assertIn(told, range(2, 20))

    def test_whatCostsTooMuchToCompareIsRefused(self) -> None:
        issuer = constrained(permitted=[dns("a.example")])
        long = ".".join(["b"] * 120)
        few, many = ([f"{number}.{long}.a.example" for number in range(count)] for count in (1000, 3000))
        self.assertFalse(judged([leaf(issuer, few), issuer]).problems)
        self.assertFalse(judged([leaf(names=many)]).problems)
        (problem, *_) = judged([leaf(issuer, many), issuer]).problems
        self.assertEqual(problem.code, "not-permitted")
        self.assertIn("more names than are compared", problem.detail)


def constrained(**constraints: Any) -> Authority:
    value = x509.NameConstraints(constraints.get("permitted"), constraints.get("excluded"))
    return intermediate(pathLength=None, extensions=[(value, True)])


def _chains() -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "chains")])
