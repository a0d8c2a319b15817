"""Telling an observer, and the observer of a client."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from tlscomm.failures import TLSFailure
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.transport._interfaces import Observer, Transport

__all__ = ["ClientObserver", "isHealthCheck", "tell"]

_log = Logger(namespace="tlscomm")


class ClientObserver:
    """The observer of a client, which writes nothing: its program learns all from `connect()` and its protocol."""

    def accepted(self, transport: Transport) -> None: ...

    def refused(self, transport: Transport, failure: TLSFailure) -> None: ...

    def closed(self, transport: Transport, failure: TLSFailure | None) -> None: ...


def tell(observer: Observer[Any], notice: str, transport: Transport, *facts: TLSFailure | None) -> None:
    """Tell an observer. Whatever it raises is logged: a connection does not depend on who looks on."""
    try:
        getattr(observer, notice)(transport, *facts)
    except Exception:
        logFailure(_log, "the observer of the connections failed at {notice}", notice=notice)


def isHealthCheck(failure: TLSFailure, *, hasHeard: bool) -> bool:
    """Return whether a peer connected and went away without a word, as what looks whether a port is open does.

    Args:
        failure: why the connection was refused.
        hasHeard: whether the peer has sent anything at all.
    """
    return failure.code in ("closed-in-handshake", "reset") and not hasHeard
