"""The client on the left, the server on the right, and an arrow for each step between them."""

from __future__ import annotations

from collections.abc import Iterator

from tlscomm._wire.events import Event, Kind
from tlscomm.drawing._lines import Line, Pen, cells
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._steps import Omission, Step, isTurn, steps
from tlscomm.drawing._words import LEGENDS, eventName, eventWords, hereText, lockOf
from tlscomm.tracing._trace import Trace

__all__ = ["laneLines"]

#: Lines that the detail of one step takes.
_MOST_DETAIL = 3

_UNSEEN = frozenset({Kind.GAP, Kind.OMITTED, Kind.DAMAGED})

#: Columns of the time, and of all that is not between the two sides.
_TIME = 9
_BESIDE = _TIME + 1 + 8 + 3


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
        for step in steps(self._trace):
            if isinstance(step, Omission):
                yield self._between(f"{self._signs.cut} {step.count:,} more steps {self._signs.cut}", "dim")
                continue
            if before is not None and isTurn(before, step.event):
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

    def _step(self, step: Step) -> Iterator[Line]:
        event = step.event
        name, detail = self._pen.text(eventName(event)), self._pen.text(event.detail, 400)
        # What is damaged or missing says itself what it is.
        words = detail if detail and event.kind in _UNSEEN else self._pen.text(eventWords(event))
        style = self._style(step)
        isTogether = cells(name) + 2 + cells(words) <= self._room - 6
        below = "; ".join(text for text in ("" if isTogether else words, detail if detail != words else "") if text)
        label = (self._pen.cut(name, self._room - 6), f"  {words}" if isTogether and words else "")
        yield (
            self._time(event),
            *self._arrow(event, label, style),
            (f"{sizeText(event.size) if event.size else '':>8}", "dim"),
            (f" {self._lock(event)}" if self._lock(event) else "", ""),
        )
        for line in self._pen.wrap(below, self._room - 4, _MOST_DETAIL):
            yield self._between(f"   {line}", "italic")
        if step.isVerdict:
            yield from self._here()

    def _arrow(self, event: Event, label: tuple[str, str], style: str) -> Iterator[tuple[str, str]]:
        signs = self._signs
        across = signs.missing if event.kind in _UNSEEN else signs.across
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

    def _style(self, step: Step) -> str:
        if step.isVerdict and self._trace.verdict.outcome in ("refused", "failed"):
            return "red"
        if step.event.kind in (Kind.TCP, Kind.CHANGE_CIPHER_SPEC):
            return "dim"
        if step.event.kind in _UNSEEN:
            return "yellow"
        return "cyan" if step.event.isFromClient else "magenta"

    def _lock(self, event: Event) -> str:
        return {"sealed": self._signs.closed, "opened": self._signs.opened}.get(lockOf(event), "")

    def _here(self) -> Iterator[Line]:
        isAccepted = self._trace.verdict.outcome == "accepted"
        sign, style = (self._signs.good, "green") if isAccepted else (self._signs.wrong, "bold red")
        for line in self._pen.wrap(hereText(self._trace.verdict), self._room - 4, 2):
            yield self._between(f" {sign} {line}", style)

    def _legend(self) -> Iterator[Line]:
        locks = {self._lock(event) for event in self._trace.events}
        for sign, meaning in ((self._signs.closed, "sealed"), (self._signs.opened, "opened")):
            if sign in locks:
                yield ((" " * (_TIME + 1), ""), (f"{sign} {LEGENDS[meaning]}", "dim"))
