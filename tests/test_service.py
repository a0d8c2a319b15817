"""The server as a service, in memory: what it opens, what it says, and how it ends."""

import errno
import io
import json
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IListeningPort, IProtocolNegotiationFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LegacyLogObserverWrapper, capturedLogs, formatEvent
from twisted.python.log import FileLogObserver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.failures import FileNotFound
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.server import CannotListen, Echo, Greet, Listener, TLSService, applicationNamed, factoryFor
from tlscomm.serving._eventlog import eventLog
from tlscomm.serving._lines import JSONLines
from tlscomm.testing import MemoryLink
from tlscomm.transport import TLSFactory
from tlscomm.transport._acceptance import DOUBT_SECONDS
from tlscomm.transport._eventlog import EventLog

AUTHORITY = Authority.create()
ROOTS = (AUTHORITY.certificate,)
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")


@implementer(IListeningPort)
class Port:
    """A port that is open until it is told otherwise."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.isOpen = True

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", self.number)

    def startListening(self) -> None: ...

    def stopListening(self) -> Deferred[None]:
        self.isOpen = False
        return succeed(None)


@implementer(IStreamServerEndpoint)
class Endpoint:
    """An endpoint that answers what it is given, and keeps the factory."""

    def __init__(self, answer: Deferred[Any]) -> None:
        self.answer = answer

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        self.factory = protocolFactory
        return self.answer


class Client(MessageProtocol):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def messageReceived(self, message: Any) -> None:
        self.messages.append(message)


class ServiceCase(SynchronousTestCase):
    """A service that writes its events as JSON into memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stream = io.BytesIO()
        self.complaints: list[str] = []

    def service(self, *endpoints: Endpoint, application: Any = None, **settings: Any) -> TLSService:
        configuration = {"credential": SERVER, "clientRoots": ROOTS, **settings.pop("configuration", {})}
        return TLSService(
            self.clock,
            ServerConfiguration(**configuration),
            application or MessageFactory(Echo, clock=self.clock),
            [Listener(f"place {number}", endpoint) for number, endpoint in enumerate(endpoints)],
            EventLog(JSONLines(self.stream, self.clock), self.clock),
            complain=self.complaints.append,
            **settings,
        )

    def started(self, *numbers: int, **settings: Any) -> tuple[TLSService, list[Port]]:
        ports = [Port(number) for number in numbers or (8443,)]
        service = self.service(*(Endpoint(succeed(port)) for port in ports), **settings)
        service.privilegedStartService()
        service.startService()
        return service, ports

    def connect(self, service: TLSService, **settings: Any) -> MemoryLink:
        """Connect a client, and let both sides say all that they have to say."""
        settings = {"serverName": "localhost", "roots": ROOTS, "credential": CLIENT, **settings}
        factory = TLSFactory(ClientConfiguration(**settings), MessageFactory(Client, clock=self.clock), self.clock)
        server = service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001))
        assert server is not None
        link = MemoryLink(factory.buildProtocol(None), server)
        self.flush(link)
        return link

    def flush(self, link: MemoryLink) -> None:
        link.flush()
        self.clock.advance(DOUBT_SECONDS if link.client.protocol.isInDoubt else 0)
        link.flush()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def above(link: MemoryLink) -> Client:
    """The client's protocol above its TLS transport."""
    return link.client.protocol.protocol


