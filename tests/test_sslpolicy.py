"""Our problems in .NET's words."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES, CertificateFailure, Problem
from tlscomm.verification import SslPolicyErrors, X509ChainStatusFlags, chainStatus, codeForStatus, sslPolicyErrors
from tlscomm.verification._sslpolicy import _CODES, _PRECISE, _STATUS

#: What a problem of a peer's certificate can be.
ABOUT_CERTIFICATES = {code for code, failure in CODES.items() if issubclass(failure, CertificateFailure)}


class SslPolicyTests(SynchronousTestCase):
    def test_everyCode(self) -> None:
        """Every code that a problem can have has its word."""
        self.assertEqual(set(_STATUS), ABOUT_CERTIFICATES)
        self.assertLess({code for code, _ in _PRECISE}, ABOUT_CERTIFICATES)

    def test_neverNoErrors(self) -> None:
        """No problem becomes "no errors", not even one with a code that nobody knows."""
        self.assertEqual(sslPolicyErrors([]), SslPolicyErrors.NoErrors)
        for code in (*CODES, "no-such-code"):
            errors = sslPolicyErrors([Problem(code, depth=0)])
            self.assertNotEqual(errors, SslPolicyErrors.NoErrors, code)
            if errors == SslPolicyErrors.RemoteCertificateChainErrors:
                self.assertNotEqual(chainStatus(Problem(code, depth=0)), X509ChainStatusFlags.NoError, code)

    def test_together(self) -> None:
        """Several problems are several flags."""
        problems = [Problem(code, depth=0) for code in ("expired", "name-mismatch")]
        self.assertEqual(int(sslPolicyErrors(problems)), 6)
        self.assertEqual(int(sslPolicyErrors([Problem("no-certificate", depth=0)])), 1)

    def test_precise(self) -> None:
        """Where a code stands for several things, OpenSSL's error tells which."""
        for number, status in ((None, "PartialChain"), (19, "UntrustedRoot")):
            problem = Problem("unknown-issuer", depth=1, opensslError=number)
            self.assertEqual(chainStatus(problem), X509ChainStatusFlags[status])

    def test_wayBack(self) -> None:
        """A flag means a code only where no other code is called the same."""
        for status, code in _CODES.items():
            named = {ours for ours, theirs in _STATUS.items() if theirs == status}
            named |= {ours for (ours, _), theirs in _PRECISE.items() if theirs == status}
            self.assertLessEqual(named, {code}, status)
            self.assertEqual(codeForStatus(status), code)
        for ambiguous in (X509ChainStatusFlags.NotTimeValid, X509ChainStatusFlags.NoError, X509ChainStatusFlags(12)):
            self.assertIsNone(codeForStatus(ambiguous))

    def test_page(self) -> None:
        """The table on the page is the one in use."""
        page = (Path(__file__).parent.parent / "docs" / "sslstream.rst").read_text(encoding="utf-8")
        rows = re.findall(r"(?m)^   \* - ``([a-z-]+)``\n     - ``(\w+)``\n     - (?:``(\w+)``|none)", page)
        self.assertEqual({code for code, _, _ in rows}, ABOUT_CERTIFICATES)
        for code, errors, status in rows:
            problem = Problem(code, depth=0)
            self.assertEqual(sslPolicyErrors([problem]), SslPolicyErrors[errors])
            self.assertEqual(chainStatus(problem), X509ChainStatusFlags[status or "NoError"])
