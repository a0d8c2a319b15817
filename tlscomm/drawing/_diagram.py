"""A trace as a person reads it in a terminal: the verdict first, then what happened, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tlscomm._wire.events import Kind
from tlscomm.drawing._faults import problemsOf
from tlscomm.drawing._lanes import laneLines
from tlscomm.drawing._lines import Line, Pen, cells, plain
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._words import NOT_IN_COMMON, PHASES, choiceSubject, offerText, verdictLine
from tlscomm.failures import Problem
from tlscomm.tracing._trace import CertificateSeen, Choice, Side, Span, Trace, Verdict

__all__ = ["diagramLines", "drawDiagram", "verdictLines"]

_NARROWEST, _WIDEST = 60, 120
#: From this width on there is room for what each phase is.
_WITH_WORDS = 60 + 2 + max(map(len, PHASES.values()))

_MOST_EVIDENCE = 6
_MOST_CERTIFICATES = 6
_MOST_PROBLEMS = 6
_MOST_CHOICES = 16
#: Lines of one offer, and of the names of a certificate.
_MOST_LINES = 3

#: Columns of what was chosen.
_SUBJECT = 24

_STYLES = {"accepted": "bold green", "refused": "bold red", "failed": "bold red", "unfinished": "bold yellow"}


def drawDiagram(trace: Trace, width: int = 80, *, isASCII: bool = False) -> str:
    """Return a trace as text: its verdict, the sequence of its messages, what was chosen, and the certificates.

    Args:
        trace: the trace.
        width: columns that no line goes beyond, from 60 to 120; a number outside is taken as the nearest.
        isASCII: whether it is drawn without signs that an old terminal lacks.
    """
    return plain(diagramLines(trace, width, isASCII=isASCII))


def diagramLines(trace: Trace, width: int = 80, *, isASCII: bool = False) -> Iterator[Line]:
    """Give the same line by line, in pieces of a text and the name of a style as rich has it; see `drawDiagram`."""
    pen = Pen(min(max(width, _NARROWEST), _WIDEST), isASCII=isASCII)
    parts = (_head(trace, pen), _sequence(trace, pen), _phases(trace, pen), _choices(trace, pen), _chains(trace, pen))
    isFirst = True
    for part in parts:
        for number, line in enumerate(part):
            if not number and not isFirst:
                yield ()
            isFirst = False
            yield line


def verdictLines(verdict: Verdict, pen: Pen, lead: str = "") -> Iterator[Line]:
    """Give the line of a verdict, and more where it does not fit into one."""
    text, style = verdictLine(verdict), _STYLES[verdict.outcome]
    yield from pen.paragraph(((lead, "dim"),) if lead else (), text, style)


def _head(trace: Trace, pen: Pen) -> Iterator[Line]:
    verdict = trace.verdict
    yield from verdictLines(verdict, pen)
    yield from pen.paragraph((), verdict.sentence)
    yield from pen.paragraph((("Next  ", "cyan"),), verdict.nextStep)
    for evidence in verdict.evidence[:_MOST_EVIDENCE] if verdict.certainty != "certain" else ():
        yield from pen.paragraph((("Why   ", "cyan"),), evidence, most=_MOST_LINES)


def _sequence(trace: Trace, pen: Pen) -> Iterator[Line]:
    if trace.events:
        yield from laneLines(trace, pen)


def _phases(trace: Trace, pen: Pen) -> Iterator[Line]:
    if not trace.spans:
        return
    yield ((f"{'Phase':<15}{'time':>9}{'round trips':>12}{'client sent':>12}{'server sent':>12}", "bold"),)
    for span in trace.spans:
        yield _row(pen, span)
    yield _row(pen, _sum(trace.spans))


def _sum(spans: Sequence[Span]) -> Span:
    client, server = sum(span.bytesFromClient for span in spans), sum(span.bytesFromServer for span in spans)
    return Span("in all", spans[0].began, spans[-1].ended, sum(span.roundTrips for span in spans), client, server)


def _row(pen: Pen, span: Span) -> Line:
    time, sent = durationText(span.ended - span.began), (sizeText(span.bytesFromClient), sizeText(span.bytesFromServer))
    row = f"{time:>9}{span.roundTrips:>12g}{sent[0]:>12}{sent[1]:>12}"
    words = f"  {PHASES.get(span.name, '')}" if pen.width >= _WITH_WORDS else ""
    name = pen.cut(pen.text(span.name), 14)
    return ((name + " " * (15 - cells(name)), "cyan"), (row, ""), (words, "dim"))


def _choices(trace: Trace, pen: Pen) -> Iterator[Line]:
    if not trace.choices:
        return
    yield (("Offered and chosen", "bold"),)
    for choice in trace.choices[:_MOST_CHOICES]:
        yield from _choice(choice, pen, _missing(trace, choice))


def _choice(choice: Choice, pen: Pen, missing: str) -> Iterator[Line]:
    subject = pen.cut(pen.text(choiceSubject(choice)), _SUBJECT - 1)
    lead, below = ((subject + " " * (_SUBJECT - cells(subject)), "cyan"),), ((" " * _SUBJECT, ""),)
    if missing:
        yield from pen.paragraph(lead, f"{pen.signs.wrong} {missing}", "bold red")
    elif choice.chosen is not None:
        isOffered = choice.chosen in choice.offered or not choice.offered
        text = choice.chosen if isOffered else f"{choice.chosen}, which was not offered"
        yield from pen.paragraph(lead, text, "" if isOffered else "bold red", _MOST_LINES)
    if choice.offered and choice.offered != (choice.chosen,):
        isFirst = choice.chosen is None and not missing
        # Of what was not chosen, little matters where something was.
        most = _MOST_LINES if isFirst or missing else 1
        yield from pen.paragraph(lead if isFirst else below, offerText(choice), "dim", most)


def _missing(trace: Trace, choice: Choice) -> str:
    """Return what is missing in what two sides could agree on, or nothing."""
    code = trace.verdict.code
    if choice.chosen is None and code is not None and NOT_IN_COMMON.get(choice.subject) == code:
        return "nothing in common"
    shown = {name for each in trace.clientCertificates for name in (each.subject, each.issuer)}
    isComplete = not any(name.startswith("and ") for name in choice.offered)
    if choice.subject == "certificate authorities" and shown and isComplete and shown.isdisjoint(choice.offered):
        return "none of them issued what the client shows"
    return ""


def _chains(trace: Trace, pen: Pen) -> Iterator[Line]:
    chains: tuple[tuple[Side, tuple[CertificateSeen, ...]], ...] = (
        ("server", trace.serverCertificates),
        ("client", trace.clientCertificates),
    )
    for side, chain in chains:
        if chain:
            yield from _chain(trace, side, chain, pen)
        elif any(each.name == "Certificate" and each.isFromClient is (side == "client") for each in trace.events):
            yield ((f"What the {side} shows: no certificate", "bold"),)
    isClosed = any(event.kind is Kind.SEALED for event in trace.events)
    if isClosed and not any(chain for _, chain in chains):
        yield from pen.paragraph(
            (("Certificates  ", "bold"),), "are not seen: they were encrypted, and the secrets are not here."
        )


def _chain(trace: Trace, side: Side, chain: Sequence[CertificateSeen], pen: Pen) -> Iterator[Line]:
    yield ((f"What the {side} shows: {len(chain)} certificate{'' if len(chain) == 1 else 's'}", "bold"),)
    for certificate in chain[:_MOST_CERTIFICATES]:
        yield from _certificate(certificate, problemsOf(trace, side, certificate), pen)
    if (more := len(chain) - _MOST_CERTIFICATES) > 0:
        yield ((f"{pen.signs.cut} and {more} more", "dim"),)


def _certificate(certificate: CertificateSeen, problems: Sequence[Problem], pen: Pen) -> Iterator[Line]:
    lead, space = ((f"{certificate.depth:>2}  ", "cyan"),), (("    ", ""),)
    yield from pen.paragraph(lead, certificate.subject or "(no name)", "", _MOST_LINES)
    yield from pen.paragraph(space, f"issued by {certificate.issuer or '(no name)'}", "dim", _MOST_LINES)
    # The days; what is wrong with them is said to the second below.
    until = f"{certificate.key}, valid from {certificate.notBefore[:10]} to {certificate.notAfter[:10]}"
    yield from pen.paragraph(space, until, "dim")
    if certificate.names:
        yield from pen.paragraph(space, ", ".join(certificate.names), "dim", _MOST_LINES)
    for problem in problems[:_MOST_PROBLEMS]:
        text = f"{problem.code}: {problem.detail}" if problem.detail else problem.code
        yield from pen.paragraph(((f"  {pen.signs.wrong} ", "bold red"),), text, "red", _MOST_LINES)
