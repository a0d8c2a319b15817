"""What is in the way of a credential: what its owner finds when it is loaded, and what peers find in its chain.

Peers are not asked here; the verifier that judges them is. So a chain that is called good here is one that
``tlscomm verify`` accepts from the same roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509

from tlscomm.commandline._certificates import unusable
from tlscomm.credentials import Credential, Role, certificateFacts
from tlscomm.failures import Problem, TLSFailure, failureForCode
from tlscomm.trust import Trust
from tlscomm.verdict import nameToAskFor
from tlscomm.verification import Verifier

__all__ = ["obstacles"]


def obstacles(
    credential: Credential, role: Role, now: datetime, anchors: Sequence[x509.Certificate]
) -> Iterator[TLSFailure]:
    """Give what keeps a credential from standing on one side of a connection, nothing where nothing does.

    Args:
        credential: the leaf, its issuers in order, and its key if it is there.
        role: the side that presents it.
        now: when, with a time zone.
        anchors: whom the peer trusts.
    """
    own = unusable(credential, role, now)
    yield from own
    known = {(failure.code, failure.depth) for failure in own}
    presented = (credential.certificate, *credential.chain)
    serverName = nameToAskFor(credential) if role == "server" else None
    judgement = Verifier(peerRole=role, serverName=serverName, trust=Trust(tuple(anchors))).verify(presented, at=now)
    for problem in judgement.problems:
        if (problem.code, problem.depth) not in known:
            yield _asFailure(problem, judgement.chain)


def _asFailure(problem: Problem, chain: Sequence[x509.Certificate]) -> TLSFailure:
    facts = certificateFacts(chain[problem.depth]) if problem.depth < len(chain) else None
    return failureForCode(problem.code)(
        ", ".join(part for part in (problem.subject, problem.detail) if part),
        stage="credential",
        certificate=facts,
        depth=problem.depth,
        opensslError=problem.opensslError,
        remedy=problem.remedy,
    )
