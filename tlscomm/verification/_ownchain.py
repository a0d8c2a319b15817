"""Whether a chain of our own is signed as it should be, for a peer that says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from tlscomm.x509._issuers import hasIssued

__all__ = ["isCorrectlySigned"]


def isCorrectlySigned(chain: Sequence[x509.Certificate], authorities: Iterable[x509.Certificate]) -> bool | None:
    """Return whether each certificate of a chain bears a signature of its issuer.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
        authorities: others that may have issued the last one.

    Returns:
        None where an issuer is not at hand, so that it is unknown.
    """
    known = (*chain[1:], *authorities)
    issued = [[other for other in known if other.subject == certificate.issuer] for certificate in chain]
    if not all(issued):
        return None
    return all(any(hasIssued(o, c) for o in issuers) for c, issuers in zip(chain, issued, strict=True))
