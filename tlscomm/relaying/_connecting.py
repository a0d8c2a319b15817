"""The connection to a backend, in its time, and more than once where the backend only has too much to do.

Where more clients come to a TCP port than its service has accepted, the system waits. With a Unix socket it does not:
the attempt fails, and Twisted says no more than that there was a connection that ended. So that is tried again.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionDone, TimeoutError
from twisted.internet.interfaces import IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

__all__ = ["QueueFull", "connected"]

#: Seconds between two attempts.
_PAUSE = 0.05


class QueueFull(ConnectError):
    """As many clients wait to be accepted as the backend's socket keeps."""


def connected(
    clock: IReactorTime, endpoint: IStreamClientEndpoint, factory: IProtocolFactory, seconds: float | None
) -> Deferred[Any]:
    """Return the connection to a backend.

    Args:
        clock: tells the time.
        endpoint: makes it.
        factory: makes its protocol.
        seconds: for all of it, whatever it is doing; None for no limit.

    Raises:
        QueueFull, TimeoutError: (in the Deferred) it had no more time.
        Exception: (in the Deferred) whatever the endpoint raises.
    """
    hasBeenFull = False

    def attempt() -> Deferred[Any]:
        return endpoint.connect(factory).addErrback(onceMore)

    def onceMore(reason: Failure) -> Any:
        nonlocal hasBeenFull
        if not _isFull(reason.value):
            return reason
        hasBeenFull = True
        return deferLater(clock, _PAUSE, attempt)

    def tooLate(_result: object, _seconds: float) -> NoReturn:
        raise QueueFull() if hasBeenFull else TimeoutError()  # type: ignore[no-untyped-call]

    connecting = attempt()
    if seconds is not None:
        connecting.addTimeout(seconds, cast(Any, clock), onTimeoutCancel=tooLate)
    return connecting


def _isFull(error: Any) -> bool:
    if not isinstance(error, ConnectError) or error.osError is not None or not error.args:
        return False
    return isinstance(error.args[0], Failure) and bool(error.args[0].check(ConnectionDone))
