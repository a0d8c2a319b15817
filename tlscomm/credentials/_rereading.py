"""Files that a running program reads again: in a thread, because one that is slow must not hold up all connections.

A named pipe that no program writes to, a network file system whose server is down: opening or reading such a file can
take for ever. The threads of Twisted's pool are few, names are looked up in them, and a program waits for them at its
end. So each reading has a thread of its own, for which the end of the program does not wait.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tlscomm.credentials._sources import beingRead, patience

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IReactorTime

__all__ = ["READING_SECONDS", "inOwnThread"]

_T = TypeVar("_T")

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
