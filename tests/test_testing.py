"""What a user can rely on in ``tlscomm.testing``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from failuretable import VERSIONS, Stage, gallery
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

import tlscomm.testing
from tlscomm.configuration import Deadlines, insecurelyPresenting
from tlscomm.endpoints import TLSClientEndpoint, TLSServerEndpoint
from tlscomm.failures import Expired, TLSFailure
from tlscomm.testing import (
    HTTP_RESPONSE,
    SSH_BANNER,
    CorruptingPeer,
    CuttingPeer,
    DeafPeer,
    HonestPeer,
    MemoryTransport,
    Pair,
    Recorder,
    ResettingPeer,
    SlowPeer,
    Speaker,
    StallingPeer,
)
from tlscomm.tls import State, handshake, pump
from tlscomm.transport import TLSTransport

STAGE = Stage("1.3")


class Names(SynchronousTestCase):
    def test_allAreThereAndInOrder(self) -> None:
        names = tlscomm.testing.__all__
        self.assertEqual(names, sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name)))
        for name in names:
            self.assertTrue(hasattr(tlscomm.testing, name), name)


class Handshakes(SynchronousTestCase):
    def test_bothSidesAreOpenAndCanTalk(self) -> None:
        for version in VERSIONS:
            client, server = handshake(Stage(version).client(), Stage(version).server())
            self.assertEqual([client.state, server.state], [State.OPEN, State.OPEN])
            client.send(b"question")
            server.send(b"answer")
            self.assertEqual(pump(client, server), (b"answer", b"question"))

    def test_aRefusalIsInBoth(self) -> None:
        client, server = handshake(STAGE.client(credential=None), STAGE.server())
        assert client.failure is not None and server.failure is not None
        self.assertEqual([client.failure.code, server.failure.code], ["no-certificate"] * 2)


class UnusableCredentials(SynchronousTestCase):
    def test_areRefusedByAConfiguration(self) -> None:
        with self.assertRaises(Expired):
            STAGE.client(credential=gallery().credential("expired", role="client"))

    def test_arePresentedAllTheSame(self) -> None:
        expired = gallery().credential("expired", role="client")
        configuration = insecurelyPresenting(STAGE.client(), expired)
        self.assertIs(configuration.credential, expired)
        _, server = handshake(configuration, STAGE.server())
        assert server.failure is not None and server.failure.certificate is not None
        self.assertEqual(server.failure.certificate.subject, "CN=expired client,O=tlscomm gallery")

    def test_leaveTheConfigurationAsItWas(self) -> None:
        configuration = STAGE.server()
        insecurelyPresenting(configuration, gallery().credential("expired", role="server"))
        client, _ = handshake(STAGE.client(), configuration)
        self.assertIs(client.state, State.OPEN)

    def test_includeTheirChain(self) -> None:
        credential = gallery().credential("good-intermediate", role="client")
        _, server = handshake(insecurelyPresenting(STAGE.client(), credential), STAGE.server())
        assert server.peer is not None
        self.assertEqual(len(server.peer.chain), 3)


class Pairs(SynchronousTestCase):
    def test_nothingMovesBeforeItIsFlushed(self) -> None:
        pair = Pair(STAGE.client(), STAGE.server())
        self.assertFalse(pair.client.isAccepted or pair.server.isAccepted)
        pair.flush()
        self.assertTrue(pair.client.isAccepted and pair.server.isAccepted)

    def test_protocolsTalk(self) -> None:
        pair = Pair(STAGE.client(), STAGE.server())
        pair.flush()
        pair.client.transport.write(b"question")
        pair.server.transport.write(b"answer")
        pair.flush()
        self.assertEqual((pair.client.received, pair.server.received), (b"answer", b"question"))

    def test_anOrderlyEndIsNoFailure(self) -> None:
        pair = Pair(STAGE.client(), STAGE.server())
        pair.flush()
        pair.client.transport.loseConnection()
        pair.flush()
        for side in (pair.client, pair.server):
            self.assertTrue(side.isOver)
            self.assertIsNone(side.failure)

    def test_ownFactoriesAreUsed(self) -> None:
        class Echo(Recorder):
            def dataReceived(self, data: bytes) -> None:
                self.transport.write(data)

        pair = Pair(STAGE.client(), STAGE.server(), serverFactory=Factory.forProtocol(Echo))
        pair.flush()
        pair.client.transport.write(b"hello")
        pair.flush()
        self.assertEqual(pair.client.received, b"hello")

    def test_timePassesWhenItIsTold(self) -> None:
        clock = Clock()
        pair = Pair(STAGE.client(), Speaker(b""), clock=clock)
        pair.flush()
        self.assertIsNone(pair.client.failure)
        pair.advance(10)
        assert pair.client.failure is not None
        self.assertEqual(pair.client.failure.code, "handshake-timeout")

    def test_aSideThatIsNotKnownSaysSo(self) -> None:
        pair = Pair(STAGE.client(), Speaker(b""))
        with self.assertRaisesRegex(AssertionError, "protocol of its own"):
            _ = pair.server


class Transports(SynchronousTestCase):
    """`MemoryTransport` does what Twisted's TCP transport does."""

    def test_aPushProducerIsPausedWhenTheBufferIsFull(self) -> None:
        pair = Pair(STAGE.client(), STAGE.server())
        pair.flush()
        events: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                events.append("pause")

            def resumeProducing(self) -> None:
                events.append("resume")

        transport = MemoryTransport(Recorder(), pair.link.client.getHost(), pair.link.client.getPeer())
        transport.registerProducer(Producer(), True)  # type: ignore[arg-type]
        transport.write(bytes(70_000))
        transport.take()
        self.assertEqual(events, ["pause", "resume"])

    def test_aSecondProducerIsRefused(self) -> None:
        pair = Pair(STAGE.client(), STAGE.server())
        with self.assertRaises(RuntimeError):
            pair.link.client.registerProducer(None, True)  # type: ignore[arg-type]


