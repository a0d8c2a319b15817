"""What an open connection keeps in memory, and that giving the rest back loses nothing."""

import gc
import weakref
from collections.abc import Iterator
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any

from conversation import (
    AUTHORITY,
    CLIENT,
    ROOTS,
    STRANGER,
    VERSIONS,
    Conversation,
    ConversationCase,
    PythonPeer,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from cryptography import x509
from hooks import Asked
from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import Interface, directlyProvides, providedBy

from tlscomm._openssl.channel import Channel
from tlscomm._waits import Waits
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.testing import MemoryTransport
from tlscomm.transport import TLSFactory, TLSTransport
from tlscomm.verification import Answer, insecurelyAccept
from tlscomm.verification._rule import RuleBook


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


def buffersOf(connection: SSL.Connection) -> tuple[object, object]:
    return connection._into_ssl, connection._from_ssl


class Buffers(ConversationCase):
    """OpenSSL's buffers, which have grown to the largest flight of the handshake, are replaced at acceptance."""

    def test_replaced(self) -> None:
        for version in VERSIONS:
            conversation = self.conversation(version)
            sides: list[Side] = [conversation.client, conversation.server]
            handles = [side.transport.getHandle() for side in sides]
            before = [buffersOf(handle) for handle in handles]
            conversation.flush()
            for handle, buffers in zip(handles, before, strict=True):
                self.assertFalse(set(buffers) & set(buffersOf(handle)), version)

    def test_bytesStayWhereTheyAre(self) -> None:
        """Buffers that have bytes in them, from the peer or for it, are kept."""
        context = SSL.Context(SSL.TLS_METHOD)
        for hasBytes in (lambda channel: channel.feed(b"\x16"), lambda channel: channel.handshake()):
            connection = SSL.Connection(context)
            channel = Channel(connection, isClient=True)
            before = buffersOf(connection)
            hasBytes(channel)
            channel.renewBuffers()
            self.assertEqual(buffersOf(connection), before)
        self.assertEqual(channel.drain()[:1], b"\x16")
        channel.renewBuffers()
        self.assertNotEqual(buffersOf(connection), before)

    def test_afterALargeMessage(self) -> None:
        """So are those that a large message has filled, once all of it has gone, and what follows goes through."""
        for version in VERSIONS:
            conversation = self.opened(version, serverProtocol=Echo)
            client, server = conversation.client, conversation.server
            for size in (1 << 18, 1 << 10):
                client.transport.write(b"m" * size)
                conversation.flush()
                before = buffersOf(server.transport.getHandle())
                conversation.advance(Deadlines().write or 0)
                self.assertFalse(set(before) & set(buffersOf(server.transport.getHandle())))
            self.assertEqual(len(client.received), (1 << 18) + (1 << 10))

    def test_everyCutOfTheClientsLastFlight(self) -> None:
        """Wherever the network cuts what a client sends last and the data that follows, nothing of it is lost."""
        for version in VERSIONS:
            length = 1
            while self.cutAt(length, version):
                length += 223

    def cutAt(self, length: int, version: str) -> bool:
        """Cut after so many bytes; return whether there were as many."""
        peer = self.pythonPeer(serverSide=False)
        peer.words = b"together with Finished" if version == "1.3" else b""
        conversation = self.conversation(
            server={"minimumTLS": version, "maximumTLS": version}, client=peer, serverProtocol=Echo
        )
        link = conversation.link
        link.toServer()
        link.toClient()
        isCut = len(link.toServer(length)) == length
        conversation.flush()
        self.assertEqual(peer.received, peer.words)
        self.assertConversing(conversation, peer)
        return isCut

    def assertConversing(self, conversation: Conversation, peer: PythonPeer) -> None:
        before = len(peer.received)
        for size in (1, 1500, 40_000):
            peer.say(b"m" * size)
            conversation.flush()
            self.assertEqual(len(peer.received), before := before + size)
        peer.close()
        conversation.flush()
        self.assertTrue(peer.sawClose)

    def test_everyCutOfTheServersTickets(self) -> None:
        """Wherever the network cuts the tickets of a server and the data that follows, nothing of it is lost."""
        length = 1
        isCut = True
        while isCut:
            peer = self.pythonPeer(serverSide=True)
            peer.words = b"together with tickets"
            conversation = self.conversation(server=peer)
            link = conversation.link
            link.toServer()
            link.toClient()
            link.toServer()
            isCut = len(link.toClient(length)) == length
            conversation.flush()
            self.assertEqual(conversation.client.received, peer.words)
            conversation.client.transport.write(b"an answer")
            conversation.flush()
            self.assertEqual(peer.received, b"an answer")
            length += 211


class Verdict(ConversationCase):
    """Of the verdict on its peer an open connection keeps what cannot be had again."""

    def accepted(self, version: str, credential: Credential, answer: Any = True, **settings: Any) -> tuple[Any, Any]:
        """Return the transport of a server with such a client, and what its hook was asked about it."""
        hook = Asked(answer)
        client = {"credential": credential}
        server = {"hook": hook, **settings}
        return self.opened(version, client=client, server=server).server.transport, hook.question

    def test_thePeerIsTheSame(self) -> None:
        """What a hook was told of the peer, the open connection says, and once it has ended too."""
        below = AUTHORITY.intermediate("between").issue("below", role="client")
        for version in VERSIONS:
            for credential in (CLIENT, below):
                transport, question = self.accepted(version, credential)
                peer = transport.peer
                self.assertEqual(peer.chain, question.chain)
                self.assertEqual(peer, transport.peer)
                transport.abortConnection()
                self.assertEqual(transport.peer.chain, question.chain)
                self.assertEqual(transport.peer.toJSON(), peer.toJSON())

    def test_whyItWasLetIn(self) -> None:
        """The access rule that let the peer in, and what was overruled, are known for as long as the connection."""
        for version in VERSIONS:
            rules = AccessRules.parse(["cn=late"])
            peer = self.accepted(version, STRANGER.issue("late", role="client"), insecurelyAccept(), access=rules)[
                0
            ].peer
            self.assertEqual(str(peer.rule), "cn=late")
            self.assertIn("unknown-issuer", [warning.code for warning in peer.warnings])

    def test_itsCertificateIsNotKept(self) -> None:
        """No connection keeps what was read of its peer's certificate: OpenSSL has it, in a quarter of the memory."""
        for version in VERSIONS:
            conversation = self.opened(version)
            for side in (conversation.client, conversation.server):
                self.assertIsNotNone(side.transport.peer)
                kept = [each for each in held(side.transport) if isinstance(each, x509.Certificate)]
                self.assertNotIn(side.transport.peer.certificate, kept)

    def test_authoritiesAreShared(self) -> None:
        """Two connections keep the certificates of the authorities of their peers once."""
        one, other = self.opened().server.transport.peer, self.opened().server.transport.peer
        self.assertEqual(one.chain[1:], ROOTS)
        self.assertIs(one.chain[1], other.chain[1])


class Freed(ConversationCase):
    """A connection that has ended in any way is freed with its last user, and not by a collection."""

    def assertFreed(self, conversation: Conversation, role: str) -> None:
        transport = getattr(conversation, role).transport
        references = [weakref.ref(each) for each in (transport, transport._connection, transport.getHandle())]
        del transport
        self._breakOff(conversation)
        for part in (conversation.link.client, conversation.link.server, conversation.client, conversation.server):
            vars(part).clear()
        del part
        self.assertEqual([reference() for reference in references], [None, None, None])

    def setUp(self) -> None:
        super().setUp()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)

    def connected(self, version: str) -> Conversation:
        """Return a conversation that no cleanup keeps."""
        clock = Clock()
        client = Side(clientConfiguration(minimumTLS=version, maximumTLS=version), Recorder, clock)
        return Conversation(client, Side(serverConfiguration(), Recorder, clock), clock)

    def everywhere(self, *, isOpen: bool) -> Iterator[tuple[Conversation, str]]:
        for version in VERSIONS:
            for role in ("client", "server"):
                conversation = self.connected(version)
                if isOpen:
                    conversation.flush()
                yield conversation, role

    def test_timedOut(self) -> None:
        for conversation, role in self.everywhere(isOpen=False):
            conversation.link.toServer(10)
            conversation.clock.advance(Deadlines().handshake or 0)
            self.assertFreed(conversation, role)

    def test_aborted(self) -> None:
        for conversation, role in self.everywhere(isOpen=True):
            transport = getattr(conversation, role).transport
            transport.write(b"not taken by anything" * 10_000)
            transport.abortConnection()
            del transport
            self.assertFreed(conversation, role)

    def test_lostWithoutAnEnd(self) -> None:
        for conversation, role in self.everywhere(isOpen=True):
            getattr(conversation.link, role).lose(ConnectionLost())
            self.assertFreed(conversation, role)


