"""What is wrong with a chain, in the words of a person who has to mend it.

OpenSSL says which of its checks failed. It cannot tell a missing intermediate from an unknown authority, and gives no
dates and no names. With the certificates in hand both are settled here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cryptography import x509

from tlscomm.failures import Problem
from tlscomm.verification._issuerproblems import issuerProblem
from tlscomm.verification._rule import Rule
from tlscomm.verification._trust import Trust
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import subjectText
from tlscomm.x509._keyusages import handshakeUsageProblem
from tlscomm.x509._purposes import purposeFor, purposesText
from tlscomm.x509._roles import Role
from tlscomm.x509._validity import validityText

__all__ = ["malformation", "merged", "refined"]

#: What is known of these is all in the certificate; of the others OpenSSL's text says which check failed.
_SPECIFIC = frozenset({"bad-signature", "expired", "not-yet-valid", "wrong-purpose"})

_MEND_USAGE = (
    "Have a certificate of its own issued for this side, with digitalSignature in its key usage (RFC 8446, section "
    "4.4.2.2); the certificate of an authority is for issuing others."
)


def malformation(certificate: x509.Certificate) -> str:
    """Return why a certificate cannot be read, or nothing where it is well."""
    return parsedCertificate(certificate).malformation


def refined(
    problem: Problem,
    chain: Sequence[x509.Certificate],
    trust: Trust | None = None,
    role: Role = "server",
) -> Problem:
    """Return a problem that OpenSSL found under its final name, with what the certificates say of it.

    Args:
        problem: what OpenSSL found.
        chain: what it was found in, the end entity's certificate first.
        trust: whom the judge trusts, or None where only an external context knows.
        role: the side that presents the chain.
    """
    certificate = chain[min(problem.depth, len(chain) - 1)]
    problem = replace(problem, subject=subjectText(certificate))
    if problem.code in ("expired", "not-yet-valid"):
        return replace(problem, detail=validityText(problem.code, certificate))
    if problem.code in ("unknown-issuer", "self-signed"):
        return issuerProblem(problem, chain, trust)
    if problem.code == "wrong-purpose" and not problem.detail:
        return _purposeProblem(problem, certificate, role)
    return problem


def _purposeProblem(problem: Problem, certificate: x509.Certificate, role: Role) -> Problem:
    """Say which of the things that OpenSSL means by a purpose is wrong with a certificate."""
    parsed, presented = parsedCertificate(certificate), f"it is presented by a {role}, and"
    purposes = parsed.purposes
    if purposes is not None and purposeFor(role).oid not in purposes:
        return replace(problem, detail=f"{presented} its extended key usage has {purposesText(purposes)}")
    if problem.depth == 0 and (misuse := handshakeUsageProblem(parsed.value(x509.KeyUsage))):
        constraints = parsed.value(x509.BasicConstraints)
        isAuthority = constraints is not None and constraints.ca
        what = "it is the certificate of an authority, and " if isAuthority else ""
        return replace(problem, detail=f"{presented} {what}{misuse}", remedy=_MEND_USAGE)
    detail = f"{presented} OpenSSL does not allow it that (Netscape certificate type, or no authority above it may)"
    return replace(problem, detail=detail)


def merged(found: Sequence[Problem], broken: Iterable[tuple[Rule, Problem]]) -> list[Problem]:
    """Return what OpenSSL found and the rules that are broken, each thing once.

    Args:
        found: by OpenSSL; these come first.
        broken: rules and how they are broken. What OpenSSL means by the same is only told in more words.
    """
    problems = list(found)
    for rule, problem in broken:
        for index, same in enumerate(problems):
            if same.opensslError in rule.openssl and same.depth == problem.depth:
                if same.code not in _SPECIFIC and problem.detail not in same.detail:
                    problems[index] = replace(same, detail=f"{same.detail}: {problem.detail}")
                break
        else:
            problems.append(problem)
    return problems
