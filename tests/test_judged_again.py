"""Open connections are judged again: who would be refused now is put out, by that name and in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
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
    HalfCloseable,
    Recorder,
    Side,
    clientConfiguration,
    later,
    serverConfiguration,
)
from hooks import OTHER, Asked, Slow, everywhere
from OpenSSL import SSL
from OpenSSL.crypto import X509
from revoking import Lists
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import ExternalContextConfiguration, insecurelyPresenting
from tlscomm.transport._revalidation import Revalidation
from tlscomm.verification import accept

#: Seconds between two rounds.
ROUND = 30.0

PEERS = {"client": CLIENT, "server": SERVER}


class JudgedCase(ConversationCase):
    def judging(self, version: str, role: str = "server", **settings: Any) -> Conversation:
        """Return an open connection of which one side judges the other again."""
        settings[role] = {"revalidation": True, **settings.get(role, {})}
        conversation = self.opened(version, **settings)
        self.assertIn("made", getattr(conversation, role).events)
        return conversation

    def reconfigure(self, conversation: Conversation, role: str, **changes: Any) -> None:
        factory = getattr(conversation, role).factory
        factory.reconfigure(replace(factory.configuration, **changes))
        conversation.flush()

    def assertPutOut(self, conversation: Conversation, role: str, code: str) -> None:
        """The side with this role has ended the connection by this name, and the other one saw it end in order.

        For a client that has received nothing yet that is a refusal.
        """
        hasHeard = conversation.client.received or conversation.clock.seconds() > 4
        heard = {"client": None if hasHeard else "refused", "server": None, role: code}
        self.assertCodes(conversation, heard["client"], heard["server"])
        side = getattr(conversation, role)
        self.assertEqual((side.failure.side, side.failure.stage), ("local", "authorization"))
        self.assertEqual(side.events[-2:], ["closed", "lost"])
        assert side.failure.peer is not None


class Causes(JudgedCase):
    """What can change."""

    def test_rules(self) -> None:
        for version, role in everywhere():
            conversation = self.judging(version, role)
            self.reconfigure(conversation, role, access=AccessRules.parse(allow=[f"cn={OTHER[role]}"]))
            self.assertEqual(getattr(conversation, role).failures, [])
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            self.assertPutOut(conversation, role, "not-allowed")

    def test_roots(self) -> None:
        for version, role in everywhere():
            conversation = self.judging(version, role)
            name = "clientRoots" if role == "server" else "roots"
            self.reconfigure(conversation, role, **{name: (*ROOTS, STRANGER.certificate)})
            self.assertEqual(getattr(conversation, role).failures, [])
            self.reconfigure(conversation, role, **{name: (STRANGER.certificate,)})
            self.assertPutOut(conversation, role, "unknown-issuer")

    def test_serverName(self) -> None:
        for version in VERSIONS:
            conversation = self.judging(version, "client")
            self.reconfigure(conversation, "client", serverName="other.example")
            self.assertPutOut(conversation, "client", "name-mismatch")

    def test_lists(self) -> None:
        """A list that is read again ends the connections of whom it names, without a wait for the next round."""
        for version, role in everywhere():
            lists = Lists()
            conversation = self.judging(version, role, **{role: {"revocation": lists.revocation}})
            factory = getattr(conversation, role).factory
            factory.doStart()
            lists.revoke(PEERS[OTHER[role]])
            conversation.advance(6)
            factory.doStop()
            self.assertPutOut(conversation, role, "revoked")

    def test_listsByHand(self) -> None:
        """The same where the program has them read again itself."""
        lists = Lists()
        conversation = self.judging("1.3", server={"revocation": lists.revocation})
        factory = conversation.server.factory
        factory.doStart()
        lists.publish(CLIENT)
        conversation.flush()
        factory.doStop()
        self.assertPutOut(conversation, "server", "revoked")

    def test_expired(self) -> None:
        """A certificate that expires is noticed by the next round, under an external context as well."""
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        client = AUTHORITY.issue("client", role="client", notAfter=soon)
        server = AUTHORITY.issue("server", role="server", dnsNames=["localhost"], notAfter=soon)
        conversations = []
        for version, role in everywhere():
            other = {"credential": {"client": client, "server": server}[OTHER[role]]}
            conversations.append((role, self.judging(version, role, **{OTHER[role]: other})))
        clock = Clock()
        foreign = Side(ExternalContextConfiguration(creator=options()), Recorder, clock)
        conversations.append(("server", self.conversation(client={"credential": client}, server=foreign, clock=clock)))
        conversations[-1][1].flush()
        later(self, timedelta(hours=2))
        for role, conversation in conversations:
            self.assertEqual(getattr(conversation, role).failures, [])
            conversation.clock.advance(ROUND)
            conversation.flush()
            self.assertPutOut(conversation, role, "expired")

    def test_resumed(self) -> None:
        """Who has resumed a session is judged by the certificate of then."""
        for version, role in everywhere():
            first = self.judging(version, role)
            first.client.transport.loseConnection()
            first.flush()
            clock = Clock()
            sides = (Side(each.factory.configuration, Recorder, clock) for each in (first.client, first.server))
            again = Conversation(*sides, clock)
            again.flush()
            self.assertTrue(again.server.transport.tls.resumed)
            self.reconfigure(again, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            self.assertPutOut(again, role, "not-allowed")

    def test_inTheHandshake(self) -> None:
        """Who is in the middle of a handshake when the rules change is judged by the new ones when it is done."""
        for version, role in everywhere():
            conversation = self.conversation(version, **{role: {"revalidation": True}})
            conversation.link.toServer()
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            self.assertPutOut(conversation, role, "not-allowed")

    def test_whileAHookWasAsked(self) -> None:
        """What has changed while a hook was thinking counts as soon as it has accepted."""
        for version, role in everywhere():
            hook = Slow()
            conversation = self.conversation(version, **{role: {"hook": hook, "revalidation": True}})
            conversation.flush()
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            hook.answer()
            conversation.flush()
            self.assertPutOut(conversation, role, "not-allowed")

    def test_expiredWhileAHookWasAsked(self) -> None:
        """So does what time alone has changed: the verdict is as old as the question to the hook."""
        soon = datetime.now(timezone.utc) + timedelta(hours=1)
        client = AUTHORITY.issue("client", role="client", notAfter=soon)
        server = AUTHORITY.issue("server", role="server", dnsNames=["localhost"], notAfter=soon)
        waiting = []
        for version, role in everywhere():
            hook = Slow()
            other = {"credential": {"client": client, "server": server}[OTHER[role]]}
            settings = {role: {"hook": hook, "revalidation": True}, OTHER[role]: other}
            conversation = self.conversation(version, **settings)
            conversation.flush()
            waiting.append((role, hook, conversation))
        later(self, timedelta(hours=2))
        for role, hook, conversation in waiting:
            hook.answer()
            conversation.flush()
            self.assertPutOut(conversation, role, "expired")


class Effects(JudgedCase):
    """Who stays, and how the others go."""

    def test_nothingHasChanged(self) -> None:
        for version, role in everywhere():
            conversation = self.judging(version, role)
            conversation.clock.pump([ROUND / 2] * 20)
            conversation.flush()
            self.assertEqual(conversation.client.failures + conversation.server.failures, [])

    def test_overruled(self) -> None:
        """What a hook has overruled stays overruled, and nothing else does; the hook is not asked again."""
        for version, role in everywhere():
            lists = Lists()
            lists.publish(PEERS[OTHER[role]])
            hook = Asked(accept("revoked"))
            conversation = self.judging(version, role, **{role: {"revocation": lists.revocation, "hook": hook}})
            conversation.clock.pump([ROUND] * 3)
            conversation.flush()
            self.assertEqual(getattr(conversation, role).failures, [])
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            self.assertPutOut(conversation, role, "not-allowed")
            self.assertEqual(len(hook.questions), 1)

    def test_whatWasWritten(self) -> None:
        """What was written before arrives before the end."""
        for version, role in everywhere():
            conversation = self.judging(version, role)
            getattr(conversation, role).transport.write(b"last words")
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            self.assertEqual(getattr(conversation, OTHER[role]).received, b"last words")
            self.assertPutOut(conversation, role, "not-allowed")

    def test_aProtocolThatGoesOn(self) -> None:
        """A peer's protocol that keeps its half open is cut after the close deadline."""
        conversation = self.judging("1.3", clientProtocol=HalfCloseable)
        self.reconfigure(conversation, "server", access=AccessRules.parse(deny=["cn=client"]))
        conversation.advance(5.1)
        self.assertEqual(conversation.server.failure.code, "not-allowed")
        self.assertFalse(conversation.link.server.connected)

    def test_withoutACertificate(self) -> None:
        """Who has shown no certificate, and need not, stays."""
        for version in VERSIONS:
            conversation = self.judging(
                version, client={"credential": None}, server={"clientCertificates": "requested"}
            )
            self.reconfigure(conversation, "server", clientRoots=(STRANGER.certificate,))
            conversation.clock.pump([ROUND] * 2)
            conversation.flush()
            self.assertEqual(conversation.server.failures, [])

    def test_notWanted(self) -> None:
        """Where it is not wanted nothing is judged, and no timer runs."""
        for version, role in everywhere():
            conversation = self.judging(version, role, **{role: {"revalidation": False}})
            conversation.advance(6)
            self.assertEqual(conversation.clock.getDelayedCalls(), [])
            self.reconfigure(conversation, role, access=AccessRules.parse(deny=[f"cn={OTHER[role]}"]))
            getattr(conversation, role).factory.revalidate()
            conversation.flush()
            self.assertEqual(getattr(conversation, role).failures, [])

    def test_notWantedAnyMore(self) -> None:
        """A configuration that does not want it ends the rounds of the one before, and one that does begins them."""
        conversation = self.judging("1.3")
        conversation.advance(6)
        self.reconfigure(conversation, "server", revalidation=False)
        self.assertEqual(conversation.clock.getDelayedCalls(), [])
        self.reconfigure(conversation, "server", revalidation=True)
        self.assertEqual(len(conversation.clock.getDelayedCalls()), 1)

    def test_theOtherSide(self) -> None:
        """A server's factory does not become a client's."""
        conversation = self.judging("1.3")
        with self.assertRaises(TypeError):
            conversation.server.factory.reconfigure(clientConfiguration())

    def test_foreignToOwn(self) -> None:
        """Who was let in by an external context is judged by the authorities that are named afterwards."""
        for version in VERSIONS:
            clock = Clock()
            foreign = Side(ExternalContextConfiguration(creator=options()), Recorder, clock)
            conversation = self.conversation(version, server=foreign, clock=clock)
            conversation.flush()
            foreign.factory.reconfigure(serverConfiguration(revalidation=True))
            conversation.flush()
            self.assertEqual(foreign.failures, [])
            foreign.factory.reconfigure(serverConfiguration(revalidation=True, clientRoots=(STRANGER.certificate,)))
            conversation.flush()
            self.assertPutOut(conversation, "server", "unknown-issuer")

    def test_theirCallback(self) -> None:
        """What a callback of an external context lets pass stays passed."""
        old = datetime.now(timezone.utc) - timedelta(days=3)
        credential = AUTHORITY.issue("client", role="client", notBefore=old, notAfter=old + timedelta(days=1))
        clock, creator = Clock(), options()
        creator.getContext().set_verify(SSL.VERIFY_PEER, lambda *_: True)
        client = Side(insecurelyPresenting(clientConfiguration(), credential), Recorder, clock)
        server = Side(ExternalContextConfiguration(creator=creator), Recorder, clock)
        conversation = self.conversation(client=client, server=server, clock=clock)
        conversation.flush()
        clock.pump([ROUND] * 2)
        conversation.flush()
        self.assertEqual((server.events, server.failures), (["built", "accepted", "made"], []))

    def test_ownToForeign(self) -> None:
        """An external context is taken at its word about new connections, and puts nobody out."""
        conversation = self.judging("1.3")
        conversation.server.factory.reconfigure(ExternalContextConfiguration(creator=options()))
        conversation.flush()
        self.assertEqual(conversation.server.failures, [])


