"""Peers and hooks that do what no honest one does, and get nothing by it: no acceptance, no session, no memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
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
    serverConfiguration,
)
from cryptography import x509
from hooks import Asked, Slow, everywhere
from OpenSSL import SSL
from OpenSSL.crypto import X509
from rawclient import RawClient
from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import Configuration, ExternalContextConfiguration
from tlscomm.tls import State, TLSConnection, handshake, pump
from tlscomm.verification import Answer, insecurelyAccept, refuse
from tlscomm.x509._remembering import remembering

#: A certificate of some 20 KiB.
LARGE = AUTHORITY.issue("large", role="client", dnsNames=[f"{'x' * 50}.{number}.example.com" for number in range(300)])


class Unspeakable(Exception):
    """It cannot be put into words."""

    def __str__(self) -> str:
        raise ZeroDivisionError


class Broken(Answer):
    """An answer that raises when it is looked at."""

    def leaves(self, problems: Any) -> Any:
        raise ZeroDivisionError


class Silent:
    """No answer, and nothing that could be printed."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


def versioned(version: str, **settings: Any) -> dict[str, Any]:
    return {"minimumTLS": version, "maximumTLS": version, **settings}


def pair(version: str, role: str, hook: Any) -> tuple[TLSConnection, TLSConnection]:
    """Return a client and a server that have said nothing yet; the side with this role asks the hook."""
    configurations: dict[str, Callable[..., Configuration]]
    configurations = {"client": clientConfiguration, "server": serverConfiguration}
    one, other = (
        TLSConnection(configure(**versioned(version, **({"hook": hook} if each == role else {}))))
        for each, configure in configurations.items()
    )
    return one, other


class BrokenHooks(ConversationCase):
    """Whatever a hook does that it should not do refuses, and the peer hears nothing that could mean acceptance."""

    def test_whatCannotBeLookedAt(self) -> None:
        for version, role in everywhere():
            for answer in (Unspeakable(), Silent(), Broken(), refuse(5), GeneratorExit()):  # type: ignore[arg-type]
                sides = dict(zip(("client", "server"), pair(version, role, Asked(answer)), strict=True))
                sides["client"].start()
                pump(sides["client"], sides["server"])
                failure = sides[role].failure
                assert failure is not None, answer.__class__
                self.assertEqual((failure.code, failure.side), ("hook-failed", "local"))
                self.assertEqual([side.isAccepted for side in sides.values()], [False, False])

    def test_theSameInADeferred(self) -> None:
        """A hook that took its time is no different: nobody waits for its deadline."""
        for version, role in everywhere():
            for answer in (Silent(), Broken(), refuse(5)):  # type: ignore[arg-type]
                hook = Slow()
                conversation = self.conversation(version, **{role: {"hook": hook}})
                conversation.flush()
                hook.answer(answer)
                conversation.flush()
                self.assertEqual(len(self.flushLoggedErrors()), 1)
                conversation.advance(1.1)
                self.assertEqual(getattr(conversation, role).failure.code, "hook-failed")
                self.assertOver(conversation)

    def test_interrupted(self) -> None:
        """Who stops the program meanwhile stops it, and has accepted nobody."""
        for version, role in everywhere():
            for interruption in (KeyboardInterrupt, SystemExit):
                sides = dict(zip(("client", "server"), pair(version, role, Asked(interruption())), strict=True))
                sides["client"].start()
                with self.assertRaises(interruption):
                    pump(sides["client"], sides["server"])
                pump(sides["client"], sides["server"])
                self.assertIs(sides[role].state, State.FAILED)
                self.assertFalse(sides["server"].isAccepted)

    def test_whoEndsItHimself(self) -> None:
        """A connection that a hook has ended is not revived by what it answers."""
        for version, role in everywhere():
            for answer in (True, Deferred()):
                sides: dict[str, TLSConnection] = {}

                def hook(_: object, sides: Any = sides, role: str = role, answer: Any = answer) -> Any:
                    sides[role].timeOut()
                    return answer

                sides.update(zip(("client", "server"), pair(version, role, hook), strict=True))
                sides["client"].start()
                pump(sides["client"], sides["server"])
                sides[role].answer(True)
                self.assertIs(sides[role].state, State.FAILED)
                self.assertFalse(sides[role].isAccepted)
                self.assertEqual(sides[role].outgoing(), b"")


