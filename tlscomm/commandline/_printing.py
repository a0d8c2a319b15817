"""How commands speak to people and to programs.

A terminal gets colour and lines that fit; a pipe gets plain text with one fact a line, because a program that searches
it does so by lines. Text is never read as markup: much of it comes from a peer.

rich draws what a person sees, and lists of columns everywhere. The rest of what goes to a pipe is text as it is, and
rich is not even loaded for it, which takes as long as a handshake, its certificates and its messages together.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import click

from tlscomm.commandline._verbosity import QUIET, verbosity
from tlscomm.failures import Problem, TLSFailure, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

__all__ = [
    "Command",
    "Row",
    "Styled",
    "heading",
    "isTerminal",
    "remark",
    "say",
    "sayFailure",
    "sayNote",
    "sayingWarnings",
    "table",
    "warningText",
    "writeJSON",
]

Row: TypeAlias = "tuple[str, str | Styled]"

#: Wide enough that nothing is wrapped where no person looks at it.
_UNLIMITED = 1_000_000

_LONGEST_WARNING = 2000

#: What no text is to do to a terminal: ring, go back, go down or begin the line anew.
_CONTROLS = dict.fromkeys((7, 8, 11, 12, 13))


class Styled:
    """A text in pieces, each of them plain or with a style of rich's."""

    def __init__(self, *parts: str | tuple[str, str]) -> None:
        """
        Args:
            parts: texts, and pairs of a text and its style.
        """
        self.parts = parts

    @property
    def plain(self) -> str:
        """The text."""
        return "".join(part if isinstance(part, str) else part[0] for part in self.parts)

    @property
    def style(self) -> str:
        """The style of its beginning, empty where it has none."""
        first = self.parts[0]
        return "" if isinstance(first, str) else first[1]

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text.assemble(*self.parts)

    def lines(self) -> Iterator[str]:
        """Give it as it goes to a pipe."""
        yield from _plain(self.plain)


class Command(Styled):
    """A command to copy. A terminal breaks it where it has to, and what is copied is one line."""

    def __init__(self, text: str) -> None:
        """
        Args:
            text: the command.
        """
        super().__init__(f"  {text}")


class _Table:
    """Rows of a name and what it means."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = [(name, Styled(meaning) if isinstance(meaning, str) else meaning) for name, meaning in rows]

    def __rich__(self) -> RenderableType:
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, style="cyan")
        grid.add_column(overflow="fold")
        for name, meaning in self._rows:
            grid.add_row(Text(name), meaning)
        return grid

    def lines(self) -> Iterator[str]:
        """Give it as it goes to a pipe."""
        width = max((len(name) for name, _ in self._rows), default=0)
        for name, meaning in self._rows:
            for number, line in enumerate(meaning.lines()):
                yield f"{'' if number else name:<{width}}  {line}"


def _plain(text: str) -> list[str]:
    return text.translate(_CONTROLS).expandtabs().split("\n")


def isTerminal(stream: IO[str] | None) -> bool:
    """Return whether a person is at the other end; a program may also be started without a stream at all."""
    return stream is not None and stream.isatty()


def say(*parts: str | Styled | _Table | RenderableType, error: bool = False) -> None:
    """Write text, or anything that rich can render.

    Args:
        parts: each begins on a new line.
        error: whether it goes to standard error.
    """
    stream = sys.stderr if error else sys.stdout
    # Written by click, so that a stream that breaks is the same exception everywhere.
    lines = "".join(f"{line.rstrip()}\n" for line in _drawn(stream, parts).splitlines())
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(lines.encode(encoding, "backslashreplace").decode(encoding), nl=False, err=error, color=True)


def _drawn(stream: IO[str] | None, parts: Iterable[Any]) -> str:
    # Users have these variables for rich, which then takes a pipe for a terminal.
    isPlain = not (isTerminal(stream) or "FORCE_COLOR" in os.environ or "TTY_COMPATIBLE" in os.environ)
    if isPlain and all(isinstance(part, str | Styled | _Table) for part in parts):
        return "".join(
            f"{line}\n" for part in parts for line in (_plain(part) if isinstance(part, str) else part.lines())
        )
    console = _console(stream)
    with console.capture() as captured:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, Command))
    return captured.get()


def _console(stream: IO[str] | None) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        width=None if isTerminal(stream) else _UNLIMITED,
        markup=False,
        emoji=False,
        highlight=False,
    )


def heading(text: str) -> Styled:
    """Return a line that stands out."""
    return Styled((text, "bold"))


def table(rows: Iterable[Row]) -> _Table:
    """Return rows of a name and what it means."""
    return _Table(rows)


def sayFailure(failure: TLSFailure) -> None:
    """Name a failure on standard error: what happened, what to do, and where there is more."""
    say(
        Styled((failure.code, "bold red"), f": {failure.message}"),
        table([*(_evidence(failure) if verbosity() > 0 else ()), *_advice(failure)]),
        error=True,
    )


def _advice(failure: TLSFailure) -> list[Row]:
    return [("Next", failure.nextStep), ("More", f"tlscomm explain {failure.code}")]


def _evidence(failure: TLSFailure) -> Iterator[Row]:
    """Give what ``--verbose`` tells of a failure: where it fell, and what it rests on."""
    yield "Side", f"{failure.side}, {failure.stage}"
    if failure.peer:
        yield "Peer", failure.peer
    if failure.alert is not None:
        yield "Alert", f"{failure.alert.name} ({failure.alert.number}), {failure.alert.direction}"
    for problem in failure.problems:
        yield "Problem", warningText(problem)
    for words in failure.evidence:
        yield "Evidence", words


def remark(*parts: str | Styled | _Table | RenderableType) -> None:
    """Say on standard error what is to be known about what was asked for, unless ``--quiet`` was given."""
    if verbosity() != QUIET:
        say(*parts, error=True)


def sayNote(text: str) -> None:
    """Remark what is to be known besides."""
    remark(Styled(("Note", "yellow"), f": {text}"))


@contextmanager
def sayingWarnings() -> Iterator[None]:
    """Write what tlscomm warns of in its log, while files are read, to standard error."""
    from twisted.logger import LogLevel, formatEvent, globalLogPublisher

    def observe(event: Any) -> None:
        if event.get("log_namespace") == "tlscomm" and event["log_level"] >= LogLevel.warn:
            remark(f"Warning: {printable(formatEvent(event), _LONGEST_WARNING)}")

    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    try:
        with warnings.catch_warnings():
            # What cryptography says of certificates that deviate from the standards: tlscomm inspect has it as notes.
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        globalLogPublisher.removeObserver(observer)


def warningText(warning: Problem) -> str:
    """Return a warning as the message of a failure is written: its code, whose certificate it is, and what is wrong."""
    return f"{warning.code}: {', '.join(part for part in (warning.subject, warning.detail) if part)}"


def writeJSON(value: object) -> None:
    """Write one value to standard output, on one line of UTF-8, whatever the locale is."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))
