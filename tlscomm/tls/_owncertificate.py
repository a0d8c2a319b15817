"""What we have shown of ourselves, and what the other side may hold against it.

A peer that refuses says little: it closes, or sends an alert that several causes share. Our own certificates, the name
that a client asked for and the authorities that a server accepts are known here, so what is wrong by these facts has
its name, and the rest is told with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from tlscomm._openssl.channel import Channel
from tlscomm.configuration import Configuration
from tlscomm.credentials import CredentialChoice
from tlscomm.failures import CODES, Problem, printable
from tlscomm.failures._wording import timeText
from tlscomm.verification import nameProblem
from tlscomm.verification._ownchain import isCorrectlySigned, signatureProblem
from tlscomm.verification._owncredential import chainProblems
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import authoritiesText, certificateFacts, issuedText, subjectText
from tlscomm.x509._keystrengths import unsignableKey
from tlscomm.x509._purposes import purposesText

__all__ = ["OwnCertificate", "factFor", "text"]

#: What only the peer knows more of; our part in it is who has issued our certificate.
_ABOUT_ISSUERS = frozenset(
    {"bad-signature", "incomplete-chain", "not-allowed", "refused", "revocation-unknown", "self-signed"}
    | {"unknown-issuer"}
)


#: Names of authorities on a server's list that are all read. Systems trust some 150.
_MOST_ACCEPTED = 512


class OwnCertificate:
    """The certificate that one connection has shown, and what is known of it.

    Attributes:
        choice: which of several credentials we showed, or None where there was nothing to choose.
    """

    def __init__(
        self, configuration: Configuration, raw: SSL.Connection, channel: Channel, choice: CredentialChoice | None
    ) -> None:
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = raw
        self._channel = channel
        self._named: Sequence[x509.Name] | None = None
        self.choice = choice

    @property
    def isMissing(self) -> bool:
        """Whether we are a client that was asked for a certificate and sent none."""
        return self._isClient and self._channel.certificateRequested and not self._channel.certificateSent

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What we show, our own certificate first; nothing where there is none."""
        credential = self._configuration.credential if self.choice is None else self.choice.credential
        if credential is not None:
            return credential.certificate, *credential.chain
        # Of an external context only the certificate in use is known.
        certificate = self._raw.get_certificate(as_cryptography=True)
        return () if certificate is None else (certificate,)

    @property
    def isListed(self) -> bool:
        """Whether the server has named an authority of our chain as one that it accepts."""
        accepted = self._accepted
        return any(certificate.issuer in accepted for certificate in self.chain)

    @property
    def isCorrectlySigned(self) -> bool:
        return bool(isCorrectlySigned(self.chain, self._configuration.verifier.anchors))

    @property
    def wronglySigned(self) -> Problem | None:
        """That one of our certificates bears another signature than that of its issuer, where the issuer is known."""
        return signatureProblem(self.chain, self._configuration.verifier.anchors)

    @property
    def unsignable(self) -> Problem | None:
        """That our key is of a kind that no handshake can be signed with, where it is."""
        chain = self.chain
        weakness = unsignableKey(chain[0]) if chain else ""
        return Problem("key-too-weak", 0, detail=f"it has {weakness}") if weakness else None

    def fault(self, meanings: frozenset[str] | None = None) -> Problem | None:
        """Return what is wrong with what we show, by all that is known here.

        Args:
            meanings: the codes that the peer may mean; None for all.
        """
        if not (chain := self.chain):
            return None
        if chain[0].issuer == chain[0].subject and chain[0].subject not in self._accepted:
            problem: Problem | None = Problem("self-signed", depth=0)
        else:
            problem = self._faultInItself(chain)
        if problem is None and meanings is None:
            # Of a server signatures are not verified: its clients are strangers, and could make it do so at will.
            isClient = self._isClient
            problem = self._foreignIssuer(chain) or self.wronglySigned if isClient else self._anotherName(chain[0])
        return problem if problem is not None and problem.code in (CODES if meanings is None else meanings) else None

    def told(self, problem: Problem) -> str:
        """Return a refusal of ours as a phrase: which certificate, what the peer asks for, and what we have.

        Never raises: a name that cannot be read is left out.
        """
        try:
            facts = self._facts(problem)
        except Exception:
            facts = problem.detail
        return facts

    def asEvidence(self, depth: int = 0) -> dict[str, Any]:
        """Return the certificate that a failure is about, as arguments of it; nothing where we have shown none."""
        chain = self.chain
        if not chain or (self._isClient and not self._channel.certificateSent):
            return {}
        return {"certificate": certificateFacts(chain[depth]), "depth": depth}

    @property
    def _accepted(self) -> Sequence[x509.Name]:
        """The names on the server's list of authorities; of one that is very long only those of our own chain."""
        if not self._isClient:
            return ()
        if self._named is None and (count := self._channel.countOfAuthorities):
            if count <= _MOST_ACCEPTED:
                self._named = self._raw.get_client_ca_list(as_cryptography=True)
            else:
                # To read four thousand names takes as long as a hundred handshakes.
                encoded = self._channel.acceptedAuthorities
                self._named = [each.issuer for each in self.chain if each.issuer.public_bytes() in encoded]
        return self._named or ()

    def _faultInItself(self, chain: Sequence[x509.Certificate]) -> Problem | None:
        """Return the first problem that our chain has in itself."""
        now = datetime.now(timezone.utc)
        return next(chainProblems(chain, "client" if self._isClient else "server", now), None)

    def _foreignIssuer(self, chain: Sequence[x509.Certificate]) -> Problem | None:
        """Return whether the server's list of acceptable authorities has none of those in our chain."""
        accepted = self._accepted
        if not accepted or any(certificate.issuer in accepted for certificate in chain):
            return None
        return Problem("unknown-issuer", depth=0)

    def _anotherName(self, certificate: x509.Certificate) -> Problem | None:
        """Return whether our certificate is for other names than the one that the client asked for."""
        askedFor = text(self._raw.get_servername())
        return None if askedFor is None else nameProblem(certificate, askedFor)

    def _facts(self, problem: Problem) -> str:
        if self.isMissing and problem.code in ("no-certificate", "refused"):
            parts = [problem.detail, self._acceptedText]
        elif not (chain := self.chain) or (self._isClient and not self._channel.certificateSent):
            parts = [problem.detail]
        elif problem.code in _ABOUT_ISSUERS:
            parts = [problem.detail, issuedText(chain[problem.depth]), self._peersSide(problem.code, chain)]
        else:
            certificate = chain[problem.depth]
            whose, said = (
                subjectText(certificate),
                problem.detail or factFor(problem.code, certificate, datetime.now(timezone.utc)),
            )
            parts = [f"{whose}, {said}" if said else whose]
        return "; ".join(part for part in parts if part)

    def _peersSide(self, code: str, chain: Sequence[x509.Certificate]) -> str:
        if self._isClient:
            missing = _unsentIssuer(chain) if code == "unknown-issuer" else ""
            return "; ".join(part for part in (missing, self._acceptedText) if part)
        asked = text(self._raw.get_servername())
        return f"the client asked for {asked}" if asked else "the client asked for no name"

    @property
    def _acceptedText(self) -> str:
        if accepted := self._accepted:
            return f"the server accepts {authoritiesText(accepted)}"
        return "the server does not say which authorities it accepts"


def text(name: bytes | None) -> str | None:
    """Return a name that a peer chose, printable."""
    return None if name is None else printable(name.decode("utf-8", "replace"))


def _unsentIssuer(chain: Sequence[x509.Certificate]) -> str:
    """Say that an issuer was not sent, which is no mistake where the peer has it."""
    last = chain[-1]
    return "" if last.issuer == last.subject else "we sent no certificate of that issuer" if len(chain) == 1 else ""


def factFor(code: str, certificate: x509.Certificate, now: datetime) -> str:
    """Return what a certificate says of what a peer says of it; nothing where that is not in it.

    Args:
        code: of what the peer says.
        certificate: the certificate.
        now: what the clock here shows, or showed then.
    """
    if code in ("expired", "not-yet-valid"):
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return f"it is valid from {timeText(begins)} to {timeText(ends)}, and the clock here shows {timeText(now)}"
    if code == "wrong-purpose":
        purposes = parsedCertificate(certificate).purposes
        return "it has no extended key usage" if purposes is None else f"its purposes are {purposesText(purposes)}"
    if code == "revoked":
        return f"serial number {certificate.serial_number:x}, issued by {certificateFacts(certificate).issuer}"
    return ""
