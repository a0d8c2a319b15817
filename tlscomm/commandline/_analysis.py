"""What an analysis of captures writes: lines and diagrams for a person, one object for a program."""

from __future__ import annotations

import json
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from tlscomm.commandline._connections import Connection, Connections, Wanted
from tlscomm.commandline._printing import Styled, heading, isTerminal, say, sayFailure, sayNote
from tlscomm.drawing._diagram import diagramLines
from tlscomm.drawing._lines import UNICODE, Pen, cells
from tlscomm.drawing._words import verdictLine
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from rich.table import Table

    from tlscomm.tracing import Pseudonyms
    from tlscomm.tracing._captures import CaptureReading
    from tlscomm.tracing._trace import Trace

__all__ = ["Analysis", "JSONAnalysis", "TextAnalysis"]

#: Of more connections than these, the causes are counted.
_FEW = 12

#: So many of those that failed are listed on a terminal.
_MOST_ON_TERMINAL = 20

#: What stands before the second line of a connection.
_INDENT = " " * 6

_STYLES = {"accepted": "green", "refused": "red", "failed": "red", "unfinished": "yellow"}


class Analysis(ABC):
    """Takes in connections while they are read.

    Attributes:
        connections: what is kept of them.
        isStream: whether they are shown while they come.
        isBrief: whether their messages are left out.
        showsData: whether what was kept of application data is told.
        pseudonyms: what stands in the place of names, or None for the names themselves.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        isStream: bool,
        isBrief: bool = False,
        showsData: bool = False,
        isRedacted: bool = False,
    ) -> None:
        """
        Args:
            wanted: which connections were asked for.
            isStream: whether they are shown while they come, because the capture may be still being written.
            isBrief: whether their messages are left out.
            showsData: whether what was kept of application data is told.
            isRedacted: whether pseudonyms stand in the place of names.
        """
        self.connections = Connections(few=_FEW, mostDrawn=max(1, len(wanted.numbers)))
        self._wanted = wanted
        self.isStream = isStream
        self.isBrief = isBrief
        self.showsData = showsData
        self.pseudonyms = _pseudonyms() if isRedacted else None

    def taken(self, traces: Iterable[Trace]) -> Iterator[Trace]:
        """Take in those of some traces that were asked for, and give them on as they are shown."""
        for trace in filter(self._wanted.fits, traces):
            shown = trace if self.pseudonyms is None else _redacted(trace, self.pseudonyms)
            self.add(shown)
            yield shown

    @abstractmethod
    def add(self, trace: Trace) -> None:
        """Take in a connection that was asked for."""

    def end(self, reading: CaptureReading | None, failure: TLSFailure | None) -> None:
        """All is read, as far as it can be."""
        self._finish(reading, failure)
        if reading is not None and failure is None and (missed := self._missed(reading)):
            sayNote(missed)

    @abstractmethod
    def _finish(self, reading: CaptureReading | None, failure: TLSFailure | None) -> None:
        """Write what is left to write."""

    def _missed(self, reading: CaptureReading) -> str:
        """Return what was asked for and is not there, or nothing."""
        if not self._wanted.numbers:
            return "" if self.connections.count else _noneOf(reading)
        missing = {*self._wanted.numbers} - {trace.number for trace in self.connections.traces}
        if not missing:
            return ""
        numbers = ", ".join(map(str, sorted(missing)))
        return f"no TLS connection with the number {numbers} fits{_withoutTLS(reading, '; ')}."


class TextAnalysis(Analysis):
    """Lines for people."""

    def add(self, trace: Trace) -> None:
        connection = self.connections.add(trace)
        if self.isStream and not self._wanted.numbers:
            say(*_lines(connection))

    def _finish(self, reading: CaptureReading | None, failure: TLSFailure | None) -> None:
        found = self.connections
        if self._wanted.numbers or found.count == 1:
            self._draw()
        elif found.count:
            self._list("" if reading is None else _withoutTLS(reading, ""))
        elif reading is not None and failure is None and not _countTLS(reading):
            say(_nothing(reading))
        for damage in reading.damages if reading is not None else ():
            sayNote(printable(str(damage), 500))
        if failure is not None:
            sayFailure(failure)

    def _draw(self) -> None:
        traces = sorted(self.connections.traces, key=lambda each: each.number)
        for place, trace in enumerate(traces):
            # Alone, it begins with its verdict.
            head = [*([""] if place else ()), heading(f"Connection {trace.number}")] if len(traces) > 1 else []
            say(*head, *drawn(trace))

    def _list(self, holes: str) -> None:
        found = self.connections
        if not found.areFew:
            say(heading(f"{found.count:,} TLS connections, {found.failedCount:,} of them failed"), _summary(found))
            if holes:
                say("", f"{holes[0].upper()}{holes[1:]}.")
        if not self.isStream:
            self._listAll()
        if isTerminal(sys.stdout):
            example = next((each.number for each in found.listed if each.hasFailed), found.first)
            about = f" ({holes})" if holes and found.areFew else ""
            say("", Styled((f"To see one of them message by message: --connection {example}{about}", "dim")))

    def _listAll(self) -> None:
        found = self.connections
        if not found.areFew and found.listed:
            say("", heading("Those that failed"))
        shown = found.listed[: _MOST_ON_TERMINAL if isTerminal(sys.stdout) else None]
        for connection in shown:
            say(*_lines(connection))
        if not found.areFew and (more := found.failedCount - len(shown)):
            say(f"and {more:,} more; --json has all of them.")


class JSONAnalysis(Analysis):
    """One object for programs, written while captures are read, for its connections may be many."""

    def add(self, trace: Trace) -> None:
        click.echo(", " if self.connections.count else '{"connections": [', nl=False)
        self.connections.add(trace)
        told = trace.toJSON(events=not self.isBrief, der=not self.isBrief, applicationData=self.showsData)
        click.echo(_json(told), nl=False)

    def _finish(self, reading: CaptureReading | None, failure: TLSFailure | None) -> None:
        rest = {
            "causes": [
                {**cause._asdict(), "count": count, "example": example, "hosts": hosts}
                for cause, count, example, hosts in self.connections.causes()
            ],
            "capture": None if reading is None else self._capture(reading),
            "failure": None if failure is None else failure.toJSON(),
        }
        begun = "" if self.connections.count else '{"connections": ['
        click.echo(begun.encode() + b"], " + _json(rest)[1:])

    def _capture(self, reading: CaptureReading) -> dict[str, object]:
        # The name of a file may be one that is not to be told.
        damages = [
            str(damage) if self.pseudonyms is None else f"{damage.text}, at byte {damage.position}"
            for damage in reading.damages
        ]
        return {
            "packets": reading.packets,
            "packetsWithoutTCP": reading.packetsWithoutTCP,
            "tcpConnections": reading.connections,
            "tcpConnectionsWithoutTLS": reading.connectionsWithoutTLS,
            "damages": [printable(damage, 500) for damage in damages],
        }


def drawn(trace: Trace) -> Iterator[Styled]:
    """Give the diagram of a trace as wide and in such signs as the terminal has them."""
    for line in diagramLines(trace, _width(), isASCII=_isASCII()):
        yield Styled(*line)


def _pseudonyms() -> Pseudonyms:
    from tlscomm.tracing import Pseudonyms

    return Pseudonyms()


def _redacted(trace: Trace, pseudonyms: Pseudonyms) -> Trace:
    from tlscomm.tracing import redactTrace

    return redactTrace(trace, pseudonyms)


def _lines(connection: Connection) -> Iterator[Styled]:
    """Give a connection in one line; on a terminal in more where it has not enough room, and what happened below."""
    number = f"{connection.number:>4}  "
    who = f"{connection.client} {'->' if _isASCII() else '→'} {connection.server} {connection.host}".rstrip()
    verdict = (verdictLine(connection.verdict), f"bold {_STYLES[connection.verdict.outcome]}")
    sentence = connection.verdict.sentence if connection.hasFailed else ""
    if not isTerminal(sys.stdout):
        yield Styled(f"{number}{who}  ", verdict, f": {sentence}" if sentence else "")
        return
    pen = Pen(_width(), isASCII=_isASCII())
    if cells(number) + cells(who) + 2 + cells(verdict[0]) <= pen.width:
        yield Styled((number, "cyan"), f"{who}  ", verdict)
    else:
        yield Styled((number, "cyan"), who)
        yield from (Styled(*line) for line in pen.paragraph(((_INDENT, ""),), *verdict))
    yield from (Styled(*line) for line in pen.paragraph(((_INDENT, ""),), sentence))


def _summary(found: Connections) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Count", "How", "By", "Certainty", "Example", "Hosts"):
        table.add_column(name, justify="right" if name in ("Count", "Example") else "left", overflow="fold")
    for cause, count, example, hosts in found.causes():
        how = Text(cause.code or cause.outcome, style=_STYLES[cause.outcome])
        table.add_row(f"{count:,}", how, cause.by or "", cause.certainty, str(example), Text(", ".join(hosts)))
    return table


def _countTLS(reading: CaptureReading) -> int:
    return reading.connections - reading.connectionsWithoutTLS


def _withoutTLS(reading: CaptureReading, before: str) -> str:
    """Say why numbers have holes, where they have; nothing else."""
    count = reading.connectionsWithoutTLS
    return f"{before}numbers count TCP connections, {count:,} of them without TLS" if count else ""


def _noneOf(reading: CaptureReading) -> str:
    count = _countTLS(reading)
    if count > 1:
        return f"none of {_many(count, 'TLS connection')} is one that was asked for."
    return "the TLS connection in it is not one that was asked for." if count else ""


def _nothing(reading: CaptureReading) -> str:
    found = [_many(reading.packets, "packet")]
    if reading.packetsWithoutTCP:
        found.append(f"{reading.packetsWithoutTCP:,} of them without TCP that can be read")
    found.append(_many(reading.connections, "TCP connection"))
    return f"There is no TLS connection in it. What was found: {', '.join(found)}."


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


def _width() -> int:
    return shutil.get_terminal_size().columns if isTerminal(sys.stdout) else 80


def _isASCII() -> bool:
    try:
        "".join(vars(UNICODE).values()).encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return True
    return False
