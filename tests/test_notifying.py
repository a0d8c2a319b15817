"""What systemd is told of a server, as a real datagram socket receives it."""

import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import FileNotFound
from tlscomm.serving._notifying import Notifier, SystemdObserver, systemdObserver
from tlscomm.serving._phases import ServerPhase
from tlscomm.watching._reloadresult import ReloadResult


class NotifyingCase(SynchronousTestCase):
    """A manager that listens."""

    def setUp(self) -> None:
        # The path of a socket has to be short.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "notify")
        self.manager = self.listening(self.path)
        self.clock = Clock()
        self.connections = 0

    def listening(self, address: str) -> socket.socket:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.setblocking(False)
        return manager

    def observer(self, watchdog: float | None = None, **more: Any) -> SystemdObserver:
        return SystemdObserver(Notifier(self.path), self.clock, lambda: self.connections, watchdog=watchdog, **more)

    def told(self) -> list[dict[str, str]]:
        """Return the messages that have come."""
        messages = []
        while True:
            try:
                message = self.manager.recv(4096).decode()
            except BlockingIOError:
                return messages
            messages.append(dict(line.split("=", 1) for line in message.split("\n")))


class NotifyingTests(NotifyingCase):
    """The life of a server."""

    def test_life(self) -> None:
        """A server says that it is ready, then that it stops, with a status for people, and in the end nothing more."""
        observer = self.observer()
        observer.entered(ServerPhase.READY)
        self.connections = 2
        observer.entered(ServerPhase.DRAINING)
        observer.entered(ServerPhase.STOPPED)
        self.assertEqual(
            self.told(),
            [
                {"READY": "1", "STATUS": "ready, 0 connections"},
                {"STOPPING": "1", "STATUS": "draining, 2 connections", "EXTEND_TIMEOUT_USEC": "20000000"},
                {"STATUS": "stopped"},
            ],
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reload(self) -> None:
        """A reload is told with the time of its beginning, and then its result."""
        observer = self.observer()
        observer.entered(ServerPhase.READY)
        observer.entered(ServerPhase.RELOADING)
        observer.reloaded(ReloadResult(0.0, "signal", FileNotFound("ca.pem")))
        observer.entered(ServerPhase.READY)
        _, reloading, result, ready = self.told()
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertGreater(int(reloading["MONOTONIC_USEC"]), 0)
        self.assertIn("configuration not taken", result["STATUS"])
        self.assertIn("ca.pem", result["STATUS"])
        self.assertEqual(ready["READY"], "1")

    def test_watchdog(self) -> None:
        """A sign of life comes at half of the time after which the manager would be worried, from the reactor."""
        observer = self.observer(watchdog=30)
        observer.entered(ServerPhase.READY)
        self.told()
        self.clock.advance(14.9)
        self.assertEqual(self.told(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.told()[0]["WATCHDOG"], "1")
        self.clock.pump([15.0] * 4)
        self.assertEqual([message["WATCHDOG"] for message in self.told()], ["1"] * 4)

    def test_notWell(self) -> None:
        """A server that does not do what it is for gives no sign of life: a supervisor whose workers are silent."""
        observer = self.observer(watchdog=30, isWell=lambda: False)
        observer.entered(ServerPhase.READY)
        self.told()
        self.clock.pump([15.0] * 4)
        self.assertEqual([message for message in self.told() if "WATCHDOG" in message], [])

    def test_status(self) -> None:
        """The number of connections is told when it has changed, and not more often than every ten seconds."""
        observer = self.observer()
        observer.entered(ServerPhase.READY)
        self.clock.pump([10.0] * 2)
        self.told()
        self.connections = 7
        self.clock.pump([1.0] * 30)
        self.assertEqual(self.told(), [{"STATUS": "ready, 7 connections"}])

    def test_extension(self) -> None:
        """While connections end the manager is asked for more time before the last one is over."""
        observer = self.observer()
        observer.entered(ServerPhase.READY)
        observer.entered(ServerPhase.DRAINING)
        self.told()
        self.clock.pump([1.0] * 25)
        self.assertEqual([message.get("EXTEND_TIMEOUT_USEC") for message in self.told()], ["20000000"] * 2)

    def test_abstract(self) -> None:
        """A socket in the abstract namespace of Linux is one too."""
        self.manager = self.listening(f"\0tlscomm-{os.getpid()}")
        Notifier(f"@tlscomm-{os.getpid()}").send(READY=1)
        self.assertEqual(self.told(), [{"READY": "1"}])

    def test_managerGone(self) -> None:
        """A manager that does not listen any more, or whose queue is full, keeps the server from nothing."""
        notifier = Notifier(self.path)
        for _ in range(10_000):
            notifier.send(STATUS="x" * 1000)
        self.manager.close()
        notifier.send(READY=1)

    def test_lines(self) -> None:
        """A text cannot bring lines of its own."""
        Notifier(self.path).send(STATUS="a\nMAINPID=1")
        self.assertEqual(self.told(), [{"STATUS": "a MAINPID=1"}])


class EnvironmentTests(NotifyingCase):
    """What the environment says."""

    def made(self, **environment: str) -> tuple[SystemdObserver | None, dict[str, str]]:
        return systemdObserver(self.clock, lambda: 0, environment), environment

    def test_none(self) -> None:
        """Without a socket nothing is told, and what is no socket is none."""
        self.assertEqual(self.made(PATH="/bin"), (None, {"PATH": "/bin"}))
        self.assertEqual(self.made(NOTIFY_SOCKET="vsock:2:1"), (None, {}))

    def test_removed(self) -> None:
        """The variables are gone for programs that are started."""
        observer, left = self.made(NOTIFY_SOCKET=self.path, WATCHDOG_USEC="1000000", WATCHDOG_PID=str(os.getpid()))
        self.assertEqual(left, {})
        assert observer is not None
        observer.entered(ServerPhase.READY)
        self.clock.advance(0.5)
        self.assertEqual([list(message) for message in self.told()], [["READY", "STATUS"], ["WATCHDOG", "STATUS"]])

    def test_othersWatchdog(self) -> None:
        """A watchdog of another process is not fed."""
        observer, _ = self.made(NOTIFY_SOCKET=self.path, WATCHDOG_USEC="1000000", WATCHDOG_PID="1")
        assert observer is not None
        observer.entered(ServerPhase.READY)
        self.clock.advance(5)
        self.assertEqual(len(self.told()), 1)
