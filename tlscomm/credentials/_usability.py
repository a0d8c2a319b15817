"""What keeps a certificate from being used, whatever authorities a peer trusts.

A peer that refuses us says so in one of a dozen alerts, and several of them only mean "your certificate". With a key
that OpenSSL cannot sign with a handshake does not even come as far: OpenSSL speaks of ciphers or versions then. So a
side looks at its own certificate first, and what no peer accepts has its name before a port is opened.

This is the one list of it. A configuration refuses what is in it, and programs that show a credential show all of it.
What depends on whom the peer trusts, and which other certificates the peer knows, is not: an issuer that has expired is
no obstacle for a peer that knows a newer certificate of the same authority. For that there is
`tlscomm.verification._owncredential`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from tlscomm.failures import Problem, TLSFailure, failureForCode
from tlscomm.x509._certificate import ParsedCertificate, parsedCertificate
from tlscomm.x509._facts import certificateFacts, subjectText
from tlscomm.x509._keystrengths import digestWeakness, handshakeKeyWeakness, keyWeakness
from tlscomm.x509._keyusages import handshakeUsageProblem
from tlscomm.x509._purposes import purposeFor, purposesText
from tlscomm.x509._roles import Role
from tlscomm.x509._validity import validityOf, validityText

__all__ = ["asFailure", "certificateProblems"]


def certificateProblems(chain: Sequence[x509.Certificate], role: Role, now: datetime) -> Iterator[Problem]:
    """Give what keeps a chain from being presented, or makes every peer refuse it; the first is the one to act on.

    Of the end entity's certificate: that it cannot be read, its extended key usage and its key usage, its dates, the
    strength of its key, and the digest that it is signed with. Of its issuers what OpenSSL refuses to send: that they
    cannot be read, and weak keys and digests.

    Args:
        chain: the end entity's certificate, then each issuer in turn, as they are presented.
        role: the side that presents them.
        now: when, with a time zone.
    """
    for depth, certificate in enumerate(chain):
        for code, detail in _leafProblems(certificate, role, now) if depth == 0 else _issuerProblems(certificate):
            yield Problem(code, depth, subjectText(certificate), detail)


def asFailure(problem: Problem, chain: Sequence[x509.Certificate], evidence: Sequence[str] = ()) -> TLSFailure:
    """Return a problem of one's own credential as the failure that its owner is told of.

    Args:
        problem: what is wrong.
        chain: what it is wrong with, the end entity's certificate first.
        evidence: what OpenSSL said, in its own words.
    """
    return failureForCode(problem.code)(
        ", ".join(part for part in (problem.subject, problem.detail) if part),
        stage="credential",
        certificate=certificateFacts(chain[problem.depth]) if problem.depth < len(chain) else None,
        depth=problem.depth,
        opensslError=problem.opensslError,
        remedy=problem.remedy,
        evidence=tuple(evidence),
    )


def _leafProblems(certificate: x509.Certificate, role: Role, now: datetime) -> Iterator[tuple[str, str]]:
    leaf = parsedCertificate(certificate)
    if leaf.malformation:
        yield "invalid-certificate", leaf.malformation
    elif misuse := _missingPurpose(leaf, role) or handshakeUsageProblem(leaf.value(x509.KeyUsage)):
        yield "wrong-purpose", misuse
    begins, ends = validityOf(certificate) or (now, now)
    if now > ends:
        yield "expired", validityText("expired", certificate)
    if now < begins:
        yield "not-yet-valid", validityText("not-yet-valid", certificate)
    if weakness := handshakeKeyWeakness(certificate):
        yield "key-too-weak", f"it has {weakness}"
    yield from _signatureProblems(leaf)


def _issuerProblems(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    issuer = parsedCertificate(certificate)
    if issuer.malformation:
        yield "invalid-certificate", issuer.malformation
    if weakness := keyWeakness(issuer.key):
        yield "key-too-weak", f"it has {weakness}"
    yield from _signatureProblems(issuer)


def _missingPurpose(leaf: ParsedCertificate, role: Role) -> str:
    purpose = purposeFor(role)
    if leaf.purposes is None or purpose.oid in leaf.purposes:
        return ""
    return f"its extended key usage lacks {purposesText([purpose.oid])} and has {purposesText(leaf.purposes)}"


def _signatureProblems(certificate: ParsedCertificate) -> Iterator[tuple[str, str]]:
    # The signature of what is its own issuer says nothing, and peers that trust it do not look at it.
    if certificate.isSelfIssued:
        return
    try:
        weakness = digestWeakness(certificate.certificate)
    except UnsupportedAlgorithm:
        # Of an algorithm that is not known it cannot be said that it is weak.
        return
    if weakness:
        yield "key-too-weak", f"it is signed with {weakness}"
