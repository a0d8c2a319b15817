"""A trace without names, addresses and serial numbers, to be given away.

The messages are redacted, and what is said of them is said anew from the redacted ones: names, choices, certificates.
How the connection ended, and what is wrong with which certificate, is kept as a code and a place, because certificates
with other names and keys could not be judged. Application data, and what was said before TLS began, is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tlscomm._wire.events import Event, Kind
from tlscomm._wire.records import SSL2
from tlscomm.failures import CODES, Problem
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.tracing._redactedmessages import redactMessage
from tlscomm.tracing._redactedtexts import RedactedTexts
from tlscomm.tracing._trace import CertificateSeen, Trace, Verdict
from tlscomm.tracing._wording import verdictOf

__all__ = ["redactTrace"]

#: What may be told of what was said before TLS: commands without arguments, and a status.
_HARMLESS = re.compile(
    r"STARTTLS|STLS|AUTH (?:TLS|SSL)|StartTLS|SSLRequest|status \d{3}|of .{1,40} connection|the server .*"
)


def redactTrace(trace: Trace, pseudonyms: Pseudonyms) -> Trace:
    """Return a trace with pseudonyms in the place of names, addresses and numbers.

    Args:
        trace: what to redact.
        pseudonyms: what is put in their place, the same for several traces that are to be read together.
    """
    pseudonyms.given.clear()
    events = tuple(_event(each, pseudonyms) for each in trace.events)
    client, server = pseudonyms.address(trace.client), pseudonyms.address(trace.server)
    again = assemble(events, number=trace.number, client=client, server=server, hasSecrets=trace.hasSecrets)
    texts = RedactedTexts(pseudonyms.given)
    return replace(
        again,
        side=trace.side,
        verdict=_verdict(trace.verdict, texts),
        clientCertificates=_certificates(trace.clientCertificates, again.clientCertificates, texts),
        serverCertificates=_certificates(trace.serverCertificates, again.serverCertificates, texts),
        spans=trace.spans,
    )


def _event(event: Event, pseudonyms: Pseudonyms) -> Event:
    if event.kind is Kind.HANDSHAKE and event.records and event.records[0].type == SSL2:
        # It has another form, and nothing that a redacted one would show.
        return replace(event, content=event.content[:1] + bytes(len(event.content[1:])))
    if event.kind is Kind.HANDSHAKE:
        return replace(event, content=redactMessage(event.content, event.version, pseudonyms))
    if event.kind is Kind.ALERT:
        return replace(event, content=event.content[:2])
    if event.kind is Kind.PREFACE and not _HARMLESS.fullmatch(event.detail):
        return replace(event, content=b"", detail="")
    return replace(event, content=b"")


def _verdict(verdict: Verdict, texts: RedactedTexts) -> Verdict:
    code = verdict.code
    plain = verdictOf(Problem(code, 0), verdict.by) if code in CODES and code is not None else Verdict(verdict.outcome)
    return replace(
        verdict,
        sentence=texts.redact(verdict.sentence) or plain.sentence,
        nextStep=texts.redact(verdict.nextStep) or plain.nextStep,
        evidence=tuple(text for text in map(texts.redact, verdict.evidence) if text),
    )


def _certificates(
    seen: tuple[CertificateSeen, ...], again: tuple[CertificateSeen, ...], texts: RedactedTexts
) -> tuple[CertificateSeen, ...]:
    """Return certificates as they are told from redacted messages, with what was found wrong with the true ones."""
    return tuple(
        replace(
            redacted,
            key=original.key,
            problems=tuple(_problem(problem, redacted, texts) for problem in original.problems),
        )
        for original, redacted in zip(seen, again, strict=False)
    )


def _problem(problem: Problem, certificate: CertificateSeen, texts: RedactedTexts) -> Problem:
    subject = certificate.subject if problem.subject else ""
    return Problem(problem.code, problem.depth, subject, texts.redact(problem.detail) or "", problem.opensslError)
