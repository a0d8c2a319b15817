"""Where a connection turned: where its end began, where a client left, and where acceptance shows."""

from __future__ import annotations

from tlscomm.tracing._course import CLOSE_NOTIFY, USER_CANCELED, Course

__all__ = ["AT_ONCE", "acceptanceIn", "endingOf", "leavingOf", "signOfAcceptance"]

#: Nanoseconds.
AT_ONCE = 1_000_000_000
#: A server that refuses behind a sign of acceptance does it at once; the client's close may cross it (see
#: `tlscomm.transport._acceptance`).
_DOUBT = 50_000_000

_CLOSING = (None, CLOSE_NOTIFY, USER_CANCELED)


def endingOf(course: Course) -> int | None:
    """Return where the first side ended the connection without saying that it refuses, or None."""
    closes = [alert.event for alert in course.alerts if not alert.isFatal and alert.number in _CLOSING]
    return min((*closes, *course.ends.values()), default=None)


def leavingOf(course: Course, ending: int | None) -> int | None:
    """Return where a client left that had finished, and sent nothing more."""
    if ending is None or not course.isDone or course.clientData is not None or not course.events[ending].isFromClient:
        return None
    assert course.clientFinished is not None
    isAtOnce = course.events[ending].time - course.events[course.clientFinished].time < AT_ONCE
    return ending if isAtOnce else None


def signOfAcceptance(course: Course) -> int | None:
    """Return where the server shows a sign that it has accepted the client, which nginx shows to all."""
    if not course.isDone:
        return None
    if not course.isTLS13:
        return course.serverFinished
    return course.tickets[0] if course.tickets else course.closeAnswered


def acceptanceIn(course: Course, ending: int | None) -> int | None:
    """Return where it is certain that both sides have accepted each other, or None."""
    if course.clientFinished is None or course.serverFinished is None:
        return None
    done = max(course.clientFinished, course.serverFinished)
    if course.isRequested is False:
        return done
    if course.serverData is not None and course.serverData > done:
        return course.serverData
    sign = signOfAcceptance(course)
    if sign is None or ending is None or ending < sign or not course.events[ending].isFromClient:
        return None
    # The client has begun the close, and the server had had the time to refuse.
    isAfterDoubt = course.events[ending].time - course.events[sign].time > _DOUBT
    return sign if isAfterDoubt else None
