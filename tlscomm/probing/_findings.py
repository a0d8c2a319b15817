"""What a probe has found out, worked out of what its connections have shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from tlscomm._dataclasses import dataclass
from tlscomm._wire.names import signatureAlgorithmsText
from tlscomm._wire.requests import readCertificateRequest
from tlscomm.credentials import Credential, PeerCapabilities
from tlscomm.failures import Problem, TLSFailure, printable
from tlscomm.probing._visit import Visit
from tlscomm.tracing import CertificateSeen, Trace
from tlscomm.x509._distinguishednames import decodedName
from tlscomm.x509._facts import certificateFacts

__all__ = ["ClientCertificates", "Demand", "Findings", "Spoken", "Tried"]

Outcome = Literal["accepted", "doubtful", "refused", "not asked", "not shown", "not tried", "unusable", "failed"]

Demand = Literal["none", "requested", "required", "probably required", "unknown"]

#: Names of authorities that are told; the others are counted.
MOST_AUTHORITIES = 256
_LONGEST_NAME = 200

MOST_SIGNATURES = 64

_TLS_1_3 = "TLSv1.3"
_NEEDED = "no-certificate"


@dataclass(frozen=True)
class Spoken:
    """How the server speaks one version of TLS.

    Attributes:
        version: ``TLSv1.3`` or ``TLSv1.2``.
        isSpoken: whether it speaks it; None where that was not found out.
        suite: the cipher suite that it chose, in IANA's name, or None.
        group: the key exchange group that it chose, or None.
        signature: the algorithm that it signed with, or None.
        protocol: the application protocol that it chose, or None.
        failure: why the handshake failed, where it did.
        isOutdated: whether it speaks it with suites alone that tlscomm's own clients never offer: without forward
            secrecy, or without authenticated encryption.
    """

    version: str
    isSpoken: bool | None
    suite: str | None = None
    group: str | None = None
    signature: str | None = None
    protocol: str | None = None
    failure: TLSFailure | None = None
    isOutdated: bool = False

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {
            "version": self.version,
            "isSpoken": self.isSpoken,
            "suite": self.suite,
            "group": self.group,
            "signature": self.signature,
            "protocol": self.protocol,
            "isOutdated": self.isOutdated,
            "failure": None if self.failure is None else self.failure.toJSON(),
        }


@dataclass(frozen=True)
class ClientCertificates:
    """What the server demands of its clients.

    Attributes:
        demand: ``none``: it asks for no certificate. ``requested``: it asks for one, and accepted a client without one.
            ``required``: it refused a client without one, by an alert. ``probably required``: it ended the connection
            of a client without one, and did not say why. ``unknown``: it was not found out.
        evidence: what that rests on, a sentence.
        authorities: the names of the authorities that it says it accepts; of many the first 256. None: any.
        authorityCount: how many it names.
        signatures: the signature algorithms that it can verify.
    """

    demand: Demand
    evidence: str = ""
    authorities: tuple[str, ...] = ()
    authorityCount: int = 0
    signatures: tuple[str, ...] = ()

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {
            "demand": self.demand,
            "evidence": self.evidence,
            "authorities": list(self.authorities),
            "authorityCount": self.authorityCount,
            "signatures": list(self.signatures),
        }


@dataclass(frozen=True)
class Tried:
    """One of our credentials, shown to the server.

    Attributes:
        source: where it comes from.
        outcome: ``accepted``; ``doubtful``, where the handshake was completed with it, and it is not what the server
            says it accepts; ``refused``, where the server did not accept it; ``not asked``, where the server asks for
            none; ``not shown``, where it did not fit what the server asked for; ``not tried``, where the server was not
            accepted itself, and so was shown nothing; ``unusable``, where we could not show it, so that no connection
            was made; ``failed``, where it cannot be said.
        detail: a sentence about it, where there is more to say.
        failure: what the connection ended with, or None.
    """

    source: str
    outcome: Outcome
    detail: str = ""
    failure: TLSFailure | None = None

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        failure = None if self.failure is None else self.failure.toJSON()
        return {"source": self.source, "outcome": self.outcome, "detail": self.detail, "failure": failure}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a server presents and demands.

    Attributes:
        address: where it is, as text; empty where there was no connection.
        serverName: the name that was asked for.
        versions: how it speaks each version, the newest first.
        protocols: the application protocols that it was offered.
        chain: the certificates that it shows, its own first.
        problems: what a client that trusts the given authorities would refuse it for; none where it would not.
        wasJudged: whether there was a chain to judge.
        clientCertificates: what it demands of clients.
        groups: the key exchange groups that it accepts, the preferred ones first; empty where that was not asked.
        suites: the same of cipher suites.
        tried: our credentials.
        connections: how many connections were made.
        failure: why nothing was found out, or None.
    """

    address: str
    serverName: str
    versions: tuple[Spoken, ...] = ()
    protocols: tuple[str, ...] = ()
    chain: tuple[CertificateSeen, ...] = ()
    problems: tuple[Problem, ...] = ()
    wasJudged: bool = False
    clientCertificates: ClientCertificates = ClientCertificates("unknown")
    groups: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    tried: tuple[Tried, ...] = ()
    connections: int = 0
    failure: TLSFailure | None = None

    def toJSON(self) -> dict[str, object]:
        """Return it for a program; every value can be written as JSON."""
        return {
            "address": self.address,
            "serverName": self.serverName,
            "connections": self.connections,
            "versions": [each.toJSON() for each in self.versions],
            "protocols": list(self.protocols),
            "groups": list(self.groups),
            "suites": list(self.suites),
            "chain": [each.toJSON(der=True) for each in self.chain],
            "trusted": not self.problems if self.wasJudged else None,
            "problems": [each.toJSON() for each in self.problems],
            "clientCertificates": self.clientCertificates.toJSON(),
            "identities": [each.toJSON() for each in self.tried],
            "failure": None if self.failure is None else self.failure.toJSON(),
        }


