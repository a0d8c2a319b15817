"""How the open connections of a server that stops come to an end, each when nothing is under way on it.

A connection is told of the stop once it is open: at once where its peer has said something before, else when it says
something, or after a second in which it has not. A peer whose connection was accepted in the last moment thus has time
to say what it came for. Handshakes go on meanwhile, and their connections are told in their turn.

What is told depends on the protocol above:

    protocol                          is told by
    --------------------------------  ------------------------------------------------------------------------------
    provides `IDrainable`             its ``drain``, as every `MessageProtocol`
    twisted.web's, HTTP/1.1           ``Connection: close`` in the reply to the request that is under way; the end,
                                      where none is
    twisted.web's, HTTP/2             GOAWAY and the end, when no stream is open
    any other                         nothing: it goes on until it ends by itself, or the limit is reached
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tlscomm.failures._loggedfailure import logFailure
from tlscomm.messages import IDrainable

if TYPE_CHECKING:
    from tlscomm.transport import TLSFactory, TLSTransport

__all__ = ["Draining"]

_log = Logger(namespace="tlscomm")

#: Seconds between two looks at connections that were not told yet.
_INTERVAL = 0.1
#: Seconds that a peer has for its first words, from when its connection is seen open.
_FIRST_WORDS = 1.0
#: How many connections are told in one turn of the reactor, so that those with something under way do not wait.
_AT_ONCE = 100


class Draining:
    """The end of all connections of a factory, up to a limit."""

    def __init__(self, factory: TLSFactory, clock: IReactorTime) -> None:
        """
        Args:
            factory: has the connections. Those that it still makes are told too.
            clock: tells the time.
        """
        self._factory = factory
        self._clock = clock
        self._told: set[TLSTransport] = set()
        self._seen: dict[TLSTransport, float] = {}
        self._look: IDelayedCall | None = None
        self._idle: Deferred[None] | None = None

    async def run(self, limit: float | None) -> int:
        """Tell all connections, and wait until they are gone.

        Args:
            limit: seconds; None waits for ever.

        Returns:
            How many connections still had something under way when the time was up.
        """
        # What was sent to us before the stop is read first: a turn of the reactor reads, and the next one tells.
        self._look = self._clock.callLater(0, self._tellInNextTurn)
        self._idle = self._factory.whenIdle()
        if limit is not None:
            self._idle.addTimeout(limit, self._clock, lambda *_: None)
        with contextlib.suppress(CancelledError):
            await self._idle
        if self._look.active():
            self._look.cancel()
        return sum(_isUnderWay(each) for each in self._factory.connections)

    def end(self) -> None:
        """Let the time be up now."""
        if self._idle is not None and not self._idle.called:
            self._idle.cancel()

    def _tellInNextTurn(self) -> None:
        self._look = self._clock.callLater(0, self._tellThoseThatAreDue)

    def _tellThoseThatAreDue(self) -> None:
        connections = self._factory.connections
        self._told &= connections
        self._seen = {each: since for each, since in self._seen.items() if each in connections}
        due = [each for each in connections - self._told if self._isDue(each)]
        for each in due[:_AT_ONCE]:
            if each.disconnecting or _tell(each):
                self._told.add(each)
        self._look = self._clock.callLater(0 if len(due) > _AT_ONCE else _INTERVAL, self._tellThoseThatAreDue)

    def _isDue(self, transport: TLSTransport) -> bool:
        if not transport.connected:
            return False
        now = self._clock.seconds()
        return transport.bytesReceived > 0 or now - self._seen.setdefault(transport, now) >= _FIRST_WORDS


def _isUnderWay(transport: TLSTransport) -> bool:
    """Whether the peer still counts on something: an open connection whose peer has spoken, or what is still sent."""
    isFlushing = transport.disconnecting and transport.isWriting
    return transport.connected and (isFlushing or (transport.bytesReceived > 0 and not transport.disconnecting))


def _tell(transport: TLSTransport) -> bool:
    """Tell a connection of the stop, and return whether it need not be told again."""
    try:
        return _tellProtocol(transport.protocol)
    except Exception:
        logFailure(_log, "a protocol failed when it was told to come to an end, so its connection ends")
        transport.abortConnection()
        return True


def _tellProtocol(protocol: Any) -> bool:
    while protocol is not None:
        if IDrainable.providedBy(protocol):
            protocol.drain()
            return True
        # twisted.web puts what speaks the version of HTTP that was agreed behind a protocol of its own.
        channel = getattr(protocol, "_channel", protocol)
        if _isOf(channel, "twisted.web.http", "HTTPChannel"):
            _drainHTTP(channel)
            return True
        if _isOf(channel, "twisted.web._http2", "H2Connection"):
            return _drainHTTP2(channel)
        # twisted.protocols.policies
        protocol = getattr(protocol, "wrappedProtocol", None)
    return True


def _isOf(protocol: object, module: str, name: str) -> bool:
    """Whether it is of a class in a module. What was not loaded has made none."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(protocol, kind)


def _drainHTTP(channel: Any) -> None:
    if not channel.requests:
        channel.loseConnection()
        return
    # For a request whose headers are still coming, and for those that wait behind the one that is under way.
    channel.checkPersistence = _isLastOf
    channel.persistent = False
    for request in channel.requests:
        if not request.startedWriting:
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])


def _isLastOf(request: Any, version: bytes) -> bool:
    request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
    return False


def _drainHTTP2(connection: Any) -> bool:
    if connection.streams:
        return False
    connection.conn.close_connection()
    connection.transport.write(connection.conn.data_to_send())
    connection.transport.loseConnection()
    return True
