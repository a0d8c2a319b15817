"""Why a handshake came to nothing, in tlscomm's names.

OpenSSL says that a handshake broke off, in its own words, and a peer that refuses says it in one of a dozen alerts.
Each means several things. What else is known of the connection, our own certificates above all, settles which.

With `tlscomm.tls`, this is the only module that turns what OpenSSL says into a failure of tlscomm.
"""

from __future__ import annotations

from OpenSSL import SSL

from tlscomm._openssl.channel import Channel
from tlscomm._openssl.errors import OpenSSLError
from tlscomm._wire.alerts import fatalAlert
from tlscomm._wire.openings import protocolOpening, seemingText
from tlscomm.configuration import Configuration
from tlscomm.credentials import CredentialChoice
from tlscomm.credentials._usability import asFailure
from tlscomm.failures import (
    Alert,
    ClosedInHandshake,
    HookFailed,
    InvalidCertificate,
    KeyTooWeak,
    NegotiationFailure,
    NotTLS,
    Problem,
    ProtocolViolation,
    RefusedByHook,
    Reset,
    TLSFailure,
    Truncated,
    UnknownServerName,
    codeForAlert,
    failureForCode,
    printable,
)
from tlscomm.tls._expectedmessages import expectedMessage
from tlscomm.tls._negotiation import Negotiation
from tlscomm.tls._owncertificate import OwnCertificate
from tlscomm.tls._remedies import (
    CLIENT_LEFT,
    SERVER_LEFT,
    SERVER_REFUSED,
    SERVER_SAID_NOTHING,
    STRANGER_LEFT,
    plainRemedy,
)
from tlscomm.verification._opensslerrors import codeForReasons
from tlscomm.x509._facts import authoritiesText

__all__ = ["Naming"]


