"""When no more files can be open, open connections go on and the log says little of those that are closed."""

import errno
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import _accept
from twisted.logger import Logger, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tlscomm.serving._filelimit import FileLimitLog
from tlscomm.serving._sockets import ListeningSockets


class Full:
    """A listening socket of a process that can open no file, but with the one that was kept back."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.isFull = True

    def accept(self) -> Any:
        if not self.waiting:
            raise BlockingIOError(errno.EAGAIN, "")
        if self.isFull:
            raise OSError(errno.EMFILE, "")
        self.waiting -= 1
        return self, "address"

    def close(self) -> None: ...

    def available(self) -> bool:
        return True

    def __enter__(self) -> None:
        self.isFull = False

    def __exit__(self, *_: object) -> None:
        self.isFull = True


class LogTests(SynchronousTestCase):
    """What a port says through it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.observer = FileLimitLog(self.clock)

    def accept(self, waiting: int) -> None:
        """Have Twisted accept clients while no file can be opened."""
        full = Full(waiting)
        self.assertEqual(list(_accept(Logger(observer=self.observer), range(1000), full, full)), [])
        self.assertEqual(full.waiting, 0)

    def test_flood(self) -> None:
        """A flood of clients is a line at once and one each ten seconds, with how many there were."""
        with capturedLogs() as logs:
            for _ in range(100):
                self.accept(10)
                self.clock.advance(0.1)
            self.clock.advance(10)
            self.clock.advance(10)
        said = [str(formatEvent(event)) for event in logs]
        self.assertEqual([line.partition(" ")[0] for line in said[:2]], ["1", "999"])
        self.assertEqual(len(said), 2)
        self.assertIn("Raise the limit", said[0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others(self) -> None:
        """What has nothing to do with it goes on to the log."""
        with capturedLogs() as logs:
            Logger(observer=self.observer).info("something else")
        self.assertEqual([formatEvent(event) for event in logs], ["something else"])


class PortTests(TestCase):
    """The ports of a server."""

    async def test_used(self) -> None:
        """Each of them has it."""
        sockets = ListeningSockets()
        self.addCleanup(sockets.close)
        listening: Deferred[Any] = sockets.endpoint(reactor, "tcp:0:interface=127.0.0.1").listen(
            Factory.forProtocol(Protocol)
        )
        port = await listening
        self.assertIsInstance(port._logger.observer, FileLimitLog)
        await port.stopListening()
