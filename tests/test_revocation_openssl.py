"""Lists and OCSP responses that OpenSSL's own tools make, as most private authorities do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ocspresponses import responder
from opensslauthority import OpenSSLAuthority
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Problem
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation

ROOT = Authority.create("openssl's root")


class _Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.openssl = OpenSSLAuthority(ROOT)
        self.leaf = ROOT.issue("leaf", role="server", dnsNames=["localhost"]).certificate
        self.openssl.issued(self.leaf)

    def check(self, *lists: bytes, staple: bytes | None = None, later: Any = timedelta(0)) -> tuple[Problem, ...]:
        for number, content in enumerate(lists):
            Path(f"{number}.crl").write_bytes(content)
        revocation = Revocation(files=[f"{number}.crl" for number in range(len(lists))], mode="required")
        at = datetime.now(timezone.utc) + timedelta(seconds=1) + later
        return revocation.check((self.leaf, ROOT.certificate), at=at, staple=staple, stapling=True)[0]

    def assertProblem(self, code: str, says: str, problems: tuple[Problem, ...]) -> None:
        self.assertEqual([problem.code for problem in problems], [code])
        self.assertIn(says, problems[0].detail)


class Lists(_Case):
    def test_nobodyIsRevoked(self) -> None:
        self.assertEqual(self.check(self.openssl.crl()), ())

    def test_aRevokedCertificate(self) -> None:
        self.openssl.revoke(self.leaf, "keyCompromise")
        self.assertProblem("revoked", "reason keyCompromise, says the list 1", self.check(self.openssl.crl()))

    def test_theNextListTells(self) -> None:
        before = self.openssl.crl()
        self.openssl.revoke(self.leaf)
        after = self.openssl.crl()
        self.assertEqual(self.check(before), ())
        for lists in ((before, after), (after, before)):
            self.assertProblem("revoked", "the list 2", self.check(*lists))

    def test_expired(self) -> None:
        self.assertProblem("revocation-unknown", "expired at", self.check(self.openssl.crl(), later=timedelta(days=2)))

    def test_notYetValid(self) -> None:
        found = self.check(self.openssl.crl(), later=-timedelta(hours=1))
        self.assertProblem("revocation-unknown", "is not valid before", found)

    def test_badlySigned(self) -> None:
        other = Authority.create("openssl's root")
        path = (other.issue("leaf", role="server").certificate, other.certificate)
        Path("list.crl").write_bytes(self.openssl.crl())
        now = datetime.now(timezone.utc) + timedelta(seconds=1)
        problems, _ = Revocation(files=["list.crl"]).check(path, at=now)
        self.assertProblem("revocation-unknown", "is badly signed", problems)

    def test_aDeltaList(self) -> None:
        full = self.openssl.crl()
        self.openssl.revoke(self.leaf, "superseded")
        delta = self.openssl.crl(base=1)
        self.assertProblem("revoked", "reason superseded, says the delta list 2", self.check(full, delta))
        self.assertProblem("revoked", "", self.check(delta))

    def test_scopes(self) -> None:
        self.assertEqual(self.check(self.openssl.crl("-crlexts", "part")), ())
        found = self.check(self.openssl.crl("-crlexts", "reasons"))
        self.assertProblem("revocation-unknown", "do not tell of these reasons", found)
        found = self.check(self.openssl.crl("-crlexts", "indirect"))
        self.assertProblem("revocation-unknown", "indirect list", found)


class Responses(_Case):
    def test_good(self) -> None:
        for options in ((), ("-ndays", "1"), ("-rmd", "sha384"), ("-resp_key_id",), ("-resp_no_certs",)):
            self.assertEqual(self.check(staple=self.openssl.staple(self.leaf, *options)), (), options)

    def test_revoked(self) -> None:
        self.openssl.revoke(self.leaf, "cessationOfOperation")
        found = self.check(staple=self.openssl.staple(self.leaf))
        self.assertProblem("revoked", "reason cessationOfOperation, says its OCSP response", found)

    def test_unknown(self) -> None:
        stranger = ROOT.issue("stranger", role="server").certificate
        self.leaf = stranger
        found = self.check(staple=self.openssl.staple(stranger))
        self.assertProblem("revocation-unknown", "does not know it", found)

    def test_aResponder(self) -> None:
        self.assertEqual(self.check(staple=self.openssl.staple(self.leaf, by=responder(ROOT))), ())
        wrong = self.openssl.staple(self.leaf, by=responder(ROOT, mayRespond=False))
        self.assertProblem("revocation-unknown", "badly signed", self.check(staple=wrong))

    def test_expired(self) -> None:
        staple = self.openssl.staple(self.leaf, "-nmin", "10")
        found = self.check(staple=staple, later=timedelta(minutes=11))
        self.assertProblem("revocation-unknown", "its OCSP response expired at", found)

    def test_withoutAnEndItCountsForADay(self) -> None:
        staple = self.openssl.staple(self.leaf)
        self.assertEqual(self.check(staple=staple, later=timedelta(hours=23)), ())
        found = self.check(staple=staple, later=timedelta(hours=25))
        self.assertProblem("revocation-unknown", "expired at", found)

    def test_aSignatureOverSHA1(self) -> None:
        staple = self.openssl.staple(self.leaf, "-rmd", "sha1")
        self.assertProblem("revocation-unknown", "signed with sha1", self.check(staple=staple))
