"""A finished trace: what was seen of one connection, and what it means."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import Literal

from tlscomm._capture.packets import Address
from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event
from tlscomm.failures import Problem, TLSFailure
from tlscomm.tracing._jsonforms import addressJSON, eventJSON, secondsBetween, timeJSON

__all__ = ["CertificateSeen", "Choice", "Span", "Trace", "Verdict"]

#: Names of a certificate that are told.
_MOST_NAMES = 32

Side = Literal["client", "server"]
Outcome = Literal["accepted", "refused", "failed", "unfinished"]
Certainty = Literal["certain", "inferred", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """How a connection ended, as far as can be told.

    Attributes:
        outcome: ``accepted``: both sides have accepted each other. ``refused``: one side did not accept what the other
            presented or offered. ``failed``: it broke off for another reason. ``unfinished``: the capture ends, or has
            too little, before it is decided.
        code: of the closed list of failures, None where there was none, or where it is not known which.
        by: the side that refused or broke off, None where none did.
        certainty: ``certain`` where the messages themselves say so; ``inferred`` where it rests on the sizes and the
            order of sealed records, and may be wrong; ``unknown`` where nothing can be said.
        sentence: what happened, in one sentence that names the actor.
        turn: whose turn it is to change something, None where there is nothing to do or it cannot be told.
        nextStep: what that side should do, as one or more sentences; empty where there is nothing to do.
        evidence: what it rests on, a phrase each.
        event: the index in `Trace.events` of where it fell, or None.
    """

    outcome: Outcome
    code: str | None = None
    by: Side | None = None
    certainty: Certainty = "certain"
    sentence: str = ""
    turn: Side | None = None
    nextStep: str = ""
    evidence: tuple[str, ...] = ()
    event: int | None = None

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {**asdict(self), "evidence": list(self.evidence)}


@dataclass(frozen=True)
class Choice:
    """One thing that was negotiated.

    Attributes:
        subject: ``version``, ``cipher suite``, ``group``, ``signature algorithm``, ``application protocol``, ``server
            name``, ``fingerprint (JA4)``, ``certificate authorities``, …
        offered: what the offering side named, in its order, as text.
        offeredBy: the side that offered; a server offers the signatures and authorities of its CertificateRequest.
        chosen: what was chosen, or None where nothing was or it was not seen.
    """

    subject: str
    offered: tuple[str, ...]
    offeredBy: Side
    chosen: str | None

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {**asdict(self), "offered": list(self.offered)}


@dataclass(frozen=True)
class CertificateSeen:
    """One certificate of a chain that was shown.

    Attributes:
        depth: 0 for the side's own, 1 for what came next, and so on.
        subject: printable.
        issuer: printable.
        serial: in hexadecimal.
        notBefore: ISO 8601 in UTC.
        notAfter: ISO 8601 in UTC.
        names: its subject alternative names as ``kind:value``, printable.
        fingerprint: ``sha256:`` and the digest in hexadecimal.
        key: the kind of its key, ``ECDSA P-256`` or ``RSA 2048`` for example.
        der: the certificate itself.
        problems: what is wrong with it, judged at the time of the trace; with the authorities that were given, if any.
    """

    depth: int
    subject: str
    issuer: str
    serial: str
    notBefore: str
    notAfter: str
    names: tuple[str, ...]
    fingerprint: str
    key: str
    der: bytes
    problems: tuple[Problem, ...] = ()

    def toJSON(self, *, der: bool = False) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON.

        Args:
            der: whether the certificate itself is told, in base64.
        """
        told = {
            "depth": self.depth,
            "subject": self.subject,
            "issuer": self.issuer,
            "serial": self.serial,
            "notBefore": self.notBefore,
            "notAfter": self.notAfter,
            "names": list(self.names[:_MOST_NAMES]),
            "fingerprint": self.fingerprint,
            "key": self.key,
            "problems": [problem.toJSON() for problem in self.problems],
        }
        return {**told, "der": b64encode(self.der).decode("ascii")} if der else told


@dataclass(frozen=True)
class Span:
    """One phase of the connection.

    Attributes:
        name: ``TCP``, ``key exchange``, ``authentication``, ``acceptance``, ``data``, ``close``.
        began: nanoseconds since 1970.
        ended: the same.
        roundTrips: how often the client waited in it for an answer, as far as messages tell.
        bytesFromClient: on the wire, without TCP's headers.
        bytesFromServer: the same.
    """

    name: str
    began: int
    ended: int
    roundTrips: float
    bytesFromClient: int
    bytesFromServer: int

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {
            "name": self.name,
            "began": timeJSON(self.began),
            "ended": timeJSON(self.ended),
            "seconds": secondsBetween(self.began, self.ended),
            "roundTrips": self.roundTrips,
            "bytesFromClient": self.bytesFromClient,
            "bytesFromServer": self.bytesFromServer,
        }


@dataclass(frozen=True)
class Trace:
    """What was seen of one connection.

    Attributes:
        number: of the connection: in a capture, from 1 in the order in which they begin.
        client: its address, None where it is not known.
        server: the same.
        side: the side that traced itself, None for a capture.
        events: what was seen, in order, bounded.
        verdict: how it ended.
        failure: of a live trace, what the connection ended with; else None.
        choices: what was offered and what was chosen.
        clientCertificates: the chain that the client showed; empty where it showed none, or it could not be read.
        serverCertificates: the same of the server.
        spans: its phases, in order.
        hasSecrets: whether sealed records could be opened.
    """

    number: int
    client: Address | None
    server: Address | None
    side: Side | None
    events: tuple[Event, ...]
    verdict: Verdict
    failure: TLSFailure | None = None
    choices: tuple[Choice, ...] = ()
    clientCertificates: tuple[CertificateSeen, ...] = ()
    serverCertificates: tuple[CertificateSeen, ...] = ()
    spans: tuple[Span, ...] = ()
    hasSecrets: bool = False

    def toJSON(
        self, *, events: bool = True, fields: bool = True, der: bool = False, applicationData: bool = False
    ) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON. No secret is in it.

        Args:
            events: whether what was seen is told, one by one.
            fields: whether the messages in it are decoded.
            der: whether the certificates themselves are told, in base64, and not only what they say.
            applicationData: whether application data is told, as far as it was kept.
        """
        began = self.events[0].time if self.events else 0
        told: dict[str, object] = {
            "connection": self.number,
            "client": addressJSON(self.client),
            "server": addressJSON(self.server),
            "side": self.side,
            "began": timeJSON(began) if self.events else None,
            "seconds": secondsBetween(began, self.events[-1].time) if self.events else None,
            "hasSecrets": self.hasSecrets,
            "verdict": self.verdict.toJSON(),
            "failure": None if self.failure is None else self.failure.toJSON(),
            "choices": [choice.toJSON() for choice in self.choices],
            "clientCertificates": [each.toJSON(der=der) for each in self.clientCertificates],
            "serverCertificates": [each.toJSON(der=der) for each in self.serverCertificates],
            "spans": [span.toJSON() for span in self.spans],
        }
        if events:
            seen = [eventJSON(each, began, fields=fields, applicationData=applicationData) for each in self.events]
            told["events"] = seen
        return told
