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

from tlscomm._wire.events import Event, Kind
from tlscomm.tracing._course import CLOSE_NOTIFY, USER_CANCELED, Course
from tlscomm.tracing._trace import Span

__all__ = ["spansIn"]

_CLOSING = (None, CLOSE_NOTIFY, USER_CANCELED)

_ORDER = ("TCP", "preface", "key exchange", "authentication", "acceptance", "data", "close")


def spansIn(course: Course) -> tuple[Span, ...]:
    """Return the phases that a connection has come to, in order."""
    phases = _phases(course)
    answers = _answers(course, phases)
    ended: int | None = None
    spans = []
    for name in _ORDER:
        events = [event for event, phase in zip(course.events, phases, strict=True) if phase == name]
        if events:
            began = min(event.time for event in events) if ended is None else ended
            ended = max(began, *(event.time for event in events))
            spans.append(_span(name, began, ended, answers[name], events))
    return tuple(spans)


def _answers(course: Course, phases: Sequence[str]) -> Counter[str]:
    """Count how often the server answers the client in each phase: so often the client has waited for a round trip."""
    turns = zip(pairwise(course.events), phases[1:], strict=True)
    return Counter(phase for (before, after), phase in turns if before.isFromClient and not after.isFromClient)


def _span(name: str, began: int, ended: int, answers: int, events: Sequence[Event]) -> Span:
    sizes = [sum(each.size for each in events if each.isFromClient is isClient) for isClient in (True, False)]
    return Span(name, began, ended, float(answers), *sizes)


def _phases(course: Course) -> list[str]:
    """Name the phase of each event."""
    hello, finished = course.at(False, "ServerHello"), course.clientFinished
    settled = _settled(course)
    closing = _closing(course)
    found = []
    for index, event in enumerate(course.events):
        if closing is not None and index >= closing:
            found.append("close")
        elif event.kind is Kind.TCP:
            found.append("TCP")
        elif event.kind is Kind.PREFACE:
            found.append("preface")
        elif hello is None or index <= hello:
            found.append("key exchange")
        elif finished is None or index <= finished:
            found.append("authentication")
        else:
            found.append("acceptance" if settled is None or index <= settled else "data")
    return found


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
