"""How a connection ended, from the course of its handshake.

The questions are asked in this order, and the first that has an answer gives the verdict:

1. Was there a connection, and did both sides speak TLS on it?
2. Did one side send a fatal alert? It refused, or broke off. Which side it was is certain wherever the alert can be
   read; why it did so, only as far as the alert and the certificates say.
3. Have both sides accepted each other? Under TLS 1.3 a client that was asked for a certificate has accepted long before
   the server judges it, so tickets are a sign of that, and data from the server is the proof: nginx refuses behind its
   tickets, and under TLS 1.2 behind its Finished.
4. Did one side end the connection without a word? A server that does so where its verdict on the client is due has most
   likely refused it, and a client that does so where it has just seen the server's certificate too.
5. Otherwise it is not decided.

A verdict is ``inferred`` where it rests on what sealed records are supposed to be, on silence, or on a reading of an
alert that may be another one.
"""

from __future__ import annotations

from dataclasses import replace

from tlscomm._wire.answers import extensionsOffered
from tlscomm._wire.events import Kind
from tlscomm._wire.openings import protocolOpening
from tlscomm.failures import Problem
from tlscomm.tls._expectedmessages import expectedMessage
from tlscomm.tls._remedies import (
    CLIENT_LEFT,
    SERVER_LEFT,
    SERVER_SAID_NOTHING,
    STRANGER_LEFT,
    UNEXPECTED_HEADER,
    plainRemedy,
)
from tlscomm.tracing._causes import Cause, causeInSilence, causeOf, offered, toldOf
from tlscomm.tracing._certificates import ShownChain
from tlscomm.tracing._course import AlertSeen, Course
from tlscomm.tracing._trace import Certainty, Side, Verdict
from tlscomm.tracing._turningpoints import AT_ONCE, acceptanceIn, endingOf, leavingOf, signOfAcceptance
from tlscomm.tracing._wording import OTHER, verdictOf
from tlscomm.x509._facts import subjectText

__all__ = ["verdictOn"]

#: Nanoseconds. A silence of so long is a deadline that was over, and no answer.
_DEADLINE = 3_000_000_000

#: What OpenSSL and GnuTLS answer to an end of the stream without close_notify: decode_error, unexpected_message.
_ANSWERS_TO_END = frozenset({50, 10})
#: RFC 8449, section 4, and RFC 9345, section 4.1.1.
_RECORD_SIZE_LIMIT, _DELEGATED_CREDENTIALS = 28, 34
#: Of an alert that is sealed, and that no secret opens.
_UNREAD = "what it said is encrypted, and cannot be read without secrets"
_READ_IT = (
    "Look in the log of either side: each has read the alert that says why. Or have one side write the secrets of its "
    "connections (SSLKEYLOGFILE), capture it again, and give them with the capture (--keylog)."
)
#: Bytes. nginx's answer to a client whose certificate it does not accept, with what may be added to its header.
_ANSWERS = range(250, 1500)
_LETS_PASS = "nginx, as an HTTP server, lets the handshake pass and refuses in its answer (HTTP 400)"

_LOOK = (
    "Look in the server's log, which knows the reason. Or have one side write the secrets of its connections "
    "(SSLKEYLOGFILE) and capture it again: with them the client's certificate can be read, and perhaps the reason."
)
_SAID_NOTHING = (
    "the client ended the connection when the handshake was over, and had sent nothing: curl does so when it finds "
    "another name in the server's certificate, which is sealed here"
)
_CERTIFICATE_ALERTS = frozenset({42, 43, 44, 45, 46, 48, 49, 113, 116})


def verdictOn(
    course: Course, clientChain: ShownChain | None, serverChain: ShownChain | None, *, isFinished: bool
) -> Verdict:
    """Return the verdict on a connection.

    Args:
        course: what came, and what sealed records are supposed to be.
        clientChain: what the client showed, None where it is not known.
        serverChain: the same of the server.
        isFinished: whether nothing more will come.
    """
    return _Judgement(course, {"client": clientChain, "server": serverChain}, isFinished).verdict()