class WhileAHookIsAsked(SynchronousTestCase):
    """A peer that a hook has yet to decide on."""

    def asked(self, version: str, role: str) -> tuple[TLSConnection, TLSConnection]:
        """Return the side that asks a hook, and its peer."""
        sides = pair(version, role, Slow())
        sides[0].start()
        pump(*sides)
        return sides if role == "client" else sides[::-1]

    def test_endsSendNothing(self) -> None:
        """However it ends, what was held never leaves."""
        ends: tuple[Callable[[TLSConnection], object], ...] = (
            TLSConnection.receiveEnd,
            TLSConnection.timeOut,
            lambda side: side.receiveReset("cut"),
        )
        for version, role in everywhere():
            for end in ends:
                ours, peer = self.asked(version, role)
                self.assertIs(ours.state, State.PENDING)
                end(ours)
                self.assertEqual((ours.state, ours.outgoing()), (State.FAILED, b""))
                self.assertFalse(peer.isAccepted)

    def test_endsLeaveNoSession(self) -> None:
        """A client that goes away before the answer cannot resume the session, which it knows under TLS 1.2."""
        for version in VERSIONS:
            hook = Slow()
            configuration, client = serverConfiguration(**versioned(version, hook=hook)), RawClient(version)
            first, second = TLSConnection(configuration), TLSConnection(configuration)
            session = client.shake(first, CLIENT)
            first.receiveEnd()
            client.shake(second, CLIENT, session)
            self.assertEqual([question.resumed for question in hook.questions], [False, False])

    def test_theSecretIsForgotten(self) -> None:
        """What a refusal would have been sealed with is not kept for longer than it can be needed."""
        for role in ("client", "server"):
            ours, _ = self.asked("1.3", role)
            self.assertIsNotNone(ours._channel.secret)
            ours.answer(False)
            self.assertIsNone(ours._channel.secret)
            ours, _ = self.asked("1.3", role)
            ours.release()
            self.assertIsNone(ours._channel.secret)

    def test_theSecretOfAnAcceptedConnectionIsForgotten(self) -> None:
        """It is the key to the first bytes of the connection, and nothing is refused any more."""
        for role in ("client", "server"):
            ours, peer = self.asked("1.3", role)
            ours.answer(True)
            pump(ours, peer)
            for side in (ours, peer):
                self.assertTrue(side.isAccepted)
                self.assertIsNone(side._channel.secret)

    def test_whatItSendsIsBounded(self) -> None:
        """A peer whose transport cannot be paused fills no memory."""
        for version, role in everywhere():
            ours, _ = self.asked(version, role)
            for _ in range(100):
                ours.receive(bytes(1 << 16))
            assert ours.failure is not None
            self.assertEqual((ours.failure.code, ours.failure.side), ("protocol-violation", "remote"))
            self.assertLess(ours._channel.waiting, 1 << 21)
            self.assertEqual(ours.outgoing(), b"")


class Drawn(ConversationCase):
    """A client that draws out its handshake until it would be refused."""

    def test_rulesChange(self) -> None:
        """What has changed since the handshake began counts as soon as it is over."""
        for version in VERSIONS:
            conversation = self.conversation(version, server={"revalidation": True})
            conversation.link.toServer()
            conversation.link.toClient()
            factory = conversation.server.factory
            denying = AccessRules.parse(deny=["cn=client"])
            factory.reconfigure(serverConfiguration(revalidation=True, access=denying))
            conversation.flush()
            self.assertEqual(conversation.server.failure.code, "not-allowed")
            self.assertOver(conversation)


class Tickets(SynchronousTestCase):
    """Sessions that an external context gives away under TLS 1.2, where it is settled at the first hello."""

    def test_overruledOnce(self) -> None:
        """A stranger whom a hook let in once is no less a stranger when it resumes the session."""
        root = trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))])
        options = CertificateOptions(
            privateKey=SERVER.privateKey,
            certificate=SERVER.certificate,
            trustRoot=root,
            enableSessions=True,
            enableSessionTickets=True,
        )
        stranger = STRANGER.issue("client", role="client")
        for version in VERSIONS:
            hook = Asked(insecurelyAccept())
            configuration, client = ExternalContextConfiguration(creator=options, hook=hook), RawClient(version)
            first, second = TLSConnection(configuration), TLSConnection(configuration)
            session = client.shake(first, stranger)
            client.finish(first)
            self.assertTrue(first.isAccepted)
            hook._answer = True
            client.shake(second, stranger, session)
            self.assertIs(second.state, State.FAILED)
            self.assertTrue(hook.questions[-1].problems)
            self.assertFalse(hook.questions[-1].resumed)


