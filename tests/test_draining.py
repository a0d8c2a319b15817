"""A server that stops: what its connections still may do, and what becomes of each kind of protocol."""

from functools import partial
from typing import Any

from conversation import CLIENT, ROOTS, SERVER
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.messages import IDrainable, MessageFactory, MessageProtocol, RequestProtocol
from tlscomm.server import Listener, Server, TLSService
from tlscomm.serving import _draining
from tlscomm.serving._observers import Observers
from tlscomm.serving._phases import ServerPhase
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog


class Replying(MessageProtocol):
    """Replies when the test says so."""

    def __init__(self) -> None:
        self.replies: list[Deferred[None]] = []

    def messageReceived(self, message: Any) -> Deferred[None]:
        reply: Deferred[None] = Deferred()
        self.replies.append(reply)
        return reply.addCallback(lambda _: self.sendMessage(f"reply to {message}"))

    def reply(self) -> None:
        self.replies.pop(0).callback(None)


class Keeping(MessageProtocol):
    """Keeps what comes, and how it ended."""

    reason: Any = None

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def messageReceived(self, message: Any) -> None:
        self.messages.append(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.reason = reason.value


class MessageTests(SynchronousTestCase):
    """A conversation in messages that is asked to end."""

    def made(self, protocol: type[MessageProtocol]) -> tuple[Any, StringTransport]:
        factory = MessageFactory(protocol, framing="line", readTimeout=None, clock=Clock())
        made, transport = factory.buildProtocol(None), StringTransport()
        made.makeConnection(transport)  # type: ignore[arg-type]
        return made, transport

    def test_interface(self) -> None:
        """Every message protocol can be asked."""
        verifyObject(IDrainable, self.made(MessageProtocol)[0])

    def test_idle(self) -> None:
        """Where nothing is under way it ends at once."""
        protocol, transport = self.made(Replying)
        protocol.drain()
        self.assertTrue(transport.disconnecting)

    def test_half(self) -> None:
        """A message that is half received still comes, and has its reply."""
        protocol, transport = self.made(Replying)
        protocol.dataReceived(b"hal")
        protocol.drain()
        protocol.dataReceived(b"f\n")
        self.assertFalse(transport.disconnecting)
        protocol.reply()
        self.assertEqual((transport.value(), transport.disconnecting), (b"reply to half\n", True))

    def test_waiting(self) -> None:
        """All messages that have come are replied to."""
        protocol, transport = self.made(Replying)
        protocol.dataReceived(b"1\n2\n3\n")
        protocol.drain()
        for _ in range(3):
            self.assertFalse(transport.disconnecting)
            protocol.reply()
        self.assertEqual(transport.value(), b"reply to 1\nreply to 2\nreply to 3\n")
        self.assertTrue(transport.disconnecting)

    def test_inTheMiddle(self) -> None:
        """It may be asked while a message is handed over."""

        class Ending(MessageProtocol):
            def messageReceived(self, message: Any) -> None:
                self.drain()
                self.sendMessage(message)

        protocol, transport = self.made(Ending)
        protocol.dataReceived(b"one\ntwo\n")
        self.assertEqual((transport.value(), transport.disconnecting), (b"one\ntwo\n", True))

    def test_requests(self) -> None:
        """A client that awaits replies ends when it has them."""
        protocol, transport = self.made(RequestProtocol)
        reply = protocol.request("question")
        protocol.drain()
        self.assertFalse(transport.disconnecting)
        protocol.dataReceived(b"answer\n")
        self.assertEqual((self.successResultOf(reply), transport.disconnecting), ("answer", True))

    def test_knowsBetter(self) -> None:
        """A protocol that replies later than it says ends when it says so."""

        class Later(MessageProtocol):
            isReplying = True

            @property
            def isDrained(self) -> bool:
                return super().isDrained and not self.isReplying

        protocol, transport = self.made(Later)
        protocol.drain()
        self.assertFalse(transport.disconnecting)
        protocol.isReplying = False
        protocol.drain()
        self.assertTrue(transport.disconnecting)


@implementer(IStreamServerEndpoint)
class Endpoint:
    """Listens on a port that can be closed."""

    def __init__(self) -> None:
        self.isOpen = False

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        self.isOpen = True
        return succeed(self)

    def getHost(self) -> Any:
        return None

    def stopListening(self) -> None:
        self.isOpen = False


class Phases:
    """Keeps the phases of a server."""

    def __init__(self) -> None:
        self.phases: list[ServerPhase] = []

    def entered(self, phase: ServerPhase) -> None:
        self.phases.append(phase)


class ServerCase(SynchronousTestCase):
    """A server in memory with one listener."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.observer = Phases()

    def started(self, application: Any = None, *, drainTimeout: float | None = 10.0, delay: float = 0.0) -> Server:
        log = EventLog(lambda _: None, self.clock)
        configuration = ServerConfiguration(
            credential=SERVER, clientRoots=ROOTS, revalidation=False, deadlines=Deadlines(close=3)
        )
        factory = MessageFactory(Replying, framing="line", readTimeout=None, clock=self.clock)
        observers = Observers(log, [self.observer])
        self.service = TLSService(
            self.clock,
            configuration,
            application or factory,
            [Listener("here", self.endpoint)],
            log,
            observer=observers,
            drainTimeout=drainTimeout,
        )
        server = Server(self.clock, [self.service], observers, drainDelay=delay)
        server.privilegedStartService()
        server.startService()
        return server

    def connect(self, protocol: Any = None, **settings: Any) -> MemoryLink:
        """Connect a client, and let both sides say what they have to say."""
        link = self.begin(protocol, **settings)
        self.flush(link)
        return link

    def begin(self, protocol: Any = None, **settings: Any) -> MemoryLink:
        above = protocol or MessageFactory(Keeping, framing="line", readTimeout=None, clock=self.clock)
        configuration = ClientConfiguration(
            serverName="localhost", roots=ROOTS, credential=CLIENT, revalidation=False, **settings
        )
        client = TLSFactory(configuration, above, self.clock)
        return MemoryLink(client.buildProtocol(None), self.service.factory.buildProtocol(None))

    def flush(self, link: MemoryLink) -> None:
        link.flush()
        self.clock.advance(DOUBT_SECONDS if link.client.protocol.isInDoubt else 0)
        link.flush()

    def go(self, link: MemoryLink, seconds: float) -> None:
        """Let time pass, and both sides talk."""
        for _ in range(round(seconds * 10)):
            link.flush()
            self.clock.pump([0.025] * 4)
        link.flush()

    def talk(self, link: MemoryLink, text: str) -> None:
        link.client.protocol.protocol.sendMessage(text)
        self.flush(link)


class DrainTests(ServerCase):
    """What a server that stops does with each connection."""

    def test_nothingOpen(self) -> None:
        """Without connections the end comes at once, and all phases are told."""
        server = self.started()
        self.successResultOf(server.stopService())
        self.assertEqual(self.observer.phases, [ServerPhase.READY, ServerPhase.DRAINING, ServerPhase.STOPPED])
        self.assertEqual((server.unfinished, self.endpoint.isOpen), (0, False))

    def test_idle(self) -> None:
        """A connection with nothing under way ends at once and in order."""
        server = self.started()
        link = self.connect()
        client = link.client.protocol.protocol
        self.talk(link, "question")
        link.server.protocol.protocol.reply()
        stopping = server.stopService()
        self.go(link, 0.1)
        self.assertEqual(client.messages, ["reply to question"])
        self.assertIs(type(client.reason), type(connectionDone.value))
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_replying(self) -> None:
        """A reply that takes its time is awaited, no connection is taken meanwhile, and the peer has it."""
        server = self.started()
        link = self.connect()
        client = link.client.protocol.protocol
        self.talk(link, "question")
        stopping = server.stopService()
        self.go(link, 5)
        self.assertFalse(self.endpoint.isOpen)
        self.assertNoResult(stopping)
        link.server.protocol.protocol.reply()
        self.go(link, 0.2)
        self.assertEqual(client.messages, ["reply to question"])
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)

    def test_limit(self) -> None:
        """After the limit a connection is ended all the same, and it is said that something was under way."""
        server = self.started()
        link = self.connect()
        self.talk(link, "question")
        stopping = server.stopService()
        self.go(link, 9.8)
        self.assertNoResult(stopping)
        self.go(link, 0.5)
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noLimit(self) -> None:
        """Without a limit it waits as long as it takes."""
        server = self.started(drainTimeout=None)
        link = self.connect()
        self.talk(link, "question")
        stopping = server.stopService()
        self.go(link, 100)
        self.assertNoResult(stopping)
        link.server.protocol.protocol.reply()
        self.go(link, 0.2)
        self.successResultOf(stopping)

    def test_secondSignal(self) -> None:
        """What is told to end at once cuts all connections, and waits for nothing."""
        server = self.started()
        link = self.connect()
        self.talk(link, "question")
        stopping = server.stopService()
        self.go(link, 1)
        server._stopping.hurry()
        self.assertTrue(link.server.wasAborted)
        self.go(link, 0.1)
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_delay(self) -> None:
        """For the drain delay new connections are taken and served, though the server is not ready."""
        server = self.started(delay=5)
        stopping = server.stopService()
        self.assertFalse(server.phase.isReady)
        link = self.connect()
        self.talk(link, "question")
        link.server.protocol.protocol.reply()
        self.go(link, 4.8)
        self.assertTrue(self.endpoint.isOpen)
        self.assertEqual(link.client.protocol.protocol.messages, ["reply to question"])
        self.go(link, 0.5)
        self.assertFalse(self.endpoint.isOpen)
        self.successResultOf(stopping)

    def test_hurryInDelay(self) -> None:
        """A second signal ends the delay too."""
        server = self.started(delay=5)
        stopping = server.stopService()
        server._stopping.hurry()
        self.successResultOf(stopping)

    def test_inHandshake(self) -> None:
        """A client in its handshake comes in, has its reply, and then the end."""
        server = self.started()
        link = self.begin()
        stopping = server.stopService()
        self.go(link, 0.5)
        client = link.client.protocol.protocol
        self.talk(link, "question")
        link.server.protocol.protocol.reply()
        self.go(link, 0.3)
        self.assertEqual(client.messages, ["reply to question"])
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)

    def test_firstWords(self) -> None:
        """A client that says nothing for a second has nothing under way."""
        server = self.started()
        link = self.connect()
        stopping = server.stopService()
        self.go(link, 0.9)
        self.assertNoResult(stopping)
        self.go(link, 0.5)
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)

    def test_stranger(self) -> None:
        """What never finishes its handshake is cut at the limit, and does not count."""
        server = self.started()
        link = MemoryLink(Protocol(), self.service.factory.buildProtocol(None))
        stopping = server.stopService()
        self.go(link, 10.5)
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)

    def test_inUse(self) -> None:
        """An application is stopped when its last connection has ended, and not before."""
        server = self.started()
        factory: Any = self.service.factory.wrappedFactory
        stopped: list[bool] = []
        factory.stopFactory = lambda: stopped.append(True)
        link = self.connect()
        self.talk(link, "question")
        stopping = server.stopService()
        self.go(link, 1)
        self.assertEqual(stopped, [])
        link.server.protocol.protocol.reply()
        self.go(link, 0.2)
        self.successResultOf(stopping)
        self.assertEqual(stopped, [True])

    def test_many(self) -> None:
        """More idle connections than are told in a turn of the reactor end within a moment."""
        self.patch(_draining, "_AT_ONCE", 3)
        server = self.started()
        links = [self.connect() for _ in range(7)]
        for link in links:
            self.talk(link, "x")
            link.server.protocol.protocol.reply()
        stopping = server.stopService()
        for _ in range(6):
            self.clock.advance(0)
            for link in links:
                link.flush()
        self.clock.advance(0.1)
        self.successResultOf(stopping)


class ProtocolTests(ServerCase):
    """Protocols that are no message protocols."""

    def test_others(self) -> None:
        """One that cannot be asked goes on until the limit, and then ends in order."""
        server = self.started(Factory.forProtocol(Protocol))
        link = self.connect()
        self.talk(link, "x")
        stopping = server.stopService()
        self.go(link, 9.8)
        self.assertNoResult(stopping)
        self.assertFalse(link.server.protocol.disconnecting)
        self.go(link, 0.5)
        self.successResultOf(stopping)

    def test_raises(self) -> None:
        """One that fails when it is asked is cut, and the others end in order."""

        @implementer(IDrainable)
        class Failing(Protocol):
            def drain(self) -> None:
                raise RuntimeError("no")

        server = self.started(Factory.forProtocol(Failing))
        link = self.connect()
        self.talk(link, "x")
        stopping = server.stopService()
        self.go(link, 0.3)
        self.successResultOf(stopping)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_wrapped(self) -> None:
        """One behind a policy of Twisted's is asked all the same."""
        factory = MessageFactory(Replying, framing="line", readTimeout=None, clock=self.clock)
        server = self.started(WrappingFactory(factory))
        link = self.connect()
        self.talk(link, "x")
        link.server.protocol.protocol.wrappedProtocol.reply()
        stopping = server.stopService()
        self.go(link, 0.1)
        self.successResultOf(stopping)


class Slow(Resource):
    """Answers when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def render_GET(self, request: Any) -> Any:
        self.requests.append(request)
        return NOT_DONE_YET

    def answer(self) -> None:
        request = self.requests.pop(0)
        request.write(b"answer")
        request.finish()


class Raw(Protocol):
    """Keeps bytes."""

    def __init__(self) -> None:
        self.received = b""
        self.hasEnded = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.hasEnded = True


class HTTPTests(ServerCase):
    """twisted.web."""

    def setUp(self) -> None:
        super().setUp()
        self.resource = Slow()

    def serve(self) -> tuple[Server, MemoryLink, Raw]:
        server = self.started(Site(self.resource, reactor=self.clock))
        link = self.connect(Factory.forProtocol(Raw))
        return server, link, link.client.protocol.protocol

    def ask(self, link: MemoryLink, request: bytes) -> None:
        link.client.protocol.write(request)
        self.flush(link)

    def test_inFlight(self) -> None:
        """A request that is under way is answered, the client is told that no other one will be, and it ends."""
        server, link, client = self.serve()
        self.ask(link, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        stopping = server.stopService()
        self.go(link, 1)
        self.assertNoResult(stopping)
        self.resource.answer()
        self.go(link, 0.2)
        self.assertIn(b"connection: close", client.received.lower())
        self.assertIn(b"answer", client.received)
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)

    def test_halfRequest(self) -> None:
        """So it is with one whose headers are still coming."""
        server, link, client = self.serve()
        self.ask(link, b"GET / HTTP/1.1\r\nHost: a\r\n")
        stopping = server.stopService()
        self.go(link, 0.5)
        self.ask(link, b"\r\n")
        self.resource.answer()
        self.go(link, 0.2)
        self.assertIn(b"connection: close", client.received.lower())
        self.successResultOf(stopping)

    def test_idle(self) -> None:
        """A connection that waits for another request ends at once."""
        server, link, client = self.serve()
        self.ask(link, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.resource.answer()
        stopping = server.stopService()
        self.go(link, 0.1)
        self.assertTrue(client.hasEnded)
        self.successResultOf(stopping)


class HTTP2Tests(ServerCase):
    """twisted.web, where both sides speak HTTP/2."""

    def test_inFlight(self) -> None:
        """A stream that is open is answered; then the client is told how far the server has come, and it ends."""
        # It knows no other time than the reactor's.
        self.patch(http, "H2Connection", partial(http.H2Connection, self.clock))
        resource = Slow()
        server = self.started(Site(resource, reactor=self.clock))
        link = self.connect(Factory.forProtocol(Raw), applicationProtocols=(b"h2",))
        client, ours = link.client.protocol.protocol, H2Connection()
        ours.initiate_connection()
        ours.send_headers(1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "a")], True)
        link.client.protocol.write(ours.data_to_send())
        self.flush(link)
        stopping = server.stopService()
        self.go(link, 1)
        self.assertNoResult(stopping)
        resource.answer()
        self.go(link, 0.3)
        events = ours.receive_data(client.received)
        data = b"".join(event.data for event in events if isinstance(event, DataReceived))
        (ended,) = (event for event in events if isinstance(event, ConnectionTerminated))
        self.assertEqual((data, ended.error_code, ended.last_stream_id), (b"answer", 0, 1))
        self.successResultOf(stopping)
        self.assertEqual(server.unfinished, 0)
