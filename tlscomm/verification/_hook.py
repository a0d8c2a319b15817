"""A say for the application: the hook that is asked about each peer before it is let in.

It is the counterpart of .NET's ``RemoteCertificateValidationCallback``, and differs from it where that has cost its
users most. A callback that returns true there accepts whatever is wrong. Here an answer overrules what it names, and
nothing else: a hook that means to let an expired certificate pass does not let a stranger's pass as well.

A hook is called once in a handshake, full or resumed, when everything is known of the peer and nothing has been said to
it yet. It may answer at once, or with a Deferred or a coroutine; the peer then waits. What it raises refuses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from typing import TypeAlias

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.access import Peer
from tlscomm.failures import CODES, CertificateFailure, Problem
from tlscomm.failures._lazyproblems import LazyProblems
from tlscomm.x509._roles import Role

__all__ = ["Answer", "Hook", "Question", "accept", "insecurelyAccept", "refuse"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a hook is asked about.

    Attributes:
        peerRole: which side the peer is on: ``client`` or ``server``.
        address: where it connects from, or where we connected to, as text; None where it is unknown.
        serverName: the name that the client asked for (RFC 6066), or that a server's certificate has to be for.
        chain: the peer's certificates, its own first: the verified chain, or of a peer that would be refused the chain
            that says most about why. Empty where it showed none.
        problems: why the peer is refused unless they are overruled; nothing where it is accepted.
        warnings: what else is not right with the chain, worked out when it is read.
        version: ``TLSv1.2`` or ``TLSv1.3``.
        cipher: the cipher suite, in OpenSSL's name.
        alpn: the application protocol, or None.
        resumed: whether the peer resumes an earlier session, and showed its certificate then. Under TLS 1.2 it has yet
            to prove that the session is its own, and is cut off later where it does not.
        ja4: the JA4 fingerprint of a client's first message, where the server works it out; None where it does not.
    """

    peerRole: Role
    address: str | None = None
    serverName: str | None = None
    chain: tuple[x509.Certificate, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: LazyProblems = LazyProblems()
    version: str = ""
    cipher: str = ""
    alpn: str | None = None
    resumed: bool = False
    ja4: str | None = None

    @property
    def certificate(self) -> x509.Certificate | None:
        """The peer's own certificate, or None where it showed none."""
        return self.chain[0] if self.chain else None

    @cached_property
    def peer(self) -> Peer | None:
        """The peer's names, its fingerprint and more, or None where it showed no certificate."""
        return Peer(self.chain, ja4=self.ja4) if self.chain else None


@dataclass(frozen=True)
class Answer:
    """What a hook says. Make one with `accept`, `refuse` or `insecurelyAccept`.

    Attributes:
        code: the code of the failure that the peer is refused with, or None where it is not refused here.
        reason: why it is refused, as a phrase. It is for our side: the peer hears an alert.
        overruled: the problems that do not count: by code and depth, or by code alone for those of every certificate.
        overrulesAll: whether no problem counts.

    Raises:
        ValueError: the code is none of a failure that speaks of a peer's certificate.
    """

    code: str | None = None
    reason: str = ""
    overruled: frozenset[str | tuple[str, int]] = frozenset()
    overrulesAll: bool = False

    def __post_init__(self) -> None:
        for named in self.overruled:
            _checkKnown(named if isinstance(named, str) else named[0])
        if self.code is not None:
            _checkKnown(self.code)

    def leaves(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """Return those of the problems that still count."""
        return tuple(each for each in problems if not self._overrules(each))

    def _overrules(self, problem: Problem) -> bool:
        return self.overrulesAll or problem.code in self.overruled or (problem.code, problem.depth) in self.overruled


Hook: TypeAlias = Callable[[Question], "Answer | bool | Awaitable[Answer | bool]"]


def accept(*overruling: Problem | str) -> Answer:
    """Accept the peer, if nothing but what is named here is wrong with it.

    Args:
        overruling: problems out of the question; or codes, which overrule what they name in every certificate of the
            chain.

    Raises:
        ValueError: there is no such code.
    """
    return Answer(
        overruled=frozenset((each.code, each.depth) if isinstance(each, Problem) else each for each in overruling)
    )


def refuse(reason: str = "", code: str = "refused-by-hook") -> Answer:
    """Refuse the peer.

    Args:
        reason: why, as a phrase, for our own log and exceptions. The peer only hears the alert that fits the code.
        code: a code of its own, one of those that speak of a peer's certificate.

    Raises:
        ValueError: there is no such code.
    """
    return Answer(code=code, reason=reason)


def insecurelyAccept() -> Answer:
    """Accept the peer whatever is wrong with it: any peer can then be on the other side."""
    return Answer(overrulesAll=True)


def _checkKnown(code: str) -> None:
    if not issubclass(CODES.get(code, Exception), CertificateFailure):
        raise ValueError(f"{code!r} is no code of a failure that speaks of a peer's certificate")
