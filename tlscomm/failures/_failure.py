"""What all failures have in common, and the groups that there are."""

from __future__ import annotations

from dataclasses import asdict, field
from typing import Any, ClassVar, Literal

from tlscomm._dataclasses import dataclass
from tlscomm.failures._alerts import Alert

__all__ = [
    "CertificateFacts",
    "CertificateFailure",
    "ConnectionFailure",
    "CredentialFailure",
    "MessageFailure",
    "NegotiationFailure",
    "Problem",
    "Side",
    "Stage",
    "TLSFailure",
    "printable",
]


Side = Literal["local", "remote"]
Stage = Literal["credential", "connect", "handshake", "authorization", "message", "close"]


#: Characters of what a failure tells in detail, and of each thing that the libraries below said.
_LONGEST_DETAIL = 2000
_LONGEST_EVIDENCE = 500
#: Pieces of evidence, problems and certificates of a failure, and names of a certificate in a log line.
_MOST_EVIDENCE = 16
_MOST_PROBLEMS = 32
_MOST_CERTIFICATES = 16
_MOST_NAMES = 32


def printable(text: str, limit: int = 200) -> str:
    """Return hostile text on one line, without anything that a terminal or a log would obey.

    Args:
        text: anything, a name out of a peer's certificate for one.
        limit: the most characters of it that are kept.
    """
    # The first cut bounds the work on a name of megabytes, the second the result.
    escaped = text[: limit + 1]
    if not escaped.isprintable():
        escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in escaped)
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


