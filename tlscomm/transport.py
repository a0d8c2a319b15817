"""A TLS connection as Twisted sees one: a protocol to the TCP transport below, a transport to the protocol above.

Twisted's own TLS transport tells the protocol above of the connection before the handshake. This one tells it when both
sides have accepted each other, and not at all when they do not: then there never was a connection. Nor does it copy the
interfaces of the transport below on every connection; it declares what it provides.

Every wait has a deadline here, and every deadline has a name: the handshake's, the write deadline (`tlscomm._output`),
the wait for a sign of acceptance and the wait for the peer's close_notify. How long a *message* may take is for the
protocol above to say, because only it knows when one is awaited.

An end has three steps. What was written goes out, then close_notify; the peer's close_notify is awaited; then TCP is
closed. A refusal ends differently: its alert goes out, our side of TCP is closed, and what the peer has sent meanwhile
is read and thrown away for a moment, because closing a socket with unread data resets it, and a reset can overtake the
alert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from OpenSSL.crypto import X509
from OpenSSL.SSL import Connection as SSLConnection
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from tlscomm._output import Output
from tlscomm.configuration import Configuration
from tlscomm.connection import State, TLSConnection, TLSFacts
from tlscomm.failures import CloseTimeout, TLSFailure, TooManyConnections, WriteTimeout
from tlscomm.peer import Peer

__all__ = ["Observer", "TLSFactory", "TLSTransport"]

_log = Logger()

#: How long, and for how many bytes, a refused peer is listened to after its alert was sent, so that the alert arrives.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1 << 18


class Observer(Protocol):
    """Is told of every connection of a `TLSFactory`, once when it begins or is refused and once when it ends."""

    def accepted(self, transport: TLSTransport) -> None:
        """Both sides have accepted each other."""

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """There is no connection, and the protocol above never hears of it."""

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        """An accepted connection has ended, in order where `failure` is None."""


class _Nobody:
    """The observer where there is none."""

    def accepted(self, transport: TLSTransport) -> None: ...

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None: ...

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None: ...


@implementer(IProtocolFactory)
class TLSFactory:
    """Puts TLS between the protocols of another factory and their TCP transports.

    Attributes:
        configuration: a server's or a client's.
        wrappedFactory: makes the protocols above, each when its connection was accepted.
        connections: the transports that are alive, accepted or not yet.
    """

    def __init__(
        self,
        configuration: Configuration,
        wrappedFactory: IProtocolFactory,
        clock: IReactorTime,
        observer: Observer | None = None,
        maximumConnections: int | None = None,
    ) -> None:
        """
        Args:
            configuration: a server's or a client's.
            wrappedFactory: makes the protocols above.
            clock: tells the time, usually the reactor.
            observer: is told of every connection.
            maximumConnections: connections beyond this number are closed at once; None for no limit.
        """
        self.configuration = configuration
        self.wrappedFactory = wrappedFactory
        self.clock = clock
        self.observer = _Nobody() if observer is None else observer
        self.connections: set[TLSTransport] = set()
        self._maximumConnections = maximumConnections

    def buildProtocol(self, addr: IAddress | None) -> TLSTransport | None:
        """Return the transport for a new TCP connection, or None where there are too many."""
        transport = TLSTransport(self, addr)
        if self._maximumConnections is not None and len(self.connections) >= self._maximumConnections:
            detail = f"{self._maximumConnections} are open"
            self.observer.refused(transport, TooManyConnections(detail, peer=describeAddress(addr)))
            return None
        self.connections.add(transport)
        return transport

    def doStart(self) -> None:
        self.wrappedFactory.doStart()

    def doStop(self) -> None:
        self.wrappedFactory.doStop()


@implementer(ISSLTransport, INegotiated, ISystemHandle, IPushProducer, IProtocol, IHalfCloseableProtocol)
class TLSTransport:
    """One TLS connection over one TCP connection.

    Attributes:
        factory: the factory that made it.
        protocol: the protocol above, from the moment on that both sides have accepted each other.
        connected: whether the connection is open for the protocol above.
        disconnecting: whether an end was asked for or has come.
        bytesReceived: bytes of application data from the peer.
        bytesSent: bytes of application data from the protocol above.
    """

    def __init__(self, factory: TLSFactory, address: IAddress | None = None) -> None:
        self.factory = factory
        self.protocol: IProtocol | None = None
        self.transport: Any = None
        self.connected = False
        self.disconnecting = False
        self.bytesReceived = 0
        self.bytesSent = 0
        self._address = address
        self._clock = factory.clock
        self._deadlines = factory.configuration.deadlines
        self._began = 0.0
        self._timer: IDelayedCall | None = None
        self._failure: TLSFailure | None = None
        self._aborted = False
        self._closing = False
        self._readEnded = False
        self._signAwaited = False
        self._peerHasClosed = False
        self._lingering: int | None = None
        self._accepted: Deferred[IProtocol] | None = None

    # The protocol's side: what TCP tells.

    def makeConnection(self, transport: Any) -> None:
        """TCP is connected: begin the handshake and its deadline."""
        self.transport = transport
        self._connection = TLSConnection(self.factory.configuration, self)
        self._output = Output(self._connection, self._clock, self._deadlines.write, self._stuck, self._noteDrained)
        self._began = self._clock.seconds()
        if (setNoDelay := getattr(transport, "setTcpNoDelay", None)) is not None:
            # Messages leave one write each, so Nagle's algorithm only ever delays them.
            setNoDelay(True)
        self._output.attach(transport)
        self._startTimer(self._deadlines.handshake, self._handshakeTimedOut)
        if self.factory.configuration.isClient:
            self._connection.start()
            self._proceed(b"")

    def connectionMade(self) -> None:
        """Part of `IProtocol`; `makeConnection` does the work."""

    def dataReceived(self, data: bytes) -> None:
        """Take ciphertext from TCP."""
        if self._lingering is not None:
            self._discard(data)
            return
        connection, output = self._connection, self._output
        output.hold()
        plaintext = connection.receive(data)
        if self.connected and connection.state is State.OPEN:
            if plaintext:
                self._deliver(plaintext)
            output.release()
        else:
            self._proceed(plaintext)

    def readConnectionLost(self) -> None:
        """TCP's other side will send no more."""
        self._readEnded = True
        if self._lingering is not None:
            self.transport.loseConnection()
            return
        self._connection.receiveEnd()
        if self._closing or self._connection.state is State.FAILED:
            self._proceed(b"")

    def writeConnectionLost(self) -> None:
        """Our own half-close is done; nothing depends on it."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """TCP is gone: tell whoever has to know, once."""
        self._stopTimer()
        self.factory.connections.discard(self)
        if not self._closing and self._failure is None and not self._aborted:
            if reason.check(ConnectionDone):
                self._connection.receiveEnd()
            else:
                self._connection.receiveReset(reason.getErrorMessage())
            self._adoptFailure()
        wasConnected, self.connected, self.disconnecting = self.connected, False, True
        self._output.abandon()
        if wasConnected:
            self._tellClosed()
        else:
            self._tellRefused()

    # The transport's side: what the protocol above asks for.

    def write(self, data: bytes) -> None:
        """Send application data.

        Raises:
            TypeError: it is not bytes.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        if not self.connected or (self.disconnecting and not self._output.hasPullProducer):
            return
        self.bytesSent += len(data)
        self._output.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces of application data."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """End in order: what was written goes out, then close_notify, and the peer's is awaited."""
        if self.disconnecting:
            return
        self.disconnecting = True
        if not self.connected:
            self.abortConnection()
        elif not self._output.hasPullProducer:
            self._output.flush()

    def closeBecause(self, failure: TLSFailure) -> None:
        """End in order, like `loseConnection`, but not as if all were well.

        Args:
            failure: what `connectionLost` and the observer are told.
        """
        self._keep(failure)
        self.loseConnection()

    def abortConnection(self) -> None:
        """End at once; nothing that is still queued is sent."""
        self.disconnecting = True
        self._aborted = True
        if self.transport is not None:
            self._output.abandon()
            self.transport.abortConnection()

    def loseWriteConnection(self) -> None:
        """Part of `ITCPTransport`. TLS connections end as a whole here, so this is `loseConnection`."""
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        if self.connected and not self._closing:
            self._output.registerProducer(producer, streaming)
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """See `twisted.internet.interfaces.IConsumer`."""
        self._output.unregisterProducer()

    def pauseProducing(self) -> None:
        """Deliver no more application data, and take no more from the peer, until `resumeProducing`."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver application data again."""
        if not self._closing:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """See `twisted.internet.interfaces.IPushProducer`."""
        self.loseConnection()

    @property
    def tls(self) -> TLSFacts:
        """What was agreed in the handshake."""
        return self._connection.facts

    @property
    def peer(self) -> Peer | None:
        """The peer, or None where it presented no certificate (a client that need not)."""
        return self._connection.peer

    @property
    def isWriting(self) -> bool:
        """Whether bytes that were written are still on their way, as far as this machine knows."""
        return self._output.isMoving

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The application protocol that ALPN chose, or None."""
        return self._connection.handle.get_alpn_proto_negotiated() or None

    def getPeerCertificate(self) -> X509 | None:
        """The peer's certificate in pyOpenSSL's form, as Twisted's programs expect; `peer` says more."""
        return self._connection.handle.get_peer_certificate()

    def getHandle(self) -> SSLConnection:
        """The pyOpenSSL connection, for Twisted's ``Certificate.peerFromTransport``."""
        return self._connection.handle

    def getPeer(self) -> Any:
        """The peer's address."""
        return self.transport.getPeer() if self._address is None else self._address

    def getHost(self) -> Any:
        """Our own address."""
        return self.transport.getHost()

    def getTcpNoDelay(self) -> bool:
        return self.transport.getTcpNoDelay()  # type: ignore[no-any-return]

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> bool:
        return self.transport.getTcpKeepAlive()  # type: ignore[no-any-return]

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.transport.setTcpKeepAlive(enabled)

    def whenAccepted(self) -> Deferred[IProtocol]:
        """Return the protocol above once both sides have accepted each other, or the failure why they have not.

        To be called once, before anything has come of the connection. Cancelling it ends the connection.
        """
        self._accepted = Deferred(lambda _: self.abortConnection())
        return self._accepted

    # The life of the connection.

    def _proceed(self, plaintext: bytes) -> None:
        """Act on a change of state, and on the application data that came with it."""
        connection = self._connection
        if connection.isAccepted and not (self.connected or self.disconnecting):
            self._tellAccepted()
        if plaintext and self.connected:
            self._deliver(plaintext)
        if connection.state is State.FAILED:
            self._end()
            return
        self._output.release()
        if connection.state is State.UNCONFIRMED:
            self._awaitSign()
        elif connection.state is State.CLOSED or self._closing:
            self._peerClosed()

    def _tellAccepted(self) -> None:
        self._stopTimer()
        protocol = self.factory.wrappedFactory.buildProtocol(self.getPeer())
        if protocol is None:
            self.abortConnection()
            return
        self.protocol = protocol
        self.connected = True
        self.factory.observer.accepted(self)
        protocol.makeConnection(self)
        if IHandshakeListener.providedBy(protocol):
            cast(IHandshakeListener, protocol).handshakeCompleted()
        if (accepted := self._takeAccepted()) is not None:
            accepted.callback(protocol)

    def _deliver(self, plaintext: bytes) -> None:
        if not self.disconnecting and self.protocol is not None:
            self.bytesReceived += len(plaintext)
            self.protocol.dataReceived(plaintext)

    def _awaitSign(self) -> None:
        """Wait for a sign of acceptance, but not for ever, and not less than the network needs."""
        if self._signAwaited:
            return
        self._signAwaited = True
        elapsed = self._clock.seconds() - self._began
        self._startTimer(max(self._deadlines.acceptance, 2 * elapsed), self._signMissing)

    def _signMissing(self) -> None:
        self._connection.assumeAccepted()
        self._proceed(b"")

    def _handshakeTimedOut(self) -> None:
        self._connection.timeOut()
        self._adoptFailure()
        self.transport.abortConnection()

    def _stuck(self) -> None:
        self._keep(CloseTimeout() if self._closing else WriteTimeout(f"nothing moved for {self._deadlines.write} s"))
        self.transport.abortConnection()

    def _peerClosed(self) -> None:
        """The peer's close_notify has come, or its end of stream after ours."""
        if self._closing:
            self._closeTCP()
            return
        if self._peerHasClosed or self.disconnecting:
            return
        self._peerHasClosed = True
        halfCloseable: Any = IHalfCloseableProtocol(self.protocol, None)
        if halfCloseable is not None:
            halfCloseable.readConnectionLost()
        else:
            self.loseConnection()

    def _noteDrained(self) -> None:
        """Everything that was written is with TCP; say close_notify if that was all."""
        if not self.disconnecting or self._closing or not self.connected or self._output.hasPullProducer:
            return
        self._closing = True
        self._connection.close()
        self._output.release()
        if self._connection.state is State.OPEN:
            # A paused protocol must not keep the peer's close_notify from being read.
            self.transport.resumeProducing()
            self._startTimer(self._deadlines.close, self._closeTimedOut)
        else:
            self._closeTCP()

    def _closeTimedOut(self) -> None:
        self._keep(CloseTimeout(f"it had {self._deadlines.close} s"))
        self.transport.abortConnection()

    def _closeTCP(self) -> None:
        self._output.detach()
        self.transport.loseConnection()

    def _end(self) -> None:
        """The connection has FAILED: let the peer hear why, then close."""
        self.disconnecting = True
        self._adoptFailure()
        self._output.release()
        self._output.detach()
        if self._readEnded:
            self.transport.loseConnection()
            return
        self._lingering = 0
        self._startTimer(_LINGER_SECONDS, self.transport.abortConnection)
        if (closeWriting := getattr(self.transport, "loseWriteConnection", None)) is not None:
            closeWriting()
        else:
            self.transport.loseConnection()

    def _discard(self, data: bytes) -> None:
        self._lingering = (self._lingering or 0) + len(data)
        if self._lingering > _LINGER_BYTES:
            self.transport.abortConnection()

    def _adoptFailure(self) -> None:
        if (failure := self._connection.failure) is not None:
            self._keep(failure)

    def _keep(self, failure: TLSFailure) -> None:
        """Keep the first failure: later ones follow from it."""
        if self._failure is None:
            failure.peer = describeAddress(self.getPeer())
            self._failure = failure

    def _tellRefused(self) -> None:
        failure = self._failure
        if failure is not None:
            self.factory.observer.refused(self, failure)
        if (accepted := self._takeAccepted()) is not None and not accepted.called:
            accepted.errback(failure if failure is not None else ConnectionAborted())

    def _tellClosed(self) -> None:
        self.factory.observer.closed(self, self._failure)
        if self.protocol is None:
            return
        if self._failure is not None:
            self.protocol.connectionLost(Failure(self._failure))
        else:
            self.protocol.connectionLost(Failure(ConnectionAborted()) if self._aborted else connectionDone)

    def _takeAccepted(self) -> Deferred[IProtocol] | None:
        accepted, self._accepted = self._accepted, None
        return accepted

    def _startTimer(self, seconds: float | None, expired: Callable[[], object]) -> None:
        """Start the one wait that this connection is in."""
        self._stopTimer()
        if seconds is not None:
            self._timer = self._clock.callLater(seconds, expired)

    def _stopTimer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def describeAddress(address: Any) -> str | None:
    """Return an address as people write it: ``host:port``, or as the address describes itself."""
    if address is None:
        return None
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return str(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
