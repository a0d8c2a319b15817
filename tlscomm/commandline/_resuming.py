"""A first connection, whose session the next one may resume."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["resuming"]


class _Visit(Protocol):
    """Ends in order as soon as both sides have accepted each other."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())  # type: ignore[union-attr]

    def connectionMade(self) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)


async def resuming(endpoint: IStreamClientEndpoint) -> None:
    """Connect, and end in order; a ticket that the server gives has come with its acceptance or comes before its end.

    Raises:
        TLSFailure: there was no connection. How it ends does not matter.
    """
    visit: Any = await endpoint.connect(Factory.forProtocol(_Visit))
    await visit.ended
