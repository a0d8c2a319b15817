"""What peers find wrong with a credential of our own: with itself, and with the chain that leads from it.

Peers are not asked; the verifier that judges them is. So a chain that is called good here is one that
``tlscomm verify`` accepts from the same roots. Where it is not known whom the peer trusts, the last certificate of the
chain stands in for that authority, so that faults of the chain itself are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain as chained

from cryptography import x509

from tlscomm.credentials import Credential
from tlscomm.credentials._credential import keyProblems
from tlscomm.credentials._usability import asFailure, certificateProblems
from tlscomm.failures import Problem, TLSFailure
from tlscomm.verification._servernames import identitiesIn, identitiesMeant
from tlscomm.verification._trust import Trust
from tlscomm.verification._verifier import Verifier
from tlscomm.x509._roles import Role

__all__ = ["chainProblems", "credentialProblems", "nameToAskFor"]

#: The name of a server that is for none (RFC 2606).
_NO_NAME = "judge.invalid"

#: How long a chain a peer allows is its own affair; OpenSSL allows so many authorities.
_ANY_DEPTH = 100


def credentialProblems(
    credential: Credential, role: Role, now: datetime, anchors: Sequence[x509.Certificate]
) -> Iterator[TLSFailure]:
    """Give what keeps a credential from standing on one side of a connection, nothing where nothing does.

    What `tlscomm.credentials.usabilityProblems` gives comes first.

    Args:
        credential: the leaf, its issuers in order, and its key if it is there.
        role: the side that presents it.
        now: when, with a time zone.
        anchors: whom the peer trusts.
    """
    yield from keyProblems(credential)
    chain = (credential.certificate, *credential.chain)
    serverName = nameToAskFor(credential) if role == "server" else None
    verifier = Verifier(peerRole=role, serverName=serverName, trust=Trust(tuple(anchors)))
    for problem, found in _chainProblems(chain, now, verifier):
        yield asFailure(problem, found)


def chainProblems(chain: Sequence[x509.Certificate], role: Role, now: datetime) -> Iterator[Problem]:
    """Give the problems that a chain has in itself; nothing where all depends on the peer.

    Args:
        chain: the end entity's certificate, then each issuer in turn.
        role: the side that presents it.
        now: when, with a time zone.
    """
    verifier = Verifier(peerRole=role, trust=Trust((chain[-1],)), maximumDepth=_ANY_DEPTH)
    for problem, _ in _chainProblems(chain, now, verifier):
        yield problem


def nameToAskFor(credential: Credential) -> str:
    """Return the first name that a server's certificate is for, its wildcard filled in; where it has none, no server's.

    What stands among its names and is none, an empty one or a network, is passed over, unless it has no other.
    """
    certificate = credential.certificate
    first = next(chained(identitiesIn(certificate), identitiesMeant(certificate), (_NO_NAME,)))
    return str(first).replace("*", "any", 1)


def _chainProblems(
    chain: Sequence[x509.Certificate], now: datetime, verifier: Verifier
) -> Iterator[tuple[Problem, Sequence[x509.Certificate]]]:
    """Give each problem once, with the chain in which it was found."""
    own = tuple(certificateProblems(chain, verifier.peerRole, now))
    for problem in own:
        yield problem, chain
    known = {(problem.code, problem.depth) for problem in own}
    result = verifier.verify(chain, at=now)
    for problem in result.problems:
        if (problem.code, problem.depth) not in known:
            yield problem, result.chain
