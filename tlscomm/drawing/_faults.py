"""Which certificate of a chain is at fault, where only the side knows that has refused it."""

from __future__ import annotations

from tlscomm.failures import CODES, CertificateFailure, Problem
from tlscomm.tracing._trace import CertificateSeen, Side, Trace

__all__ = ["problemsOf"]

#: Those that are about no certificate that was shown.
_OF_NONE = frozenset({"no-certificate", "refused"})


def problemsOf(trace: Trace, side: Side, certificate: CertificateSeen) -> tuple[Problem, ...]:
    """Return what is wrong with a certificate.

    An authority that is not trusted is wrong for the side alone that does not trust it. So where nothing was found in a
    chain that the other side has refused, what that side said of it stands at the side's own certificate.

    Args:
        trace: the trace.
        side: which side has shown it.
        certificate: one of its chain.
    """
    verdict = trace.verdict
    chain = trace.clientCertificates if side == "client" else trace.serverCertificates
    isOfCertificate = issubclass(CODES.get(verdict.code or "", Exception), CertificateFailure)
    isRefused = verdict.outcome == "refused" and verdict.by not in (None, side) and isOfCertificate
    if verdict.code is None or verdict.code in _OF_NONE or not isRefused:
        return certificate.problems
    if certificate.depth or any(each.problems for each in chain):
        return certificate.problems
    detail = f"the {verdict.by} says so" if verdict.certainty == "certain" else "as it seems from outside"
    return (Problem(verdict.code, 0, certificate.subject, detail),)