class PeersInMemory(SynchronousTestCase):
    """What cannot be seen in the table of failures: that they are honest until they misbehave."""

    def test_anHonestPeerIsAcceptedAndAnswersAnEnd(self) -> None:
        peer = HonestPeer(STAGE.client())
        pair = Pair(peer, STAGE.server())
        pair.flush()
        peer.send(b"hello")
        pair.flush()
        self.assertEqual(pair.server.received, b"hello")
        pair.server.transport.write(b"goodbye")
        pair.server.transport.loseConnection()
        pair.flush()
        self.assertEqual(peer.received, b"goodbye")
        self.assertTrue(pair.server.isOver)
        self.assertIsNone(pair.server.failure)

    def test_theyMisbehaveAtAByte(self) -> None:
        for at in (0, 1, 100):
            peer = StallingPeer(STAGE.client(), at=at)
            pair = Pair(peer, STAGE.server())
            pair.flush()
            self.assertTrue(peer.misbehaved)
            self.assertEqual(peer.sent, at)

    def test_aPointThatNeverComesLeavesThemHonest(self) -> None:
        peer = CuttingPeer(STAGE.client(), at="ServerHello")
        pair = Pair(peer, STAGE.server())
        pair.flush()
        self.assertFalse(peer.misbehaved)
        self.assertTrue(pair.server.isAccepted)

    def test_aCorruptingPeerChangesOneBitAndGoesOn(self) -> None:
        peer = CorruptingPeer(STAGE.client(), at="ApplicationData")
        pair = Pair(peer, STAGE.server())
        pair.flush()
        self.assertTrue(pair.server.isAccepted)
        peer.send(b"hello")
        pair.flush()
        self.assertTrue(peer.misbehaved)
        self.assertEqual(pair.server.received, b"")

    def test_aSlowPeerReadsAtItsPace(self) -> None:
        clock = Clock()
        peer = SlowPeer(STAGE.client(), bytesPerSecond=1000, clock=clock)
        pair = Pair(peer, STAGE.server(deadlines=Deadlines(write=None)), clock=clock)
        pair.flush()
        pair.advance(60)
        pair.server.transport.write(bytes(200_000))
        pair.flush()
        first = len(peer.received)
        self.assertTrue(0 < first < 200_000, first)
        for _ in range(20):
            pair.advance(100)
        self.assertEqual(len(peer.received), 200_000)

    def test_aSpeakerMayWaitUntilItIsSpokenTo(self) -> None:
        speaker = Speaker(HTTP_RESPONSE, speaksFirst=False)
        pair = Pair(STAGE.client(), speaker)
        self.assertEqual(bytes(pair.link.server.written), b"")
        pair.link.toServer()
        self.assertEqual(bytes(pair.link.server.written), HTTP_RESPONSE)


