"""Where a server's events go: to Twisted's log as text, or to standard output as lines of JSON.

Standard output belongs to the events where they are JSON: a program that reads them must not have to tell them from
something else. All other things that are logged then go to standard error.
"""

from __future__ import annotations

import json
import sys
from typing import Literal, TextIO

from twisted.internet.interfaces import IReactorTime
from twisted.logger import FileLogObserver, Logger, textFileLogObserver

from tlscomm.transport._eventlog import Event, EventLog, writeText

__all__ = ["LOG_FORMATS", "JSONLines", "LogFormat", "eventLog", "onStandardError"]

_log = Logger(namespace="tlscomm")

LogFormat = Literal["text", "json"]
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json")


class JSONLines:
    """Writes each event as one line of JSON, at once.

    A stream that takes no more, because its reader is gone or the disk is full, costs the events and not the server.
    """

    def __init__(self, stream: TextIO) -> None:
        """
        Args:
            stream: takes the lines.
        """
        self._stream = stream
        self._losing = False

    def __call__(self, event: Event) -> None:
        try:
            self._stream.write(_asJSON(event) + "\n")
            self._stream.flush()
        except OSError as problem:
            if not self._losing:
                _log.warn("events are lost, because they cannot be written: {problem}", problem=problem)
            self._losing = True
        else:
            self._losing = False


def eventLog(form: LogFormat, clock: IReactorTime, *, foreground: bool = True) -> EventLog:
    """Return the log of a server.

    Args:
        form: ``text`` logs each event as a line of Twisted's log, with its facts as named fields; ``json`` writes it to
            standard output.
        clock: tells the time.
        foreground: whether the server has a standard output. Where it has none, the JSON is the text of a line in
            Twisted's log.
    """
    if form == "text":
        return EventLog(writeText, clock)
    # twistd puts its log in the place of sys.stdout.
    stream = sys.__stdout__ if foreground else None
    return EventLog(_writeRecord if stream is None else JSONLines(stream), clock)


def onStandardError() -> FileLogObserver:
    """Return the observer that keeps Twisted's log off standard output. ``twistd --logger`` can name this function."""
    return textFileLogObserver(sys.stderr)


def _asJSON(event: Event) -> str:
    return json.dumps(event, default=lambda fact: fact.toJSON())


def _writeRecord(event: Event) -> None:
    _log.info("{json}", json=_asJSON(event))
