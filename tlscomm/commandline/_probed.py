"""What a probe has found, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlscomm.commandline._printing import Row, Styled, heading, table
from tlscomm.failures import Problem, TLSFailure
from tlscomm.probing import ClientCertificates, Findings, Spoken, Tried
from tlscomm.tracing import CertificateSeen

__all__ = ["probed"]

#: Names of authorities that a person is shown.
_MOST_AUTHORITIES = 20

_MOST_NAMES = 12

_DEMANDS = {
    "none": ("none are asked for", "green"),
    "requested": ("requested, and it goes on without one", "yellow"),
    "required": ("required", "bold"),
    "probably required": ("probably required", "bold"),
    "unknown": ("not found out", "yellow"),
}

_OUTCOMES = {
    **{"accepted": "green", "doubtful": "yellow", "refused": "bold red", "failed": "bold red"},
    **{"not asked": "", "not shown": "yellow", "not tried": "yellow", "unusable": "red"},
}


def probed(findings: Findings) -> Iterator[Any]:
    """Give what to print of what was found."""
    if findings.failure is not None:
        # It is said below, and nothing else is known.
        return
    yield heading(f"{findings.address}, asked for as {findings.serverName}")
    yield table([*_versions(findings), ("Connections", str(findings.connections))])
    if findings.chain:
        yield ""
        yield heading("The server presents")
        yield table([row for each in findings.chain for row in _certificate(each)])
        yield table([("Verdict", _verdict(findings))])
    yield ""
    yield heading("The server demands")
    yield table(_demands(findings.clientCertificates))
    if findings.tried:
        yield ""
        yield heading("Identities")
        yield table([row for each in findings.tried for row in _tried(each)])


def _versions(findings: Findings) -> Iterator[Row]:
    for spoken in findings.versions:
        yield spoken.version, Styled(*_version(spoken))
    if findings.protocols:
        chosen = next((each.protocol for each in findings.versions if each.protocol), None)
        yield "ALPN", f"{chosen or 'none'}, of {', '.join(findings.protocols)}"
    if findings.groups:
        yield "Groups", ", ".join(findings.groups)
    if findings.suites:
        yield "Suites", "\n".join(findings.suites)


def _version(spoken: Spoken) -> Iterator[str | tuple[str, str]]:
    if spoken.isSpoken is None:
        yield "not found out"
    elif not spoken.isSpoken:
        yield "not spoken"
    else:
        facts = (spoken.suite, spoken.group, spoken.signature)
        yield ", ".join(fact for fact in facts if fact) or "spoken"
    if spoken.isOutdated:
        yield "; tlscomm's own clients offer none of its suites", "yellow"
    if spoken.failure is not None:
        yield _inShort(spoken.failure)


def _inShort(failure: TLSFailure) -> tuple[str, str]:
    return f"; {failure.code}: {failure.message}", "red"


def _certificate(seen: CertificateSeen) -> Iterator[Row]:
    yield f"{seen.depth}  Subject", seen.subject
    if seen.names:
        more = len(seen.names) - _MOST_NAMES
        yield "   Names", ", ".join((*seen.names[:_MOST_NAMES], *([f"and {more} more"] if more > 0 else ())))
    yield "   Issuer", seen.issuer
    yield "   Valid", f"{seen.notBefore} to {seen.notAfter}"
    yield "   Key", seen.key
    yield "   Digest", seen.fingerprint


def _verdict(findings: Findings) -> Styled:
    if not findings.wasJudged:
        return Styled("not judged")
    if not findings.problems:
        return Styled(("accepted", "green"), ", by the authorities that were given or the system's")
    return Styled(*(part for number, each in enumerate(findings.problems) for part in _problem(each, number)))


def _problem(problem: Problem, number: int) -> Iterator[str | tuple[str, str]]:
    if number:
        yield "\n"
    yield problem.code, "red"
    yield "".join(f": {part}" for part in (problem.subject, problem.detail) if part)


def _demands(demanded: ClientCertificates) -> Iterator[Row]:
    text, style = _DEMANDS[demanded.demand]
    yield "Certificates", Styled((text, style))
    if demanded.evidence:
        yield "", demanded.evidence
    if demanded.demand == "none":
        return
    shown = demanded.authorities[:_MOST_AUTHORITIES]
    for number, name in enumerate(shown):
        yield "" if number else "Issued by", name
    if left := demanded.authorityCount - len(shown):
        yield ("", f"and {left} more; --json has up to 256") if shown else ("Issued by", "any authority")
    elif not shown and demanded.demand != "unknown":
        yield "Issued by", "it names none: any that it trusts"
    if demanded.signatures:
        yield "Signatures", ", ".join(demanded.signatures)


def _tried(tried: Tried) -> Iterator[Row]:
    yield tried.source, Styled((tried.outcome, _OUTCOMES[tried.outcome]))
    if tried.failure is not None:
        yield "", f"{tried.failure.code}: {tried.failure.message}"
    if tried.detail and (tried.failure is None or tried.detail != tried.failure.message):
        yield "", tried.detail
    if tried.failure is not None:
        yield "", tried.failure.nextStep