def options() -> CertificateOptions:
    """A user's own options for a server."""
    return CertificateOptions(
        privateKey=SERVER.privateKey,
        certificate=SERVER.certificate,
        trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))]),
    )


class Many(JudgedCase):
    def test_all(self) -> None:
        """All connections of a factory are judged, whatever becomes of those before them, and nothing is left."""
        clock = Clock()
        server = Side(serverConfiguration(revalidation=True), Recorder, clock)
        server.factory.forget(server.transport)
        configuration = clientConfiguration()
        conversations = []
        for _ in range(120):
            client = Side(configuration, Recorder, clock)
            conversation = Conversation(client, server.factory.buildProtocol(None), clock)
            conversation.link.flush()
            conversations.append(conversation)
        self.assertEqual(server.events.count("made"), 120)
        server.factory.reconfigure(replace(server.factory.configuration, access=AccessRules.parse(deny=["cn=client"])))
        clock.advance(0)
        for conversation in conversations:
            conversation.flush()
        self.assertEqual([each.code for each in server.failures if each], ["not-allowed"] * 120)
        self.assertEqual((server.factory.connections, clock.getDelayedCalls()), (set(), []))


class Turns(Clock):
    """Does what is to be done at once in the next turn, as reactors do, each of which takes a moment."""

    _MOMENT = 1e-6

    def callLater(self, when: float, *rest: Any, **more: Any) -> Any:
        return super().callLater(max(when, self._MOMENT), *rest, **more)

    def turn(self, times: int = 1) -> None:
        self.pump([self._MOMENT] * times)


