"""Two sides in memory: what they agree on, what they refuse, and that nothing gets past a refusal.

The names of refusals are in the failure table; here is the rest of what a connection promises.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import Certificate, CertificateOptions, optionsForClientTLS, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.configuration import ClientConfiguration, ExternalContextConfiguration, ServerConfiguration
from tlscomm.failures import (
    ClosedInHandshake,
    HandshakeTimeout,
    HookFailed,
    NameMismatch,
    NoCertificate,
    ProtocolViolation,
    Refused,
    RefusedByHook,
    TLSFailure,
    Truncated,
)
from tlscomm.issuing import Authority
from tlscomm.tls import State, TLSConnection, handshake, pump

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)
VERSIONS = ("1.2", "1.3")


def server(**settings: Any) -> TLSConnection:
    return TLSConnection(ServerConfiguration(**{"credential": SERVER, "clientRoots": ROOTS, **settings}))


def client(**settings: Any) -> TLSConnection:
    settings = {"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, **settings}
    connection = TLSConnection(ClientConfiguration(**settings))
    connection.start()
    return connection


def opened(**settings: Any) -> tuple[TLSConnection, TLSConnection]:
    pair = client(**settings), server()
    pump(*pair)
    return pair


def failureOf(connection: TLSConnection) -> TLSFailure:
    assert connection.failure is not None
    return connection.failure


class Accepted(SynchronousTestCase):
    def test_bothSidesAreOpen(self) -> None:
        for version in VERSIONS:
            for side in opened(maximumTLS=version):
                self.assertEqual((side.state, side.failure, side.isAccepted), (State.OPEN, None, True))

    def test_theyAgreeOnTheFacts(self) -> None:
        for version in VERSIONS:
            one, other = opened(maximumTLS=version)
            self.assertEqual(one.facts, other.facts)
            self.assertEqual(one.facts.version, f"TLSv{version}")
            self.assertEqual(one.facts.serverName, "localhost")
            self.assertEqual(one.facts.acceptance, "seen")
            self.assertFalse(one.facts.resumed)

    def test_connectionsThatNegotiateShareSessions(self) -> None:
        """To offer a factory's protocols makes no other client of a client: the next connection resumes."""
        ours = ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT)
        theirs = ServerConfiguration(credential=SERVER, clientRoots=ROOTS, applicationProtocols=(b"h2",))
        resumed = []
        for _ in range(2):
            one, other = handshake(ours.withProtocols([b"h2"]), theirs)
            resumed.append(one.facts.resumed)
            one.close()
            pump(one, other)
        self.assertEqual(resumed, [False, True])

    def test_eachKnowsTheOther(self) -> None:
        for version in VERSIONS:
            one, other = opened(maximumTLS=version)
            assert one.peer is not None
            assert other.peer is not None
            self.assertEqual(one.peer.chain, (SERVER.certificate, AUTHORITY.certificate))
            self.assertEqual(other.peer.chain, (CLIENT.certificate, AUTHORITY.certificate))
            self.assertEqual(one.peer.dnsNames, ("localhost",))

    def test_aClientThatIsAskedForNothingIsNobody(self) -> None:
        for version in VERSIONS:
            one, other = client(credential=None, maximumTLS=version), server(clientRoots=())
            pump(one, other)
            self.assertEqual((one.state, other.state, other.peer), (State.OPEN, State.OPEN, None))

    def test_aClientThatMayBeNobodyIsLetIn(self) -> None:
        for version in VERSIONS:
            for credential, known in ((None, False), (CLIENT, True)):
                one = client(credential=credential, maximumTLS=version)
                other = server(clientCertificates="requested")
                pump(one, other)
                self.assertEqual((one.state, other.state), (State.OPEN, State.OPEN))
                self.assertEqual(other.peer is not None, known)

    def test_theListOfAcceptableIssuersIsSent(self) -> None:
        for version in VERSIONS:
            one, _ = opened(maximumTLS=version)
            self.assertEqual(one.handle.get_client_ca_list(as_cryptography=True), [AUTHORITY.certificate.subject])

    def test_dataGoesBothWaysWhateverItsSize(self) -> None:
        for version in VERSIONS:
            one, other = opened(maximumTLS=version)
            for size in (1, 16384, 16385, 131072, 1_000_003):
                sent = bytes(range(256)) * (size // 256 + 1)
                one.send(sent[:size])
                other.send(sent[1 : size + 1])
                self.assertEqual(pump(one, other), (sent[1 : size + 1], sent[:size]))

    def test_dataIsSealedInOneStep(self) -> None:
        """`sealed` is `send` and `outgoing`, of bytes and of a part of them, however long."""
        data = bytes(range(256)) * 5000
        for version in VERSIONS:
            one, other = opened(maximumTLS=version)
            for size in (1, 16384, 65540, 130_800, 131_072, 131_073, len(data)):
                self.assertEqual(other.receive(one.sealed(data[:size])), data[:size])
                self.assertEqual(other.receive(one.sealed(memoryview(data)[3:size])), data[3:size])
            # What OpenSSL had to say before goes first.
            one.send(b"first ")
            self.assertEqual(other.receive(one.sealed(b"second")), b"first second")

    def test_dataIsSealedAsLongAsItMayBeSent(self) -> None:
        """A peer that has said that it ends is still sent data, and a connection that has failed sends none."""
        one, other = opened()
        one.close()
        other.receive(one.outgoing())
        self.assertIs(other.state, State.CLOSED)
        self.assertEqual(one.receive(other.sealed(b"answer")), b"answer")
        one, other = opened()
        other.receive(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.assertIs(other.state, State.FAILED)
        self.assertEqual(one.receive(other.sealed(b"more")), b"")
        self.assertIsNotNone(failureOf(one).alert)

    def test_dataGoesThroughInAnySplit(self) -> None:
        one, other = opened()
        one.send(b"hello" * 5000)
        ciphertext = one.outgoing()
        received = b"".join(other.receive(ciphertext[i : i + 1]) for i in range(len(ciphertext)))
        self.assertEqual(received, b"hello" * 5000)

    def test_theHandshakeGoesThroughByteByByte(self) -> None:
        for version in VERSIONS:
            one, other = client(maximumTLS=version), server()
            while (toServer := one.outgoing()) or (toClient := other.outgoing()):
                for byte in toServer:
                    other.receive(bytes([byte]))
                toClient = other.outgoing()
                for byte in toClient:
                    one.receive(bytes([byte]))
            self.assertEqual((one.state, other.state), (State.OPEN, State.OPEN))


class Unconfirmed(SynchronousTestCase):
    """A TLS 1.3 client that has finished its handshake, and whom the server has not judged yet."""

    def setUp(self) -> None:
        self.client, self.server = client(), server()
        self.server.receive(self.client.outgoing())
        self.client.receive(self.server.outgoing())

    def test_isNotAccepted(self) -> None:
        self.assertEqual((self.client.state, self.client.isAccepted), (State.UNCONFIRMED, False))

    def test_isAcceptedWithTheTicket(self) -> None:
        self.server.receive(self.client.outgoing())
        self.assertEqual(self.client.receive(self.server.outgoing()), b"")
        self.assertEqual((self.client.state, self.client.facts.acceptance), (State.OPEN, "seen"))

    def test_isAcceptedWithTheLastByteOfTheTicket(self) -> None:
        self.server.receive(self.client.outgoing())
        ticket = self.server.outgoing()
        size = 5 + int.from_bytes(ticket[3:5], "big")
        self.client.receive(ticket[: size - 1])
        self.assertIs(self.client.state, State.UNCONFIRMED)
        self.client.receive(ticket[size - 1 : size])
        self.assertIs(self.client.state, State.OPEN)

    def test_dataThatComesWithTheTicketIsDelivered(self) -> None:
        self.server.receive(self.client.outgoing())
        self.server.send(b"welcome")
        self.assertEqual(self.client.receive(self.server.outgoing()), b"welcome")

    def test_acceptanceCanBeAssumed(self) -> None:
        self.client.confirm()
        self.assertEqual((self.client.state, self.client.facts.acceptance), (State.OPEN, "assumed"))

    def test_endOfStreamIsARefusal(self) -> None:
        self.client.receiveEnd()
        self.assertEqual(failureOf(self.client), Refused())
        self.assertEqual(failureOf(self.client).side, "remote")

    def test_resetIsARefusal(self) -> None:
        self.client.receiveReset("connection reset by peer")
        self.assertEqual(failureOf(self.client), Refused())

    def test_laterAssumptionDoesNotReviveARefusal(self) -> None:
        self.client.receiveEnd()
        self.client.confirm()
        self.assertEqual((self.client.state, self.client.isAccepted), (State.FAILED, False))


class Ends(SynchronousTestCase):
    def test_closeNotifyIsAnEnd(self) -> None:
        for version in VERSIONS:
            one, other = opened(maximumTLS=version)
            one.send(b"bye")
            one.close()
            self.assertEqual(other.receive(one.outgoing()), b"bye")
            self.assertIs(other.state, State.CLOSED)
            other.receiveEnd()
            self.assertIsNone(other.failure)

    def test_theOtherSideMayStillAnswer(self) -> None:
        one, other = opened()
        one.close()
        other.receive(one.outgoing())
        other.send(b"answer")
        other.close()
        self.assertEqual(one.receive(other.outgoing()), b"answer")
        self.assertIs(one.state, State.CLOSED)

    def test_endWithoutCloseNotifyIsTruncated(self) -> None:
        one, other = opened()
        other.send(b"hello")
        one.receive(other.outgoing())
        for side in (one, other):
            side.receiveEnd()
            self.assertEqual(failureOf(side), Truncated())

    def test_afterAFailureNothingIsDelivered(self) -> None:
        one, other = opened()
        one.send(b"hello")
        data = bytearray(one.outgoing())
        data[-1] ^= 1
        self.assertEqual(other.receive(bytes(data)), b"")
        self.assertEqual(failureOf(other), ProtocolViolation())
        one.send(b"more")
        self.assertEqual(other.receive(one.outgoing()), b"")

    def test_dataBeforeABrokenRecordIsDelivered(self) -> None:
        one, other = opened()
        one.send(b"good")
        good = one.outgoing()
        one.send(b"bad")
        bad = bytearray(one.outgoing())
        bad[-1] ^= 1
        self.assertEqual(other.receive(good + bytes(bad)), b"good")
        self.assertEqual(failureOf(other), ProtocolViolation())

    def test_aHandshakeThatEndsIsNamed(self) -> None:
        one = client()
        one.receiveEnd()
        self.assertEqual(failureOf(one), ClosedInHandshake())
        self.assertIn("ServerHello", str(one.failure))

    def test_aHandshakeThatStallsSaysWhatWasAwaited(self) -> None:
        other = server()
        other.timeOut()
        self.assertEqual(failureOf(other), HandshakeTimeout())
        self.assertIn("ClientHello", str(other.failure))


class NothingBeforeAcceptance(SynchronousTestCase):
    """Application data of a client that is refused never leaves the server's connection."""

    def test_dataRightAfterFinishedOfARefusedClient(self) -> None:
        stranger = Authority.create().issue("stranger", role="client")
        for version in VERSIONS:
            one, other = client(credential=stranger, maximumTLS=version), server()
            delivered = []
            for _ in range(4):
                delivered.append(other.receive(one.outgoing()))
                one.receive(other.outgoing())
                if one.state is State.UNCONFIRMED:
                    one._channel.write(b"let me in")
            self.assertEqual((delivered, other.isAccepted), ([b""] * 4, False))
            self.assertIs(one.state, State.FAILED)

    def test_dataOfAClientWithoutACertificate(self) -> None:
        one, other = client(credential=None), server()
        other.receive(one.outgoing())
        one.receive(other.outgoing())
        one._channel.write(b"let me in")
        self.assertEqual(other.receive(one.outgoing()), b"")
        self.assertEqual(failureOf(other), NoCertificate())

    def test_dataRightAfterFinishedOfAnAcceptedClient(self) -> None:
        one, other = client(), server()
        other.receive(one.outgoing())
        one.receive(other.outgoing())
        one._channel.write(b"hello")
        self.assertEqual(other.receive(one.outgoing()), b"hello")
        self.assertTrue(other.isAccepted)


class Foreign(SynchronousTestCase):
    """Twisted's own ways to describe a connection, with our judgement on top."""

    def setUp(self) -> None:
        self.trust = trustRootFromCertificates([Certificate(X509.from_cryptography(AUTHORITY.certificate))])

    def options(self, credential: Any = SERVER, **settings: Any) -> CertificateOptions:
        return CertificateOptions(privateKey=credential.privateKey, certificate=credential.certificate, **settings)

    def test_aServersOptions(self) -> None:
        for version in VERSIONS:
            other = TLSConnection(ExternalContextConfiguration(creator=self.options(trustRoot=self.trust)))
            one = client(maximumTLS=version)
            pump(one, other)
            self.assertEqual((one.state, other.state), (State.OPEN, State.OPEN))

    def test_aServersOptionsRefuseByName(self) -> None:
        other = TLSConnection(ExternalContextConfiguration(creator=self.options(trustRoot=self.trust)))
        one = client(credential=None)
        pump(one, other)
        self.assertEqual((failureOf(one), failureOf(other)), (NoCertificate(), NoCertificate()))

    def connectForeign(self, creator: Any, credential: Any = SERVER, name: str = "localhost") -> TLSConnection:
        one = TLSConnection(ExternalContextConfiguration(creator=creator, serverName=name))
        one.start()
        pump(one, server(credential=credential, clientCertificates="requested"))
        return one

    def test_aClientsOptions(self) -> None:
        for creator in (
            self.options(CLIENT, trustRoot=self.trust),
            optionsForClientTLS("localhost", self.trust),
        ):
            self.assertIs(self.connectForeign(creator).state, State.OPEN)

    def test_aNameThatTwistedLetsPassIsRefused(self) -> None:
        nameless = AUTHORITY.issue("localhost", role="server")
        for creator in (
            self.options(CLIENT, trustRoot=self.trust),
            optionsForClientTLS("localhost", self.trust),
        ):
            self.assertEqual(failureOf(self.connectForeign(creator, nameless)), NameMismatch())
            self.flushLoggedErrors()

    def test_aCallbackOfTheirsMayRefuseMore(self) -> None:
        creator = _Creator(lambda *_: False)
        self.assertEqual(failureOf(self.connectForeign(creator)), RefusedByHook())

    def test_aCallbackOfTheirsThatRaisesRefuses(self) -> None:
        def broken(*_: object) -> bool:
            raise RuntimeError("broken check")

        one = self.connectForeign(_Creator(broken))
        self.assertEqual(failureOf(one), HookFailed())
        self.assertIn("broken check", str(one.failure))

    def test_aCallbackOfTheirsMayNotOverruleTheName(self) -> None:
        self.assertEqual(failureOf(self.connectForeign(_Creator(lambda *_: True), name="other")), NameMismatch())

    def test_verificationCannotBeLeftOutByAContext(self) -> None:
        stranger = Authority.create().issue("server", role="server", dnsNames=["localhost"])
        creator = _Creator(None)
        creator.context.set_verify(SSL.VERIFY_NONE)
        self.assertIs(self.connectForeign(creator, stranger).state, State.FAILED)

    def test_aResumedSessionIsJudgedAgain(self) -> None:
        for version in VERSIONS:
            for name, state in (("localhost", State.OPEN), ("other", State.FAILED)):
                options = self.options(trustRoot=self.trust, enableSessions=True, enableSessionTickets=True)
                creator = _Creator(None, version)
                first = TLSConnection(ExternalContextConfiguration(creator=creator, serverName="localhost"))
                first.start()
                pump(first, TLSConnection(ExternalContextConfiguration(creator=options)))
                creator.session = first.handle.get_session()
                again = TLSConnection(ExternalContextConfiguration(creator=creator, serverName=name))
                again.start()
                pump(again, TLSConnection(ExternalContextConfiguration(creator=options)))
                self.assertTrue(again._channel.resumed, version)
                self.assertIs(again.state, state)


@implementer(IOpenSSLClientConnectionCreator)
class _Creator:
    """A user's own creator of connections, with a callback of its own."""

    session: Any = None

    def __init__(self, callback: Any, version: str = "1.3") -> None:
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.use_certificate(CLIENT.certificate)
        self.context.use_privatekey(CLIENT.privateKey)  # type: ignore[arg-type]
        store = self.context.get_cert_store()
        assert store is not None
        store.add_cert(X509.from_cryptography(AUTHORITY.certificate))
        self.context.set_max_proto_version({"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}[version])
        self.context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
        if callback is not None:
            self.context.set_verify(SSL.VERIFY_PEER, callback)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = SSL.Connection(self.context)
        if self.session is not None:
            connection.set_session(self.session)
        return connection


class Configured(SynchronousTestCase):
    """What cannot work is refused when it is configured."""

    def test_aMinimumAboveTheMaximum(self) -> None:
        with self.assertRaisesRegex(ValueError, "above the maximum"):
            client(minimumTLS="1.3", maximumTLS="1.2")

    def test_aVersionThatIsNotSpoken(self) -> None:
        with self.assertRaisesRegex(ValueError, r"TLS 1\.1 is not spoken"):
            client(minimumTLS="1.1")

    def test_requiredCertificatesWithoutAuthorities(self) -> None:
        with self.assertRaisesRegex(ValueError, "client roots"):
            server(clientRoots=(), clientCertificates="required")

    def test_aNameThatIsNone(self) -> None:
        for name in ("", "a b", "a..b", "x" * 64, "x." * 200, "a\0b"):
            with self.assertRaises(ValueError, msg=name):
                client(serverName=name)

    def test_aNameInAnyScript(self) -> None:
        self.assertEqual(ClientConfiguration(serverName="Bücher.example").serverName, "xn--bcher-kva.example")
        self.assertEqual(ClientConfiguration(serverName="LOCALHOST.").serverName, "localhost")
        self.assertEqual(ClientConfiguration(serverName="[::1]").serverName, "::1")

    def test_aCredentialThatHasExpired(self) -> None:
        past = datetime.now(timezone.utc) - timedelta(days=2)
        old = AUTHORITY.issue("client", role="client", now=past, days=1)
        with self.assertRaisesRegex(TLSFailure, "^expired: Our certificate"):
            client(credential=old)

    def test_aServersCredentialForClients(self) -> None:
        with self.assertRaisesRegex(TLSFailure, "^wrong-purpose"):
            server(credential=CLIENT)

    def test_aCipherThatDoesNotExist(self) -> None:
        with self.assertRaises(ValueError):
            client(ciphers="NO-SUCH-CIPHER")

    def test_aGroupThatDoesNotExist(self) -> None:
        with self.assertRaises(ValueError):
            client(groups=("no-such-group",))

    def test_noAuthorityAtAll(self) -> None:
        with self.assertRaises(ValueError):
            client(roots=())


class Certificates(SynchronousTestCase):
    def test_aHostileNameIsPrintedHarmlessly(self) -> None:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "evil\x1b[2J\r\n\u202e")])
        stranger = Authority.create().issue("x", role="client", subject=name)
        one, other = client(credential=stranger), server()
        pump(one, other)
        for text in (str(other.failure), repr(failureOf(other).toJSON())):
            self.assertTrue(text.isprintable(), text)
