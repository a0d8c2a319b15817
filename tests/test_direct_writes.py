"""Bytes that go to the kernel at once: when they may, and that nothing but the time tells them from Twisted's own."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from conversation import ConversationCase, HalfCloseable, Recorder, Side, clientConfiguration, serverConfiguration
from directlink import DirectLink, DirectlyWritten, DirectTransport, Watching
from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.testing import MemoryTransport
from tlscomm.transport import _output
from tlscomm.transport._directwrite import DirectWrite, canWriteDirectly

ADDRESS = IPv4Address("TCP", "127.0.0.1", 8443)

MEGABYTES = bytes(range(256)) * 20_000


def transport(kind: type[Any] = DirectTransport) -> Any:
    return kind(Protocol(), ADDRESS, ADDRESS)


class WhereTests(SynchronousTestCase):
    """Where it is done."""

    def test_ofTwisted(self) -> None:
        """Twisted's TCP transports still have all that it takes, on both sides."""
        for kind in (tcp.Server, tcp.Client):
            made = kind.__new__(kind)
            tcp.Connection.__init__(made, transport().kernel, Protocol(), transport().reactor)
            self.assertTrue(canWriteDirectly(made), f"Twisted's {kind} is not what it was")

    def test_meanings(self) -> None:
        """What is asked of them before each write still means what it is taken for."""
        full = transport()
        full.write(b"waits")
        self.assertTrue(full._tempDataBuffer)
        full.kernel.room = 2
        full.doWrite()
        self.assertEqual((full._tempDataBuffer, full.dataBuffer, full.offset), ([], b"waits", 2))
        full.kernel.room = 5
        full.doWrite()
        self.assertEqual((full._tempDataBuffer, full.dataBuffer), ([], b""))
        halfClosed, closed, aborted, lost = (transport() for _ in range(4))
        halfClosed.loseWriteConnection()
        self.assertTrue(halfClosed._writeDisconnecting)
        closed.loseConnection()
        self.assertTrue(closed.disconnecting)
        aborted.reactor.callLater = lambda *_: None
        tcp.Connection.abortConnection(aborted)
        self.assertTrue(aborted._aborting)
        lost.lose(ConnectionResetError())
        self.assertFalse(lost.connected)

    def test_nowhereElse(self) -> None:
        """It is not done where a transport does anything of its own, or is not what it was."""

        class Counting(DirectTransport):
            def writeSomeData(self, data: bytes) -> Any:
                return super().writeSomeData(data)

        class Changed(DirectTransport):
            @property
            def dataBuffer(self) -> bytes:
                raise AttributeError

        patched = transport()
        patched.write = patched.write
        self.assertFalse(canWriteDirectly(patched))
        for other in (transport(Counting), transport(Changed), transport(MemoryTransport), None):
            self.assertFalse(canWriteDirectly(other))

    def test_unixSockets(self) -> None:
        """Those of Unix sockets, which may have file descriptors to send, are written to by Twisted."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            watching = transport().reactor
            self.assertFalse(canWriteDirectly(unix.Server(ours, Protocol(), "", None, 0, watching)))


class WritesTests(SynchronousTestCase):
    """What becomes of one write."""

    def setUp(self) -> None:
        self.transport = transport()
        self.kernel = self.transport.kernel
        self.direct = DirectWrite(self.transport)

    @property
    def isWriting(self) -> bool:
        return self.transport in self.transport.reactor.writers

    def test_taken(self) -> None:
        """What the socket takes is there at once, and the reactor has nothing to do."""
        self.direct.write(b"one ")
        self.direct.write(b"two")
        self.assertEqual(self.kernel.held, b"one two")
        self.assertFalse(self.isWriting)

    def test_short(self) -> None:
        """The rest of what it takes in part follows by Twisted, and nothing overtakes it."""
        self.kernel.room = 6
        self.direct.write(b"one two ")
        self.kernel.room = 100
        self.direct.write(b"three")
        self.assertEqual(self.kernel.held, b"one tw")
        self.assertTrue(self.isWriting)
        self.transport.turn()
        self.assertEqual(self.kernel.held, b"one two three")
        self.assertFalse(self.isWriting)
        self.direct.write(b" four")
        self.assertEqual(self.kernel.held, b"one two three four")

    def test_full(self) -> None:
        """What a full socket does not take goes to Twisted whole."""
        for number in (errno.EAGAIN, errno.ENOBUFS):
            self.kernel.error = number
            self.direct.write(b"one ")
            self.assertTrue(self.isWriting)
            self.kernel.isShutDown = False
            self.transport.turn()
        self.assertEqual(self.kernel.held, b"one ")
        self.assertFalse(self.direct.isLost)

    def test_ended(self) -> None:
        """Where an end was asked for, it is Twisted's to say whether anything is still sent."""
        self.transport.reactor.callLater = lambda *_: None
        for end in ("loseConnection", "loseWriteConnection", "connectionLost", "abort"):
            ended = transport()
            ended.reactor.callLater = lambda *_: None
            direct = DirectWrite(ended)
            if end == "connectionLost":
                ended.connectionLost(Failure(ConnectionResetError()))
            elif end == "abort":
                tcp.Connection.abortConnection(ended)
            else:
                getattr(ended, end)()
            direct.write(b"late")
            self.assertEqual((end, ended.kernel.calls), (end, []))

    def test_underTwistedsTLS(self) -> None:
        """Where Twisted was asked to start TLS of its own on the transport, that is written to."""
        written: list[bytes] = []
        self.transport.protocol.write = written.append
        self.transport.TLS = True
        self.direct.write(b"inner")
        self.assertEqual((written, self.kernel.calls), ([b"inner"], []))

    def test_error(self) -> None:
        """An error is Twisted's to find, in its next turn, though the kernel tells of it once."""
        told: list[Failure] = []
        for number in (errno.ECONNRESET, errno.ETIMEDOUT, errno.EPERM):
            failing = transport()
            failing.protocol.connectionLost = told.append
            direct = DirectWrite(failing)
            failing.kernel.error = number
            direct.write(b"lost")
            self.assertEqual((told, direct.isLost), ([], True))
            failing.kernel.isShutDown = False
            failing.turn()
            self.assertEqual([type(reason.value) for reason in told], [ConnectionLost])
            told.clear()

    def test_endOfStream(self) -> None:
        """EPIPE, of a stream that the peer has ended in order before, is told by each write, and loses nothing."""
        self.kernel.isShutDown = True
        self.direct.write(b"lost")
        self.assertFalse(self.direct.isLost)
        self.assertTrue(self.isWriting)


