"""How many connections a port accepts in one turn of the reactor."""

import socket

from conversation import serverConfiguration
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.transport import TLSFactory
from tlscomm.transport._accepting import paceAccepting


class AcceptingTests(SynchronousTestCase):
    """A port of Twisted's accepts eight connections a turn, and more where turns are long."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.factory = TLSFactory(serverConfiguration(), Factory.forProtocol(Protocol), self.reactor)
        self.port = Port(0, self.factory, backlog=200, interface="127.0.0.1", reactor=self.reactor)
        self.port.startListening()
        self.addCleanup(self.port.connectionLost, None)
        self.addCleanup(self.closeAll)
        self.peers: list[socket.socket] = []
        self.accepted(1)

    def closeAll(self) -> None:
        for peer in self.peers:
            peer.close()
        for each in tuple(self.factory.connections):
            each.transport.connectionLost(Failure(ConnectionDone()))

    def accepted(self, connecting: int, seconds: float = 0.0) -> int:
        """Return how many are accepted in the next turn, after some have connected and the last one took so long."""
        address = ("127.0.0.1", self.port.getHost().port)
        self.peers += [socket.create_connection(address) for _ in range(connecting)]
        self.reactor.rightNow += seconds
        before = len(self.factory.connections)
        self.port.doRead()
        return len(self.factory.connections) - before

    def test_few(self) -> None:
        """Of many that connect at once, each turn accepts eight."""
        counts = [self.accepted(50), *(self.accepted(0) for _ in range(8))]
        self.assertEqual(counts, [1, *[8] * 6, 1, 0])

    def test_longTurns(self) -> None:
        """Where turns are long, it soon is one for each 2 ms, and eight again when that is over."""
        counts = [self.accepted(90, 0.04), *(self.accepted(0, 0.04) for _ in range(4))]
        self.assertEqual(counts, [1, 8, 16, 20, 20])
        self.assertEqual([self.accepted(0), self.accepted(0)], [8, 8])

    def test_lull(self) -> None:
        """After a time in which none has connected, it begins with few again."""
        self.assertEqual(self.accepted(1, 60), 1)
        self.assertEqual(self.accepted(0), 0)
        self.assertEqual([self.accepted(30, 60), self.accepted(0)], [1, 8])

    def test_otherPorts(self) -> None:
        """What is no port of Twisted's, or no port at all, is left alone."""
        for other in (None, object(), type("Other", (), {"numberAccepts": None})()):
            paceAccepting(other, self.reactor.seconds)
            self.assertFalse(hasattr(other, "doRead"))
