"""What is granted to a peer that OpenSSL has refused, before anything of it is read or verified.

OpenSSL stops where it has found a problem, unless it is told to go on; and we tell it to, because a person who mends a
chain wants to know of everything that is wrong with it. To go on is to verify signatures with keys that a stranger has
chosen, and then to read what he has written. So both are weighed first, by the bytes alone. A chain that is too heavy
is refused at once, by the name of what OpenSSL has found, with no more words than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tlscomm.failures import Problem, TLSFailure, failureForCode
from tlscomm.verification._opensslerrors import asProblem
from tlscomm.x509._bounds import LARGEST, MOST_PARTS, partsOf, priceOfKey, priceOfSignatures
from tlscomm.x509._facts import briefFacts

__all__ = ["heaviness", "modestOnes", "refusalOfHeavy"]

#: What OpenSSL may spend on verifying signatures of a chain that is refused already. Where it is stopped no other path
#: is looked for, so it is enough for three authorities with keys on P-384.
_MICROSECONDS = 2000
#: What a signature with the peer's own key may cost: where a hook is asked about it, OpenSSL verifies the handshake's.
_DEAREST = 1500
#: Parts of all certificates of a chain that is refused, and of the others that came with it.
_PARTS = 2 * MOST_PARTS
#: Certificates of such a chain.
_LONGEST = 6
#: Certificates that are looked at for another path.
_OTHERS = 8
#: Certificates that such a refusal describes, besides the one that is at fault.
_TOLD = 2

_ISSUER_NOT_FOUND = frozenset({20, 21})


def heaviness(chain: Sequence[bytes]) -> Problem | None:
    """Return why no more is done for a chain that OpenSSL has refused; None where it is looked at further.

    Args:
        chain: as OpenSSL has built it, DER, the peer's own certificate first.
    """
    if len(chain) > _LONGEST:
        return Problem("chain-too-long", 0, detail=f"it leads to more than {_LONGEST} certificates, and is not read")
    left = _PARTS
    for depth, encoded in enumerate(chain):
        parts = partsOf(encoded, MOST_PARTS + 1)
        if parts > MOST_PARTS or len(encoded) > LARGEST:
            detail = f"it has more than {MOST_PARTS} parts, or {LARGEST} bytes, and is not read"
            return Problem("chain-too-long", depth, detail=detail)
        left -= parts
    if left < 0:
        return Problem("chain-too-long", 0, detail=f"its certificates have more than {_PARTS} parts, and are not read")
    if priceOfSignatures(chain, _MICROSECONDS) > _MICROSECONDS or priceOfKey(chain[0]) > _DEAREST:
        # A kind of key that is not known has no price.
        detail = (
            "a key in it is of a kind that is not known here, or to verify signatures with it costs more than is spent "
            "on a peer that is refused"
        )
        return Problem("chain-too-long", 0, detail=detail)
    return None


def modestOnes() -> Callable[[bytes], bool]:
    """Return what says of certificates (DER), asked one after the other, whether they are looked at for a path."""
    left, parts = _OTHERS, _PARTS

    def isWanted(encoded: bytes) -> bool:
        nonlocal left, parts
        left -= 1
        parts -= partsOf(encoded, MOST_PARTS + 1) if len(encoded) <= LARGEST else _PARTS + 1
        return left >= 0 and parts >= 0

    return isWanted


def refusalOfHeavy(found: tuple[int, int], heavy: Problem, chain: Sequence[bytes]) -> TLSFailure:
    """Return the failure for a chain that is too heavy to be looked at.

    Args:
        found: the error and the depth that OpenSSL has found first.
        heavy: why nothing else is looked for.
        chain: DER, the peer's own certificate first.
    """
    problem = asProblem(*found)
    if problem.opensslError in _ISSUER_NOT_FOUND and problem.depth == 0:
        problem = replace(problem, code="incomplete-chain", detail="")
    depth = min(problem.depth, len(chain) - 1)
    # To read a large certificate once more costs as much as to refuse it.
    told = {at: briefFacts(chain[at]) for at in {*range(min(_TOLD, len(chain))), depth, heavy.depth}}
    culprit = told[depth]
    if problem.code in ("unknown-issuer", "incomplete-chain") and not problem.detail:
        problem = replace(problem, detail=f"issuer {culprit.issuer}")
    problem = replace(problem, subject=culprit.subject)
    heavy = replace(heavy, subject=told[heavy.depth].subject)
    return failureForCode(problem.code)(
        ", ".join(part for part in (problem.subject, problem.detail, heavy.detail) if part),
        certificate=culprit,
        depth=problem.depth,
        opensslError=problem.opensslError,
        problems=(problem, heavy),
        chain=tuple(told[at] for at in range(min(_TOLD, len(chain)))),
    )
