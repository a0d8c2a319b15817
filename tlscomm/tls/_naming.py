"""Why a handshake came to nothing, in tlscomm's names.

OpenSSL says that a handshake broke off, in its own words, and a peer that refuses says it in one of a dozen alerts.
Each means several things. What else is known of the connection, our own certificates above all, settles which.

With `tlscomm.tls`, this is the only module that turns what OpenSSL says into a failure of tlscomm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from tlscomm._openssl.channel import Channel
from tlscomm._openssl.contexts import firstMessage
from tlscomm._openssl.errors import OpenSSLError
from tlscomm._wire.clienthello import supportedGroups
from tlscomm.configuration import Configuration
from tlscomm.credentials import CredentialChoice
from tlscomm.credentials._usability import asFailure
from tlscomm.failures import (
    CODES,
    Alert,
    HookFailed,
    InvalidCertificate,
    NotTLS,
    Problem,
    Refused,
    RefusedByHook,
    TLSFailure,
    UnknownServerName,
    codeForAlert,
    failureForCode,
    printable,
)
from tlscomm.tls._expectedmessages import expectedMessage
from tlscomm.verification import nameProblem
from tlscomm.verification._opensslerrors import codeForReasons
from tlscomm.verification._ownchain import isCorrectlySigned
from tlscomm.verification._owncredential import chainProblems
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._keystrengths import unsignableKey

__all__ = ["Naming", "text"]


class Naming:
    """Names the failures of one connection.

    Attributes:
        choice: which of several credentials we showed, or None where there was nothing to choose.
    """

    def __init__(self, configuration: Configuration, raw: SSL.Connection, channel: Channel) -> None:
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = raw
        self._channel = channel
        self.choice: CredentialChoice | None = None

    def brokenOff(self, broken: OpenSSLError, opening: bytes) -> TLSFailure:
        """Name what made OpenSSL, or a callback of an external context, break the handshake off on our side.

        Args:
            broken: what OpenSSL says.
            opening: the beginning of what came from a client.
        """
        if self._channel.alertSent == _UNRECOGNIZED_NAME:
            name = text(self._raw.get_servername())
            return UnknownServerName(f"asked for {name}" if name else "it asked for none", evidence=broken.reasons)
        if broken.exceptions:
            return HookFailed(printable(repr(broken.exceptions[0])), evidence=broken.reasons)
        if not self._isClient and self.choice is not None and self.choice.credential is None:
            return RefusedByHook(self.choice.reason, evidence=broken.reasons)
        if "certificate verify failed" in broken.reasons:
            return RefusedByHook("the context's own verification callback", evidence=broken.reasons)
        return self._notNegotiated(broken, opening)

    def refusedByPeer(self, broken: OpenSSLError) -> TLSFailure:
        """Name a refusal by the peer, as exactly as its alert and what we know of ourselves allow."""
        number = self._channel.alertReceived or 0
        try:
            problem = self._problemForAlert(number)
        except Exception:
            # Names that cannot be read, ours or in the server's list. What the alert says by itself stands.
            problem = Problem(codeForAlert(number), depth=0)
        return failureForCode(problem.code)(
            problem.detail,
            side="remote",
            alert=Alert(number, "received"),
            evidence=broken.reasons,
            **self._ourCertificate(problem.depth),
        )

    def refusedInSilence(self, how: str, *evidence: str) -> TLSFailure:
        """Name a refusal that was not said: the stream ended where a verdict was due."""
        if self._isClient and not self._channel.certificateSent:
            how += " after we sent no certificate, though it asked for one"
        else:
            how += " after we sent our certificate"
        return Refused(how, side="remote", evidence=evidence, **self._ourCertificate())

    def notTLS(self, opening: bytes) -> TLSFailure:
        """Name a peer whose first bytes are not TLS."""
        return NotTLS(_guessProtocol(opening), alert=self.alertSent(), evidence=(repr(opening[:_OPENING]),))

    def expected(self) -> str:
        """Return what the handshake is waiting for, as a phrase."""
        isTLS13 = self._raw.get_protocol_version() == SSL.TLS1_3_VERSION
        return f"it was waiting for {expectedMessage(self.stateString(), isClient=self._isClient, isTLS13=isTLS13)}"

    def stateString(self) -> str:
        """Return OpenSSL's long description of its state."""
        return self._raw.get_state_string().decode("ascii", "replace")

    def alertSent(self) -> Alert | None:
        """Return the fatal alert that OpenSSL has sent, if any."""
        return None if self._channel.alertSent is None else Alert(self._channel.alertSent, "sent")

    def _notNegotiated(self, broken: OpenSSLError, opening: bytes) -> TLSFailure:
        code = codeForReasons(broken.reasons)
        if code == "protocol-violation" and self._isAboutCertificate(broken):
            return InvalidCertificate(f"it cannot be read: {printable(broken.reasons[0])}", evidence=broken.reasons)
        if code == "no-common-cipher" and self._lacksGroup(opening):
            code = "no-common-group"
        if code == "no-common-cipher" and not self._isClient and (problem := self._unsignable()):
            return asFailure(problem, self._ownChain(), broken.reasons)
        if code == "key-too-weak":
            # OpenSSL looks at our own chain when it is about to send it.
            return failureForCode(code)(", ".join(broken.reasons), stage="credential", evidence=broken.reasons)
        return failureForCode(code)(evidence=broken.reasons)

    def _isAboutCertificate(self, broken: OpenSSLError) -> bool:
        """Return whether OpenSSL could not read the peer's certificate, which is badly issued and no attack."""
        if _UNREADABLE not in broken.reasons:
            return False
        # It says the same of the names of authorities: to a server with another alert, to us before we have answered.
        if self._isClient:
            return self._channel.alertSent == _BAD_CERTIFICATE
        return any(self._raw.server_random() or b"")

    def _problemForAlert(self, number: int) -> Problem:
        code, detail = codeForAlert(number), ""
        requested, sent = self._channel.certificateRequested, self._channel.certificateSent
        if requested and not sent and number in _VAGUE_OR_ABOUT_CERTIFICATES:
            if problem := self._unsignable():
                return problem
            code, detail = "no-certificate", "the server asked for one and we sent none"
        elif number == _HANDSHAKE_FAILURE and self._isClient and not requested:
            # OpenSSL sends the same alert for all that can be negotiated; only what we restricted can be the reason.
            code = "no-common-group" if self._configuration.groups is not None else "no-common-cipher"
        elif number == _ILLEGAL_PARAMETER and sent and (problem := self._unsignable()):
            return problem
        elif number == _DECRYPT_ERROR and (sent or not self._isClient):
            code = "protocol-violation" if self._isCorrectlySigned() else "bad-signature"
        elif problem := self._ownProblem(code, number):
            return problem
        elif number == _INTERNAL_ERROR:
            detail = (
                "it reports an error of its own (internal_error): its check of us may have failed, or been too slow"
            )
        return Problem(code, depth=0, detail=detail)

    def _ownProblem(self, code: str, number: int) -> Problem | None:
        """Return what is evidently wrong with our own chain, where it is what an alert of the peer's may mean."""
        if not (chain := self._ownChain()) or code not in _MEANINGS:
            return None
        if chain[0].issuer == chain[0].subject:
            return Problem("self-signed", depth=0) if code != "expired" else None
        problem = self._evidentProblem(chain)
        # Who reports an error of its own has not said that he looked at ours.
        if problem is None and _MEANINGS[code] is None and number != _INTERNAL_ERROR:
            problem = self._misplacedIssuer(chain) if self._isClient else self._misnamed(chain[0])
        return problem if problem is not None and problem.code in (_MEANINGS[code] or CODES) else None

    def _unsignable(self) -> Problem | None:
        """Return that our key is of a kind that no handshake can be signed with, where it is."""
        chain = self._ownChain()
        weakness = unsignableKey(chain[0]) if chain else ""
        return Problem("key-too-weak", 0, detail=f"it has {weakness}") if weakness else None

    def _evidentProblem(self, chain: Sequence[x509.Certificate]) -> Problem | None:
        """Return the first problem that our chain has in itself; whose it is, is said of an issuer only."""
        now = datetime.now(timezone.utc)
        problem = next(chainProblems(chain, "client" if self._isClient else "server", now), None)
        if problem is None or problem.depth == 0:
            return problem
        return replace(problem, detail=", ".join(part for part in (problem.subject, problem.detail) if part))

    def _misplacedIssuer(self, chain: Sequence[x509.Certificate]) -> Problem | None:
        """Return whether the server's list of acceptable authorities has none of those in our chain."""
        accepted = self._raw.get_client_ca_list(as_cryptography=True)
        if not accepted or any(certificate.issuer in accepted for certificate in chain):
            return None
        return Problem("unknown-issuer", depth=0, detail="none of our authorities is on the server's list")

    def _misnamed(self, certificate: x509.Certificate) -> Problem | None:
        """Return whether our certificate is for other names than the one that the client asked for."""
        askedFor = text(self._raw.get_servername())
        return None if askedFor is None else nameProblem(certificate, askedFor)

    def _isCorrectlySigned(self) -> bool:
        return bool(isCorrectlySigned(self._ownChain(), self._configuration.verifier.anchors))

    def _ownChain(self) -> tuple[x509.Certificate, ...]:
        credential = self._configuration.credential if self.choice is None else self.choice.credential
        if credential is not None:
            return credential.certificate, *credential.chain
        # Of an external context only the certificate in use is known.
        certificate = self._raw.get_certificate(as_cryptography=True)
        return () if certificate is None else (certificate,)

    def _ourCertificate(self, depth: int = 0) -> dict[str, Any]:
        chain = self._ownChain()
        if not chain or (self._isClient and not self._channel.certificateSent):
            return {}
        return {"certificate": certificateFacts(chain[depth]), "depth": depth}

    def _lacksGroup(self, opening: bytes) -> bool:
        """Return whether the client offers none of our groups, which OpenSSL does not tell from a lack of ciphers."""
        offered = supportedGroups(opening)
        known = supportedGroups(firstMessage(self._raw.get_context()))
        return offered is not None and known is not None and not offered & known


