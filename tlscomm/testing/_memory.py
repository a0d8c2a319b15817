"""TCP in memory: two ends, their buffers, half-closes and resets, and nothing moves until a test says so."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPullProducer, IPushProducer, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["MemoryLink", "MemoryTransport"]

#: A buffer that is fuller than this pauses its producer, as Twisted's TCP transport does.
_FULL = 1 << 16


@implementer(ITCPTransport)
class MemoryTransport:
    """One end of a TCP connection in memory. `MemoryLink` makes it.

    Attributes:
        protocol: the protocol that it serves.
        connected: whether the connection is open.
        disconnecting: whether it was asked to close.
        written: bytes that wait to be carried to the other end.
        dataBuffer: the same bytes, under the name that Twisted's TCP transport has for them.
        isReading: whether the protocol takes bytes now.
    """

    offset = 0

    def __init__(self, protocol: IProtocol, host: IPv4Address, peer: IPv4Address) -> None:
        self.protocol = protocol
        self.connected = True
        self.disconnecting = False
        self.written = bytearray()
        self.isReading = True
        self.wasAborted = False
        self._host = host
        self._peer = peer
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False
        self.writeClosed = False
        self.writeClosing = False

    @property
    def dataBuffer(self) -> bytes:
        return bytes(self.written)

    def write(self, data: bytes) -> None:
        if not self.connected or self.writeClosing or self.disconnecting:
            return
        self.written += data
        isFull = self._streaming and len(self.written) > _FULL
        if isFull and self._producer is not None and not self._producerPaused:
            self._producerPaused = True
            self._producer.pauseProducing()

    def writeSequence(self, iovec: Any) -> None:
        self.write(b"".join(iovec))

    def take(self, most: int | None = None) -> bytes:
        """Take bytes off the buffer, and let the producer go on when it is empty."""
        count = len(self.written) if most is None else most
        taken = bytes(self.written[:count])
        del self.written[:count]
        if taken and not self.written and self._producer is not None and (self._producerPaused or not self._streaming):
            self._producerPaused = False
            self._producer.resumeProducing()
        return taken

    def loseConnection(self) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.wasAborted = True
        self.disconnecting = True
        self.written.clear()

    def loseWriteConnection(self) -> None:
        self.writeClosing = True

    def registerProducer(self, producer: IPushProducer | IPullProducer, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("a producer is registered already")
        self._producer = producer
        self._streaming = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        self._producerPaused = False

    def pauseProducing(self) -> None:
        self.isReading = False

    def resumeProducing(self) -> None:
        self.isReading = True

    def stopProducing(self) -> None:
        self.loseConnection()

    def getHost(self) -> IPv4Address:
        return self._host

    def getPeer(self) -> IPv4Address:
        return self._peer

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def getTcpKeepAlive(self) -> bool:
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None: ...

    def lose(self, reason: BaseException) -> None:
        """The connection is gone."""
        if self.connected:
            self.connected = False
            self.protocol.connectionLost(Failure(reason))


class MemoryLink:
    """A TCP connection in memory between a client's and a server's protocol.

    Attributes:
        client: the client's end.
        server: the server's end.
    """

    #: The class of both ends.
    end: Any = MemoryTransport

    def __init__(self, client: IProtocol, server: IProtocol, *, clientAddress: IPv4Address | None = None) -> None:
        """
        Args:
            client: a client's protocol, usually what a `TLSFactory` has built.
            server: a server's.
            clientAddress: where the client connects from, 127.0.0.1:40001 where None.
        """
        ends = clientAddress or IPv4Address("TCP", "127.0.0.1", 40001), IPv4Address("TCP", "127.0.0.1", 8443)
        self.client: MemoryTransport = self.end(client, *ends)
        self.server: MemoryTransport = self.end(server, *reversed(ends))
        server.makeConnection(self.server)
        client.makeConnection(self.client)

    def flush(self) -> None:
        """Carry everything, and every end of stream, until nothing moves any more."""
        while any([self._carry(self.client, self.server), self._carry(self.server, self.client)]):
            pass

    def toServer(self, most: int | None = None) -> bytes:
        """Carry what the client has written, or its first bytes, and nothing else; return them."""
        return self._move(self.client, self.server, most)

    def toClient(self, most: int | None = None) -> bytes:
        """Carry what the server has written, or its first bytes, and nothing else; return them."""
        return self._move(self.server, self.client, most)

    def cut(self) -> None:
        """Reset the connection: both ends lose it, and what was on its way is lost."""
        self.client.written.clear()
        self.server.written.clear()
        for end in (self.client, self.server):
            end.lose(ConnectionLost())

    def _move(self, source: MemoryTransport, target: MemoryTransport, most: int | None = None) -> bytes:
        if not target.isReading and target.connected:
            return b""
        taken = source.take(most)
        if taken and target.connected:
            target.protocol.dataReceived(taken)
        return taken

    def _carry(self, source: MemoryTransport, target: MemoryTransport) -> bool:
        """Carry bytes, then the end of the stream, then the end of the connection; return whether anything moved."""
        if self._move(source, target):
            return True
        if source.written:
            return False
        if source.wasAborted and source.connected:
            source.lose(ConnectionDone())
            target.lose(ConnectionLost())
            return True
        if (source.writeClosing or source.disconnecting) and not source.writeClosed:
            source.writeClosed = True
            self._endStream(target)
            return True
        if source.disconnecting and source.connected:
            source.lose(ConnectionDone())
            return True
        return False

    def _endStream(self, target: MemoryTransport) -> None:
        if not target.connected:
            return
        halfCloseable: Any = IHalfCloseableProtocol(target.protocol, None)
        if halfCloseable is not None:
            halfCloseable.readConnectionLost()
        else:
            # As with a socket, this side is then closed too, once what it has written is out.
            target.disconnecting = True
            target.lose(ConnectionDone())
