"""What sealed records of TLS 1.3 are, by their sizes and their order, where there is no secret to open them with.

Behind ServerHello every record looks the same. What it holds has a size all the same, and the sizes of a few messages
are always those (RFC 8446, section 4): an alert has two bytes, a Certificate without certificates eight, and a Finished
four more than the hash of the suite. To these come a byte for the content type, and the tag of the AEAD. Java adds 16
bytes of padding to each. So these rules hold, measured with OpenSSL, Python, GnuTLS, Go, Java, nginx, HAProxy, stunnel
and Twisted:

* The first record of the client that is sealed with the handshake's keys is an alert (it refuses the server), a
  Certificate without certificates, one with some, or Finished, because none was asked for.
* What a server sends behind the client's Finished is, before anything else, a NewSessionTicket, data, or an alert. A
  server that refuses sends an alert alone. nginx sends its tickets first, and then close_notify.
* Tickets come at once, before data, and those of one server have one size.

What is supposed is put into the `Course` as if it had been seen, with the evidence that says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from tlscomm.tracing._course import AlertSeen, Course, SealedRecord

__all__ = ["suppose"]

#: The byte for the content type and the tag of each AEAD of TLS 1.3 but one (RFC 8446, section 5.2).
_ADDED = 17
#: TLS_AES_128_CCM_8_SHA256 has a short tag.
_CCM_8, _ADDED_BY_CCM_8 = 0x1305, 9
_SHA384_SUITES = frozenset({0x1302})

#: What Java adds to each record.
_PADDINGS = (0, 16)
#: Records of a side among which its Finished is.
_MOST_OF_HANDSHAKE = 8

_ALERT, _EMPTY_CERTIFICATE, _END_OF_EARLY_DATA = 2, 8, 4

#: No Certificate with a certificate in it, and no CertificateVerify behind it, is smaller; compressed ones are not
#: either (RFC 8879).
_SMALLEST_CERTIFICATE = 150
#: No ticket is smaller: twelve bytes, its nonce, and what the server finds the session by.
_SMALLEST_TICKET = 40


#: Nanoseconds, and round trips, in which a server has judged a client.
_PATIENCE, _ROUND_TRIPS = 200_000_000, 5


def suppose(course: Course) -> None:
    """Put into a course what its sealed records are supposed to be, as far as anything can be."""
    if not course.isTLS13 or not course.sealed or course.answer.suite is None:
        return
    if course.clientFinished is not None:
        finished = course.events[course.clientFinished]
        _supposeReaction(course, _orderAt(course, course.clientFinished), finished.time)
    elif not any(alert.number is not None for alert in course.alerts):
        answer = _supposeAnswer(course)
        if answer is not None:
            course.finishedOrder = answer.order
            _supposeReaction(course, answer.order, answer.time)


def _orderAt(course: Course, index: int) -> int:
    """Return the order of the last sealed record before an event, -1 where there is none."""
    return max((each.order for each in course.sealed if each.event < index), default=-1)


class _Sizes:
    """The sizes of a suite's records, without what the sender adds."""

    def __init__(self, course: Course) -> None:
        suite = course.answer.suite
        self._added = _ADDED_BY_CCM_8 if suite == _CCM_8 else _ADDED
        self.finished = 4 + (48 if suite in _SHA384_SUITES else 32)
        self._paddings = {isClient: self._paddingsOf(_of(course, isClient)) for isClient in (True, False)}

    def isOf(self, record: SealedRecord, *sizes: int) -> bool:
        """Return whether a record holds so many bytes, with the padding of its sender."""
        paddings = self._paddings[record.isFromClient]
        return any(self._inner(record) == size + padding for size in sizes for padding in paddings)

    def _paddingsOf(self, records: Sequence[SealedRecord]) -> Sequence[int]:
        """Return what a side may add to its records: its Finished tells, if one record alone can be that."""
        inner = {self._inner(each) for each in records[:_MOST_OF_HANDSHAKE]}
        found = [padding for padding in _PADDINGS if self.finished + padding in inner]
        return found if len(found) == 1 else _PADDINGS

    def isAlert(self, record: SealedRecord) -> bool:
        return self.isOf(record, _ALERT)

    def isAtLeast(self, record: SealedRecord, size: int) -> bool:
        return self._inner(record) >= size

    def _inner(self, record: SealedRecord) -> int:
        return record.length - self._added


def _supposeAnswer(course: Course) -> SealedRecord | None:
    """Tell what the client's answer to the server's messages is, and return the record of its Finished, if there is."""
    sizes = _Sizes(course)
    answer = _answerOf(course, sizes)
    if not answer:
        _supposeFlight(course, sizes)
        return None
    first = answer[0]
    if course.serverFlight is None:
        course.serverFlight = max((each.event for each in _of(course, False) if each.event < first.event), default=None)
    if course.serverFlight is None or (course.gaps and course.gaps[0] < first.event):
        # It may not be the first one.
        return None
    if sizes.isAlert(first):
        course.alerts.append(AlertSeen(first.event, True, None, True))
        course.evidence.append(_said(first, "an alert, and stands where the client's answer should be"))
        return None
    return _supposeCertificate(course, answer, sizes)


def _supposeFlight(course: Course, sizes: _Sizes) -> None:
    """Tell how the messages of a server end that the client has not answered: with Finished, or with an alert."""
    flight, left = _of(course, False), course.ends.get(True)
    if left is not None:
        flight = [each for each in flight if each.event < left]
    if not flight or course.gaps:
        return
    if sizes.isAlert(flight[-1]):
        course.alerts.append(AlertSeen(flight[-1].event, False, None, True))
        course.evidence.append(_said(flight[-1], "an alert, before the client has answered"))
    elif sizes.isOf(flight[-1], sizes.finished):
        course.serverFlight = flight[-1].event
        course.evidence.append(_said(flight[-1], "Finished: the client has all of the server's messages"))


