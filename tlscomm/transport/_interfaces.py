"""What a transport, its factory, its observer and the revalidation know of each other.

They need each other: a factory makes transports, and each transport asks its factory for a protocol and tells its
observer what becomes of it. So that the modules do not need each other as well, each of them knows the others by what
stands here.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from twisted.internet.interfaces import IProtocolFactory

from tlscomm._waits import Waits
from tlscomm.configuration import Configuration
from tlscomm.failures import TLSFailure
from tlscomm.transport._refusallimit import TracebackLimit
from tlscomm.transport._turns import HandshakeTurns
from tlscomm.verification import Verifier

__all__ = ["Factory", "Observer", "Transport"]

_Transport_contra = TypeVar("_Transport_contra", contravariant=True)


class Observer(Protocol[_Transport_contra]):
    """Is told of every connection of a `TLSFactory`, once when it begins or is refused and once when it ends.

    An observer is one of `TLSTransport`.
    """

    def accepted(self, transport: _Transport_contra) -> None:
        """Both sides have accepted each other."""

    def refused(self, transport: _Transport_contra, failure: TLSFailure) -> None:
        """There is no connection, and the protocol above never hears of it."""

    def closed(self, transport: _Transport_contra, failure: TLSFailure | None) -> None:
        """An accepted connection has ended; `failure` is None where it did in order, or we aborted it ourselves."""


class Transport(Protocol):
    """What a factory, its default observer and the revalidation know of a transport."""

    @property
    def factory(self) -> Factory:
        """What made it."""

    def revalidate(self, verifier: Verifier | None = None) -> None:
        """End the connection if its peer would be refused now."""


class Factory(Protocol):
    """What a transport knows of its factory."""

    @property
    def configuration(self) -> Configuration:
        """What new connections begin with."""

    @property
    def wrappedFactory(self) -> IProtocolFactory:
        """Makes the protocols above."""

    @property
    def waits(self) -> Waits:
        """Has the deadlines of the connections, and tells the time."""

    @property
    def observer(self) -> Observer[Any]:
        """Is told of every connection."""

    @property
    def changes(self) -> int:
        """How often what a peer has to be has changed."""

    @property
    def protocolTracebacks(self) -> TracebackLimit:
        """How often the traceback of a protocol above is logged."""

    @property
    def name(self) -> str:
        """What its server is called in the log; empty where it is called nothing."""

    @property
    def hookTracebacks(self) -> TracebackLimit:
        """How often the traceback of a hook is logged."""

    @property
    def turns(self) -> HandshakeTurns:
        """When steps of handshakes are taken."""

    def revalidateOne(self, transport: Transport) -> None:
        """Judge one open connection again, where that is wanted."""

    def forget(self, transport: Transport) -> None:
        """A connection is gone."""
