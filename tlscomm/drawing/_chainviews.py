"""The certificates of one side as the page shows them: a chain, with what is wrong in it in words."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Kind
from tlscomm.drawing._faults import problemsOf
from tlscomm.drawing._messageviews import Room
from tlscomm.failures import CODES, Problem
from tlscomm.tracing._trace import CertificateSeen, Side, Trace
from tlscomm.tracing._wording import withoutOptions

__all__ = ["CertificateView", "ChainView", "chainView"]

#: A chain of a peer may have any number of certificates, and each any number of names.
_MOST_CERTIFICATES, _MOST_NAMES, _MOST_PROBLEMS = 8, 12, 8


@dataclass(frozen=True)
class ProblemView:
    """One thing that is wrong: the code of it, the sentence, and what to do if that is known for this very case."""

    code: str
    sentence: str
    remedy: str


@dataclass(frozen=True)
class CertificateView:
    """One certificate.

    Attributes:
        place: what it is in the chain, in words.
        subject: whose it is.
        issuer: who issued it.
        isSelfIssued: whether both are the same name.
        problems: what is wrong with it.
        facts: names and values of the rest.
        pem: the certificate itself as lines; none where there was no room.
    """

    place: str
    subject: str
    issuer: str
    isSelfIssued: bool
    problems: tuple[ProblemView, ...]
    facts: tuple[tuple[str, str], ...]
    pem: tuple[str, ...]


@dataclass(frozen=True)
class ChainView:
    """What one side has shown.

    Attributes:
        side: which side.
        certificates: from its own to the root.
        left: how many more there are.
        absence: why there is none, as a sentence, where there is none.
    """

    side: Side
    certificates: tuple[CertificateView, ...]
    left: int
    absence: str

    @property
    def isFaulty(self) -> bool:
        """Whether something is wrong with one of them."""
        return any(certificate.problems for certificate in self.certificates)


def chainView(trace: Trace, side: Side, room: Room) -> ChainView:
    """Return what the page shows of the certificates of one side.

    Args:
        trace: the trace.
        side: which side.
        room: what the page has left for details.
    """
    chain = trace.clientCertificates if side == "client" else trace.serverCertificates
    views = tuple(_view(trace, certificate, side, room) for certificate in chain[:_MOST_CERTIFICATES])
    return ChainView(side, views, len(chain) - len(views), "" if chain else _absence(trace, side))


def _absence(trace: Trace, side: Side) -> str:
    mine = [event for event in trace.events if event.isFromClient == (side == "client")]
    if any(event.name == "Certificate" for event in mine):
        return f"The {side} showed no certificate."
    if any(event.kind is Kind.SEALED for event in mine):
        return (
            "It is not known what was shown here: it was encrypted, and the secrets that would open it are not at hand."
        )
    if side == "client" and not any(event.name == "CertificateRequest" for event in trace.events):
        return "The client was not seen to be asked for a certificate, and showed none."
    return f"No certificate of the {side} was seen."


def _view(trace: Trace, certificate: CertificateSeen, side: Side, room: Room) -> CertificateView:
    pem = tuple(ssl.DER_cert_to_PEM_cert(certificate.der).splitlines()) if certificate.der else ()
    isSelfIssued = certificate.subject == certificate.issuer
    return CertificateView(
        _place(certificate.depth, side, isSelfIssued=isSelfIssued),
        certificate.subject or "(no name)",
        certificate.issuer or "(no name)",
        isSelfIssued,
        tuple(_problem(problem) for problem in problemsOf(trace, side, certificate)[:_MOST_PROBLEMS]),
        _facts(certificate),
        pem if room.take(sum(len(line) for line in pem)) else (),
    )


def _place(depth: int, side: Side, *, isSelfIssued: bool) -> str:
    if not depth:
        return f"the {side}'s own certificate"
    return "an authority that signs for itself" if isSelfIssued else "an authority in between"


def _problem(problem: Problem) -> ProblemView:
    failure = CODES.get(problem.code)
    sentence = problem.code if failure is None else failure.summary.format(whose="this certificate", owner="this")
    if problem.detail:
        sentence = f"{sentence}: {problem.detail}"
    return ProblemView(problem.code, f"{sentence[:1].upper()}{sentence[1:]}.", withoutOptions(problem.remedy))


def _facts(certificate: CertificateSeen) -> tuple[tuple[str, str], ...]:
    return (
        ("valid", f"{_day(certificate.notBefore)} to {_day(certificate.notAfter)}"),
        ("names", _listed(certificate.names)),
        ("key", certificate.key),
        ("serial number", certificate.serial),
        ("fingerprint", certificate.fingerprint),
    )


def _day(time: str) -> str:
    """Return an ISO 8601 time for a person: without a T, and with UTC as a word."""
    return time.replace("T", " ").replace("+00:00", " UTC")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown}, and {more:,} more" if more > 0 else shown or "none"
