"""What is wrong with a chain, in the words of a person who has to mend it.

OpenSSL says which of its checks failed. It cannot tell a missing intermediate from an unknown authority, and gives no
dates and no names. With the certificates in hand both are settled here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm.failures import Problem, printable
from tlscomm.verification._rule import Rule
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import subjectText
from tlscomm.x509._purposes import purposesText
from tlscomm.x509._roles import Role
from tlscomm.x509._validity import validityText

__all__ = ["malformation", "merged", "refined"]

#: What is known of these is all in the certificate; of the others OpenSSL's text says which check failed.
_SPECIFIC = frozenset({"bad-signature", "expired", "not-yet-valid", "wrong-purpose"})


def malformation(certificate: x509.Certificate) -> str:
    """Return why a certificate cannot be read, or nothing where it is well."""
    return parsedCertificate(certificate).malformation


def refined(
    problem: Problem,
    chain: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate] = (),
    role: Role = "server",
) -> Problem:
    """Return a problem that OpenSSL found under its final name, with what the certificates say of it.

    Args:
        problem: what OpenSSL found.
        chain: what it was found in, the end entity's certificate first.
        anchors: the authorities that are trusted, as far as they are known.
        role: the side that presents the chain.
    """
    certificate = chain[min(problem.depth, len(chain) - 1)]
    problem = replace(problem, subject=subjectText(certificate))
    if problem.code in ("expired", "not-yet-valid"):
        return replace(problem, detail=validityText(problem.code, certificate))
    if problem.code == "unknown-issuer":
        return _issuerProblem(problem, certificate, anchors)
    if problem.code == "wrong-purpose" and not problem.detail:
        return replace(problem, detail=_purposeText(certificate, role))
    return problem


def _purposeText(certificate: x509.Certificate, role: Role) -> str:
    purposes = parsedCertificate(certificate).purposes
    said = "has none that says so" if purposes is None else f"has {purposesText(purposes)}"
    return f"it is presented by a {role}, and its extended key usage {said}"


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


def _issuerProblem(problem: Problem, certificate: x509.Certificate, anchors: Sequence[x509.Certificate]) -> Problem:
    """Tell a missing intermediate from an authority that is not trusted.

    OpenSSL's error is the same for both: the issuer was not found. Above the peer's own certificate an authority was
    sent and is not trusted. For the peer's own, what the certificates say of each other decides:

    * a trusted authority with the issuer's name, but another key, did not issue it;
    * an issuer that the authority key identifier shows to be its own issuer is a root, not an intermediate;
    * below trusted authorities that may have no intermediates (path length 0) none can be missing;
    * an issuer of an organisation that no trusted authority belongs to is foreign.

    Otherwise the intermediate is taken to be missing, which is by far the commonest mistake.
    """
    if malformed := malformation(certificate):
        # OpenSSL finds no issuer for what it cannot read.
        return replace(problem, code="invalid-certificate", detail=malformed)
    issuer = f"issuer {_name(certificate.issuer)}"
    anchors = [anchor for anchor in anchors if not malformation(anchor)]
    if certificate.issuer == certificate.subject:
        return replace(problem, detail="the chain ends there")
    if problem.depth > 0:
        return replace(problem, detail=f"the chain ends below {issuer}")
    if any(anchor.subject == certificate.issuer for anchor in anchors):
        return replace(problem, detail=f"{issuer} has the name of a trusted authority, but another key")
    if _isForeign(certificate, anchors):
        return replace(problem, detail=issuer)
    return replace(problem, code="incomplete-chain", detail=issuer)


def _isForeign(certificate: x509.Certificate, anchors: Sequence[x509.Certificate]) -> bool:
    if (grandparent := _issuersIssuer(certificate)) is not None:
        return not any(anchor.subject == grandparent for anchor in anchors)
    if not anchors:
        return False
    if all(_pathLength(anchor) == 0 for anchor in anchors):
        return True
    issuer, trusted = _organizations(certificate.issuer), [_organizations(a.subject) for a in anchors]
    return bool(issuer) and all(trusted) and not any(issuer & names for names in trusted)


def _issuersIssuer(certificate: x509.Certificate) -> x509.Name | None:
    identifier = parsedCertificate(certificate).value(x509.AuthorityKeyIdentifier)
    if identifier is None:
        return None
    names = [name.value for name in identifier.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return names[0] if names else None


def _pathLength(authority: x509.Certificate) -> int | None:
    constraints = parsedCertificate(authority).value(x509.BasicConstraints)
    return None if constraints is None else constraints.path_length


def _organizations(name: x509.Name) -> set[str]:
    return {str(attribute.value).casefold() for attribute in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)}


def _name(name: x509.Name) -> str:
    return printable(name.rfc4514_string())
