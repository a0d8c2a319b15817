"""A page that explains connections, in one file that people put into a ticket.

It is HTML and a style sheet and nothing else: no script, no font, no picture from anywhere, and a policy in it that
would forbid them. What opens does so by the browser's own means, so keyboards, screen readers and printers know it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tlscomm import __version__
from tlscomm._dataclasses import dataclass
from tlscomm.drawing._messageviews import Room
from tlscomm.drawing._templates import render, styleHash, styleSheet
from tlscomm.drawing._traceviews import VerdictView, momentText, traceView, verdictView
from tlscomm.tracing._trace import Trace

__all__ = ["drawPage"]

#: Connections that are shown message by message: those that failed, and others.
_MOST_FAILED, _MOST_OTHERS = 24, 8
#: The same of lines in the summary.
_MOST_FAILED_ROWS, _MOST_OTHER_ROWS = 400, 100
_MOST_CAUSES = 40
#: Characters of details, on the whole page. A page with all of them has about 3 MB.
_ROOM = 1_500_000


@dataclass(frozen=True)
class RowView:
    """One connection in the summary."""

    number: int
    began: str
    client: str
    server: str
    verdict: VerdictView
    isDetailed: bool


@dataclass(frozen=True)
class CauseView:
    """How many connections ended in one way, and the number of one that is shown message by message."""

    outcome: str
    code: str
    count: int
    example: int | None


@dataclass(frozen=True)
class SummaryView:
    """What there is to say over all connections."""

    count: int
    failed: int
    causes: tuple[CauseView, ...]
    rows: tuple[RowView, ...]
    detailed: int

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        if not self.count:
            return "No connection was seen."
        seen = "One connection was seen" if self.count == 1 else f"{self.count:,} connections were seen"
        if not self.failed:
            return f"{seen}, and none was refused or broke off."
        return f"{seen}, and {self.failed:,} of them {'was' if self.failed == 1 else 'were'} refused or broke off."


class _Few:
    """Keeps few of many: the first that ended in each way, and then the first; failed ones and others apart."""

    def __init__(self, failed: int, others: int) -> None:
        self._most = {True: failed, False: others}
        self._examples: dict[bool, dict[tuple[str, str], Trace]] = {True: {}, False: {}}
        self._first: dict[bool, list[Trace]] = {True: [], False: []}

    def add(self, trace: Trace) -> None:
        """Keep a trace if there is a place for it."""
        isFailed = _isFailed(trace)
        examples, first, most = self._examples[isFailed], self._first[isFailed], self._most[isFailed]
        if len(examples) < most and _cause(trace) not in examples:
            examples[_cause(trace)] = trace
        elif len(first) < most:
            first.append(trace)

    def kept(self) -> list[Trace]:
        """Return those that were kept, in the order of their numbers."""
        chosen = [
            trace
            for isFailed, most in self._most.items()
            for trace in (*self._examples[isFailed].values(), *self._first[isFailed])[:most]
        ]
        return sorted(chosen, key=lambda trace: trace.number)


def drawPage(traces: Iterable[Trace], *, title: str | None = None, isRedacted: bool = False) -> str:
    """Return a page of HTML that stands alone.

    It says of one connection how it ended and what to do, shows each message, what is inside it and the certificates,
    and of several a summary first. Its size is bounded, whatever it is about: what has no place is counted. It holds
    names, addresses and certificates as the traces do, and of application data only what the traces hold.

    Args:
        traces: the connections. They are gone through once, and few are kept at a time.
        title: what the page is called; the name of the capture for example.
        isRedacted: whether pseudonyms stand in the traces, which the page then says.
    """
    summary, detailed = _summary(traces)
    room = Room(_ROOM)
    views = [traceView(trace, room) for trace in detailed]
    style = styleSheet("palette.css", "page.css")
    return render(
        "page.html",
        title=title or "",
        summary=summary,
        traces=views,
        isAlone=summary.count == 1,
        isRedacted=isRedacted,
        hasApplicationData=any(view.hasApplicationData for view in views),
        style=style,
        styleHash=styleHash(style),
        version=__version__,
    )


def _summary(traces: Iterable[Trace]) -> tuple[SummaryView, list[Trace]]:
    count, causes = 0, Counter[tuple[str, str]]()
    few, rows = _Few(_MOST_FAILED, _MOST_OTHERS), _Few(_MOST_FAILED_ROWS, _MOST_OTHER_ROWS)
    for trace in traces:
        count += 1
        causes[_cause(trace)] += 1
        few.add(trace)
        rows.add(_bare(trace))
    detailed = few.kept()
    numbers = {trace.number for trace in detailed}
    examples = {_cause(trace): trace.number for trace in reversed(detailed)}
    summary = SummaryView(
        count,
        sum(many for (outcome, _), many in causes.items() if outcome in ("refused", "failed")),
        tuple(CauseView(*cause, many, examples.get(cause)) for cause, many in causes.most_common(_MOST_CAUSES)),
        tuple(_row(trace, isDetailed=trace.number in numbers) for trace in rows.kept()),
        len(detailed),
    )
    return summary, detailed


def _bare(trace: Trace) -> Trace:
    """Return of a trace what a line of the summary needs, so that hundreds of them take little memory."""
    return Trace(trace.number, trace.client, trace.server, trace.side, trace.events[:1], trace.verdict)


def _row(trace: Trace, *, isDetailed: bool) -> RowView:
    client, server = (str(end or "not known") for end in (trace.client, trace.server))
    began = momentText(trace.events[0].time) if trace.events else ""
    return RowView(trace.number, began, client, server, verdictView(trace.verdict), isDetailed)


def _cause(trace: Trace) -> tuple[str, str]:
    return trace.verdict.outcome, trace.verdict.code or ""


def _isFailed(trace: Trace) -> bool:
    return trace.verdict.outcome in ("refused", "failed")