class _Judgement:
    def __init__(self, course: Course, chains: dict[Side, ShownChain | None], isFinished: bool) -> None:
        self._course = course
        self._chains = chains
        self._isFinished = isFinished
        self._evidence = tuple(course.evidence)
        self._ending = endingOf(course)
        self._sign = signOfAcceptance(course)
        self._accepted = acceptanceIn(course, self._ending)
        self._leaving = leavingOf(course, self._ending)

    def verdict(self) -> Verdict:
        if not self._course.hasSides:
            return self._undecided()
        return self._behindHeader(
            self._withoutTLS()
            or self._alerted()
            or self._leftAtOnce()
            or self._refusedInAnswer()
            or self._leftUnread()
            or self._bothAccepted()
            or self._endedInSilence()
            or self._undecided()
        )

    def _behindHeader(self, verdict: Verdict) -> Verdict:
        """Say that a PROXY header may be why, where a server has failed that has understood nothing yet."""
        course = self._course
        header = next((each for each in course.events if each.name.startswith("PROXY v")), None)
        if header is None or verdict.code == "not-tls" or verdict.by != "server" or course.answer.suite is not None:
            return verdict
        isCertain = verdict.certainty == "certain" and verdict.code in ("closed-in-handshake", "reset")
        return replace(
            verdict,
            certainty="certain" if isCertain else "inferred",
            nextStep=f"{UNEXPECTED_HEADER} {verdict.nextStep}",
            evidence=(*verdict.evidence, "the server has said nothing of TLS behind a PROXY header"),
        )

    # 1

    def _withoutTLS(self) -> Verdict | None:
        course = self._course
        if (strange := course.firstStrange) is not None:
            return self._notTLS(strange)
        if course.hasTLS or not self._isFinished:
            return None
        refused = course.ends.get(False)
        if course.at(True, "SYN") is not None and course.at(False, "SYN") is None:
            by: Side | None = "server" if refused is not None else None
            evidence = ("a reset answers the first packet" if by else "no packet answers the first one",)
            return verdictOf(Problem("connect-failed", 0), by, owner="client", evidence=evidence, event=refused)
        return None

    def _notTLS(self, strange: int) -> Verdict:
        event = self._course.events[strange]
        side = _side(event.isFromClient)
        remedy = plainRemedy(protocolOpening(event.content), isClients=event.isFromClient)
        others = [each for each in self._course.events if each.isFromClient is not event.isFromClient]
        isAnswered = any(each.kind is not Kind.TCP for each in others)
        return verdictOf(
            Problem("not-tls", 0, detail=event.detail),
            OTHER[side],
            owner=side,
            certainty="certain" if isAnswered else "inferred",
            evidence=() if isAnswered else (f"the {OTHER[side]} has not said a word",),
            event=strange,
            remedy=remedy,
        )

    # 2

    def _alerted(self) -> Verdict | None:
        alert = next((each for each in self._course.alerts if each.isFatal and not self._isAnswerToEnd(each)), None)
        if alert is None:
            return None
        if self._accepted is not None and self._accepted < alert.event:
            return self._alertedLater(alert)
        judge = _side(alert.isFromClient)
        if alert.number is None:
            cause = causeInSilence(judge, self._course, self._chains[OTHER[judge]])
            return self._refusedUnread(judge, cause, alert.event)
        cause = causeOf(alert.number, judge, self._course, self._chains[OTHER[judge]])
        if alert.number in _ANSWERS_TO_END and (not alert.isFromClient) not in self._course.ends:
            # It may answer an end that was not captured.
            cause = cause._replace(isCertain=False)
        return self._refusedBy(judge, cause, alert.event)

    def _refusedUnread(self, judge: Side, cause: Cause, event: int) -> Verdict:
        """Return the verdict for an alert that is sealed: the side that got it knows the reason, and we do not."""
        if cause.problem.code != "refused":
            return self._refused(judge, cause, event, "inferred")
        evidence = (*self._evidence, *cause.evidence)
        return verdictOf(
            cause.problem, judge, certainty="inferred", evidence=evidence, event=event, said=_UNREAD, remedy=_READ_IT
        )

    def _refusedBy(self, judge: Side, cause: Cause, event: int) -> Verdict:
        """Return the verdict for an alert that was read: which side refused is certain, and why is not always."""
        if not cause.isCertain:
            said = f"that the {judge} refused is certain, and why is inferred"
            cause = cause._replace(evidence=(*cause.evidence, said))
        return self._refused(judge, cause, event, "certain" if cause.isCertain else "inferred")

    def _alertedLater(self, alert: AlertSeen) -> Verdict | None:
        """A fatal alert behind the handshake: a peer that is judged again, or what came is broken."""
        judge = _side(alert.isFromClient)
        if alert.number is None:
            return None
        cause = causeOf(alert.number, judge, self._course, self._chains[OTHER[judge]])
        if alert.number not in _CERTIFICATE_ALERTS:
            cause = Cause(Problem("protocol-violation", 0), True, cause.evidence[:1])
        return self._refusedBy(judge, cause, alert.event)

    def _isAnswerToEnd(self, alert: AlertSeen) -> bool:
        """Return whether an alert only says that the other side's stream has ended without close_notify."""
        end = self._course.ends.get(not alert.isFromClient)
        hasEnded = self._course.isPartial if end is None else end < alert.event
        return alert.number in _ANSWERS_TO_END and hasEnded

    def _refused(self, judge: Side, cause: Cause, event: int, certainty: Certainty) -> Verdict:
        evidence = (*self._evidence, *cause.evidence)
        return verdictOf(
            cause.problem,
            judge,
            certainty=certainty,
            evidence=evidence,
            event=event,
            said=cause.said,
            isJudges=cause.isJudges,
        )

    # 3

    def _bothAccepted(self) -> Verdict | None:
        course = self._course
        if self._accepted is not None:
            doubts = (*self._evidence, *self._doubts())
            certainty: Certainty = "inferred" if doubts else "certain"
            return Verdict(
                "accepted", None, None, certainty, self._acceptedText(), event=self._accepted, evidence=doubts
            )
        if self._sign is None or course.isRequested is False:
            return None
        evidence = f"{self._signText} is a sign that the server has accepted"
        if self._ending is None and not self._isFinished:
            return None
        if self._ending is not None and not course.events[self._ending].isFromClient and not self._isLate:
            return None
        sentence = self._acceptedText()
        return Verdict(
            "accepted", None, None, "inferred", sentence, evidence=(*self._evidence, evidence), event=self._sign
        )

    def _doubts(self) -> tuple[str, ...]:
        """Say what speaks against a server's having accepted a client to which it has sent data."""
        course = self._course
        if self._isAnswerOpened:
            return ()
        if self._fault:
            return (f"the client's certificate has a fault: {self._fault}",)
        if course.hasClientCertificate and self._chains["client"] is None and self._isShortAnswer:
            return (f"the server answered shortly and closed; {_LETS_PASS}",)
        return ()

    def _refusedInAnswer(self) -> Verdict | None:
        """A server that asked for a certificate lets the handshake pass, and refuses in what it answers in HTTP."""
        course = self._course
        if self._accepted is None or course.serverData is None or not course.isRequested:
            return None
        phrase = course.events[course.serverData].detail
        cause = causeInSilence("server", course, self._chains["client"])
        isNamed = cause.problem.code != "refused"
        if not phrase and (self._isAnswerOpened or not isNamed or not self._isShortAnswer):
            return None
        said = (
            f"the server's answer says: {phrase}" if phrase else "the server answered shortly and closed the connection"
        )
        isCertain = bool(phrase) and isNamed
        evidence = (said, _LETS_PASS, *cause.evidence)
        certainty: Certainty = "certain" if isCertain else "inferred"
        return self._refused("server", Cause(cause.problem, isCertain, evidence), course.serverData, certainty)

    @property
    def _isAnswerOpened(self) -> bool:
        """Whether what the server's program said first could be read."""
        index = self._course.serverData
        records = () if index is None else self._course.events[index].records
        return bool(records) and records[0].isOpened

    @property
    def _isShortAnswer(self) -> bool:
        """Whether the server has answered the client's data with as much as nginx's page has, and closed at once."""
        course = self._course
        answered, asked, ending = course.serverData, course.clientData, self._ending
        if answered is None or asked is None or ending is None or asked > answered or not course.isRequested:
            return False
        isFirst = not course.events[ending].isFromClient and ending >= answered
        hasMore = course.lastClientData is not None and course.lastClientData > answered
        isAtOnce = self._time(ending) - self._time(answered) < AT_ONCE
        return isFirst and not hasMore and isAtOnce and course.serverDataSize in _ANSWERS

    @property
    def _fault(self) -> str:
        """What is wrong with the certificate of a client that was let in, in a phrase; empty where nothing is seen."""
        chain = self._chains["client"]
        if chain is None or not chain.problems or self._course.isRequested is False:
            return ""
        return toldOf(chain.problems[0], chain.certificates)

    def _leftAtOnce(self) -> Verdict | None:
        """A client that has finished and leaves without a word more has refused, where there is something to refuse.

        curl and .NET's programs look at the name when the handshake is over. GnuTLS's look at the whole certificate
        then, and end TCP alone.
        """
        chain, index = self._chains["server"], self._leaving
        if index is None:
            return None
        isLate = index in self._course.ends.values() and self._verifiesLate
        if not isLate and (chain is None or not chain.problems):
            return None
        cause = causeInSilence("client", self._course, chain)
        said = "the client ended the connection when the handshake was over, and had sent nothing"
        if isLate:
            said += ", not even close_notify; its ClientHello is one of GnuTLS, whose programs verify the server then"
        return self._refused("client", Cause(cause.problem, False, (said, *cause.evidence)), index, "inferred")

    def _leftUnread(self) -> Verdict | None:
        """A client that left without a word, and whose view of a sealed certificate cannot be told."""
        course, isUnread = self._course, self._chains["server"] is None and not self._course.isResumed
        if self._leaving is None or not isUnread or not course.sealed or course.serverData is not None:
            return None
        if self._accepted is not None and course.isRequested is not False:
            # It has waited for so long that it must have accepted the server.
            return None
        sign = () if self._sign is None else (f"{self._signText} is a sign that the server has accepted",)
        evidence = (*self._evidence, *sign, _SAID_NOTHING)
        said = "Whether the client has accepted the server is not seen: it left at once, and had sent nothing."
        return Verdict("unfinished", None, None, "unknown", said, evidence=evidence)

    @property
    def _verifiesLate(self) -> bool:
        """Whether the client is a program that judges the server when the handshake is over."""
        hello = self._course.at(True, "ClientHello")
        offered = frozenset() if hello is None else extensionsOffered(self._course.events[hello].content)
        # Of the libraries GnuTLS and NSS alone offer the first one, and NSS the second one.
        return _RECORD_SIZE_LIMIT in offered and _DELEGATED_CREDENTIALS not in offered

    @property
    def _isOpenLong(self) -> bool:
        """Whether a client that has sent no data has stayed so long that it must have accepted the server."""
        if self._evidence or self._accepted is None or self._leaving is not None:
            return False
        return self._time(len(self._course.events) - 1) - self._time(self._accepted) >= AT_ONCE

    @property
    def _isLate(self) -> bool:
        """Whether a server that has shown a sign of acceptance has ended too late for a refusal."""
        assert self._ending is not None and self._sign is not None
        return self._time(self._ending) - self._time(self._sign) >= AT_ONCE

    @property
    def _signText(self) -> str:
        if not self._course.isTLS13:
            return "its Finished"
        return "a ticket" if self._course.tickets else "that it waited for the client's close"

    def _acceptedText(self) -> str:
        course = self._course
        leaf = None if (chain := self._chains["client"]) is None else chain.leaf
        if course.isRequested is False:
            isResumed = course.isResumed
            said = "a session was resumed, without certificates" if isResumed else "the server asked for no certificate"
        elif leaf is not None:
            said = f"the client with the certificate {subjectText(leaf)}"
            said += f", which the server took although it has a fault ({self._fault})" if self._fault else ""
        elif course.hasClientCertificate is False:
            said = "the client without a certificate, though one was asked for"
        elif course.hasClientCertificate:
            said = "the client with a certificate"
        else:
            said = "whether the client has shown a certificate is not seen"
        return f"Both sides have accepted each other: {said}{self._endText()}."

    def _endText(self) -> str:
        """Say how a connection ended that was made, where that is worth a word."""
        course = self._course
        if self._ending is None or self._ending not in course.ends.values():
            return ""
        side = _side(course.events[self._ending].isFromClient)
        if course.isTCP(self._ending, "RST"):
            return f"; the {side} reset the connection later"
        return f"; the {side} ended the stream later, without close_notify"

    # 4

    def _endedInSilence(self) -> Verdict | None:
        index, course = self._ending, self._course
        if index is None or course.isPartial:
            return None
        side = _side(course.events[index].isFromClient)
        if side != self._awaited and self._silence(index) >= _DEADLINE:
            return self._tooLate(side, index)
        return self._serverEnded(index) if side == "server" else self._clientEnded(index)

    def _serverEnded(self, index: int) -> Verdict:
        isVerdictDue = self._course.clientFinished is not None and self._course.isRequested is not False
        return self._refusedInSilence("server", index) if isVerdictDue else self._left("server", index)

    def _clientEnded(self, index: int) -> Verdict | None:
        if self._course.isDone:
            return None
        hasJudged = self._course.serverFlight is None or self._course.clientFinished is not None
        return self._left("client", index) if hasJudged else self._clientLeft(index)

    def _refusedInSilence(self, judge: Side, index: int) -> Verdict:
        cause = causeInSilence(judge, self._course, self._chains[OTHER[judge]])
        said = f"the {judge} ended the connection {self._howText(index)}where its verdict on the {OTHER[judge]} was due"
        if self._sign is not None:
            said += f", behind {self._signText}, which nginx sends before it judges"
        cause = cause._replace(isCertain=False, evidence=(said, *cause.evidence))
        if cause.problem.code == "refused" and self._course.sealed:
            # The certificate is sealed too, and may have the answer.
            cause = cause._replace(said=_UNREAD, problem=replace(cause.problem, remedy=_LOOK))
        return self._refused(judge, cause, index, "inferred")

    def _clientLeft(self, index: int) -> Verdict:
        """A client that left when it had seen the server's certificate has most likely not accepted it."""
        chain = self._chains["server"]
        cause = causeInSilence("client", self._course, chain)
        said = f"the client ended the connection {self._howText(index)}when it had seen what the server shows of itself"
        if cause.problem.code != "refused":
            return self._refused("client", Cause(cause.problem, False, (said, *cause.evidence)), index, "inferred")
        code = "reset" if self._course.isTCP(index, "RST") else "closed-in-handshake"
        shown = toldOf(cause.problem, chain.certificates) if chain is not None else ""
        detail = "; ".join(
            part for part in ("the client left when it had seen the server's certificate", shown) if part
        )
        return verdictOf(
            Problem(code, 0, detail=detail),
            "client",
            outcome="refused",
            certainty="inferred",
            evidence=(*self._evidence, said),
            event=index,
            remedy=CLIENT_LEFT,
        )

    def _left(self, side: Side, index: int) -> Verdict:
        course = self._course
        # An alert that cannot be read may be the answer to an end of the stream that was not captured.
        isSealed = any(alert.event == index and alert.number is None for alert in course.alerts)
        # The other side's end may have come before, and not have been captured.
        isHalf = len(course.ends) < 2 and not course.isTCP(index, "RST") and not self._isAnsweredBehind(index)
        code = "reset" if course.isTCP(index, "RST") else "closed-in-handshake"
        detail, remedy = f"the {side} ended it, and {self._waitedFor}", STRANGER_LEFT
        if side == "server":
            remedy = SERVER_LEFT if course.answer.suite is not None else SERVER_SAID_NOTHING
            if course.answer.suite is None and course.hello.versions:
                detail = f"{detail}; {offered('no-common-version', course)}"
        return verdictOf(
            Problem(code, 0, detail=detail),
            side,
            owner=OTHER[side],
            certainty="inferred" if isSealed or isHalf or (course.isTLS13 and course.sealed) else "certain",
            evidence=self._evidence,
            event=index,
            remedy="" if code == "reset" else remedy,
        )

    def _isAnsweredBehind(self, index: int) -> bool:
        """Return whether the other side has said something behind an event, and so had not ended before it."""
        events = self._course.events
        return any(e.isFromClient is not events[index].isFromClient and e.size for e in events[index + 1 :])

    def _tooLate(self, side: Side, index: int) -> Verdict:
        seconds = self._silence(index) / 1e9
        evidence = (*self._evidence, f"nothing came for {seconds:.1f} seconds before the {side} ended the connection")
        problem = Problem("handshake-timeout", 0, detail=self._waitedFor)
        return verdictOf(problem, side, owner=OTHER[side], evidence=evidence, event=index)

    def _howText(self, index: int) -> str:
        if self._course.isTCP(index, "RST"):
            return "by a reset "
        return "" if index in self._course.ends.values() else "by close_notify "

    # 5

    def _undecided(self) -> Verdict:
        course = self._course
        if not course.hasSides:
            said = "the beginning of the connection was not captured"
        elif course.isPartial:
            said = "a part of the handshake was not captured"
        elif self._isFinished:
            said = f"the capture ends, or nothing more came, before it is decided: {self._waitedFor}"
        else:
            said = f"the handshake goes on: {self._waitedFor}"
        sentence = f"Nothing can be said of how it ended: {said}."
        return Verdict("unfinished", None, None, "unknown", sentence, evidence=self._evidence)

    @property
    def _awaited(self) -> Side:
        """The side whose message was due last."""
        course = self._course
        if course.at(True, "ClientHello") is None:
            return "client"
        if course.serverFlight is None or course.clientFinished is not None:
            return "server"
        return "client"

    @property
    def _waitedFor(self) -> str:
        """Say which side was waiting for what."""
        course = self._course
        isClient = self._awaited == "server"
        expected = expectedMessage(_state(course, isClient), isClient=isClient, isTLS13=course.isTLS13)
        if course.isDone:
            expected = "the server's verdict on the client's certificate"
        return f"the {OTHER[self._awaited]} was waiting for {expected}"

    def _silence(self, index: int) -> int:
        """Return how long nothing came before an event, in nanoseconds."""
        before = [event.time for event in self._course.events[:index]]
        return self._time(index) - before[-1] if before else 0

    def _time(self, index: int) -> int:
        return self._course.events[index].time


