"""Sessions: they are resumed, and nobody who would be refused now gets in by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from conversation import (
    AUTHORITY,
    CLIENT,
    ROOTS,
    SERVER,
    STRANGER,
    VERSIONS,
    Conversation,
    ConversationCase,
    Recorder,
    Side,
    clientConfiguration,
    later,
    serverConfiguration,
)
from hooks import OTHER, Asked, Slow, ended, everywhere
from ocspresponses import MUST_STAPLE, ocspResponse
from OpenSSL.crypto import X509
from rawclient import RawClient
from revoking import Lists
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import Configuration, ExternalContextConfiguration
from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation, Staple
from tlscomm.tls import State, TLSConnection, handshake
from tlscomm.transport import TLSFactory
from tlscomm.verification import accept, insecurelyAccept

AGAIN = AUTHORITY.issue("renewed", role="server", dnsNames=["localhost"])


def _denied(by: str) -> str:
    """Return what the other side calls access_denied: servers on GnuTLS send it for whatever they refuse."""
    return "not-allowed" if by == "client" else "refused"


class SessionCase(SynchronousTestCase):
    def configured(self, version: str, role: str = "", **settings: Any) -> tuple[Any, Any]:
        """Return a client's and a server's configuration; the settings are those of one side."""
        versions = {"minimumTLS": version, "maximumTLS": version}
        return (
            clientConfiguration(**versions, **(settings if role == "client" else {})),
            serverConfiguration(**versions, **(settings if role == "server" else {})),
        )

    def connected(self, client: Configuration, server: Configuration) -> tuple[TLSConnection, TLSConnection]:
        """Connect, end in order, and return both sides."""
        sides = handshake(client, server)
        for side in sides:
            self.assertIs(side.state, State.OPEN, repr(side.failure))
        ended(*sides)
        return sides

    def resumed(self, client: Configuration, server: Configuration) -> bool:
        """Connect, and return whether both say that a session was resumed."""
        one, other = self.connected(client, server)
        self.assertEqual(one.facts.resumed, other.facts.resumed)
        return one.facts.resumed

    def assertRefused(self, sides: tuple[TLSConnection, TLSConnection], by: str, code: str, heard: str = "") -> None:
        named = dict(zip(("client", "server"), sides, strict=True))
        ours, theirs = named[by].failure, named[OTHER[by]].failure
        assert ours is not None and theirs is not None, [side.state for side in sides]
        self.assertEqual((ours.code, ours.side), (code, "local"))
        self.assertEqual((theirs.code, theirs.side), (heard or code, "remote"))
        self.assertFalse(any(side.isAccepted for side in sides))


class Resumed(SessionCase):
    """A session is resumed, and nothing is lost by it."""

    def test_again(self) -> None:
        """Each connection brings a session for the next one."""
        for version in VERSIONS:
            client, server = self.configured(version)
            self.assertEqual([self.resumed(client, server) for _ in range(5)], [False, *[True] * 4])

    def test_whileAnotherIsOpen(self) -> None:
        """Under TLS 1.3 a session can be resumed while the connection that brought it goes on."""
        client, server = self.configured("1.3")
        first = handshake(client, server)
        self.assertTrue(self.resumed(client, server))
        self.assertIs(first[0].state, State.OPEN)

    def test_thePeer(self) -> None:
        """Both know the other's whole chain, with all of its names."""
        for version in VERSIONS:
            issuer = AUTHORITY.intermediate("between")
            client = clientConfiguration(credential=issuer.issue("client", role="client"), maximumTLS=version)
            server = serverConfiguration(
                credential=issuer.issue("localhost", role="server", dnsNames=["localhost"]), maximumTLS=version
            )
            firsts, seconds = self.connected(client, server), self.connected(client, server)
            for first, second in zip(firsts, seconds, strict=True):
                self.assertTrue(second.facts.resumed)
                assert first.peer is not None and second.peer is not None
                self.assertEqual(len(second.peer.chain), 3)
                self.assertEqual(second.peer.chain, first.peer.chain)
                self.assertEqual(second.peer, first.peer)

    def test_severalCredentials(self) -> None:
        """A server with several certificates resumes whichever it has shown."""
        for version in VERSIONS:
            other = AUTHORITY.issue("other", role="server", dnsNames=["other.example"])
            server = serverConfiguration(others=(other,), maximumTLS=version)
            for name in ("localhost", "other.example"):
                client = clientConfiguration(serverName=name, maximumTLS=version)
                self.assertEqual([self.resumed(client, server) for _ in range(3)], [False, True, True])

    def test_severalOfTheClient(self) -> None:
        """A client with several certificates resumes as whom it was."""
        for version in VERSIONS:
            client = clientConfiguration(others=(STRANGER.issue("x", role="client"),), maximumTLS=version)
            server = serverConfiguration()
            self.assertFalse(self.resumed(client, server))
            _, other = self.connected(client, server)
            assert other.peer is not None
            self.assertEqual((other.facts.resumed, other.peer.certificate), (True, CLIENT.certificate))

    def test_fewAreKept(self) -> None:
        """A client with a thousand connections keeps a handful of sessions."""
        client, server = self.configured("1.3")
        for sides in [handshake(client, server) for _ in range(20)]:
            ended(*sides)
        self.assertEqual(len(client._sessions._kept), 8)

    def test_off(self) -> None:
        """Where one side wants none there is none."""
        for version, role in everywhere():
            client, server = self.configured(version, role, resumption=False)
            self.assertEqual([self.resumed(client, server) for _ in range(3)], [False] * 3)

    def test_anotherConfiguration(self) -> None:
        """A session stays with the configuration that it comes from, on both sides."""
        for version, role in everywhere():
            client, server = self.configured(version)
            self.assertFalse(self.resumed(client, server))
            changed = {"client": client, "server": server}
            changed[role] = replace(changed[role], deadlines=changed[role].deadlines)
            self.assertFalse(self.resumed(changed["client"], changed["server"]))

    def test_anotherName(self) -> None:
        """Under TLS 1.2 a session is of one name (RFC 6066, section 3); the server knows which one is asked for."""
        names = ("one.example", "other.example")
        credential = AUTHORITY.issue("both", role="server", dnsNames=names)
        for version in VERSIONS:
            server = self.configured(version, "server", credential=credential)[1]
            one, other = (self.configured(version, "client", serverName=name)[0] for name in names)
            self.connected(one, server)
            # As a client would that keeps its sessions by address.
            other.__dict__["_context"] = one._context
            other._sessions._kept.extend(one._sessions._kept)
            sides = self.connected(other, server)
            self.assertEqual([side.facts.resumed for side in sides], [version == "1.3"] * 2)
            self.assertEqual(sides[1].facts.serverName, "other.example")

    def test_staple(self) -> None:
        """What the server has stapled is kept with the session: must-staple is satisfied by it."""
        for version in VERSIONS:
            credential = AUTHORITY.issue("localhost", role="server", dnsNames=["localhost"], extensions=[MUST_STAPLE])
            Path("staple.der").write_bytes(ocspResponse(AUTHORITY, credential.certificate))
            server = serverConfiguration(credential=credential, staple=Staple(["staple.der"]), maximumTLS=version)
            client = clientConfiguration(revocation=Revocation(mode="required"), maximumTLS=version)
            self.assertEqual([self.resumed(client, server) for _ in range(3)], [False, True, True])