class StartTests(ServiceCase):
    """A service that starts."""

    def test_privilegedStart(self) -> None:
        """Ports are opened while there are privileges, and nothing is said until the start is certain."""
        port = Port(8443)
        endpoint = Endpoint(succeed(port))
        service = self.service(endpoint)
        service.privilegedStartService()
        self.assertIs(endpoint.factory, service.factory)
        self.assertEqual(self.events(), [])
        service.startService()
        self.assertEqual(
            self.events(),
            [
                {
                    "event": "listening",
                    "version": 1,
                    "level": "info",
                    "time": "1970-01-01T00:00:00.000+00:00",
                    "address": "127.0.0.1:8443",
                }
            ],
        )

    def test_noPrivilegedStart(self) -> None:
        """A service that is started without privileges opens its ports all the same, once."""
        service = self.service(Endpoint(succeed(Port(8443))))
        service.startService()
        self.assertEqual(len(self.events()), 1)
        self.assertTrue(service.running)

    def test_severalPorts(self) -> None:
        """Each port has its event, and all addresses are told together."""
        told: list[Any] = []
        self.started(8443, 8444, whenListening=told.append)
        self.assertEqual([event["address"] for event in self.events()], ["127.0.0.1:8443", "127.0.0.1:8444"])
        self.assertEqual(told, [["127.0.0.1:8443", "127.0.0.1:8444"]])

    def test_portInUse(self) -> None:
        """A port in use is one message with a next step, ends the program with 1, and leaves no port open."""
        first = Port(8443)
        inUse = CannotListenError("127.0.0.1", 8444, OSError(errno.EADDRINUSE, "whatever"))
        service = self.service(Endpoint(succeed(first)), Endpoint(fail(inUse)))
        refusal = self.assertRaises(CannotListen, service.privilegedStartService)
        self.assertEqual((refusal.code, str(refusal)), (1, "place 1: Address already in use"))
        self.assertEqual(
            self.complaints,
            [
                "cannot listen on place 1: Address already in use\n"
                "Next step: Stop the program that listens there, or listen on another port."
            ],
        )
        self.assertFalse(first.isOpen)
        self.assertEqual(self.events(), [])

    def test_otherReasons(self) -> None:
        """Whatever keeps a port from being opened, the message says it."""
        for problem, said in (
            (OSError(errno.EACCES, ""), "Permission denied\nNext step: Start as root"),
            (OSError(errno.EADDRNOTAVAIL, ""), "Cannot assign requested address\nNext step: Listen on an address that"),
            (OverflowError("port must be 0-65535"), "port must be 0-65535\nNext step: Correct"),
        ):
            service = self.service(Endpoint(fail(problem)))
            self.assertRaises(CannotListen, service.startService)
            self.assertIn(said, self.complaints.pop())

    def test_lateEndpoint(self) -> None:
        """An endpoint that takes its time has its event when it listens."""
        answer: Deferred[Any] = Deferred()
        self.service(Endpoint(answer)).startService()
        self.assertEqual(self.events(), [])
        answer.callback(Port(8443))
        self.assertEqual([event["address"] for event in self.events()], ["127.0.0.1:8443"])

    def test_lateFailure(self) -> None:
        """An endpoint that fails late is complained about."""
        answer: Deferred[Any] = Deferred()
        self.service(Endpoint(answer)).startService()
        answer.errback(OSError(errno.EADDRINUSE, ""))
        self.assertEqual(len(self.complaints), 1)

    def test_stoppedBeforeItListens(self) -> None:
        """An endpoint that takes its time is given up when the service stops."""
        answer: Deferred[Any] = Deferred()
        service = self.service(Endpoint(answer))
        service.startService()
        self.successResultOf(service.stopService())
        self.assertEqual((self.complaints, self.events()), ([], []))

    def test_startedAgain(self) -> None:
        """A service that was stopped can be started again."""
        service = self.service(Endpoint(succeed(Port(8443))))
        service.startService()
        self.successResultOf(service.stopService())
        service.startService()
        self.assertEqual(len(self.events()), 2)

    def test_applicationProtocols(self) -> None:
        """The application protocols of an application are offered to clients (ALPN)."""

        @implementer(IProtocolNegotiationFactory)
        class Negotiating(Factory):
            protocol = Protocol

            def acceptableProtocols(self) -> list[bytes]:
                return [b"one", b"two"]

        service, _ = self.started(application=Negotiating())
        self.connect(service, applicationProtocols=(b"two",))
        self.assertEqual(self.events()[1]["tls"]["alpn"], "two")


