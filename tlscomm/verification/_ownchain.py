"""Whether a chain of our own is signed as it should be, for a peer that says otherwise, or says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cryptography import x509

from tlscomm.failures import Problem
from tlscomm.verification._issuerproblems import isOfKnownAlgorithm
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._signatures import hasSigned

__all__ = ["isCorrectlySigned", "signatureProblem"]


def isCorrectlySigned(chain: Sequence[x509.Certificate], authorities: Iterable[x509.Certificate]) -> bool | None:
    """Return whether each certificate of a chain bears a signature of its issuer.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
        authorities: others that may have issued the last one.

    Returns:
        None where an issuer is not at hand, so that it is unknown.
    """
    issued = list(_withIssuers(chain, authorities))
    return all(_isSigned(*each) for each in issued) if all(issuers for _, issuers in issued) else None


def signatureProblem(chain: Sequence[x509.Certificate], authorities: Iterable[x509.Certificate]) -> Problem | None:
    """Return the first certificate of a chain that none of the authorities with its issuer's name has signed.

    Where the identifiers say that it was another key of that name, it is ``unknown-issuer``, else ``bad-signature``, as
    a verifier would say who trusts those authorities. What cannot be verified here is no problem.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
        authorities: others that may have issued the last one.
    """
    for depth, (certificate, issuers) in enumerate(_withIssuers(chain, authorities)):
        if not issuers or _isSigned(certificate, issuers) or not isOfKnownAlgorithm(certificate, issuers[0]):
            continue
        if all(_isOtherKey(issuer, certificate) for issuer in issuers):
            return Problem("unknown-issuer", depth, detail="the authority of that name that we know has another key")
        return Problem("bad-signature", depth)
    return None


def _withIssuers(
    chain: Sequence[x509.Certificate], authorities: Iterable[x509.Certificate]
) -> Iterator[tuple[x509.Certificate, list[x509.Certificate]]]:
    """Give each certificate with those that have the name of its issuer."""
    known = (*chain[1:], *authorities)
    for certificate in chain:
        yield certificate, [other for other in known if other.subject == certificate.issuer]


def _isSigned(certificate: x509.Certificate, issuers: Iterable[x509.Certificate]) -> bool:
    parsed = parsedCertificate(certificate)
    return any(hasSigned(parsedCertificate(issuer), parsed) for issuer in issuers)


def _isOtherKey(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    wanted, has = parsedCertificate(certificate).authorityKeyIdentifier, parsedCertificate(issuer).subjectKeyIdentifier
    return wanted is not None and has is not None and wanted != has
