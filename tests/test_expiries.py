"""What a configuration rests on is listed with when it expires, for checks, metrics and the status alike."""

from datetime import timedelta

from revocationlists import NOW, revocationList
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.configuration._expiries import expiriesOf
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation

ROOT = Authority.create("root")
MIDDLE = ROOT.intermediate("middle")
SERVER = MIDDLE.issue("server", role="server", dnsNames=["localhost"])
OTHER = ROOT.issue("other", role="server", dnsNames=["other.example"])


class Expiries(SynchronousTestCase):
    def configuration(self, **settings: object) -> ServerConfiguration:
        return ServerConfiguration(credential=SERVER, clientRoots=(ROOT.certificate,), **settings)  # type: ignore[arg-type]

    def test_ours(self) -> None:
        """Our certificates and those that are sent along with them are there, each once, with their notAfter."""
        found = expiriesOf(self.configuration(others=(OTHER,)))
        ours = {(each.kind, each.name): each.at for each in found if each.kind in ("identity", "chain")}
        self.assertEqual(
            ours,
            {
                ("identity", "CN=server"): SERVER.certificate.not_valid_after_utc,
                ("identity", "CN=other"): OTHER.certificate.not_valid_after_utc,
                ("chain", "CN=middle"): MIDDLE.certificate.not_valid_after_utc,
            },
        )

    def test_theirs(self) -> None:
        """Authorities that are trusted, those that are known besides, and revocation lists are there."""
        lists = (revocationList(ROOT, until=NOW + timedelta(days=2)), revocationList(ROOT, until=NOW))
        configuration = self.configuration(intermediates=(MIDDLE.certificate,), revocation=Revocation(lists))
        found = [(each.kind, each.name) for each in expiriesOf(configuration)]
        self.assertIn(("root", "CN=root"), found)
        self.assertIn(("intermediate", "CN=middle"), found)
        self.assertIn(("list", "the list 1 of CN=root"), found)

    def test_firstComesFirst(self) -> None:
        """Of one kind, what expires first comes first, and its time left may be less than nothing."""
        short = ROOT.issue("short", role="server", dnsNames=["short.example"], notAfter=NOW + timedelta(days=1))
        identities = [each for each in expiriesOf(self.configuration(others=(short,))) if each.kind == "identity"]
        self.assertEqual(identities[0].name, "CN=short")
        self.assertEqual(identities[0].secondsLeft(NOW.timestamp()), 86400)
        self.assertEqual(identities[0].secondsLeft(NOW.timestamp() + 2 * 86400), -86400)

    def test_client(self) -> None:
        """A client's are listed in the same way. The system's authorities are not its own to renew."""
        client = ROOT.issue("client", role="client")
        found = expiriesOf(ClientConfiguration(serverName="localhost", credential=client))
        self.assertEqual([(each.kind, each.name) for each in found], [("identity", "CN=client")])

    def test_json(self) -> None:
        """It can be written as JSON."""
        identity = expiriesOf(self.configuration())[0]
        assert identity.at is not None
        self.assertEqual(
            identity.toJSON(),
            {
                "kind": "identity",
                "name": "CN=server",
                "notAfter": identity.at.isoformat(timespec="seconds"),
                "fingerprint": identity.fingerprint,
            },
        )
