"""Two sides of one connection in memory, made from two configurations.

The smaller form is `handshake`: two `TLSConnection` objects, which are enough to ask what a handshake comes to. The
larger is a `Pair`: whole transports with protocols above them, deadlines and closes, on a clock that a test advances.
"""

from __future__ import annotations

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tlscomm.configuration import Configuration
from tlscomm.failures import TLSFailure
from tlscomm.testing._memory import MemoryLink
from tlscomm.tracing._tracing import Tracing
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.transport._acceptance import DOUBT_SECONDS

__all__ = ["Pair", "Recorder", "Side"]


class Recorder(Protocol):
    """A protocol that only remembers what it is told.

    Attributes:
        timesMade: how often ``connectionMade`` was called.
        received: all bytes that came, in order.
        lost: why the connection ended, or None while it has not.
    """

    def __init__(self) -> None:
        self.timesMade = 0
        self.received = b""
        self.lost: BaseException | None = None

    def connectionMade(self) -> None:
        self.timesMade += 1

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason.value


class Side:
    """One side of a `Pair`: a whole transport, and what became of it.

    Attributes:
        transport: the transport.
        protocol: the protocol above, from the moment on that both sides have accepted each other; None before.
        isAccepted: whether both sides have accepted each other.
        failure: why the connection was refused, or why it ended, or None.
        isOver: whether it was refused or has ended.
    """

    def __init__(
        self, configuration: Configuration, factory: IProtocolFactory, clock: Clock, tracing: Tracing | None = None
    ) -> None:
        """
        Args:
            configuration: a client's or a server's.
            factory: makes the protocol above.
            clock: tells the time.
            tracing: what is traced of the connection; None for nothing.
        """
        self.protocol: IProtocol | None = None
        self.isAccepted = False
        self.failure: TLSFailure | None = None
        self.isOver = False
        self._factory = TLSFactory(configuration, factory, clock, self, tracing=tracing)
        self.transport = self._factory.newTransport()

    @property
    def received(self) -> bytes:
        """What the protocol above has received, where that is a `Recorder`; nothing as long as there is none."""
        protocol: object = self.protocol
        return protocol.received if isinstance(protocol, Recorder) else b""

    def accepted(self, transport: TLSTransport) -> None:
        """Part of `tlscomm.transport.Observer`."""
        self.isAccepted = True
        self.protocol = transport.protocol

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """Part of `tlscomm.transport.Observer`."""
        self.isOver, self.failure = True, failure

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        """Part of `tlscomm.transport.Observer`."""
        self.isOver, self.failure = True, failure


class Pair:
    """A client and a server, connected in memory, with a clock of their own.

    Attributes:
        link: the connection between them: what is on its way, and in what pieces.
        clock: tells both sides the time.
    """

    def __init__(
        self,
        client: Configuration | IProtocol,
        server: Configuration | IProtocol,
        *,
        clientFactory: IProtocolFactory | None = None,
        serverFactory: IProtocolFactory | None = None,
        clock: Clock | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """Connect them. Nothing is carried before `flush`.

        Args:
            client: a configuration for a client that behaves, or a protocol for one that does not.
            server: the same for a server.
            clientFactory: makes the client's protocol; a `Recorder` where None.
            serverFactory: makes the server's protocol; a `Recorder` where None.
            clock: tells the time; a new one where None.
            tracing: what is traced of both sides, of whose transports each has its ``trace``; None for nothing.
        """
        self.clock = Clock() if clock is None else clock
        self._tracing = tracing
        self._client = self._side(client, clientFactory)
        self._server = self._side(server, serverFactory)
        self.link = MemoryLink(*(s.transport if isinstance(s, Side) else s for s in (self._client, self._server)))

    @property
    def client(self) -> Side:
        """The client's side, where the client was given as a configuration."""
        assert isinstance(self._client, Side), "the client is a protocol of its own"
        return self._client

    @property
    def server(self) -> Side:
        """The server's side, where the server was given as a configuration."""
        assert isinstance(self._server, Side), "the server is a protocol of its own"
        return self._server

    def flush(self) -> None:
        """Carry everything, and what is said in answer, until nothing moves any more.

        No time passes, but for the twentieth of a second in which a client waits whether a refusal follows a server's
        sign of acceptance.
        """
        self.link.flush()
        # What is written outside of dataReceived leaves at the start of the next turn of the reactor.
        self.clock.advance(0)
        self.link.flush()
        if isinstance(self._client, Side) and self._client.transport.isInDoubt:
            self.clock.advance(DOUBT_SECONDS)
            self.link.flush()

    def advance(self, seconds: float) -> None:
        """Let time pass, then carry everything."""
        self.clock.advance(seconds)
        self.flush()

    def _side(self, given: Configuration | IProtocol, factory: IProtocolFactory | None) -> Side | IProtocol:
        if IProtocol.providedBy(given):
            return given
        return Side(given, factory or Factory.forProtocol(Recorder), self.clock, self._tracing)
