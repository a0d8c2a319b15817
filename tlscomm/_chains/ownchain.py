"""What is evidently wrong with a chain of our own, for whoever looks at it.

A peer that refuses us says so in one of a dozen alerts, and several of them only mean "your certificate". The
certificates are at hand, so what OpenSSL finds in them without knowing whom the peer trusts is what the peer has found.
The last certificate of the chain stands in for the authority that the peer trusts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags

from tlscomm._chains.examined import examined
from tlscomm._chains.explaining import malformation, refined
from tlscomm._chains.reasons import asProblem
from tlscomm.failures import Problem

__all__ = ["evidentProblem", "isCorrectlySigned"]

#: What OpenSSL's security level 2 asks for, which is its default: 112 bits.
_SMALLEST_RSA = 2048
_WEAK_DIGESTS = (hashes.MD5, hashes.SHA1)


def evidentProblem(chain: Sequence[x509.Certificate]) -> Problem | None:
    """Return the first problem that a chain has in itself, or None where everything depends on the peer.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
    """
    for depth, certificate in enumerate(chain):
        if malformed := malformation(certificate):
            return Problem("invalid-certificate", depth, detail=malformed)
    return _verified(chain) or _weakness(chain)


def isCorrectlySigned(chain: Sequence[x509.Certificate], authorities: Iterable[x509.Certificate]) -> bool | None:
    """Return whether each certificate of a chain bears a signature of its issuer.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
        authorities: others that may have issued the last one.

    Returns:
        None where an issuer is not at hand, so that nobody can tell.
    """
    known = (*chain[1:], *authorities)
    issued = [[other for other in known if other.subject == certificate.issuer] for certificate in chain]
    if not all(issued):
        return None
    return all(any(_hasSigned(o, c) for o in issuers) for c, issuers in zip(chain, issued, strict=True))


def _hasSigned(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return True


def _verified(chain: Sequence[x509.Certificate]) -> Problem | None:
    leaf, *issuers = (X509.from_cryptography(certificate) for certificate in chain)
    store = X509Store()
    store.set_flags(X509StoreFlags.PARTIAL_CHAIN)
    store.add_cert(issuers[-1] if issuers else leaf)
    try:
        X509StoreContext(store, leaf, issuers).verify_certificate()
    except X509StoreContextError as problem:
        number, depth, *_ = problem.errors
        return _described(asProblem(number, depth), chain)
    return None


def _described(problem: Problem, chain: Sequence[x509.Certificate]) -> Problem:
    """Return a problem with the details that a verifier gives, and with the name of an issuer that has it."""
    described = refined(problem, chain)
    whose = described.subject if problem.depth else ""
    return replace(described, detail=", ".join(part for part in (whose, described.detail) if part))


def _weakness(chain: Sequence[x509.Certificate]) -> Problem | None:
    for depth, certificate in enumerate(chain):
        key = examined(certificate).key
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SMALLEST_RSA:
            return Problem("key-too-weak", depth, detail=f"an RSA key of {key.key_size} bits")
        if isinstance(digest := _digest(certificate), _WEAK_DIGESTS):
            return Problem("key-too-weak", depth, detail=f"signed with {digest.name}")
    return None


def _digest(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        # Of one that nobody knows nobody can say that it is weak.
        return None
