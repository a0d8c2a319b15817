"""The course of a handshake: which of its messages came, from whom, and where among the events.

It says nothing of what they mean. `tlscomm.tracing._inference` puts in what sealed records are supposed to be, and the
verdict is then the same question for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

from tlscomm._dataclasses import dataclass
from tlscomm._wire.answers import Answer, certificatesIn, isEmptyCertificate, readServerHello
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.requests import (
    CertificateRequest,
    ClientHello,
    readCertificateRequest,
    readClientHello,
)

__all__ = ["AlertSeen", "Course", "SealedRecord", "followed"]

TLS_1_3 = 0x0304

_ALERT, _HANDSHAKE, _APPLICATION_DATA = 21, 22, 23
_WARNING = 1
_HELLOS = ("ClientHello", "ServerHello", "HelloRetryRequest")
CLOSE_NOTIFY, USER_CANCELED, NO_RENEGOTIATION = 0, 90, 100


class AlertSeen(NamedTuple):
    """An alert.

    Attributes:
        event: the index of its event.
        isFromClient: who sent it.
        number: the AlertDescription, None where it could not be read.
        isFatal: whether it ends the connection. Unknown ones are taken to do so where they stand where no other would.
    """

    event: int
    isFromClient: bool
    number: int | None
    isFatal: bool


class SealedRecord(NamedTuple):
    """A record that could not be opened.

    Attributes:
        event: the index of its event.
        isFromClient: who sent it.
        length: of its fragment in bytes.
        order: which of all sealed records, from 0; several may be one event.
        time: when its last byte was seen, in nanoseconds.
    """

    event: int
    isFromClient: bool
    length: int
    order: int
    time: int


@dataclass
class Course:
    """What came, by the indices of events. Of a renegotiation the last handshake counts.

    Attributes:
        events: all of them.
        version: the number of the version that was chosen, 0 where it is not known.
        answer: what the ServerHello says.
        hello: what the ClientHello says.
        request: what the CertificateRequest says.
        messages: the last message of each name, by side and name.
        clientChain: the certificates of the client, DER.
        serverChain: the same of the server.
        hasClientCertificate: whether the client sent a certificate; None where it is not known.
        isResumed: whether a session was resumed, in which no certificates are shown.
        isRequested: whether the server asked for one; None where it is not known.
        serverFlight: where the server has said all that a client needs to judge it.
        clientFinished: where the client's Finished is.
        serverFinished: where the server's is.
        tickets: NewSessionTicket messages.
        closeAnswered: where a server without tickets has answered a client's close after it could have refused it.
        serverData: the first application data of the server behind the client's Finished.
        clientData: the first application data of the client.
        lastServerData: the last of the server.
        lastClientData: the last of the client.
        serverDataSize: how many bytes of application data the server has sent, sealed as they are.
        alerts: all of them.
        sealed: records that could not be opened, in order.
        finishedOrder: the order of the sealed record that the client's Finished is supposed to be in.
        settledOrder: the same of what the server has answered it with: its last ticket, or what came first.
        alertOrders: the same of the first alert in each event that holds one.
        ends: where a side ended the stream, by FIN or RST, by whether it is the client's.
        gaps: where bytes are missing, or messages were left out.
        renegotiation: where another handshake began inside the connection.
        evidence: what is only supposed, and why; nothing where all is seen.
    """

    events: Sequence[Event]
    version: int = 0
    answer: Answer = field(default_factory=Answer)
    hello: ClientHello = field(default_factory=ClientHello)
    request: CertificateRequest = field(default_factory=CertificateRequest)
    messages: dict[tuple[bool, str], int] = field(default_factory=dict)
    clientChain: tuple[bytes, ...] = ()
    serverChain: tuple[bytes, ...] = ()
    hasClientCertificate: bool | None = None
    isResumed: bool = False
    isRequested: bool | None = None
    serverFlight: int | None = None
    clientFinished: int | None = None
    serverFinished: int | None = None
    tickets: list[int] = field(default_factory=list)
    closeAnswered: int | None = None
    serverData: int | None = None
    clientData: int | None = None
    lastServerData: int | None = None
    lastClientData: int | None = None
    serverDataSize: int = 0
    alerts: list[AlertSeen] = field(default_factory=list)
    sealed: list[SealedRecord] = field(default_factory=list)
    finishedOrder: int | None = None
    settledOrder: int | None = None
    alertOrders: dict[int, int] = field(default_factory=dict)
    ends: dict[bool, int] = field(default_factory=dict)
    gaps: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    renegotiation: int | None = None
    evidence: list[str] = field(default_factory=list)

    @property
    def isTLS13(self) -> bool:
        return self.version == TLS_1_3

    @property
    def isDone(self) -> bool:
        """Whether both sides have sent Finished."""
        return self.clientFinished is not None and self.serverFinished is not None

    @property
    def hasTLS(self) -> bool:
        """Whether there was anything but steps of TCP."""
        return any(event.kind not in (Kind.TCP, Kind.PREFACE, Kind.GAP) for event in self.events)

    @property
    def hasSides(self) -> bool:
        """Whether it is known which side is the client."""
        # Of what begins in its middle the side whose packet came first is taken for the client.
        return self.at(True, "SYN") == 0 or self.hasHellos or not self.hasTLS

    @property
    def hasHellos(self) -> bool:
        """Whether the beginning of a handshake was seen."""
        return any(name in _HELLOS for _, name in self.messages)

    @property
    def firstStrange(self) -> int | None:
        """Return where a side began with what is no TLS, None where neither did, or where its beginning is missing."""
        index = self.damaged[0] if self.damaged else None
        if index is None or self.gaps:
            return None
        isClient = self.events[index].isFromClient
        hasBegun = any(at < index for (_, name), at in self.messages.items() if name in (*_HELLOS, "SYN"))
        isTLS = any(name in _HELLOS and (isClient or not isOfClient) for isOfClient, name in self.messages)
        # A side that goes on with its handshake has understood the other one.
        goesOn = any(
            each.isFromClient is not isClient and each.kind in (Kind.HANDSHAKE, Kind.SEALED, Kind.APPLICATION_DATA)
            for each in self.events[index:]
        )
        return index if hasBegun and not isTLS and not goesOn else None

    @property
    def isPartial(self) -> bool:
        """Whether something that counts was not seen, or could not be read."""
        # Without the first packet of a side its bytes cannot be counted.
        isUncounted = self.at(True, "SYN") is not None and self.at(False, "SYN") is None
        isHeadless = self.hasTLS and not self.hasHellos and not self.isClientSilent
        return bool(self.gaps or self.damaged) or isUncounted or isHeadless

    @property
    def isClientSilent(self) -> bool:
        """Whether the client has said nothing, and all of it was seen: a health check that only connects does so."""
        hasBegun = self.at(True, "SYN") is not None and self.at(False, "SYN") is not None
        return hasBegun and not self.gaps and not any(e.isFromClient and e.kind is not Kind.TCP for e in self.events)

    def at(self, isFromClient: bool, name: str) -> int | None:
        """Return where the last message of a name is, or None."""
        return self.messages.get((isFromClient, name))

    def isTCP(self, index: int, name: str) -> bool:
        event = self.events[index]
        return event.kind is Kind.TCP and event.name == name


def followed(events: Sequence[Event]) -> Course:
    """Return the course of a connection."""
    course = Course(events)
    for index, event in enumerate(events):
        _STEPS[event.kind](course, index, event)
    return course


def _handshake(course: Course, index: int, event: Event) -> None:
    name = event.name
    if name == "ClientHello":
        _begun(course, index, event)
    course.messages[event.isFromClient, name] = index
    if not event.isFromClient:
        _saidByServer(course, index, event)
    elif name in ("Certificate", "CompressedCertificate"):
        course.clientChain = certificatesIn(event.content, isTLS13=course.isTLS13)
        course.hasClientCertificate = not isEmptyCertificate(event.content, isTLS13=course.isTLS13)
    elif name == "Finished":
        _clientFinished(course, index)


def _clientFinished(course: Course, index: int) -> None:
    course.clientFinished = index
    course.serverData = None
    if course.isRequested is None and course.serverFinished is not None and not course.gaps:
        # The server is the first in a handshake that resumes a session (RFC 5246, section 7.3), and asks for nothing.
        course.isRequested, course.isResumed = False, True


def _begun(course: Course, index: int, event: Event) -> None:
    if course.isDone and not course.isTLS13:
        # RFC 5246, section 7.4.1.1: a renegotiation.
        course.renegotiation = index
        course.clientFinished = course.serverFinished = course.serverFlight = course.serverData = None
        course.isRequested = course.hasClientCertificate = None
        course.clientChain = ()
        course.messages.clear()
    course.hello = readClientHello(event.content)


def _saidByServer(course: Course, index: int, event: Event) -> None:
    name = event.name
    if name in ("ServerHello", "HelloRetryRequest"):
        course.answer = readServerHello(event.content)
        course.version = course.answer.version or event.version
        course.isResumed = course.answer.isResumed
    elif name == "CertificateRequest":
        _requested(course, event)
    elif name in ("Certificate", "CompressedCertificate"):
        course.serverChain = certificatesIn(event.content, isTLS13=course.isTLS13)
    elif name == "NewSessionTicket" and course.isTLS13:
        course.tickets.append(index)
    elif name == "ServerHelloDone" or (name == "Finished" and course.isTLS13):
        course.serverFlight = index
        # A request may be in what was not seen.
        course.isRequested = course.isRequested or (None if course.gaps else False)
    if name == "Finished":
        course.serverFinished = index


def _requested(course: Course, event: Event) -> None:
    course.isRequested = True
    course.request = readCertificateRequest(event.content, isTLS13=course.isTLS13)
    if course.isDone:
        # Asked for after the handshake (RFC 8446, section 4.6.2), the client is to be judged once more.
        course.clientFinished = course.serverData = None
        course.hasClientCertificate = None
        course.tickets.clear()


def _alert(course: Course, index: int, event: Event) -> None:
    if len(event.content) != 2:
        course.alerts.append(AlertSeen(index, event.isFromClient, None, False))
        return
    level, number = event.content
    isEnding = number in (CLOSE_NOTIFY, USER_CANCELED, NO_RENEGOTIATION)
    isWarning = level == _WARNING and not course.isTLS13
    course.alerts.append(AlertSeen(index, event.isFromClient, number, not (isEnding or isWarning)))


def _applicationData(course: Course, index: int, event: Event) -> None:
    if event.isFromClient:
        course.clientData = index if course.clientData is None else course.clientData
        course.lastClientData = index
        return
    course.lastServerData = index
    course.serverDataSize += event.size
    if course.serverData is None and (course.clientFinished is not None or not course.isTLS13):
        course.serverData = index


def _sealed(course: Course, index: int, event: Event) -> None:
    types = {record.type for record in event.records}
    if types == {_ALERT}:
        # Up to TLS 1.2 the content type is in the clear.
        course.alerts.append(AlertSeen(index, event.isFromClient, None, False))
    elif types == {_HANDSHAKE}:
        _sealedHandshake(course, index, event)
    elif course.version and not course.isTLS13:
        _applicationData(course, index, event)
    else:
        for record in event.records:
            order = len(course.sealed)
            course.sealed.append(SealedRecord(index, event.isFromClient, record.length, order, record.time))


def _sealedHandshake(course: Course, index: int, event: Event) -> None:
    """Take in a handshake message of TLS 1.2 that could not be opened; the first of each side is its Finished."""
    if event.isFromClient and course.clientFinished is None:
        _clientFinished(course, index)
    elif not event.isFromClient and course.serverFinished is None:
        course.serverFinished = index
    else:
        _sealedRenegotiation(course, index)


def _sealedRenegotiation(course: Course, index: int) -> None:
    """Take in a message of another handshake inside the connection. It ends with the last one, and asks unseen."""
    if course.renegotiation is None:
        course.evidence.append("another handshake followed inside the connection, which could not be read")
    course.renegotiation = course.clientFinished = course.serverFinished = index
    course.isRequested = course.hasClientCertificate = course.serverData = None


def _tcp(course: Course, index: int, event: Event) -> None:
    course.messages[event.isFromClient, event.name] = index
    if event.name in ("FIN", "RST"):
        course.ends.setdefault(event.isFromClient, index)


def _gap(course: Course, index: int, event: Event) -> None:
    course.gaps.append(index)


def _damage(course: Course, index: int, event: Event) -> None:
    course.damaged.append(index)


def _noted(course: Course, index: int, event: Event) -> None:
    course.messages[event.isFromClient, event.name] = index


_STEPS = {
    Kind.HANDSHAKE: _handshake,
    Kind.ALERT: _alert,
    Kind.CHANGE_CIPHER_SPEC: _noted,
    Kind.APPLICATION_DATA: _applicationData,
    Kind.SEALED: _sealed,
    Kind.TCP: _tcp,
    Kind.PREFACE: _noted,
    Kind.GAP: _gap,
    Kind.OMITTED: _gap,
    Kind.DAMAGED: _damage,
}