class ReadAgain(SessionCase):
    """A configuration that takes the place of another while the server runs."""

    def test_oneCache(self) -> None:
        """It keeps its sessions where the former one has kept its own, so that those do not pile up."""
        for version in VERSIONS:
            _, former = self.configured(version)
            current = replace(former, applicationProtocols=(b"new",), credential=AGAIN)
            current.follow(former)
            self.assertIs(current._sessions, former._context)
            self.assertIsNot(current._context, former._context)
            third = replace(former)
            third.follow(current)
            self.assertIs(third._sessions, former._context)

    def test_resumed(self) -> None:
        """Its own sessions are resumed, and each connection has its own certificate and protocols."""
        for version in VERSIONS:
            client, former = self.configured(version, "client", applicationProtocols=(b"new",))
            current = replace(former, applicationProtocols=(b"new",), credential=AGAIN)
            current.follow(former)
            first, _ = self.connected(client, current)
            self.assertEqual((first.facts.resumed, first.facts.alpn), (False, "new"))
            assert first.peer is not None
            self.assertEqual(first.peer.certificate, AGAIN.certificate)
            second, _ = self.connected(client, current)
            self.assertTrue(second.facts.resumed)

    def test_notAcross(self) -> None:
        """A session of the former configuration is not resumed: the client is asked for its certificate again."""
        for version in VERSIONS:
            client, former = self.configured(version)
            current = replace(former)
            current.follow(former)
            self.connected(client, former)
            again, _ = self.connected(client, current)
            self.assertFalse(again.facts.resumed)
            self.assertTrue(self.connected(client, current)[0].facts.resumed)

    def test_otherShape(self) -> None:
        """Where versions, groups or the demand for certificates are others, it has a cache of its own."""
        _, former = self.configured("1.3")
        for change in (
            {"minimumTLS": "1.2"},
            {"groups": ("P-256",)},
            {"clientCertificates": "requested"},
            {"maximumDepth": 3},
            {"resumption": False},
        ):
            current = replace(former, **change)
            current.follow(former)
            self.assertIs(current._sessions, current._context)

    def test_factory(self) -> None:
        """A factory that is reconfigured does that while it has connections; without any the old cache is freed."""
        _, former = self.configured("1.3")
        factory = TLSFactory(former, Factory(), Clock())
        second, third = replace(former), replace(former)
        factory.reconfigure(second)
        self.assertIs(second._sessions, second._context)
        factory.buildProtocol(None)
        factory.reconfigure(third)
        self.assertIs(third._sessions, second._context)


