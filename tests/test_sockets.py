"""Sockets under stress: peers that are slow, stop, cut the connection or are given up, and what is left of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from threading import Event

from interop import (
    LOOPBACK,
    PATIENCE,
    PATIENT,
    InteropCase,
    clientContext,
    dial,
    echoing,
    reactor,
    said,
    serverContext,
)
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.protocols.basic import FileSender
from zope.interface import implementer

from tlscomm.configuration import Deadlines
from tlscomm.messages import MessageFactory

#: A deadline that is meant to pass.
SHORT = 0.2

#: One that is meant to pass, but not before what was sent at its beginning has been read.
LONG_ENOUGH = 1.0

#: What a peer that does not read would be sent, and how much of it may ever be under way, most of it in the kernels.
PLENTY = 200_000_000
BOUND = 20_000_000

#: About what the peer's kernel receives ahead of a peer that does not read.
SMALL = 1 << 14

LINE = b"x" * 9_999 + b"\n"


def within(**seconds: float) -> Deadlines:
    """Return deadlines of which only these can pass in a test."""
    return replace(PATIENT, **seconds)


@implementer(IPushProducer)
class Pouring(Protocol):
    """Sends as much as it may, up to a total, and counts."""

    total = PLENTY

    def __init__(self) -> None:
        self.sent = 0
        self.pauses = 0
        self._isPaused = False

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def resumeProducing(self) -> None:
        self._isPaused = False
        while not self._isPaused and self.sent < self.total:
            self.sent += len(LINE)
            self.transport.write(LINE)
        if self.sent >= self.total:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def pauseProducing(self) -> None:
        self.pauses += 1
        self._isPaused = True

    def stopProducing(self) -> None:
        self._isPaused = True


class PouringMegabytes(Pouring):
    total = 5_000_000


class SendingFile(Protocol):
    """Sends a file by Twisted's own pull producer."""

    def connectionMade(self) -> None:
        sent = FileSender().beginFileTransfer(BytesIO(LINE * 500), self.transport)
        sent.addCallback(lambda _: self.transport.loseConnection())


class Holding(Protocol):
    """Takes no more after the first bytes, until it is told to."""

    def __init__(self) -> None:
        self.received = 0
        self.isHolding = True

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.isHolding:
            self.transport.pauseProducing()

    def goOn(self) -> None:
        self.isHolding = False
        self.transport.resumeProducing()