class Objects(ConversationCase):
    """What an open connection consists of."""

    def test_noDictionaries(self) -> None:
        """None of its own objects has a dictionary: each would take several times what an attribute does."""
        for version in VERSIONS:
            conversation = self.opened(version)
            for side in (conversation.client, conversation.server):
                for each in held(side.transport):
                    if type(each).__module__.startswith("tlscomm."):
                        self.assertEqual(getattr(each, "__dict__", {}), {}, each)

    def test_attributesOfOthers(self) -> None:
        """A program may set attributes of its own on a transport, and declare interfaces, as on any of Twisted's."""
        transport = self.opened().server.transport
        transport.account = "accounts/7"
        directlyProvides(transport, *providedBy(transport), IOther)
        self.assertEqual(transport.account, "accounts/7")
        self.assertTrue(IOther.providedBy(transport) and ISSLTransport.providedBy(transport))

    def test_fewObjects(self) -> None:
        """The collector has few objects of it to look at."""
        for version in VERSIONS:
            conversation = self.opened(version)
            for side in (conversation.client, conversation.server):
                tracked = [each for each in held(side.transport) if gc.is_tracked(each)]
                self.assertLessEqual(len(tracked), 22)


class IOther(Interface):
    """An interface of a program."""


def held(transport: TLSTransport) -> list[object]:
    """Return all objects that live because of a transport, and not of what it shares with others."""
    found: dict[int, object] = {}
    configurations = (ClientConfiguration, ServerConfiguration, SSL.Context, Deadlines, Waits, RuleBook, Answer, Enum)
    shared = (type, ModuleType, FunctionType, TLSFactory, MemoryTransport, Clock, Side, *configurations)
    waiting: list[object] = [transport]
    while waiting:
        each = waiting.pop()
        if id(each) not in found and not isinstance(each, shared):
            found[id(each)] = each
            waiting.extend(gc.get_referents(each))
    return list(found.values())
