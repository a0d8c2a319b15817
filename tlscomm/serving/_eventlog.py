"""Where a server's events go: to Twisted's log as text, or to standard output as lines of JSON.

Standard output belongs to the events where they are JSON: a program that reads them must not have to tell them from
something else. All other things that are logged then go to standard error.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from twisted.internet.interfaces import IReactorTime
from twisted.logger import FileLogObserver, Logger, textFileLogObserver

from tlscomm.serving._lines import JSONLines, Lines, asJSON
from tlscomm.transport._eventlog import Event, EventLog, writeText

__all__ = [
    "LOG_FORMATS",
    "LogFormat",
    "eventLog",
    "onStandardError",
    "onStandardOutput",
]

_log = Logger(namespace="tlscomm")

LogFormat = Literal["text", "json", "journal"]
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json", "journal")


def eventLog(
    form: LogFormat,
    clock: IReactorTime,
    *,
    foreground: bool = True,
    lines: Lines | None = None,
    also: Mapping[str, Any] | None = None,
) -> EventLog:
    """Return the log of a server.

    Args:
        form: ``text`` logs each event as a line of Twisted's log, with its facts as named fields; ``json`` writes it to
            standard output; ``journal`` writes it into systemd's journal.
        clock: tells the time.
        foreground: whether the server has a standard output. Where it has none, the JSON is the text of a line in
            Twisted's log.
        lines: what writes the events as JSON, where something else writes there, too.
        also: facts that each event has.

    Raises:
        ValueError: there is no journal on this machine.
    """
    if form == "text":
        return EventLog(_adding(also, writeText), clock)
    if form == "journal":
        from tlscomm.serving._journal import openJournal

        journal = openJournal(clock)
        return EventLog(_adding(also, journal), clock, finish=journal.finish, lost=partial(getattr, journal, "lost"))
    if lines is None and foreground:
        lines = onStandardOutput(clock)
    if not isinstance(lines, JSONLines):
        return EventLog(_adding(also, _writeRecord), clock)
    return EventLog(_adding(also, lines), clock, finish=lines.finish, lost=partial(getattr, lines, "lost"))


def onStandardOutput(clock: IReactorTime) -> JSONLines | None:
    """Return what writes events to standard output as JSON; None where there is no such output."""
    # twistd puts its log in the place of sys.stdout.
    if sys.__stdout__ is None:
        return None
    return JSONLines(io.FileIO(sys.__stdout__.fileno(), "wb", closefd=False), clock)


def _adding(facts: Mapping[str, Any] | None, write: Callable[[Event], object]) -> Callable[[Event], object]:
    return write if facts is None else lambda event: write({**event, **facts})


def onStandardError() -> FileLogObserver:
    """Return the observer that keeps Twisted's log off standard output. ``twistd --logger`` can name this function."""
    # A program may be started without one.
    return textFileLogObserver(sys.stderr or io.TextIOWrapper(io.FileIO(os.devnull, "w")))


def _writeRecord(event: Event) -> None:
    _log.info("{json}", json=asJSON(event))
