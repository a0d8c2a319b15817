"""A verdict off line is the verdict that the live handshake would come to."""

from failuretable import gallery
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.issuing import EXHIBITS, Authority
from tlscomm.revocation import Revocation
from tlscomm.tls import verdict

GALLERY = gallery()


class Exhibits(SynchronousTestCase):
    def test_everyExhibitGetsItsCode(self) -> None:
        for exhibit in EXHIBITS:
            if exhibit.judge == "nobody" or exhibit.name == "key-mismatch":
                continue
            for role in exhibit.roles:
                found = verdict(
                    GALLERY.credential(exhibit.name, role=role),
                    role,
                    roots=GALLERY.roots,
                    serverName=exhibit.serverName if role == "server" else None,
                    revocation=Revocation(GALLERY.revocationLists if exhibit.needsLists else ()),
                )
                self.assertEqual(found and found.code, exhibit.code, f"{exhibit.name}, {role}")

    def test_aKeyThatDoesNotFit(self) -> None:
        found = verdict(GALLERY.credential("key-mismatch", role="client"), "client", roots=GALLERY.roots)
        self.assertEqual(found and found.code, "key-mismatch")


class Circumstances(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority.create()
        self.roots = (self.authority.certificate,)
        self.client = self.authority.issue("client", role="client")
        self.server = self.authority.issue("server", role="server", dnsNames=["*.example.org"])

    def test_withoutAServerNameAnyOfItsOwnIsGood(self) -> None:
        self.assertIsNone(verdict(self.server, "server", roots=self.roots))

    def test_aServerNameIsLookedAt(self) -> None:
        found = verdict(self.server, "server", roots=self.roots, serverName="other.example")
        self.assertEqual(found and found.code, "name-mismatch")

    def test_aRevokedClient(self) -> None:
        lists = [self.authority.revocationList([self.client.certificate.serial_number])]
        found = verdict(self.client, "client", roots=self.roots, revocation=Revocation(lists))
        self.assertEqual(found and found.code, "revoked")

    def test_accessRules(self) -> None:
        for rule, code in (("cn=client", None), ("cn=other", "not-allowed")):
            found = verdict(self.client, "client", roots=self.roots, access=AccessRules.parse([rule]))
            self.assertEqual(found and found.code, code)

    def test_theSystemsAuthoritiesDoNotKnowIt(self) -> None:
        found = verdict(self.server, "server")
        self.assertIn(found and found.code, ("incomplete-chain", "unknown-issuer"))

    def test_aClientIsNeverJudgedByTheSystemsAuthorities(self) -> None:
        self.assertRaises(ValueError, verdict, self.client, "client")
