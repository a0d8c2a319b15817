"""What an open connection keeps in memory, and that giving the rest back loses nothing."""

from conversation import VERSIONS, Conversation, ConversationCase, PythonPeer, Side
from OpenSSL import SSL
from twisted.internet.protocol import Protocol

from tlscomm._openssl.channel import Channel


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

    def test_everyCutOfTheClientsLastFlight(self) -> None:
        """Wherever the network cuts what a client sends last and the data that follows, nothing of it is lost."""
        for version in VERSIONS:
            length = 1
            while self.cutAt(length, version):
                length += 149

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
