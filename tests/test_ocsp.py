"""What a stapled OCSP response says of a certificate (RFC 6960), and why it does not count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given, settings
from hypothesis import strategies as st
from ocspresponses import MUST_STAPLE, ocspResponse, responder
from revocationlists import NOW, revocationList
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.credentials import Credential
from tlscomm.failures import Problem
from tlscomm.failures._wording import timeText
from tlscomm.issuing import Authority
from tlscomm.revocation import Mode, Revocation

ROOT = Authority.create("the root")
LEAF = ROOT.issue("leaf", role="server").certificate
STAPLER = ROOT.issue("stapler", role="server", extensions=[MUST_STAPLE]).certificate
RESPONSE = ocspResponse(ROOT, LEAF)
HOUR = timedelta(hours=1)


class _Case(SynchronousTestCase):
    def check(
        self,
        staple: bytes | None,
        *lists: x509.CertificateRevocationList,
        mode: Mode | None = "required",
        leaf: x509.Certificate = LEAF,
        at: Any = NOW,
    ) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
        revocation = Revocation(lists, mode=mode)
        return revocation.check((leaf, ROOT.certificate), at=at, staple=staple, stapling=True)

    def assertGood(self, staple: bytes | None, *lists: x509.CertificateRevocationList, **more: Any) -> None:
        self.assertEqual(self.check(staple, *lists, **more), ((), ()))

    def assertRefused(
        self, code: str, says: str, staple: bytes | None, *lists: x509.CertificateRevocationList, **more: Any
    ) -> None:
        problems, warnings = self.check(staple, *lists, **more)
        self.assertEqual(([problem.code for problem in problems], warnings), ([code], ()))
        self.assertIn(says, problems[0].detail)

    def assertUnknown(self, says: str, staple: bytes | None, *lists: Any, **more: Any) -> None:
        self.assertRefused("revocation-unknown", says, staple, *lists, **more)

    def assertWarned(self, says: str, staple: bytes | None, *lists: Any, **more: Any) -> None:
        problems, warnings = self.check(staple, *lists, **more)
        self.assertEqual((problems, [warning.code for warning in warnings]), ((), ["revocation-unknown"]))
        self.assertIn(says, warnings[0].detail)


class Statuses(_Case):
    def test_aGoodResponseSettlesTheLeaf(self) -> None:
        self.assertGood(RESPONSE)

    def test_theCertificateMayBeNamedBySHA1(self) -> None:
        self.assertGood(ocspResponse(ROOT, LEAF, digest=hashes.SHA1()))

    def test_revoked(self) -> None:
        reason = x509.ReasonFlags.key_compromise
        says = f"on {timeText(NOW - HOUR)}, reason keyCompromise, says its OCSP response"
        for mode in ("soft", "required", None):
            self.assertRefused("revoked", says, ocspResponse(ROOT, LEAF, "revoked", reason=reason), mode=mode)

    def test_theResponderDoesNotKnowIt(self) -> None:
        self.assertUnknown("does not know it", ocspResponse(ROOT, LEAF, "unknown"))

    def test_offLooksAtNothing(self) -> None:
        self.assertGood(ocspResponse(ROOT, LEAF, "revoked"), mode="off")

    def test_aResponderThatDoesNotAnswer(self) -> None:
        builder = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        self.assertUnknown("its responder answered try_later", builder.public_bytes(Encoding.DER))

    def test_anotherCertificate(self) -> None:
        self.assertUnknown("another certificate", ocspResponse(ROOT, STAPLER))
        elsewhere = Authority.create("the root")
        twin = elsewhere.issue("leaf", role="server", serialNumber=LEAF.serial_number)
        self.assertUnknown("another certificate", ocspResponse(elsewhere, twin.certificate))


class Times(_Case):
    def test_expired(self) -> None:
        self.assertUnknown("its OCSP response expired at", ocspResponse(ROOT, LEAF, until=NOW - HOUR / 2))

    def test_notYetValid(self) -> None:
        self.assertUnknown("is not valid before", ocspResponse(ROOT, LEAF, since=NOW + HOUR / 2))

    def test_withoutAnEndItCountsForADay(self) -> None:
        endless = ocspResponse(ROOT, LEAF, until=None)
        self.assertGood(endless)
        self.assertUnknown("expired", endless, at=NOW + timedelta(hours=24))

    def test_anExpiredResponseStillTellsOfARevocation(self) -> None:
        late = {"until": NOW - HOUR / 2}
        self.assertRefused("revoked", "out of date", ocspResponse(ROOT, LEAF, "revoked", **late))  # type: ignore[arg-type]
        held = ocspResponse(ROOT, LEAF, "revoked", reason=x509.ReasonFlags.certificate_hold, **late)  # type: ignore[arg-type]
        self.assertUnknown("expired", held)


class Signatures(_Case):
    def test_aWrongKey(self) -> None:
        impostor = Authority.create("the root")
        by = Credential(impostor.certificate, (), impostor.privateKey)
        for status in ("good", "revoked"):
            self.assertUnknown("is badly signed", ocspResponse(ROOT, LEAF, status, by=by))

    def test_aResponderOfTheIssuer(self) -> None:
        self.assertGood(ocspResponse(ROOT, LEAF, by=responder(ROOT)))

    def test_aResponderMustShowItsCertificate(self) -> None:
        self.assertUnknown("badly signed", ocspResponse(ROOT, LEAF, by=responder(ROOT), sends=False))

    def test_aCertificateThatIsNotForResponding(self) -> None:
        self.assertUnknown("badly signed", ocspResponse(ROOT, LEAF, by=responder(ROOT, mayRespond=False)))

    def test_aResponderOfAnotherAuthority(self) -> None:
        for other in (Authority.create("the root"), ROOT.intermediate()):
            self.assertUnknown("badly signed", ocspResponse(ROOT, LEAF, by=responder(other)))

    def test_aResponderThatHasExpired(self) -> None:
        old = responder(ROOT, notBefore=NOW - 9 * HOUR, notAfter=NOW - HOUR)
        self.assertUnknown("not valid now", ocspResponse(ROOT, LEAF, by=old))

    def test_aRevokedResponder(self) -> None:
        """Only a list can tell; one whose certificate says that it need not be looked up is not."""
        for noCheck in (False, True):
            signer = responder(ROOT, noCheck=noCheck)
            staple = ocspResponse(ROOT, LEAF, by=signer)
            listed = revocationList(ROOT, [signer.certificate.serial_number])
            if noCheck:
                self.assertGood(staple, listed)
            else:
                self.assertWarned("a responder that was revoked", staple, listed)

    def test_anUnknownCriticalExtension(self) -> None:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        self.assertUnknown("critical extension 1.2.3.4", ocspResponse(ROOT, LEAF, extensions=[(unknown, True)]))
        self.assertGood(ocspResponse(ROOT, LEAF, extensions=[(unknown, False)]))


class WithLists(_Case):
    def test_aListMayKnowMoreThanAGoodResponse(self) -> None:
        self.assertRefused("revoked", "the list 1", RESPONSE, revocationList(ROOT, [LEAF.serial_number]))

    def test_aListMakesUpForABadResponse(self) -> None:
        self.assertWarned("cannot be read", b"nothing", revocationList(ROOT))

    def test_bothReasonsAreTold(self) -> None:
        expired = revocationList(ROOT, since=NOW - 2 * HOUR, until=NOW - HOUR)
        self.assertUnknown("its OCSP response cannot be read; the list 1", b"nothing", expired)

    def test_softWarnsOfABadResponse(self) -> None:
        for mode in ("soft", None):
            self.assertWarned("cannot be read", b"nothing", mode=mode)

    def test_withoutListsAndModeNothingIsMissed(self) -> None:
        self.assertGood(None, mode=None)


class MustStaple(_Case):
    def test_withoutAResponse(self) -> None:
        for mode in ("soft", "required", None):
            self.assertUnknown("it has to come with an OCSP response, none came", None, leaf=STAPLER, mode=mode)

    def test_aListDoesNotMakeUpForIt(self) -> None:
        self.assertUnknown("none came", None, revocationList(ROOT), leaf=STAPLER)

    def test_aBadResponseIsNone(self) -> None:
        self.assertUnknown("cannot be read", b"nothing", leaf=STAPLER, mode="soft")

    def test_aGoodResponse(self) -> None:
        self.assertGood(ocspResponse(ROOT, STAPLER), leaf=STAPLER)

    def test_offDoesNotAsk(self) -> None:
        self.assertGood(None, leaf=STAPLER, mode="off")

    def test_whoCannotStapleNeedNot(self) -> None:
        """A client's certificate may have the extension, and clients do not staple."""
        self.assertEqual(Revocation(mode="soft").check((STAPLER, ROOT.certificate), at=NOW)[0], ())


class Damage(_Case):
    DER = ocspResponse(ROOT, LEAF, by=responder(ROOT))

    @settings(max_examples=400, deadline=None)
    @given(st.integers(0, len(DER) - 1), st.integers(1, 255))
    def test_aChangedByteIsNeverGood(self, at: int, change: int) -> None:
        changed = bytearray(self.DER)
        changed[at] ^= change
        problems, _ = self.check(bytes(changed))
        if problems:
            self.assertEqual([problem.code for problem in problems], ["revocation-unknown"])
        else:
            # A signature that ends in a zero bit may be said to have an unused bit, and is the same.
            loaded, original = (ocsp.load_der_ocsp_response(each) for each in (bytes(changed), self.DER))
            self.assertEqual(loaded.tbs_response_bytes, original.tbs_response_bytes)
            self.assertEqual((loaded.signature, self.DER[at]), (original.signature, 0))

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=400))
    def test_anythingElseCannotBeRead(self, content: bytes) -> None:
        self.assertUnknown("cannot be read", content)

    def test_aHugeResponse(self) -> None:
        self.assertUnknown("has more than 65536 bytes", bytes(1 << 17))
