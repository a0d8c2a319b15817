"""Who is told of connections besides the protocols above them: logs, counters, tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import Logger

from tlscomm.failures import TLSFailure

if TYPE_CHECKING:
    from tlscomm._carrying.transport import TLSTransport

__all__ = ["Nobody", "Observer", "describeAddress", "tell"]

_log = Logger()


class Observer(Protocol):
    """Is told of every connection of a `TLSFactory`, once when it begins or is refused and once when it ends."""

    def accepted(self, transport: TLSTransport) -> None:
        """Both sides have accepted each other."""

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """There is no connection, and the protocol above never hears of it."""

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        """An accepted connection has ended; `failure` is None where it did in order, or we aborted it ourselves."""


class Nobody:
    """The observer where there is none: of whom a server refused, somebody has to hear, and it is Twisted's log."""

    def accepted(self, transport: TLSTransport) -> None: ...

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        # A client's failure is told to whoever called connect().
        if not transport.factory.configuration.isClient:
            _log.warn("refused {peer}: {problem}", peer=failure.peer, problem=str(failure))

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None: ...


def tell(observer: Observer, notice: str, transport: TLSTransport, *facts: TLSFailure | None) -> None:
    """Tell an observer. Whatever it raises is logged: a connection does not depend on who looks on."""
    try:
        getattr(observer, notice)(transport, *facts)
    except Exception:
        _log.failure("the observer of the connections failed at {notice}", notice=notice)


def describeAddress(address: Any) -> str | None:
    """Return an address as people write it: ``host:port``, or as the address describes itself."""
    if address is None:
        return None
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return str(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