class ConnectionTests(ServiceCase):
    """What a running service does and says."""

    def test_accepted(self) -> None:
        """An accepted client is an event with what was agreed and who it is, and its messages are answered."""
        service, _ = self.started()
        self.clock.advance(1.5)
        link = self.connect(service)
        above(link).sendMessage("Grüße")
        self.flush(link)
        self.assertEqual(above(link).messages, ["Grüße"])
        transport = link.server.protocol
        self.assertEqual(
            self.events()[1:],
            [
                {
                    "event": "authenticated",
                    "version": 1,
                    "level": "info",
                    "time": "1970-01-01T00:00:01.500+00:00",
                    "connection": 1,
                    "peer": "127.0.0.1:40001",
                    "tls": transport.tls.toJSON(),
                    "certificate": json.loads(json.dumps(transport.peer.toJSON())),
                    "clientCertificates": "required",
                }
            ],
        )

    def test_closed(self) -> None:
        """The end of a connection is an event with what went over it."""
        service, _ = self.started()
        link = self.connect(service)
        above(link).sendMessage("Grüße")
        self.flush(link)
        above(link).loseConnection()
        self.flush(link)
        self.assertEqual(
            self.events()[2:],
            [
                {
                    "event": "closed",
                    "version": 1,
                    "level": "info",
                    "time": "1970-01-01T00:00:00.050+00:00",
                    "connection": 1,
                    "peer": "127.0.0.1:40001",
                    "failure": None,
                    "bytesReceived": 12,
                    "bytesSent": 12,
                    "messagesReceived": 1,
                    "messagesSent": 1,
                }
            ],
        )

    def test_broken(self) -> None:
        """A connection that breaks is an event that names the failure."""
        service, _ = self.started()
        link = self.connect(service)
        link.cut()
        self.assertEqual(self.events()[2]["failure"]["code"], "reset")

    def test_otherProtocols(self) -> None:
        """A protocol that knows no messages has no number of them."""
        service, _ = self.started(application=Factory.forProtocol(Protocol))
        self.connect(service).cut()
        closed = self.events()[2]
        self.assertEqual((closed["bytesReceived"], closed["messagesReceived"], closed["messagesSent"]), (0, None, None))

    def test_noCertificate(self) -> None:
        """A client that need not show a certificate, and shows none, is accepted and not authenticated."""
        for asked, settings in (("none", {"clientRoots": ()}), ("requested", {"clientCertificates": "requested"})):
            self.stream = io.BytesIO()
            service, _ = self.started(configuration=settings)
            self.connect(service, credential=None)
            event = self.events()[-1]
            self.assertEqual(
                (event["event"], event["certificate"], event["clientCertificates"]), ("accepted", None, asked)
            )

    def test_refused(self) -> None:
        """A refused client is an event that names the failure, and has a number of its own."""
        service, _ = self.started()
        self.connect(service)
        self.connect(service, credential=None)
        event = self.events()[2]
        self.assertEqual((event["event"], event["connection"], event["peer"]), ("refused", 2, "127.0.0.1:40001"))
        self.assertEqual((event["failure"]["code"], event["failure"]["side"]), ("no-certificate", "local"))

    def test_tooMany(self) -> None:
        """The limit of connections is one for all ports, and who comes too late is an event."""
        service, _ = self.started(8443, 8444, maximumConnections=1)
        self.assertEqual(len({id(listener.endpoint.factory) for listener in service.listeners}), 1)
        self.connect(service)
        self.assertIsNone(service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40002)))
        event = self.events()[3]
        self.assertEqual((event["peer"], event["failure"]["code"]), ("127.0.0.1:40002", "too-many-connections"))