class Naming:
    """Names the failures of one connection.

    Attributes:
        own: the certificate that we show.
    """

    def __init__(
        self, configuration: Configuration, raw: SSL.Connection, channel: Channel, choice: CredentialChoice | None
    ) -> None:
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = raw
        self._channel = channel
        self.own = OwnCertificate(configuration, raw, channel, choice)
        self._negotiation = Negotiation(configuration, raw, self.own)

    def inHandshake(self, broken: OpenSSLError, opening: bytes, refusal: TLSFailure | None) -> TLSFailure:
        """Name an error of OpenSSL in the handshake.

        Args:
            broken: the error.
            opening: the first bytes that the peer has sent.
            refusal: of the peer, where that has led to the error.
        """
        if self._channel.alertReceived is not None and refusal is None:
            return self.refusedByPeer(broken)
        if not broken.reasons and not broken.exceptions:
            return self.closedInHandshake("close_notify came")
        failure = refusal or self.brokenOff(broken, opening)
        failure.alert = self.alertSent()
        return failure

    def afterHandshake(self, broken: OpenSSLError, *, isSettled: bool) -> TLSFailure:
        """Name an alert that came after the handshake.

        Args:
            broken: the error that OpenSSL made of it.
            isSettled: whether the peer has shown before that it accepted us.
        """
        failure = self.refusedByPeer(broken)
        if not isSettled or self._channel.alertReceived in _ABOUT_CERTIFICATES:
            return failure
        # Of a peer that has shown its acceptance it is no refusal; only some alerts say that a rule was broken.
        if failure.code == "protocol-violation":
            return ProtocolViolation(side="remote", alert=failure.alert, evidence=failure.evidence)
        said = f"it ended by the peer's alert {failure.alert.name}" if failure.alert else ""
        return Truncated(said, side="remote", alert=failure.alert, evidence=failure.evidence)

    def brokenOff(self, broken: OpenSSLError, opening: bytes) -> TLSFailure:
        """Name what made OpenSSL, or a callback of an external context, break the handshake off on our side.

        Args:
            broken: what OpenSSL says.
            opening: the beginning of what came from a client.
        """
        if self._numberSent == _UNRECOGNIZED_NAME:
            return UnknownServerName(self._negotiation.told("unknown-server-name"), evidence=broken.reasons)
        if broken.exceptions:
            return HookFailed(printable(repr(broken.exceptions[0])), evidence=broken.reasons)
        choice = self.own.choice
        if not self._isClient and choice is not None and choice.credential is None:
            return RefusedByHook(choice.reason, evidence=broken.reasons)
        if _VERIFY_FAILED in broken.reasons:
            return self._notVerified(broken)
        return self._notNegotiated(broken, opening)

    def refusedByPeer(self, broken: OpenSSLError) -> TLSFailure:
        """Name a refusal by the peer, as exactly as its alert and what we know of ourselves allow."""
        number = self._channel.alertReceived or 0
        try:
            problem = self._problemForAlert(number)
        except Exception:
            # Names that cannot be read, ours or in the server's list. What the alert says by itself stands.
            problem = Problem(codeForAlert(number), depth=0)
        return self._asRefusal(problem, broken.reasons, Alert(number, "received"))

    def refusedInSilence(self, how: str, *evidence: str) -> TLSFailure:
        """Name a refusal that was not said: the stream ended where a verdict was due.

        Args:
            how: how it ended, as a clause.
            evidence: what the layer below said.
        """
        try:
            problem = self._problemInSilence() or Problem("refused", depth=0)
        except Exception:
            problem = Problem("refused", depth=0)
        if problem.code in ("refused", "no-certificate"):
            after = "sent no certificate, though it asked for one" if self.own.isMissing else "sent our certificate"
            problem = Problem(problem.code, depth=0, detail=f"{how} after we {after}")
        return self._asRefusal(problem, evidence)

    def closedInHandshake(self, how: str = "") -> TLSFailure:
        """Name the end of a stream in the middle of a handshake, by what the peer had seen of us then.

        Args:
            how: how it ended, as a clause, where that is not plain.
        """
        detail = ", and ".join(part for part in (self.expected(), how) if part)
        if self._isClient and self.stateString() == _ONLY_BEGUN:
            # Some servers (SslStream) say no more than this of a version that they do not have.
            return ClosedInHandshake(
                f"{detail}; {self._negotiation.offered}", side="remote", remedy=SERVER_SAID_NOTHING
            )
        if self._isClient:
            return ClosedInHandshake(detail, side="remote", remedy=SERVER_LEFT)
        if not self._hasShownCertificate:
            return ClosedInHandshake(detail, side="remote", remedy=STRANGER_LEFT)
        if refusal := self._evidentRefusal():
            return refusal
        seen = self.own.told(Problem("refused", depth=0, detail="the client left after it had seen our certificate"))
        return ClosedInHandshake(f"{seen}; {detail}", side="remote", remedy=CLIENT_LEFT, **self.own.asEvidence())

    def resetInHandshake(self, evidence: str) -> TLSFailure:
        """Name a reset in the middle of a handshake; some clients refuse a server like this."""
        refusal = self._evidentRefusal(evidence) if self._hasShownCertificate else None
        return refusal or Reset(self.expected(), side="remote", stage="handshake", evidence=(evidence,))

    def notTLS(self, opening: bytes) -> TLSFailure:
        """Name a peer whose first bytes are not TLS."""
        protocol, first = protocolOpening(opening), repr(opening[:_OPENING])
        remedy = plainRemedy(protocol, isClients=not self._isClient)
        detail = seemingText(protocol) or f"its first bytes are {first}"
        return NotTLS(detail, alert=self.alertSent(), evidence=(first,), remedy=remedy)

    def expected(self) -> str:
        """Return what the handshake is waiting for, as a phrase."""
        isTLS13 = self._raw.get_protocol_version() == SSL.TLS1_3_VERSION
        return f"it was waiting for {expectedMessage(self.stateString(), isClient=self._isClient, isTLS13=isTLS13)}"

    def stateString(self) -> str:
        """Return OpenSSL's long description of its state."""
        return self._raw.get_state_string().decode("ascii", "replace")

    def alertSent(self) -> Alert | None:
        """Return the fatal alert that OpenSSL has sent, if any."""
        number = self._numberSent
        return None if number is None else Alert(number, "sent")

    @property
    def _numberSent(self) -> int | None:
        if self._channel.alertSent is None:
            # Nothing was sent since.
            return fatalAlert(self._channel.output, self._raw.get_cipher_name() or "", self._channel.secret)
        return self._channel.alertSent

    @property
    def _hasShownCertificate(self) -> bool:
        """Whether we are a server that has sent its certificate to a client that has yet to accept it."""
        return not self._isClient and self.stateString() in _SHOWN

    def _evidentRefusal(self, *evidence: str) -> TLSFailure | None:
        """Return what our own certificate shows a client to have left for, where it shows something."""
        try:
            problem = self.own.fault()
        except Exception:
            problem = None
        return None if problem is None else self._asRefusal(problem, evidence)

    def _asRefusal(self, problem: Problem, evidence: tuple[str, ...], alert: Alert | None = None) -> TLSFailure:
        kind = failureForCode(problem.code)
        isNegotiation = issubclass(kind, NegotiationFailure)
        remedy = problem.remedy
        # The general next step has it that a certificate may be missing.
        if problem.code == "refused" and not self._isClient:
            remedy = remedy or CLIENT_LEFT
        elif problem.code == "refused" and self._channel.certificateSent:
            remedy = remedy or SERVER_REFUSED
        return kind(
            problem.detail if isNegotiation else self.own.told(problem),
            side="remote",
            alert=alert,
            evidence=evidence,
            remedy=remedy,
            **({} if isNegotiation else self.own.asEvidence(problem.depth)),
        )

    def _problemInSilence(self) -> Problem | None:
        """Return what a peer that closed without a word has most evidently closed for."""
        if self.own.isMissing:
            return self.own.unsignable or Problem("no-certificate", depth=0)
        return self.own.fault()

    def _notVerified(self, broken: OpenSSLError) -> TLSFailure:
        """Name what OpenSSL, or a callback that is not ours, refused before our own verdict."""
        if self._configuration.usesExternalContext:
            return RefusedByHook("the context's own verification callback", evidence=broken.reasons)
        if _UNKNOWN_KEY in broken.reasons:
            # It stops there before it asks for our verdict. Of a credential with such a key ours is the same.
            return KeyTooWeak(_KEY_NOT_KNOWN, evidence=broken.reasons)
        detail = f"OpenSSL cannot verify it: {printable(', '.join(broken.reasons))}"
        return InvalidCertificate(detail, evidence=broken.reasons)

    def _notNegotiated(self, broken: OpenSSLError, opening: bytes) -> TLSFailure:
        code = self._negotiation.lacking(codeForReasons(broken.reasons), opening)
        if code == "protocol-violation" and self._isAboutCertificate(broken):
            return InvalidCertificate(f"it cannot be read: {printable(broken.reasons[0])}", evidence=broken.reasons)
        if code == "no-common-cipher" and not self._isClient and (problem := self.own.unsignable):
            return asFailure(problem, self.own.chain, broken.reasons)
        if code == "no-certificate":
            return failureForCode(code)(self._authoritiesAccepted(), evidence=broken.reasons)
        if code == "key-too-weak":
            # OpenSSL looks at our own chain when it is about to send it.
            return failureForCode(code)(", ".join(broken.reasons), stage="credential", evidence=broken.reasons)
        detail = "" if code == "protocol-violation" else self._negotiation.told(code, opening)
        return failureForCode(code)(detail, evidence=broken.reasons)

    def _authoritiesAccepted(self) -> str:
        """Say whose certificates a client that sent none could have sent."""
        anchors = self._configuration.verifier.anchors
        accepted = f"; this server accepts {authoritiesText([a.subject for a in anchors])}" if anchors else ""
        return f"the client was asked for one and sent none{accepted}"

    def _isAboutCertificate(self, broken: OpenSSLError) -> bool:
        """Return whether OpenSSL could not read the peer's certificate, which is badly issued and no attack."""
        if _UNREADABLE not in broken.reasons:
            return False
        # It says the same of the names of authorities: to a server with another alert, to us before we have answered.
        if self._isClient:
            return self._numberSent == _BAD_CERTIFICATE
        return any(self._raw.server_random() or b"")

    def _problemForAlert(self, number: int) -> Problem:
        code, own = codeForAlert(number), self.own
        if problem := self._problemBeforeVerdict(number):
            return problem
        if code in _MEANINGS and (problem := own.fault(_MEANINGS[code])):
            return problem
        if number == _INTERNAL_ERROR:
            return Problem(code, depth=0, detail=_ITS_OWN_ERROR)
        if number == _ACCESS_DENIED and self._isClient and not own.isListed:
            return Problem("refused", depth=0, detail=_DENIED)
        return Problem(code, depth=0, detail=self._negotiation.told(code) if code in _NEGOTIATED else "")

    def _problemBeforeVerdict(self, number: int) -> Problem | None:
        """Return what an alert means that is not about what our certificate says."""
        own, sent = self.own, self._channel.certificateSent
        if own.isMissing and number in _VAGUE_OR_ABOUT_CERTIFICATES:
            missing = Problem("no-certificate", depth=0, detail="the server asked for one and we sent none")
            return own.unsignable or missing
        if number == _HANDSHAKE_FAILURE and self._isClient and not self._channel.certificateRequested:
            code = self._negotiation.restricted()
            detail = _NOT_SAID_WHICH * (code == "refused") + self._negotiation.told(code)
            return Problem(code, depth=0, detail=detail)
        if number == _DECRYPT_ERROR and (sent or not self._isClient):
            if own.isCorrectlySigned:
                return Problem("protocol-violation", depth=0)
            wrong = own.wronglySigned
            return Problem("bad-signature", depth=0 if wrong is None else wrong.depth)
        return own.unsignable if number == _ILLEGAL_PARAMETER and sent else None


