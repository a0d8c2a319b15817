"""A policy that an authority demands has to hold all the way down (RFC 5280, section 6.1)."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NOW, intermediate, judged, leaf
from tests.pfxfiles import der, seq
from tlscomm.issuing import Authority

ANY = "2.5.29.32.0"
DEMAND = (x509.PolicyConstraints(0, None), True)
NO_MAPPING = (x509.PolicyConstraints(0, 0), True)
NO_ANY = (x509.InhibitAnyPolicy(0), True)

Extension = tuple[Any, bool]


def policies(*names: str) -> Extension:
    return x509.CertificatePolicies([x509.PolicyInformation(_identifier(name), None) for name in names]), False


def mapping(issuers: str, subjects: str) -> Extension:
    pair = seq(*(_encoded(name) for name in (issuers, subjects)))
    return x509.UnrecognizedExtension(ExtensionOID.POLICY_MAPPINGS, seq(pair)), True


def _identifier(name: str) -> x509.ObjectIdentifier:
    return x509.ObjectIdentifier(name if "." in name else f"1.2.{ord(name)}")


def _encoded(name: str) -> bytes:
    return der(6, b"\x55\x1d\x20\0" if name == ANY else bytes([42, ord(name)]))


class Policies(SynchronousTestCase):
    def assertValid(self, isValid: bool, *levels: tuple[Extension, ...], end: tuple[Extension, ...] = ()) -> None:
        authorities: list[Authority] = []
        for number, extensions in enumerate(levels):
            issuer = authorities[-1] if authorities else None
            authorities.append(intermediate(issuer, f"level {number}", pathLength=None, extensions=extensions))
        result = judged([leaf(authorities[-1], extensions=end), *authorities])
        self.assertEqual(not result.problems, isValid, str(result.problems))
        if not isValid:
            self.assertEqual(result.problems[0].code, "not-permitted")

    def test_nothingIsDemanded(self) -> None:
        self.assertValid(True, (), (policies("a"),), end=(policies("b"),))

    def test_oneIsDemanded(self) -> None:
        self.assertValid(True, (DEMAND, policies("a")), end=(policies("a"),))
        self.assertValid(False, (DEMAND, policies("a")), end=(policies("b"),))
        self.assertValid(False, (DEMAND, policies("a")))
        self.assertValid(False, (DEMAND,), end=(policies("a"),))

    def test_itMustHoldOnEachLevel(self) -> None:
        self.assertValid(True, (DEMAND, policies("a", "b")), (policies("b", "c"),), end=(policies("b"),))
        self.assertValid(False, (DEMAND, policies("a", "b")), (policies("b", "c"),), end=(policies("c"),))
        self.assertValid(False, (DEMAND, policies("a")), (), end=(policies("a"),))

    def test_itMayBeDemandedLater(self) -> None:
        later = (x509.PolicyConstraints(2, None), True)
        self.assertValid(True, (later,), end=())
        self.assertValid(False, (later,), (), (), end=())
        self.assertValid(True, (later, policies("a")), (policies("a"),), (policies("a"),), end=(policies("a"),))

    def test_theEndEntityDemandsItOfItself(self) -> None:
        self.assertValid(False, (), end=(DEMAND,))
        self.assertValid(True, (policies("a"),), end=(DEMAND, policies("a")))

    def test_anyPolicy(self) -> None:
        self.assertValid(True, (DEMAND, policies(ANY)), end=(policies("a"),))
        self.assertValid(True, (DEMAND, policies("a")), end=(policies(ANY),))
        self.assertValid(False, (DEMAND, NO_ANY, policies("a")), end=(policies(ANY),))
        self.assertValid(True, (DEMAND, NO_ANY, policies(ANY)), end=(policies("a"),))

    def test_mappings(self) -> None:
        self.assertValid(True, (DEMAND, policies("a"), mapping("a", "b")), end=(policies("b"),))
        self.assertValid(False, (DEMAND, policies("a"), mapping("a", "b")), end=(policies("a"),))
        self.assertValid(True, (DEMAND, policies(ANY), mapping("a", "b")), end=(policies("b"),))
        inhibited = (NO_MAPPING, policies("a")), (policies("a"), mapping("a", "b"))
        self.assertValid(False, *inhibited, end=(policies("b"),))
        self.assertValid(False, *inhibited, end=(policies("a"),))

    def test_mappingsThatAreNoneAreRefused(self) -> None:
        self.assertValid(False, (policies("a"), mapping(ANY, "b")))
        self.assertValid(False, (policies("a"), mapping("a", ANY)))
        self.assertValid(False, ((x509.UnrecognizedExtension(ExtensionOID.POLICY_MAPPINGS, b"\x30\x03\x06"), True),))

    def test_whatTheTrustedAuthorityDemandsHoldsForThoseBelowIt(self) -> None:
        """As RFC 5937, section 3.2, has it; which policies it has itself does not matter."""
        for demands, good in (
            ((DEMAND,), ((policies("a"),), (policies("a"),))),
            ((DEMAND, policies("z")), ((policies("a"),), (policies("a"),))),
            ((DEMAND, NO_ANY), ((policies("a"),), (policies("a"),))),
        ):
            anchor = Authority.create("demanding", organization="chains", now=NOW, extensions=demands)
            issuer = intermediate(anchor, extensions=good[0])
            for end, isValid in ((good[1], True), ((), False), ((policies("b"),), False)):
                result = judged([leaf(issuer, extensions=end), issuer], [anchor])
                self.assertEqual(not result.problems, isValid, str(result.problems))
        late = Authority.create(
            "late", organization="chains", now=NOW, extensions=((x509.PolicyConstraints(2, None), True),)
        )
        self.assertEqual(judged([leaf(late)], [late]).problems, ())
