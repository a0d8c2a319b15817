"""One TLS connection without a network: ciphertext in, plaintext and changes of state out.

A connection takes what arrived (`TLSConnection.receive`) and gives the plaintext in it; it takes plaintext to send
(`TLSConnection.send`) and gives what has to go to the peer (`TLSConnection.outgoing`). It has no socket, no clock and
no Twisted. Two of them can be pumped against each other in memory, and come to the verdict that a live handshake would
come to, because it is the same code.

    state          means                                     goes on to
    -------------  ----------------------------------------  --------------------------------------------------------
    HANDSHAKE      the handshake is under way                 OPEN, UNCONFIRMED, FAILED
    UNCONFIRMED    we have accepted the peer, and wait for    OPEN (a ticket or data came, or `assumeAccepted`), FAILED
                   a sign that it has accepted us
    OPEN           both sides have accepted each other        CLOSED, FAILED
    CLOSED         the peer has sent its close_notify         none
    FAILED         `failure` says why                         none

UNCONFIRMED exists because of TLS 1.3. A client has finished its handshake when the server has yet to look at its
certificate (RFC 8446, section 4.4.2), so a handshake that is done says nothing. OpenSSL, Go, GnuTLS and Python send a
session ticket once they have accepted and none when they refuse; the first thing that comes after the handshake tells.
Application data leaves `receive` only in the states OPEN and CLOSED.

This is the only module that turns what OpenSSL says into a failure of tlscomm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Literal

from cryptography import x509
from OpenSSL import SSL

from tlscomm._awaited import awaitedMessage
from tlscomm._openssl import Channel, OpenSSLError, firstMessage, verifyErrorText
from tlscomm._ownchain import evidentProblem, isCorrectlySigned
from tlscomm._reasons import FOLLOWING, UNSPECIFIC, codeForReasons, codeForVerifyError, errorToReport
from tlscomm.alerts import Alert, codeForAlert
from tlscomm.configuration import Configuration
from tlscomm.credentials import certificateFacts
from tlscomm.failures import (
    CODES,
    ClosedInHandshake,
    HandshakeTimeout,
    HookFailed,
    InvalidCertificate,
    NotTLS,
    Problem,
    ProtocolViolation,
    Refused,
    RefusedByHook,
    Reset,
    TLSFailure,
    Truncated,
    UnknownServerName,
    failureForCode,
    printable,
)
from tlscomm.peer import Peer
from tlscomm.verification import Findings, Judgement, nameProblem
from tlscomm.wire.alerts import replaceAlert
from tlscomm.wire.clienthello import supportedGroups

__all__ = ["State", "TLSConnection", "TLSFacts"]

Acceptance = Literal["seen", "assumed"]


class State(Enum):
    """Where a connection is in its life."""

    HANDSHAKE = "handshake"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(frozen=True)
class TLSFacts:
    """What was agreed in the handshake.

    Attributes:
        version: ``TLSv1.2`` or ``TLSv1.3``.
        cipher: the cipher suite in OpenSSL's name.
        group: the key exchange group, or None where the version or the resumption has none.
        alpn: the application protocol, or None where none was negotiated.
        resumed: whether an earlier session was resumed.
        serverName: the name that the client asked for (RFC 6066), or None.
        acceptance: ``seen`` where the peer has shown that it accepted us, ``assumed`` where it gave no sign in time.
    """

    version: str
    cipher: str
    group: str | None
    alpn: str | None
    resumed: bool
    serverName: str | None
    acceptance: Acceptance

    def toJSON(self) -> dict[str, object]:
        return asdict(self)


class TLSConnection:
    """One side of one TLS connection, in memory.

    Attributes:
        state: where it is in its life. It changes in the methods that take bytes or report an event, nowhere else.
        failure: why it is FAILED, else None.
        isAccepted: whether both sides have accepted each other; stays True when the connection ends or fails later.
    """

    def __init__(self, configuration: Configuration, transport: Any = None) -> None:
        """
        Args:
            configuration: a server's or a client's.
            transport: becomes the application data of OpenSSL's connection, which Twisted's own options look at.
        """
        self.state = State.HANDSHAKE
        self.failure: TLSFailure | None = None
        self.isAccepted = False
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = configuration.newConnection(transport)
        self._mayGoUnjudged = not self._isClient and self._raw.get_verify_mode() == SSL.VERIFY_NONE
        self._channel = Channel(self._raw, self._isClient, self._judge)
        self._heard = False
        self._opening = b""
        self._judged = False
        self._refusal: TLSFailure | None = None
        self._fittingAlert: int | None = None
        self._judgement: Judgement | None = None
        self._peer: Peer | None = None
        self._acceptance: Acceptance = "seen"

    def start(self) -> None:
        """Begin: a client now has its first message to send."""
        self._advance()

    def receive(self, ciphertext: bytes) -> bytes:
        """Take bytes from the peer and return the application data in them; look at `state` and `outgoing` after it."""
        state = self.state
        if state is State.OPEN:
            self._channel.feed(ciphertext)
        elif not self._receiveEarly(state, ciphertext):
            return b""
        plaintext = self._channel.read()
        if self.state is State.UNCONFIRMED:
            self._lookForSign(plaintext)
        if self._channel.closed or self._channel.error:
            self._noteEnd()
        return plaintext

    def send(self, plaintext: bytes) -> None:
        """Encrypt application data, which `outgoing` then returns. The connection must be OPEN or CLOSED."""
        if self.state is State.FAILED:
            return
        try:
            self._channel.write(plaintext)
        except OpenSSLError as broken:
            self._fail(ProtocolViolation(evidence=broken.reasons))

    def outgoing(self) -> bytes:
        """Return the bytes that have to go to the peer now."""
        flight = self._channel.drain()
        if self._fittingAlert is not None and flight:
            flight = self._withFittingAlert(flight, self._fittingAlert)
        return flight

    def close(self) -> None:
        """Say close_notify; nothing more may be sent. The peer's answer makes the connection CLOSED."""
        self._channel.close()

    def receiveEnd(self) -> None:
        """The stream from the peer has ended: no more bytes will come."""
        if self.state is State.OPEN:
            self._fail(Truncated("it ended without close_notify", side="remote"))
        elif self._awaitsVerdict():
            self._fail(self._refusedInSilence("the connection was closed"))
        elif self.state is State.HANDSHAKE:
            self._fail(ClosedInHandshake(self._awaited(), side="remote"))

    def receiveReset(self, evidence: str) -> None:
        """The connection was reset, or broke in another way.

        Args:
            evidence: what the layer below said.
        """
        if self._awaitsVerdict():
            self._fail(self._refusedInSilence("the connection was reset", evidence))
        elif self.state is State.HANDSHAKE:
            self._fail(Reset(self._awaited(), side="remote", stage="handshake", evidence=(evidence,)))
        elif self.state is State.OPEN:
            self._fail(Reset(side="remote", evidence=(evidence,)))

    def timeOut(self) -> None:
        """The handshake's deadline has passed."""
        self._fail(HandshakeTimeout(self._awaited(), evidence=(self._stateString(),)))

    def assumeAccepted(self) -> None:
        """The peer gave no sign in time; go on as if it had accepted us, and say so in the facts."""
        if self.state is State.UNCONFIRMED:
            self._acceptance = "assumed"
            self._open()

    def release(self) -> None:
        """Nothing more will come or be sent. OpenSSL's memory is then freed with the last reference, not by collection.

        `facts`, `peer` and `failure` can still be asked for.
        """
        self._raw.set_app_data(None)
        self._channel.release()

    @property
    def handle(self) -> SSL.Connection:
        """pyOpenSSL's connection, for what tlscomm does not offer. Reading, writing or closing it breaks this one."""
        return self._raw

    @property
    def facts(self) -> TLSFacts:
        """What was agreed in the handshake, which must be done."""
        raw = self._raw
        return TLSFacts(
            version=raw.get_protocol_version_name(),
            cipher=raw.get_cipher_name() or "",
            group=raw.get_group_name(),
            alpn=_text(raw.get_alpn_proto_negotiated() or None),
            resumed=self._channel.resumed,
            serverName=_text(raw.get_servername()),
            acceptance=self._acceptance,
        )

    @property
    def peer(self) -> Peer | None:
        """The peer that was accepted, or None where it presented no certificate."""
        if self._peer is None and self.isAccepted:
            self._peer = None if self._judgement is None else Peer(self._judgement.chain)
        return self._peer

    def _receiveEarly(self, state: State, ciphertext: bytes) -> bool:
        """Take bytes before the connection is OPEN; return whether there may be application data to read."""
        if state is not State.HANDSHAKE:
            self._channel.feed(ciphertext)
            return state is State.UNCONFIRMED
        self._channel.feed(ciphertext)
        if not self._isClient and len(self._opening) < _LONGEST_HELLO:
            self._opening = (self._opening + ciphertext)[:_LONGEST_HELLO]
        if self._heard or not ciphertext or _opensTLS(ciphertext):
            self._heard = self._heard or bool(ciphertext)
            self._advance()
        else:
            with suppress(OpenSSLError):
                # OpenSSL may have an alert for it.
                self._channel.handshake()
            self._fail(self._notTLS(ciphertext))
        return self.state in (State.OPEN, State.UNCONFIRMED)

    def _advance(self) -> None:
        try:
            if self._channel.handshake():
                self._noteHandshakeDone()
        except OpenSSLError as broken:
            self._fail(self._handshakeFailure(broken))

    def _noteHandshakeDone(self) -> None:
        # Neither is needed any more, one is a secret, and a peer chooses how large the other is.
        self._opening = b""
        self._channel.serverSecret = None
        if self._refusal is None and not self._judged and not self._mayGoUnjudged:
            self._refusal = self._judgeUnjudged()
        if self._refusal is not None:
            self._fail(self._refusal)
        elif (
            self._isClient
            and self._channel.certificateRequested
            and self._raw.get_protocol_version() == SSL.TLS1_3_VERSION
        ):
            self.state = State.UNCONFIRMED
        else:
            self._open()

    def _lookForSign(self, plaintext: bytes) -> None:
        if self._channel.ticketSeen or plaintext:
            self._open()
        elif self._channel.closed:
            self._fail(self._refusedInSilence("the server closed the connection"))

    def _noteEnd(self) -> None:
        """The stream of records has ended, by close_notify or by an error."""
        if self.state not in (State.OPEN, State.UNCONFIRMED):
            return
        if (broken := self._channel.error) is None:
            self.state = State.CLOSED
        elif self._channel.alertReceived is not None:
            self._fail(self._refusedLate(broken))
        else:
            self._fail(ProtocolViolation(alert=self._alertSent(), evidence=broken.reasons))

    def _judge(self, errors: Sequence[tuple[int, int]], builtChain: Callable[[], list[x509.Certificate]]) -> int:
        """Decide on the peer, in the middle of the handshake; the answer makes OpenSSL choose the alert."""
        self._judged = True
        chain: tuple[x509.Certificate, ...] = ()
        problems: Sequence[Problem] = ()
        try:
            chain = tuple(builtChain())
            problems = self._verify(chain, Findings(tuple(_asProblems(errors)), chain))
        except Exception as broken:
            # A check that breaks has not accepted anybody.
            problems = [
                Problem("invalid-certificate", depth=0, detail=f"it cannot be checked: {printable(str(broken))}")
            ]
        if not problems:
            return 0
        self._refusal = _refusal(problems, chain)
        return errorToReport(problems[0].code, problems[0].opensslError)

    def _judgeUnjudged(self) -> TLSFailure | None:
        """Decide on a peer that OpenSSL did not ask about: it resumed a session, or presented nothing."""
        presented = self._presented()
        if not presented:
            return InvalidCertificate("the server presented no certificate") if self._isClient else None
        if not self._channel.resumed:
            return InvalidCertificate("it was not checked")
        problems = self._verify(presented, Findings((), (*presented,)))
        return _refusal(problems, presented) if problems else None

    def _verify(self, presented: Sequence[x509.Certificate], findings: Findings) -> tuple[Problem, ...]:
        self._judgement = self._configuration.verifier.verify(presented, findings=findings)
        return self._judgement.problems

    def _presented(self) -> list[x509.Certificate]:
        """Return the peer's own certificate; of a resumed session no more is known."""
        certificate = self._raw.get_peer_certificate(as_cryptography=True)
        return [] if certificate is None else [certificate]

    def _handshakeFailure(self, broken: OpenSSLError) -> TLSFailure:
        if self._channel.alertReceived is not None and self._refusal is None:
            return self._refusedByPeer(broken)
        if not broken.reasons and not broken.exceptions:
            return ClosedInHandshake(f"{self._awaited()}, and close_notify came", side="remote")
        failure = self._refusal or self._brokenOff(broken)
        if failure.code == "not-allowed":
            self._fittingAlert = _ACCESS_DENIED
        failure.alert = self._alertSent()
        return failure

    def _withFittingAlert(self, flight: bytes, number: int) -> bytes:
        """Put the alert that fits into the place of the one that OpenSSL had to choose."""
        self._fittingAlert = None
        suite = self._raw.get_cipher_name() or ""
        replaced = replaceAlert(flight, number, suite, self._channel.serverSecret)
        self._channel.serverSecret = None
        if replaced is None:
            return flight
        if self.failure is not None:
            self.failure.alert = Alert(number, "sent")
        return replaced

    def _brokenOff(self, broken: OpenSSLError) -> TLSFailure:
        """Name what made OpenSSL, or a callback of somebody else's context, break the handshake off on our side."""
        if self._channel.alertSent == _UNRECOGNIZED_NAME:
            name = _text(self._raw.get_servername())
            return UnknownServerName(f"asked for {name}" if name else "it asked for none", evidence=broken.reasons)
        if broken.exceptions:
            return HookFailed(printable(repr(broken.exceptions[0])), evidence=broken.reasons)
        if "certificate verify failed" in broken.reasons:
            return RefusedByHook("the context's own verification callback", evidence=broken.reasons)
        code = codeForReasons(broken.reasons)
        if code == "no-common-cipher" and self._lacksGroup():
            code = "no-common-group"
        if code == "key-too-weak":
            # OpenSSL looks at our own chain when it is about to send it.
            return failureForCode(code)(", ".join(broken.reasons), stage="credential", evidence=broken.reasons)
        return failureForCode(code)(evidence=broken.reasons)

    def _lacksGroup(self) -> bool:
        """Return whether the client offers none of our groups, which OpenSSL does not tell from a lack of ciphers."""
        offered = supportedGroups(self._opening)
        known = supportedGroups(firstMessage(self._raw.get_context()))
        return offered is not None and known is not None and not offered & known

    def _refusedLate(self, broken: OpenSSLError) -> TLSFailure:
        """Name an alert that came after the handshake: of a peer that has shown its acceptance it is no refusal."""
        failure = self._refusedByPeer(broken)
        if self.isAccepted and self._acceptance == "seen" and failure.code not in ("revoked", "expired"):
            return ProtocolViolation(side="remote", alert=failure.alert, evidence=failure.evidence)
        return failure

    def _refusedByPeer(self, broken: OpenSSLError) -> TLSFailure:
        """Name a refusal by the peer, as exactly as its alert and what we know of ourselves allow."""
        number = self._channel.alertReceived or 0
        problem = self._problemForAlert(number)
        return failureForCode(problem.code)(
            problem.detail,
            side="remote",
            alert=Alert(number, "received"),
            evidence=broken.reasons,
            **self._ourCertificate(problem.depth),
        )

    def _problemForAlert(self, number: int) -> Problem:
        code, detail = codeForAlert(number), ""
        requested, sent = self._channel.certificateRequested, self._channel.certificateSent
        if requested and not sent and number in _VAGUE_OR_ABOUT_CERTIFICATES:
            code, detail = "no-certificate", "the server asked for one and we sent none"
        elif number == _HANDSHAKE_FAILURE and self._isClient and not requested:
            # OpenSSL sends the same alert for all that can be negotiated; only what we restricted can be the reason.
            code = "no-common-group" if self._configuration.groups is not None else "no-common-cipher"
        elif number == _DECRYPT_ERROR and (sent or not self._isClient):
            code = "protocol-violation" if self._isCorrectlySigned() else "bad-signature"
        elif problem := self._ownProblem(code):
            return problem
        elif number == _INTERNAL_ERROR:
            detail = "it reports an error of its own (internal_error), which need not have to do with us"
        return Problem(code, depth=0, detail=detail)

    def _ownProblem(self, code: str) -> Problem | None:
        """Return what is evidently wrong with our own chain, where it is what an alert of the peer's may mean."""
        if not (chain := self._ownChain()) or code not in _MEANINGS:
            return None
        if chain[0].issuer == chain[0].subject:
            return Problem("self-signed", depth=0) if code != "expired" else None
        problem = evidentProblem(chain)
        if problem is None and _MEANINGS[code] is None:
            problem = self._misplacedIssuer(chain) if self._isClient else self._misnamed(chain[0])
        return problem if problem is not None and problem.code in (_MEANINGS[code] or CODES) else None

    def _misplacedIssuer(self, chain: Sequence[x509.Certificate]) -> Problem | None:
        """Return whether the server's list of acceptable authorities has none of those in our chain."""
        accepted = self._raw.get_client_ca_list(as_cryptography=True)
        if not accepted or any(certificate.issuer in accepted for certificate in chain):
            return None
        return Problem("unknown-issuer", depth=0, detail="none of our authorities is on the server's list")

    def _misnamed(self, certificate: x509.Certificate) -> Problem | None:
        """Return whether our certificate is for other names than the one that the client asked for."""
        askedFor = _text(self._raw.get_servername())
        return None if askedFor is None else nameProblem(certificate, askedFor)

    def _isCorrectlySigned(self) -> bool:
        return bool(isCorrectlySigned(self._ownChain(), self._configuration.verifier.anchors))

    def _ownChain(self) -> tuple[x509.Certificate, ...]:
        if (credential := self._configuration.credential) is not None:
            return credential.certificate, *credential.chain
        # Of somebody else's context only the certificate in use is known.
        certificate = self._raw.get_certificate(as_cryptography=True)
        return () if certificate is None else (certificate,)

    def _refusedInSilence(self, how: str, *evidence: str) -> TLSFailure:
        if self._isClient and not self._channel.certificateSent:
            how += " after we sent no certificate, though it asked for one"
        else:
            how += " after we sent our certificate"
        return Refused(how, side="remote", evidence=evidence, **self._ourCertificate())

    def _ourCertificate(self, depth: int = 0) -> dict[str, Any]:
        chain = self._ownChain()
        if not chain or (self._isClient and not self._channel.certificateSent):
            return {}
        return {"certificate": certificateFacts(chain[depth]), "depth": depth}

    def _notTLS(self, opening: bytes) -> TLSFailure:
        return NotTLS(_guessProtocol(opening), alert=self._alertSent(), evidence=(repr(opening[:_OPENING]),))

    def _awaitsVerdict(self) -> bool:
        """Whether this client has answered a request for its certificate and now waits for the server's verdict."""
        if self.state is State.HANDSHAKE:
            return self._isClient and self._channel.certificateRequested and self._stateString() in _ANSWERED
        return self.state is State.UNCONFIRMED

    def _awaited(self) -> str:
        isTLS13 = self._raw.get_protocol_version() == SSL.TLS1_3_VERSION
        return f"it was waiting for {awaitedMessage(self._stateString(), isClient=self._isClient, isTLS13=isTLS13)}"

    def _stateString(self) -> str:
        return self._rawState().decode("ascii", "replace")

    def _rawState(self) -> bytes:
        return self._raw.get_state_string()

    def _alertSent(self) -> Alert | None:
        return None if self._channel.alertSent is None else Alert(self._channel.alertSent, "sent")

    def _open(self) -> None:
        self.state = State.OPEN
        self.isAccepted = True

    def _fail(self, failure: TLSFailure) -> None:
        # Later failures follow from the first.
        if self.state is not State.FAILED:
            self.state = State.FAILED
            self.failure = failure