class Pouring(Recorder):
    """Writes as long as it may, up to a total."""

    total = 10_000_000
    sent = 0
    pauses = 0

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self.isPaused = False
        while not self.isPaused and self.sent < self.total:
            self.sent += 10_000
            self.transport.write(b"x" * 10_000)

    def pauseProducing(self) -> None:
        self.isPaused = True
        self.pauses += 1

    def stopProducing(self) -> None: ...


class CloseTests(DirectlyWritten, ConversationCase):
    """An end in order with nothing left to write."""

    def setUp(self) -> None:
        super().setUp()
        self.ends: list[Any] = []
        self.patch(Watching, "callLater", lambda _, *call: self.ends.append(call))

    def test_atOnce(self) -> None:
        """TCP is closed in the next turn of the reactor, which watches the socket no more, and nothing is written."""
        conversation = self.opened()
        end: Any = conversation.link.server
        conversation.client.transport.loseConnection()
        conversation.link.toServer()
        ((delay, lost, reason),) = self.ends
        self.assertEqual((delay, lost, reason.type), (0, end.connectionLost, ConnectionDone))
        self.assertTrue(end.disconnecting)
        self.assertEqual((end.reactor.readers, end.reactor.writers), (set(), set()))
        self.assertNotIn((0, 0), end.kernel.calls)
        end.loseConnection()
        self.assertEqual(end.reactor.writers, set())
        conversation.flush()
        self.assertEqual((conversation.server.failures, conversation.server.events[-1]), ([None], "lost"))

    def test_whatWaits(self) -> None:
        """What the socket does not take goes first, by Twisted."""
        conversation = self.opened()
        end: Any = conversation.link.server
        conversation.client.transport.loseConnection()
        end.kernel.room = len(end.kernel.held) + 10
        conversation.link.toServer()
        self.assertEqual(self.ends, [])
        self.assertIn(end, end.reactor.writers)
        end.kernel.room = 20_000
        conversation.flush()
        self.assertEqual((conversation.client.failures, conversation.server.failures), ([None], [None]))

    def test_afterMuch(self) -> None:
        """After more than a few kilobytes the socket may be full, and Twisted waits until it takes more."""
        conversation = self.opened()
        end: Any = conversation.link.server
        conversation.server.transport.write(bytes(10_000))
        conversation.flush()
        conversation.client.transport.loseConnection()
        conversation.link.toServer()
        self.assertEqual(self.ends, [])
        self.assertIn(end, end.reactor.writers)
        conversation.flush()
        self.assertEqual(conversation.server.failures, [None])

    def test_lost(self) -> None:
        """Where a write was told that TCP is lost, so are all: the end is no end in order."""
        made = transport()
        direct = DirectWrite(made)
        made.kernel.error = errno.ECONNRESET
        direct.write(b"reply")
        self.assertFalse(direct.close())
        self.assertFalse(made.disconnecting)


