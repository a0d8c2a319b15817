"""From what was seen of a connection to its trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tlscomm._capture.packets import Address
from tlscomm._wire.events import Event
from tlscomm.failures import TLSFailure
from tlscomm.tracing._certificates import ShownChain, certificatesSeen
from tlscomm.tracing._choices import choicesIn
from tlscomm.tracing._course import Course, followed
from tlscomm.tracing._inference import suppose
from tlscomm.tracing._spans import spansIn
from tlscomm.tracing._trace import Certainty, Side, Trace, Verdict
from tlscomm.tracing._verdict import verdictOn
from tlscomm.tracing._wording import OTHER, isRefusal, turnOfOurs
from tlscomm.verification import Verifier

__all__ = ["assemble"]


def assemble(
    events: Sequence[Event],
    *,
    number: int = 1,
    client: Address | None = None,
    server: Address | None = None,
    side: Side | None = None,
    failure: TLSFailure | None = None,
    isFinished: bool = True,
    hasSecrets: bool = False,
    clientVerifier: Verifier | None = None,
    serverVerifier: Verifier | None = None,
) -> Trace:
    """Return the trace of one connection.

    Args:
        events: what was seen.
        number: of the connection.
        client: its address.
        server: the same.
        side: the side that traced itself, None for a capture.
        failure: of a live trace, what the connection ended with.
        isFinished: whether nothing more will come.
        hasSecrets: whether sealed records could be opened.
        clientVerifier: what the client's certificates are judged by; by themselves and the time alone where None.
        serverVerifier: the same for the server's.
    """
    seen = tuple(events)
    course = followed(seen)
    suppose(course)
    clientChain = _shown(course, "client", clientVerifier)
    serverChain = _shown(course, "server", serverVerifier)
    verdict = verdictOn(course, clientChain, serverChain, isFinished=isFinished)
    if side is not None and failure is not None:
        verdict = _told(failure, side, verdict, len(seen))
    elif side is not None and isFinished and course.isDone:
        verdict = _acceptedByUs(verdict, course, side)
    return Trace(
        number,
        client,
        server,
        side,
        seen,
        verdict,
        failure,
        choicesIn(course, clientChain),
        certificatesSeen(clientChain),
        certificatesSeen(serverChain),
        spansIn(course),
        hasSecrets,
    )


def _shown(course: Course, side: Side, verifier: Verifier | None) -> ShownChain | None:
    encoded = course.clientChain if side == "client" else course.serverChain
    index = course.at(side == "client", "Certificate")
    if not encoded or index is None:
        return None
    return ShownChain(encoded, side, course.events[index].time, verifier, course.hello.serverName)


def _acceptedByUs(seen: Verdict, course: Course, side: Side) -> Verdict:
    """Return the verdict on a connection of ours that has ended without a failure: it knows that it was made."""
    sentence = seen.sentence if seen.outcome == "accepted" else "Both sides have accepted each other."
    # A client may have had to assume that the server accepts it.
    isSeen = side == "server" or not course.isTLS13 or course.isRequested is False or bool(course.tickets)
    certainty: Certainty = "certain" if isSeen or course.serverData is not None else "inferred"
    return Verdict("accepted", None, None, certainty, sentence, evidence=seen.evidence, event=seen.event)


def _told(failure: TLSFailure, side: Side, seen: Verdict, count: int) -> Verdict:
    """Return the verdict on a connection of ours: what it knows itself, and where it fell by what was seen."""
    by = side if failure.side == "local" else OTHER[side]
    isOurs = failure.stage == "credential" or failure.side == "remote"
    return replace(
        seen,
        outcome="refused" if isRefusal(type(failure)) and failure.stage != "credential" else "failed",
        code=failure.code,
        by=by,
        certainty="certain",
        sentence=failure.message,
        turn=turnOfOurs(failure.code, side, isOurs=isOurs),
        nextStep=failure.nextStep,
        evidence=failure.evidence,
        # What nothing shows falls where the trace ends.
        event=seen.event if seen.event is not None or not count else count - 1,
    )
