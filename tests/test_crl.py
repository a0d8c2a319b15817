"""What lists say of a certificate (RFC 5280, section 6.3), and why a list does not count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from revocationlists import NOW, entry, indicator, point, revocationList, scope, withoutNextUpdate
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Problem, TLSFailure
from tlscomm.failures._wording import timeText
from tlscomm.issuing import Authority
from tlscomm.issuing._certificates import newKey
from tlscomm.revocation import Mode, Revocation, loadRevocationLists
from tlscomm.verification import Trust, Verifier

ROOT = Authority.create("the root")
INTERMEDIATE = ROOT.intermediate("the intermediate")
HERE, ELSEWHERE = "http://crl.example/here.crl", "http://crl.example/elsewhere.crl"
POINTS = (x509.CRLDistributionPoints([point(HERE)]), False)
LEAF = ROOT.issue("leaf", role="client")
NAMED = ROOT.issue("leaf", role="client", dnsNames=["leaf.example"])
POINTING = ROOT.issue("leaf", role="client", extensions=[POINTS])
DAY = timedelta(days=1)
REASON = x509.ReasonFlags


class _Case(SynchronousTestCase):
    def check(
        self, *lists: x509.CertificateRevocationList, leaf: Any = LEAF, mode: Mode | None = None, **more: Any
    ) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        path = more.pop("path", (leaf.certificate, ROOT.certificate))
        return Revocation(lists, mode=mode).check(path, at=more.pop("at", NOW), **more)

    def problem(self, *lists: x509.CertificateRevocationList, **more: Any) -> Problem:
        problems, warnings = self.check(*lists, **more)
        self.assertEqual((len(problems), warnings), (1, ()))
        return problems[0]

    def assertGood(self, *lists: x509.CertificateRevocationList, **more: Any) -> None:
        self.assertEqual(self.check(*lists, **more), ((), ()))

    def assertUnknown(self, says: str, *lists: x509.CertificateRevocationList, **more: Any) -> None:
        problem = self.problem(*lists, **more)
        self.assertEqual(problem.code, "revocation-unknown")
        self.assertIn(says, problem.detail)

    def assertRevoked(self, says: str, *lists: x509.CertificateRevocationList, **more: Any) -> None:
        problem = self.problem(*lists, **more)
        self.assertEqual(problem.code, "revoked")
        self.assertIn(says, problem.detail)


def serial(leaf: Any = LEAF) -> int:
    return int(leaf.certificate.serial_number)


class Strict(_Case):
    """Where the rules are strict, a list counts for good only if it is made as RFC 5280, section 5.2, demands."""

    def test_theNumberIsThereAndNotCritical(self) -> None:
        without = revocationList(ROOT, number=None)
        critical = revocationList(ROOT, number=None, extensions=[(x509.CRLNumber(1), True)])
        for listed, says in ((without, "it has no number"), (critical, "its number is critical")):
            self.assertGood(listed)
            self.assertUnknown(says, listed, isStrict=True)
            self.assertUnknown("RFC 5280, section 5.2", listed, isStrict=True)
        self.assertGood(revocationList(ROOT), isStrict=True)
        self.assertGood(without, revocationList(ROOT, number=2), isStrict=True)

    def test_whatMakesAListADeltaOrAboutAPartIsCritical(self) -> None:
        for extension in (indicator(1)[0], scope(only_contains_user_certs=True)[0]):
            odd = revocationList(ROOT, number=2, extensions=[(extension, False)])
            self.assertGood(revocationList(ROOT), odd)
        self.assertUnknown(
            "its issuing distribution point is not critical",
            revocationList(ROOT, extensions=[(scope(only_contains_user_certs=True)[0], False)]),
            isStrict=True,
        )
        delta = revocationList(ROOT, number=2, extensions=[(indicator(1)[0], False)])
        self.assertUnknown("its delta indicator is not critical", revocationList(ROOT), delta, isStrict=True)

    def test_aRevocationCountsHoweverTheListIsMade(self) -> None:
        self.assertRevoked("says the list of", revocationList(ROOT, [serial()], number=None), isStrict=True)

    def test_theProfileSaysSo(self) -> None:
        trust, lists = Trust((ROOT.certificate,)), Revocation([revocationList(ROOT, number=None)])
        for profile, expected in (("compatible", []), ("strict", ["revocation-unknown"])):
            verifier = Verifier(peerRole="client", trust=trust, revocation=lists, profile=profile)  # type: ignore[arg-type]
            problems = verifier.verify([NAMED.certificate], at=NOW).problems
            self.assertEqual([each.code for each in problems], expected)


class Coverage(_Case):
    def test_whoIsNotOnACurrentListIsGood(self) -> None:
        self.assertGood(revocationList(ROOT, [1, 2]))

    def test_aRevocationIsToldWithDateAndReason(self) -> None:
        listed = revocationList(ROOT, entries=[entry(serial(), REASON.key_compromise)])
        says = f"on {timeText(NOW - DAY)}, reason keyCompromise, says the list 1 of CN=the root"
        self.assertRevoked(says, listed)

    def test_aReasonThatIsNoneIsNotTold(self) -> None:
        listed = revocationList(ROOT, entries=[entry(serial(), REASON.unspecified)])
        self.assertRevoked("+00:00, says the list", listed)

    def test_aDateInTheFutureCountsAlready(self) -> None:
        self.assertRevoked("", revocationList(ROOT, entries=[entry(serial(), date=NOW + DAY)]))

    def test_noList(self) -> None:
        self.assertUnknown("no list of its issuer CN=the root is known", revocationList(Authority.create("another")))

    def test_anExpiredList(self) -> None:
        expired = revocationList(ROOT, since=NOW - 2 * DAY, until=NOW - DAY)
        self.assertUnknown(f"the list 1 of CN=the root expired at {timeText(NOW - DAY)}", expired)

    def test_aListExpiresWhenTheNextIsDue(self) -> None:
        listed = revocationList(ROOT, until=NOW)
        self.assertGood(listed, at=NOW - timedelta(seconds=1))
        self.assertUnknown("expired", listed, at=NOW)

    def test_anExpiredListStillTellsOfARevocation(self) -> None:
        expired = revocationList(ROOT, [serial()], since=NOW - 2 * DAY, until=NOW - DAY)
        self.assertRevoked("out of date", expired)

    def test_anExpiredHoldMayHaveBeenLifted(self) -> None:
        held = [entry(serial(), REASON.certificate_hold)]
        expired = revocationList(ROOT, entries=held, since=NOW - 2 * DAY, until=NOW - DAY)
        self.assertUnknown("expired", expired)

    def test_aListThatIsNotYetValid(self) -> None:
        early = revocationList(ROOT, since=NOW + DAY, until=NOW + 2 * DAY)
        self.assertUnknown("is not valid before", early)

    def test_aListWithoutAnEndIsNeverKnownToBeCurrent(self) -> None:
        endless = withoutNextUpdate(ROOT, revocationList(ROOT))
        self.assertUnknown("does not say until when it holds", endless)
        self.assertRevoked("", withoutNextUpdate(ROOT, revocationList(ROOT, [serial()])))

    def test_eachCertificateOfThePathNeedsAList(self) -> None:
        path = (INTERMEDIATE.issue("leaf", role="client").certificate, INTERMEDIATE.certificate, ROOT.certificate)
        self.assertGood(revocationList(ROOT), revocationList(INTERMEDIATE), path=path)
        self.assertUnknown("CN=the root", revocationList(INTERMEDIATE), path=path)
        self.assertUnknown("CN=the intermediate", revocationList(ROOT), path=path)
        listed = revocationList(ROOT, [INTERMEDIATE.certificate.serial_number])
        self.assertEqual(self.problem(listed, revocationList(INTERMEDIATE), path=path).depth, 1)

    def test_nobodyRevokesATrustAnchor(self) -> None:
        listed = revocationList(ROOT, [ROOT.certificate.serial_number])
        self.assertGood(listed)
        self.assertGood(listed, path=(ROOT.certificate,))


class Modes(_Case):
    def test_softWarnsOfTheUnknownAndRefusesTheRevoked(self) -> None:
        problems, warnings = self.check(revocationList(Authority.create("another")), mode="soft")
        self.assertEqual((problems, [warning.code for warning in warnings]), ((), ["revocation-unknown"]))
        self.assertRevoked("", revocationList(ROOT, [serial()]), mode="soft")

    def test_offLooksAtNothing(self) -> None:
        self.assertGood(revocationList(ROOT, [serial()]), mode="off")

    def test_listsAreRequiredWhereGivenAndNotMissedWhereNot(self) -> None:
        self.assertEqual(Revocation([revocationList(ROOT)]).mode, "required")
        self.assertGood()

    def test_requiredWithoutAListRefusesEverybody(self) -> None:
        self.assertUnknown("no list", mode="required")

    def test_aModeThatThereIsNot(self) -> None:
        self.assertRaises(ValueError, Revocation, mode="hard")


class Signatures(_Case):
    def test_aListThatIsBadlySigned(self) -> None:
        self.assertUnknown("the list 1 of CN=the root is badly signed", revocationList(ROOT, signer=newKey()))
        self.assertUnknown("is badly signed", revocationList(ROOT, [serial()], signer=newKey()))

    def test_aBadlySignedListDoesNotHideAGoodOne(self) -> None:
        forged = revocationList(ROOT, number=9, signer=newKey())
        self.assertRevoked("the list 1", forged, revocationList(ROOT, [serial()]))

    def test_anIssuerThatMayNotSignLists(self) -> None:
        usage = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True})
        mute = Authority.create("mute", extensions=[(usage, True)])
        leaf = mute.issue("leaf", role="client")
        path = (leaf.certificate, mute.certificate)
        self.assertUnknown("may not sign lists", revocationList(mute), path=path)

    def test_anotherKeyOfTheIssuerMaySignLists(self) -> None:
        signer, certificate = self.signer(ROOT)
        listed = revocationList(ROOT, [serial()], signer=signer)
        self.assertUnknown("badly signed", listed)
        self.assertRevoked("", listed, others=[certificate])
        self.assertGood(revocationList(ROOT, signer=signer), others=[certificate])

    def test_theKeyMustBelongToAnAuthorityOfThePath(self) -> None:
        signer, certificate = self.signer(Authority.create("the root"))
        self.assertUnknown("badly signed", revocationList(ROOT, signer=signer), others=[certificate])

    def test_theKeyMustBeForLists(self) -> None:
        key = newKey()
        usual = ROOT.issue("", role=None, subject=ROOT.certificate.subject, privateKey=key).certificate
        self.assertUnknown("badly signed", revocationList(ROOT, signer=key), others=[usual])

    def test_aRevokedKeySignsNothing(self) -> None:
        signer, certificate = self.signer(ROOT)
        theirs = revocationList(ROOT, number=2, signer=signer)
        own = revocationList(ROOT, [certificate.serial_number], until=NOW - timedelta(minutes=1))
        self.assertUnknown("badly signed", theirs, own, others=[certificate])

    def test_anExpiredKeySignsNothing(self) -> None:
        signer, certificate = self.signer(ROOT, notBefore=NOW - 9 * DAY, notAfter=NOW - DAY)
        self.assertUnknown("badly signed", revocationList(ROOT, signer=signer), others=[certificate])

    def test_manyCertificatesOfTheNameCostLittle(self) -> None:
        """Of those that a peer sends, four at most are tried."""
        many = [self.signer(ROOT)[1] for _ in range(5)]
        signer, certificate = self.signer(ROOT)
        listed = revocationList(ROOT, signer=signer)
        self.assertUnknown("badly signed", listed, others=[*many, certificate])
        self.assertGood(listed, others=[*many[:3], certificate])

    def test_namesMatchWhateverTheirCaseAndSpaces(self) -> None:
        """RFC 5280, section 7.1."""
        shouting = Authority.create("THE  root", privateKey=ROOT.privateKey)
        self.assertGood(revocationList(shouting))

    def signer(self, authority: Authority, **validity: Any) -> tuple[Any, x509.Certificate]:
        key = newKey()
        usage = (x509.KeyUsage(**{**_NO_USAGE, "crl_sign": True}), True)
        subject = authority.certificate.subject
        issued = authority.issue("", role=None, subject=subject, privateKey=key, extensions=[usage], **validity)
        return key, issued.certificate


class Newest(_Case):
    def test_theHighestNumberCounts(self) -> None:
        for order in (1, -1):
            lists = [revocationList(ROOT, [serial()], number=2), revocationList(ROOT, number=1)][::order]
            self.assertRevoked("the list 2", *lists)

    def test_theHighestNumberMayTakeBack(self) -> None:
        self.assertGood(revocationList(ROOT, [serial()], number=1), revocationList(ROOT, number=2))

    def test_ofEqualNumbersTheLatestCounts(self) -> None:
        late = revocationList(ROOT, [serial()], since=NOW - timedelta(hours=1))
        self.assertRevoked("", revocationList(ROOT), late)
        self.assertRevoked("", late, revocationList(ROOT))

    def test_withoutNumbersTheLatestCounts(self) -> None:
        late = revocationList(ROOT, [serial()], number=None, since=NOW - timedelta(hours=1))
        self.assertRevoked("the list of CN=the root", revocationList(ROOT, number=None), late)

    def test_anExpiredListWithAHigherNumberStillRevokes(self) -> None:
        expired = revocationList(ROOT, [serial()], number=3, until=NOW - timedelta(hours=1))
        self.assertRevoked("the list 3", revocationList(ROOT, number=2), expired)


class Deltas(_Case):
    def delta(self, number: int, base: int, *entries: x509.RevokedCertificate, **more: Any) -> Any:
        return revocationList(ROOT, number=number, entries=entries, extensions=[indicator(base)], **more)

    def test_aDeltaAdds(self) -> None:
        self.assertRevoked("the delta list 2", revocationList(ROOT), self.delta(2, 1, entry(serial())))

    def test_aDeltaTakesAway(self) -> None:
        held = revocationList(ROOT, entries=[entry(serial(), REASON.certificate_hold)])
        self.assertRevoked("certificateHold", held)
        self.assertGood(held, self.delta(2, 1, entry(serial(), REASON.remove_from_crl)))

    def test_aDeltaKeepsWhatItDoesNotName(self) -> None:
        self.assertRevoked("the list 1", revocationList(ROOT, [serial()]), self.delta(2, 1, entry(7)))

    def test_aDeltaAloneCoversNobody(self) -> None:
        self.assertUnknown("without the list that it adds to", self.delta(2, 1))
        self.assertRevoked("", self.delta(2, 1, entry(serial())))

    def test_aDeltaOfALaterBaseDoesNotMakeAnOldListCurrent(self) -> None:
        old = revocationList(ROOT, number=1, until=NOW - timedelta(hours=1))
        self.assertUnknown("expired", old, self.delta(9, 5))

    def test_aCurrentDeltaMakesItsBaseCurrent(self) -> None:
        old = revocationList(ROOT, until=NOW - timedelta(hours=1))
        self.assertGood(old, self.delta(2, 1))

    def test_anExpiredDeltaTakesNothingAway(self) -> None:
        held = revocationList(ROOT, entries=[entry(serial(), REASON.certificate_hold)])
        away = self.delta(2, 1, entry(serial(), REASON.remove_from_crl), until=NOW - timedelta(hours=1))
        self.assertRevoked("certificateHold", held, away)

    def test_anOlderDeltaTakesNothingAway(self) -> None:
        held = revocationList(ROOT, number=5, entries=[entry(serial(), REASON.certificate_hold)])
        self.assertRevoked("", held, self.delta(4, 1, entry(serial(), REASON.remove_from_crl)))


class Scopes(_Case):
    def scoped(self, serials: Any = (), **only: Any) -> x509.CertificateRevocationList:
        return revocationList(ROOT, serials, extensions=[scope(**only)])

    def test_aListAboutUsers(self) -> None:
        listed = self.scoped(only_contains_user_certs=True)
        self.assertGood(listed)
        path = (INTERMEDIATE.certificate, ROOT.certificate)
        self.assertUnknown("users only", listed, path=path)

    def test_aListAboutAuthorities(self) -> None:
        listed = self.scoped(only_contains_ca_certs=True)
        self.assertGood(listed, path=(INTERMEDIATE.certificate, ROOT.certificate))
        self.assertUnknown("authorities only", listed)

    def test_aListAboutAttributes(self) -> None:
        self.assertUnknown("attributes only", self.scoped(only_contains_attribute_certs=True))

    def test_anIndirectListIsNotRead(self) -> None:
        self.assertUnknown("indirect list", self.scoped(indirect_crl=True))

    def test_aDistributionPointOfTheCertificate(self) -> None:
        here, elsewhere = ([x509.UniformResourceIdentifier(url)] for url in (HERE, ELSEWHERE))
        self.assertGood(self.scoped(full_name=here), leaf=POINTING)
        self.assertUnknown("another distribution point", self.scoped(full_name=elsewhere), leaf=POINTING)
        self.assertUnknown("another distribution point", self.scoped(full_name=here))

    def test_aRelativeDistributionPoint(self) -> None:
        relative = x509.RelativeDistinguishedName([x509.NameAttribute(x509.NameOID.COMMON_NAME, "part 1")])
        points = x509.CRLDistributionPoints([point(HERE, full_name=None, relative_name=relative)])
        leaf = ROOT.issue("leaf", role="client", extensions=[(points, False)])
        self.assertGood(self.scoped(relative_name=relative), leaf=leaf)
        self.assertUnknown("another distribution point", self.scoped(relative_name=relative))

    def test_someReasonsDoNotCoverAll(self) -> None:
        one, rest = frozenset({REASON.key_compromise}), frozenset(REASON) - _NOT_TO_BE_NAMED - {REASON.key_compromise}
        self.assertUnknown("do not tell of these reasons", self.scoped(only_some_reasons=one))
        self.assertGood(self.scoped(only_some_reasons=one), self.scoped(only_some_reasons=rest))

    def test_someReasonsAreEnoughToRevoke(self) -> None:
        listed = self.scoped([serial()], only_some_reasons=frozenset({REASON.key_compromise}))
        self.assertRevoked("", listed, revocationList(ROOT))

    def test_theDistributionPointMayHaveFewerReasons(self) -> None:
        fewer = x509.CRLDistributionPoints([point(HERE, reasons=frozenset({REASON.key_compromise}))])
        leaf = ROOT.issue("leaf", role="client", extensions=[(fewer, False)])
        listed = self.scoped(full_name=[x509.UniformResourceIdentifier(HERE)])
        self.assertUnknown("do not tell of these reasons", listed, leaf=leaf)


class Extensions(_Case):
    UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")

    def test_anUnknownCriticalExtension(self) -> None:
        says = "critical extension 1.2.3.4"
        self.assertUnknown(says, revocationList(ROOT, extensions=[(self.UNKNOWN, True)]))
        self.assertGood(revocationList(ROOT, extensions=[(self.UNKNOWN, False)]))

    def test_anUnknownCriticalExtensionOfAnyEntry(self) -> None:
        """RFC 5280, section 5.3: then the list says nothing of any certificate."""
        listed = revocationList(ROOT, entries=[entry(7, extensions=[(self.UNKNOWN, True)])])
        self.assertUnknown("an entry has the critical extension 1.2.3.4", listed)
        self.assertGood(revocationList(ROOT, entries=[entry(7, extensions=[(self.UNKNOWN, False)])]))

    def test_anEntryOfAnotherIssuer(self) -> None:
        other = x509.CertificateIssuer([x509.DirectoryName(LEAF.certificate.subject)])
        listed = revocationList(ROOT, entries=[entry(7, extensions=[(other, True)])])
        self.assertUnknown("an entry has the critical extension", listed)

    def test_extensionsThatCannotBeRead(self) -> None:
        broken = x509.UnrecognizedExtension(x509.ExtensionOID.ISSUING_DISTRIBUTION_POINT, b"\x05\x00")
        self.assertUnknown("its extensions cannot be read", revocationList(ROOT, extensions=[(broken, True)]))


class Work(_Case):
    def test_aSignatureIsVerifiedOnce(self) -> None:
        """Of a list of any length, the second look-up costs neither a signature nor a search."""
        revocation = Revocation([revocationList(ROOT, range(1, 2000))])
        path = (LEAF.certificate, ROOT.certificate)
        revocation.check(path, at=NOW)
        known = next(iter(revocation._byIssuer.values()))[0]
        verdicts = dict(known._verdicts)
        self.assertEqual(list(verdicts.values()), [True])
        for _ in range(3):
            self.assertEqual(revocation.check(path, at=NOW), ((), ()))
        self.assertEqual(known._verdicts, verdicts)

    def test_theVerdictsOnSignaturesAreBounded(self) -> None:
        revocation = Revocation([revocationList(ROOT)])
        for _ in range(40):
            namesake = Authority.create("the root")
            path = (namesake.issue("leaf", role="client").certificate, namesake.certificate)
            self.assertEqual(revocation.check(path, at=NOW)[0][0].code, "revocation-unknown")
        known = next(iter(revocation._byIssuer.values()))[0]
        self.assertLessEqual(len(known._verdicts), 16)


class Damage(SynchronousTestCase):
    DER = revocationList(ROOT, [1], extensions=[scope(only_contains_user_certs=True)]).public_bytes(Encoding.DER)

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, len(DER) - 1), st.integers(1, 255))
    def test_aChangedByteGivesANamedFailureOrNoVerdict(self, at: int, change: int) -> None:
        changed = bytearray(self.DER)
        changed[at] ^= change
        try:
            lists = loadRevocationLists(bytes(changed))
        except TLSFailure:
            return
        problems, _ = Revocation(lists).check((LEAF.certificate, ROOT.certificate), at=NOW)
        if problems:
            self.assertEqual([problem.code for problem in problems], ["revocation-unknown"])
        else:
            # A signature that ends in a zero bit may be said to have an unused bit, and is the same.
            original = x509.load_der_x509_crl(self.DER)
            self.assertEqual(lists[0].tbs_certlist_bytes, original.tbs_certlist_bytes)
            self.assertEqual((lists[0].signature, self.DER[at]), (original.signature, 0))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400))
    def test_anythingElseGivesANamedFailure(self, content: bytes) -> None:
        self.assertRaises(TLSFailure, loadRevocationLists, b"\x30" + content)


_NOT_TO_BE_NAMED = frozenset({REASON.unspecified, REASON.remove_from_crl})

_NO_USAGE = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)