class JudgedAgain(SessionCase):
    """Who would be refused now is refused, session or not, and hears why."""

    def test_revoked(self) -> None:
        """A client that was revoked after its first connection."""
        for version in VERSIONS:
            lists = Lists()
            client, server = self.configured(version, "server", revocation=lists.revocation)
            self.assertFalse(self.resumed(client, server))
            self.assertTrue(self.resumed(client, server))
            lists.publish(CLIENT)
            self.assertRefused(handshake(client, server), "server", "revoked")
            lists.publish()
            self.connected(client, server)

    def test_serverRevoked(self) -> None:
        """The session of a server that was revoked is not even offered: it could show a new certificate."""
        for version in VERSIONS:
            lists = Lists()
            client, server = self.configured(version, "client", revocation=lists.revocation)
            self.assertFalse(self.resumed(client, server))
            lists.publish(SERVER)
            sides = handshake(client, server)
            self.assertRefused(sides, "client", "revoked")
            self.assertFalse(sides[1].facts.resumed)
            renewed = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
            self.connected(client, serverConfiguration(credential=renewed, maximumTLS=version))

    def test_expired(self) -> None:
        """Certificates that have expired meanwhile, on either side."""
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        client = AUTHORITY.issue("client", role="client", notAfter=soon)
        server = AUTHORITY.issue("server", role="server", dnsNames=["localhost"], notAfter=soon)
        pairs = {}
        for version, role in everywhere():
            credential = {"client": client, "server": server}[OTHER[role]]
            pairs[version, role] = self.configured(version, OTHER[role], credential=credential)
            self.assertFalse(self.resumed(*pairs[version, role]))
            pairs[version, "foreign"] = (self.configured(version, "client", credential=client)[0], foreign())
            self.assertFalse(self.resumed(*pairs[version, "foreign"]))
        later(self, timedelta(hours=2))
        for (_, role), pair in pairs.items():
            if role == "foreign":
                # There OpenSSL decides, by its own clock.
                pair[1].creator.getContext().get_cert_store().set_time(soon + timedelta(hours=1))
            self.assertRefused(handshake(*pair), "server" if role == "foreign" else role, "expired")

    def test_hook(self) -> None:
        """The hook is asked again, once, and told that this is a resumption; it knows the peer and may refuse."""
        for version, role in everywhere():
            hook = Asked()
            pair = self.configured(version, role, hook=hook)
            self.assertEqual([self.resumed(*pair) for _ in range(3)], [False, True, True])
            self.assertEqual([question.resumed for question in hook.questions], [False, True, True])
            self.assertEqual(len({question.peer for question in hook.questions}), 1)
            hook._answer = False
            self.assertRefused(handshake(*pair), role, "refused-by-hook", _denied(role))
            self.assertEqual(len(hook.questions), 4)

    def test_overruled(self) -> None:
        """What a hook overrules it is asked about each time, in a handshake in full."""
        for version, role in everywhere():
            lists = Lists()
            hook = Asked(accept("revoked"))
            pair = self.configured(version, role, hook=hook, revocation=lists.revocation)
            self.assertFalse(self.resumed(*pair))
            lists.publish({"client": CLIENT, "server": SERVER}[OTHER[role]])
            self.assertEqual([self.resumed(*pair) for _ in range(2)], [False, False])
            self.assertEqual([len(question.problems) for question in hook.questions], [0, 1, 1])

    def test_afterARetry(self) -> None:
        """A client that has heard a HelloRetryRequest cannot start over, so an alert says why."""
        lists = Lists()
        client = clientConfiguration(groups=("X25519", "P-256"))
        server = serverConfiguration(groups=("P-256",), revocation=lists.revocation)
        self.assertEqual([self.resumed(client, server) for _ in range(2)], [False, True])
        lists.publish(CLIENT)
        self.assertRefused(handshake(client, server), "server", "revoked")

    def test_byteByByte(self) -> None:
        """To start over takes the whole first message, however it came."""
        for version in VERSIONS:
            lists = Lists()
            client, server = self.configured(version, "server", revocation=lists.revocation)
            self.connected(client, server)
            lists.publish(CLIENT)
            one, other = TLSConnection(client), TLSConnection(server)
            one.start()
            while flight := one.outgoing():
                for byte in flight:
                    other.receive(bytes((byte,)))
                one.receive(other.outgoing())
            self.assertRefused((one, other), "server", "revoked")

    def test_aForeignContext(self) -> None:
        """An external context gives sessions away as tickets; who is refused starts over once, not for ever."""
        for version in VERSIONS:
            server = foreign()
            client = clientConfiguration(maximumTLS=version)
            self.assertEqual([self.resumed(client, server) for _ in range(2)], [False, True])
            access = AccessRules.parse(deny=["cn=client"])
            server.__dict__["verifier"] = replace(server.verifier, access=access)
            self.assertRefused(handshake(client, server), "server", "not-allowed", "refused")