class StopTests(ServiceCase):
    """A service that stops."""

    def test_inOrder(self) -> None:
        """Ports are closed, connections end with what was sent and close_notify, and then the service has ended."""
        service, ports = self.started(8443, 8444)
        link = self.connect(service)
        client = above(link)
        link.server.protocol.protocol.sendMessage("last words")
        stopping = service.stopService()
        self.assertEqual([port.isOpen for port in ports], [False, False])
        self.assertFalse(service.running)
        self.assertNoResult(stopping)
        self.flush(link)
        self.clock.advance(1)
        self.successResultOf(stopping)
        self.assertEqual(client.messages, ["last words"])
        self.assertIsNone(self.events()[-1]["failure"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_atOnce(self) -> None:
        """A connection that a stop cuts at once has not ended in order, and its event says so."""
        service, _ = self.started()
        link = self.connect(service)
        stopping = service.stopService()
        service.endNow()
        link.server.lose(ConnectionDone())
        self.clock.pump([1.0] * 20)
        self.successResultOf(stopping)
        self.assertEqual(self.events()[-1]["failure"]["code"], "close-timeout")

    def test_deaf(self) -> None:
        """A client that does not answer is cut after the close deadline, and the event says so."""
        service, _ = self.started(configuration={"deadlines": Deadlines(close=3)})
        link = self.connect(service)
        stopping = service.stopService()
        link.toClient()
        self.clock.pump([0.1] * 29)
        self.assertNoResult(stopping)
        self.clock.pump([0.2, 0.1])
        link.server.lose(ConnectionDone())
        self.clock.advance(0.1)
        self.successResultOf(stopping)
        self.assertEqual(self.events()[-1]["failure"]["code"], "close-timeout")

    def test_full(self) -> None:
        """A client that takes nothing does not make the stop longer, even where it may take its time."""
        service, _ = self.started(configuration={"deadlines": Deadlines(close=3, write=None)})
        link = self.connect(service)
        link.server.protocol.protocol.sendMessage("x" * 1000000)
        stopping = service.stopService()
        self.clock.pump([0.1] * 29)
        self.assertNoResult(stopping)
        self.assertFalse(link.server.wasAborted)
        self.clock.pump([0.2, 0.1])
        self.assertTrue(link.server.wasAborted)
        link.flush()
        self.clock.advance(0.1)
        self.successResultOf(stopping)
        self.assertEqual(self.events()[-1]["event"], "closed")

    def test_withoutDeadline(self) -> None:
        """A stop ends also where connections may take for ever to end."""
        service, _ = self.started(configuration={"deadlines": Deadlines(close=None, write=None)})
        link = self.connect(service)
        stopping = service.stopService()
        self.clock.pump([1.0] * 5)
        link.flush()
        self.clock.pump([1.0] * 5)
        self.successResultOf(stopping)

    def test_inHandshake(self) -> None:
        """A client that is not accepted yet is cut at once."""
        service, _ = self.started()
        server = service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001))
        link = MemoryLink(Protocol(), server)
        stopping = service.stopService()
        self.assertTrue(link.server.wasAborted)
        link.flush()
        self.clock.advance(1)
        self.successResultOf(stopping)

    def test_nothingOpen(self) -> None:
        """Without connections it ends at once."""
        service, _ = self.started()
        self.successResultOf(service.stopService())


class ReloadTests(ServiceCase):
    """The configuration is read again while the server runs."""

    def test_rules(self) -> None:
        """What was read holds for new connections, and open ones whose peer is not let in any more end."""
        service, _ = self.started(readAgain=lambda: ServerConfiguration(**self.narrow))
        link = self.connect(service)
        self.assertTrue(self.successResultOf(service.reload()))
        self.clock.advance(0)
        link.flush()
        events = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        self.assertEqual(events[-1]["failure"]["code"], "not-allowed")
        self.assertFalse(link.server.connected)
        self.connect(service)
        self.assertEqual(json.loads(self.stream.getvalue().splitlines()[-1])["event"], "refused")

    def test_unreadable(self) -> None:
        """What cannot be read is said in the log by its name, and nothing changes."""

        def fail() -> ServerConfiguration:
            raise FileNotFound("ca.pem")

        service, _ = self.started(readAgain=fail)
        link, before = self.connect(service), service.factory.configuration
        with capturedLogs() as captured:
            self.assertFalse(self.successResultOf(service.reload()))
        self.assertIn("file-not-found", formatEvent(captured[0]))
        self.assertIs(service.factory.configuration, before)
        self.assertTrue(link.server.connected)

    def test_signal(self) -> None:
        """SIGHUP reads it again while the service runs; afterwards the signal means what it meant before."""
        before = signal.getsignal(signal.SIGHUP)
        service, _ = self.started(readAgain=lambda: ServerConfiguration(**self.narrow))
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(str(service.factory.configuration.verifier.access.allow[0]), "cn=nobody")
        self.successResultOf(service.stopService())
        self.assertIs(signal.getsignal(signal.SIGHUP), before)

    def test_nothingToRead(self) -> None:
        """A service that was made without a way to read again has no reload, and leaves the signal alone."""
        before = signal.getsignal(signal.SIGHUP)
        service, _ = self.started()
        self.assertFalse(self.successResultOf(service.reload()))
        self.assertIs(signal.getsignal(signal.SIGHUP), before)

    narrow: Any = {"credential": SERVER, "clientRoots": ROOTS, "access": AccessRules.parse(["cn=nobody"])}