_HANDSHAKE_FAILURE = 40
_BAD_CERTIFICATE = 42
_ILLEGAL_PARAMETER = 47
_ACCESS_DENIED = 49
_DECRYPT_ERROR = 51
_INTERNAL_ERROR = 80
_UNRECOGNIZED_NAME = 112
#: Alerts that servers send to a client without a certificate: 116 is the right one (RFC 8446), 40 is TLS 1.2's, and Go
#: Alerts that are about a certificate whenever they come (RFC 8446, section 6.2).
_ABOUT_CERTIFICATES = frozenset({42, 43, 44, 45, 46, 48, 49, 116})

#: sends 42, GnuTLS (in TLS 1.2) 50.
_VAGUE_OR_ABOUT_CERTIFICATES = frozenset({40, 41, 42, 43, 46, 48, 49, 50, 80, 116})

#: What OpenSSL says last of a certificate, or of a name, that is not encoded as it has to be.
_UNREADABLE = "ASN1 lib"

#: How much of a stream that is not TLS is looked at.
_OPENING = 16

#: For what an alert says by itself, what else our own chain may show it to mean; None for everything.
_MEANINGS: dict[str, frozenset[str] | None] = {
    "expired": frozenset({"expired", "not-yet-valid"}),
    # GnuTLS sends access_denied for whatever is wrong with a certificate.
    "not-allowed": None,
    "refused": None,
    # The purpose may be that of an authority of the chain.
    "wrong-purpose": frozenset({"wrong-purpose"}),
    # OpenSSL sends unknown_ca for whatever is wrong with an authority of the chain.
    "unknown-issuer": frozenset({"chain-too-long", "not-permitted", "self-signed"}),
}

