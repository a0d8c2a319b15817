"""What is told of a server, and several that are told.

The event log, the numbers for metrics and what the status shows look at one server at the same time. Each is told in
turn, and what one of them raises keeps none of the others from being told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.logger import Logger

from tlscomm.failures import TLSFailure
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.serving._phases import ServerPhase
from tlscomm.transport import TLSTransport
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["Observers", "ServerObserver"]

_log = Logger(namespace="tlscomm")


class ServerObserver(Protocol):
    """Is told of every connection, as `tlscomm.transport.Observer`, and of what becomes of the server.

    One that has nothing to say about some of it leaves that method out: `Observers` asks for each.
    """

    def accepted(self, transport: TLSTransport) -> None:
        """Both sides have accepted each other."""

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """There is no connection, and the protocol above never hears of it."""

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        """An accepted connection has ended; `failure` is None where it did in order, or we aborted it ourselves."""

    def listening(self, address: str | None) -> None:
        """A port is open."""

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""

    def flush(self) -> None:
        """The server has stopped: write what still waits."""


class Observers:
    """Several observers of one server, each of them told of everything. A `ServerObserver` itself.

    Attributes:
        numbers: those of the connections that are to come, as the log has them.
    """

    def __init__(self, log: EventLog, others: Iterable[Any] = ()) -> None:
        """
        Args:
            log: is told first.
            others: each has some or all of the methods of `ServerObserver`.
        """
        self.numbers = log.numbers
        each = (log, *others)
        self._told = {notice: _methods(each, notice) for notice in _NOTICES}

    def accepted(self, transport: TLSTransport) -> None:
        self._tell("accepted", transport)

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self._tell("refused", transport, failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        self._tell("closed", transport, failure)

    def listening(self, address: str | None) -> None:
        self._tell("listening", address)

    def entered(self, phase: ServerPhase) -> None:
        self._tell("entered", phase)

    def reloaded(self, result: ReloadResult) -> None:
        self._tell("reloaded", result)

    def flush(self) -> None:
        self._tell("flush")

    def _tell(self, notice: str, *facts: object) -> None:
        for each in self._told[notice]:
            try:
                each(*facts)
            except Exception:
                logFailure(_log, "an observer of the server failed at {notice}", notice=notice)


_NOTICES = ("accepted", "refused", "closed", "listening", "entered", "reloaded", "flush")


def _methods(observers: Iterable[Any], notice: str) -> tuple[Any, ...]:
    found = (getattr(observer, notice, None) for observer in observers)
    return tuple(method for method in found if method is not None)