class LogTests(ServiceCase):
    """How events are written."""

    def write(self, **settings: Any) -> list[dict[str, Any]]:
        """Have one connection of each kind, and return what Twisted's log was told."""
        log = eventLog("text", self.clock)
        with capturedLogs() as captured:
            service, _ = self.started(**settings)
            service.factory.observer = log
            log.listening("127.0.0.1:8443")
            link = self.connect(service)
            above(link).sendMessage("Hello")
            self.flush(link)
            above(link).loseConnection()
            self.flush(link)
            self.connect(service).cut()
            self.connect(service, credential=None)
        return [event for event in captured if "event" in event]

    def test_text(self) -> None:
        """As text each event is one line that a person can read, and what needs attention is a warning."""
        lines = [f"{event['log_level'].name} {formatEvent(event)}" for event in self.write()]
        self.assertEqual(lines[0], "info listening on 127.0.0.1:8443")
        self.assertEqual(
            lines[1],
            "info connection 1 from 127.0.0.1:40001 authenticated: CN=client, TLSv1.3, TLS_AES_256_GCM_SHA384",
        )
        self.assertEqual(
            lines[2],
            "info connection 1 from 127.0.0.1:40001 closed (10 bytes in 1 message received, 10 bytes in 1 message "
            "sent), in order",
        )
        self.assertTrue(
            lines[4].startswith(
                "warn connection 2 from 127.0.0.1:40001 closed (0 bytes in 0 messages received, 0 bytes in 0 messages "
                "sent), reset: "
            ),
            lines[4],
        )
        self.assertTrue(
            lines[5].startswith("warn connection 3 from 127.0.0.1:40001 refused, no-certificate: "), lines[5]
        )
        self.assertEqual(len(lines), 6)
        self.assertFalse([line for line in lines if "\n" in line])

    def test_textOfSeveral(self) -> None:
        """Where there was a choice the text says which certificate was shown, and why."""
        lines = [formatEvent(event) for event in self.write(configuration={"others": (SERVER,)})]
        self.assertTrue(lines[1].endswith("; we showed CN=server, it is the first"), lines[1])

    def test_textOfOtherProtocols(self) -> None:
        """The text of a protocol without messages speaks of bytes alone."""
        service, _ = self.started(application=Factory.forProtocol(Protocol), configuration={"clientRoots": ()})
        service.factory.observer = eventLog("text", self.clock)
        with capturedLogs() as captured:
            self.connect(service, credential=None).cut()
        lines = [formatEvent(event) for event in captured if "event" in event]
        self.assertTrue(
            lines[0].startswith(
                "connection 1 from 127.0.0.1:40001 accepted without authentication: no client certificate is asked "
                "for, TLSv1.3, "
            ),
            lines[0],
        )
        self.assertIn("closed (0 bytes received, 0 bytes sent)", lines[1])

    def test_namedFields(self) -> None:
        """The facts are fields of Twisted's event, under the names that they have in JSON."""
        authenticated, closed = self.write()[1:3]
        self.assertEqual((authenticated["connection"], authenticated["tls"].version), (1, "TLSv1.3"))
        self.assertEqual(authenticated["certificate"].commonName, "client")
        self.assertEqual((closed["bytesReceived"], closed["messagesSent"], closed["failure"]), (10, 1, None))

    def test_olderObservers(self) -> None:
        """An observer of Twisted's older kind writes the same lines; it has a time of its own."""
        stream = io.StringIO()
        older = LegacyLogObserverWrapper(FileLogObserver(stream).emit)
        for event in self.write():
            older(event)
        self.assertEqual(len(stream.getvalue().splitlines()), 6)
        self.assertIn("listening on 127.0.0.1:8443", stream.getvalue())

    def test_daemon(self) -> None:
        """Without a standard output the JSON is the text of a line in Twisted's log."""
        log = eventLog("json", self.clock, foreground=False)
        with capturedLogs() as captured:
            log.listening("127.0.0.1:8443")
        self.assertEqual(json.loads(str(formatEvent(captured[0])))["address"], "127.0.0.1:8443")


