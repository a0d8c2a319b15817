"""Files that a running program reads again: in a thread, because one that is slow must not hold up all connections.

A named pipe that no program writes to, a network file system whose server is down: opening or reading such a file can
take for ever. The threads of Twisted's pool are few, names are looked up in them, and a program waits for them at its
end. So each reading has a thread of its own, for which the end of the program does not wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twisted.logger import Logger

from tlscomm.credentials._sources import beingRead, patience
from tlscomm.failures._loggedfailure import logFailure

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime
    from twisted.python.failure import Failure

__all__ = ["READING_SECONDS", "FileLooks", "inOwnThread"]

_T = TypeVar("_T")

_log = Logger(namespace="tlscomm")

#: How long a reading may take before it counts as failed, in seconds.
READING_SECONDS = 10.0
#: How long a pipe is waited for within that.
_PIPE_SECONDS = 8.0


def inOwnThread(
    clock: IReactorTime, read: Callable[[], _T], late: Callable[[str], object] = lambda _: None
) -> Deferred[_T]:
    """Read in a thread, where the clock is a reactor that has some, and here where it is not.

    Args:
        clock: tells the time.
        read: reads the files.
        late: is called once when it has taken `READING_SECONDS`, with the name of the file that is waited for; empty
            where that is not known.

    Returns:
        What it returns or raises, however late.
    """
    from twisted.internet.defer import Deferred, maybeDeferred
    from twisted.internet.interfaces import IReactorFromThreads

    if not IReactorFromThreads.providedBy(clock):
        return maybeDeferred(read)
    reading: Deferred[_T] = Deferred()
    thread = threading.Thread(target=_read, args=(clock, read, reading), name="tlscomm reads files", daemon=True)
    deadline = clock.callLater(READING_SECONDS, lambda: late(beingRead(thread)))
    reading.addBoth(_noLonger, deadline)
    thread.start()
    return reading


def _read(reactor: Any, read: Callable[[], _T], reading: Deferred[_T]) -> None:
    from twisted.python.failure import Failure

    try:
        with patience(_PIPE_SECONDS):
            result = read()
    except BaseException:
        # Whatever it is, SystemExit of a module that is imported for one, has to arrive where it can be seen.
        reactor.callFromThread(reading.errback, Failure())
    else:
        reactor.callFromThread(reading.callback, result)


def _noLonger(result: Any, deadline: Any) -> Any:
    if deadline.active():
        deadline.cancel()
    return result


class FileLooks(Generic[_T]):
    """Looks at files from time to time, in a thread, and never while a former look is under way."""

    def __init__(self, what: str, look: Callable[[], _T], take: Callable[[_T], object]) -> None:
        """
        Args:
            what: what is in the files, for the log.
            look: reads what has changed.
            take: is given what came of it, where the reactor runs.
        """
        self._what = what
        self._look = look
        self._take = take
        self._isUnderWay = False

    def begin(self, clock: IReactorTime) -> None:
        """Look now, unless the look before still waits for a file."""
        if not self._isUnderWay:
            self._isUnderWay = True
            looking: Deferred[Any] = inOwnThread(clock, self._look, self._late)
            looking.addCallback(self._take).addBoth(self._end)

    def _late(self, name: str) -> None:
        _log.warn(
            "{what} not read again: reading {name} has taken {seconds:g} s and goes on. What was read before goes on "
            "counting until it expires. Next step: Have a plain file on a disk there.",
            what=self._what,
            name=name or "the files",
            seconds=READING_SECONDS,
        )

    def _end(self, broken: Failure | None) -> None:
        self._isUnderWay = False
        if hasattr(broken, "check"):
            logFailure(_log, "reading {what} again broke", broken, what=self._what)
