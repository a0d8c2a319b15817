"""The certificates that a side showed, and what is wrong with them.

They are judged as of the time of the connection, because a capture is often looked at after its certificates have
expired or were renewed. Where it is known whom the other side trusts, its `Verifier` judges; otherwise what a chain has
wrong in itself is all that can be said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from warnings import catch_warnings, simplefilter

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm.credentials._ordering import chainOf
from tlscomm.failures import CertificateFacts, Problem
from tlscomm.tracing._jsonforms import momentOf
from tlscomm.tracing._trace import CertificateSeen
from tlscomm.verification import Verifier, nameProblem
from tlscomm.verification._ownchain import signatureProblem
from tlscomm.verification._owncredential import chainProblems
from tlscomm.verification._strangers import heaviness
from tlscomm.x509._digests import digestText
from tlscomm.x509._facts import certificateFacts, subjectText
from tlscomm.x509._keystrengths import keyKind
from tlscomm.x509._roles import Role
from tlscomm.x509._unreadable import unreadableText
from tlscomm.x509._validity import validityOf

__all__ = ["ShownChain", "certificatesSeen"]

#: Chains whose faults are kept: the peers of a capture are often the same.
_MOST_REMEMBERED = 256
#: Bytes of a certificate that is remembered.
_LARGEST_REMEMBERED = 1 << 13

_UNREADABLE = "unreadable"
_NOTHING = CertificateFacts(_UNREADABLE, _UNREADABLE, _UNREADABLE, _UNREADABLE, _UNREADABLE, "")


class ShownChain:
    """What one side showed of itself.

    Attributes:
        role: the side.
        certificates: in the order in which they were sent; without those that cannot be read.
        problems: what is wrong with them, the first to act on first. `Problem.depth` is the place among `encoded`.
        encoded: all of them, DER, in the order in which they were sent.
        at: when.
    """

    def __init__(
        self, encoded: tuple[bytes, ...], role: Role, time: int, verifier: Verifier | None, serverName: str | None
    ) -> None:
        """
        Args:
            encoded: DER, in the order in which they were sent.
            role: the side that showed them.
            time: when, nanoseconds since 1970.
            verifier: what the other side judges by, where that is known.
            serverName: of a server, the name that it was asked for.
        """
        self.role = role
        self.encoded = encoded
        self.at = momentOf(time)
        self._verifier = verifier
        with catch_warnings():
            # What the library warns of there are rules for.
            simplefilter("ignore")
            self._loaded = tuple(_loaded(each) for each in encoded)
            self.certificates = tuple(each for each in self._loaded if isinstance(each, x509.Certificate))
            self.problems = (*self._unreadable(), *self._judged(), *self._misnamed(serverName))

    @property
    def leaf(self) -> x509.Certificate | None:
        """The side's own certificate, None where there is none that can be read."""
        first = self._loaded[0] if self._loaded else None
        return first if isinstance(first, x509.Certificate) else None

    @property
    def isWronglySigned(self) -> bool | None:
        """Whether a certificate of it does not bear its issuer's signature; None where that is not known."""
        known = () if self._verifier is None else self._verifier.anchors
        try:
            if not all(any(each.signature) for each in self.certificates):
                # It was taken out of a capture that was redacted.
                return None
            problem = signatureProblem(self.certificates, known)
            isKnown = bool(known) or _endsInItself(self.certificates)
        except Exception:
            # Whatever a parser raises for what a stranger wrote.
            return None
        return True if problem is not None else False if isKnown else None

    def seen(self) -> tuple[CertificateSeen, ...]:
        """Describe the certificates, each with its own problems."""
        return tuple(self._seen(depth) for depth in range(len(self.encoded)))

    def _unreadable(self) -> Iterator[Problem]:
        for depth, each in enumerate(self._loaded):
            if isinstance(each, str):
                yield Problem("invalid-certificate", depth, _UNREADABLE, each)

    def _judged(self) -> tuple[Problem, ...]:
        if self.leaf is None:
            return ()
        states = tuple(_state(each, self.at) for each in self.certificates)
        try:
            return _problems(self.encoded, self.role, self.at.date(), states, _Judge(self.at, self._verifier))
        except Exception:
            return ()

    def _misnamed(self, serverName: str | None) -> Iterator[Problem]:
        if serverName is None or self.leaf is None or self.role != "server":
            return
        try:
            mismatch = nameProblem(self.leaf, serverName)
        except Exception:
            mismatch = None
        if mismatch is not None:
            yield mismatch

    def _seen(self, depth: int) -> CertificateSeen:
        problems, encoded = tuple(p for p in self.problems if p.depth == depth), self.encoded[depth]
        facts, key = _described(encoded) if len(encoded) <= _LARGEST_REMEMBERED else _described.__wrapped__(encoded)
        return _asSeen(depth, facts, key, encoded, problems)