def text(name: bytes | None) -> str | None:
    """Return a name that a peer chose, printable."""
    return None if name is None else printable(name.decode("utf-8", "replace"))


_HANDSHAKE_FAILURE = 40
_BAD_CERTIFICATE = 42
_ILLEGAL_PARAMETER = 47
_DECRYPT_ERROR = 51
_INTERNAL_ERROR = 80
_UNRECOGNIZED_NAME = 112
#: Alerts that servers send to a client without a certificate: 116 is the right one (RFC 8446), 40 is TLS 1.2's, and Go
#: sends 42, GnuTLS (in TLS 1.2) 50.
_VAGUE_OR_ABOUT_CERTIFICATES = frozenset({40, 41, 42, 43, 46, 48, 49, 50, 80, 116})

#: What OpenSSL says last of a certificate, or of a name, that is not encoded as it has to be.
_UNREADABLE = "ASN1 lib"

#: How much of a stream that is not TLS is looked at.
_OPENING = 16

#: For what an alert says by itself, what else our own chain may show it to mean; None for everything.
_MEANINGS: dict[str, frozenset[str] | None] = {
    "expired": frozenset({"expired"}),
    # GnuTLS sends access_denied for whatever is wrong with a certificate.
    "not-allowed": None,
    "refused": None,
    # OpenSSL sends unknown_ca for whatever is wrong with an authority of the chain.
    "unknown-issuer": frozenset({"chain-too-long", "not-permitted"}),
}


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
