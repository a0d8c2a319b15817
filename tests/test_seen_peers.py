"""Who the peers of a server are: those that are connected, and those that were lately."""

import json
from typing import Any

from cryptography import x509
from test_service import CLIENT, ROOTS, SERVER, Client, Endpoint, Port
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.messages import MessageFactory
from tlscomm.operation import _seenpeers as seenpeers
from tlscomm.operation._seenpeers import SeenPeers, mergedPeers
from tlscomm.server import Echo, Listener, TLSService
from tlscomm.server._peerchecking import judged, peersFromJSON
from tlscomm.serving._observers import Observers
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog


class SeenPeersTests(SynchronousTestCase):
    """What is told for ``/peers.json``."""

    def setUp(self) -> None:
        self.clock = Clock()
        log = EventLog(lambda event: None, self.clock)
        self.peers = SeenPeers(self.clock, lambda: [self.service])
        self.configuration = ServerConfiguration(credential=SERVER, clientRoots=ROOTS, clientCertificates="requested")
        self.service = TLSService(
            self.clock,
            self.configuration,
            MessageFactory(Echo, clock=self.clock),
            [Listener("tcp:8443", Endpoint(succeed(Port(8443))))],
            log,
            observer=Observers(log, [self.peers]),
        )
        self.service.setName("main")  # type: ignore[no-untyped-call]
        self.service.startService()
        self.addCleanup(self.service.stopService)
        self.factories: dict[Any, TLSFactory] = {}
        self.clients: list[Any] = []

    def connect(self, credential: Any = CLIENT) -> MemoryLink:
        if credential not in self.factories:
            settings: Any = {"serverName": "localhost", "roots": ROOTS, "credential": credential}
            protocols = MessageFactory(Client, clock=self.clock)
            self.factories[credential] = TLSFactory(ClientConfiguration(**settings), protocols, self.clock)
        client, server = self.factories[credential].buildProtocol(None), self.service.factory.buildProtocol(None)
        assert client is not None and server is not None
        self.clients.append(client)
        link = MemoryLink(client, server)
        link.flush()
        self.clock.advance(DOUBT_SECONDS)
        link.flush()
        return link

    def told(self) -> list[dict[str, Any]]:
        found: dict[str, Any] = json.loads(self.successResultOf(self.peers.told()))
        self.assertEqual(found["version"], 1)
        peers: list[dict[str, Any]] = found["peers"]
        return peers

    def test_connected(self) -> None:
        """A peer is told once, with its chain, its listener and how many connections it has; resumed ones count."""
        for _ in range(3):
            self.connect()
        self.connect(None)
        one, other = self.told()
        self.assertEqual((one["listener"], one["connections"], one["connected"]), ("main", 3, True))
        self.assertEqual(x509.load_pem_x509_certificates(one["chain"].encode())[0], CLIENT.certificate)
        self.assertEqual((other["chain"], other["connections"]), ("", 1))

    def test_gone(self) -> None:
        """Those that were connected lately are told too, the last of them, within a bound."""
        link = self.connect()
        self.clients[-1].loseConnection()
        link.flush()
        self.clock.advance(10)
        (one,) = self.told()
        self.assertEqual((one["connections"], one["connected"]), (0, False))
        self.patch(seenpeers, "_MOST_GONE", 1)
        link = self.connect(None)
        self.clients[-1].loseConnection()
        link.flush()
        self.assertEqual([each["chain"] for each in self.told()], [""])

    def test_many(self) -> None:
        """Of more than can be told the rest is counted, and several processes are told as one server."""
        self.connect()
        self.connect(None)
        text = self.successResultOf(self.peers.told())
        merged = json.loads(mergedPeers([text, text]))
        self.assertEqual([each["connections"] for each in merged["peers"]], [2, 2])
        self.patch(seenpeers, "_MOST_TOLD", 2000)
        text = self.successResultOf(self.peers.told())
        self.patch(seenpeers, "_MOST_TOLD", 1000)
        shorter = self.successResultOf(self.peers.told())
        found = [(len(told["peers"]), told["leftOut"]) for told in map(json.loads, (text, shorter))]
        self.assertEqual(found, [(2, 0), (1, 1)])
        self.assertEqual(json.loads(mergedPeers([text, shorter]))["leftOut"], 1)

    def test_judged(self) -> None:
        """What is told is what ``tlscomm check --against`` judges."""
        self.connect()
        peers, _ = peersFromJSON(self.successResultOf(self.peers.told()).encode())
        (verdict,) = judged(peers, {"main": self.configuration})
        self.assertTrue(verdict.isLetIn)
        other = ServerConfiguration(credential=SERVER, clientRoots=[SERVER.certificate])
        (verdict,) = judged(peers, {"main": other})
        self.assertIsNotNone(verdict.failure)