def chosenIn(visit: Visit, subject: str) -> str | None:
    """Return what a server chose of one thing that the client offered, or None."""
    return _choices(visit.trace).get((subject, "client"))


def offeredIn(visit: Visit, subject: str) -> tuple[str, ...]:
    """Return what the client offered of one thing, by its names."""
    choices = () if visit.trace is None else visit.trace.choices
    return next((each.offered for each in choices if (each.subject, each.offeredBy) == (subject, "client")), ())


def spokenIn(version: str, visit: Visit) -> Spoken:
    """Return how a server speaks a version, by a connection in which it was the newest that was offered."""
    chosen = _choices(visit.trace)
    agreed = chosen.get(("version", "client"))
    if agreed is None:
        isSpoken = False if visit.failure is not None and visit.failure.code == "no-common-version" else None
        return Spoken(version, isSpoken, failure=visit.failure)
    return Spoken(
        version,
        _sameVersion(agreed, version),
        chosen.get(("cipher suite", "client")),
        chosen.get(("group", "client")),
        chosen.get(("signature algorithm", "client")),
        chosen.get(("application protocol", "client")),
        # That we have no certificate says nothing about the version.
        None if visit.facts is not None or _isAboutUs(visit) else visit.failure,
    )


def demandIn(visit: Visit) -> ClientCertificates:
    """Return what a server demands of its clients, by a connection of a client without a certificate."""
    request = _request(visit.trace)
    if request is None:
        if visit.facts is not None:
            return ClientCertificates("none", NOT_ASKED)
        return ClientCertificates("unknown", "The handshake ended before the server could ask.")
    isTLS13, message = request
    read = readCertificateRequest(message, isTLS13=isTLS13)
    demand, evidence = _demand(visit, isTLS13)
    return ClientCertificates(
        demand,
        evidence,
        tuple(_nameText(each) for each in sorted(read.authorities)[:MOST_AUTHORITIES]),
        len(read.authorities),
        tuple(signatureAlgorithmsText([each]) for each in (read.signatureAlgorithms or ())[:MOST_SIGNATURES]),
    )


def triedIn(source: str, visit: Visit, misfits: Sequence[str] = ()) -> Tried:
    """Return what a server says to a credential, by a connection that had it to show.

    Args:
        source: where the credential comes from.
        visit: the connection.
        misfits: what the server asked for that the credential is not (`misfitsOf`).
    """
    if visit.failure is not None:
        isRefusal = isRefused(visit.failure)
        if isRefusal and visit.failure.code == _NEEDED:
            return Tried(source, "not shown", " ".join(misfits) or _NOT_SHOWN, visit.failure)
        # What is said of an unknown issuer names the authorities.
        told = () if visit.failure.code == "unknown-issuer" else misfits
        return Tried(source, "refused" if isRefusal else "failed", " ".join(told), visit.failure)
    if _request(visit.trace) is None:
        return Tried(source, "not asked", NOT_ASKED)
    if visit.trace is not None and not visit.trace.clientCertificates:
        return Tried(source, "not shown", " ".join(misfits) or _NOT_SHOWN)
    assumed = (_ASSUMED,) if visit.facts is not None and visit.facts.acceptance == "assumed" else ()
    if misfits:
        return Tried(source, "doubtful", " ".join((*misfits, *assumed, _ABOVE)))
    return Tried(source, "accepted", " ".join(assumed))