class FairnessTests(DirectlyWritten, ConversationCase):
    """One connection does not keep the reactor from others."""

    def test_producer(self) -> None:
        """A producer that writes as long as it may is paused soon, though the kernel takes all that it has."""
        conversation = self.conversation(serverProtocol=Pouring)
        conversation.link.server.kernel.room = 1 << 40  # type: ignore[attr-defined]
        conversation.untilTickets()
        pouring = conversation.server.protocol
        self.assertTrue(pouring.isPaused)
        self.assertLess(pouring.sent, 1_000_000)
        while pouring.sent < pouring.total:
            conversation.flush()
        conversation.flush()
        self.assertEqual(len(conversation.client.received), pouring.total)
        self.assertGreater(pouring.pauses, 10)

    def test_oneWrite(self) -> None:
        """So is what was written at once, however much it is."""
        conversation = self.opened()
        kernel = conversation.link.server.kernel  # type: ignore[attr-defined]
        kernel.room = 1 << 40
        conversation.server.transport.write(MEGABYTES)
        conversation.clock.advance(0)
        self.assertLess(len(kernel.held), 1_000_000)
        conversation.flush()
        self.assertEqual(conversation.client.received, MEGABYTES)

    def test_directly(self) -> None:
        """Of an ordinary conversation Twisted is given nothing to write."""
        conversation = self.opened()
        conversation.client.transport.write(b"data")
        conversation.clock.advance(0)
        self.assertTrue(all(offered == taken for offered, taken in conversation.link.client.kernel.calls))  # type: ignore[attr-defined]
        self.assertEqual(conversation.link.client.dataBuffer, b"")
        self.assertEqual(conversation.link.client.reactor.writers, set())  # type: ignore[attr-defined]


class OnSocket(tcp.Connection):
    """Twisted's transport on a real socket, with a reactor that turns when it is told to."""

    def __init__(self, end: socket.socket, protocol: Any) -> None:
        super().__init__(end, protocol, transport().reactor)
        self.connected = 1
        self.startReading()
        protocol.makeConnection(self)

    def getPeer(self) -> Any:
        return ADDRESS

    def turn(self) -> bool:
        """Read and write once, as Twisted's reactors do; return whether there was anything to do."""
        why, before = None, (self.protocol.bytesReceived, len(self.reactor.writers))
        isReading = self in self.reactor.readers
        if isReading:
            why = self.doRead()
        if not why and self.connected and self in self.reactor.writers:
            isReading, why = False, self.doWrite()
        if why and self.connected:
            self.reactor.removeReader(self)
            if isReading and isinstance(why, ConnectionDone):
                self.readConnectionLost(Failure(why))
            else:
                self.connectionLost(Failure(why))
        return self.connected and before != (self.protocol.bytesReceived, len(self.reactor.writers))