class Anonymous(ConversationCase):
    """Cipher suites without certificates, in an external context."""

    def test_aServerThatInsists(self) -> None:
        """A client is asked for its certificate all the same, and nobody is let in without one."""
        root = trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))])
        options = CertificateOptions(privateKey=SERVER.privateKey, certificate=SERVER.certificate, trustRoot=root)
        context = options.getContext()
        context.set_cipher_list(b"aNULL:@SECLEVEL=0")
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        client = RawClient("1.2")
        client._context.set_cipher_list(b"aNULL:@SECLEVEL=0")
        server = TLSConnection(ExternalContextConfiguration(creator=options))
        client.shake(server)
        self.assertEqual((server.state, server.isAccepted), (State.FAILED, False))

    def test_aContextThatAsksForNone(self) -> None:
        """A hook on top of an external context has its say there too, about a client that has shown nothing."""
        for version in VERSIONS:
            for answer, state in ((False, State.FAILED), (True, State.OPEN)):
                options = CertificateOptions(privateKey=SERVER.privateKey, certificate=SERVER.certificate)
                hook = Asked(answer)
                server = ExternalContextConfiguration(creator=options, hook=hook)
                sides = handshake(clientConfiguration(**versioned(version)), server)
                self.assertIs(sides[1].state, state)
                self.assertEqual(hook.question.chain, ())

    def test_certificatesAreRequiredNow(self) -> None:
        """Who came in without a certificate is put out when the server begins to insist on one."""
        for version in VERSIONS:
            settings = {"revalidation": True, "clientCertificates": "requested"}
            conversation = self.opened(version, client={"credential": None}, server=settings)
            conversation.server.factory.reconfigure(serverConfiguration(revalidation=True))
            conversation.flush()
            self.assertCodes(conversation, "no-certificate", "no-certificate")


class Memory(SynchronousTestCase):
    """What peers send is not kept beyond measure."""

    def test_largeSessions(self) -> None:
        """A client that sends a lot of certificates is let in, and shakes hands in full each time."""
        for version in VERSIONS:
            configuration, client = serverConfiguration(**versioned(version)), RawClient(version)
            client._context.add_extra_chain_cert(LARGE.certificate)
            session = None
            for _ in range(2):
                server = TLSConnection(configuration)
                session = client.shake(server, CLIENT, session)
                self.assertIs(server.state, State.OPEN, repr(server.failure))
                self.assertFalse(server.facts.resumed)
                client.finish(server)

    def test_itStillHearsOfItsAcceptance(self) -> None:
        """A client of ours takes the ticket that it cannot use for what it is: a sign."""
        client, server = handshake(clientConfiguration(credential=LARGE), serverConfiguration())
        self.assertEqual((client.state, server.state), (State.OPEN, State.OPEN))
        self.assertEqual(client.facts.acceptance, "seen")

    def test_largeCertificates(self) -> None:
        """What was read from small certificates is remembered, and what from large ones is not."""
        read: list[x509.Certificate] = []
        remembered = remembering(8)(read.append)
        for _ in range(3):
            remembered(CLIENT.certificate)
            remembered(LARGE.certificate)
        self.assertEqual(read, [CLIENT.certificate, *[LARGE.certificate] * 3])

    def test_judgementsOnLargeCertificates(self) -> None:
        """A judgement is remembered with what it rests on, unless that is too much."""
        verifier = serverConfiguration().verifier
        self.assertEqual(verifier.verify([CLIENT.certificate, *[LARGE.certificate] * 3]).problems, ())
        self.assertEqual(len(verifier._accepted), 0)
        self.assertEqual(verifier.verify([CLIENT.certificate]).problems, ())
        self.assertEqual(len(verifier._accepted), 1)


class Freed(ConversationCase):
    """Connections are freed with their last user, and not by a collection, also where a hook made knots."""

    def assertFreed(self, version: str, role: str, hook: Any) -> None:
        """Nothing is left of a connection whose TCP was lost."""
        clock, settings = Clock(), {role: {"hook": hook}}
        client = Side(clientConfiguration(**versioned(version, **settings.get("client", {}))), Recorder, clock)
        server = Side(serverConfiguration(**settings.get("server", {})), Recorder, clock)
        conversation = Conversation(client, server, clock)
        conversation.flush()
        self._breakOff(conversation)
        raw = weakref.ref(getattr(conversation, role).transport.getHandle())
        for part in (conversation.link.client, conversation.link.server, conversation.client, conversation.server):
            vars(part).clear()
        del conversation, client, server, part
        self.assertIsNone(raw())

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def test_hooks(self) -> None:
        async def waiting(_: object) -> bool:
            return await Deferred()

        async def answering(_: object) -> bool:
            return True

        for version, role in everywhere():
            for hook in (Asked(False), Asked(), lambda _: Deferred(), waiting, answering):
                self.assertFreed(version, role, hook)

    def test_aHookThatRaises(self) -> None:
        """Its traceback leads to who called it, and goes when the connection is over."""
        for version, role in everywhere():
            sides = dict(zip(("client", "server"), pair(version, role, Asked(ZeroDivisionError())), strict=True))
            sides["client"].start()
            pump(sides["client"], sides["server"])
            for side in sides.values():
                side.release()
            raw, failure = weakref.ref(sides[role].handle), sides[role].failure
            del sides, side
            self.assertIsNone(raw())
            assert failure is not None
            self.assertIsInstance(failure.__cause__, ZeroDivisionError)
