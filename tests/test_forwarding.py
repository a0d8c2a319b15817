"""``twistd tlscomm --forward``: its options, and real sockets on both sides of a relay."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

from conversation import ROOTS, SERVER
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tlscomm.relaying import Forwarding, Relay
from tlscomm.server import Options, makeService
from tlscomm.x509._encoding import keyPEM, pem

LARGE = bytes(range(256)) * 20_000


class OptionTests(SynchronousTestCase):
    """What is said on the command line."""

    def setUp(self) -> None:
        Path("server.pem").write_bytes(pem((SERVER.certificate,)) + keyPEM(SERVER.privateKey))  # type: ignore[arg-type]
        Path("server.pem").chmod(0o600)
        Path("ca.pem").write_bytes(pem(ROOTS))

    def made(self, *words: str, roots: str = "ca.pem") -> Any:
        options = Options()
        known = ("--client-roots", roots) if roots else ()
        options.parseOptions(["--identity", "server.pem", *known, *words])
        (service,) = makeService(options, MemoryReactorClock()).listeners
        return service

    def assertRefused(self, *words: str, roots: str = "ca.pem", says: str) -> None:
        self.assertIn(says, str(self.assertRaises(ValueError, self.made, *words, roots=roots)))

    def test_takesThePlaceOfAnApplication(self) -> None:
        """The service forwards, and a client has an hour to take what was sent to it."""
        service = self.made("--forward", "tcp:127.0.0.1:1")
        self.assertIsInstance(service.factory.wrappedFactory, Forwarding)
        self.assertEqual(service.factory.configuration.deadlines.write, 3600.0)
        self.assertEqual(self.made().factory.configuration.deadlines.write, 5.0)

    def test_writeTimeout(self) -> None:
        """Another deadline, and none, can be said."""
        for word, seconds in (("7", 7.0), ("0", None)):
            for more in ((), ("--forward", "tcp:127.0.0.1:1")):
                service = self.made("--write-timeout", word, *more)
                self.assertEqual(service.factory.configuration.deadlines.write, seconds)

    def test_both(self) -> None:
        """An application besides is refused, be it the default one."""
        self.assertRefused("--forward", "tcp:127.0.0.1:1", "--application", "echo", says="say one of them")

    def test_demandsCertificates(self) -> None:
        """Clients need a certificate, unless it is said that they do not."""
        words = ("--forward", "tcp:127.0.0.1:1")
        self.assertEqual(self.made(*words).factory.configuration.clientCertificates, "required")
        self.assertRefused(*words, roots="", says="--client-certificates none")
        service = self.made(*words, "--client-certificates", "none", roots="")
        self.assertEqual(service.factory.configuration.clientCertificates, "none")

    def test_staysHere(self) -> None:
        """What was protected does not leave the machine in the clear, unless that is meant."""
        self.assertRefused("--forward", "tcp:redis:6379", says="--insecure-forward-plain")
        self.made("--forward", "tcp:redis:6379", "--insecure-forward-plain")

    def test_wrong(self) -> None:
        """A place that is none is named."""
        self.assertRefused("--forward", "tcp:127.0.0.1:http-or-so", says="--forward tcp:127.0.0.1:http-or-so")
        self.assertRefused("--forward", "unix:a:b:c:d", says="--forward unix:a:b:c:d")


class SocketTests(TestCase):
    """Two real connections, joined."""

    async def joined(self, place: str) -> tuple[socket.socket, socket.socket, Deferred[Relay]]:
        """Return a client's and a service's socket with a relay between, and the relay once it has ended."""
        from twisted.internet import reactor

        ended: Deferred[Relay] = Deferred()
        family = socket.AF_UNIX if place.startswith("unix") else socket.AF_INET
        listening = socket.socket(family)
        listening.bind("service" if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listening.listen()
        self.addCleanup(listening.close)
        name = listening.getsockname()
        backend = clientFromString(reactor, f"unix:{name}" if isinstance(name, str) else f"tcp:127.0.0.1:{name[1]}")
        forwarding = Forwarding(reactor, backend, place, ended=ended.callback)  # type: ignore[arg-type]
        port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(forwarding)
        self.addCleanup(port.stopListening)
        client = await deferToThread(socket.create_connection, ("127.0.0.1", port.getHost().port))
        service, _ = await deferToThread(listening.accept)
        for each in (client, service):
            each.settimeout(20)
            self.addCleanup(each.close)
        return client, service, ended

    async def test_halves(self) -> None:
        """Each side may end first, and gets all that the other says then."""
        for place in ("tcp", "unix"):
            client, service, ended = await self.joined(place)
            await deferToThread(_sendAll, client, b"question")
            self.assertEqual(await deferToThread(_readAll, service), b"question")
            sending = deferToThread(_sendAll, service, LARGE)
            self.assertEqual(await deferToThread(_readAll, client), LARGE)
            await sending
            relay = await ended
            self.assertEqual((relay.failure, relay.near.received, relay.far.received), (None, 8, len(LARGE)))

    async def test_cut(self) -> None:
        """A side that resets its connection has the other one reset."""
        for cutting in (0, 1):
            *sockets, ended = await self.joined("tcp")
            sockets[cutting].sendall(b"half")
            self.assertEqual(await deferToThread(sockets[1 - cutting].recv, 10), b"half")
            sockets[cutting].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sockets[cutting].close()
            with self.assertRaises(ConnectionResetError):
                await deferToThread(sockets[1 - cutting].recv, 10)
            failure = (await ended).failure
            self.assertEqual(failure and failure.code, ("reset", "backend-lost")[cutting])


def _sendAll(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def _readAll(sock: socket.socket) -> bytes:
    pieces = []
    while piece := sock.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)