_NEGOTIATED = frozenset(
    {"no-common-cipher", "no-common-group", "no-common-protocol", "no-common-version", "unknown-server-name"}
)

#: OpenSSL's own words for a verdict of its own, or of a callback.
_VERIFY_FAILED = "certificate verify failed"
_UNKNOWN_KEY = "unable to get certs public key"
_KEY_NOT_KNOWN = "it has a key that cannot be read, or of a kind that TLS peers do not accept"

#: The state of a client that has sent its first message and heard nothing.
_ONLY_BEGUN = "SSLv3/TLS write client hello"

#: The states of a server that has sent all that a client needs to judge it.
_SHOWN = frozenset(
    {
        "SSLv3/TLS write server done",
        "TLSv1.3 early data",
        "SSLv3/TLS read client certificate",
        "SSLv3/TLS read client key exchange",
        "SSLv3/TLS read certificate verify",
        "SSLv3/TLS read change cipher spec",
    }
)

_ITS_OWN_ERROR = "it reports an error of its own (internal_error): its check of us may have failed, or been too slow, "
_ITS_OWN_ERROR += "or it has as many connections of ours as it allows"
_DENIED = "it says access_denied, which some servers (GnuTLS) say of each certificate that they refuse"

_NOT_SAID_WHICH = "it says handshake_failure, which means that something it needs is not common; "
