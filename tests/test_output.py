"""The way out: what is written leaves in few records and in order, waits where the peer is slow, and not for ever."""

import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conversation import (
    Conversation,
    ConversationCase,
    HalfCloseable,
    Producing,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.protocols.basic import FileSender

from tlscomm.configuration import Deadlines
from tlscomm.failures import MessageTooLong

#: RFC 8446, section 5.1.
RECORD, HEADER = 1 << 14, 5

CHUNK = 1 << 16
LARGE = bytes(range(256)) * 4096


def records(ciphertext: bytes) -> list[int]:
    """Return the types of the records."""
    types = []
    while ciphertext:
        types.append(ciphertext[0])
        ciphertext = ciphertext[HEADER + int.from_bytes(ciphertext[3:HEADER], "big") :]
    return types


class OutputCase(ConversationCase):
    def opened(self, version: str = "1.3", **settings: Any) -> Conversation:
        """Return two sides that have accepted each other; what the server hands over to TCP is written down."""
        conversation = super().opened(version, **settings)
        self.end = conversation.link.server
        self.written: list[bytes] = []
        self.watch(self.end, self.written)
        return conversation

    def watch(self, end: Any, written: list[bytes]) -> None:
        """Write down what is handed over to one end."""
        write = end.write

        def writing(data: bytes) -> None:
            written.append(data)
            write(data)

        end.write = writing

    def slow(self, **settings: Any) -> tuple[Any, Conversation]:
        """Return a server's transport whose peer reads nothing, and their conversation."""
        conversation = self.opened(**settings)
        conversation.link.client.isReading = False
        return conversation.server.transport, conversation

    @contextmanager
    def reading(self, conversation: Conversation) -> Iterator[None]:
        conversation.link.client.isReading = True
        yield
        conversation.link.client.isReading = False


class WritingTests(OutputCase):
    """Writes."""

    def test_oneTurn(self) -> None:
        """The writes of one turn leave at the start of the next, as one record in one piece."""
        conversation = self.opened()
        for word in (b"one ", b"two ", b"three"):
            conversation.server.transport.write(word)
        self.assertEqual(self.written, [])
        conversation.clock.advance(0)
        self.assertEqual([records(piece) for piece in self.written], [[23]])
        conversation.flush()
        self.assertEqual(conversation.client.received, b"one two three")

    def test_whileReceiving(self) -> None:
        """Those made while data is received leave when that is done, in no other turn."""

        class Echo(Recorder):
            def dataReceived(self, data: bytes) -> None:
                for byte in data:
                    self.transport.write(bytes([byte]))

        for version in ("1.2", "1.3"):
            conversation = self.opened(version, serverProtocol=Echo)
            conversation.client.transport.write(b"echo")
            conversation.clock.advance(0)
            conversation.link.toServer()
            self.assertEqual([records(piece) for piece in self.written], [[23]])
            self.assertGreater(conversation.clock.getDelayedCalls()[0].getTime(), conversation.clock.seconds() + 1)
            conversation.flush()
            self.assertEqual(conversation.client.received, b"echo")

    def test_order(self) -> None:
        """Bytes arrive in the order in which they were written, in whatever pieces."""
        for version in ("1.2", "1.3"):
            conversation = self.opened(version)
            expected = b""
            for number, size in enumerate((1, 65535, 65536, 65537, 3, 200_000, 40_000, 40_000, 40_000, 16_384, 1)):
                piece = bytes([number]) * size
                conversation.server.transport.write(piece)
                expected += piece
                if number % 3 == 0:
                    conversation.clock.advance(0)
            conversation.flush()
            self.assertEqual(conversation.client.received, expected)
            self.assertEqual(conversation.server.transport.bytesSent, len(expected))
            self.assertEqual(conversation.client.transport.bytesReceived, len(expected))

    def test_sequence(self) -> None:
        """A sequence of pieces is written as one."""
        conversation = self.opened()
        conversation.server.transport.writeSequence(iter([b"one ", b"", b"two"]))
        conversation.flush()
        self.assertEqual((conversation.client.received, len(self.written)), (b"one two", 1))

    def test_kinds(self) -> None:
        """Anything that holds bytes can be written, and may be changed right after."""
        conversation = self.opened()
        buffer = bytearray(b"before")
        conversation.server.transport.write(buffer)
        conversation.server.transport.write(memoryview(buffer))
        buffer[:] = b"after "
        conversation.flush()
        self.assertEqual(conversation.client.received, b"beforebefore")

    def test_wrongKinds(self) -> None:
        """Anything else is a TypeError, at any time."""
        conversation = self.opened()
        transport = conversation.server.transport
        for wrong in ("text", None, 5):
            self.assertRaises(TypeError, transport.write, wrong)
        self.assertRaises(TypeError, transport.writeSequence, [b"bytes", "text"])
        transport.loseConnection()
        self.assertRaises(TypeError, transport.write, "text")
        conversation.flush()
        self.assertRaises(TypeError, transport.write, "text")
        self.assertEqual(conversation.client.received, b"")

    def test_nothing(self) -> None:
        """Nothing is written for nothing."""
        conversation = self.opened()
        conversation.server.transport.write(b"")
        conversation.server.transport.writeSequence([])
        conversation.flush()
        self.assertEqual((self.written, conversation.server.failures), ([], []))

    def test_tooEarly(self) -> None:
        """What is written before the sides have accepted each other is dropped."""
        conversation = self.conversation()
        conversation.client.transport.write(b"early")
        conversation.flush()
        self.assertEqual((conversation.server.received, conversation.client.transport.bytesSent), (b"", 0))

    def test_tooLate(self) -> None:
        """What is written when an end was asked for is dropped."""
        conversation = self.opened()
        conversation.server.transport.write(b"in time")
        conversation.server.transport.loseConnection()
        conversation.server.transport.write(b"too late")
        conversation.flush()
        conversation.server.transport.write(b"too late")
        self.assertEqual((conversation.client.received, conversation.server.transport.bytesSent), (b"in time", 7))
        self.assertOver(conversation)


class BackpressureTests(OutputCase):
    """What TCP cannot take waits."""

    def test_bounded(self) -> None:
        """TCP's buffer holds little more than what it asks for a pause at; the rest waits outside of it."""
        transport, conversation = self.slow()
        for _ in range(3):
            transport.write(LARGE)
            conversation.flush()
        self.assertLess(len(self.end.written), CHUNK + CHUNK + RECORD)
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(conversation.client.received, LARGE * 3)

    def test_chunks(self) -> None:
        """A large write is encrypted in pieces that TCP takes at once."""
        transport, conversation = self.slow()
        transport.write(LARGE)
        with self.reading(conversation):
            conversation.flush()
        overhead = (CHUNK // RECORD) * (HEADER + 32)
        self.assertLess(max(map(len, self.written)), CHUNK + overhead)
        self.assertEqual(sum(len(records(piece)) for piece in self.written), len(LARGE) // RECORD)
        self.assertEqual(conversation.client.received, LARGE)

    def test_slowReader(self) -> None:
        """An echo whose client floods and never reads holds little, and stops reading."""

        class Echo(HalfCloseable):
            def connectionMade(self) -> None:
                self.transport.registerProducer(self.transport, True)

            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)

        transport, conversation = self.slow(serverProtocol=Echo)
        for _ in range(30):
            conversation.client.transport.write(LARGE)
            conversation.flush()
        self.assertFalse(self.end.isReading)
        self.assertLess(transport.bytesReceived, 6 * CHUNK)
        self.assertLess(len(self.end.written), 4 * CHUNK)
        with self.reading(conversation):
            conversation.flush()
            conversation.flush()
        self.assertEqual(conversation.client.received, LARGE * 30)

    def test_isWriting(self) -> None:
        """A transport says whether bytes are on their way: in the queue, or in TCP's buffer."""
        transport, conversation = self.slow()
        self.assertFalse(transport.isWriting)
        transport.write(b"data")
        self.assertTrue(transport.isWriting)
        conversation.flush()
        self.assertTrue(transport.isWriting)
        with self.reading(conversation):
            conversation.flush()
        self.assertFalse(transport.isWriting)
        transport.write(b"data")
        transport.abortConnection()
        conversation.flush()
        self.assertFalse(transport.isWriting)


class PushProducerTests(OutputCase):
    """A push producer, as `twisted.internet.interfaces.IConsumer` describes it."""

    def producing(self) -> tuple[Producing, Any, Conversation]:
        transport, conversation = self.slow()
        producer = Producing()
        transport.registerProducer(producer, True)
        return producer, transport, conversation

    def test_pausedAndResumed(self) -> None:
        """It is paused once when TCP is full, and resumed once when all of it has left."""
        producer, transport, conversation = self.producing()
        transport.write(b"little")
        conversation.flush()
        self.assertEqual(producer.events, [])
        transport.write(LARGE)
        conversation.flush()
        transport.write(LARGE)
        self.assertEqual(producer.events, ["pause"])
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(producer.events, ["pause", "resume"])

    def test_second(self) -> None:
        """There is one at a time."""
        producer, transport, _ = self.producing()
        self.assertRaises(RuntimeError, transport.registerProducer, producer, True)
        transport.unregisterProducer()
        transport.registerProducer(producer, False)

    def test_unregistered(self) -> None:
        """One that was unregistered is not told anything any more."""
        producer, transport, conversation = self.producing()
        transport.unregisterProducer()
        transport.write(LARGE)
        conversation.flush()
        transport.abortConnection()
        conversation.flush()
        self.assertEqual(producer.events, [])

    def test_registeredWhenFull(self) -> None:
        """One that comes when TCP is full is paused at once."""
        transport, conversation = self.slow()
        transport.write(LARGE)
        conversation.flush()
        producer = Producing()
        transport.registerProducer(producer, True)
        self.assertEqual(producer.events, ["pause"])
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(producer.events, ["pause", "resume"])

    def test_stopped(self) -> None:
        """It is stopped when the connection is gone, before connectionLost, or when it comes too late."""
        producer, transport, conversation = self.producing()
        producer.events = conversation.server.events
        conversation.link.cut()
        self.assertEqual(producer.events[-3:], ["stop", "closed", "lost"])
        late = Producing()
        transport.registerProducer(late, True)
        self.assertEqual(late.events, ["stop"])

    def test_endDoesNotWait(self) -> None:
        """An end in order does not wait for one that could have written all that it has."""
        producer, transport, conversation = self.producing()
        transport.write(b"all")
        transport.loseConnection()
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(conversation.client.received, b"all")
        self.assertEqual(producer.events, ["stop"])
        self.assertCodes(conversation, None, None)

    def test_endWaitsForPaused(self) -> None:
        """It waits for one that had to pause, before the end was asked for or since, until that has unregistered."""
        for size in (10, 3 * CHUNK):
            for count in (1, 30):
                transport, conversation = self.slow()
                pushing = Pushing(transport, [bytes([number]) * size for number in range(count)])
                transport.registerProducer(pushing, True)
                transport.write(LARGE)
                conversation.flush()
                pushing.resumeProducing()
                transport.loseConnection()
                with self.reading(conversation):
                    for _ in range(count + 1):
                        conversation.flush()
                self.assertEqual(conversation.client.received, LARGE + b"".join(pushing.all))
                self.assertEqual(pushing.stopped, 0)
                self.assertCodes(conversation, None, None)

    def test_endWaitsForLater(self) -> None:
        """What it writes in a later turn is sent too, as long as the close deadline does not pass without anything."""
        producer, transport, conversation = self.producing()
        transport.write(LARGE)
        conversation.flush()
        transport.loseConnection()
        conversation.link.client.isReading = True
        for _ in range(5):
            conversation.advance(4)
            transport.write(b"more")
        self.assertEqual(conversation.server.failures, [])
        conversation.advance(6)
        self.assertEqual(conversation.client.received, LARGE + b"more" * 5)
        transport.write(b"too late")
        self.assertEqual(producer.events, ["pause", "resume", "stop"])
        self.assertCodes(conversation, None, None)

    def test_stuckAtTheEnd(self) -> None:
        """While it waits, the write deadline still holds."""
        _, transport, conversation = self.producing()
        transport.write(LARGE)
        conversation.flush()
        transport.loseConnection()
        conversation.advance(7)
        self.assertEqual(conversation.server.failure.code, "write-timeout")
        self.assertOver(conversation)

    def test_itself(self) -> None:
        """For a transport that is its own producer no end waits: nothing is delivered, so nothing comes of it."""
        transport, conversation = self.slow()
        transport.registerProducer(transport, True)
        transport.write(LARGE)
        conversation.flush()
        transport.loseConnection()
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(conversation.client.received, LARGE)
        self.assertCodes(conversation, None, None)

    def test_notWanted(self) -> None:
        """It is stopped at once, and what it has is not waited for, where the peer has closed or is refused."""
        for isRefused in (False, True):
            for streaming in (True, False):
                transport, conversation = self.slow()
                producer = Producing() if streaming else Pieces(transport, [LARGE] * 50)
                transport.registerProducer(producer, streaming)
                transport.write(LARGE)
                conversation.flush()
                if isRefused:
                    transport.closeBecause(MessageTooLong())
                else:
                    conversation.client.transport.loseConnection()
                with self.reading(conversation):
                    conversation.flush()
                stopped = producer.events[-1] if isinstance(producer, Producing) else producer.stopped
                self.assertIn(stopped, ("stop", 1))
                self.assertCodes(conversation, None, "message-too-long" if isRefused else None)

    def test_raises(self) -> None:
        """One that raises is logged, and costs its connection, and nothing is left."""
        for at in ("pauseProducing", "resumeProducing", "stopProducing"):
            producer, transport, conversation = self.producing()
            setattr(producer, at, lambda: 1 / 0)
            transport.write(LARGE)
            with self.reading(conversation):
                conversation.flush()
            if at == "stopProducing":
                conversation.link.cut()
            conversation.flush()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, at)
            self.assertOver(conversation)
            if at != "stopProducing":
                self.assertEqual([type(reason) for reason in conversation.server.lost], [ConnectionAborted])


class Pieces:
    """A pull producer."""

    def __init__(self, consumer: Any, pieces: list[bytes]) -> None:
        self.consumer = consumer
        self.pieces = pieces
        self.stopped = 0

    def resumeProducing(self) -> None:
        self.consumer.write(self.pieces.pop(0))
        if not self.pieces:
            self.consumer.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped += 1


class Pushing:
    """A push producer that writes all that it has until it is paused."""

    def __init__(self, consumer: Any, pieces: list[bytes]) -> None:
        self.consumer = consumer
        self.all = tuple(pieces)
        self.pieces = pieces
        self.isPaused = False
        self.stopped = 0

    def pauseProducing(self) -> None:
        self.isPaused = True

    def resumeProducing(self) -> None:
        self.isPaused = False
        while self.pieces and not self.isPaused:
            self.consumer.write(self.pieces.pop(0))
        if not self.pieces:
            self.consumer.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped += 1


class PullProducerTests(OutputCase):
    """A pull producer."""

    def test_asked(self) -> None:
        """It is asked when it registers, and then whenever all has left, in a turn of its own."""
        conversation = self.opened()
        pieces = [b"%d," % number for number in range(1500)]
        producer = Pieces(conversation.server.transport, list(pieces))
        conversation.server.transport.registerProducer(producer, False)
        self.assertEqual(len(producer.pieces), 1499)
        conversation.flush()
        self.assertEqual((conversation.client.received, producer.stopped), (b"".join(pieces), 0))
        self.assertEqual(sum(len(records(piece)) for piece in self.written), 1500)

    def test_notAskedWhenFull(self) -> None:
        """It is not asked while TCP is full."""
        transport, conversation = self.slow()
        producer = Pieces(transport, [LARGE] * 20)
        transport.registerProducer(producer, False)
        conversation.flush()
        self.assertEqual(len(producer.pieces), 19)
        with self.reading(conversation):
            for _ in range(20):
                conversation.flush()
        self.assertEqual(conversation.client.received, LARGE * 20)

    def test_endWaits(self) -> None:
        """An end in order waits until it has unregistered, and sends what it writes until then."""
        for size in (10, CHUNK, 3 * CHUNK):
            conversation = self.opened()
            transport = conversation.server.transport
            pieces = [bytes([number]) * size for number in range(20)]
            producer = Pieces(transport, list(pieces))
            transport.registerProducer(producer, False)
            transport.loseConnection()
            for _ in range(20):
                conversation.flush()
            self.assertEqual(conversation.client.received, b"".join(pieces))
            self.assertEqual(producer.stopped, 0)
            self.assertCodes(conversation, None, None)

    def test_whileReceiving(self) -> None:
        """It may begin while data is received, with pieces of any size, and is still asked once in a turn."""
        producers: list[Pieces] = []

        class Sending(Recorder):
            def dataReceived(self, data: bytes) -> None:
                producers.append(Pieces(self.transport, [LARGE[:CHUNK]] * 50))
                self.transport.registerProducer(producers[0], False)
                self.transport.loseConnection()

        conversation = self.opened(serverProtocol=Sending)
        conversation.client.transport.write(b"send")
        conversation.clock.advance(0)
        conversation.link.toServer()
        self.assertEqual(len(producers[0].pieces), 49)
        for _ in range(50):
            conversation.flush()
        self.assertEqual(conversation.client.received, LARGE[:CHUNK] * 50)
        self.assertCodes(conversation, None, None)

    def test_stopped(self) -> None:
        """It is stopped when the connection is gone, and asked nothing any more."""
        for lose in (False, True):
            transport, conversation = self.slow()
            producer = Pieces(transport, [LARGE] * 3)
            transport.registerProducer(producer, False)
            if lose:
                transport.loseConnection()
            conversation.flush()
            transport.abortConnection()
            conversation.flush()
            self.assertEqual((producer.stopped, len(producer.pieces)), (1, 2))
            self.assertOver(conversation)

    def test_registeredTooLate(self) -> None:
        """One that comes after an end was asked for is stopped at once."""
        conversation = self.opened()
        transport = conversation.server.transport
        transport.loseConnection()
        producer = Pieces(transport, [b"too late"])
        transport.registerProducer(producer, False)
        conversation.flush()
        self.assertEqual((producer.stopped, conversation.client.received), (1, b""))

    def test_files(self) -> None:
        """Twisted's own way to send a file works."""
        conversation = self.opened()
        sent = FileSender().beginFileTransfer(io.BytesIO(LARGE), conversation.server.transport)
        conversation.server.transport.loseConnection()
        while not sent.called:
            conversation.flush()
        conversation.flush()
        self.assertEqual(conversation.client.received, LARGE)
        self.assertCodes(conversation, None, None)

    def test_raises(self) -> None:
        """One that raises is logged, and costs its connection."""
        conversation = self.opened()
        producer = Pieces(conversation.server.transport, [])
        conversation.server.transport.registerProducer(producer, False)
        conversation.flush()
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)
        self.assertOver(conversation)