class ApplicationTests(SynchronousTestCase):
    """The applications, and how they are named."""

    def test_names(self) -> None:
        """Those that come along have short names."""
        self.assertEqual((applicationNamed("echo"), applicationNamed("greet")), (Echo, Greet))

    def test_greet(self) -> None:
        """The greeting is the same whatever is said, with every framing."""
        for framing in ("eof", "line", "netstring", "int32"):
            self.assertIn(b"Hello from the server.", self._answer(Greet, framing))

    def test_echo(self) -> None:
        """The echo is what was said, with every framing."""
        for framing in ("eof", "line", "netstring", "int32"):
            self.assertIn("Grüße".encode(), self._answer(Echo, framing))

    def test_classWithSettings(self) -> None:
        """A class that extends MessageProtocol gets the server's framing, limit and deadline."""
        factory: Any = factoryFor(Client, framing="line", maximumMessage=7, readTimeout=None)
        self.assertEqual(
            (factory.protocol, factory.framing.name, factory.maximumMessage, factory.readTimeout),
            (Client, "line", 7, None),
        )

    def test_factory(self) -> None:
        """A factory of Twisted's is used as it is, and so is what a callable returns."""
        factory = Factory.forProtocol(Protocol)
        self.assertIs(factoryFor(factory), factory)
        self.assertIs(factoryFor(lambda: factory), factory)
        self.assertIsInstance(factoryFor(Factory), Factory)

    def test_callableForClass(self) -> None:
        """A callable may as well return a class."""
        made: Any = factoryFor(lambda: Greet)
        self.assertIs(made.protocol, Greet)

    def test_plainProtocol(self) -> None:
        """A class of protocols that knows no messages is served, too."""
        factory: Any = factoryFor(Protocol)
        self.assertIs(factory.protocol, Protocol)

    def test_neither(self) -> None:
        """What is no application is refused, with its name and why."""
        self.assertRaisesRegex(ValueError, "is neither a class of protocols nor", factoryFor, lambda: 3)
        self.assertRaisesRegex(ValueError, "is neither a class of protocols nor", factoryFor, 3)
        self.assertRaisesRegex(ValueError, r"cannot be called: ZeroDivisionError", factoryFor, lambda: 1 / 0)

    def test_fromHere(self) -> None:
        """A module in the folder where the program was started is found without installation."""
        self.patch(sys, "path", list(sys.path))
        self.addCleanup(sys.modules.pop, "applicationofmine", None)
        Path("applicationofmine.py").write_text("class Some:\n    inner = 'found'\n")
        self.assertEqual(applicationNamed("applicationofmine:Some.inner"), "found")

    def test_wrongNames(self) -> None:
        """A name that leads nowhere is refused with the part that is wrong."""
        self.patch(sys, "path", list(sys.path))
        Path("brokenapplication.py").write_text("1 / 0\n")
        for name, said in (
            ("ehco", "no application is named 'ehco'; there are echo, greet"),
            ("nowhere.at.all:factory", r"nowhere.at.all cannot be imported: ModuleNotFoundError"),
            ("brokenapplication:factory", "brokenapplication cannot be imported: ZeroDivisionError"),
            ("tlscomm.messages:Nothing", "the module tlscomm.messages has no 'Nothing'"),
            (":x", "no application is named ':x'"),
            ("x:", "no application is named 'x:'"),
        ):
            self.assertRaisesRegex(ValueError, said, applicationNamed, name)

    def _answer(self, application: type[MessageProtocol], framing: str) -> bytes:
        factory = MessageFactory(application, framing=framing, clock=Clock())
        protocol, transport = factory.buildProtocol(None), StringTransport()
        protocol.makeConnection(transport)
        protocol.dataReceived(factory.framing.encode("Grüße", 1000))
        return transport.value()
