from chat.server import MEMBERS, Room
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import Authority, ClientConfiguration, ServerConfiguration
from tlscomm.testing import Pair

authority = Authority.create("the chat's authority")
stranger = Authority.create("the chat's authority")


def credential(name, role="client", issuer=authority):
    return issuer.issue(name, role=role, dnsNames=[name])


class ChatTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.room = Room(self.clock)
        self.server = ServerConfiguration(
            credential=credential("localhost", "server"), clientRoots=[authority.certificate], access=MEMBERS
        )

    def join(self, shown):
        client = ClientConfiguration(serverName="localhost", roots=[authority.certificate], credential=shown)
        pair = Pair(client, self.server, serverFactory=self.room, clock=self.clock)
        pair.flush()
        return pair

    def test_talk(self):
        """Each member hears what each other says, under the name in its certificate."""
        alice, bob = self.join(credential("alice")), self.join(credential("bob"))
        alice.client.transport.write(b"hello\n")
        alice.flush()
        bob.flush()
        self.assertEqual(alice.client.received, b"bob has come\nalice: hello\n")
        self.assertEqual(bob.client.received, b"alice: hello\n")

    def test_leave(self):
        """The others are told of a member that goes."""
        alice, bob = self.join(credential("alice")), self.join(credential("bob"))
        bob.client.transport.loseConnection()
        bob.flush()
        alice.flush()
        self.assertEqual(alice.client.received, b"bob has come\nbob has gone\n")
        self.assertIsNone(bob.server.failure)

    def test_notAllowed(self):
        """Who is no member is told so, and the room does not hear of it."""
        mallory = self.join(credential("mallory"))
        self.assertEqual(mallory.server.failure.code, "not-allowed")
        self.assertEqual(self.room.members, [])

    def test_otherAuthority(self):
        """A name that another authority vouches for is no name here."""
        impostor = self.join(credential("alice", issuer=stranger))
        self.assertEqual(impostor.server.failure.code, "unknown-issuer")
        self.assertEqual(impostor.client.failure.code, "unknown-issuer")
        self.assertEqual(self.room.members, [])
