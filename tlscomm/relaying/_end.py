"""One of the two connections of a relay, as a protocol: what it brings goes to the other one.

This is the path of every byte. A read is written once and at once: nothing is joined, cut or kept here, and there is
nothing to wait for, because Twisted reads a connection once in a turn of the reactor. What the other connection cannot
take stays in its transport, which pauses this one for that.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import TLSFailure
from tlscomm.transport import TLSTransport
from tlscomm.transport._bytestream import IByteStream
from tlscomm.transport._directwrite import MOST, DirectWrite, canWriteDirectly

__all__ = ["End"]

#: After so many seconds of silence the system asks whether the peer is still there, and so often and so many times.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class Owner(Protocol):
    """What an end tells the relay that it belongs to."""

    def connected(self, end: End) -> None:
        """The connection is there."""

    def ended(self, end: End) -> None:
        """Its peer has ended its side in order: nothing more comes from there."""

    def lost(self, end: End, reason: Failure) -> None:
        """The connection is gone."""


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer, IByteStream)
class End:
    """One connection of a relay.

    Attributes:
        transport: the connection, or None before there is one.
        received: how many bytes came from it.
        hasEnded: whether its peer has ended its side in order.
        isClosing: whether it was told to end, so that its loss is no news.
        isLost: whether it is gone.
        passOn: takes what comes: the other end's `put`, once it has one.
    """

    __slots__ = (
        "__weakref__",
        "_direct",
        "_owner",
        "hasEnded",
        "isClosing",
        "isLost",
        "passOn",
        "received",
        "transport",
    )

    def __init__(self, owner: Owner) -> None:
        self.transport: Any = None
        self.received = 0
        self.hasEnded = False
        self.isClosing = False
        self.isLost = False
        self.passOn: Callable[[bytes], object] = _tooEarly
        self._owner: Owner | None = owner
        self._direct: DirectWrite | None = None

    # What the connection tells.

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        if canWriteDirectly(transport):
            self._direct = DirectWrite(transport)
        _keepAlive(transport)
        if self._owner is not None:
            self._owner.connected(self)
        else:
            # It was given up, and was made all the same.
            self.abort()

    def connectionMade(self) -> None:
        """Part of `IProtocol`; `makeConnection` does the work."""

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        self.passOn(data)

    def readConnectionLost(self) -> None:
        # What a write was told is not told to a read that follows it, and so is no end in order.
        isLost = self._direct is not None and self._direct.isLost
        if not (self.hasEnded or isLost or self._owner is None):
            self.hasEnded = True
            self._owner.ended(self)

    def writeConnectionLost(self) -> None:
        """Part of `IHalfCloseableProtocol`; nothing depends on it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.isLost = True
        owner, self._owner = self._owner, None
        self.passOn = _drop
        if owner is not None:
            owner.lost(self, reason)

    # What the relay asks of it.

    def release(self) -> None:
        """Tell the relay of nothing any more: it is over."""
        self._owner = None

    @property
    def put(self) -> Callable[[bytes], object]:
        """What writes to the connection, at once where that is possible."""
        if self._direct is not None:
            return self._putDirectly
        return self.transport.writeAtOnce if isinstance(self.transport, TLSTransport) else self.transport.write

    def _putDirectly(self, data: bytes) -> None:
        direct = self._direct
        assert direct is not None
        direct.left = MOST
        direct.write(data)

    @property
    def hasHalves(self) -> bool:
        """Whether each side of the connection can end alone."""
        # Of Twisted's TLS it would be TCP that ends, which is no end of TLS in order.
        return hasattr(self.transport, "loseWriteConnection") and not isinstance(self.transport, ProtocolWrapper)

    def endWriting(self) -> None:
        """End our side of the connection, once what was written is out: all of it, where it has no halves.

        Even then what the peer says until it has heard of that may still come.
        """
        self.transport.unregisterProducer()
        (self.transport.loseWriteConnection if self.hasHalves else self.transport.loseConnection)()

    def close(self) -> None:
        """End the connection in order, once what was written is out."""
        if not (self.isLost or self.isClosing):
            self.isClosing = True
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self, failure: TLSFailure | None = None) -> None:
        """End the connection at once, so that it does not look like an end in order."""
        if self.isLost or self.transport is None:
            return
        self.isClosing = True
        if failure is not None and isinstance(self.transport, TLSTransport):
            self.transport.abortBecause(failure)
        else:
            getattr(self.transport, "abortConnection", self.transport.loseConnection)()

    # What the other connection asks of it, as its producer.

    def pauseProducing(self) -> None:
        if not self.isLost:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        if not self.isLost:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The other connection is gone, and tells the relay itself. This one must not end as if all were well."""


def _tooEarly(_data: bytes) -> None:
    raise AssertionError("a connection is paused until there is one to pass its bytes on to")


def _drop(_data: bytes) -> None:
    """Take bytes that have no way to go any more."""


def _keepAlive(transport: Any) -> None:
    """Have the system find out when a peer has vanished without a word: a relay may be silent for hours."""
    if not ITCPTransport.providedBy(transport):
        return
    with contextlib.suppress(AttributeError, OSError):
        transport.setTcpKeepAlive(True)
        below: Any = transport.transport if isinstance(transport, TLSTransport) else transport
        handle = below.getHandle()
        for option, value in _KEEP_ALIVE.items():
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
