"""What the tests of transports share: two sides in memory that write down what they are told, in order.

Time is a `Clock`, and nothing moves until a test says so. At the end of each test every conversation is broken off, and
then nothing may be left of it: no timer, no connection, no logged error.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration, Configuration, Deadlines, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.testing import MemoryLink, MemoryTransport
from tlscomm.tls import _peerverification as judging
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.verification import _verifier as verification
from tlscomm.x509._encoding import keyPEM, pem

__all__ = [
    "AUTHORITY",
    "CLIENT",
    "ROOTS",
    "SERVER",
    "STRANGER",
    "VERSIONS",
    "Conversation",
    "ConversationCase",
    "Eager",
    "HalfCloseable",
    "Producing",
    "PythonPeer",
    "Recorder",
    "Side",
    "clientConfiguration",
    "later",
    "serverConfiguration",
]

VERSIONS = ("1.2", "1.3")

_STEPS = 40

AUTHORITY = Authority.create(organization="we")
ROOTS = (AUTHORITY.certificate,)
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
STRANGER = Authority.create("stranger", organization="somebody else")


def later(case: SynchronousTestCase, by: timedelta) -> None:
    """Have the verdicts of a test fall at a later time; for OpenSSL none passes."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + by

    for module in (verification, judging):
        case.patch(module, "datetime", Later)


def serverConfiguration(**settings: Any) -> ServerConfiguration:
    # No rounds, so that the only timers are those of a connection.
    return ServerConfiguration(**{"credential": SERVER, "clientRoots": ROOTS, "revalidation": False, **settings})


def clientConfiguration(**settings: Any) -> ClientConfiguration:
    defaults = {"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, "revalidation": False}
    return ClientConfiguration(**{**defaults, **settings})


class Recorder(Protocol):
    """Writes down what it is told in the events of its side."""

    side: Side
    transport: Any

    def connectionMade(self) -> None:
        self.side.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.side.events.append("data")
        self.side.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.side.events.append("lost")
        self.side.lost.append(reason.value)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Recorder):
    """A recorder that goes on when the peer has closed."""

    def readConnectionLost(self) -> None:
        self.side.events.append("read end")

    def writeConnectionLost(self) -> None:
        self.side.events.append("write end")


class Eager(Recorder):
    """A recorder that speaks first."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.write(b"first ")
        self.transport.write(b"words")


class Producing:
    """A producer that writes down what it is asked, for consumers that are tested."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def pauseProducing(self) -> None:
        self.events.append("pause")

    def resumeProducing(self) -> None:
        self.events.append("resume")

    def stopProducing(self) -> None:
        self.events.append("stop")


class _Building(Factory):
    noisy = False

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def buildProtocol(self, addr: Any) -> Any:
        return self._build()


