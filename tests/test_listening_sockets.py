"""The listening sockets of a process: what opens them, who else has them, and what is left when they are closed."""

import os
import socket
import stat
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tlscomm.serving._sockets import ListeningSocket, ListeningSockets

PLACE = "tcp:0:interface=127.0.0.1"


class Accepted(Protocol):
    """Tells its factory of its end."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        lost, self.factory.lost = self.factory.lost, Deferred()  # type: ignore[union-attr]
        lost.callback(None)


class Accepting(Factory):
    """Tells of the first connection, and of its end."""

    noisy = False
    protocol = Accepted

    def __init__(self) -> None:
        self.accepted: Deferred[Any] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def buildProtocol(self, addr: Any) -> Any:
        accepted, self.accepted = self.accepted, Deferred()
        accepted.callback(addr)
        return super().buildProtocol(addr)


class KeptSocketsTests(SynchronousTestCase):
    """A process that opens sockets for others, and lets no client in."""

    def opened(self, place: str, **settings: Any) -> tuple[ListeningSockets, ListeningSocket]:
        sockets = ListeningSockets(**settings)
        sockets.open(place)
        self.addCleanup(sockets.close)
        return sockets, next(iter(sockets))

    def test_tcp(self) -> None:
        """A TCP port is open, on the interface that was named, and knows what it is for."""
        _, listening = self.opened(PLACE)
        self.assertEqual((listening.place, listening.socket.getsockname()[0]), (PLACE, "127.0.0.1"))
        socket.create_connection(listening.socket.getsockname()).close()

    def test_tcp6(self) -> None:
        """So it is with version 6 of IP."""
        _, listening = self.opened(r"tcp6:0:interface=\:\:1")
        socket.create_connection(listening.socket.getsockname()[:2]).close()

    def test_notInherited(self) -> None:
        """A program that is started does not get a socket by accident."""
        self.assertFalse(self.opened(PLACE)[1].socket.get_inheritable())

    def test_taken(self) -> None:
        """A port in use is refused as Twisted refuses it."""
        _, listening = self.opened(PLACE)
        port = listening.socket.getsockname()[1]
        self.assertRaises(CannotListenError, ListeningSockets().open, f"tcp:{port}:interface=127.0.0.1")

    def test_shared(self) -> None:
        """Where it was asked for, another process of this user can open the same port."""
        _, listening = self.opened(PLACE, reusePort=True)
        port = listening.socket.getsockname()[1]
        self.opened(f"tcp:{port}:interface=127.0.0.1", reusePort=True)

    def test_inherited(self) -> None:
        """The inherited socket of a place is taken and none is opened; another place gets its own."""
        _, listening = self.opened(PLACE)
        sockets = ListeningSockets([ListeningSocket(PLACE, listening.socket.dup())])
        sockets.open(PLACE)
        sockets.open("tcp:0:interface=127.0.0.1:backlog=3")
        self.addCleanup(sockets.close)
        first, second = (each.socket.getsockname() for each in sockets)
        self.assertEqual(first, listening.socket.getsockname())
        self.assertNotEqual(second, first)

    def test_unix(self) -> None:
        """A Unix socket has the mode that was asked for, and is gone with its lock when it is closed."""
        path = Path(self.mktemp())
        sockets, listening = self.opened(f"unix:{path}:mode=600")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(listening.path, str(path))
        self.assertRaises(CannotListenError, ListeningSockets().open, f"unix:{path}")
        sockets.close()
        self.assertFalse(path.exists() or os.path.lexists(f"{path}.lock"))

    def test_leftUnix(self) -> None:
        """A Unix socket that a killed process left behind is replaced; another file is not."""
        path = Path(self.mktemp())
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(path))
        left.close()
        # No process has such a number.
        os.symlink("99999999", f"{path}.lock")
        self.opened(f"unix:{path}")
        other = Path(self.mktemp())
        other.write_text("a file")
        os.symlink("99999999", f"{other}.lock")
        self.assertRaises(CannotListenError, ListeningSockets().open, f"unix:{other}")
        self.assertEqual(other.read_text(), "a file")

    def test_releasedUnix(self) -> None:
        """One that another process has goes on after it was released here, and is locked by the other."""
        path = Path(self.mktemp())
        sockets, listening = self.opened(f"unix:{path}")
        other = ListeningSockets([ListeningSocket(listening.place, listening.socket.dup(), isLocked=True)])
        self.addCleanup(other.close)
        other.open(listening.place)
        os.remove(f"{path}.lock")
        os.symlink("99999999", f"{path}.lock")
        sockets.release()
        other.own()
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(str(path))
        self.assertEqual(os.readlink(f"{path}.lock"), str(os.getpid()))

    def test_unused(self) -> None:
        """The inherited socket of a place that is not served any more is closed."""
        _, listening = self.opened(PLACE)
        duplicate = listening.socket.dup()
        ListeningSockets([ListeningSocket("tcp:1", duplicate)]).own()
        self.assertEqual(duplicate.fileno(), -1)

    def test_noSocket(self) -> None:
        """What is no endpoint string, or none with a socket, is refused."""
        for place in ("nonsense:1", "tcp:eight", "systemd:domain=INET:index=7"):
            self.assertRaises(ValueError, ListeningSockets().open, place)


class AdoptedTests(TestCase):
    """Ports of Twisted's that have a duplicate."""

    async def listenAndStop(self, place: str, sockets: ListeningSockets) -> ListeningSocket:
        """Accept a client by a port, and stop that."""
        factory = Accepting()
        port: Any = await sockets.endpoint(reactor, place).listen(factory)
        listening = next(iter(sockets))
        accepted = factory.accepted
        client = self.connected(listening)
        await accepted
        client.close()
        await port.stopListening()
        return listening

    def connected(self, listening: ListeningSocket) -> socket.socket:
        client = socket.socket(listening.socket.family)
        self.addCleanup(client.close)
        client.connect(listening.socket.getsockname())
        return client

    async def test_goesOn(self) -> None:
        """When a port has stopped, clients who come can still be accepted by another process with the socket."""
        sockets = ListeningSockets()
        self.addCleanup(sockets.close)
        listening = await self.listenAndStop(PLACE, sockets)
        self.connected(listening)
        listening.socket.accept()[0].close()

    async def test_unixGoesOn(self) -> None:
        """So it is with a Unix socket, whose path and mode stay as they were."""
        path = Path(self.mktemp())
        sockets = ListeningSockets()
        self.addCleanup(sockets.close)
        listening = await self.listenAndStop(f"unix:{path}:mode=600", sockets)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.connected(listening)
        listening.socket.accept()[0].close()

    async def test_waiting(self) -> None:
        """Clients whom the kernel has let in are accepted before the socket is closed for good."""
        sockets, factory = ListeningSockets(), Accepting()
        port: Any = await sockets.endpoint(reactor, PLACE).listen(factory)
        await port.stopListening()
        client = self.connected(next(iter(sockets)))
        accepted = factory.accepted
        sockets.close()
        self.assertEqual((await accepted).port, client.getsockname()[1])
        client.close()
        await factory.lost

    async def test_notOurs(self) -> None:
        """Those who wait in a socket that another process has are left to it."""
        sockets, factory = ListeningSockets(), Accepting()
        port: Any = await sockets.endpoint(reactor, PLACE).listen(factory)
        await port.stopListening()
        listening = next(iter(sockets)).socket.dup()
        self.addCleanup(listening.close)
        client = self.connected(next(iter(sockets)))
        sockets.handOver()
        sockets.close()
        connection, address = listening.accept()
        connection.close()
        self.assertEqual(address[1], client.getsockname()[1])
        self.assertFalse(factory.accepted.called)