def foreign() -> ExternalContextConfiguration:
    """A server with a user's own options, which give sessions away as tickets."""
    options = CertificateOptions(
        privateKey=SERVER.privateKey,
        certificate=SERVER.certificate,
        trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))]),
        enableSessions=True,
        enableSessionTickets=True,
    )
    return ExternalContextConfiguration(creator=options)


class Hostile(SessionCase):
    """Clients that make of sessions what they can."""

    def server(self, version: str, **settings: Any) -> Callable[[], TLSConnection]:
        configuration = serverConfiguration(minimumTLS=version, maximumTLS=version, **settings)
        return lambda: TLSConnection(configuration)

    def test_renewed(self) -> None:
        """A client with a new certificate and a session of its old one, which is revoked, comes in by the new one."""
        for version in VERSIONS:
            lists = Lists()
            server, client = self.server(version, revocation=lists.revocation), RawClient(version)
            first = server()
            session = client.shake(first, CLIENT)
            client.finish(first)
            lists.publish(CLIENT)
            renewed = AUTHORITY.issue("renewed", role="client")
            second = server()
            client.shake(second, renewed, session)
            self.assertIs(second.state, State.OPEN, repr(second.failure))
            assert second.peer is not None
            self.assertEqual((second.facts.resumed, second.peer.certificate), (False, renewed.certificate))

    def test_refusedPeersLeaveNothing(self) -> None:
        """A session of a client that was refused cannot be resumed, whoever refused it, for whatever reason."""
        old = datetime.now(timezone.utc) - timedelta(days=3)
        refused: list[tuple[Credential | None, dict[str, Any]]] = [
            (CLIENT, {"access": AccessRules.parse(allow=["cn=nobody"])}),
            (STRANGER.issue("client", role="client"), {}),
            (AUTHORITY.issue("old", role="client", notBefore=old, notAfter=old + timedelta(days=1)), {}),
            (AUTHORITY.issue("server", role="server"), {}),
            (None, {"clientCertificates": "requested"}),
            (CLIENT, {}),
        ]
        for version in VERSIONS:
            for credential, settings in refused:
                hook = Asked(False)
                server, client = self.server(version, hook=hook, **settings), RawClient(version)
                first = server()
                session = client.shake(first, credential)
                self.assertIs(first.state, State.FAILED)
                hook._answer = insecurelyAccept()
                second = server()
                client.shake(second, credential, session)
                self.assertIs(second.state, State.OPEN, repr(second.failure))
                self.assertEqual([question.resumed for question in hook.questions], [False, False])
                self.assertFalse(second.facts.resumed)

    def test_manyCertificates(self) -> None:
        """A client that sends more certificates than anybody needs is served, and leaves no session to be kept."""
        more = tuple(Authority.create(f"authority {number}").certificate for number in range(60))
        for version in VERSIONS:
            large = Credential(CLIENT.certificate, more, CLIENT.privateKey)
            client = clientConfiguration(credential=large, maximumTLS=version)
            server = serverConfiguration()
            self.assertEqual([self.resumed(client, server) for _ in range(2)], [False, False])
            other = clientConfiguration(maximumTLS=version)
            self.assertEqual([self.resumed(other, server) for _ in range(2)], [False, True])

    def test_withoutAHook(self) -> None:
        """The same where OpenSSL itself ends the handshake."""
        for version in VERSIONS:
            lists = Lists()
            server, client = self.server(version, revocation=lists.revocation), RawClient(version)
            lists.publish(CLIENT)
            session = client.shake(server(), CLIENT)
            lists.publish()
            second = server()
            client.shake(second, CLIENT, session)
            self.assertIs(second.state, State.OPEN, repr(second.failure))
            self.assertFalse(second.facts.resumed)

    def test_anotherCertificateAfterARetry(self) -> None:
        """A client that offers a session, and after a HelloRetryRequest none, is judged by what it shows then."""
        hook = Asked()
        client = RawClient(groups=("X25519", "P-256"))
        server = self.server("1.3", groups=("P-256",), hook=hook)
        first = server()
        session = client.shake(first, CLIENT)
        client.finish(first)
        olderServer = self.server("1.2")()
        older = client.shake(olderServer, CLIENT)
        client.finish(olderServer)
        second = server()
        second.receive(client.begin(STRANGER.issue("client", role="client"), session))
        client.connection.set_session(older)
        flight = client.answer(second.outgoing())
        while flight:
            second.receive(flight)
            flight = client.answer(second.outgoing())
        assert second.failure is not None
        self.assertEqual(second.failure.code, "unknown-issuer")


