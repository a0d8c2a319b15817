"""More of Twisted's own protocols over tlscomm, and where each finds its peer."""

from __future__ import annotations

from typing import Any

from test_ordinary_protocols import OrdinaryCase
from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.manhole import Manhole
from twisted.conch.telnet import TelnetBootstrapProtocol, TelnetTransport
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.spread import pb


class Desk(pb.Referenceable):
    """What one caller gets to call."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker

    def remote_who(self) -> str:
        return self.broker.transport.peer.dnsNames[0]  # type: ignore[no-any-return]


class Door(pb.Root):
    """Makes a `Desk` for each connection, before it has one: ``broker.transport`` is ours when it is called."""

    def rootObject(self, broker: Any) -> Desk:
        return Desk(broker)


class PerspectiveBroker(OrdinaryCase):
    async def test_caller(self) -> None:
        """The root object of Perspective Broker is made for the caller that the certificate names."""
        port = await self.serve(pb.PBServerFactory(Door()))
        factory: Any = pb.PBClientFactory()
        await self.endpoint(port).connect(factory)
        desk = await factory.getRootObject()
        self.assertEqual(await desk.callRemote("who"), "localhost")
        factory.disconnect()
        await self.record.next("closed")


class Terminal(Protocol):
    """Types one line, and waits for what is said to it."""

    def __init__(self, line: bytes, awaited: bytes) -> None:
        self.said: Deferred[None] = Deferred()
        self._line = line
        self._awaited = awaited
        self._received = b""

    def connectionMade(self) -> None:
        self.transport.write(self._line + b"\r\n")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._awaited in self._received and not self.said.called:
            self.said.callback(None)


class ManholeTests(OrdinaryCase):
    async def test_manhole(self) -> None:
        """Conch's manhole takes the lines of a client with a certificate, whose name the namespace may hold."""

        class Naming(Manhole):
            def connectionMade(self) -> None:
                super().connectionMade()
                # The terminal is over telnet, and that over us.
                self.interpreter.locals["peer"] = self.terminal.transport.transport.transport.peer

        server: Any = Factory()
        server.protocol = lambda: TelnetTransport(TelnetBootstrapProtocol, ServerProtocol, Naming)
        port = await self.serve(server)
        client: Any = await connectProtocol(
            self.endpoint(port), Terminal(b"peer.dnsNames[0] * 2", b"localhostlocalhost")
        )
        await client.said
        client.transport.loseConnection()
        await self.record.next("closed")
        # Of telnet's offers, which this client has left without an answer.
        self.flushLoggedErrors(ConnectionDone)
