"""One TLS connection without a network: ciphertext in, plaintext and changes of state out.

A connection takes what arrived (`TLSConnection.receive`) and gives the plaintext in it; it takes plaintext to send
(`TLSConnection.send`) and gives what has to go to the peer (`TLSConnection.outgoing`). It has no socket, no clock and
no Twisted. Two of them can be pumped against each other in memory, and come to the verdict that a live handshake would
come to, because it is the same code.

`tlscomm.tls._state` has its states, and which one follows which.

With `tlscomm.tls._naming`, this is the only module that turns what OpenSSL says into a failure of tlscomm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from tlscomm._openssl.channel import Channel
from tlscomm._openssl.errors import OpenSSLError
from tlscomm._wire.alerts import plainAlert, sealedAlert
from tlscomm._wire.clienthello import clientHello, opensTLS
from tlscomm._wire.ja4 import ja4Of
from tlscomm._wire.requests import readClientHello
from tlscomm.access import Peer
from tlscomm.configuration import Configuration
from tlscomm.credentials import CredentialChoice, PeerCapabilities
from tlscomm.failures import (
    Alert,
    ClosedInHandshake,
    HandshakeTimeout,
    Problem,
    ProtocolViolation,
    Reset,
    TLSFailure,
    Truncated,
    alertForCode,
)
from tlscomm.tls._naming import Naming
from tlscomm.tls._owncertificate import text
from tlscomm.tls._peerverification import PeerVerification
from tlscomm.tls._state import Acceptance, State, TLSFacts
from tlscomm.verification import Answer, Question, VerificationResult, Verifier
from tlscomm.x509._roles import Role

__all__ = ["TLSConnection"]

#: An enumeration's member costs more to find than a name of the module, and this one is asked for with each message.
_OPEN = State.OPEN


class TLSConnection:
    """One side of one TLS connection, in memory.

    Attributes:
        state: where it is in its life. It changes in the methods that take bytes or report an event, nowhere else.
        failure: why it is FAILED, else None.
        isAccepted: whether both sides have accepted each other; stays True when the connection ends or fails later.
        isConfirmed: whether that is more than a sign, after which a refusal may follow closely: application data came,
            no certificate of ours was asked for, or `confirm` was called.
        endRefuses: whether the server, if it ends the connection now, has refused us: it has asked for a certificate
            and sent no data yet, and `settle` was not called.
        acceptance: whether the peer has shown that it accepted us, as in `TLSFacts`.
        askAddress: returns the peer's address as text, for a hook, or None where it is not known. It is called when the
            hook is asked, because a proxy's header may tell the address after TCP is connected.
        admit: is given the certificate of a peer that is about to be accepted, and returns the failure by which it is
            refused all the same, or None; None where nothing is to be asked.
    """

    __slots__ = (
        "__weakref__",
        "_agreed",
        "_channel",
        "_choice",
        "_configuration",
        "_hasSpoken",
        "_hasStartedOver",
        "_heard",
        "_isClient",
        "_isDone",
        "_isSessionKept",
        "_ja4",
        "_keyLog",
        "_lastWords",
        "_opening",
        "_raw",
        "_received",
        "_verification",
        "acceptance",
        "admit",
        "askAddress",
        "endRefuses",
        "failure",
        "isAccepted",
        "isConfirmed",
        "state",
    )

    def __init__(
        self, configuration: Configuration, transport: Any = None, keyLog: Callable[[bytes], None] | None = None
    ) -> None:
        """
        Args:
            configuration: a server's or a client's.
            transport: becomes the application data of OpenSSL's connection, which Twisted's own options look at.
            keyLog: is given the secrets of the connection, each as a line of RFC 9850, as soon as there is one.
        """
        self.state = State.HANDSHAKE
        self.failure: TLSFailure | None = None
        self.isAccepted = False
        self.isConfirmed = False
        self.askAddress: Callable[[], str | None] | None = None
        self.admit: Callable[[x509.Certificate], TLSFailure | None] | None = None
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._keyLog = keyLog
        self._begin(transport)
        self._heard = False
        self._received = 0
        self._opening = b""
        self._isDone = False
        self._hasSpoken = False
        self._isSessionKept = False
        self.endRefuses = False
        self._lastWords: bytes | None = None
        self._hasStartedOver = False
        self._ja4: str | None = None
        self.acceptance: Acceptance = "seen"

    def _begin(self, transport: Any) -> None:
        self._raw = self._configuration.newConnection(transport)
        select = None if self._configuration.credentialSelector is None else self._chosenContext
        self._channel = Channel(self._raw, self._isClient, select, self._keyLog)
        self._verification = PeerVerification(self._configuration, self._raw, self._channel)
        self._choice: CredentialChoice | None = None
        self._agreed: tuple[str, str, bool] | None = None

    def start(self) -> None:
        """Begin: a client now has its first message to send."""
        self._advance()

    def receive(self, ciphertext: bytes) -> bytes:
        """Take bytes from the peer and return the application data in them; look at `state` and `outgoing` after it."""
        channel, state = self._channel, self.state
        if state is _OPEN:
            plaintext = channel.read(ciphertext)
        elif self._receiveEarly(state, ciphertext):
            plaintext = channel.read()
        else:
            return b""
        if self.endRefuses and plaintext:
            self._noteFirstData()
        if state is not _OPEN and self.state is State.UNCONFIRMED:
            self._lookForSign()
        if channel.isOver:
            self._noteEnd()
        return plaintext

    def send(self, plaintext: bytes | memoryview) -> None:
        """Encrypt application data, which `outgoing` then returns. The connection must be OPEN or CLOSED."""
        if self.state is not State.FAILED:
            try:
                self._channel.write(plaintext)
            except OpenSSLError as broken:
                self._fail(ProtocolViolation(evidence=broken.reasons))

    def sealed(self, plaintext: bytes | memoryview) -> bytes:
        """Encrypt application data, and return what has to go to the peer now: `send` and `outgoing` in one."""
        if self.state is _OPEN:
            try:
                return self._channel.sealed(plaintext)
            except OpenSSLError as broken:
                self._fail(ProtocolViolation(evidence=broken.reasons))
        else:
            self.send(plaintext)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """Return the bytes that have to go to the peer now."""
        if self.state is State.PENDING:
            return b""
        flight = self._channel.drain()
        if self._lastWords is not None:
            # What OpenSSL has to say belongs to a handshake that we do not go on with.
            flight, self._lastWords = self._lastWords, b""
        if not self._hasSpoken and flight:
            self._hasSpoken = True
        return flight

    def forgetHandshake(self) -> None:
        """Give back what only the handshake needed: both sides have accepted each other, and `outgoing` is empty."""
        self._verification.forgetHandshake()
        self._channel.release()
        self.renewBuffers()

    def renewBuffers(self) -> None:
        """Give back the memory that bytes took on their way, as much as the largest message until then.

        It may be called at any time, and does nothing where bytes are under way.
        """
        self._channel.renewBuffers()

    @property
    def pendingAnswer(self) -> Awaitable[Answer | bool] | None:
        """What the hook has returned, while the connection is PENDING; tell the result with `answer`."""
        return self._verification.pendingAnswer

    def answer(self, answer: object) -> None:
        """The hook has answered; look at `state` and `outgoing` after it, and at what ``receive(b"")`` returns."""
        if self.state is State.PENDING:
            self._verification.answer(answer)
            self._followVerdict()

    def answerFailed(self, failure: TLSFailure) -> None:
        """The hook has failed, or not answered in time, which refuses."""
        if self.state is State.PENDING:
            self._verification.refuse(failure)
            self._followVerdict()

    def revalidate(self, verifier: Verifier | None = None) -> TLSFailure | None:
        """Return why the peer that was accepted would be refused now, or None where it would not.

        Args:
            verifier: what a peer has to be now; what it had to be in the handshake where None.
        """
        return self._verification.revalidate(verifier) if self.isAccepted else None

    def close(self) -> None:
        """Say close_notify; nothing more may be sent. The peer's answer makes the connection CLOSED.

        What the peer sends until then is received as before (RFC 8446, section 6.1).
        """
        self.endRefuses = False
        if self._lastWords is None:
            self._channel.close()
            # What TLS answers by itself does not come after it.
            self._lastWords = self._channel.drain()

    def receiveEnd(self) -> None:
        """The stream from the peer has ended: no more bytes will come."""
        if self._awaitsVerdict():
            self._fail(self._naming.refusedInSilence("the connection was closed"))
        elif self.state is State.OPEN and self.endRefuses and self.acceptance == "assumed":
            self._fail(self._naming.refusedInSilence("the connection was closed before any data came"))
        elif self.state is State.OPEN:
            self._fail(Truncated("it ended without close_notify", side="remote"))
        elif self.state in (State.HANDSHAKE, State.PENDING):
            self._fail(self._leftInHandshake())

    def receiveReset(self, evidence: str) -> None:
        """The connection was reset, or broke in another way.

        Args:
            evidence: what the layer below said.
        """
        if self._awaitsVerdict():
            self._fail(self._naming.refusedInSilence("the connection was reset", evidence))
        elif self.state is State.HANDSHAKE:
            self._fail(self._naming.resetInHandshake(evidence))
        elif self.state is State.PENDING:
            self._fail(Reset(self._waitedFor(), side="remote", stage="handshake", evidence=(evidence,)))
        elif self.state is State.OPEN:
            self._fail(Reset(side="remote", evidence=(evidence,)))

    def timeOut(self) -> None:
        """The handshake's deadline has passed."""
        seconds = self._configuration.deadlines.handshake
        came = f"{self._received} bytes" if self._received else "nothing"
        detail = f"{came} had come in {seconds:g} s, and {self._waitedFor()}" if seconds else self._waitedFor()
        self._fail(HandshakeTimeout(detail, evidence=(self._naming.stateString(),)))

    def confirm(self) -> None:
        """Time enough has passed without a refusal: go on. Where the peer gave no sign at all, the facts say so."""
        if self.state is State.UNCONFIRMED:
            self.acceptance = "assumed"
            self._open()
        self._noteConfirmed()

    def settle(self) -> None:
        """The end of the connection is no verdict on us: it comes too late, or we have asked for it.

        Of a server that has shown nothing before, it still is one.
        """
        if self.acceptance == "seen" and self.endRefuses:
            self.endRefuses = False
            if self.state is State.CLOSED:
                self.failure = None

    def release(self) -> None:
        """Nothing more will come or be sent. OpenSSL's memory is then freed with the last reference, not by collection.

        `facts`, `peer` and `failure` can still be asked for.
        """
        isRefused = self.endRefuses and self.failure is not None
        if isRefused and self.state is State.CLOSED:
            # The server keeps its late verdict with the session, and asks for no certificate when that is resumed.
            self._configuration.forgetSessions()
        elif self._isClient and self.isConfirmed and not (self._isSessionKept or isRefused) and self._hasSession:
            self._keepSession()
        if self.isAccepted and (self.failure is None or self.failure.alert is None):
            # OpenSSL forgets the session of a connection that was cut. Only a fatal alert asks for that (RFC 8446,
            # section 6.2): many clients just go away.
            self._raw.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        self._raw.set_app_data(None)
        self._channel.release()
        self.askAddress = self.admit = None
        if self.failure is not None and self.failure.__cause__ is not None:
            # What a hook has raised knows by its traceback who called the hook.
            self.failure.__cause__.__traceback__ = None

    @property
    def hasHeard(self) -> bool:
        """Whether the peer has sent anything."""
        return self._heard

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
            alpn=text(raw.get_alpn_proto_negotiated() or None),
            resumed=self._channel.resumed,
            serverName=text(raw.get_servername()),
            acceptance=self.acceptance,
            choice=self._choice,
            ja4=self._ja4 or None,
        )

    @property
    def agreed(self) -> tuple[str, str, bool]:
        """The version, the key exchange group and whether a session was resumed; empty what had yet to be agreed.

        It costs a fifth of `facts`, and can be asked for when the handshake has failed.
        """
        if self._agreed is not None:
            return self._agreed
        raw = self._raw
        group = raw.get_group_name() or ""
        # Before that, OpenSSL says the newest one that there could be.
        isChosen = group or raw.get_cipher_name()
        return (raw.get_protocol_version_name() if isChosen else ""), group, self._channel.resumed

    @property
    def peer(self) -> Peer | None:
        """The peer that was accepted, or None where it presented no certificate."""
        result = self._verification.result if self.isAccepted else None
        if result is None or not result.chain:
            return None
        return Peer(result.chain, result.rule, lambda: result.warnings, self._ja4 or None)

    @property
    def ja4(self) -> str | None:
        """The fingerprint of the client's first message, where a server works it out (`ServerConfiguration.ja4`)."""
        return self._ja4 or None

    @property
    def presented(self) -> Sequence[x509.Certificate]:
        """The certificates that the peer has sent, or had sent where a session was resumed, its own first."""
        return self._channel.presented

    @property
    def isClient(self) -> bool:
        """Which side we are."""
        return self._isClient

    @property
    def shown(self) -> x509.Certificate | None:
        """The certificate that we have shown as a server, or None where that is not known: a session was resumed."""
        if self._channel.resumed and self._configuration.credentialSelector is not None:
            return None
        return self._raw.get_certificate(as_cryptography=True)

    @property
    def hasExtendedMasterSecret(self) -> bool:
        """Whether the secret of a TLS 1.2 handshake is tied to all of it (RFC 7627)."""
        return self._channel.hasExtendedMasterSecret

    @property
    def overruled(self) -> tuple[Problem, ...]:
        """What was wrong with the chain of the peer that was accepted, and did not count because a hook said so."""
        result = self._verification.result if self.isAccepted else None
        return () if result is None else result.overruled

    @property
    def _naming(self) -> Naming:
        # Few connections fail, so it is made when one does.
        return Naming(self._configuration, self._raw, self._channel, self._choice)

    def _receiveEarly(self, state: State, ciphertext: bytes) -> bool:
        """Take bytes before the connection is OPEN; return whether there may be application data to read."""
        if state in (State.CLOSED, State.FAILED):
            return False
        self._received += len(ciphertext)
        self._channel.feed(ciphertext)
        if state is State.PENDING and self._channel.waiting > _MOST_WAITING:
            detail = "it sent more than a peer should before it is accepted"
            self._fail(ProtocolViolation(detail, side="remote"))
        if state is not State.HANDSHAKE:
            return state is State.UNCONFIRMED
        if self._isClient:
            self._opening = self._opening if self._heard else (self._opening + ciphertext)[:_LONGEST_OPENING]
        elif len(self._opening) < _LONGEST_OPENING:
            self._opening = (self._opening + ciphertext)[:_LONGEST_OPENING]
            if len(self._opening) == _LONGEST_OPENING:
                # OpenSSL counts sessions and not how large their certificates are.
                self._channel.forbidResumption()
        if self._opening[:1] == _ALERT and not self._heard:
            # Of one that is not fatal OpenSSL says nothing otherwise.
            self._channel.noteEvents()
        if self._heard or not ciphertext or opensTLS(self._opening):
            self._heard = self._heard or len(self._opening) > 1
            self._advance()
        else:
            with suppress(OpenSSLError):
                # OpenSSL may have an alert for it.
                self._channel.handshake()
            self._fail(self._naming.notTLS(self._opening))
        # OpenSSL takes no more than what it needs for the handshake.
        return self.state in (State.OPEN, State.UNCONFIRMED) and self._channel.waiting > 0

    def _noteHello(self) -> None:
        """Work out the fingerprint of the client's first message, once it is there."""
        if self._ja4 is None and (message := clientHello(self._opening)):
            self._ja4 = ja4Of(message)
        self._verification.ja4 = self._ja4 or None

    def _advance(self) -> None:
        if self._configuration.wantsJA4 and self._verification.ja4 is None:
            self._noteHello()
        try:
            self._isDone = self._channel.handshake()
        except OpenSSLError as broken:
            self._fail(self._naming.inHandshake(broken, self._opening, self._verification.takeRefusal()))
            return
        if not self._verification.isSettled and self._verification.isDue(self._isDone):
            # What is ready now means acceptance, so it is held until there is a verdict, whatever a hook does.
            self.state = State.PENDING
            self._verification.look()
            if self._mayStartOver and (self._verification.isStale or self._asksForAnotherName):
                self.state = State.HANDSHAKE
                self._startOver()
                return
            try:
                self._verification.decide(self._question)
            finally:
                self._followVerdict()
        elif self._isDone:
            self._noteHandshakeDone()

    @property
    def _mayStartOver(self) -> bool:
        """Whether the client has heard nothing yet, and its first message is still known."""
        return not (self._hasSpoken or self._hasStartedOver) and len(self._opening) < _LONGEST_OPENING

    @property
    def _asksForAnotherName(self) -> bool:
        """Whether a client resumes the session of another name (RFC 6066, section 3: a server must not accept that).

        Sessions of TLS 1.3 belong to no name (RFC 8446, section 4.6.1).
        """
        if self._isClient or self._isTLS13 or not self._channel.resumed:
            return False
        asked, former = readClientHello(clientHello(self._opening)).serverName, self._raw.get_servername()
        # OpenSSL knows the name of a session only where a callback has acknowledged it, as in contexts of ours.
        return former is not None and (asked or "").lower() != former.decode("ascii", "replace").lower()

    def _startOver(self) -> None:
        """Shake hands in full with a client whose session may not be resumed: it may have something better to show.

        It has heard nothing yet, so all that has to be done again is to read its first message.
        """
        self._hasStartedOver = True
        transport = self._raw.get_app_data()
        self._raw.set_app_data(None)
        self._channel.release()
        self._begin(transport)
        self._channel.forbidResumption()
        self._channel.feed(self._opening)
        self._advance()

    def _question(self, result: VerificationResult) -> Question:
        raw = self._raw
        return Question(
            peerRole="server" if self._isClient else "client",
            address=None if self.askAddress is None else self.askAddress(),
            serverName=self._configuration.verifier.serverName if self._isClient else text(raw.get_servername()),
            chain=result.chain,
            problems=result.problems,
            warnings=lambda: result.warnings,
            version=raw.get_protocol_version_name(),
            cipher=raw.get_cipher_name() or "",
            alpn=text(raw.get_alpn_proto_negotiated() or None),
            resumed=self._channel.resumed,
            ja4=self._ja4 or None,
        )

    def _followVerdict(self) -> None:
        """Go on where the verdict on the peer lets us."""
        if self.state is not State.PENDING or not self._verification.isSettled:
            # A hook may have ended the connection, or has yet to answer.
            return
        if self._verification.hasAccepted:
            if self.admit is not None and (excess := self._excess()) is not None:
                self._refuse(excess)
                return
            self.state = State.HANDSHAKE
            if self._isDone:
                self._noteHandshakeDone()
        elif (refusal := self._verification.takeRefusal()) is not None:
            self._refuse(refusal)

    def _excess(self) -> TLSFailure | None:
        """Return why there is no room for the peer, which is good."""
        result, admit = self._verification.result, self.admit
        return admit(result.chain[0]) if admit is not None and result is not None and result.chain else None

    def _refuse(self, failure: TLSFailure) -> None:
        """Refuse the peer with an alert of ours, in the place of the flight that was held."""
        number, secret = alertForCode(failure.code), self._channel.secret
        if not self._isTLS13 and failure.code == "no-certificate":
            # TLS 1.2 has no certificate_required (RFC 5246, section 7.4.6).
            number = _HANDSHAKE_FAILURE
        # Of a server that resumes, the ServerHello is among what is held, and the client expects nothing sealed yet.
        if not self._isTLS13 or (self._channel.resumed and not self._isClient):
            self._lastWords = plainAlert(number)
        else:
            self._lastWords = b"" if secret is None else sealedAlert(number, self._raw.get_cipher_name() or "", secret)
        failure.alert = Alert(number, "sent") if self._lastWords else None
        self._fail(failure)

    def _noteHandshakeDone(self) -> None:
        # Neither is needed any more, one is a secret, and a peer chooses how large the other is.
        self._opening = b""
        self._channel.secret = None
        if not self._verification.hasAccepted:
            raise AssertionError("no peer is let in before the verdict")
        isAsked = self._channel.certificateRequested
        self.endRefuses = self.wasAsked
        if isAsked and self._isTLS13:
            self.state = State.UNCONFIRMED
        else:
            self.isConfirmed = not isAsked
            self._open()

    @property
    def wasAsked(self) -> bool:
        """Whether the server has asked this client for a certificate, in this handshake or the one that it resumes."""
        asked = self._channel.certificateRequested
        return asked or (self._isClient and self._channel.resumed and self._configuration.wasAsked(self._raw))

    def _lookForSign(self) -> None:
        """Go on where the server has given a sign, unless what came with it says more than that."""
        isOver = self._channel.closed or self._channel.error is not None
        if self.isConfirmed or (self._channel.ticketSeen and not isOver):
            self._open()

    def _noteFirstData(self) -> None:
        """The server has sent application data: it has accepted us, and no end of it is a refusal any more."""
        self.endRefuses = False
        self._noteConfirmed()

    def _noteConfirmed(self) -> None:
        if self.isConfirmed:
            return
        self.isConfirmed = True
        if self._channel.ticketSeen:
            # Not before: a session of a client that is refused closely after it would be resumed, and then nothing is
            # asked.
            self._keepSession()

    def _keepSession(self) -> None:
        self._isSessionKept = True
        self._configuration.keepSession(
            self._raw, self._channel.presented, self._verification.staple, wasAsked=self.wasAsked
        )

    def _noteEnd(self) -> None:
        """The stream of records has ended, by close_notify or by an error."""
        if self.state not in (State.OPEN, State.UNCONFIRMED):
            return
        if (broken := self._channel.error) is None:
            self._noteClose()
        elif self._channel.alertReceived is not None:
            isSettled = self.isConfirmed and self.acceptance == "seen" and not self.endRefuses
            self._fail(self._naming.afterHandshake(broken, isSettled=isSettled))
        else:
            self._fail(ProtocolViolation(alert=self._naming.alertSent(), evidence=broken.reasons))

    def _noteClose(self) -> None:
        """The peer's close_notify has come, of itself or in answer to ours."""
        if self._awaitsVerdict():
            self._fail(self._naming.refusedInSilence("the server closed the connection"))
            return
        self.state = State.CLOSED
        if self.endRefuses:
            # It may still read, so what is on its way to it is not dropped; but the end is not as if all were well.
            self.failure = self._naming.refusedInSilence("the server closed the connection before it sent any data")

    def _chosenContext(self) -> SSL.Context | None:
        """Choose what we show, when the peer has said what it can use; the context with it, or None for nothing."""
        credentialSelector = self._configuration.credentialSelector
        assert credentialSelector is not None
        role: Role = "client" if self._isClient else "server"
        choice = credentialSelector.chosen(role, self._peersWishes(), datetime.now(timezone.utc))
        self._choice = choice
        return self._configuration.contextFor(choice)

    def _peersWishes(self) -> PeerCapabilities:
        isTLS13 = self._isTLS13
        if not self._isClient:
            return PeerCapabilities.ofClient(clientHello(self._opening), isTLS13=isTLS13)
        if (request := self._channel.certificateRequest) is not None:
            return PeerCapabilities.ofServer(request, isTLS13=isTLS13)
        return PeerCapabilities(version="1.3" if isTLS13 else "1.2", issuers=self._channel.acceptedAuthorities)

    def _awaitsVerdict(self) -> bool:
        """Whether this client has answered a request for its certificate and now waits for the server's verdict."""
        if self.state is State.HANDSHAKE:
            return self._isClient and self._channel.certificateRequested and self._naming.stateString() in _ANSWERED
        return self.state is State.UNCONFIRMED or (
            self.state is State.OPEN and self.endRefuses and not self.isConfirmed
        )

    @property
    def _hasSession(self) -> bool:
        return self._channel.ticketSeen or not self._isTLS13

    @property
    def _isTLS13(self) -> bool:
        return self._raw.get_protocol_version() == SSL.TLS1_3_VERSION

    def _leftInHandshake(self) -> TLSFailure:
        if self.state is State.PENDING:
            return ClosedInHandshake(self._waitedFor(), side="remote")
        return self._naming.closedInHandshake()

    def _waitedFor(self) -> str:
        return "the hook had yet to answer" if self.state is State.PENDING else self._naming.expected()

    def _open(self) -> None:
        self.state = State.OPEN
        self.isAccepted = True

    def _fail(self, failure: TLSFailure) -> None:
        if self.state is State.PENDING:
            # What is held would tell the peer that it was accepted, and the session would go on without it.
            self._lastWords = self._lastWords or b""
            # Afterwards OpenSSL does not know it any more.
            self._agreed = self.agreed
            self._channel.forgetSession()
        self._channel.secret = None
        # Later failures follow from the first.
        if self.state is not State.FAILED:
            self.state = State.FAILED
            self.failure = failure


_HANDSHAKE_FAILURE = 40

_ALERT = b"\x15"

#: More than any client's first message, and than all that a client has to say in a handshake.
_LONGEST_OPENING = 1 << 14

#: Bytes that wait for a hook's answer. A transport that is asked to pause brings no more than a few reads.
_MOST_WAITING = 1 << 20

#: The states of a TLS 1.2 client that has sent all of its messages.
_ANSWERED = frozenset({"SSLv3/TLS write finished", "SSLv3/TLS read change cipher spec"})
