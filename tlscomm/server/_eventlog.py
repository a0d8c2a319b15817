"""Where a server's events go: to Twisted's log as text, or to standard output as lines of JSON.

Standard output belongs to the events where they are JSON: a program that reads them must not have to tell them from
something else. All other things that are logged then go to standard error.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import FileLogObserver, Logger, textFileLogObserver

from tlscomm._clocks import timeOfDay
from tlscomm.transport._eventlog import Event, EventLog, Moment, writeText

__all__ = [
    "LOG_FORMATS",
    "LOG_VERSION",
    "JSONLines",
    "Lines",
    "LogFormat",
    "asJSON",
    "eventLog",
    "onStandardError",
    "onStandardOutput",
]

_log = Logger(namespace="tlscomm")

LogFormat = Literal["text", "json", "journal"]
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json", "journal")

LOG_VERSION = 1
"""Of the names in events as JSON: more when one has changed its meaning or is gone."""

#: How many bytes of lines wait for a stream that takes nothing.
_MOST_WAITING = 1 << 20
#: How much a pipe that takes anything takes without waiting: PIPE_BUF of Linux.
_PIECE = 4096
#: Seconds between two attempts.
_TRY_AGAIN = 0.1
#: Seconds for what still waits when the program ends.
_LAST_SECONDS = 1.0


class Lines:
    """Writes lines, each at once, and never waits for who reads them.

    A stream that takes nothing, because its reader is slow or gone or the disk is full, does not hold the server up.
    Some lines wait for it. What does not fit among them is counted, and the number is a line of its own when the stream
    takes lines again.

    Attributes:
        lost: how many did not fit, from the beginning.
    """

    def __init__(self, stream: Any, clock: IReactorTime, complain: Callable[[str], object] | None = None) -> None:
        """
        Args:
            stream: takes bytes, and has no buffer.
            clock: tells when to try again.
            complain: is told when nothing can be written, and when lines were lost; Twisted's log where None.
        """
        self._stream = stream
        self._complain = complain or _warn
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self.lost = 0
        self._isBroken = False
        self._timer: IDelayedCall | None = None
        self._poll = _pollFor(stream)

    def take(self, line: bytes) -> None:
        """Write a line, without its end."""
        line += b"\n"
        # Those after a lost one are lost too, so that the number stands where they are missing.
        if self._lost or (self._waiting and self._size + len(line) > _MOST_WAITING):
            self._lost += 1
            self.lost += 1
            return
        self._add(line)
        if self._timer is None:
            self._go()

    def finish(self) -> None:
        """Write what still waits, because the program ends, if that takes no longer than a second."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        end = time.monotonic() + _LAST_SECONDS
        with contextlib.suppress(OSError, ValueError):
            while self._waiting and (left := end - time.monotonic()) > 0:
                self._writePiece(left)

    def _go(self) -> None:
        self._timer = None
        try:
            while self._waiting and self._writePiece(0):
                self._noteLost()
        except (OSError, ValueError) as problem:
            # ValueError: it was closed. And what complains may write here.
            wasBroken, self._isBroken = self._isBroken, True
            if not wasBroken:
                reason = getattr(problem, "strerror", None) or str(problem)
                self._complain(
                    f"events are lost beyond {_MOST_WAITING // 1024} KiB that wait, because they cannot be written: "
                    f"{reason}. Next step: Have a program read them, or make room on the disk."
                )
        else:
            self._isBroken = False
        if self._waiting and self._timer is None:
            self._timer = self._clock.callLater(_TRY_AGAIN, self._go)

    def _writePiece(self, seconds: float) -> bool:
        """Write a piece of the first line, if the stream takes it within so many seconds; return whether it did."""
        if self._poll is not None and not self._poll.poll(seconds * 1000):
            return False
        line = self._waiting[0]
        written = self._stream.write(line[:_PIECE])
        if not written:
            return False
        self._size -= written
        if written < len(line):
            self._waiting[0] = line[written:]
        else:
            self._waiting.popleft()
        return True

    def _noteLost(self) -> None:
        if self._lost and not self._waiting:
            lost, self._lost = self._lost, 0
            self._add(self._lostLine(lost, timeOfDay(self._clock)()) + b"\n")
            self._complain(f"{lost} events were lost, because they could not be written")

    def _add(self, line: bytes) -> None:
        self._waiting.append(line)
        self._size += len(line)

    def _lostLine(self, count: int, now: float) -> bytes:
        raise NotImplementedError


class JSONLines(Lines):
    """Writes each event as one line of JSON."""

    def __call__(self, event: Event) -> None:
        self.take(asJSON(event).encode())

    def _lostLine(self, count: int, now: float) -> bytes:
        return asJSON({"event": "lost", "level": "warn", "time": Moment(now), "count": count}).encode()


def _warn(text: str) -> None:
    _log.warn("{text}", text=text)


def _pollFor(stream: Any) -> Any:
    """Return what tells whether a stream takes a piece now; None where it always does, or that cannot be told."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
    if not hasattr(select, "poll") or stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll


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
        from tlscomm.server._journal import openJournal

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


def asJSON(event: Event) -> str:
    """Return an event as one line of JSON, without its end."""
    return json.dumps({**event, "version": LOG_VERSION}, default=lambda fact: fact.toJSON())


def _writeRecord(event: Event) -> None:
    _log.info("{json}", json=asJSON(event))