class Waiting(ConversationCase):
    """A hook that takes its time about somebody who resumes a session."""

    def ended(self, version: str, role: str, hook: Any) -> tuple[Any, Any]:
        """Have a connection, end it in order, and return both configurations."""
        conversation = self.conversation(version, **{role: {"hook": hook}})
        conversation.flush()
        hook.answer()
        conversation.flush()
        conversation.client.transport.loseConnection()
        conversation.flush()
        self.assertCodes(conversation, None, None)
        return conversation.client.factory.configuration, conversation.server.factory.configuration

    def again(self, version: str, role: str, hook: Any) -> Any:
        clock = Clock()
        client, server = (Side(each, Recorder, clock) for each in self.ended(version, role, hook))
        conversation = Conversation(client, server, clock)
        conversation.flush()
        self.assertEqual([question.resumed for question in hook.questions], [False, True])
        self.assertEqual((client.events, server.events), ([], []))
        self.assertEqual(getattr(conversation.link, role).written, b"")
        self.assertIs(getattr(conversation, role).transport._connection.state, State.PENDING)
        return conversation

    def test_accepted(self) -> None:
        """Nothing leaves before it has answered, not even a ServerHello; then the session is resumed."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.again(version, role, hook)
            if role == "server":
                state = conversation.client.transport._connection.handle.get_state_string()
                self.assertEqual(state, b"SSLv3/TLS write client hello")
            hook.answer()
            conversation.flush()
            self.assertEqual(conversation.server.events, ["built", "accepted", "made"])
            self.assertTrue(conversation.client.transport.tls.resumed)
            self.assertTrue(conversation.server.transport.tls.resumed)

    def test_refused(self) -> None:
        """A refusal is heard, and named."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.again(version, role, hook)
            hook.answer(False)
            conversation.advance(1.1)
            self.assertEqual(getattr(conversation, role).failure.code, "refused-by-hook")
            self.assertEqual(getattr(conversation, OTHER[role]).failure.code, _denied(role))
