from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from website import service

from tlscomm import Authority, ClientConfiguration, ServerConfiguration
from tlscomm.testing import Pair

authority = Authority.create("the site's authority")
stranger = Authority.create("the site's authority")


def credential(name, role="client", issuer=authority):
    return issuer.issue(name, role=role, dnsNames=[name])


class WebsiteTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.site = service.site(self.clock)
        self.server = ServerConfiguration(
            credential=credential("localhost", "server"),
            clientRoots=[authority.certificate],
            clientCertificates="requested",
        )

    def connect(self, shown):
        client = ClientConfiguration(serverName="localhost", roots=[authority.certificate], credential=shown)
        pair = Pair(client, self.server, serverFactory=self.site, clock=self.clock)
        pair.flush()
        return pair

    def ask(self, shown, path, body=""):
        """Ask over a connection of its own; return the status and the body of the answer."""
        pair = self.connect(shown)
        method = "POST" if body else "GET"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        pair.client.transport.write((head + body).encode())
        pair.flush()
        head, _, answer = pair.client.received.partition(b"\r\n\r\n")
        return int(head.split()[1]), answer.decode()

    def test_ownNotes(self):
        """Each caller has notes of its own, under the name in its certificate."""
        alice, bob = credential("alice"), credential("bob")
        self.assertEqual(self.ask(alice, "/notes", "buy milk"), (200, "noted\n"))
        self.assertEqual(self.ask(alice, "/notes"), (200, "buy milk\n"))
        self.assertEqual(self.ask(bob, "/notes"), (200, ""))
        self.assertEqual(self.ask(bob, "/"), (200, "hello bob\n"))

    def test_operator(self):
        """What is for the operator is for no other caller, however the path is written."""
        self.ask(credential("alice"), "/notes", "buy milk")
        self.assertEqual(self.ask(credential("operator"), "/admin/callers"), (200, "alice 1\n"))
        for path in ("/admin/callers", "/%61dmin/callers", "/Admin/callers"):
            self.assertEqual(self.ask(credential("alice"), path), (403, "403 forbidden: not-allowed\n"))
        for path in ("//admin/callers", "/notes/../admin/callers", "/notes%2f..%2fadmin/callers"):
            self.assertEqual(self.ask(credential("alice"), path)[0], 400)

    def test_withoutCertificate(self):
        """Who has no certificate may ask how the site is, and no more."""
        self.assertEqual(self.ask(None, "/health"), (200, "well\n"))
        self.assertEqual(self.ask(None, "/notes"), (403, "403 forbidden: no-certificate\n"))

    def test_otherAuthority(self):
        """A name that another authority vouches for is refused before a request can be sent."""
        impostor = self.connect(credential("alice", issuer=stranger))
        self.assertEqual(impostor.server.failure.code, "unknown-issuer")
        self.assertEqual(impostor.client.failure.code, "unknown-issuer")

    def test_bounds(self):
        """A caller cannot fill the memory."""
        alice = credential("alice")
        self.assertEqual(self.ask(alice, "/notes", "x" * 1001)[0], 413)
        self.patch(service, "MOST_NOTES", 1)
        self.assertEqual(self.ask(alice, "/notes", "the only one")[0], 200)
        self.assertEqual(self.ask(alice, "/notes", "one more")[0], 413)
