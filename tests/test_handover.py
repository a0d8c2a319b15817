"""A server that takes over from another one: in one process, and as two real ones with a client between them."""

import os
import socket
import stat
import tempfile
from pathlib import Path
from typing import Any

from test_twistd import Server, TwistdCase
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from tlscomm.server import CannotListen
from tlscomm.serving._handover import Handover
from tlscomm.serving._sockets import ListeningSockets

PLACE = "tcp:0:interface=127.0.0.1"


class HandoverCase(TestCase):
    """A server that has one socket, and can hand it over."""

    def setUp(self) -> None:
        # The path of a socket has to be short.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "handover")
        self.complaints: list[str] = []
        self.taken: Deferred[None] = Deferred()
        self.former = self.server(lambda: self.taken.callback(None))
        self.former.sockets.open(PLACE)
        self.former.ready()

    def server(self, handedOver: Any = None) -> Handover:
        sockets = ListeningSockets()
        handover = Handover(reactor, self.path, sockets, handedOver or (lambda: None))
        self.addCleanup(sockets.close)
        self.addCleanup(handover.close)
        return handover

    def turn(self) -> Deferred[None]:
        return deferLater(reactor, 0.01)  # type: ignore[arg-type]

    def port(self, handover: Handover) -> int:
        return int(next(iter(handover.sockets)).socket.getsockname()[1])

    async def refusal(self, handover: Handover) -> str:
        """Return why nothing can be taken over."""
        try:
            await deferToThread(handover.take, self.complaints.append)
        except CannotListen as refused:
            self.assertEqual(self.complaints, [refused.message])
            return self.complaints.pop()
        raise AssertionError("it was taken over")


class HandoverTests(HandoverCase):
    """What the two servers do."""

    async def test_taken(self) -> None:
        """The next server has the very same socket, and the former one hears of it when that is ready."""
        next_ = self.server()
        await deferToThread(next_.take, self.complaints.append)
        next_.sockets.open(PLACE)
        self.assertEqual(self.port(next_), self.port(self.former))
        await self.turn()
        self.assertFalse(self.taken.called)
        next_.ready()
        await self.taken

    async def test_another(self) -> None:
        """The next server can be taken over from in its turn, at the same place."""
        next_ = self.server()
        await deferToThread(next_.take, self.complaints.append)
        next_.sockets.open(PLACE)
        next_.ready()
        await self.taken
        await self.turn()
        self.former.close(isHandedOver=True)
        third = self.server()
        await deferToThread(third.take, self.complaints.append)
        third.sockets.open(PLACE)
        self.assertEqual(self.port(third), self.port(next_))

    async def test_failed(self) -> None:
        """Where the next server does not get ready, the former one goes on, says so, and another one can try."""
        next_ = self.server()
        await deferToThread(next_.take, self.complaints.append)
        with capturedLogs() as logs:
            next_.close()
            await self.turn()
        self.assertIn("has not taken over", "".join(map(str, map(formatEvent, logs))))
        self.assertFalse(self.taken.called)
        await deferToThread(self.server().take, self.complaints.append)

    async def test_tooLate(self) -> None:
        """A server that is ready after the former one has given it up is told so, and leaves all files alone."""
        place = f"unix:{self.path}.s"
        self.former.sockets.open(place)
        said: list[str] = []
        next_ = self.server()
        next_.tooLate = said.append
        await deferToThread(next_.take, self.complaints.append)
        next_.sockets.open(place)
        asking: Any = self.former.asking
        asking.transport.abortConnection()
        await self.turn()
        before = [os.lstat(f"{self.path}{end}").st_ino for end in ("", ".s", ".s.lock")]
        next_.ready()
        await self.turn()
        self.assertIn("ready too late", said[0])
        next_.close()
        next_.sockets.close()
        self.assertEqual([os.lstat(f"{self.path}{end}").st_ino for end in ("", ".s", ".s.lock")], before)
        self.assertFalse(self.taken.called)
        await deferToThread(self.server().take, self.complaints.append)

    async def test_formerGone(self) -> None:
        """Where the former server ends before the next one is ready, that one serves, with the files of its sockets."""
        place = f"unix:{self.path}.s"
        self.former.sockets.open(place)
        said: list[str] = []
        next_ = self.server()
        next_.tooLate = said.append
        await deferToThread(next_.take, self.complaints.append)
        next_.sockets.open(place)
        asking: Any = self.former.asking
        await self.turn()
        self.former.close()
        self.former.sockets.close()
        asking.transport.abortConnection()
        next_.ready()
        await self.turn()
        self.assertEqual(said, [])
        for path in (self.path, f"{self.path}.s"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)

    async def test_filesOfOthers(self) -> None:
        """What another process has put at the path of a Unix socket since is not removed at the end."""
        place = f"unix:{self.path}.s"
        self.former.sockets.open(place)
        with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as another:
            for each, path in ((other, self.path), (another, f"{self.path}.s")):
                each.bind(f"{path}.new")
                os.rename(f"{path}.new", path)
            os.remove(f"{self.path}.s.lock")
            os.symlink("1", f"{self.path}.s.lock")
            self.former.close()
            self.former.sockets.close()
            self.assertTrue(all(os.path.lexists(f"{self.path}{end}") for end in ("", ".s", ".s.lock")))

    async def test_one(self) -> None:
        """Two cannot take over at a time."""
        await deferToThread(self.server().take, self.complaints.append)
        self.assertIn("another process is taking over", await self.refusal(self.server()))

    async def test_nonsense(self) -> None:
        """What says something else is cut."""
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(self.path)
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(await deferToThread(stranger.recv, 100), b"")

    async def test_noServer(self) -> None:
        """Where no server is, or what one has left behind, nothing is taken over, and a new one starts."""
        self.former.close()
        self.assertFalse(os.path.exists(self.path))
        self.server().take(self.complaints.append)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        next_ = self.server()
        next_.take(self.complaints.append)
        next_.ready()
        await self.turn()
        third = self.server()
        await deferToThread(third.take, self.complaints.append)

    async def test_otherAnswers(self) -> None:
        """A program there that is no server of ours is not believed."""
        self.former.close()
        with socket.socket(socket.AF_UNIX) as other, socket.socket() as silent:
            other.bind(self.path)
            other.listen()
            for said, descriptors, reason in (
                (b"", [], "without an answer"),
                (b"{}\n", [], "does not say which sockets"),
                (b'{"sockets": [{}]}\n', [silent.fileno()], "no socket that listens"),
            ):
                refusal = self.refusal(self.server())
                answering = deferToThread(self.answer, other, said, descriptors)
                self.assertIn(reason, await refusal)
                await answering

    def answer(self, other: socket.socket, said: bytes, descriptors: list[int]) -> None:
        connection, _ = other.accept()
        with connection:
            connection.recv(100)
            if said:
                socket.send_fds(connection, [said], descriptors)

    def test_private(self) -> None:
        """Only its user can take over."""
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)


