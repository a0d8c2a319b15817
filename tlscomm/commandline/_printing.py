"""How commands speak to people and to programs.

A terminal gets colour and lines that fit; a pipe gets plain text with one fact a line, because a program that searches
it does so by lines. Text is never read as markup: much of it comes from a peer.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import click

from tlscomm.failures import Problem, TLSFailure, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["Row", "heading", "isTerminal", "say", "sayFailure", "sayingWarnings", "table", "warningText", "writeJSON"]

Row: TypeAlias = "tuple[str, str | Text]"

#: Wide enough that nothing is wrapped where no person looks at it.
_UNLIMITED = 1_000_000

_LONGEST_WARNING = 2000


def isTerminal(stream: IO[str] | None) -> bool:
    """Return whether a person is at the other end; a program may also be started without a stream at all."""
    return stream is not None and stream.isatty()


def say(*parts: RenderableType, error: bool = False) -> None:
    """Write text, or anything that rich can render.

    Args:
        parts: each begins on a new line.
        error: whether it goes to standard error.
    """
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    console = Console(
        file=stream,
        width=None if isTerminal(stream) else _UNLIMITED,
        markup=False,
        emoji=False,
        highlight=False,
    )
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    # Written by click, so that a stream that breaks is the same exception everywhere.
    lines = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(lines.encode(encoding, "backslashreplace").decode(encoding), nl=False, err=error, color=True)


def heading(text: str) -> RenderableType:
    """Return a line that stands out."""
    from rich.text import Text

    return Text(text, style="bold")


def table(rows: Iterable[Row]) -> RenderableType:
    """Return rows of a name and what it means."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column(overflow="fold")
    for name, meaning in rows:
        grid.add_row(Text(name), Text(meaning) if isinstance(meaning, str) else meaning)
    return grid


def sayFailure(failure: TLSFailure) -> None:
    """Name a failure on standard error: what happened, what to do, and where there is more."""
    from rich.text import Text

    say(
        Text.assemble((failure.code, "bold red"), f": {failure.message}"),
        table([("Next", failure.nextStep), ("More", f"tlscomm explain {failure.code}")]),
        error=True,
    )


@contextmanager
def sayingWarnings() -> Iterator[None]:
    """Write what tlscomm warns of in its log, while files are read, to standard error."""
    from twisted.logger import LogLevel, formatEvent, globalLogPublisher

    def observe(event: Any) -> None:
        if event.get("log_namespace") == "tlscomm" and event["log_level"] >= LogLevel.warn:
            say(f"Warning: {printable(formatEvent(event), _LONGEST_WARNING)}", error=True)

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
    click.echo(json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace"))
