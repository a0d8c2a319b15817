"""A folder with the trace of each connection in a file of its own, bounded in number and size."""

from __future__ import annotations

import json
import os
import re
import stat
from collections import deque
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import get_args

from twisted.logger import Logger

from tlscomm.failures import CODES, printable
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.tracing._ownedfiles import OwnedFile, create
from tlscomm.tracing._trace import Outcome, Trace
from tlscomm.tracing._tracing import Recorded
from tlscomm.x509._files import makeFolder

__all__ = ["TraceFolder"]

_log = Logger(namespace="tlscomm")

_OWNER_ONLY = 0o700

#: So many traces wait to be written. Each may hold a handshake as it passed.
_MOST_WAITING = 100

#: To make and write a trace takes some milliseconds. Where more than a few wait, it gets this part of the time.
_FEW = 10
_SHARE = 1 / 20

#: The names of our own files, and no others: what fits is removed one day.
_NAME = re.compile(rf"[0-9]+-({'|'.join(get_args(Outcome))})(-({'|'.join(CODES)}))?(\.[0-9]+)?\.json")


class TraceFolder:
    """Writes the trace of each connection into a folder, as JSON, readable by its owner only.

    The files are called ``CONNECTION-OUTCOME-CODE.json``, ``12-refused-unknown-issuer.json`` for example, with another
    number before ``.json`` where there is one of that name already. When there are too many, or they are too large
    together, the oldest are removed, those of earlier runs among them. No file with a name of another form is.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        files: int = 1000,
        maximumBytes: int = 100 << 20,
        *,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        """
        Args:
            path: of the folder, which is made where it is not there.
            files: how many traces there are at most.
            maximumBytes: how large they are together.
            later: has a call made after so many seconds, ``reactor.callLater`` for example, so that connections do not
                wait until traces are made and written. Where many end at once, that takes a twentieth of the time, and
                some are left out, first those that were accepted. With None each is written at once.

        Raises:
            OSError: it cannot be made or read.
        """
        self._path = Path(path)
        self._files = files
        self._maximumBytes = maximumBytes
        self._later = later
        self._waiting: deque[Recorded] = deque()
        self._leftOut = 0
        self._isAwaited = False
        self._isFailing = False
        self._unmade = 0
        self._toTell = 10
        makeFolder(self._path, _OWNER_ONLY)
        self._written = self._found()
        self._size = sum(size for _, size in self._written)

    def add(self, recorded: Recorded) -> None:
        """A connection has ended: its trace is written, now or soon."""
        if self._later is None:
            self._write(recorded)
            return
        self._waiting.append(recorded)
        if len(self._waiting) > _MOST_WAITING:
            self._leaveOut()
        if not self._isAwaited:
            self._isAwaited = True
            self._later(0, self._writeNext)

    def flush(self) -> None:
        """Write all that waits."""
        while self._waiting:
            self._write(self._waiting.popleft())
        if self._leftOut:
            leftOut, self._leftOut = self._leftOut, 0
            _log.warn("the traces of {count} connections were left out, because too many ended at once", count=leftOut)

    def _leaveOut(self) -> None:
        accepted = (number for number, recorded in enumerate(self._waiting) if recorded.wasAccepted)
        del self._waiting[next(accepted, 0)]
        self._leftOut += 1

    def _writeNext(self) -> None:
        self._isAwaited = False
        if len(self._waiting) <= 1 or self._later is None:
            self.flush()
            return
        began = perf_counter()
        self._write(self._waiting.popleft())
        took = perf_counter() - began
        self._isAwaited = True
        self._later(took / _SHARE if len(self._waiting) > _FEW else 0, self._writeNext)

    def _write(self, recorded: Recorded) -> None:
        try:
            if (trace := recorded.trace()) is not None:
                content = json.dumps(trace.toJSON(applicationData=True), ensure_ascii=False).encode(errors="replace")
                self._put(_nameOf(trace), content + b"\n")
                self._isFailing = False
        except OSError as problem:
            if not self._isFailing:
                _log.error(
                    "The trace of a connection cannot be written into {path}: {problem}. Connections go on.",
                    path=printable(str(self._path)),
                    problem=problem.strerror,
                )
            self._isFailing = True
        except Exception:
            self._missed()

    def _missed(self) -> None:
        """Log the first trace that could not be made whole, and of more how many: 10, 100, 1,000, …"""
        self._unmade += 1
        if self._unmade == 1:
            logFailure(_log, "the trace of a connection could not be made")
        elif self._unmade == self._toTell:
            _log.error("the traces of {count} connections could not be made by now", count=self._unmade)
            self._toTell *= 10

    def _put(self, name: str, content: bytes) -> None:
        self._makeRoom(len(content))
        path, file = self._created(name)
        # Counted from the moment it is there, for it may be impossible to remove as well.
        self._written.append((path, 0))
        try:
            with closing(file):
                file.write(content)
        except OSError:
            path.unlink(missing_ok=True)
            self._written.pop()
            raise
        self._written[-1] = (path, len(content))
        self._size += len(content)

    def _created(self, name: str) -> tuple[Path, OwnedFile]:
        numbers = count(2)
        path = self._path / f"{name}.json"
        while True:
            try:
                return path, create(path)
            except FileExistsError:
                path = self._path / f"{name}.{next(numbers)}.json"

    def _makeRoom(self, size: int) -> None:
        while self._written and (len(self._written) >= self._files or self._size + size > self._maximumBytes):
            path, removed = self._written[0]
            path.unlink(missing_ok=True)
            self._written.popleft()
            self._size -= removed

    def _found(self) -> deque[tuple[Path, int]]:
        """Return our files and their sizes, the oldest first."""
        found = []
        for path in self._path.iterdir():
            if _NAME.fullmatch(path.name) and stat.S_ISREG((status := path.lstat()).st_mode):
                found.append((status.st_mtime_ns, path, status.st_size))
        return deque((path, size) for _, path, size in sorted(found))


def _nameOf(trace: Trace) -> str:
    verdict = trace.verdict
    return "-".join(part for part in (str(trace.number), verdict.outcome, verdict.code) if part)
