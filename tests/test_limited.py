"""What peers beyond a limit hear, what those hear that are within it, and what the operator is told."""

from __future__ import annotations

from typing import Any, cast

from conversation import (
    AUTHORITY,
    STRANGER,
    Conversation,
    ConversationCase,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from tlscomm.configuration import Deadlines
from tlscomm.failures import TLSFailure
from tlscomm.limits import Admission, Limits
from tlscomm.limits._admission import MOST_AWAITED
from tlscomm.proxyprotocol import TrustedProxies
from tlscomm.testing import MemoryLink, MemoryTransport
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.transport._eventlog import EventLog
from tlscomm.transport._proxied import ProxiedFactory
from tlscomm.transport._upgrading import UpgradingFactory


class Told:
    """A server's observer."""

    def __init__(self) -> None:
        self.accepted_: list[TLSTransport] = []
        self.refusals: list[TLSFailure] = []
        self.ends: list[TLSFailure | None] = []

    def accepted(self, transport: TLSTransport) -> None:
        self.accepted_.append(transport)

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self.refusals.append(failure)

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        self.ends.append(failure)


class _Above(Factory):
    noisy = False

    def buildProtocol(self, addr: Any) -> Recorder:
        protocol = Recorder()
        protocol.side = Side(clientConfiguration(), Recorder, Clock())
        return protocol


class LimitedCase(ConversationCase):
    """A server with limits, and clients that connect to it from several addresses."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.told = Told()
        self.addCleanup(self.endAll)

    def endAll(self) -> None:
        """End all conversations. Then nothing may be left of them."""
        for conversation in self._conversations:
            for end in (conversation.link.client, conversation.link.server):
                end.abortConnection()
            conversation.link.flush()
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def serve(self, configuration: Any = None, **limits: Any) -> TLSFactory:
        self.admission = Admission(Limits(**limits))
        self.factory = TLSFactory(
            configuration or serverConfiguration(), _Above(), self.clock, self.told, admission=self.admission
        )
        return self.factory

    def connect(self, host: str = "192.0.2.1", *, wrapped: Any = None, **client: Any) -> Conversation | None:
        """Return a conversation that was carried as far as it goes, or None where the server took no connection."""
        address = IPv4Address("TCP", host, 40001)
        transport = (wrapped or self.factory).buildProtocol(address)
        if transport is None:
            return None
        side = Side(clientConfiguration(**client), Recorder, self.clock)

        class From(MemoryLink):
            def __init__(self, client: Any, server: Any) -> None:
                super().__init__(client, server, clientAddress=address)

        conversation = Conversation(side, transport, self.clock, From)
        self._conversations.append(conversation)
        conversation.flush()
        return conversation

    def connected(self, host: str = "192.0.2.1", **client: Any) -> Conversation:
        conversation = self.connect(host, **client)
        assert conversation is not None
        self.assertTrue(conversation.client.transport.connected, conversation.client.failures)
        return conversation

    def assertRefused(self, *expected: tuple[str, str]) -> None:
        """So many connections were refused, by these codes and limits."""
        found = [(each.code, getattr(each, "limit", "")) for each in self.told.refusals]
        self.assertEqual(found, list(expected))

    def assertTalks(self, conversation: Conversation) -> None:
        conversation.client.transport.write(b"x")
        conversation.flush()
        self.assertTrue(conversation.client.transport.connected)


class AddressTests(LimitedCase):
    """Limits that hold before TLS."""

    def test_perAddress(self) -> None:
        """One more of an address is closed at once and named with its address; those that are open talk on."""
        self.serve(connectionsPerAddress=1)
        established = self.connected()
        self.assertIsNone(self.connect())
        self.assertRefused(("too-many-connections", "connectionsPerAddress"))
        (failure,) = self.told.refusals
        self.assertEqual((failure.peer, failure.stage), ("192.0.2.1:40001", "connect"))
        self.assertTalks(established)
        self.connected("192.0.2.2")

    def test_roomIsUsedAgain(self) -> None:
        """What has ended, in order, by a refusal or by a reset, counts no more."""
        self.serve(connectionsPerAddress=1, connectionsPerIdentity=1)
        for _ in range(3):
            first = self.connected()
            first.client.transport.loseConnection()
            first.flush()
            stranger = self.connect(credential=STRANGER.issue("x", role="client"))
            assert stranger is not None
            stranger.flush()
            self.connected().link.cut()
        self.assertEqual((self.admission.connections, self.admission.pending), (0, 0))
        self.assertEqual(self.factory.connections, set())

    def test_pending(self) -> None:
        """A connection is pending until it was accepted, whatever its peer does meanwhile."""
        self.serve(maximumPending=1)
        self.connected()
        self.connected()
        transport = self.factory.buildProtocol(None)
        self.assertIsNone(self.connect())
        self.assertRefused(("too-many-handshakes", "maximumPending"))
        self.factory.forget(cast(TLSTransport, transport))
        self.connected()

    def test_waiting(self) -> None:
        """An address with too many refusals waits, and comes in when the minute is over."""
        self.serve(refusalsPerAddress=2)
        stranger = STRANGER.issue("x", role="client")
        for _ in range(2):
            refused = self.connect(credential=stranger)
            assert refused is not None
            refused.advance(1.5)
        self.assertIsNone(self.connect())
        self.connected("192.0.2.2")
        self.clock.advance(60)
        self.connected()
        unknown = ("unknown-issuer", "")
        self.assertRefused(unknown, unknown, ("too-many-refusals", "refusalsPerAddress"))

    def test_healthChecks(self) -> None:
        """What only looks whether the port is open is not refused for it, however often it comes."""
        self.serve(refusalsPerAddress=1)
        for _ in range(5):
            transport = cast(Any, self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
            client = Side(clientConfiguration(), Recorder, self.clock)
            link = MemoryLink(client.transport, transport)
            link.client.abortConnection()
            link.flush()
        self.connected()

    def test_twoFactories(self) -> None:
        """Factories that share what lets connections in have the limits in all together."""
        self.serve(maximumConnections=2)
        first = self.factory
        second = TLSFactory(
            serverConfiguration(), _Above(), self.clock, self.told, admission=Admission(Limits(maximumConnections=9))
        )
        for each in (first, second):
            each.countTogether([first, second])
        self.connected()
        self.factory = second
        self.connected()
        self.assertIsNone(self.connect())
        self.assertEqual((first.maximumConnections, second.maximumConnections), (2, 2))


class ProxiedTests(LimitedCase):
    """Behind a proxy that says whose connections it passes on."""

    def test_clientsCount(self) -> None:
        """The clients' addresses count and not the proxy's, from when the header has come."""
        self.serve(connectionsPerAddress=1)
        proxied = ProxiedFactory(self.factory, TrustedProxies(["192.0.2.1"]))
        first = self.through(proxied, "203.0.113.1")
        second = self.through(proxied, "203.0.113.2")
        for each in (first, second):
            self.assertTrue(each.client.transport.connected)
        third = self.through(proxied, "203.0.113.2")
        third.flush()
        self.assertRefused(("too-many-connections", "connectionsPerAddress"))
        self.assertEqual(self.told.refusals[0].peer, "203.0.113.2:5000")
        self.assertFalse(third.client.transport.connected)
        self.assertEqual(self.admission.connections, 2)

    def test_othersGetIn(self) -> None:
        """A stranger behind the proxy who is refused for his address leaves to all others what there is in all."""
        self.serve(connectionsPerAddress=1, handshakeRate=3, maximumConnections=3)
        proxied = ProxiedFactory(self.factory, TrustedProxies(["192.0.2.1"]))
        self.assertTrue(self.through(proxied, "203.0.113.1").client.transport.connected)
        for _ in range(20):
            self.through(proxied, "203.0.113.1").flush()
        self.assertRefused(*20 * [("too-many-connections", "connectionsPerAddress")])
        for host in ("203.0.113.2", "203.0.113.3"):
            self.assertTrue(self.through(proxied, host).client.transport.connected)
        self.through(proxied, "203.0.113.4").flush()
        self.assertEqual(getattr(self.told.refusals[-1], "limit", ""), "maximumConnections")

    def test_inAllBeforeClear(self) -> None:
        """Where words in the clear come before TLS the limits hold before these, and none is said beyond one."""
        self.serve(maximumConnections=0)
        talks: list[object] = []
        clear = UpgradingFactory(self.factory, cast(Any, talks.append))
        self.through(ProxiedFactory(clear, TrustedProxies(["192.0.2.1"])), "203.0.113.1").flush()
        self.assertEqual(talks, [])
        self.assertRefused(("too-many-connections", "maximumConnections"))

    def test_silent(self) -> None:
        """Connections whose header does not come lock out none, until they end at the handshake's deadline."""
        self.serve(maximumConnections=1, maximumPending=1)
        proxied = ProxiedFactory(self.factory, TrustedProxies(["192.0.2.1"]))
        for _ in range(5):
            self.through(proxied)
        self.assertEqual((self.admission.awaited, self.admission.connections), (5, 0))
        self.connected("198.51.100.1").link.cut()
        self.assertTrue(self.through(proxied, "203.0.113.2").client.transport.connected)
        self.clock.advance(10)
        for each in self._conversations:
            each.link.flush()
        self.assertRefused(*5 * [("handshake-timeout", "")])
        self.assertEqual((self.admission.awaited, self.admission.connections), (0, 1))

    def test_tooManySilent(self) -> None:
        """Beyond the bound of those that wait for their header the next one of a proxy is closed, and named so."""
        self.serve(maximumConnections=10)
        self.admission.awaited = MOST_AWAITED
        proxied = ProxiedFactory(self.factory, TrustedProxies(["192.0.2.1"]))
        self.assertIsNone(proxied.buildProtocol(IPv4Address("TCP", "192.0.2.1", 40001)))
        self.assertRefused(("too-many-handshakes", "proxyFrom"))
        self.assertEqual(self.told.refusals[0].peer, "192.0.2.1:40001")
        self.connected("198.51.100.1")

    def through(self, proxied: ProxiedFactory, host: str = "") -> Conversation:
        """Return a conversation through the proxy, which says nothing where no host is given."""
        address = IPv4Address("TCP", "192.0.2.1", 40001)
        transport = proxied.buildProtocol(address)
        side = Side(clientConfiguration(), Recorder, self.clock)

        class From(MemoryLink):
            def __init__(self, client: Any, server: Any) -> None:
                super().__init__(client, server, clientAddress=address)

        conversation = Conversation(side, transport, self.clock, From)
        self._conversations.append(conversation)
        written = conversation.link.client.written
        written[:] = f"PROXY TCP4 {host} 192.0.2.9 5000 443\r\n".encode() + written if host else b""
        conversation.flush()
        return conversation


class IdentityTests(LimitedCase):
    """Limits that hold when it is known who the peer is."""

    def test_refusedBeforeAcceptance(self) -> None:
        """One connection too many of an identity is refused with internal_error, and its protocol never hears of it."""
        for version in ("1.2", "1.3"):
            self.told = Told()
            self.serve(connectionsPerIdentity=1)
            settings = {"minimumTLS": version, "maximumTLS": version}
            established = self.connected(**settings)
            refused = self.connect("192.0.2.2", **settings)
            assert refused is not None
            refused.flush()
            self.assertRefused(("too-many-connections", "connectionsPerIdentity"))
            (failure,) = self.told.refusals
            self.assertEqual((failure.stage, getattr(failure.alert, "name", None)), ("authorization", "internal_error"))
            self.assertEqual(getattr(failure.certificate, "subject", None), "CN=client")
            heard = refused.client.failure
            self.assertEqual((heard.code, heard.side, heard.permanent), ("refused", "remote", False))
            self.assertIn("as many connections of ours as it allows", heard.message)
            self.assertNotIn("built", refused.client.events)
            self.assertTalks(established)
            self.assertEqual(len(self.told.accepted_), 1)

    def test_renewedIsTheSame(self) -> None:
        """A renewed certificate makes no second client of one, and another client is not concerned."""
        self.serve(connectionsPerIdentity=1)
        self.connected()
        self.connect(credential=AUTHORITY.issue("client", role="client"))
        self.assertEqual(len(self.told.accepted_), 1)
        self.connected(credential=AUTHORITY.issue("another client", role="client"))

    def test_resumed(self) -> None:
        """A resumed session counts for the identity that it began with, and so do its limits."""
        self.serve(connectionsPerIdentity=1)
        configuration = clientConfiguration()
        for _ in range(2):
            side = Side(configuration, Recorder, self.clock)
            transport = self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
            conversation = Conversation(side, transport, self.clock)
            self._conversations.append(conversation)
            conversation.flush()
        self.assertEqual(len(self.told.accepted_), 1)
        conversation.flush()
        self.assertRefused(("too-many-connections", "connectionsPerIdentity"))

    def test_withoutCertificate(self) -> None:
        """Clients without a certificate have no identity, and are not limited by one."""
        self.serve(serverConfiguration(clientCertificates="requested"), connectionsPerIdentity=1)
        for _ in range(3):
            self.connected(credential=None)


class LastingTests(LimitedCase):
    """How long a connection may last, and be idle."""

    def opened_(self, **deadlines: Any) -> Conversation:
        self.serve(serverConfiguration(deadlines=Deadlines(write=None, **deadlines)))
        return self.connected(deadlines=Deadlines(write=None))

    def test_lifetime(self) -> None:
        """A connection ends in order when it has lasted long enough, whatever passes on it; both protocols hear it."""
        conversation = self.opened_(lifetime=100.0)
        for _ in range(85):
            conversation.advance(1)
            self.assertTalks(conversation)
        conversation.advance(16)
        (failure,) = cast(Any, self.told.ends)
        self.assertEqual((failure.code, failure.side, failure.peer), ("lifetime-over", "local", "192.0.2.1:40001"))
        self.assertEqual(failure.limit, "connectionLifetime")
        self.assertEqual(conversation.client.failures, [None])
        self.assertEqual(bytes(conversation.client.received), b"")

    def test_idle(self) -> None:
        """An idle connection ends in order, in the time that is said and no more than a quarter of it."""
        conversation = self.opened_(idle=20.0)
        conversation.advance(19)
        self.assertEqual(self.told.ends, [])
        conversation.advance(7)
        (failure,) = cast(Any, self.told.ends)
        self.assertEqual(failure.limit, "idleTimeout")
        self.assertEqual((failure.code, failure.detail), ("idle-timeout", "nothing was sent or received for 20 s"))
        self.assertEqual(conversation.client.failures, [None])

    def test_notIdle(self) -> None:
        """What says something now and then, whichever side, is not idle."""
        conversation = self.opened_(idle=20.0)
        for each in range(20):
            conversation.advance(15)
            (conversation.client.transport if each % 2 else self.told.accepted_[0]).write(b"x")
            conversation.flush()
        self.assertEqual(self.told.ends, [])

    def test_slowReader(self) -> None:
        """A peer that takes what was sent slowly is not idle while it takes any."""
        conversation = self.opened_(idle=20.0)
        self.told.accepted_[0].write(bytes(500_000))
        for _ in range(10):
            self.clock.advance(10)
            conversation.link.toClient(5000)
        self.assertEqual(self.told.ends, [])

    def test_nothingIsLeft(self) -> None:
        """A connection that ends earlier leaves no timer."""
        conversation = self.opened_(idle=20.0, lifetime=100.0)
        conversation.advance(12)
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertEqual((self.told.ends, self.clock.getDelayedCalls()), ([None], []))


class MemoryTests(LimitedCase):
    """What a peer can have kept for it before it is accepted."""

    def test_longClientHello(self) -> None:
        """A ClientHello that is to be longer than any is refused when it says so, before its bytes have come."""
        for announced, isRefused in ((131_000, False), (140_000, True), (0xFFFFFF, True)):
            transport = self.silent()
            transport.dataReceived(b"\x16\x03\x01\x40\x00\x01" + announced.to_bytes(3, "big") + bytes(16_380))
            self.assertEqual(transport.disconnecting, isRefused, announced)

    def test_longCertificates(self) -> None:
        """Certificates of more than OpenSSL's 100 KB are refused when their message begins."""
        for announced, isRefused in ((100_000, False), (110_000, True), (0xFFFFFF, True)):
            self.serve()
            transport = cast(Any, self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
            client = Side(clientConfiguration(maximumTLS="1.2"), Recorder, self.clock)
            conversation = Conversation(client, transport, self.clock)
            self._conversations.append(conversation)
            conversation.link.toServer()
            transport.dataReceived(b"\x16\x03\x03\x10\x00\x0b" + announced.to_bytes(3, "big") + bytes(4092))
            self.assertEqual(transport.disconnecting, isRefused, announced)

    def test_whileAsked(self) -> None:
        """While a hook is asked, nothing more is read from the peer."""
        self.serve(serverConfiguration(hook=lambda question: Deferred()))
        conversation = self.connect()
        assert conversation is not None
        self.assertFalse(conversation.link.server.isReading)

    def silent(self) -> Any:
        self.serve()
        transport = cast(Any, self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1)))
        end = MemoryTransport(transport, IPv4Address("TCP", "192.0.2.9", 1), IPv4Address("TCP", "192.0.2.1", 1))
        transport.makeConnection(end)
        self.addCleanup(self.clock.advance, 0)
        self.addCleanup(end.lose, ConnectionDone())
        return transport


class FloodTests(LimitedCase):
    """A flood beside connections that are open."""

    def test_hour(self) -> None:
        """For an hour strangers come from everywhere: memory and log stay bounded, and what is open talks on."""
        written: list[Any] = []
        self.told = cast(Any, EventLog(written.append, self.clock))
        self.serve(handshakeRate=5.0, handshakeRatePerAddress=1.0, maximumConnections=3)
        established = self.connected()
        for minute in range(60):
            for number in range(40):
                host = "203.0.113.9" if number % 2 else f"198.51.{minute}.{number}"
                if (transport := self.factory.buildProtocol(IPv4Address("TCP", host, 1))) is not None:
                    self.factory.forget(transport)
            self.clock.advance(60)
            self.assertTalks(established)
        # The first second had one that was let in, too.
        self.assertEqual(self.admission.hits.total(), 60 * 40 - (60 * 5 - 1))
        self.assertEqual(self.admission.connections, 1)
        self.assertLess(len(self.admission._records), 100)
        self.assertLess(len(written), 60 * 35)
        told = sum(event.get("count", 1) for event in written if event["event"] in ("refused", "refusals"))
        self.assertEqual(told, self.admission.hits.total())
