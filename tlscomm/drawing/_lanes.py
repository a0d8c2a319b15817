"""The client on the left, the server on the right, and an arrow for each step between them.

What a peer can make long is drawn short: application data is one arrow for each direction, however often it changes,
of sealed records the first few are drawn one by one, and of very many steps the first and the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event, Kind
from tlscomm.drawing._lines import Line, Pen, cells
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._words import LEGENDS, eventName, eventWords
from tlscomm.tracing._trace import Trace

__all__ = ["laneLines"]

#: Sealed records in a row that are drawn one by one: the sizes of the first ones are what a verdict can rest on.
_MOST_SEALED = 8
#: Steps before and after those that are left out.
_FIRST, _LAST = 48, 16
#: Lines that the detail of one step takes.
_MOST_DETAIL = 3

#: Columns of the time, and of all that is not between the two sides.
_TIME = 9
_BESIDE = _TIME + 1 + 8 + 3

_DATA = frozenset({Kind.APPLICATION_DATA, Kind.SEALED})


@dataclass(frozen=True)
class _Step:
    event: Event
    isVerdict: bool = False


def laneLines(trace: Trace, pen: Pen) -> Iterator[Line]:
    """Give the lines of the sequence diagram of a trace."""
    yield from _Lanes(trace, pen).lines()


class _Lanes:
    def __init__(self, trace: Trace, pen: Pen) -> None:
        self._trace = trace
        self._pen = pen
        self._signs = pen.signs
        #: Columns between the two sides.
        self._room = pen.width - _BESIDE - 2
        self._began = trace.events[0].time if trace.events else 0
        self._shownTime = ""

    def lines(self) -> Iterator[Line]:
        yield from self._heads()
        before: Event | None = None
        steps = list(_steps(self._trace))
        for number, step in enumerate(steps):
            left = len(steps) - _LAST
            if _FIRST <= number < left and not step.isVerdict:
                if number == _FIRST:
                    yield self._between(f"{self._signs.cut} {left - _FIRST:,} more steps {self._signs.cut}", "dim")
                continue
            if before is not None and _isTurn(before, step.event):
                yield self._between("", "")
            yield from self._step(step)
            before = step.event
        yield self._between("", "")
        yield from self._legend()

    def _heads(self) -> Iterator[Line]:
        width = self._room + 2
        names = [self._pen.text(str(address or "")) for address in (self._trace.client, self._trace.server)]
        yield self._head("client", "server", width, "bold")
        if cells(names[0]) + cells(names[1]) + 2 <= width:
            yield self._head(names[0], names[1], width, "dim")
        else:
            yield self._head(self._pen.cut(names[0], width), "", width, "dim")
            yield self._head("", self._pen.cut(names[1], width), width, "dim")
        space = " " * (_TIME + 1)
        yield (
            (space, ""),
            (self._signs.down + " " * self._room + self._signs.down, "dim"),
            (f"{'bytes':>8}", "dim"),
        )

    def _head(self, left: str, right: str, width: int, style: str) -> Line:
        gap = " " * (width - cells(left) - cells(right))
        return ((" " * (_TIME + 1), ""), (f"{left}{gap}{right}", style))

    def _step(self, step: _Step) -> Iterator[Line]:
        event = step.event
        name, words = self._pen.text(eventName(event)), self._pen.text(eventWords(event))
        style = self._style(step)
        isTogether = cells(name) + 2 + cells(words) <= self._room - 6
        label = (self._pen.cut(name, self._room - 6), f"  {words}" if isTogether and words else "")
        yield (
            self._time(event),
            *self._arrow(event, label, style),
            (f"{sizeText(event.size) if event.size else '':>8}", "dim"),
            (f" {self._lock(event)}" if self._lock(event) else "", ""),
        )
        for text in ("" if isTogether else words, self._pen.text(event.detail, 400)):
            for line in self._pen.wrap(text, self._room - 4, _MOST_DETAIL):
                yield self._between(f"   {line}", "italic")
        if step.isVerdict:
            yield from self._here()

    def _arrow(self, event: Event, label: tuple[str, str], style: str) -> Iterator[tuple[str, str]]:
        signs = self._signs
        across = signs.missing if event.kind in (Kind.GAP, Kind.DAMAGED) else signs.across
        name, words = label
        yield signs.down, "dim"
        yield f"{across if event.isFromClient else signs.left}{across} ", style
        yield name, f"bold {style}".strip()
        yield words, "italic"
        rest = self._room - 3 - cells(name) - cells(words)
        end = signs.right if event.isFromClient else across
        yield f" {across * (rest - 2)}{end}", style
        yield signs.down, "dim"

    def _between(self, text: str, style: str) -> Line:
        filled = text + " " * (self._room - cells(text))
        down = (self._signs.down, "dim")
        return ((" " * (_TIME + 1), ""), down, (filled, style), down)

    def _time(self, event: Event) -> tuple[str, str]:
        text = durationText(event.time - self._began)
        shown, self._shownTime = "" if text == self._shownTime else text, text
        return f"{shown:>{_TIME}} ", "dim"

    def _style(self, step: _Step) -> str:
        if step.isVerdict and self._trace.verdict.outcome in ("refused", "failed"):
            return "red"
        if step.event.kind in (Kind.TCP, Kind.CHANGE_CIPHER_SPEC):
            return "dim"
        if step.event.kind in (Kind.GAP, Kind.DAMAGED):
            return "yellow"
        return "cyan" if step.event.isFromClient else "magenta"

    def _lock(self, event: Event) -> str:
        if not event.isSealed:
            return ""
        return self._signs.opened if any(record.isOpened for record in event.records) else self._signs.closed

    def _here(self) -> Iterator[Line]:
        verdict, signs = self._trace.verdict, self._signs
        if verdict.outcome == "accepted":
            yield self._between(f" {signs.good} from here on, each has accepted the other", "green")
        elif verdict.outcome != "unfinished":
            does = "refuses" if verdict.outcome == "refused" else "breaks off"
            text = f"here the {verdict.by} {does}" if verdict.by else "here it ends"
            code = f": {verdict.code}" if verdict.code else ""
            for line in self._pen.wrap(f"{text}{code}", self._room - 4, 2):
                yield self._between(f" {signs.wrong} {line}", "bold red")

    def _legend(self) -> Iterator[Line]:
        locks = {self._lock(event) for event in self._trace.events}
        for sign, meaning in ((self._signs.closed, "sealed"), (self._signs.opened, "opened")):
            if sign in locks:
                yield ((" " * (_TIME + 1), ""), (f"{sign} {LEGENDS[meaning]}", "dim"))


def _isTurn(before: Event, event: Event) -> bool:
    """Return whether a new flight begins."""
    isSmallTalk = before.kind is event.kind is Kind.TCP or {before.kind, event.kind} <= _DATA
    return before.isFromClient is not event.isFromClient and not isSmallTalk


def _steps(trace: Trace) -> Iterator[_Step]:
    run: list[Event] = []
    for number, event in enumerate(trace.events):
        isVerdict = number == trace.verdict.event
        if event.kind in _DATA and not isVerdict:
            run.append(event)
            continue
        yield from _data(run)
        run = []
        yield _Step(event, isVerdict)
    yield from _data(run)


def _data(run: Sequence[Event]) -> Iterator[_Step]:
    """Give application data and sealed records in a row: the first sealed ones, and the rest as one each way."""
    apart = 0
    while apart < min(len(run), _MOST_SEALED) and run[apart].kind is Kind.SEALED:
        yield _Step(run[apart])
        apart += 1
    ways: dict[tuple[bool, Kind], list[Event]] = {}
    for event in run[apart:]:
        ways.setdefault((event.isFromClient, event.kind), []).append(event)
    for events in ways.values():
        count, size = sum(event.count for event in events), sum(event.size for event in events)
        yield _Step(replace(events[0], count=count, size=size))
