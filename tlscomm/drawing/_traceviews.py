"""One connection as the page shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event, Kind
from tlscomm.drawing._chainviews import ChainView, chainView
from tlscomm.drawing._messageviews import MessageView, Room, messageView
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._steps import Omission, isTurn, steps
from tlscomm.drawing._words import LEGENDS, NOT_IN_COMMON, PHASES, SUBJECTS, choiceSubject, hereText, offerLead
from tlscomm.tracing._trace import Choice, Span, Trace, Verdict

__all__ = ["TraceView", "VerdictView", "momentText", "traceView", "verdictView"]

_MOST_CHOICES, _MOST_OFFERED, _MOST_EVIDENCE = 16, 40, 12

#: What one side tells, and the other need not answer.
_TOLD = frozenset({"server name", "certificate authorities"})

_CERTAINTIES = {
    "certain": "certain: the messages themselves say so",
    "inferred": "inferred from the sizes and the order of encrypted records: it may be wrong",
    "unknown": "unknown: there is too little to tell",
}

_CERTAINTY_CHIPS = {"certain": "certain", "inferred": "inferred: it may be wrong", "unknown": "not known"}

_SENTENCES = {
    "accepted": "Both sides have accepted each other.",
    "refused": "One side did not accept the other.",
    "failed": "The connection broke off.",
    "unfinished": "What was seen ends before it is decided.",
}


@dataclass(frozen=True)
class VerdictView:
    """How it ended: see `Verdict`. `row` is the number of the message where it fell, 0 where none did."""

    sentence: str
    outcome: str
    chip: str
    code: str
    certainty: str
    certaintyChip: str
    certaintyWords: str
    turn: str
    nextStep: str
    evidence: tuple[str, ...]
    row: int = 0


@dataclass(frozen=True)
class LockView:
    """A sign beside messages, and what it means."""

    name: str
    words: str


@dataclass(frozen=True)
class OfferView:
    """One thing that was offered, and whether it was chosen."""

    text: str
    isChosen: bool


@dataclass(frozen=True)
class ChoiceView:
    """One thing that was negotiated.

    Attributes:
        subject: what it is.
        words: the same in plain words.
        chosen: what was chosen; empty where nothing was.
        absence: what to say where nothing was chosen, if there is anything to say.
        isMissing: whether it ended because nothing was.
        lead: what stands before the offers: which side made them.
        offers: what was offered.
        left: how many more.
    """

    subject: str
    words: str
    chosen: str
    absence: str
    isMissing: bool
    lead: str
    offers: tuple[OfferView, ...]
    left: int


@dataclass(frozen=True)
class PhaseView:
    """One phase: its share of the time, from where to where, is in thousandths of the whole."""

    name: str
    words: str
    time: str
    roundTrips: str
    fromClient: str
    fromServer: str
    begins: int
    takes: int


@dataclass(frozen=True)
class TraceView:
    """One connection."""

    number: int
    client: str
    server: str
    began: str
    verdict: VerdictView
    messages: tuple[MessageView, ...]
    locks: tuple[LockView, ...]
    choices: tuple[ChoiceView, ...]
    phases: tuple[PhaseView, ...]
    chains: tuple[ChainView, ...]
    facts: tuple[tuple[str, str], ...]
    hasApplicationData: bool


def traceView(trace: Trace, room: Room) -> TraceView:
    """Return what the page shows of a trace.

    Args:
        trace: the trace.
        room: what the page has left for details.
    """
    messages = tuple(_messages(trace, room))
    row = next((message.number for message in messages if message.mark), 0)
    return TraceView(
        trace.number,
        _endText(trace.client),
        _endText(trace.server),
        _beganText(trace),
        verdictView(trace.verdict, row),
        messages,
        tuple(LockView(lock, LEGENDS[lock]) for lock in sorted({message.lock for message in messages if message.lock})),
        tuple(_choices(trace)),
        tuple(_phases(trace.spans)),
        (chainView(trace, "server", room), chainView(trace, "client", room)),
        tuple(_facts(trace)),
        any(event.kind is Kind.APPLICATION_DATA and event.content for event in trace.events),
    )


def verdictView(verdict: Verdict, row: int = 0) -> VerdictView:
    """Return what the page shows of a verdict; `row` is the number of the message where it fell."""
    chip = {"unfinished": "not finished"}.get(verdict.outcome, verdict.outcome)
    if verdict.by and verdict.outcome != "accepted":
        chip = f"{chip} by the {verdict.by}"
    return VerdictView(
        verdict.sentence or _SENTENCES[verdict.outcome],
        verdict.outcome,
        chip,
        verdict.code or "",
        verdict.certainty,
        _CERTAINTY_CHIPS[verdict.certainty],
        _CERTAINTIES[verdict.certainty],
        f"It is the {verdict.turn}'s turn" if verdict.turn else "",
        verdict.nextStep,
        verdict.evidence[:_MOST_EVIDENCE],
        row,
    )


def momentText(nanoseconds: int) -> str:
    """Return a time in UTC for a person, to the millisecond; nothing for one that no calendar has."""
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC"


def _endText(address: object) -> str:
    return "" if address is None else str(address)


def _beganText(trace: Trace) -> str:
    return momentText(trace.events[0].time) if trace.events else ""


def _messages(trace: Trace, room: Room) -> Iterator[MessageView]:
    number, after = 0, ""
    before: Event | None = None
    began = trace.events[0].time if trace.events else 0
    for step in steps(trace):
        if isinstance(step, Omission):
            yield MessageView(0, left=step.count)
            continue
        number += 1
        mark = hereText(trace.verdict) if step.isVerdict else ""
        begins = before is not None and isTurn(before, step.event)
        view = messageView(number, step.event, began, room, mark=mark, isTurn=begins)
        before = step.event
        # A time that stands above already need not be said again.
        yield replace(view, after="") if view.after == after else view
        after = view.after


def _choices(trace: Trace) -> Iterator[ChoiceView]:
    isCertain = trace.verdict.certainty == "certain" and trace.verdict.outcome in ("refused", "failed")
    isAnswered = any(event.name == "ServerHello" for event in trace.events)
    absence = "it did not come to that" if isCertain and not isAnswered else "not seen"
    for choice in trace.choices[:_MOST_CHOICES]:
        yield _choice(choice, trace.verdict.code, absence)


def _choice(choice: Choice, code: str | None, absence: str) -> ChoiceView:
    isMissing = choice.chosen is None and code is not None and NOT_IN_COMMON.get(choice.subject) == code
    isTold = choice.subject in _TOLD
    return ChoiceView(
        choiceSubject(choice),
        SUBJECTS.get(choice.subject, ""),
        choice.chosen or "",
        "nothing in common" if isMissing else "" if isTold else absence,
        isMissing,
        offerLead(choice).capitalize(),
        tuple(OfferView(offer, offer == choice.chosen) for offer in choice.offered[:_MOST_OFFERED]),
        max(0, len(choice.offered) - _MOST_OFFERED),
    )


def _phases(spans: tuple[Span, ...]) -> Iterator[PhaseView]:
    if not spans:
        return
    began = min(span.began for span in spans)
    whole = max(1, max(span.ended for span in spans) - began)
    for span in spans:
        yield PhaseView(
            span.name,
            PHASES.get(span.name, ""),
            durationText(span.ended - span.began),
            f"{span.roundTrips:g}",
            sizeText(span.bytesFromClient),
            sizeText(span.bytesFromServer),
            (span.began - began) * 1000 // whole,
            max(8, (span.ended - span.began) * 1000 // whole),
        )


def _facts(trace: Trace) -> Iterator[tuple[str, str]]:
    yield "client", _endText(trace.client) or "not known"
    yield "server", _endText(trace.server) or "not known"
    if trace.events:
        yield "began", _beganText(trace) or "not known"
        yield "lasted", durationText(trace.events[-1].time - trace.events[0].time)
    yield "seen by", f"the {trace.side} itself" if trace.side else "a capture of packets"
    yield "encrypted records", "opened with secrets" if trace.hasSecrets else "closed: no secrets were at hand"
    for name, isFromClient in (("the client sent", True), ("the server sent", False)):
        size = sum(event.size for event in trace.events if event.isFromClient is isFromClient)
        yield name, f"{size:,} bytes"
    if trace.verdict.code:
        yield "more about it", f"tlscomm explain {trace.verdict.code}"
    if trace.failure is not None:
        yield "failure", trace.failure.message
        for evidence in trace.failure.evidence[:_MOST_EVIDENCE]:
            yield "evidence", evidence
