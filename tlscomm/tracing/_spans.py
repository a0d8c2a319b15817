"""The phases of a connection, with their round trips, time and bytes.

A phase begins where the one before it ends, so the times of all of them add up to the time of the whole. ``TCP`` is the
packets of its handshake, and ``preface`` what was said before TLS; ``key exchange`` goes up to the last byte of
ServerHello, ``authentication`` up to the client's Finished, and ``acceptance`` up to the first thing that the server
sends behind it; ``data`` is what follows, and ``close`` begins with the first sign of the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from tlscomm._wire.events import Kind
from tlscomm._wire.recordheader import HEADER
from tlscomm.tracing._course import CLOSE_NOTIFY, USER_CANCELED, Course, SealedRecord
from tlscomm.tracing._trace import Span

__all__ = ["spansIn"]

_CLOSING = (None, CLOSE_NOTIFY, USER_CANCELED)

_ORDER = ("TCP", "preface", "key exchange", "authentication", "acceptance", "data", "close")


class _Piece(NamedTuple):
    """An event, or one of the sealed records in it.

    Attributes:
        event: the index of the event.
        isFromClient: who sent it.
        time: when its last byte was seen.
        size: in bytes.
        order: of the sealed record, None of a whole event.
    """

    event: int
    isFromClient: bool
    time: int
    size: int
    order: int | None


def spansIn(course: Course) -> tuple[Span, ...]:
    """Return the phases that a connection has come to, in order."""
    pieces = _pieces(course)
    phases = _phases(course, pieces)
    answers = _answers(pieces, phases)
    ended: int | None = None
    spans = []
    for name in _ORDER:
        inside = [piece for piece, phase in zip(pieces, phases, strict=True) if phase == name]
        if inside:
            began = min(piece.time for piece in inside) if ended is None else ended
            ended = max(began, *(piece.time for piece in inside))
            spans.append(_span(name, began, ended, answers[name], inside))
    return tuple(spans)


def _pieces(course: Course) -> list[_Piece]:
    """Return all events, and of those in which a phase may end the records that are in them."""
    ending = {course.clientFinished, _settled(course), *course.alertOrders}
    sealed: dict[int, list[SealedRecord]] = {}
    for record in course.sealed:
        if record.event in ending:
            sealed.setdefault(record.event, []).append(record)
    found = []
    for index, event in enumerate(course.events):
        records = sealed.get(index, ())
        found += [_Piece(index, r.isFromClient, r.time, HEADER + r.length, r.order) for r in records[:-1]]
        # Of many records only some are known one by one.
        rest = event.size - sum(HEADER + r.length for r in records[:-1])
        found.append(_Piece(index, event.isFromClient, event.time, rest, records[-1].order if records else None))
    return found


def _answers(pieces: Sequence[_Piece], phases: Sequence[str]) -> Counter[str]:
    """Count how often the server answers the client in each phase: so often the client has waited for a round trip."""
    turns = zip(pairwise(pieces), phases[1:], strict=True)
    return Counter(phase for (before, after), phase in turns if before.isFromClient and not after.isFromClient)


def _span(name: str, began: int, ended: int, answers: int, pieces: Sequence[_Piece]) -> Span:
    sizes = [sum(each.size for each in pieces if each.isFromClient is isClient) for isClient in (True, False)]
    return Span(name, began, ended, float(answers), *sizes)


def _phases(course: Course, pieces: Sequence[_Piece]) -> list[str]:
    """Name the phase of each piece."""
    hello, settled, closing = course.at(False, "ServerHello"), _settled(course), _closing(course)
    closingOrder = None if closing is None else course.alertOrders.get(closing)
    found = []
    for piece in pieces:
        event = course.events[piece.event]
        if closing is not None and not _isBefore(piece, closing, closingOrder):
            found.append("close")
        elif event.kind is Kind.TCP:
            found.append("TCP")
        elif event.kind is Kind.PREFACE:
            found.append("preface")
        elif hello is None or piece.event <= hello:
            found.append("key exchange")
        elif course.clientFinished is None or _isUpTo(piece, course.clientFinished, course.finishedOrder):
            found.append("authentication")
        else:
            isSettling = settled is None or _isUpTo(piece, settled, course.settledOrder)
            found.append("acceptance" if isSettling else "data")
    return found


def _isBefore(piece: _Piece, event: int, order: int | None) -> bool:
    """Return whether a piece is before an event, or before a record of it where that is known."""
    if piece.event != event or piece.order is None or order is None:
        return piece.event < event
    return piece.order < order


def _isUpTo(piece: _Piece, event: int, order: int | None) -> bool:
    """Return whether a piece is not behind an event, or not behind a record of it where that is known."""
    if piece.event != event or piece.order is None or order is None:
        return piece.event <= event
    return piece.order <= order


def _settled(course: Course) -> int | None:
    """Return where the first thing from the server behind the client's Finished is."""
    if course.clientFinished is None:
        return None
    after = enumerate(course.events[course.clientFinished + 1 :], course.clientFinished + 1)
    first = next((at for at, event in after if not event.isFromClient and event.kind is not Kind.TCP), None)
    tickets = [at for at in course.tickets if course.serverData is None or at < course.serverData]
    return max((at for at in (first, *tickets) if at is not None), default=None)


def _closing(course: Course) -> int | None:
    """Return where the first sign of the end is: close_notify, or what comes behind a fatal alert."""
    closes = [alert.event + alert.isFatal for alert in course.alerts if alert.isFatal or alert.number in _CLOSING]
    return min((*closes, *course.ends.values()), default=None)