class SlowReaderTests(InteropCase):
    """A peer that reads slowly, or not at all, costs a bounded amount of memory."""

    async def test_echo(self) -> None:
        """A server that echoes stops reading from a peer that does not read."""
        port = await self.serve(echoing(), deadlines=within(write=SHORT))
        context = clientContext()

        def flood() -> None:
            with dial(port, context, SMALL) as tls, contextlib.suppress(OSError):
                for _ in range(PLENTY // len(LINE)):
                    tls.sendall(LINE)

        flooding = deferToThread(flood)
        transport = await self.record.next("accepted")
        self.assertEqual(said(await self.record.next("closed")), ("write-timeout", "local", "no alert"))
        self.assertLess(transport.bytesReceived, BOUND)
        self.assertLessEqual(transport.bytesSent, transport.bytesReceived)
        await flooding

    async def test_producer(self) -> None:
        """A producer is paused while the peer does not read, and is asked for no more."""
        port = await self.serve(Factory.forProtocol(Pouring), deadlines=within(write=SHORT))
        context, over = clientContext(), Event()
        self.addCleanup(over.set)

        def stare() -> None:
            with dial(port, context, SMALL):
                over.wait(PATIENCE)

        staring = deferToThread(stare)
        protocol = (await self.record.next("accepted")).protocol
        self.assertEqual(said(await self.record.next("closed")), ("write-timeout", "local", "no alert"))
        self.assertGreater(protocol.pauses, 0)
        self.assertLess(protocol.sent, BOUND)
        over.set()
        await staring

    async def test_slowReader(self) -> None:
        """A peer that reads a little at a time gets everything in the end, from a producer that was paused."""
        port = await self.serve(Factory.forProtocol(PouringMegabytes))
        received = deferToThread(readSlowly, port, clientContext())
        protocol = (await self.record.next("accepted")).protocol
        self.assertEqual(await received, PouringMegabytes.total)
        self.assertIsNone(await self.record.next("closed"))
        self.assertGreater(protocol.pauses, 0)

    async def test_pullProducer(self) -> None:
        """A file that Twisted's FileSender sends arrives whole at a slow reader."""
        port = await self.serve(Factory.forProtocol(SendingFile))
        self.assertEqual(await deferToThread(readSlowly, port, clientContext()), 500 * len(LINE))
        self.assertIsNone(await self.record.next("closed"))

    async def test_slowServer(self) -> None:
        """A protocol that pauses its transport is given no more, and what the peer sends stays with the peer."""
        port = await self.serve(Factory.forProtocol(Holding))
        context = clientContext()
        blocked: Deferred[None] = Deferred()

        def flood() -> int:
            with dial(port, context) as tls:
                sent = sendUntilBlocked(tls)
                reactor.callFromThread(blocked.callback, None)
                tls.settimeout(PATIENCE)
                # What was not taken has to be offered again.
                tls.sendall(LINE)
                tls.unwrap()
            return sent + len(LINE)

        flooding = deferToThread(flood)
        protocol = (await self.record.next("accepted")).protocol
        await blocked
        self.assertLess(protocol.received, BOUND)
        protocol.goOn()
        self.assertIsNone(await self.record.next("closed"))
        self.assertEqual(protocol.received, await flooding)


def readSlowly(port: int, context: ssl.SSLContext) -> int:
    """Read to the end, a little at a time, and return how much it was."""
    received = 0
    with dial(port, context, SMALL) as tls:
        while data := tls.recv(1 << 12):
            received += len(data)
        tls.unwrap()
    return received


def sendUntilBlocked(tls: ssl.SSLSocket) -> int:
    """Send as much as is taken, and return how much it was."""
    tls.settimeout(SHORT)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < PLENTY:
            tls.sendall(LINE)
            sent += len(LINE)
    return sent


class Closing(Protocol):
    """Ends the connection at once."""

    def connectionMade(self) -> None:
        self.transport.loseConnection()


class StalledPeerTests(InteropCase):
    """Each wait has an end, and each end a name."""

    async def ends(self, port: int, peer: Callable[[ssl.SSLSocket], object]) -> str:
        """Let a peer do something after its handshake, and then nothing; return the code of how it ended."""
        context, over = clientContext(), Event()
        self.addCleanup(over.set)

        def act() -> None:
            with dial(port, context) as tls:
                peer(tls)
                over.wait(PATIENCE)

        acting = deferToThread(act)
        failure = await self.record.next("closed")
        over.set()
        await acting
        self.assertEqual(failure.side, "local")
        return str(failure.code)

    async def test_idle(self) -> None:
        """A peer that owes a message and sends nothing, not even a close_notify, ends as a read timeout."""
        port = await self.serve(MessageFactory(readTimeout=SHORT), deadlines=within(close=SHORT))
        self.assertEqual(await self.ends(port, lambda tls: None), "read-timeout")

    async def test_halfMessage(self) -> None:
        """A peer that sends half a message and no more ends as a read timeout."""
        port = await self.serve(MessageFactory(readTimeout=SHORT), deadlines=within(close=SHORT))
        self.assertEqual(await self.ends(port, lambda tls: tls.sendall(b"half")), "read-timeout")

    async def test_idleIsToldInOrder(self) -> None:
        """A peer that is given up for its silence is told so by a close in order."""
        port = await self.serve(MessageFactory(readTimeout=SHORT))
        context = clientContext()

        def listen() -> bytes:
            with dial(port, context) as tls:
                rest = tls.recv(1)
                tls.unwrap()
                return rest

        self.assertEqual(await deferToThread(listen), b"")
        self.assertEqual((await self.record.next("closed")).code, "read-timeout")

    async def test_closeUnanswered(self) -> None:
        """A peer that does not answer close_notify ends as a close timeout."""
        port = await self.serve(Factory.forProtocol(Closing), deadlines=within(close=SHORT))
        self.assertEqual(await self.ends(port, lambda tls: None), "close-timeout")

    async def test_silent(self) -> None:
        """A peer that connects and says nothing ends as a handshake timeout that says what was awaited."""
        port = await self.serve(deadlines=within(handshake=SHORT))
        with socket.create_connection((LOOPBACK, port), PATIENCE):
            failure = await self.record.next("refused")
        self.assertEqual(said(failure), ("handshake-timeout", "local", "no alert"))
        self.assertIn("the client's first message", failure.detail)

    async def test_halfHello(self) -> None:
        """A peer that stops in the middle of its first message ends as a handshake timeout."""
        port = await self.serve(deadlines=within(handshake=SHORT))
        with socket.create_connection((LOOPBACK, port), PATIENCE) as tcp:
            tcp.sendall(clientHello()[:100])
            failure = await self.record.next("refused")
        self.assertEqual(said(failure), ("handshake-timeout", "local", "no alert"))
        self.assertIn("the client's first message", failure.detail)

    async def test_helloOnly(self) -> None:
        """A peer that stops after its first message ends as a handshake timeout."""
        port = await self.serve(deadlines=within(handshake=LONG_ENOUGH))
        with socket.create_connection((LOOPBACK, port), PATIENCE) as tcp:
            tcp.sendall(clientHello())
            failure = await self.record.next("refused")
        self.assertEqual(said(failure), ("handshake-timeout", "local", "no alert"))
        self.assertIn("the client's", failure.detail)
        self.assertNotIn("the client's first message", failure.detail)

    async def test_endInHandshake(self) -> None:
        """A peer that goes in the middle of the handshake has closed, and is not awaited any longer."""
        port = await self.serve()
        with socket.create_connection((LOOPBACK, port), PATIENCE) as tcp:
            tcp.sendall(clientHello()[:100])
        self.assertEqual(said(await self.record.next("refused")), ("closed-in-handshake", "remote", "no alert"))

    async def test_resetInHandshake(self) -> None:
        """A peer that resets the connection in the middle of the handshake is named for it."""
        port = await self.serve()
        with socket.create_connection((LOOPBACK, port), PATIENCE) as tcp:
            tcp.sendall(clientHello()[:100])
            reset(tcp)
        self.assertEqual(said(await self.record.next("refused")), ("reset", "remote", "no alert"))

    async def test_silentServer(self) -> None:
        """A server that takes the connection and says nothing ends as a handshake timeout."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            connecting = self.connect(listener.getsockname()[1], deadlines=within(handshake=SHORT))
            failure = await self.failureOf(connecting)
        self.assertEqual(said(failure), ("handshake-timeout", "local", "no alert"))
        self.assertIn("the server's first message", failure.detail)


def clientHello() -> bytes:
    """Return a client's first message."""
    outgoing = ssl.MemoryBIO()
    client = clientContext().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def endInMessage(tls: ssl.SSLSocket) -> None:
    """Send half a message and end the stream of TCP, without a close_notify before it."""
    tls.sendall(b"half")
    tls.shutdown(socket.SHUT_WR)
    # A socket that is closed with something unread in it, a session ticket for one, resets its connection.
    while tls.recv(1 << 12):
        pass


def reset(connection: socket.socket) -> None:
    """Make the close of a socket a reset (RFC 9293, section 3.10.7)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class CutTests(InteropCase):
    """A connection that is cut is never taken for one that has ended."""

    async def failureAfter(self, peer: Callable[[ssl.SSLSocket], object]) -> tuple[str, str, str]:
        """Let a client do something and go, and return what we say."""
        port = await self.serve(MessageFactory(framing="line", readTimeout=PATIENCE))
        context = clientContext()

        def act() -> None:
            with dial(port, context) as tls:
                peer(tls)

        await deferToThread(act)
        return said(await self.record.next("closed"))

    async def replyAfter(self, peer: Callable[[ssl.SSLSocket], object]) -> tuple[str, str, str]:
        """Let a server take a request, do something and go, and return what we say of its reply."""
        listener = socket.create_server((LOOPBACK, 0))
        context = serverContext()

        def act() -> None:
            with listener:
                listener.settimeout(PATIENCE)
                tcp, _ = listener.accept()
            tcp.settimeout(PATIENCE)
            with context.wrap_socket(tcp, server_side=True) as tls:
                tls.recv(1)
                peer(tls)

        acting = deferToThread(act)
        asker = await self.connect(listener.getsockname()[1])
        failure = await self.failureOf(asker.request("hello"))
        await acting
        self.assertEqual(said(failure), said(await asker.lost))
        return said(failure)

    async def test_endInMessage(self) -> None:
        """A client that goes in the middle of a message, without a close_notify, has truncated it."""
        self.assertEqual(await self.failureAfter(endInMessage), ("truncated", "remote", "no alert"))

    async def test_closeInMessage(self) -> None:
        """A client that ends the stream in order in the middle of a message has truncated it, too."""

        def close(tls: ssl.SSLSocket) -> None:
            tls.sendall(b"half")
            tls.unwrap()

        self.assertEqual(await self.failureAfter(close), ("truncated", "remote", "no alert"))

    async def test_resetInMessage(self) -> None:
        """A client that resets the connection is named for it."""

        def cut(tls: ssl.SSLSocket) -> None:
            tls.sendall(b"half")
            reset(tls)

        self.assertEqual(await self.failureAfter(cut), ("reset", "remote", "no alert"))

    async def test_endInReply(self) -> None:
        """A server that goes in the middle of its reply has truncated it."""
        self.assertEqual(await self.replyAfter(endInMessage), ("truncated", "remote", "no alert"))

    async def test_resetInReply(self) -> None:
        """A server that resets the connection is named for it."""
        self.assertEqual(await self.replyAfter(reset), ("reset", "remote", "no alert"))
