"""What becomes of a connection before there is one: which address is used, and what is left when it is given up.

That no socket is left is what trial checks after each test.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from interop import (
    LOOPBACK,
    PATIENCE,
    PATIENT,
    Asker,
    InteropCase,
    credential,
    reactor,
    root,
    serverContext,
)
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.messages import MessageFactory


@implementer(IHostnameResolver)
class Resolver:
    """Knows the addresses of every host, or, where it has none, never answers."""

    def __init__(self, *addresses: IPv4Address | IPv6Address) -> None:
        self.addresses = addresses
        self.asked = 0

    def resolveHostName(self, receiver: Any, hostName: str, *_args: Any, **_more: Any) -> Any:
        self.asked += 1
        resolution = Resolution(hostName)
        receiver.resolutionBegan(resolution)
        for address in self.addresses:
            receiver.addressResolved(address)
        if self.addresses:
            receiver.resolutionComplete()
        return resolution


@implementer(IHostResolution)
class Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """There is nothing to stop."""


class ConnectingTests(InteropCase):
    """Our client endpoint for a host."""

    def toHost(self, host: str, port: int) -> TLSClientEndpoint:
        return TLSClientEndpoint.toHost(
            reactor,
            host,
            port,
            serverName="localhost",
            roots=(root().certificate,),
            credential=credential("client"),
            deadlines=PATIENT,
        )

    def resolving(self, *addresses: IPv4Address | IPv6Address) -> Resolver:
        """Make the reactor know these addresses of every host."""
        resolver = Resolver(*addresses)
        self.addCleanup(reactor.installNameResolver, reactor.installNameResolver(resolver))
        return resolver

    def deafPort(self) -> int:
        """Return a port where nothing listens, and which nobody else gets."""
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])

    async def cancelled(self, connecting: Deferred[Any]) -> None:
        connecting.cancel()
        await self.assertFailure(connecting, CancelledError)

    async def test_happyEyeballs(self) -> None:
        """Where nothing listens on a host's first address, its next one is used."""
        port = await self.serve()
        self.resolving(IPv6Address("TCP", "::1", self.deafPort()), IPv4Address("TCP", LOOPBACK, port))
        asker: Any = await self.toHost("two.example", port).connect(MessageFactory(Asker, framing="line"))
        self.assertEqual(await asker.request("hello"), "hello")
        await self.finish(asker)

    async def test_underscore(self) -> None:
        """A host whose name has an underscore, as containers have them, can be connected to."""
        port = await self.serve()
        self.resolving(IPv4Address("TCP", LOOPBACK, port))
        asker: Any = await self.toHost("my_host", port).connect(MessageFactory(Asker, framing="line"))
        await self.finish(asker)

    async def test_nothingListens(self) -> None:
        """Where nothing listens, the connection fails by that name."""
        failure = await self.failureOf(self.toHost(LOOPBACK, self.deafPort()).connect(MessageFactory(Asker)))
        self.assertEqual((failure.code, failure.side, failure.stage), ("connect-failed", "remote", "connect"))

    async def test_cancelResolving(self) -> None:
        """A connection can be cancelled while its host's name is looked up."""
        resolver = self.resolving()
        connecting = self.toHost("slow.example", 1).connect(MessageFactory(Asker))
        self.assertEqual(resolver.asked, 1)
        await self.cancelled(connecting)

    async def test_cancelConnecting(self) -> None:
        """A connection can be cancelled before TCP is connected."""
        await self.cancelled(self.connect(await self.serve()))

    async def test_cancelHandshake(self) -> None:
        """A connection can be cancelled in the handshake, and the server sees it go."""
        listener = socket.create_server((LOOPBACK, 0))
        begun: Deferred[None] = Deferred()
        going = deferToThread(awaitEnd, listener, lambda tcp: tcp.recv(1), lambda: begun.callback(None))
        connecting = self.connect(listener.getsockname()[1])
        await begun
        await self.cancelled(connecting)
        await going

    async def test_cancelAcceptance(self) -> None:
        """A connection can be cancelled while its acceptance is awaited, and the server sees it go."""
        listener = socket.create_server((LOOPBACK, 0))
        context = serverContext(version="1.3")
        context.num_tickets = 0
        begun: Deferred[None] = Deferred()
        going = deferToThread(
            awaitEnd, listener, lambda tcp: context.wrap_socket(tcp, server_side=True), lambda: begun.callback(None)
        )
        settled: list[Any] = []
        connecting = self.connect(listener.getsockname()[1]).addBoth(passing, settled)
        await begun
        self.assertEqual(settled, [])
        await self.cancelled(connecting)
        await going


def passing(result: Any, passed: list[Any]) -> Any:
    """Note a result of a Deferred, and pass it on."""
    passed.append(result)
    return result


def awaitEnd(listener: socket.socket, begin: Callable[[socket.socket], Any], tell: Callable[[], object]) -> None:
    """Take a connection, do the first of what a server does, tell so, and read until the client has gone."""
    with listener:
        listener.settimeout(PATIENCE)
        tcp, _ = listener.accept()
    with tcp:
        tcp.settimeout(PATIENCE)
        begun = begin(tcp)
        with (
            begun if isinstance(begun, ssl.SSLSocket) else tcp as connection,
            contextlib.suppress(ssl.SSLError, ConnectionError),
        ):
            reactor.callFromThread(tell)
            while connection.recv(1 << 16):
                pass
