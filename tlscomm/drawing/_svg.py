"""A picture of one connection: a sequence diagram that stands alone, for a ticket or a document.

SVG breaks no lines and tells no widths, so lines are broken here, by the width that most letters have.
"""

from __future__ import annotations

from collections.abc import Iterator

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event
from tlscomm.drawing._lines import Pen, cells
from tlscomm.drawing._messageviews import styleOf
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.drawing._steps import Omission, isTurn, steps
from tlscomm.drawing._templates import render, styleSheet
from tlscomm.drawing._words import LEGENDS, eventName, eventWords, hereText, lockOf, verdictLine
from tlscomm.tracing._trace import Trace

__all__ = ["drawSVG"]

#: Heights of a line, of what stands above an arrow, and between flights.
_LINE, _ABOVE, _TURN = 20, 26, 16
#: Letters of a line of the sentence, beside an arrow, and of a detail.
_SENTENCE, _LABEL, _DETAIL = 66, 54, 58
#: Letters of both addresses.
_ADDRESSES = 70
_MOST_LINES = 5

_PEN = Pen(_SENTENCE, isASCII=False)


@dataclass(frozen=True)
class ArrowView:
    """One arrow.

    Attributes:
        y: where it is.
        sender: ``client`` or ``server``.
        receiver: the other.
        style: as `styleOf` says.
        lock: as `lockOf` says.
        name: what it is called.
        words: what it is for, where that fits beside the name.
        below: what does not fit there, and details, line by line.
        after: the time since the connection began; empty where it stands above.
        size: in bytes.
        mark: what to say below it.
        left: how many steps are left out in its place; it is no arrow then.
    """

    y: int
    sender: str = ""
    receiver: str = ""
    style: str = ""
    lock: str = ""
    name: str = ""
    words: str = ""
    below: tuple[str, ...] = ()
    after: str = ""
    size: str = ""
    mark: str = ""
    left: int = 0

    @property
    def height(self) -> int:
        """How much stands below it."""
        return _LINE * (len(self.below) + bool(self.mark))

    @property
    def text(self) -> str:
        """What it says, for who does not see it."""
        if self.left:
            return f"{self.left:,} more steps"
        lock = f" ({LEGENDS[self.lock]})" if self.lock else ""
        words = "; ".join(each for each in (self.words, *self.below, self.mark) if each)
        return f"{self.sender} to {self.receiver}: {self.name}{lock}{': ' if words else ''}{words}"


def drawSVG(trace: Trace) -> str:
    """Return a picture of a trace as SVG: the verdict, and the messages as arrows between client and server.

    It loads nothing, fits light and dark surroundings, and has its content as text for who does not see it. Its size is
    bounded, whatever the trace has.

    Args:
        trace: the trace.
    """
    sentence = _balanced(trace.verdict.sentence)
    top = 52 + 25 * len(sentence)
    client, server = str(trace.client or ""), str(trace.server or "")
    # Two long addresses stand below each other.
    below = 16 if cells(client) + cells(server) > _ADDRESSES else 0
    arrows = tuple(_arrows(trace, top + below + 62))
    bottom = arrows[-1].y + arrows[-1].height + 40 if arrows else top + below + 90
    return render(
        "sequence.svg",
        trace=trace,
        sentence=sentence,
        line=verdictLine(trace.verdict),
        client=client,
        server=server,
        top=top,
        below=below,
        arrows=arrows,
        bottom=bottom,
        locks=[(lock, LEGENDS[lock]) for lock in sorted({arrow.lock for arrow in arrows if arrow.lock})],
        style=styleSheet("palette.css", "sequence.css"),
    )


def _balanced(sentence: str) -> list[str]:
    """Return a sentence in lines that are about equally long."""
    text = _PEN.text(sentence, 300)
    lines = max(1, -(-cells(text) // _SENTENCE))
    return _PEN.wrap(text, min(_SENTENCE, cells(text) // lines + 10), _MOST_LINES)


def _arrows(trace: Trace, y: int) -> Iterator[ArrowView]:
    began = trace.events[0].time if trace.events else 0
    before: Event | None = None
    after = ""
    for step in steps(trace):
        if isinstance(step, Omission):
            yield ArrowView(y + _LINE, left=step.count)
            y += 2 * _LINE
            continue
        event = step.event
        y += _ABOVE + (_TURN if before is not None and isTurn(before, event) else 0)
        mark = hereText(trace.verdict) if step.isVerdict else ""
        arrow = _arrow(event, y, mark, "" if (time := durationText(event.time - began)) == after else time)
        yield arrow
        before, after = event, time
        y += arrow.height + 2


def _arrow(event: Event, y: int, mark: str, after: str) -> ArrowView:
    name, words = eventName(event), eventWords(event)
    isTogether = cells(name) + cells(words) < _LABEL
    sides = ("client", "server") if event.isFromClient else ("server", "client")
    details = _PEN.wrap(_PEN.text(event.detail, 300), _DETAIL, _MOST_LINES)
    below = details if isTogether else [*_PEN.wrap(words, _DETAIL, 2), *details]
    return ArrowView(
        y,
        *sides,
        styleOf(event),
        lockOf(event),
        name,
        words if isTogether else "",
        tuple(below),
        after,
        sizeText(event.size) if event.size else "",
        mark,
    )