def _supposeCertificate(course: Course, answer: Sequence[SealedRecord], sizes: _Sizes) -> SealedRecord | None:
    """Tell whether a client was asked for a certificate, and whether it sent one."""
    first, finished = answer[0], next((each for each in answer[:5] if sizes.isOf(each, sizes.finished)), None)
    if sizes.isOf(first, sizes.finished):
        what, course.isRequested, course.hasClientCertificate = (
            "Finished, without a certificate before it",
            False,
            False,
        )
    elif sizes.isOf(first, _EMPTY_CERTIFICATE):
        what, course.isRequested, course.hasClientCertificate = "a Certificate without certificates", True, False
    elif sizes.isOf(first, _EMPTY_CERTIFICATE + sizes.finished):
        what, finished = "a Certificate without certificates, and Finished", first
        course.isRequested, course.hasClientCertificate = True, False
    elif sizes.isAtLeast(first, _SMALLEST_CERTIFICATE):
        what, course.isRequested, course.hasClientCertificate = (
            "a Certificate with certificates by its size",
            True,
            True,
        )
        # Some send all of it in one record.
        finished = finished or first
    else:
        return None
    course.evidence.append(_said(first, what))
    if finished is not None:
        course.clientFinished, course.serverFinished = finished.event, course.serverFlight
    return finished


def _answerOf(course: Course, sizes: _Sizes) -> list[SealedRecord]:
    """Return the client's sealed records from the one on that answers the server, without early data."""
    begins = course.at(False, "ServerHello")
    records = [each for each in _of(course, True) if begins is not None and each.event > begins]
    # Early data goes on behind ServerHello, up to EndOfEarlyData (RFC 8446, section 4.2.10).
    ends = [at for at, each in enumerate(records) if sizes.isOf(each, _END_OF_EARLY_DATA)]
    return records[ends[0] + 1 :] if ends else records


def _supposeReaction(course: Course, finished: int, time: int) -> None:
    """Tell what the server has sent behind the client's Finished, and how each side ended.

    Args:
        course: the course.
        finished: the order of the last record before.
        time: when the client had finished.
    """
    sizes = _Sizes(course)
    server = [each for each in _of(course, False) if each.order > finished]
    client = [each for each in _of(course, True) if each.order > finished]
    _supposeClientsEnd(course, client, sizes)
    ticket: SealedRecord | None = None
    course.settledOrder = server[0].order if server else None
    for at, record in enumerate(server):
        if sizes.isAlert(record) and not any(sizes.isAtLeast(each, 24) for each in server[at + 1 :]):
            isAlone = not course.tickets and course.serverData is None
            if isAlone and _isAnswerToClose(course, record, time):
                course.closeAnswered = record.event
                isAlone = False
            _alerted(course, record, isAlone=isAlone)
            break
        if _isTicket(course, record, ticket, sizes):
            ticket = record
            course.settledOrder = record.order
            course.tickets.append(record.event)
        else:
            course.serverData = record.event if course.serverData is None else course.serverData
            course.lastServerData = record.event
            course.serverDataSize += record.length
    if ticket is not None and course.serverData is None:
        course.evidence.append(f"what the server sent next, {ticket.length} bytes, is large enough for a ticket")
    elif course.serverData is not None:
        course.evidence.append("the server went on to send data")


def _isTicket(course: Course, record: SealedRecord, ticket: SealedRecord | None, sizes: _Sizes) -> bool:
    if course.serverData is not None or not sizes.isAtLeast(record, _SMALLEST_TICKET):
        return False
    if ticket is not None:
        return record.length == ticket.length
    # Tickets are written before anything is read that the client has sent.
    return course.clientData is None or record.event < course.clientData or sizes.isAtLeast(record, 200)


def _supposeClientsEnd(course: Course, client: Sequence[SealedRecord], sizes: _Sizes) -> None:
    for record in client:
        if sizes.isAlert(record):
            course.alerts.append(AlertSeen(record.event, True, 0, False))
            course.alertOrders.setdefault(record.event, record.order)
            break
        if course.clientData is None:
            course.clientData = record.event
        course.lastClientData = record.event


def _isAnswerToClose(course: Course, record: SealedRecord, finished: int) -> bool:
    """Return whether a server's only record answers a client that has closed, long after it could have refused it."""
    hello, answer, end = course.at(True, "ClientHello"), course.at(False, "ServerHello"), course.ends.get(True)
    hasClosed = any(alert.isFromClient for alert in course.alerts) or (end is not None and end < record.event)
    if not hasClosed or hello is None or answer is None:
        return False
    roundTrip = course.events[answer].time - course.events[hello].time
    return record.time - finished > max(_PATIENCE, _ROUND_TRIPS * roundTrip)


def _alerted(course: Course, record: SealedRecord, *, isAlone: bool) -> None:
    course.alertOrders.setdefault(record.event, record.order)
    isAnswer = any(alert.isFromClient and alert.event < record.event for alert in course.alerts)
    if isAlone and course.isRequested:
        course.alerts.append(AlertSeen(record.event, False, None, True))
        course.evidence.append(_said(record, "an alert, and comes in the place of tickets and data"))
    else:
        course.alerts.append(AlertSeen(record.event, False, 0, False))
        if not isAnswer:
            course.evidence.append(_said(record, "an alert, close_notify by its place"))


def _of(course: Course, isFromClient: bool) -> list[SealedRecord]:
    return [each for each in course.sealed if each.isFromClient is isFromClient]


def _said(record: SealedRecord, what: str) -> str:
    return f"a record of {record.length} bytes from the {'client' if record.isFromClient else 'server'} is {what}"
