"""The steps of a connection as they are drawn, few enough to be read.

What a peer can make long is drawn short: of application data and sealed records in a row the first sealed ones, whose
sizes a verdict can rest on, and the rest as one step for each direction; of very many steps the first and the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event, Kind
from tlscomm.tracing._trace import Trace

__all__ = ["Omission", "Step", "isTurn", "steps"]

#: Sealed records in a row that are drawn one by one.
_MOST_SEALED = 8
#: Steps before and after those that are left out.
_FIRST, _LAST = 48, 16

_DATA = frozenset({Kind.APPLICATION_DATA, Kind.SEALED})


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        event: what was seen; of several in a row, the first, with the number and the size of all.
        isVerdict: whether the verdict fell here.
    """

    event: Event
    isVerdict: bool = False


@dataclass(frozen=True)
class Omission:
    """Steps that are not drawn.

    Attributes:
        count: how many, with those that the trace itself has left out.
    """

    count: int


def steps(trace: Trace) -> Iterator[Step | Omission]:
    """Give what is drawn of a trace, in order. Where the verdict fell is always among it."""
    drawn = list(_all(trace))
    end = len(drawn) - _LAST
    hidden = [step.event for step in drawn[_FIRST : max(end, 0)] if not step.isVerdict]
    for number, step in enumerate(drawn):
        if not _FIRST <= number < end or step.isVerdict:
            yield step
        elif number == _FIRST:
            yield Omission(sum(event.count if event.kind is Kind.OMITTED else 1 for event in hidden))


def isTurn(before: Event, event: Event) -> bool:
    """Return whether a new flight begins."""
    isSmallTalk = before.kind is event.kind and event.kind in (Kind.TCP, Kind.APPLICATION_DATA)
    return before.isFromClient is not event.isFromClient and not isSmallTalk


def _all(trace: Trace) -> Iterator[Step]:
    run: list[Event] = []
    for number, event in enumerate(trace.events):
        isVerdict = number == trace.verdict.event
        if event.kind in _DATA and not isVerdict:
            run.append(event)
            continue
        yield from _data(run)
        run = []
        yield Step(event, isVerdict)
    yield from _data(run)


def _data(run: Sequence[Event]) -> Iterator[Step]:
    """Give application data and sealed records in a row: the first sealed ones, and the rest as one each way."""
    apart = 0
    while apart < min(len(run), _MOST_SEALED) and run[apart].kind is Kind.SEALED:
        yield Step(run[apart])
        apart += 1
    ways: dict[tuple[bool, Kind], list[Event]] = {}
    for event in run[apart:]:
        ways.setdefault((event.isFromClient, event.kind), []).append(event)
    for events in ways.values():
        count, size = sum(event.count for event in events), sum(event.size for event in events)
        content = b"".join(event.content for event in events)
        records = tuple(islice(chain.from_iterable(event.records for event in events), _MOST_SEALED))
        yield Step(replace(events[0], count=count, size=size, content=content, records=records))