_HANDSHAKE_FAILURE = 40
_DECRYPT_ERROR = 51
_ACCESS_DENIED = 49
_INTERNAL_ERROR = 80
_UNRECOGNIZED_NAME = 112
#: Alerts that servers send to a client without a certificate: 116 is the right one (RFC 8446), 40 is TLS 1.2's, and Go
#: sends 42, GnuTLS (in TLS 1.2) 50.
_VAGUE_OR_ABOUT_CERTIFICATES = frozenset({40, 41, 42, 43, 46, 48, 49, 50, 80, 116})

#: How much of a stream that is not TLS is looked at.
_OPENING = 16

#: The records that can open a stream: handshake and alert (RFC 8446, section 5.1), and SSL 2's ClientHello, whose
#: refusal belongs to OpenSSL.
_OPENING_TYPES = (21, 22, 0x80)

#: More than any client's first message.
_LONGEST_HELLO = 1 << 14

#: The states of a TLS 1.2 client that has sent all of its messages.
_ANSWERED = frozenset({"SSLv3/TLS write finished", "SSLv3/TLS read change cipher spec"})

_REVOCATION = frozenset({"revoked", "revocation-unknown"})

#: For what an alert says by itself, what else our own chain may show it to mean; None for everything.
_MEANINGS: dict[str, frozenset[str] | None] = {
    "expired": frozenset({"expired"}),
    # GnuTLS sends access_denied for whatever is wrong with a certificate.
    "not-allowed": None,
    "refused": None,
    # OpenSSL sends unknown_ca for whatever is wrong with an authority of the chain.
    "unknown-issuer": frozenset({"chain-too-long", "not-permitted"}),
}


