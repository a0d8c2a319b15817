"""The collector, in memory, under the rules of its configuration file."""

from pathlib import Path

from devices.collector import Collector
from devices.enroll import enroll
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import AccessRules, Authority, ClientConfiguration, ServerConfiguration
from tlscomm.testing import Pair

try:
    import tomllib
except ImportError:
    import tomli as tomllib

LISTENER = tomllib.loads(Path(__file__).parents[1].joinpath("collector.toml").read_text())["listener"][0]
RULES = AccessRules.parse(allow=[LISTENER["allow"]], deny=[LISTENER["deny"]])

authority = Authority.create("the devices' authority")


class DeviceTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.collector = Collector(self.clock)
        self.server = ServerConfiguration(
            credential=authority.issue("localhost", role="server", dnsNames=["localhost"]),
            clientRoots=[authority.certificate],
            access=RULES,
        )

    def connect(self, credential):
        client = ClientConfiguration(serverName="localhost", roots=[authority.certificate], credential=credential)
        pair = Pair(client, self.server, serverFactory=self.collector, clock=self.clock)
        pair.flush()
        return pair

    def test_many(self):
        """What each of many devices has measured is kept under the id in its certificate."""
        for number in range(100, 150):
            pair = self.connect(enroll(authority, number))
            pair.client.transport.write(b"%d.5\n" % number)
            pair.flush()
            self.assertEqual(pair.client.received, b"noted\n")
        self.assertEqual(len(self.collector.latest), 50)
        self.assertEqual(self.collector.latest["spiffe://example.org/device/0149"], 149.5)

    def test_lost(self):
        """A device that the rules keep out is told so."""
        pair = self.connect(enroll(authority, 13))
        self.assertEqual(pair.server.failure.code, "not-allowed")
        self.assertEqual(pair.client.failure.code, "not-allowed")

    def test_others(self):
        """The same authority's certificate for something that is no device does not get in."""
        billing = authority.issue("billing", role="client", uris=["spiffe://example.org/billing"])
        self.assertEqual(self.connect(billing).server.failure.code, "not-allowed")

    def test_noNumber(self):
        """A device that sends what is no number is cut off, and has changed nothing."""
        pair = self.connect(enroll(authority, 7))
        pair.client.transport.write(b"warm\n")
        pair.flush()
        self.assertTrue(pair.server.isOver)
        self.assertEqual(self.collector.latest, {})

    def test_silent(self):
        """A device that says nothing for a minute is let go."""
        pair = self.connect(enroll(authority, 8))
        pair.advance(61)
        self.assertEqual(pair.server.failure.code, "read-timeout")