class PeersOnSockets(TestCase):
    """The same peers over TCP."""

    timeout = 60

    def setUp(self) -> None:
        self.peers: list[Any] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self.peersAreGone()))

    async def peersAreGone(self) -> None:
        for peer in self.peers:
            peer.transport.abortConnection()
            while peer.lost is None:
                await deferLater(reactor, 0.01)

    def noting(self, make: Callable[[], Any]) -> Factory:
        """Return a factory whose protocols are gone when the test is over."""

        def made() -> Any:
            self.peers.append(make())
            return self.peers[-1]

        return Factory.forProtocol(made)  # type: ignore[arg-type]

    async def named(self, peer: Callable[[], Any], role: str) -> TLSFailure:
        """Return what our side says of a peer that plays a role."""
        return await (self.namedByServer(peer) if role == "client" else self.namedByClient(peer))

    async def namedByServer(self, peer: Callable[[], Any]) -> TLSFailure:
        said: Deferred[TLSFailure] = Deferred()
        deadlines = Deadlines(handshake=1.0, close=1.0)
        endpoint = TLSServerEndpoint(
            reactor, self.tcp(), STAGE.server(deadlines=deadlines), observer=FirstFailure(said.callback)
        )
        port = await self.listening(endpoint, Factory.forProtocol(Closing))
        await TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(self.noting(peer))
        return await said

    async def namedByClient(self, peer: Callable[[], Any]) -> TLSFailure:
        port = await self.listening(self.tcp(), self.noting(peer))
        below = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        endpoint = TLSClientEndpoint(reactor, below, STAGE.client(deadlines=Deadlines(handshake=1.0)))
        try:
            await endpoint.connect(Factory.forProtocol(Recorder))
        except TLSFailure as failure:
            return failure
        raise AssertionError("it was accepted")

    def tcp(self) -> TCP4ServerEndpoint:
        return TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")

    async def listening(self, endpoint: Any, factory: Factory) -> int:
        port: IListeningPort = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        return port.getHost().port  # type: ignore[attr-defined, no-any-return]

    async def test_aStallIsATimeout(self) -> None:
        for role, configuration in (("client", STAGE.client()), ("server", STAGE.server())):
            failure = await self.named(partial(StallingPeer, configuration, at="Certificate"), role)
            self.assertEqual(failure.code, "handshake-timeout")

    async def test_aCutIsAnEndInTheHandshake(self) -> None:
        for role, configuration in (("client", STAGE.client()), ("server", STAGE.server())):
            failure = await self.named(partial(CuttingPeer, configuration, at=50), role)
            self.assertEqual(failure.code, "closed-in-handshake")

    async def test_aResetIsOne(self) -> None:
        for role, configuration in (("client", STAGE.client()), ("server", STAGE.server())):
            failure = await self.named(partial(ResettingPeer, configuration, at=50), role)
            self.assertEqual(failure.code, "reset")

    async def test_aChangedBitBreaksTheRules(self) -> None:
        for role, configuration in (("client", STAGE.client()), ("server", STAGE.server())):
            failure = await self.named(partial(CorruptingPeer, configuration, at="Finished"), role)
            self.assertEqual(failure.code, "protocol-violation")

    async def test_anotherLanguageIsNotTLS(self) -> None:
        for role in ("client", "server"):
            failure = await self.named(partial(Speaker, SSH_BANNER), role)
            self.assertEqual(failure.code, "not-tls")

    async def test_aDeafPeerDoesNotAnswerTheEnd(self) -> None:
        failure = await self.named(partial(DeafPeer, STAGE.client()), "client")
        self.assertEqual(failure.code, "close-timeout")


class FirstFailure:
    """An observer that waits for one failure."""

    def __init__(self, tell: Callable[[TLSFailure], object]) -> None:
        self.tell = tell

    def accepted(self, transport: TLSTransport) -> None: ...

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self.tell(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        if failure is not None:
            self.tell(failure)


class Closing(Recorder):
    """A server's protocol that ends the connection at once."""

    def connectionMade(self) -> None:
        self.transport.loseConnection()
