"""What a verdict says: the sentence and the next step of a failure, as told by a third party.

The words are those of the list of failures. They are written there for one of the two sides, which is "we"; here the
side that the step is for takes its place. That side may be any program, so options of tlscomm are left out.
"""

from __future__ import annotations

import re

from tlscomm.failures import (
    CertificateFailure,
    NegotiationFailure,
    NotTLS,
    Problem,
    ProtocolViolation,
    TLSFailure,
    failureForCode,
)
from tlscomm.tls._remedies import CLIENT_LEFT, SERVER_REFUSED
from tlscomm.tracing._trace import Certainty, Outcome, Side, Verdict

__all__ = ["OTHER", "asToldTo", "isRefusal", "turnOfOurs", "verdictOf", "withoutOptions"]

OTHER: dict[Side, Side] = {"client": "server", "server": "client"}

#: What the side changes that has refused, and not the one that was refused.
_TURN_OF_JUDGE = frozenset({"hook-failed", "hook-timeout", "not-allowed", "refused-by-hook", "revocation-unknown"})
#: Why it was is not known, and to be looked up in a log before it is the turn of one side.
_TURN_OF_NEITHER = frozenset({"closed-in-handshake", "protocol-violation", "refused"})
#: What failures that the side itself has found tell this side to do, and not the other one.
_STEPS_FOR_JUDGE = _TURN_OF_JUDGE | {"unknown-issuer"}

_NOT_YET = (
    "Wait until its notBefore, or get a certificate that is valid now. If it should be valid already, the clock of the "
    "machine that issued it may be wrong."
)
_PURPOSES: dict[Side, str] = {
    "client": "Client Authentication (1.3.6.1.5.5.7.3.2)",
    "server": "Server Authentication (1.3.6.1.5.5.7.3.1)",
}

_OPTIONS = re.compile(r" \([^()]*--[^()]*\)")
_US = re.compile(r"\b(for|with) us\b")


def isRefusal(kind: type[TLSFailure]) -> bool:
    """Return whether a failure is that one side did not accept what the other presented or offered."""
    isJudgement = issubclass(kind, CertificateFailure | NegotiationFailure)
    return isJudgement and not issubclass(kind, NotTLS | ProtocolViolation)


def verdictOf(
    problem: Problem,
    by: Side | None,
    *,
    owner: Side | None = None,
    outcome: Outcome | None = None,
    certainty: Certainty = "certain",
    evidence: tuple[str, ...] = (),
    event: int | None = None,
    remedy: str = "",
    said: str = "",
    isJudges: bool = False,
) -> Verdict:
    """Return the verdict that a connection failed.

    Args:
        problem: what is wrong; `Problem.depth` is the place in the owner's chain.
        by: the side that refused or broke off.
        owner: the side whose certificate, offer or turn it was; the other one where None.
        outcome: what it came to; by the kind of failure where None.
        certainty: how certain that is.
        evidence: what it rests on.
        event: where it fell.
        remedy: what to do in this very case.
        said: what to say of it in the place of the failure's own summary, if anything.
        isJudges: whether the turn is not the owner's but the other side's, whatever the code is.
    """
    kind = failureForCode(problem.code)
    owner = owner or OTHER[by or "server"]
    outcome = outcome or ("refused" if isRefusal(kind) else "failed")
    failure = kind(problem.detail, side="remote", depth=problem.depth, remedy=remedy or _remedy(problem, owner))
    return Verdict(
        outcome,
        problem.code,
        by,
        certainty,
        failure.told(owner, OTHER[owner], isRefusal=isRefusal(kind), said=said),
        OTHER[owner] if isJudges else _turnOf(problem.code, owner),
        nextStepOf(failure, owner),
        evidence,
        event,
    )


def nextStepOf(failure: TLSFailure, owner: Side) -> str:
    """Return what to do about a failure, as told to the side whose turn it is."""
    isJudges = failure.code in _TURN_OF_JUDGE
    own, we = (failure.theirs, OTHER[owner]) if isJudges else (failure.ours, owner)
    if failure.remedy and (step := withoutOptions(failure.remedy)):
        return asToldTo(step, owner)
    return asToldTo(withoutOptions(own) or failure.general, we)


def withoutOptions(step: str) -> str:
    """Return a step without the options of tlscomm in parentheses, or nothing where it is made of options."""
    step = _OPTIONS.sub("", step)
    return "" if "--" in step else step


def asToldTo(step: str, we: Side) -> str:
    """Put the sides' names into a step that is written for one of them."""
    for word, name in (
        ("the peer", f"the {OTHER[we]}"),
        ("our certificate", f"the {we}'s certificate"),
        ("this machine's", f"the {we}'s"),
        ("this server", "the server"),
    ):
        step = step.replace(word, name).replace(word.capitalize(), name[:1].upper() + name[1:])
    return _US.sub(rf"\1 the {we}", step).replace("trust ours", f"trust that of the {we}")


def _remedy(problem: Problem, owner: Side) -> str:
    if problem.code == "not-yet-valid":
        return problem.remedy or _NOT_YET
    if problem.code == "wrong-purpose":
        needed = f"Have the certificate issued with the extended key usage that a {owner} needs: {_PURPOSES[owner]}."
        return problem.remedy or needed
    if problem.remedy or problem.code != "refused":
        return problem.remedy
    return SERVER_REFUSED if owner == "client" else CLIENT_LEFT


def turnOfOurs(code: str, side: Side, *, isOurs: bool) -> Side:
    """Return whose turn it is after a failure of a connection of ours, as its next step has it.

    Args:
        code: the failure's.
        side: ours.
        isOurs: whether it is our certificate, offer or turn.
    """
    return side if isOurs or code in _STEPS_FOR_JUDGE else OTHER[side]


def _turnOf(code: str, owner: Side) -> Side | None:
    if code in _TURN_OF_NEITHER:
        return None
    return OTHER[owner] if code in _TURN_OF_JUDGE else owner
