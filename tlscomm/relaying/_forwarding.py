"""A protocol factory that serves each connection by another one that it makes to one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from tlscomm._waits import Waits
from tlscomm.failures import TLSFailure
from tlscomm.relaying._connecting import connected
from tlscomm.relaying._end import End
from tlscomm.relaying._reachability import Reachability, unavailable
from tlscomm.relaying._relay import Relay
from tlscomm.transport import TLSTransport

__all__ = ["Forwarding"]

#: A client is cut no sooner after it was accepted. A reset that comes with the acceptance, or overtakes it, looks like
#: a refusal of its certificate, and a client that is cut at once mostly tries again at once.
_ACCEPTANCE_SECONDS = 1.0


class Forwarding(Factory):
    """Makes a connection to one place for each that it is given, and joins the two.

    Over TLS it is given a connection when both sides have accepted each other, and so connects no sooner. What comes
    before the second connection is there waits with its sender, who is paused.

    Attributes:
        relays: those that have yet to end.
        filesPerConnection: how many files a process has open for each connection.
        timed: is given each attempt to connect, and returns it; None where none looks on.
    """

    noisy = False
    filesPerConnection = 2

    def __init__(
        self,
        clock: IReactorTime,
        backend: IStreamClientEndpoint,
        place: str,
        *,
        connectTimeout: float | None = 10.0,
        halfCloseTimeout: float | None = 600.0,
        maximumConnections: int | None = None,
        opening: Callable[[Any], bytes] | None = None,
        named: Callable[[Exception], TLSFailure] | None = None,
        ended: Callable[[Relay], object] | None = None,
    ) -> None:
        """
        Args:
            clock: tells the time, usually the reactor.
            backend: makes the connection.
            place: what it connects to, for messages.
            connectTimeout: seconds for that, whatever it is doing, and a handshake included; None for no limit.
            halfCloseTimeout: seconds that connections may stay without a byte when one side has ended; None for ever.
            maximumConnections: connections beyond this number are cut at once; None for no limit.
            opening: returns what the second connection is sent before all else, when it is asked with the transport of
                the first one. None: nothing.
            named: returns the failure for what was raised in the place of the second connection. It is then all that
                is made of it. None: it is `BackendUnavailable`, and logged as what concerns all connections.
            ended: is told of each relay when both its connections are gone.
        """
        self.relays: set[Relay] = set()
        self._awaitingEnd: list[Deferred[None]] = []
        self._waits = Waits(clock)
        self.timed: Callable[[Deferred[Any]], Deferred[Any]] | None = None
        self._backend = backend
        self._place = place
        self._connectTimeout = connectTimeout
        self._halfCloseTimeout = halfCloseTimeout
        self._opening = opening
        self._maximumConnections = maximumConnections
        self._ended = ended
        self._named = named
        self._reachability = Reachability(self._waits, place)

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of a connection that is to be served."""
        if self._maximumConnections is not None and len(self.relays) >= self._maximumConnections:
            return None
        return Relay(self._waits, self._halfCloseTimeout, self._connect, self._over).near

    def _connect(self, relay: Relay) -> None:
        self.relays.add(relay)
        factory = cast(IProtocolFactory, _Only(relay.far))
        connecting = connected(self._waits, self._backend, factory, self._connectTimeout)
        if self.timed is not None:
            connecting = self.timed(connecting)
        relay.connecting = connecting
        connecting.addCallback(self._connected, relay).addErrback(self._failed, relay)

    def _connected(self, _: IProtocol, relay: Relay) -> None:
        relay.connecting = None
        self._reachability.succeeded()
        relay.join(b"" if self._opening is None else self._opening(relay.near.transport))

    def _failed(self, reason: Failure, relay: Relay) -> None:
        relay.connecting = None
        if reason.check(CancelledError) and relay.near.isLost:
            # It is the client that has gone, and nothing is known of the backend.
            return
        error = cast(Exception, reason.value)
        if self._named is not None:
            relay.fail(self._named(error))
            return
        failure = unavailable(self._place, error)
        self._reachability.failed(failure)
        if isinstance(relay.near.transport, TLSTransport):
            relay.failIn(_ACCEPTANCE_SECONDS, failure)
        else:
            relay.fail(failure)

    def whenIdle(self) -> Deferred[None]:
        """Return a Deferred for when no relay is left."""
        idle: Deferred[None] = Deferred(self._awaitingEnd.remove)
        self._awaitingEnd.append(idle)
        self._noteIdle()
        return idle

    def cut(self) -> int:
        """Cut all relays, and return how many there were."""
        relays = tuple(self.relays)
        for relay in relays:
            relay.end()
        return len(relays)

    def _noteIdle(self) -> None:
        if not self.relays:
            awaiting, self._awaitingEnd = self._awaitingEnd, []
            for each in awaiting:
                each.callback(None)

    def _over(self, relay: Relay) -> None:
        self.relays.discard(relay)
        self._noteIdle()
        if self._ended is not None:
            self._ended(relay)


class _Only(Factory):
    """Gives the one connection that is made its one protocol."""

    noisy = False

    def __init__(self, end: End) -> None:
        self._end = end

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._end