class Side:
    """One side, and everything that it was told.

    Attributes:
        events: what the observer, the protocol and the Deferred of the connection were told, in order.
        received: the application data, in order.
        lost: the reasons that the protocol's connectionLost was given.
        failures: what the observer was told of failures, None for an end in order.
        connected: what the Deferred of the connection has come to, or None.
    """

    def __init__(self, configuration: Configuration, protocol: Callable[[], Any], clock: Clock) -> None:
        self.events: list[str] = []
        self.received = bytearray()
        self.lost: list[BaseException] = []
        self.failures: list[TLSFailure | None] = []
        self.connected: Any = None
        self.protocols: list[Any] = []
        self._protocol = protocol
        self.factory = TLSFactory(configuration, _Building(self._build), clock, self)
        transport = self.factory.buildProtocol(None)
        assert transport is not None
        self.transport: TLSTransport = transport

    def _build(self) -> Any:
        self.events.append("built")
        protocol = self._protocol()
        if protocol is not None:
            protocol.side = self
            self.protocols.append(protocol)
        return protocol

    @property
    def protocol(self) -> Any:
        """The only protocol that was built above."""
        (protocol,) = self.protocols
        return protocol

    @property
    def failure(self) -> TLSFailure:
        """The only failure that the observer was told of."""
        (failure,) = self.failures
        assert failure is not None
        return failure

    def accepted(self, transport: TLSTransport) -> None:
        self.events.append("accepted")

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self.events.append("refused")
        self.failures.append(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        self.events.append("closed")
        self.failures.append(failure)

    def connect(self) -> Deferred[Any]:
        """Ask for the protocol above, as an endpoint does."""

        def connected(result: Any) -> Any:
            self.events.append("connected")
            self.connected = result

        return self.transport.whenAccepted().addBoth(connected)


class Conversation:
    """A client and a server with a connection in memory between them."""

    def __init__(self, client: Any, server: Any, clock: Clock, link: type[MemoryLink] = MemoryLink) -> None:
        self.clock = clock
        self.client: Any = client
        self.server: Any = server
        self.link = link(*(side.transport if isinstance(side, Side) else side for side in (client, server)))

    def flush(self) -> None:
        """Carry everything, and what is said in answer, until nothing moves any more.

        No time passes, but for that in which a client waits whether a refusal follows a sign of acceptance.
        """
        for _ in range(3):
            self.link.flush()
            isInDoubt = isinstance(self.client, Side) and self.client.transport.isInDoubt
            self.clock.advance(DOUBT_SECONDS if isInDoubt else 0)

    def advance(self, seconds: float) -> None:
        """Let time pass in small steps, and carry everything after each."""
        for _ in range(_STEPS):
            self.clock.advance(seconds / _STEPS)
            self.flush()

    def untilTickets(self) -> None:
        """Carry what makes the server accept, and nothing that it says after it."""
        for _ in range(2):
            self.link.toServer()
            self.link.toClient()
            self.link.toServer()
            if self.server.transport.connected:
                return


class ConversationCase(SynchronousTestCase):
    """A test in which sides talk.

    Attributes:
        link: the class of the connection in memory between them.
    """

    link: type[MemoryLink] = MemoryLink

    def setUp(self) -> None:
        self._conversations: list[Conversation] = []

    def conversation(
        self,
        version: str = "1.3",
        *,
        client: Any = None,
        server: Any = None,
        clientProtocol: Callable[[], Any] = Recorder,
        serverProtocol: Callable[[], Any] = Recorder,
        deadlines: Deadlines | None = None,
        clock: Clock | None = None,
    ) -> Conversation:
        """Return two sides whose TCP is connected; nothing was carried.

        Args:
            version: the only version of TLS that the client speaks.
            client: settings of the client's configuration, or a peer that takes its place.
            server: settings of the server's configuration, or a peer that takes its place.
            clientProtocol: makes the client's protocol.
            serverProtocol: makes the server's protocol.
            deadlines: of both sides.
            clock: tells the time; a new one where None.
        """
        clock = Clock() if clock is None else clock
        limits = Deadlines() if deadlines is None else deadlines
        if client is None or isinstance(client, dict):
            settings = {"minimumTLS": version, "maximumTLS": version, "deadlines": limits, **(client or {})}
            client = Side(clientConfiguration(**settings), clientProtocol, clock)
        if server is None or isinstance(server, dict):
            settings = {"deadlines": limits, **(server or {})}
            server = Side(serverConfiguration(**settings), serverProtocol, clock)
        conversation = Conversation(client, server, clock, self.link)
        self._conversations.append(conversation)
        self.addCleanup(self._breakOff, conversation)
        return conversation

    def opened(self, version: str = "1.3", **settings: Any) -> Conversation:
        """Return two sides that have accepted each other."""
        conversation = self.conversation(version, **settings)
        conversation.flush()
        return conversation

    def assertOver(self, *conversations: Conversation) -> None:
        """Both sides of each have ended by themselves: TCP is closed, nothing waits, everybody was told once."""
        for conversation in conversations or self._conversations:
            link = conversation.link
            self.assertEqual((link.client.connected, link.server.connected), (False, False))
            for side in (conversation.client, conversation.server):
                if isinstance(side, Side):
                    self._assertToldOnce(side)
            self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def assertCodes(self, conversation: Conversation, client: str | None, server: str | None) -> None:
        """Both sides have ended, each with a failure of this code, or in order where that is None."""
        self.assertOver(conversation)
        for side, code in ((conversation.client, client), (conversation.server, server)):
            (failure,) = side.failures
            self.assertEqual(None if failure is None else failure.code, code)
            for reason in side.lost:
                self.assertEqual(getattr(reason, "code", None), code)

    def _assertToldOnce(self, side: Side) -> None:
        counts = {
            event: side.events.count(event) for event in ("built", "made", "accepted", "lost", "closed", "refused")
        }
        told = counts["accepted"]
        self.assertIn(told, (0, 1))
        self.assertEqual((counts["lost"], counts["closed"]), (counts["made"], told), side.events)
        self.assertLessEqual(told + counts["refused"], 1)
        self.assertEqual(side.factory.connections, set())

    def _breakOff(self, conversation: Conversation) -> None:
        for end in (conversation.link.client, conversation.link.server):
            end.abortConnection()
        conversation.flush()
        self.assertEqual(conversation.clock.getDelayedCalls(), [])

    def files(self, credential: Credential) -> tuple[str, str]:
        """Return the paths of files with the chain and with the private key of a credential."""
        certificates, key = Path(self.mktemp()), Path(self.mktemp())
        certificates.write_bytes(pem((credential.certificate, *credential.chain)))
        assert credential.privateKey is not None
        key.write_bytes(keyPEM(credential.privateKey))
        return str(certificates), str(key)

    def pythonPeer(self, serverSide: bool, credential: Credential | None = None, tickets: int = 2) -> PythonPeer:
        """Return a peer on the TLS of Python's standard library.

        Args:
            serverSide: whether it is the server.
            credential: what it presents.
            tickets: how many tickets it sends after it has accepted, as a server.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serverSide else ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem(ROOTS).decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
        if serverSide:
            context.num_tickets = tickets
        context.load_cert_chain(*self.files(credential or (SERVER if serverSide else CLIENT)))
        return PythonPeer(context, serverSide)


@implementer(IHalfCloseableProtocol)
class PythonPeer(Protocol):
    """A peer on the TLS of Python's standard library, that does nothing by itself after the handshake.

    Attributes:
        isDone: whether its handshake is done.
        received: the application data that came.
        words: what it says as soon as its handshake is done.
        error: why its TLS has failed, or None.
        sawClose: whether the other side's close_notify has come.
        sawEnd: whether the other side's TCP stream has ended.
        lost: whether TCP is gone.
    """

    transport: MemoryTransport

    def __init__(self, context: ssl.SSLContext, serverSide: bool) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if serverSide else "localhost"
        self.tls = context.wrap_bio(self._in, self._out, server_side=serverSide, server_hostname=name)
        self._serverSide = serverSide
        self.isDone = False
        self.received = bytearray()
        self.words = b""
        self.error: ssl.SSLError | None = None
        self.sawClose = False
        self.sawEnd = False
        self.lost = False

    def connectionMade(self) -> None:
        self._goOn()

    def dataReceived(self, data: bytes) -> None:
        self._in.write(data)
        self._goOn()

    def readConnectionLost(self) -> None:
        self.sawEnd = True

    def writeConnectionLost(self) -> None: ...

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True

    def say(self, data: bytes) -> None:
        """Send application data."""
        self.tls.write(data)
        self._send()

    def close(self) -> None:
        """Send close_notify."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self._send()

    def _goOn(self) -> None:
        try:
            if not self.isDone:
                self.tls.do_handshake()
                self.isDone = True
                if self.words:
                    self.tls.write(self.words)
            while data := self.tls.read(1 << 16):
                self.received += data
            self.sawClose = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.sawClose = True
        except ssl.SSLError as error:
            self.error = error
        self._send()

    def _send(self) -> None:
        if data := self._out.read():
            self.transport.write(data)