@dataclass(frozen=True)
class CertificateFacts:
    """What a failure keeps of a certificate: enough to find it, all of it printable, and its bytes.

    Attributes:
        subject: the distinguished name (RFC 4514), printable.
        issuer: the issuer's distinguished name, printable.
        serial: the serial number in hexadecimal.
        notBefore: the first second of its validity, ISO 8601 in UTC.
        notAfter: the last second of its validity, ISO 8601 in UTC.
        fingerprint: ``sha256:`` and the digest of the certificate in hexadecimal.
        names: its subject alternative names as ``kind:value``, printable.
        der: the certificate itself.
    """

    subject: str
    issuer: str
    serial: str
    notBefore: str
    notAfter: str
    fingerprint: str
    names: tuple[str, ...] = ()
    der: bytes = b""

    def toJSON(self, mostNames: int | None = None) -> dict[str, object]:
        """Return everything but the bytes, for a log line.

        Args:
            mostNames: how many of the alternative names, all where None; of the others only the number.
        """
        facts = asdict(self)
        del facts["der"]
        if mostNames is not None and len(self.names) > mostNames:
            facts["names"] = (*self.names[:mostNames], f"and {len(self.names) - mostNames} more")
        return facts


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a chain. A refused chain often has several.

    Attributes:
        code: the failure code.
        depth: 0 for the peer's own certificate, 1 for its issuer, and so on.
        subject: whose certificate it is, printable.
        detail: what exactly, as a phrase; may be empty.
        opensslError: OpenSSL's verification error number, or None where tlscomm found it.
        remedy: what to do in this very case; what the code says of all its cases where it is empty.
    """

    code: str
    depth: int
    subject: str = ""
    detail: str = ""
    opensslError: int | None = None
    remedy: str = field(default="", compare=False)

    def toJSON(self) -> dict[str, object]:
        """Return everything but the remedy, which the failure tells that is made of it."""
        facts = asdict(self)
        del facts["remedy"]
        return facts


class TLSFailure(Exception):
    """What all failures have in common.

    Two failures are equal when they have the same code: the rest is evidence. What a stranger may have written is
    printable in each of its texts, and bounded.

    Args:
        detail: what exactly happened, as a phrase that completes the sentence of the code. Never holds a secret.
        side: ``local`` where we refused or broke, ``remote`` where the peer did.
        stage: where in the life of a connection; the code's usual stage where None is given.
        alert: the TLS alert that was sent or received.
        certificate: the certificate that is at fault.
        depth: its place in the chain, 0 for the end entity's own.
        peer: the peer's address, as text.
        opensslError: OpenSSL's verification error number, as evidence.
        evidence: what the libraries below said, in their own words, as evidence.
        problems: everything that was found wrong, where the refusal was ours.
        chain: the peer's chain as far as it is known, the end entity's certificate first.
        remedy: what to do in this very case; what the code says of all its cases where it is empty.
        whose: what the sentence is about, where that is neither our certificate nor the peer's.
    """

    code: ClassVar[str]
    #: What happened. ``{whose}`` becomes "our certificate" or "the peer's certificate", or the issuing certificate that
    #: is at fault; ``{owner}`` becomes "our" or "the peer's".
    summary: ClassVar[str]
    #: What to do where the mistake is on our side: our own credential, or a refusal by the peer.
    ours: ClassVar[str]
    #: What to do where the peer is at fault.
    theirs: ClassVar[str]
    #: What to do in the words of one who has only watched, where the other steps are made of options of tlscomm, which
    #: the programs that were watched need not have.
    general: ClassVar[str] = ""
    #: How to make it happen.
    reproduce: ClassVar[str]
    #: Whether an operator has to change something before another try can succeed.
    permanent: ClassVar[bool]
    usualStage: ClassVar[Stage]

    def __init__(
        self,
        detail: str = "",
        *,
        side: Side = "local",
        stage: Stage | None = None,
        alert: Alert | None = None,
        certificate: CertificateFacts | None = None,
        depth: int | None = None,
        peer: str | None = None,
        opensslError: int | None = None,
        evidence: tuple[str, ...] = (),
        problems: tuple[Problem, ...] = (),
        chain: tuple[CertificateFacts, ...] = (),
        remedy: str = "",
        whose: str = "",
    ) -> None:
        detail = printable(detail, _LONGEST_DETAIL)
        super().__init__(detail)
        self.detail = detail
        self.side = side
        self.stage: Stage = self.usualStage if stage is None else stage
        self.alert = alert
        self.certificate = certificate
        self.depth = depth
        self.peer = peer
        self.opensslError = opensslError
        self.evidence = tuple(printable(each, _LONGEST_EVIDENCE) for each in evidence[:_MOST_EVIDENCE])
        self.problems = problems[:_MOST_PROBLEMS]
        self.chain = chain[:_MOST_CERTIFICATES]
        self.remedy = remedy
        self.whose = whose

    @property
    def message(self) -> str:
        """What happened, as one sentence."""
        sentence = self._summary().format(whose=self._whose(), owner=self._owner())
        if self.side == "remote" and self._judgesUs:
            sentence = f"the peer refused us: {sentence}"
        if self.detail:
            sentence = f"{sentence}: {self.detail}"
        return sentence[:1].upper() + sentence[1:] + "."

    def told(self, owner: str, judge: str, *, isRefusal: bool, said: str = "") -> str:
        """Return what happened as one sentence of a third party, who has only watched the connection.

        Args:
            owner: the side whose certificate, offer or turn it was: ``client`` or ``server``.
            judge: the other side, which refused it or broke off.
            isRefusal: whether that side refused.
            said: what to say in the place of the failure's own summary, if anything.
        """
        whose = f"an issuing certificate in the {owner}'s chain" if self.depth else f"the {owner}'s certificate"
        said = (said or self._summary()).format(whose=whose, owner=f"the {owner}'s").replace("the peer", f"the {owner}")
        said = said.replace("our certificate", f"the {owner}'s certificate").replace("our data", f"the {judge}'s data")
        parts = [f"the {judge} refused the {owner}"] if isRefusal else []
        sentence = ": ".join([*parts, said, *([self.detail] if self.detail else [])])
        return sentence[:1].upper() + sentence[1:] + "."

    @property
    def nextStep(self) -> str:
        """What to do about it, as one or more sentences."""
        return self.remedy or (self.ours if self._isOurs() else self.theirs)

    def toJSON(self) -> dict[str, object]:
        """Return the failure for a log line or a program; every value can be written as JSON."""
        return {
            "code": self.code,
            "side": self.side,
            "stage": self.stage,
            "message": self.message,
            "nextStep": self.nextStep,
            "permanent": self.permanent,
            "alert": None if self.alert is None else self.alert.toJSON(),
            "certificate": None if self.certificate is None else self.certificate.toJSON(_MOST_NAMES),
            "depth": self.depth,
            "peer": self.peer,
            "opensslError": self.opensslError,
            "evidence": list(self.evidence),
            "problems": [problem.toJSON() for problem in self.problems],
            "chain": [certificate.toJSON(_MOST_NAMES) for certificate in self.chain],
        }

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.side} {self.stage}: {self.message}>"

    def __eq__(self, other: object) -> bool:
        return self.code == other.code if isinstance(other, TLSFailure) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.code)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.detail,), self.__dict__

    def _summary(self) -> str:
        return self.summary

    @property
    def _judgesUs(self) -> bool:
        return isinstance(self, CertificateFailure | NegotiationFailure)

    def _isOurs(self) -> bool:
        return self.stage == "credential" or self.side == "remote"

    def _owner(self) -> str:
        return "our" if self._isOurs() else "the peer's"

    def _whose(self) -> str:
        if self.whose:
            return self.whose
        return f"an issuing certificate in {self._owner()} chain" if self.depth else f"{self._owner()} certificate"


class CredentialFailure(TLSFailure):
    """A credential of our own cannot be read or used. No network was involved."""

    usualStage: ClassVar[Stage] = "credential"
    permanent = True


class CertificateFailure(TLSFailure):
    """A certificate, the peer's or our own, is not accepted."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = True


class NegotiationFailure(TLSFailure):
    """The two sides do not speak the same protocol."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = True


class ConnectionFailure(TLSFailure):
    """The connection broke, or something took too long. Another try may succeed."""

    usualStage: ClassVar[Stage] = "handshake"
    permanent = False


class MessageFailure(TLSFailure):
    """The bytes that were exchanged are not messages that both sides can accept."""

    usualStage: ClassVar[Stage] = "message"
    permanent = True