class WriteDeadlineTests(OutputCase):
    """The write deadline."""

    def assertStuck(self, conversation: Conversation, transport: Any) -> None:
        server = conversation.server
        self.assertEqual((server.failure.code, server.failure.stage), ("write-timeout", "message"))
        self.assertEqual(server.lost, [server.failure])
        self.assertEqual(conversation.client.failure.code, "reset")
        self.assertOver(conversation)

    def test_nothingMoves(self) -> None:
        """When nothing has moved for its length, little or much of it, the connection ends by that name."""
        for data in (b"little", LARGE):
            transport, conversation = self.slow(deadlines=Deadlines(write=4.0))
            conversation.advance(100)
            transport.write(data)
            conversation.advance(3.9)
            self.assertEqual(conversation.server.failures, [])
            conversation.advance(0.5)
            self.assertStuck(conversation, transport)

    def test_newWritesDoNotExtend(self) -> None:
        """More that is written is no movement."""
        transport, conversation = self.slow(deadlines=Deadlines(write=4.0))
        conversation.advance(100)
        for _ in range(8):
            transport.write(b"more")
            conversation.advance(0.51)
        self.assertStuck(conversation, transport)

    def test_slow(self) -> None:
        """While some of it moves it is not over, however slow; a quarter of its length after it would be, it is."""
        transport, conversation = self.slow(deadlines=Deadlines(write=4.0))
        transport.write(LARGE)
        for _ in range(20):
            conversation.advance(3.9)
            with self.reading(conversation):
                conversation.link.toClient(1)
        self.assertEqual(conversation.server.failures, [])
        conversation.advance(5.1)
        self.assertStuck(conversation, transport)

    def test_over(self) -> None:
        """When everything has moved it is over, and no timer is left."""
        conversation = self.opened()
        conversation.server.transport.write(LARGE)
        conversation.flush()
        conversation.advance(10)
        self.assertEqual(conversation.clock.getDelayedCalls(), [])
        self.assertEqual(conversation.server.failures, [])

    def test_none(self) -> None:
        """Without a deadline bytes may stay for ever, and no timer runs."""
        transport, conversation = self.slow(deadlines=Deadlines(write=None))
        transport.write(LARGE)
        conversation.flush()
        self.assertEqual(conversation.clock.getDelayedCalls(), [])
        conversation.advance(1e6)
        with self.reading(conversation):
            conversation.flush()
        self.assertEqual(conversation.client.received, LARGE)

    def test_inKernel(self) -> None:
        """Bytes that the kernel holds, because the peer's machine does not take them, have not moved either."""
        with fullSocket() as (ours, _):
            conversation = self.opened(deadlines=Deadlines(write=4.0))
            self.end.getHandle = lambda: ours  # type: ignore[attr-defined]
            conversation.server.transport.write(b"reply")
            conversation.flush()
            self.assertEqual(conversation.client.received, b"reply")
            self.assertTrue(conversation.server.transport.isWriting)
            conversation.advance(3.9)
            self.assertEqual(conversation.server.failures, [])
            conversation.advance(1.2)
            self.assertEqual(conversation.server.failure.code, "write-timeout")

    def test_throughKernel(self) -> None:
        """Bytes that leave the kernel move."""
        with fullSocket() as (ours, theirs):
            conversation = self.opened(deadlines=Deadlines(write=4.0))
            self.end.getHandle = lambda: ours  # type: ignore[attr-defined]
            conversation.server.transport.write(b"reply")
            conversation.advance(3)
            theirs.settimeout(60)
            while conversation.server.transport.isWriting:
                theirs.recv(1 << 16)
            conversation.advance(100)
            self.assertEqual(conversation.server.failures, [])

    def test_otherSockets(self) -> None:
        """Where the kernel does not count bytes of TCP, what it holds is not looked at."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.send(b"x")
            conversation = self.opened(deadlines=Deadlines(write=4.0))
            self.end.getHandle = lambda: ours  # type: ignore[attr-defined]
            conversation.server.transport.write(b"reply")
            conversation.advance(100)
            self.assertEqual(conversation.server.failures, [])

    def test_nested(self) -> None:
        """Of TLS within TLS the outer one knows what the inner one has yet to send, and fails by the same name."""
        clock, limits = Clock(), Deadlines(write=4.0, close=1.0)
        server = Side(serverConfiguration(deadlines=limits), Recorder, clock)
        client = Side(clientConfiguration(deadlines=limits), Recorder, clock)
        conversation = self.opened(
            clientProtocol=lambda: client.transport, serverProtocol=lambda: server.transport, clock=clock
        )
        conversation.link.client.isReading = False
        server.transport.write(LARGE[:CHUNK])
        conversation.flush()
        self.assertGreater(server.transport.unsent, CHUNK)
        server.transport.loseConnection()
        conversation.advance(5.5)
        self.assertEqual(server.failure.code, "write-timeout")

    def test_opaqueTransport(self) -> None:
        """Of a transport without a buffer to look into, it is known whether it is full."""
        transport, conversation = self.slow(deadlines=Deadlines(write=4.0))
        type(self.end).dataBuffer, kept = b"", type(self.end).dataBuffer
        try:
            transport.write(b"little")
            conversation.advance(100)
            self.assertEqual(conversation.server.failures, [])
            transport.write(LARGE)
            conversation.advance(6)
            self.assertEqual(conversation.server.failure.code, "write-timeout")
        finally:
            type(self.end).dataBuffer = kept


@contextmanager
def fullSocket() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a TCP socket whose peer has not read, so that its kernel is full, and the peer's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        # The kernel may be busy, and take more when it is not.
        ours.settimeout(0.05)
        try:
            while True:
                ours.send(bytes(1 << 16))
        except TimeoutError:
            ours.setblocking(False)
            yield ours, theirs