class ProcessTests(TwistdCase):
    """Two servers as processes."""

    def serving(self, *words: str) -> tuple[Server, int]:
        return self.serveJSON("--handover", "next", *words)

    def ask(self, port: int) -> None:
        """Have a message echoed."""
        with self.connect(port) as tls:
            tls.sendall(b"there?<EOF>")
            self.assertEqual(tls.recv(100), b"there?<EOF>")

    def test_goesOver(self) -> None:
        """Open connections stay with the former server, new ones come to the next, and the former ends in order.

        The ports for operators go over as well.
        """
        former, port = self.serving("--health", "unix:health")
        with self.connect(port) as early:
            early.sendall(b"half")
            former.event()
            next_, samePort = self.serving("--health", "unix:health")
            self.assertEqual(samePort, port)
            former.untilError("has taken over")
            self.ask(port)
            self.assertEqual(next_.event()["event"], "authenticated")
            early.sendall(b" a message<EOF>")
            self.assertEqual(early.recv(100), b"half a message<EOF>")
            self.assertEqual(early.recv(100), b"")
            early.unwrap().close()
        self.assertEqual(former.ends(), 0)
        self.assertTrue(stat.S_ISSOCK(os.stat("next").st_mode))
        with socket.socket(socket.AF_UNIX) as health:
            health.connect("health")
            health.sendall(b"GET /ready HTTP/1.0\r\n\r\n")
            self.assertIn(b" 200 ", health.recv(1000))
        self.assertEqual(next_.stop(), 0)
        self.assertFalse(os.path.exists("next") or os.path.exists("health"))

    def test_cannotStart(self) -> None:
        """Where the next server cannot start, it says why, and the former one goes on."""
        former, port = self.serving()
        self.ask(port)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            next_ = self.serve("--identity", "server.pem", "--handover", "next", "--listen", place)
            self.assertEqual(next_.ends(), 1)
        self.assertIn("Address already in use", "".join(next_.errors))
        former.untilError("has not taken over")
        self.ask(port)
        self.assertEqual(former.stop(), 0)
