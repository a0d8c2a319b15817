"""Bytes from a connection over TLS to one without, and back: what a service behind a relay can rely on."""

import gc
import weakref
from typing import Any

from conversation import STRANGER, VERSIONS, Recorder, Side, clientConfiguration
from logs import logged
from relays import Backend, MemoryBackend, RelayCase
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import Expired, NotAllowed
from tlscomm.relaying import Forwarding
from tlscomm.relaying._reachability import Reachability
from tlscomm.testing import MemoryLink, MemoryTransport

LARGE = bytes(range(256)) * 2000


class BytesTests(RelayCase):
    """What goes through."""

    def test_bothWays(self) -> None:
        """Everything arrives, both ways, in order."""
        for version in VERSIONS:
            relayed, service = self.joined(version=version)
            for number in range(5):
                relayed.client.transport.write(LARGE[number:])
                service.transport.write(LARGE[2 * number :])
                relayed.flush()
            self.assertEqual(service.received, b"".join(LARGE[number:] for number in range(5)))
            self.assertEqual(relayed.client.received, b"".join(LARGE[2 * number :] for number in range(5)))

    def test_slowService(self) -> None:
        """A service that takes nothing has the client paused: what waits is bounded, and nothing is lost."""
        relayed, service = self.joined()
        relayed.tcp.server.isReading = False
        for _ in range(40):
            relayed.client.transport.write(LARGE)
            relayed.flush()
        self.assertLess(len(relayed.tcp.client.written), 1 << 19)
        self.assertFalse(relayed.link.server.isReading)
        relayed.tcp.server.isReading = True
        relayed.flush()
        self.assertEqual(len(service.received), 40 * len(LARGE))

    def test_slowClient(self) -> None:
        """A client that takes nothing has the service paused, for as long as it likes."""
        relayed, service = self.joined()
        relayed.link.client.isReading = False
        for _ in range(40):
            service.transport.write(LARGE)
            relayed.flush()
        self.assertLess(len(relayed.link.server.written), 1 << 19)
        self.assertFalse(relayed.tcp.client.isReading)
        relayed.advance(1800)
        relayed.link.client.isReading = True
        relayed.flush()
        self.assertEqual(len(relayed.client.received), 40 * len(LARGE))

    def test_atOnce(self) -> None:
        """A byte from the service is on its way to the client in the same turn of the reactor."""
        relayed, service = self.joined()
        service.transport.write(b"x")
        relayed.tcp.toClient()
        relayed.link.toClient()
        self.assertEqual(relayed.client.received, b"x")

    def test_opening(self) -> None:
        """What introduces the client to the service comes before all else."""
        relayed, service = self.joined(opening=lambda transport: transport.tls.version.encode() + b"\r\n")
        relayed.client.transport.write(b"hello")
        relayed.flush()
        self.assertEqual(service.received, b"TLSv1.3\r\nhello")