def misfitsOf(credential: Credential | None, visit: Visit) -> tuple[str, ...]:
    """Return, a sentence each, what a server asked for that a credential is not; nothing where it asked for none."""
    request = _request(visit.trace)
    if request is None or credential is None:
        return ()
    isTLS13, message = request
    asked = PeerCapabilities.ofServer(message, isTLS13=isTLS13)
    misfits = []
    if not asked.canVerify(credential.certificate):
        misfits.append("Its key makes no signature that the server can verify.")
    if not asked.accepts(credential):
        issuer = certificateFacts((credential.certificate, *credential.chain)[-1]).issuer
        misfits.append(f"It leads to {issuer}, which is not among the authorities that the server names.")
    return tuple(misfits)


def isRefused(failure: TLSFailure) -> bool:
    """Return whether a server has refused the client, and not the other way round."""
    return failure.side == "remote" and failure.stage in ("handshake", "authorization")


NOT_ASKED = "The server asked for no certificate."

_NOT_SHOWN = (
    "It was not shown: its issuer is not among the authorities that the server names, or its key makes no signature "
    "that the server can verify."
)

_ABOVE = "TLS let it pass all the same. A server that judges above TLS, as nginx does, refuses it there."

_ASSUMED = "The server gave no sign in time; that was taken for acceptance."


_SILENT_END = (
    "The server asked for one, was given none, and ended the connection without an alert. Some servers refuse so; one "
    "whose backend is away does the same."
)


def _demand(visit: Visit, isTLS13: bool) -> tuple[Demand, str]:
    if visit.failure is not None:
        if not _hasAnswered(visit.trace):
            return "unknown", f"The server asked for one, and did not come as far as our answer: {visit.failure.code}."
        if isRefused(visit.failure) and (alert := visit.failure.alert) is not None:
            return "required", f"The server refused a client without one, by the alert {alert.name} ({alert.number})."
        if isRefused(visit.failure):
            return "probably required", _SILENT_END
        return "unknown", f"The server asked for one, and then the connection failed: {visit.failure.code}."
    if visit.facts is not None and visit.facts.acceptance == "assumed":
        return "requested", (
            "The server asked for one, was given none, and said neither yes nor no for as long as the probe waited."
        )
    return "requested", (
        "The server asked for one, and completed the handshake without. Whether it serves such a client is decided "
        "above TLS: nginx and others answer it with an error of HTTP."
    )


def _hasAnswered(trace: Trace | None) -> bool:
    """Return whether the client has sent its Certificate, which may be empty (RFC 8446, section 4.4.2)."""
    events = () if trace is None else trace.events
    return any(event.isFromClient and event.name == "Certificate" for event in events)


def _isAboutUs(visit: Visit) -> bool:
    return visit.failure is not None and isRefused(visit.failure) and _hasAnswered(visit.trace)


def _request(trace: Trace | None) -> tuple[bool, bytes] | None:
    """Return the CertificateRequest that was seen, and whether it is one of TLS 1.3."""
    for event in () if trace is None else trace.events:
        if event.name == "CertificateRequest" and not event.isFromClient:
            return event.version == _NUMBER_1_3, event.content
    return None


_NUMBER_1_3 = 0x0304


def _choices(trace: Trace | None) -> dict[tuple[str, str], str | None]:
    return {} if trace is None else {(each.subject, each.offeredBy): each.chosen for each in trace.choices}


def _sameVersion(agreed: str, version: str) -> bool:
    return agreed.replace("TLS ", "TLSv").replace("TLSv ", "TLSv") == version


def _nameText(encoded: bytes) -> str:
    try:
        return printable(decodedName(encoded).rfc4514_string(), _LONGEST_NAME)
    except ValueError:
        return f"a name that cannot be read, of {len(encoded)} bytes"


def connectionsIn(visits: Iterable[Visit]) -> int:
    """Return how many of them have reached the server."""
    return sum(each.trace is not None for each in visits)


def firstTrace(visits: Sequence[Visit]) -> Trace | None:
    """Return the first trace with a chain of the server's, or else the first of all."""
    traces = [each.trace for each in visits if each.trace is not None]
    return next((each for each in traces if each.serverCertificates), traces[0] if traces else None)