def certificatesSeen(chain: ShownChain | None) -> tuple[CertificateSeen, ...]:
    """Return the certificates of a chain, none where there is none."""
    return () if chain is None else chain.seen()


class _Judge:
    """A verifier and a time. The time counts for nothing where answers are looked up: what it decides is there too."""

    def __init__(self, at: datetime, verifier: Verifier | None) -> None:
        self.at = at
        self.verifier = verifier

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Judge) and self.verifier is other.verifier

    def __hash__(self) -> int:
        return id(self.verifier)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _problems(
    encoded: tuple[bytes, ...], role: Role, day: object, states: tuple[int, ...], judge: _Judge
) -> tuple[Problem, ...]:
    heavy = heaviness(encoded)
    if heavy is not None:
        # To look at it is to verify signatures with keys that a stranger has chosen.
        return (heavy,)
    leaf, *others = (each for each in map(_loaded, encoded) if isinstance(each, x509.Certificate))
    found = _foundBy(judge.verifier, leaf, others, role, judge.at)
    return tuple(replace(problem, depth=_placeOf(problem, chain, encoded)) for problem, chain in found)


def _foundBy(
    verifier: Verifier | None, leaf: x509.Certificate, others: Sequence[x509.Certificate], role: Role, at: datetime
) -> Iterator[tuple[Problem, Sequence[x509.Certificate]]]:
    if verifier is not None:
        result = verifier.verify((leaf, *others), at=at)
        for problem in result.problems:
            yield problem, result.chain
        return
    chain = (leaf, *chainOf(leaf, others))
    if leaf.issuer == leaf.subject:
        yield Problem("self-signed", 0, subjectText(leaf), "it is its own issuer"), chain
    for problem in chainProblems(chain, role, at):
        yield problem, chain


def _placeOf(problem: Problem, chain: Sequence[x509.Certificate], encoded: Sequence[bytes]) -> int:
    """Return the place of a problem's certificate among those that were sent; the last where it was not sent."""
    found = chain[problem.depth].public_bytes(Encoding.DER) if problem.depth < len(chain) else b""
    return encoded.index(found) if found in encoded else min(problem.depth, len(encoded) - 1)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _described(encoded: bytes) -> tuple[CertificateFacts, str]:
    """Return what a certificate says, and its kind of key."""
    loaded = _loaded(encoded)
    if isinstance(loaded, str):
        return replace(_NOTHING, fingerprint=digestText(sha256(encoded).digest())), _UNREADABLE
    with catch_warnings():
        simplefilter("ignore")
        return certificateFacts(loaded), _keyText(loaded)


def _loaded(encoded: bytes) -> x509.Certificate | str:
    try:
        return x509.load_der_x509_certificate(encoded)
    except Exception as error:
        return unreadableText(error)


def _state(certificate: x509.Certificate, at: datetime) -> int:
    dates = validityOf(certificate)
    return 2 if dates is None else (at > dates[1]) - (at < dates[0])


def _endsInItself(chain: Sequence[x509.Certificate]) -> bool:
    return bool(chain) and chain[-1].issuer == chain[-1].subject


def _keyText(certificate: x509.Certificate) -> str:
    try:
        return keyKind(certificate.public_key())
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return _UNREADABLE


def _asSeen(
    depth: int, facts: CertificateFacts, key: str, encoded: bytes, problems: tuple[Problem, ...]
) -> CertificateSeen:
    return CertificateSeen(
        depth,
        facts.subject,
        facts.issuer,
        facts.serial,
        facts.notBefore,
        facts.notAfter,
        facts.names,
        facts.fingerprint,
        key,
        encoded,
        problems,
    )
