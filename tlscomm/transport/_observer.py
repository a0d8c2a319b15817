"""Telling an observer, and the observer where none was named."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from tlscomm.failures import TLSFailure
from tlscomm.transport._interfaces import Observer, Transport

__all__ = ["RefusalLog", "tell"]

_log = Logger()


class RefusalLog:
    """The default observer: writes the refusals of a server to Twisted's log, where a program names no other."""

    def accepted(self, transport: Transport) -> None: ...

    def refused(self, transport: Transport, failure: TLSFailure) -> None:
        # A client's failure is what connect() fails with.
        if not transport.factory.configuration.isClient:
            _log.warn("refused {peer}: {problem}", peer=failure.peer, problem=str(failure))

    def closed(self, transport: Transport, failure: TLSFailure | None) -> None: ...


def tell(observer: Observer[Any], notice: str, transport: Transport, *facts: TLSFailure | None) -> None:
    """Tell an observer. Whatever it raises is logged: a connection does not depend on who looks on."""
    try:
        getattr(observer, notice)(transport, *facts)
    except Exception:
        _log.failure("the observer of the connections failed at {notice}", notice=notice)