class RoundsTests(SynchronousTestCase):
    """When who is judged, and how many at a time."""

    def setUp(self) -> None:
        self.clock = Turns()
        self.connections: set[Any] = set(range(10_000))
        self.judged: list[Any] = []
        self.rounds = Revalidation(self.clock, self.connections, self.judged.append)

    def test_slices(self) -> None:
        """Ten thousand are judged a few in each turn of the reactor, each once."""
        self.rounds.begin()
        turns = 1
        while len(self.judged) < 10_000:
            before = len(self.judged)
            self.clock.turn()
            self.assertLessEqual(len(self.judged) - before, 50)
            turns += 1
        self.assertGreaterEqual(turns, 200)
        self.assertEqual(set(self.judged), self.connections)
        self.assertEqual(len(self.judged), 10_000)

    def test_interval(self) -> None:
        """The next round begins half a minute after the last one, and the first as long after the first connection."""
        self.rounds.watch()
        self.rounds.watch()
        self.clock.advance(ROUND - 0.1)
        self.assertEqual(self.judged, [])
        self.clock.advance(0.1)
        self.clock.turn(200)
        self.assertEqual(len(self.judged), 10_000)
        self.clock.advance(ROUND - 0.1)
        self.assertEqual(len(self.judged), 10_000)
        self.clock.advance(0.2)
        self.assertEqual(len(self.judged), 10_050)

    def test_changesWithoutEnd(self) -> None:
        """Where something changes at each moment all are judged, again and again."""
        for _ in range(400):
            self.rounds.begin()
        self.assertEqual(len(self.judged), 20_000)
        self.assertEqual(set(self.judged), self.connections)

    def test_anew(self) -> None:
        """A change in the middle of a round makes it judge those again that it has passed by."""
        self.rounds.begin()
        self.clock.turn()
        self.rounds.begin()
        self.clock.turn(200)
        self.assertEqual(len(self.judged), 10_100)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_stop(self) -> None:
        """When the last connection is gone no timer is left, in the middle of a round as well."""
        self.rounds.begin()
        self.rounds.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.rounds.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.rounds.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_goneAtOnce(self) -> None:
        """When the last one goes while it is judged no timer is left either."""
        rounds = Revalidation(self.clock, self.connections, lambda _: rounds.stop())
        rounds.begin()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aBrokenJudge(self) -> None:
        """What breaks for one connection does not end the round for the others."""

        def judge(connection: int) -> None:
            self.judged.append(connection)
            if connection == 7:
                raise ZeroDivisionError

        self.connections.intersection_update(range(120))
        rounds = Revalidation(self.clock, self.connections, judge)
        with self.assertRaises(ZeroDivisionError):
            rounds.begin()
        self.clock.turn(5)
        self.assertEqual(len(self.judged), 120)
