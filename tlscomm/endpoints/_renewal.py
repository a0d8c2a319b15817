"""Files of an endpoint string that change while its program runs: a renewed certificate, other authorities.

Nothing in an endpoint string's program knows that there is anything to read again. So the files are looked at from time
to time, and what has changed is taken when it has stayed the same from one look to the next: who renews a certificate
writes it and its key one after the other.

SIGHUP would end such a program. It reads the files again instead, where the program has no use of its own for it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import ILoggingContext, IProtocolFactory, IReactorTime
from zope.interface import implementer

from tlscomm.configuration import Configuration
from tlscomm.credentials._rereading import FileLooks
from tlscomm.credentials._sources import STANDARD_INPUT
from tlscomm.revocation._backgroundtask import BackgroundTask
from tlscomm.revocation._marks import Mark, markOf
from tlscomm.store import isStoreSource
from tlscomm.transport import Observer, TLSFactory, TLSTransport
from tlscomm.transport._reloadresult import ReloadResult
from tlscomm.transport._rereading import Rereading

if TYPE_CHECKING:
    from tlscomm.tracing import Tracing

__all__ = ["LOOK_SECONDS", "RenewedConfiguration", "RenewedFactory", "WatchedFiles"]

#: Seconds between two looks at the files.
LOOK_SECONDS = 10.0
#: How many files of a folder are looked at.
_MOST_FILES = 1000

_Marks: TypeAlias = "tuple[tuple[str, Mark], ...]"


class WatchedFiles:
    """Files and folders that may change. Made before they are read, so that no change is missed."""

    def __init__(self, sources: Iterable[str]) -> None:
        """
        Args:
            sources: as endpoint strings name them. Stores, the system's authorities and standard input are no files.
        """
        self._paths = tuple(
            source for source in sources if source not in ("system", STANDARD_INPUT) and not isStoreSource(source)
        )
        self._read = self._latest = self.look()

    def look(self) -> _Marks:
        """Return what tells the files from others of their names. It may take for ever, where a file system does."""
        return tuple(mark for path in self._paths for mark in _marksOf(path))

    def note(self, marks: _Marks) -> bool:
        """Return whether there is something to be read: it differs from what was read, and is as at the last look."""
        isStable, self._latest = marks == self._latest, marks
        if isStable and self.isOther(marks):
            self.noteRead(marks)
            return True
        return False

    def isOther(self, marks: _Marks) -> bool:
        """Return whether the files are others than those that were read."""
        return marks != self._read

    def noteRead(self, marks: _Marks) -> None:
        """These files were read."""
        self._read = marks


class RenewedConfiguration:
    """A client's configuration, read again before a connection where its files have changed."""

    def __init__(
        self, clock: IReactorTime, configuration: Configuration, read: Callable[[], Configuration], files: WatchedFiles
    ) -> None:
        """
        Args:
            clock: tells the time.
            configuration: what was read at first.
            read: returns the configuration of the files as they are now. It is called in a thread.
            files: what it reads.
        """
        self._clock = clock
        self._configuration = configuration
        self._files = files
        self._lookedAt = clock.seconds()
        self._rereading = Rereading(clock, lambda: self._readChanged(read), self._take)

    def latest(self) -> Deferred[Configuration]:
        """Return what to connect with. The files are looked at for that, unless they were a moment ago.

        Where they cannot be read, or not in time, it is what was read before, and the log says why.
        """
        now = self._clock.seconds()
        if now - self._lookedAt < LOOK_SECONDS:
            return succeed(self._configuration)
        self._lookedAt = now
        return self._rereading.begin().addCallback(lambda _: self._configuration)

    def _readChanged(self, read: Callable[[], Configuration]) -> tuple[_Marks, Configuration] | None:
        marks = self._files.look()
        return (marks, read()) if self._files.isOther(marks) else None

    def _take(self, read: tuple[_Marks, Configuration]) -> None:
        marks, self._configuration = read
        self._files.noteRead(marks)


def _marksOf(path: str) -> list[tuple[str, Mark]]:
    marks = [(path, markOf(path))]
    try:
        if os.path.isdir(path):
            marks += [(entry.path, markOf(entry.path)) for entry in sorted(os.scandir(path), key=lambda e: e.name)]
    except OSError:
        # What cannot be listed is named when it is read.
        pass
    return marks[:_MOST_FILES]


@implementer(ILoggingContext)
class RenewedFactory(TLSFactory):
    """A server's factory whose files are read again when they change, at SIGHUP, and when it is told to."""

    def __init__(
        self,
        configuration: Configuration,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        observer: Observer[TLSTransport] | None,
        maximumConnections: int | None,
        *,
        readAgain: Callable[[], Configuration],
        files: WatchedFiles,
        tracing: Tracing | None = None,
    ) -> None:
        """
        Args:
            readAgain: returns the configuration of the files as they are now. It is called in a thread.
            files: what it reads.
        """
        super().__init__(configuration, wrappedFactory, clock, observer, maximumConnections, tracing=tracing)
        self._rereading = Rereading(clock, readAgain, self.reconfigure)
        self._files = files
        self._looks = FileLooks("the files of an endpoint are", files.look, self._noteLook)
        self._watch = BackgroundTask(self._looks.begin, LOOK_SECONDS)

    def logPrefix(self) -> str:
        """Return what Twisted's log calls each factory of TLS."""
        return TLSFactory.__name__

    def reload(self, trigger: str = "program") -> Deferred[ReloadResult]:
        """Read the files now.

        Args:
            trigger: why: ``signal``, ``files`` or ``program``.

        Returns:
            What came of it. Where they could not be read, the log says why, and the former configuration stays in use.
        """
        return self._rereading.begin(trigger)

    def doStart(self) -> None:
        super().doStart()
        if self._users == 1:
            self._watch.use(self.clock)
            _hangUps.add(self)

    def doStop(self) -> None:
        super().doStop()
        if not self._users:
            self._watch.release()
            _hangUps.discard(self)

    def _noteLook(self, marks: _Marks) -> None:
        if self._files.note(marks):
            self.reload("files")


class _HangUps:
    """Has SIGHUP read the files of all listening endpoints again, where the signal would end the program."""

    def __init__(self) -> None:
        self._factories: dict[RenewedFactory, None] = {}

    def add(self, factory: RenewedFactory) -> None:
        self._factories[factory] = None
        if _isOurs(signal.SIG_DFL):
            signal.signal(signal.SIGHUP, self._heard)

    def discard(self, factory: RenewedFactory) -> None:
        self._factories.pop(factory, None)
        # A program that has come to use the signal meanwhile keeps it.
        if not self._factories and _isOurs(self._heard):
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def _heard(self, _number: int, _frame: Any) -> None:
        for factory in tuple(self._factories):
            # A signal comes in the middle of anything.
            fromThread = getattr(factory.clock, "callFromThread", lambda call: call())
            fromThread(partial(factory.reload, "signal"))


def _isOurs(disposition: object) -> bool:
    """Return whether SIGHUP is dealt with like this, and can be dealt with otherwise: by the main thread alone."""
    isMain = threading.current_thread() is threading.main_thread()
    return isMain and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == disposition


_hangUps = _HangUps()
