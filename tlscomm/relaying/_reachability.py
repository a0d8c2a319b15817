"""Why a backend takes no connections, and what is logged of that.

A backend that is down is one event and not one for each client. So its beginning is logged, once a minute how often it
was tried in vain, and its end. What became of each client is in the line of its connection.
"""

from __future__ import annotations

import errno

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from tlscomm.endpoints._hosts import connectFailed
from tlscomm.failures import BackendUnavailable, TLSFailure, printable
from tlscomm.relaying._connecting import QueueFull

__all__ = ["Reachability", "unavailable"]

_log = Logger(namespace="tlscomm")

#: Seconds between two lines while it lasts.
_INTERVAL = 60.0

_NO_SOCKET = (
    "there is no such socket",
    "Check that the service runs, and that the path is the one that it listens on: ss -lx.",
)

_QUEUE_FULL = (
    "as many clients wait to be accepted as its socket keeps",
    "Find out why the service is slow to accept clients, or have more of them wait there (its backlog).",
)


class Reachability:
    """What is logged of whether a backend takes connections."""

    def __init__(self, clock: IReactorTime, place: str) -> None:
        """
        Args:
            clock: tells the time.
            place: what is to be connected to.
        """
        self._clock = clock
        self._place = printable(place)
        self._inVain = 0
        self._saidAt = 0.0

    def failed(self, failure: TLSFailure) -> None:
        """A connection was not made."""
        self._inVain += 1
        now = self._clock.seconds()
        if self._inVain > 1 and now - self._saidAt < _INTERVAL:
            return
        self._saidAt = now
        _log.error(
            "{problem} Next step: {step} Attempts in vain: {count}",
            problem=str(failure),
            step=failure.nextStep,
            count=self._inVain,
            code=failure.code,
        )

    def succeeded(self) -> None:
        """A connection was made."""
        if self._inVain:
            _log.info("{place} takes connections again, after {count} attempts", place=self._place, count=self._inVain)
            self._inVain = 0


def unavailable(place: str, error: Exception) -> BackendUnavailable:
    """Return the failure for what was raised in the place of a connection to a backend."""
    detail, step = _cause(error)
    return BackendUnavailable(f"{place}: {detail}", evidence=(printable(repr(error)),), remedy=step)


def _cause(error: Exception) -> tuple[str, str]:
    if isinstance(error, TLSFailure):
        return str(error).rstrip("."), error.nextStep
    if isinstance(error, QueueFull):
        return _QUEUE_FULL
    if getattr(error, "osError", None) == errno.ENOENT:
        return _NO_SOCKET
    failed = connectFailed(error)
    return failed.detail, failed.nextStep