#: What OpenSSL calls the state of a side by the last message that came, which says what it waits for.
_CLIENT_STATES = {
    "ServerHello": "SSLv3/TLS read server hello",
    "EncryptedExtensions": "TLSv1.3 read encrypted extensions",
    "CertificateRequest": "SSLv3/TLS read server certificate request",
    "Certificate": "SSLv3/TLS read server certificate",
    "ServerKeyExchange": "SSLv3/TLS read server key exchange",
    "CertificateVerify": "TLSv1.3 read server certificate verify",
    "ChangeCipherSpec": "SSLv3/TLS read change cipher spec",
}
_SERVER_STATES = {
    "Certificate": "SSLv3/TLS read client certificate",
    "ClientKeyExchange": "SSLv3/TLS read client key exchange",
    "CertificateVerify": "SSLv3/TLS read certificate verify",
    "ChangeCipherSpec": "SSLv3/TLS read change cipher spec",
}


def _state(course: Course, isClient: bool) -> str:
    states = _CLIENT_STATES if isClient else _SERVER_STATES
    seen = [(index, name) for (isOfClient, name), index in course.messages.items() if isOfClient is not isClient]
    # Under TLS 1.3 a ChangeCipherSpec means nothing.
    seen = [each for each in seen if each[1] in states and not (course.isTLS13 and each[1] == "ChangeCipherSpec")]
    last = max(seen, default=None)
    if isClient:
        if course.clientFinished is not None and (last is None or last[1] != "ChangeCipherSpec"):
            return "SSLv3/TLS write finished"
        return "SSLv3/TLS write client hello" if last is None else states[last[1]]
    if last is not None:
        return states[last[1]]
    if course.serverFlight is None:
        return "before SSL initialization"
    return "TLSv1.3 early data" if course.isTLS13 else "SSLv3/TLS write server done"


def _side(isFromClient: bool) -> Side:
    return "client" if isFromClient else "server"
