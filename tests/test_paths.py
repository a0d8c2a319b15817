"""A peer is accepted if any path leads to an authority that is trusted, and no peer makes the search for it long."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtensionOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.ssl import Certificate, platformTrust, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NAME, NOW, Parts, crossSigned, intermediate, judged, leaf, remade, root
from tests.pfxfiles import der, seq
from tlscomm.failures import Problem
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation
from tlscomm.store import systemRoots
from tlscomm.verification import PROFILES, OpenSSLResult, Trust, Verifier, parsePin
from tlscomm.verification._paths import PathSearch, SearchBudget, byName
from tlscomm.x509._certificate import parsedCertificate

DAY = timedelta(days=1)


def stranger(name: str = "stranger") -> Authority:
    return Authority.create(name, organization="chains", now=NOW)


def codes(problems: Iterable[Any]) -> list[str]:
    return [problem.code for problem in problems]


class OtherPaths(SynchronousTestCase):
    def setUp(self) -> None:
        self.issuer = intermediate()
        self.leaf = leaf(self.issuer)

    def assertAccepted(
        self, presented: Sequence[x509.Certificate | Authority], path: Sequence[Any], **more: Any
    ) -> None:
        result = judged(presented, **more)
        self.assertEqual(result.problems, ())
        self.assertEqual([each.subject for each in result.chain], [each.subject for each in path])

    def test_theOrderInWhichTheyWereSentDoesNotMatter(self) -> None:
        second = intermediate(intermediate(name="first", pathLength=None), name="second")
        first = second.chain[1]
        made = leaf(second)
        path = (made, second.certificate, first, root().certificate)
        self.assertAccepted([made, first, stranger(), second], path)
        self.assertAccepted([made, second, first, root()], path)

    def test_anIssuerThatTwoAuthoritiesHaveCertified(self) -> None:
        other = stranger()
        foreign = crossSigned(self.issuer, other)
        path = (self.leaf, self.issuer.certificate, root().certificate)
        self.assertAccepted([self.leaf, foreign, self.issuer], path)
        self.assertAccepted([self.leaf, self.issuer, foreign, other], path)
        self.assertAccepted([self.leaf, foreign, self.issuer], (self.leaf, foreign, other.certificate), anchors=[other])

    def test_oneThatHasExpiredYieldsToAnother(self) -> None:
        expired = crossSigned(self.issuer, root(), notBefore=NOW - 2 * DAY, notAfter=NOW - DAY)
        self.assertAccepted([self.leaf, expired, self.issuer], (self.leaf, self.issuer.certificate, root().certificate))

    def test_oneThatIsNotPermittedYieldsToAnother(self) -> None:
        constraints = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
        constrained = crossSigned(self.issuer, root(), extensions=[(constraints, True)])
        result = judged([self.leaf, constrained, self.issuer])
        self.assertEqual((result.problems, result.chain[1]), ((), self.issuer.certificate))

    def test_oneThatIsRevokedYieldsToAnother(self) -> None:
        revoked = crossSigned(self.issuer, root())
        lists = [
            root().revocationList([revoked.serial_number], now=NOW),
            self.issuer.revocationList(now=NOW),
        ]
        result = judged([self.leaf, revoked, self.issuer], revocation=Revocation(lists))
        self.assertEqual((result.problems, result.chain[1]), ((), self.issuer.certificate))
        self.assertEqual(codes(judged([self.leaf, revoked], revocation=Revocation(lists)).problems), ["revoked"])

    def test_oneWithoutThePinnedKeyYieldsToAnother(self) -> None:
        other = stranger()
        foreign = crossSigned(self.issuer, other)
        pin = parsePin(f"fingerprint=sha256:{fingerprintOf(root().certificate)}")
        trust = Trust((other.certificate, root().certificate), pins=(pin,))
        result = judged([self.leaf, foreign, self.issuer], trust=trust)
        self.assertEqual((result.problems, result.chain[-1]), ((), root().certificate))

    def test_anIssuerWhoseNameIsWrittenInAnotherTypeOfString(self) -> None:
        printable = x509.Name(
            x509.NameAttribute(each.oid, each.value, _ASN1Type.PrintableString) for each in self.leaf.issuer
        )
        named = remade(self.leaf, self.issuer, lambda parts: [*parts[:3], printable.public_bytes(), *parts[4:]])
        self.assertNotEqual(self.leaf.issuer.public_bytes(), named.issuer.public_bytes())
        self.assertAccepted([named, self.issuer], (named, self.issuer.certificate, root().certificate))

    def test_anAuthorityWithANewKey(self) -> None:
        new = Authority.create("root", organization="chains", now=NOW)
        made = leaf(new)
        link = crossSigned(new, root())
        self.assertEqual(judged([made, link]).problems, ())
        self.assertEqual(codes(judged([made]).problems), ["unknown-issuer"])


def fingerprintOf(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives import hashes

    return certificate.fingerprint(hashes.SHA256()).hex()


class Trusting(SynchronousTestCase):
    def setUp(self) -> None:
        self.issuer = intermediate()
        self.leaf = leaf(self.issuer)

    def test_anIntermediateThatIsTrustedItself(self) -> None:
        result = judged([self.leaf], [self.issuer])
        self.assertEqual((result.problems, result.chain), ((), (self.leaf, self.issuer.certificate)))

    def test_aCertificateThatIsTrustedItself(self) -> None:
        result = judged([self.leaf], trust=Trust((self.leaf,)))
        self.assertEqual((result.problems, result.chain), ((), (self.leaf,)))
        self.assertEqual(
            codes(judged([self.leaf], trust=Trust((self.leaf,)), role="client").problems), ["wrong-purpose"]
        )
        issued = leaf(Authority(self.leaf, self.issuer.privateKey))
        self.assertNotEqual(judged([issued], trust=Trust((self.leaf,))).problems, ())

    def test_anIntermediateThatIsKnownHere(self) -> None:
        trust = Trust((root().certificate,), (self.issuer.certificate,))
        result = judged([self.leaf], trust=trust)
        self.assertEqual(result.problems, ())
        self.assertEqual([(each.code, each.depth) for each in result.warnings], [("incomplete-chain", 1)])
        self.assertEqual(judged([self.leaf, self.issuer], trust=trust).warnings, ())

    def test_anIntermediateThatIsKnownHereIsNotTrusted(self) -> None:
        trust = Trust((stranger().certificate,), (self.issuer.certificate,))
        self.assertEqual(codes(judged([self.leaf], trust=trust).problems), ["unknown-issuer"])

    def test_pins(self) -> None:
        fingerprint = parsePin(f"fingerprint=SHA256:{fingerprintOf(self.issuer.certificate).upper()}")
        key = parsePin(f"spki=sha256:{parsedCertificate(self.leaf).publicKeyDigest.hex()}")
        other = parsePin(f"spki=sha256:{'0' * 64}")
        roots = (root().certificate,)
        for pins, expected in (((fingerprint,), []), ((other, key), []), ((other,), ["not-allowed"])):
            result = judged([self.leaf, self.issuer], trust=Trust(roots, pins=pins))
            self.assertEqual(codes(result.problems), expected)
        self.assertIn("pinned", result.problems[0].detail)

    def test_whatIsNoPin(self) -> None:
        for text in ("", "spki=", "spki=sha256:12", "key=sha256:" + "0" * 64, "spki=sha512:" + "0" * 64):
            self.assertRaises(ValueError, parsePin, text)
        self.assertEqual(str(parsePin("spki=sha256:" + "AB:" * 31 + "ab")), "spki=sha256:" + "ab" * 32)

    def test_trustRootsOfTwisted(self) -> None:
        from OpenSSL.crypto import X509

        trustRoot = trustRootFromCertificates([Certificate(X509.from_cryptography(root().certificate))])
        self.assertEqual(judged([self.leaf, self.issuer], trust=Trust(trustRoot)).problems, ())
        self.assertEqual(Trust(trustRoot).anchors, (root().certificate,))

    def test_theSystemsRoots(self) -> None:
        self.assertEqual(set(Trust(platformTrust()).anchors), set(systemRoots()))

    def test_nobodyIsTrustedByDefault(self) -> None:
        self.assertNotEqual(judged([self.leaf, self.issuer, root()], trust=Trust()).problems, ())


class Refusals(SynchronousTestCase):
    """What is wrong is told from what the certificates say."""

    def code(self, presented: Sequence[x509.Certificate | Authority], **more: Any) -> tuple[str, int]:
        first = judged(presented, **more).problems[0]
        return first.code, first.depth

    def test_whoIsNotTrusted(self) -> None:
        other = stranger()
        below = intermediate(other)
        self.assertEqual(self.code([leaf(intermediate())]), ("incomplete-chain", 0))
        self.assertEqual(self.code([leaf(below), below, other]), ("unknown-issuer", 2))
        self.assertEqual(self.code([leaf(below), below]), ("unknown-issuer", 1))
        self.assertEqual(self.code([Authority.create("alone", now=NOW)]), ("self-signed", 0))

    def test_aBadSignature(self) -> None:
        forger = Authority(root().certificate, stranger().privateKey)
        self.assertEqual(self.code([leaf(forger)]), ("bad-signature", 0))
        below = intermediate(forger)
        self.assertEqual(self.code([leaf(below), below]), ("bad-signature", 1))

    def test_aCertificateThatNobodyCanReadIsNoneOfAPath(self) -> None:
        issuer = intermediate()
        early = seq(der(0x18, b"00000101000000Z"), der(0x17, b"491231235959Z"))
        emptyName = seq(der(0x31, b""))
        edits: list[Callable[[Parts], Parts]] = [
            lambda parts: [*parts[:4], early, *parts[5:]],
            lambda parts: [*parts[:5], emptyName, *parts[6:]],
            lambda parts: [*parts[:3], emptyName, *parts[4:]],
        ]
        made = leaf(issuer)
        for edit in edits:
            odd = remade(issuer.certificate, root(), edit)
            for profile in PROFILES:
                result = judged([made, odd], profile=profile)
                self.assertTrue(result.problems)
                self.assertEqual(judged([made, odd, issuer], profile=profile).problems, ())
                self.assertTrue(judged([odd, made, issuer], profile=profile).problems)
                self.assertTrue(judged([made], trust=Trust((odd,)), profile=profile).problems)
                pinned = Trust((root().certificate,), pins=(parsePin(f"spki={'0' * 64}"),))
                self.assertTrue(judged([odd, made], trust=pinned, profile=profile).problems)

    def test_aNameThatTheSecondOpinionDoesNotTakeForOneIsRefusedUnderStrict(self) -> None:
        odd = leaf(names=("a_b.server.example",))
        self.assertEqual(judged([odd], serverName="a_b.server.example").problems, ())
        self.assertEqual(
            codes(judged([odd], serverName="a_b.server.example", profile="strict").problems)[:1],
            ["invalid-certificate"],
        )

    def test_everythingThatIsWrongIsTold(self) -> None:
        issuer = intermediate(notBefore=NOW - 2 * DAY, notAfter=NOW - DAY)
        made = leaf(issuer, role="client", notBefore=NOW + DAY)
        problems = judged([made, issuer], serverName="other.example").problems
        self.assertEqual(
            {(each.code, each.depth) for each in problems},
            {("expired", 1), ("not-yet-valid", 0), ("wrong-purpose", 0), ("name-mismatch", 0)},
        )

    def test_theTimeIsTheOneThatIsAskedAbout(self) -> None:
        made = leaf()
        self.assertEqual(judged([made], at=NOW + DAY).problems, ())
        self.assertEqual(codes(judged([made], at=NOW - 4000 * DAY).problems)[0], "not-yet-valid")

    def test_aJudgementTakesACertificate(self) -> None:
        self.assertRaises(ValueError, judged, [])
        self.assertRaises(ValueError, judged, [leaf()], at=NOW.replace(tzinfo=None))
        self.assertRaises(ValueError, judged, [leaf()], profile="lenient")


class Remembering(SynchronousTestCase):
    """Who comes again is judged as the first time, whatever has changed since."""

    def test_theTimeGoesOn(self) -> None:
        verifier = Verifier(peerRole="server", trust=Trust((root().certificate,)))
        made = leaf(notBefore=NOW - DAY, notAfter=NOW + DAY)
        for days, expected in ((0, []), (0.5, []), (2, ["expired"]), (-2, ["not-yet-valid"]), (0, [])):
            problems = verifier.verify([made], at=NOW + days * DAY).problems
            self.assertEqual(sorted(set(codes(problems))), expected)

    def test_onlyWhatOpenSSLHasFoundNothingWrongWithIsTakenFromAHandshake(self) -> None:
        verifier = Verifier(peerRole="server", trust=Trust((root().certificate,)))
        other = stranger()
        chain = (leaf(other), other.certificate)
        self.assertEqual(verifier.verify(chain, opensslResult=OpenSSLResult((), chain)).problems, ())
        refused = OpenSSLResult((Problem("unknown-issuer", 1, opensslError=19),), chain)
        self.assertEqual(codes(verifier.verify(chain, opensslResult=refused).problems), ["unknown-issuer"])
        self.assertEqual(codes(verifier.verify(chain).problems)[:1], ["unknown-issuer"])

    def test_whatOpenSSLKnowsToBeRevokedIsRefusedHoweverOftenItWasAccepted(self) -> None:
        verifier = Verifier(peerRole="server", trust=Trust((root().certificate,)))
        chain = (leaf(), root().certificate)
        self.assertEqual(verifier.verify(chain[:1], at=NOW).problems, ())
        revoked = OpenSSLResult((Problem("revoked", 0, opensslError=23),), chain)
        self.assertEqual(codes(verifier.verify(chain[:1], opensslResult=revoked, at=NOW).problems), ["revoked"])


class Hostile(SynchronousTestCase):
    """The work is counted, and it ends."""

    def search(self, presented: Sequence[x509.Certificate], anchors: Sequence[Authority]) -> PathSearch:
        return PathSearch(
            leaf=parsedCertificate(presented[0]),
            anchors=byName(parsedCertificate(each.certificate) for each in anchors),
            others=presented[1:],
            maximumDepth=9,
            mayStand=lambda *_: True,
        )

    def test_aCycle(self) -> None:
        first, second = stranger("first"), stranger("second")
        presented = (leaf(first), crossSigned(first, second), crossSigned(second, first))
        self.assertEqual(codes(judged(presented).problems), ["unknown-issuer"])
        self.assertEqual(judged((*presented, crossSigned(second, root()))).problems, ())
        self.assertEqual(judged((*presented, crossSigned(first, root()))).problems, ())

    def test_hundredsThatHaveIssuedEachOther(self) -> None:
        # All have the same two names, and each has a key of its own.
        firsts = [stranger("first") for _ in range(12)]
        seconds = [stranger("second") for _ in range(12)]
        mesh = [crossSigned(one, other) for a, b in ((firsts, seconds), (seconds, firsts)) for one in a for other in b]
        self.assertEqual(len(mesh), 288)
        made = leaf(firsts[0])
        search = self.search((made, *mesh), [root()])
        self.assertEqual(list(search.paths()), [])
        self.assertEqual(search.budget, SearchBudget())
        # The name of an anchor that has signed none of them makes all of them look promising.
        forger = stranger("first")
        search = self.search((made, *mesh), [forger])
        self.assertEqual(list(search.paths()), [])
        self.assertTrue(search.budget.isExhausted)
        problems = judged((made, *mesh), [forger]).problems
        self.assertIn("more paths than are tried", " ".join(each.detail for each in problems))

    def test_aGoodPathIsFoundAmongHundreds(self) -> None:
        firsts = [stranger("first") for _ in range(12)]
        mesh = [crossSigned(one, other) for one in firsts for other in firsts if one is not other]
        made = leaf(firsts[0])
        result = judged((made, *mesh, crossSigned(firsts[0], root())))
        self.assertEqual((result.problems, len(result.chain)), ((), 3))

    def test_hugeNameConstraints(self) -> None:
        # The work grows with the sum of constraints and names, and not with their product. OpenSSL gives up on the
        # larger one by itself.
        small, large = (self.callsFor(scale) for scale in (1, 4))
        self.assertLess(large / small, 6)

    def callsFor(self, scale: int) -> int:
        constraints = x509.NameConstraints([x509.DNSName(f"a{number}.example") for number in range(2500 * scale)], None)
        issuer = intermediate(extensions=[(constraints, True)])
        made = leaf(issuer, [f"b.a{number}.example" for number in range(250 * scale)])
        return _countedCalls(lambda: judged([made, issuer]))

    def test_manyCertificatesThatHaveNothingToDoWithIt(self) -> None:
        strangers = [stranger(f"stranger {number}").certificate for number in range(100)]
        search = self.search((leaf(), *strangers), [root()])
        self.assertEqual(len(list(search.paths())), 1)
        self.assertEqual(SearchBudget().signatures - search.budget.signatures, 1)


def _countedCalls(work: Any) -> int:
    import sys

    count = 0

    def note(*_: Any) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


class Graphs(SynchronousTestCase):
    """In any graph of authorities a path is found exactly where there is one."""

    authorities = [Authority.create(f"node {number}", organization="chains", now=NOW) for number in range(5)]
    certificates: dict[tuple[int, int], x509.Certificate] = {}

    @settings(max_examples=40, deadline=None)
    @given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12), st.integers(0, 4))
    def test_reachable(self, edges: set[tuple[int, int]], anchor: int) -> None:
        made = self._certificate(0, -1)
        presented = [made, *(self._certificate(below, above) for below, above in edges if below != above)]
        reached = {0}
        for _ in edges:
            reached |= {above for below, above in edges if below in reached}
        result = judged(presented, [self.authorities[anchor]])
        self.assertEqual(not result.problems, anchor in reached, str(result.problems))

    def _certificate(self, below: int, above: int) -> x509.Certificate:
        if (below, above) not in self.certificates:
            made = (
                leaf(self.authorities[below])
                if above < 0
                else crossSigned(self.authorities[below], self.authorities[above])
            )
            self.certificates[below, above] = made
        return self.certificates[below, above]


class KeyIdentifiers(SynchronousTestCase):
    def test_theyAreOnlyHints(self) -> None:
        issuer = intermediate(omit=[ExtensionOID.SUBJECT_KEY_IDENTIFIER])
        made = leaf(issuer, omit=[ExtensionOID.AUTHORITY_KEY_IDENTIFIER])
        self.assertEqual(judged([made, issuer], serverName=NAME).problems, ())


class Mutations(SynchronousTestCase):
    """A certificate in which anything is changed is refused, and breaks nothing."""

    issuer = intermediate()
    sent = (leaf(issuer, uris=["spiffe://example/a"], emails=["a@b.example"]), issuer.certificate)

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, 1), st.integers(0, 10_000), st.integers(1, 255))
    def test_oneByte(self, which: int, place: int, change: int) -> None:
        content = bytearray(self.sent[which].public_bytes(Encoding.DER))
        content[place % len(content)] ^= change
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                changed = x509.load_der_x509_certificate(bytes(content))
            except (ValueError, x509.InvalidVersion):
                return
            sent = (changed, self.sent[1]) if which == 0 else (self.sent[0], changed)
            self.assertNotEqual(judged(sent).problems, ())