def _opensTLS(opening: bytes) -> bool:
    return opening[0] in _OPENING_TYPES and (len(opening) == 1 or opening[0] == 0x80 or opening[1] == 3)


def _guessProtocol(opening: bytes) -> str:
    if opening.startswith(b"SSH-"):
        return "it seems to speak SSH"
    if opening.startswith((b"HTTP/", b"<!DOCTYPE", b"<html")) or opening.split(b" ")[0] in _METHODS:
        return "it seems to speak plain HTTP"
    if opening[:4] in (b"220 ", b"220-"):
        return "it seems to speak SMTP or FTP"
    return f"its first bytes are {opening[:_OPENING]!r}"


#: RFC 9110, section 9.
_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"})


def _asProblems(errors: Sequence[tuple[int, int]]) -> list[Problem]:
    problems = [_asProblem(number, depth) for number, depth in errors]
    causes = [problem for problem in problems if problem.opensslError not in FOLLOWING]
    # OpenSSL looks at revocation before dates and signatures; who mends a chain has to mend those first.
    causes.sort(key=lambda problem: problem.code in _REVOCATION)
    return causes or problems


def _asProblem(number: int, depth: int) -> Problem:
    code = codeForVerifyError(number)
    return Problem(code, depth, detail=verifyErrorText(number) if code in UNSPECIFIC else "", opensslError=number)


def _refusal(problems: Sequence[Problem], chain: Sequence[x509.Certificate]) -> TLSFailure:
    first = problems[0]
    facts = tuple(certificateFacts(certificate) for certificate in chain)
    detail = ", ".join(part for part in (first.subject, first.detail) if part)
    return failureForCode(first.code)(
        detail,
        certificate=facts[first.depth] if first.depth < len(facts) else None,
        depth=first.depth,
        opensslError=first.opensslError,
        problems=tuple(problems),
        chain=facts,
    )


def _text(name: bytes | None) -> str | None:
    return None if name is None else printable(name.decode("utf-8", "replace"))