class ConnectingTests(RelayCase):
    """The connection to the service."""

    def test_afterAcceptance(self) -> None:
        """There is none for a client that is refused, nor before it is accepted."""
        relayed = self.relayed()
        self.assertEqual(len(relayed.backend.asked), 1)
        refused = self.relayed(backend=MemoryBackend())
        self.assertEqual(len(refused.backend.asked), 1)
        client = clientConfiguration(credential=STRANGER.issue("client", role="client"))
        side = Side(client, Recorder, relayed.clock)
        link = type(relayed.link)(side.transport, relayed.factory.buildProtocol(None))  # type: ignore[arg-type]
        link.flush()
        relayed.flush()
        self.assertEqual(relayed.codes, ["unknown-issuer"])
        self.assertEqual(len(relayed.backend.asked), 1)

    def test_earlyWords(self) -> None:
        """What the client says before the service is connected waits with the client, and arrives then."""
        relayed = self.relayed()
        for _ in range(20):
            relayed.client.transport.write(LARGE)
            relayed.flush()
        self.assertFalse(relayed.link.server.isReading)
        service = relayed.backend.accept()
        relayed.flush()
        self.assertEqual(len(service.received), 20 * len(LARGE))

    def test_earlyEnd(self) -> None:
        """So does its end, with what the service answers."""
        for version in VERSIONS:
            relayed = self.relayed(version=version)
            relayed.client.transport.write(b"question")
            relayed.client.transport.loseWriteConnection()
            relayed.flush()
            service = relayed.backend.accept()
            relayed.flush()
            self.assertEqual((service.received, service.events[-1]), (b"question", "read end"))
            service.transport.write(b"answer")
            service.transport.loseConnection()
            relayed.flush()
            self.assertEqual(relayed.client.received, b"answer")
            self.assertEqual(relayed.codes, [None])
            self.assertOver(relayed)

    def test_endBeforeAll(self) -> None:
        """An end that is there before the service is connected is passed on when it is."""
        backend, client = MemoryBackend(), Backend()
        forwarding = Forwarding(Clock(), backend, "tcp:127.0.0.1:1")
        link = MemoryLink(client, forwarding.buildProtocol(None))  # type: ignore[arg-type]
        client.transport.loseWriteConnection()
        link.flush()
        service = backend.accept()
        backend.made[0][1].flush()
        self.assertEqual(service.events, ["made", "read end"])
        service.transport.write(b"answer")
        service.transport.loseConnection()
        backend.made[0][1].flush()
        link.flush()
        self.assertEqual((client.received, client.events[-1]), (b"answer", "read end"))
        client.transport.loseConnection()
        link.flush()
        self.assertEqual(forwarding.relays, set())

    def test_refused(self) -> None:
        """Where the service takes no connection, the client is cut, and both the cause and the place are named."""
        relayed = self.relayed()
        with logged() as events:
            relayed.backend.refuse(ConnectionRefusedError())
            relayed.advance(2)
        self.assertEqual(relayed.codes, ["backend-unavailable"])
        self.assertEqual(relayed.client.failure.code, "reset")
        (said,) = [event["problem"] for event in events if "problem" in event]
        self.assertIn("tcp:127.0.0.1:1: nothing listens there", said)
        self.assertIn("tcp:127.0.0.1:1: nothing listens there", str(relayed.failures[0]))
        self.assertOver(relayed)

    def test_notBeforeItIsAccepted(self) -> None:
        """A client is cut no sooner than it knows that it was accepted: it is not its certificate that is at fault."""
        relayed = self.relayed()
        relayed.backend.refuse(ConnectionRefusedError())
        relayed.advance(0.9)
        self.assertEqual(relayed.client.failures, [])
        relayed.advance(0.2)
        self.assertEqual(relayed.client.failure.code, "reset")

    def test_tooSlow(self) -> None:
        """The service has so long to take a connection."""
        relayed = self.relayed(connectTimeout=7.0)
        relayed.advance(6.9)
        self.assertEqual(relayed.codes, [])
        with logged():
            relayed.advance(2)
        self.assertEqual(relayed.codes, ["backend-unavailable"])
        self.assertEqual(relayed.backend.cancelled, 1)
        self.assertOver(relayed)

    def test_noLimit(self) -> None:
        """Without a limit it has as long as it likes."""
        relayed = self.relayed(connectTimeout=None)
        relayed.advance(4000)
        self.assertEqual(relayed.codes, [])
        relayed.backend.accept()

    def test_queueFull(self) -> None:
        """Where too many wait at the service's Unix socket, it is tried again, and in the end that is named."""
        for comesRound in (True, False):
            relayed = self.relayed()
            for _ in range(5):
                relayed.backend.refuse(ConnectError(string=Failure(ConnectionDone())))
                relayed.advance(0.06)
            self.assertEqual(len(relayed.backend.asked), 6)
            if comesRound:
                relayed.client.transport.write(b"question")
                service = relayed.backend.accept()
                relayed.flush()
                self.assertEqual(service.received, b"question")
                continue
            with logged() as events:
                relayed.advance(12)
            self.assertEqual(relayed.codes, ["backend-unavailable"])
            self.assertIn("as many clients wait to be accepted as its socket keeps", events[0]["problem"])

    def test_noSocket(self) -> None:
        """A Unix socket that is not there is named."""
        relayed = self.relayed(place="unix:/run/none.sock")
        with logged() as events:
            relayed.backend.refuse(ConnectError(osError=2, string="No such file or directory"))
            relayed.advance(2)
        self.assertIn("unix:/run/none.sock: there is no such socket", events[0]["problem"])
        self.assertIn("ss -lx", relayed.failures[0].nextStep)

    def test_clientLeaves(self) -> None:
        """A client that goes while the service is connected has that given up, and nothing is said of the service."""
        relayed = self.relayed()
        with logged() as events:
            relayed.link.cut()
            relayed.flush()
        self.assertEqual(relayed.backend.cancelled, 1)
        self.assertEqual([event for event in events if "problem" in event], [])
        self.assertOver(relayed)

    def test_clientLeavesInTheLastMoment(self) -> None:
        """A connection that is made all the same is cut."""
        relayed = self.relayed()
        relayed.backend._cancel = lambda _: None  # type: ignore[method-assign]
        asked = relayed.backend.asked[-1]
        near = relayed.backend.factories[-1].buildProtocol(None)
        relayed.link.cut()
        end = MemoryTransport(near, None, None)  # type: ignore[arg-type]
        near.makeConnection(end)
        asked.addErrback(lambda _: None)
        self.assertTrue(end.wasAborted)

    def test_otherTLS(self) -> None:
        """The failure of a service over TLS is named whole."""
        relayed = self.relayed(place="tlscomm:elsewhere:1")
        with logged():
            relayed.backend.refuse(Expired(side="remote"))
            relayed.advance(2)
        self.assertIn("tlscomm:elsewhere:1: expired: The peer refused us", str(relayed.failures[0]))