class OnSocketsTests(SynchronousTestCase):
    """Over real sockets both ways come to the same end."""

    def play(self, act: Callable[[Any, Any, Any, Any], object], directly: bool) -> tuple[Any, Any]:
        """Let two sides accept each other, act, and return what the server was told, and how TCP was written to."""
        self.patch(_output, "canWriteDirectly", canWriteDirectly if directly else lambda _: False)
        self.clock = clock = Clock()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
        server = Side(serverConfiguration(), HalfCloseable, clock)
        client = Side(clientConfiguration(), Recorder, clock)
        with ours, theirs:
            ends = OnSocket(theirs, client.transport), OnSocket(ours, server.transport)
            self.assertEqual(server.transport._output._direct is not None, directly)
            for end in ends:
                end.reactor.callLater = clock.callLater

            def turn(count: int = 12) -> None:
                for _ in range(count):
                    for end in ends:
                        if end.connected:
                            end.turn()
                    clock.advance(0.05)

            turn()
            self.assertEqual((client.events[-1], server.events[-1]), ("made", "made"))
            act(client, server, ends, turn)
            turn()
            for end in ends:
                end.abortConnection()
            clock.advance(100)
        return server, client

    def both(self, act: Callable[[Any, Any, Any, Any], object]) -> Side:
        """Play both ways, see that the server was told the same, and return it."""
        (first, _), (second, _) = (self.play(act, directly) for directly in (True, False))
        self.assertEqual(first.events, second.events)
        self.assertEqual([repr(failure) for failure in first.failures], [repr(failure) for failure in second.failures])
        self.assertEqual(first.received, second.received)
        return first

    def test_much(self) -> None:
        """What sockets take in many parts arrives whole and in order."""
        received: list[bytes] = []

        def act(client: Any, server: Any, ends: Any, turn: Any) -> None:
            server.transport.write(MEGABYTES)
            while len(client.received) < len(MEGABYTES):
                turn(1)
            received.append(bytes(client.received))

        self.both(act)
        self.assertEqual(received, [MEGABYTES, MEGABYTES])

    def test_reset(self) -> None:
        """A reset that a write finds first is a reset, and what came before it is delivered."""
        for hasSaid in (False, True):

            def act(client: Any, server: Any, ends: Any, turn: Any, hasSaid: bool = hasSaid) -> None:
                if hasSaid:
                    client.transport.write(b"before")
                    self.clock.advance(0)
                    ends[0].doWrite()
                ends[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                ends[0].socket.close()
                ends[0].connected = 0
                server.transport.write(b"reply")
                self.clock.advance(0)
                self.assertNotIn("lost", server.events)

            server = self.both(act)
            self.assertEqual((server.failure.code, server.received), ("reset", b"before" if hasSaid else b""))

    def test_endOfStream(self) -> None:
        """A stream that the peer has ended before it lost interest has ended, and was not reset."""

        def act(client: Any, server: Any, ends: Any, turn: Any) -> None:
            ends[0].socket.shutdown(socket.SHUT_WR)
            ends[0].connected = 0
            server.transport.write(b"reply")
            self.clock.advance(0)
            ends[0].socket.close()
            server.transport.write(b"more")
            self.clock.advance(0)

        self.assertEqual(self.both(act).failure.code, "truncated")

    def test_abort(self) -> None:
        """What is queued when a connection is aborted is not sent, and the end is ours."""

        def act(client: Any, server: Any, ends: Any, turn: Any) -> None:
            server.transport.write(b"never sent")
            server.transport.abortConnection()
            turn()
            self.assertEqual(client.received, b"")

        server = self.both(act)
        self.assertEqual((server.failures, server.events[-1]), ([None], "lost"))

    def test_end(self) -> None:
        """An end in order sends all that was written before it."""

        def act(client: Any, server: Any, ends: Any, turn: Any) -> None:
            server.transport.write(MEGABYTES)
            server.transport.loseConnection()
            while client.events[-1] != "lost":
                turn(1)
            self.assertEqual(client.received, MEGABYTES)

        self.assertEqual(self.both(act).failures, [None])


class LinkTests(DirectlyWritten, ConversationCase):
    """An error under TLS."""

    def test_refusalBeforeReset(self) -> None:
        """What the peer said before it reset the connection is read, though a write has found the reset first."""
        conversation = self.opened(serverProtocol=HalfCloseable)
        server: Any = conversation.link.server
        self.assertIs(type(conversation.link), DirectLink)
        conversation.client.transport.write(b"last words")
        conversation.clock.advance(0)
        server.kernel.error = errno.ECONNRESET
        conversation.server.transport.write(b"reply")
        conversation.clock.advance(0)
        conversation.link.toServer()
        # Twisted reads to the end, which is none.
        server.readConnectionLost(Failure(ConnectionResetError()))
        self.assertEqual(conversation.server.received, b"last words")
        self.assertEqual(conversation.server.failures, [])
        conversation.flush()
        self.assertEqual(conversation.server.failure.code, "reset")
