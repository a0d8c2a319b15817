"""A connection that begins in the clear: what is said before TLS, and the change to TLS, once and for good.

SMTP, IMAP, XMPP, PostgreSQL and others talk in the clear first, and change to TLS when one side has asked for it. A
protocol does that here as with all of Twisted's transports, by ``transport.startTLS()``. From there on everything is as
in a connection that began with TLS: nothing is delivered before both sides have accepted each other, what is written
meanwhile waits, every refusal has its name, and the deadline of the handshake counts from the TCP connection.

What is said in the clear can be changed by any machine on the way. The known attack puts commands behind the one that
asks for TLS, in the same packet: a program that keeps them takes them later for what came over TLS (CVE-2011-0411 in
mail servers, CVE-2021-23222 in PostgreSQL's client). The side that asks has to wait for an answer, and the one that
answers sends nothing more; so bytes that come behind are an attack, or a peer that is broken, and end the connection
(``plaintext-injected``). To know which bytes came behind, the protocol is given one byte at a time while it talks in
the clear: what it has not been given when it starts TLS, it has not seen, and never sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableProtocol,
    IProtocol,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm.failures import ClosedInHandshake, NotTLS, PlaintextInjected, TLSFailure

__all__ = ["MOST_CLEAR", "ClearConnection"]

#: How many bytes may come in the clear. All that is said before TLS has some hundreds; and each costs a call.
MOST_CLEAR = 8192

_BEGIN_TLS = "Have the peer ask for TLS before all else, or connect to a port where TLS is not expected."


@implementer(IProtocol, IHalfCloseableProtocol, ITCPTransport, ITLSTransport)
class ClearConnection:
    """A TCP connection before TLS: TCP's protocol, and the transport of a protocol that talks in the clear.

    Attributes:
        tls: the TLS transport that follows.
        protocol: the protocol that talks in the clear, or None before it does.
        connected: whether there is a connection.
    """

    def __init__(
        self,
        tls: Any,
        talk: Callable[[IAddress | None], IProtocol | None] | None = None,
        most: int = MOST_CLEAR,
    ) -> None:
        """
        Args:
            tls: the TLS transport that follows. It has no connection yet.
            talk: makes what talks in the clear and is done when TLS begins. None: the protocol that is above TLS does,
                and goes on.
            most: how many bytes may come in the clear.
        """
        self.tls: Any = tls
        self.protocol: Any = None
        self._talk = talk
        self._most = most
        self._tcp: Any = None
        self._received = 0
        self._pending = b""
        self._isDelivering = False
        self._isPaused = False
        self._isStarted = False
        self._isOpen = False
        self._kept: list[bytes] = []

    # What TCP tells.

    def makeConnection(self, transport: Any) -> None:
        self.attach(transport)
        self.begin()

    def attach(self, transport: Any) -> None:
        """TCP is connected: the deadline begins."""
        self._tcp = transport
        self.tls.beginsInClear(self)
        self.tls.makeConnection(transport)

    def begin(self) -> None:
        """Have the protocol talk."""
        if self.tls.disconnecting:
            return
        self.tls.expect("the change to TLS")
        build = self.tls.factory.wrappedFactory.buildProtocol if self._talk is None else self._talk
        self._guarded(self._beginTalk, build)

    def _beginTalk(self, build: Callable[[Any], Any]) -> None:
        self.protocol = build(self.tls.getPeer())
        if self.protocol is None:
            self.tls.abortConnection()
        else:
            self.protocol.makeConnection(self)

    def connectionMade(self) -> None:
        """Part of `IProtocol`; `makeConnection` does the work."""

    def dataReceived(self, data: bytes) -> None:
        if self._isStarted or self.tls.disconnecting:
            self.tls.dataReceived(data)
            return
        self._received += len(data)
        if self._received > self._most:
            detail = f"more than {self._most} bytes came in the clear"
            self.tls.closeBecause(NotTLS(detail, remedy=_BEGIN_TLS))
            return
        self._pending += data
        self._deliver()

    def readConnectionLost(self) -> None:
        self._noteEnd(self.tls.refuseInClear)
        self.tls.readConnectionLost()

    def writeConnectionLost(self) -> None:
        self.tls.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._noteEnd(self.tls.closeBecause)
        self.tls.connectionLost(reason)

    def _noteEnd(self, refuse: Callable[[TLSFailure], object]) -> None:
        if not self._isStarted and self._received and not self.tls.disconnecting:
            refuse(ClosedInHandshake("the peer ended it before it had come to TLS"))

    def _deliver(self) -> None:
        """Give the protocol what has come, one byte at a time, until it starts TLS or pauses."""
        if self._isDelivering:
            return
        self._isDelivering = True
        data, self._pending = self._pending, b""
        place = 0
        try:
            while place < len(data) and not (self._isStarted or self._isPaused or self.tls.disconnecting):
                place += 1
                self._guarded(self.protocol.dataReceived, data[place - 1 : place])
        finally:
            self._isDelivering = False
        self._pending = data[place:] + self._pending
        if self._isStarted:
            self._beginTLS()

    def _guarded(self, call: Callable[..., object], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception:
            self.tls.noteBroken()

    def _beginTLS(self) -> None:
        """TLS begins, unless something has come in the clear that the protocol has not seen."""
        if self.tls.disconnecting:
            return
        if self._pending:
            detail = f"{len(self._pending)} bytes came behind what has begun TLS"
            self._pending = b""
            self.tls.closeBecause(PlaintextInjected(detail))
            return
        self.tls.expect("")
        if getattr(self._tcp, "protocol", None) is self:
            # TCP brings its bytes to TLS itself from now on.
            self._tcp.protocol = self.tls
        if self._isPaused:
            self._isPaused = False
            self._tcp.resumeProducing()
        self.tls.beginTLS()

    # What the TLS transport tells.

    def protocolAbove(self, address: IAddress | None) -> Any:
        """Both sides have accepted each other: return the protocol above."""
        if self._talk is None:
            return self.protocol
        return self.tls.factory.wrappedFactory.buildProtocol(address)

    def opened(self, protocol: Any) -> None:
        """That protocol has the connection from now on."""
        self._isOpen = True
        if self._talk is not None:
            protocol.makeConnection(self.tls)
            return
        if getattr(protocol, "transport", None) is self:
            protocol.transport = self.tls
        kept, self._kept = self._kept, []
        for data in kept:
            self.tls.write(data)

    def lost(self, reason: BaseException) -> None:
        """The connection is gone before both sides had accepted each other."""
        protocol, self.protocol = self.protocol, None
        self._kept.clear()
        if protocol is not None and not self._isOpen:
            protocol.connectionLost(Failure(reason))

    # What the protocol that talks in the clear asks for.

    @property
    def hasHeard(self) -> bool:
        """Whether the peer has said anything in the clear."""
        return self._received > 0

    @property
    def connected(self) -> bool:
        return self._tcp is not None and not self.tls.disconnecting

    @property
    def disconnecting(self) -> bool:
        return bool(self.tls.disconnecting)

    def startTLS(self, contextFactory: object = None, normal: bool = True) -> None:
        """Change to TLS: what follows from the peer is a handshake.

        A client calls it when the server's answer has come, a server when its own answer is written; each while it is
        given the byte with which the peer's words end, or later where it has called `pauseProducing` then, or before
        anything has come. Otherwise bytes could have come behind these words that it takes for its own.

        Twisted's protocols find the interfaces of `twisted.internet.interfaces.ITLSTransport` here. What they are told
        when both sides have accepted each other is `twisted.internet.interfaces.IHandshakeListener`; what they write
        until then waits.

        Args:
            contextFactory: is not used. The configuration of the endpoint is what counts.
            normal: is not used. The side that connects is TLS's client.

        Raises:
            RuntimeError: it was called before, or at a moment at which it is not safe.
        """
        if self._isStarted:
            raise RuntimeError("TLS was started already")
        if self._received and not (self._isDelivering or self._isPaused):
            raise RuntimeError(
                "startTLS is called while the peer's last words arrive, or with the transport paused then"
            )
        self._isStarted = True
        if not self._isDelivering:
            self._beginTLS()

    def closeBecause(self, failure: TLSFailure) -> None:
        """End the connection once what was written is out, with a failure that says why.

        Args:
            failure: what the observer, a client's ``connect()`` and ``connectionLost`` are told.
        """
        if self._isOpen:
            self.tls.closeBecause(failure)
        elif not self.tls.disconnecting:
            self.tls.refuseInClear(failure)

    def loseConnection(self) -> None:
        if self._isOpen:
            self.tls.loseConnection()
        else:
            self.closeBecause(ClosedInHandshake("our side ended it before it had come to TLS"))

    def loseWriteConnection(self) -> None:
        """Part of `ITCPTransport`. Before TLS a connection ends as a whole, so this is `loseConnection`."""
        self.loseConnection()

    def abortConnection(self) -> None:
        self.tls.abortConnection()

    def write(self, data: bytes) -> None:
        if self._isOpen:
            self.tls.write(data)
        elif self._isStarted:
            self._kept.append(bytes(data))
        elif not self.tls.disconnecting:
            self._tcp.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def pauseProducing(self) -> None:
        if self._isOpen:
            self.tls.pauseProducing()
        elif not self._isStarted:
            self._isPaused = True
            self._tcp.pauseProducing()

    def resumeProducing(self) -> None:
        if self._isOpen:
            self.tls.resumeProducing()
        elif self._isPaused:
            self._isPaused = False
            self._deliver()
            if not (self._isPaused or self.tls.disconnecting):
                self._tcp.resumeProducing()

    def stopProducing(self) -> None:
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Part of `twisted.internet.interfaces.IConsumer`, and only for what is over TLS.

        Raises:
            RuntimeError: there is no TLS yet.
        """
        if not self._isOpen:
            raise RuntimeError("a producer is registered when both sides have accepted each other, not before")
        self.tls.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        if self._isOpen:
            self.tls.unregisterProducer()

    def getPeer(self) -> Any:
        return self.tls.getPeer()

    def getHost(self) -> Any:
        return self.tls.getHost()

    def getTcpNoDelay(self) -> bool:
        return bool(self._tcp.getTcpNoDelay())

    def setTcpNoDelay(self, enabled: bool) -> None:
        self._tcp.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> bool:
        return bool(self._tcp.getTcpKeepAlive())

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self._tcp.setTcpKeepAlive(enabled)
