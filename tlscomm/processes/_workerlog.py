"""What workers write, put together by the supervisor as if one process had written it.

A worker has three outputs, all of them pipes that the supervisor reads. Its events as JSON are passed on line by line,
as they are. What it logs comes as one line of JSON for each record, a traceback included, and becomes a record of the
supervisor's own log: so it is in the same file, rotates with it, and no line is in the middle of another. What Python
or a library writes on standard error, mostly because the process comes to its end, is logged as lines, and the last of
them are said when the worker has died.

A worker does not wait for the supervisor: what its pipe does not take waits in the worker, up to a bound, and beyond it
is counted (`JSONLines`).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel, eventAsText, globalLogPublisher
from zope.interface import implementer

from tlscomm.failures import printable

__all__ = ["LinesOfWorker", "RecordsForSupervisor", "WorkerOutput"]

_log = Logger(namespace="tlscomm")

_LEVELS = {level.name: level for level in LogLevel.iterconstants()}
_LONGEST_LINE = 1 << 20
_LAST_LINES = 20
_LONGEST_LAST_LINE = 500


@implementer(ILogObserver)
class RecordsForSupervisor:
    """Sends what a worker logs to the supervisor: an observer of Twisted's log."""

    def __init__(self, write: Callable[[dict[str, Any]], object]) -> None:
        """
        Args:
            write: takes each record, as an object for JSON.
        """
        self._write = write

    def __call__(self, event: dict[str, Any]) -> None:
        level = event.get("log_level")
        self._write(
            {
                "time": event.get("log_time"),
                "level": getattr(level, "name", "info"),
                "namespace": event.get("log_namespace"),
                # What is an event as JSON is a whole line, as in one process.
                "event": event.get("event") or ("json" if "json" in event else None),
                "text": eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False),
            }
        )


class LinesOfWorker:
    """Cuts what comes out of a pipe into lines, and holds no more than a bound of one that does not end."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        """
        Args:
            take: is given each line, without its end.
        """
        self._take = take
        self._rest = b""
        self._isTooLong = False

    def received(self, content: bytes) -> None:
        """Take what came next."""
        *lines, rest = content.split(b"\n")
        if lines:
            lines[0] = self._rest + lines[0]
            self._rest = b""
            for line in lines:
                if not self._isTooLong:
                    self._take(line)
                self._isTooLong = False
        if len(self._rest) + len(rest) > _LONGEST_LINE:
            self._rest, self._isTooLong = b"", True
            _log.warn("a line of a worker is left out: it has more than {most} bytes", most=_LONGEST_LINE)
        elif not self._isTooLong:
            self._rest += rest

    def ended(self) -> None:
        """Take what has no line end."""
        if self._rest:
            self._take(self._rest)
        self._rest = b""


class WorkerOutput:
    """All that one worker writes.

    Attributes:
        lastLines: what was written last on standard error, for the message that it has died.
    """

    def __init__(self, number: int, passOn: Callable[[bytes], object]) -> None:
        """
        Args:
            number: the worker's.
            passOn: takes each of its events, as a line of JSON without its end.
        """
        self._number = number
        self.lastLines: deque[str] = deque(maxlen=_LAST_LINES)
        self._pipes = {
            1: LinesOfWorker(passOn),
            2: LinesOfWorker(self._complained),
            4: LinesOfWorker(self._logged),
        }

    def received(self, descriptor: int, content: bytes) -> None:
        """Take what came out of one of the worker's files."""
        self._pipes[descriptor].received(content)

    def ended(self) -> None:
        """The worker has ended."""
        for pipe in self._pipes.values():
            pipe.ended()

    def _complained(self, line: bytes) -> None:
        text = printable(line.decode("utf-8", "replace"))
        self.lastLines.append(text[:_LONGEST_LAST_LINE])
        _log.error("worker {worker}: {text}", worker=self._number, text=text)

    def _logged(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            text, event = str(record["text"]), record["event"]
            level = _LEVELS.get(record["level"], LogLevel.info)
            globalLogPublisher(
                {
                    "log_logger": _log,
                    "log_level": level,
                    "log_namespace": str(record["namespace"]),
                    "log_source": None,
                    "log_format": "{text}" if event else "worker {worker}: {text}",
                    "log_time": float(record["time"]),
                    "worker": self._number,
                    "event": event,
                    "text": text,
                }
            )
        except (ValueError, LookupError, TypeError, RecursionError):
            self._complained(line)
