"""A log in files of a bounded size and number: all that a server says, and never more than the disk is to hold.

twistd's own ``--logfile`` begins a new file after each megabyte, and keeps all of them. Here the oldest is given up.
With ``text`` the file is Twisted's whole log; with ``json`` it has the events, and what else is logged as events
``log``, so that one program can read all of it.

What cannot be written waits, up to a bound, and is then lost and counted, as it is where a pipe takes nothing
(`tlscomm.serving._lines`). The server goes on.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from time import monotonic
from typing import IO, Any, cast

from twisted.internet.interfaces import IReactorTime
from twisted.logger import FileLogObserver, ILogObserver, eventAsText, textFileLogObserver
from zope.interface import implementer

from tlscomm.serving._lines import JSONLines, Lines
from tlscomm.transport._eventlog import Moment

__all__ = ["BoundedFile", "LogRecords", "TextLines", "openLogFile", "twistdsObserver"]

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
# A pipe would wait for its reader.
_FLAGS |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

#: Those who read logs are mostly of a group of their own.
_MODE = 0o640

_LOOK_SECONDS = 1.0

_DEFAULT_SIZE = 10 << 20
_DEFAULT_FILES = 10


class BoundedFile:
    """A file that lines are written to; when it is full, it becomes ``FILE.1``, and so on.

    Attributes:
        path: the file that is written.
    """

    def __init__(self, path: str, size: int, files: int) -> None:
        """
        Args:
            path: the file. What is in it stays.
            size: how many bytes it has when another one is begun. The line that reaches it is written whole.
            files: how many there are at most, this one included.

        Raises:
            OSError: it cannot be opened, or is no ordinary file.
        """
        # A daemon goes to another folder.
        self.path = os.path.abspath(path)
        self._most = size
        self._files = files
        self._isWithinLine = False
        self._nextLook = 0.0
        self._descriptor = -1
        self._open()

    def write(self, data: bytes) -> int:
        """Write as much as the disk takes, and return how much that was.

        Raises:
            OSError: it takes nothing, or the next file cannot be begun.
        """
        if not self._isWithinLine and monotonic() >= self._nextLook:
            self._lookWhetherItWasMoved()
        if self._descriptor < 0:
            self._open()
        if self._size >= self._most and not self._isWithinLine:
            self._rotate()
        written = os.write(self._descriptor, data)
        self._size += written
        if written:
            self._isWithinLine = data[written - 1 : written] != b"\n"
        return written

    def close(self) -> None:
        """Close it; more than once does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _lookWhetherItWasMoved(self) -> None:
        """Begin a new file where another program has moved this one, or deleted it."""
        self._nextLook = monotonic() + _LOOK_SECONDS
        try:
            isThere = self._descriptor >= 0 and os.path.samestat(os.fstat(self._descriptor), os.lstat(self.path))
        except OSError:
            isThere = False
        if not isThere:
            self.close()

    def _open(self) -> None:
        descriptor = os.open(self.path, _FLAGS, _MODE)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no ordinary file", self.path)
        self.close()
        self._descriptor, self._size = descriptor, found.st_size

    def _rotate(self) -> None:
        # Where what follows fails, only the rest of it is tried again.
        self.close()
        for number in range(self._files - 1, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._name(number - 1), self._name(number))
        if self._files == 1:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
        self._open()

    def _name(self, number: int) -> str:
        return f"{self.path}.{number}" if number else self.path


class TextLines(Lines):
    """Takes the text of Twisted's log."""

    def write(self, text: str) -> None:
        """Part of a file for text: write what is one line or, with a traceback, several."""
        if text:
            self.take(text.rstrip("\n").encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Part of a file for text; nothing is held back."""

    def _lostLine(self, count: int, now: float) -> bytes:
        when = datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+0000")
        return f"{when} [tlscomm#warn] {count} records of this log could not be written, and stood here".encode()


@implementer(ILogObserver)
class LogRecords:
    """Writes what is logged and is no event of its own: an observer of Twisted's log."""

    def __init__(self, lines: JSONLines) -> None:
        self._lines = lines

    def __call__(self, event: dict[str, Any]) -> None:
        level = getattr(event.get("log_level"), "name", "info")
        self._lines(
            {
                "event": "log",
                "level": level,
                "time": Moment(event.get("log_time") or 0.0),
                "namespace": str(event.get("log_namespace") or ""),
                "text": eventAsText(event, includeTraceback=True, includeTimestamp=False, includeSystem=False),
            }
        )


#: What writes the log file of this process, where it has one.
_opened: list[Lines] = []


def openLogFile(settings: Mapping[str, Any], clock: IReactorTime) -> Lines | None:
    """Open the log file that settings name, for this process, and return what writes to it; None where they name none.

    Raises:
        ValueError: it cannot be opened; the message says why.
    """
    if not (path := settings.get("logFile")):
        return None
    try:
        size, files = settings.get("logSize") or _DEFAULT_SIZE, settings.get("logFiles") or _DEFAULT_FILES
        stream = BoundedFile(path, size, files)
    except OSError as problem:
        raise ValueError(f"the log file {path} cannot be opened: {problem.strerror}") from None
    lines = (JSONLines if settings["logFormat"] == "json" else TextLines)(stream, clock, _complainOnTerminal)
    _opened[:] = [lines]
    return lines


def twistdsObserver() -> FileLogObserver | LogRecords:
    """Return the observer for twistd that writes to the log file; ``twistd --logger`` is set to this function."""
    (lines,) = _opened
    return LogRecords(lines) if isinstance(lines, JSONLines) else textFileLogObserver(cast("IO[str]", lines))


def _complainOnTerminal(text: str) -> None:
    # twistd puts its log in the place of sys.stderr, and that is the file that takes nothing.
    with suppress(OSError, ValueError):
        print(f"twistd tlscomm: {text}", file=sys.__stderr__, flush=True)