class OneLineTests(SynchronousTestCase):
    """A service that is down is one event, however many clients come."""

    def test_rate(self) -> None:
        """It is logged at its beginning, then once a minute with a count, and at its end."""
        clock = Clock()
        reachability = Reachability(clock, "tcp:127.0.0.1:1")
        with logged() as events:
            for _ in range(150):
                reachability.failed(NotAllowed())
                clock.advance(1)
            reachability.succeeded()
            reachability.succeeded()
        self.assertEqual([event["count"] for event in events], [1, 61, 121, 150])
        self.assertIn("takes connections again", events[-1]["log_format"])


class EndTests(RelayCase):
    """How the two connections end."""

    def test_clientFirst(self) -> None:
        """A client that ends its side still gets what the service says then."""
        for version in VERSIONS:
            relayed, service = self.joined(version=version)
            relayed.client.transport.write(LARGE)
            relayed.client.transport.loseWriteConnection()
            relayed.flush()
            self.assertEqual((service.received, service.events[-1]), (LARGE, "read end"))
            service.transport.write(LARGE)
            relayed.flush()
            self.assertEqual(relayed.client.received, LARGE)
            service.transport.loseConnection()
            relayed.flush()
            self.assertEqual((relayed.codes, relayed.client.failures), ([None], [None]))
            self.assertOver(relayed)

    def test_serviceFirst(self) -> None:
        """A service that ends its side still gets what the client says then."""
        for version in VERSIONS:
            relayed, service = self.joined(version=version)
            service.transport.write(LARGE)
            service.transport.loseWriteConnection()
            relayed.flush()
            self.assertEqual((relayed.client.received, relayed.client.events[-1]), (LARGE, "read end"))
            relayed.client.transport.write(LARGE)
            relayed.flush()
            self.assertEqual(service.received, LARGE)
            relayed.client.transport.loseConnection()
            relayed.flush()
            service.transport.loseConnection()
            relayed.flush()
            self.assertEqual((relayed.codes, relayed.client.failures), ([None], [None]))
            self.assertEqual([type(reason) for reason in service.lost], [ConnectionDone])
            self.assertOver(relayed)

    def test_wholeEnd(self) -> None:
        """A client that ends as a whole, and a service that follows, both end in order."""
        for version in VERSIONS:
            relayed, service = self.joined(version=version, clientProtocol=Recorder)
            relayed.client.transport.loseConnection()
            relayed.flush()
            service.transport.loseConnection()
            relayed.flush()
            self.assertEqual((relayed.codes, relayed.client.failures), ([None], [None]))
            self.assertOver(relayed)

    def test_everythingArrivesBeforeTheEnd(self) -> None:
        """An end waits for what was sent before it, however slowly that is taken."""
        relayed, service = self.joined()
        relayed.link.client.isReading = False
        service.transport.write(LARGE * 4)
        service.transport.loseConnection()
        relayed.flush()
        relayed.advance(300)
        relayed.link.client.isReading = True
        relayed.flush()
        self.assertEqual(len(relayed.client.received), 4 * len(LARGE))
        self.assertIn("read end", relayed.client.events)

    def test_serviceCut(self) -> None:
        """A service that is killed in the middle has the client cut, without close_notify."""
        for version in VERSIONS:
            relayed, service = self.joined(version=version)
            service.transport.write(b"half an answ")
            relayed.flush()
            relayed.tcp.cut()
            relayed.flush()
            self.assertEqual(relayed.client.received, b"half an answ")
            self.assertEqual((relayed.codes, relayed.client.failure.code), (["backend-lost"], "reset"))
            self.assertNotIn("read end", relayed.client.events)
            self.assertOver(relayed)

    def test_clientCut(self) -> None:
        """A client that vanishes has the service's connection reset, which must not take it for an end in order."""
        relayed, service = self.joined()
        relayed.client.transport.write(b"half a quest")
        relayed.flush()
        relayed.link.cut()
        relayed.flush()
        self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])
        self.assertNotIn("read end", service.events)
        self.assertOver(relayed)

    def test_clientTruncated(self) -> None:
        """So has one whose TCP ends without close_notify."""
        relayed, service = self.joined()
        relayed.link.client.loseConnection()
        relayed.flush()
        relayed.advance(2)
        self.assertEqual(relayed.codes, ["truncated"])
        self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])
        self.assertNotIn("read end", service.events)

    def test_serverStops(self) -> None:
        """A server that stops cuts both connections, for each side may have had more to say."""
        relayed, service = self.joined()
        (transport,) = relayed.factory.connections
        transport.stop()
        relayed.flush()
        self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])
        self.assertEqual((relayed.codes, relayed.client.failure.code), ([None], "reset"))
        for side in (service, relayed.client):
            self.assertNotIn("read end", side.events)
        self.assertOver(relayed)

    def test_serverStopsAtTheEnd(self) -> None:
        """What is on its way when both sides have ended arrives all the same."""
        relayed, service = self.joined()
        relayed.link.client.isReading = False
        service.transport.write(LARGE)
        service.transport.loseConnection()
        relayed.client.transport.loseWriteConnection()
        relayed.link.toServer()
        relayed.flush()
        (transport,) = relayed.factory.connections
        transport.stop()
        relayed.link.client.isReading = True
        relayed.flush()
        self.assertEqual((len(relayed.client.received), relayed.codes), (len(LARGE), [None]))

    def test_judgedAgain(self) -> None:
        """A client that may not go on any more is cut, and so is the service."""
        relayed, service = self.joined()
        (transport,) = relayed.factory.connections
        transport.closeBecause(NotAllowed())
        relayed.flush()
        self.assertEqual((relayed.codes, relayed.client.failure.code), (["not-allowed"], "reset"))
        self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])

    def test_endedFromElsewhere(self) -> None:
        """Whatever else ends the client's connection, the service does not take it for the client's end."""
        for ends in ("loseConnection", "abortConnection"):
            relayed, service = self.joined()
            (transport,) = relayed.factory.connections
            getattr(transport, ends)()
            relayed.advance(6)
            self.assertNotIn("read end", service.events)
            self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])

    def withoutHalves(self) -> tuple[Any, Any, Any]:
        relayed, service = self.joined()
        (relay,) = relayed.forwarding.relays
        relay.far.transport = WithoutHalves(relay.far.transport)
        return relayed, service, relay.far

    def test_clientFirstWithoutHalves(self) -> None:
        """Where the connection to the service has no halves, as with Twisted's TLS, the client ends both of them."""
        relayed, service, _ = self.withoutHalves()
        relayed.client.transport.write(b"all")
        relayed.client.transport.loseWriteConnection()
        relayed.flush()
        self.assertEqual((service.received, service.events[-1]), (b"all", "read end"))
        self.assertEqual((relayed.codes, relayed.client.failures), ([None], [None]))

    def test_serviceFirstWithoutHalves(self) -> None:
        """So is the service's: its loss says whether it was in order."""
        for reason, codes in ((ConnectionDone(), [None]), (ConnectionLost(), ["backend-lost"])):
            relayed, service, far = self.withoutHalves()
            service.transport.write(b"all")
            relayed.flush()
            far.connectionLost(Failure(reason))
            relayed.flush()
            relayed.client.transport.loseConnection()
            relayed.flush()
            self.assertEqual((relayed.client.received, relayed.codes), (b"all", codes))

    def test_silenceAfterAnEnd(self) -> None:
        """Where one side has ended, a connection on which nothing moves any more is cut after a while."""
        relayed, service = self.joined(halfCloseTimeout=100.0)
        service.transport.loseWriteConnection()
        for _ in range(10):
            relayed.advance(90)
            relayed.client.transport.write(b"more")
            relayed.flush()
        self.assertEqual(relayed.codes, [])
        relayed.advance(200)
        self.assertEqual(relayed.codes, ["close-timeout"])
        self.assertEqual([type(reason) for reason in service.lost], [ConnectionLost])
        self.assertOver(relayed)

    def test_silenceWithoutAnEnd(self) -> None:
        """Where none has ended, a connection may be silent for ever."""
        relayed, _ = self.joined(halfCloseTimeout=100.0)
        relayed.advance(100_000)
        self.assertEqual(relayed.codes, [])

    def test_freed(self) -> None:
        """A relay that is over is freed with its last user, and not by a collection."""
        gc.disable()
        self.addCleanup(gc.enable)
        for isMade in (True, False):
            relayed = self.relayed()
            (relay,) = relayed.forwarding.relays
            near = weakref.ref(relay.near)
            if isMade:
                service = relayed.backend.accept()
                relayed.client.transport.loseWriteConnection()
                relayed.flush()
                service.transport.loseConnection()
            else:
                with logged():
                    relayed.backend.refuse(ConnectionRefusedError())
                    relayed.advance(2)
            relayed.flush()
            del relay
            for each in (relayed.ended, relayed.backend.asked, relayed.backend.factories):
                each.clear()
            self.assertIsNone(near())

    def test_told(self) -> None:
        """Of each relay it is told once, when both connections are gone, how it ended."""
        relayed, service = self.joined()
        relayed.client.transport.write(b"12345")
        service.transport.write(b"123")
        relayed.flush()
        relayed.tcp.cut()
        relayed.flush()
        (relay,) = relayed.ended
        self.assertEqual((relay.near.received, relay.far.received, relay.failure.code), (5, 3, "backend-lost"))


class WithoutHalves:
    """A transport that knows of no halves."""

    def __init__(self, transport: Any) -> None:
        for name in ("write", "loseConnection", "abortConnection", "unregisterProducer", "registerProducer"):
            setattr(self, name, getattr(transport, name))
        for name in ("pauseProducing", "resumeProducing"):
            setattr(self, name, getattr(transport, name))
