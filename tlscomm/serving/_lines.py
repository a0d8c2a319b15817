"""Lines of a log that are written at once, and never held up by who reads them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import stat
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tlscomm._clocks import timeOfDay
from tlscomm.transport._eventlog import Event, Moment

__all__ = ["LOG_VERSION", "JSONLines", "Lines", "asJSON"]

_log = Logger(namespace="tlscomm")

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


class Lines(ABC):
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

    @abstractmethod
    def _lostLine(self, count: int, now: float) -> bytes:
        """Return what says that so many events were lost."""


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


def asJSON(event: Event) -> str:
    """Return an event as one line of JSON, without its end."""
    return json.dumps({**event, "version": LOG_VERSION}, default=lambda fact: fact.toJSON())
