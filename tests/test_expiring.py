"""What a server does before something expires: it warns, and has a command renew its identity."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from conversation import AUTHORITY, ROOTS
from logs import logged
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration._expiries import Expiry
from tlscomm.operation._expirywarnings import ExpiryWarnings
from tlscomm.operation._renewalcommand import Renewable, RenewalCommands
from tlscomm.operation._renewalcommand import _inSession as inSession
from tlscomm.plans._shownsettings import shownSettings
from tlscomm.server import Options, makeService
from tlscomm.x509._encoding import keyPEM, pem

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)


def expiring(days: float, lasts: float = 397, kind: Any = "identity") -> Expiry:
    end = NOW + days * DAY
    return Expiry(kind, "CN=server", end, "sha256:aa", end - lasts * DAY)


class Warnings(SynchronousTestCase):
    """What the log says."""

    def setUp(self) -> None:
        self.warnings = ExpiryWarnings()

    def said(self, *expiries: Expiry, at: timedelta = timedelta()) -> list[str]:
        with logged() as events:
            self.warnings.look(expiries, (NOW + at).timestamp())
        return [str(formatEvent(event)) for event in events]

    def test_once(self) -> None:
        """A month, a week and a day before, and at the end, each time once."""
        each = expiring(31)
        counts = [len(self.said(each, at=day * DAY)) for day in (0, 1.5, 2, 23, 24.5, 25, 30.5, 31.5, 32)]
        self.assertEqual(counts, [0, 1, 0, 0, 1, 0, 1, 1, 0])

    def test_late(self) -> None:
        """A server that is started late warns of the nearest end alone."""
        (line,) = self.said(expiring(5))
        self.assertIn("our certificate expires in 5 days: CN=server, at 2026-06-06T00:00:00+00:00", line)
        self.assertEqual(self.said(expiring(5)), [])

    def test_short(self) -> None:
        """Of what lasts for a day or for three months it is not said that less than a month is left."""
        self.assertEqual(self.said(expiring(0.9, lasts=1)), [])
        self.assertEqual(self.said(expiring(29, lasts=90)), [])
        self.assertEqual(len(self.said(expiring(6, lasts=90))), 1)

    def test_clockWasWrong(self) -> None:
        """What was said while the time of day was years ahead is said again when it is so."""
        each = expiring(31)
        counts = [len(self.said(each, at=day * DAY)) for day in (1500, 0, 2, 25, 25.1)]
        self.assertEqual(counts, [1, 0, 1, 1, 0])

    def test_others(self) -> None:
        """Authorities that are trusted are among it, lists are not."""
        (line,) = self.said(expiring(5, kind="list"), expiring(5, kind="root"))
        self.assertIn("the authority that is trusted expires", line)


class Processes(Clock):
    """A reactor whose processes end when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = NOW.timestamp()
        self.started: list[tuple[Any, list[str], dict[str, str]]] = []
        self.signals: list[str] = []
        self.pid: int | None = None
        self.hasSession = True

    def spawnProcess(self, protocol: Any, executable: str, args: list[str], env: dict[str, str]) -> None:
        if "crowded" in args:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        self.pid = 4711
        protocol.makeConnection(self)
        self.started.append((protocol, args[args.index("renew") :], env))

    def signalProcess(self, name: str) -> None:
        self.signals.append(f"{name} to one")

    def signalSession(self, process: int, name: str) -> None:
        if not self.hasSession:
            raise ProcessLookupError
        self.signals.append(f"{name} to all of {process}")

    def loseConnection(self) -> None:
        self.signals.append("closed")

    def exit(self, reason: Exception) -> None:
        """Have the process that was started last exit, while others keep what it wrote to open."""
        self.pid = None
        self.started[-1][0].processExited(Failure(reason))

    def end(self, status: int = 0, output: bytes = b"") -> None:
        """End the process that was started last."""
        protocol = self.started[-1][0]
        protocol.errReceived(output)
        protocol.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))


class Commands(SynchronousTestCase):
    """The command that renews an identity."""

    def setUp(self) -> None:
        self.reactor = Processes()
        self.commands = RenewalCommands(self.reactor, lambda: 0.5, self.reactor.signalSession)
        self.until = NOW + 10 * DAY

    def look(self, command: str = "renew --it 'a b'", hours: int | None = 24 * 30) -> None:
        each = Renewable("server.pem", self.until - 90 * DAY, self.until, command, hours, "server.key")
        self.commands.look([each, each], self.reactor.seconds())

    def begin(self) -> None:
        """Let time pass until the command is run."""
        self.minutes(7)
        self.assertEqual(len(self.reactor.started), 1)

    def minutes(self, count: float) -> None:
        """Let time pass, with a look each minute."""
        for _ in range(int(count)):
            self.reactor.advance(60)
            self.look()

    def test_childThatGoesOn(self) -> None:
        """A command that has ended is over although what it has started keeps its output open."""
        self.look()
        self.begin()
        protocol = self.reactor.started[0][0]
        self.reactor.exit(ProcessTerminated(1))
        self.reactor.advance(2)
        self.assertEqual(self.reactor.signals, ["closed"])
        self.minutes(5)
        self.assertEqual(len(self.reactor.started), 2)
        protocol.processEnded(Failure(ProcessTerminated(1)))

    def test_timeOfDayIsSet(self) -> None:
        """The pauses after failures are as long as they were although the time of day is set."""
        self.look()
        self.begin()
        self.reactor.end(1)
        each = Renewable("server.pem", self.until - 90 * DAY, self.until, "renew", 24 * 30)
        for days in (-5, 1, 0):
            self.commands.look([each], self.reactor.seconds() + days * 86400)
        self.assertEqual(len(self.reactor.started), 1)

    def test_due(self) -> None:
        """It is run when it is due, which is at a third of the time where nothing is said, and once at a time."""
        self.until = NOW + 31 * DAY
        self.look(hours=None)
        self.assertEqual(self.reactor.started, [])
        self.until = NOW + 29 * DAY
        self.look(hours=None)
        self.reactor.advance(600)
        self.look(hours=None)
        self.look(hours=None)
        self.assertEqual([args for _, args, _ in self.reactor.started], [["renew", "--it", "a b"]])

    def test_environment(self) -> None:
        """It is told what to renew, and nothing that may be a secret or an open file of the server's."""
        other = {"SECRET": "open sesame", "NOTIFY_SOCKET": "@n", "LISTEN_FDS": "1", "CREDENTIALS_DIRECTORY": "/run/c"}
        self.patch(os, "environ", {"PATH": "/bin", "TZ": "UTC", "STATE_DIRECTORY": "/var/lib/a", **other})
        self.begin()
        (_, _, environment) = self.reactor.started[0]
        self.assertEqual(
            environment,
            {
                "PATH": "/bin",
                "TZ": "UTC",
                "STATE_DIRECTORY": "/var/lib/a",
                "TLSCOMM_IDENTITY": os.path.abspath("server.pem"),
                "TLSCOMM_KEY": os.path.abspath("server.key"),
                "TLSCOMM_NOT_AFTER": "2026-06-11T00:00:00+00:00",
            },
        )

    def test_renewed(self) -> None:
        """What it has renewed is not due any more."""
        self.begin()
        self.reactor.end()
        self.until += 90 * DAY
        self.minutes(60)
        self.assertEqual(len(self.reactor.started), 1)

    def test_failures(self) -> None:
        """It is run again, each time later; the log has its exit status and the end of what it said, printable."""
        self.begin()
        with logged() as events:
            self.reactor.end(3, b"x" * 9000 + b"\n\x1b[2Jno answer\n")
        line = str(formatEvent(events[0]))
        self.assertIn("ended with exit status 3", line)
        self.assertTrue("no answer" in line and "\x1b" not in line and len(line) < 3000, line)
        begun = self.reactor.seconds()
        for wait in (60, 120, 240, 480):
            count = len(self.reactor.started)
            while len(self.reactor.started) == count:
                self.minutes(1)
            self.assertLess(abs(self.reactor.seconds() - begun - wait), 120)
            begun = self.reactor.seconds()
            self.reactor.end(3)

    def test_idle(self) -> None:
        """That it ends well and has renewed nothing is a failure."""
        self.begin()
        self.reactor.end()
        with logged() as events:
            self.minutes(1)
        self.assertIn("the identity is the same as before", str(formatEvent(events[0])))

    def test_time(self) -> None:
        """One that does not end is ended, with what it has started."""
        self.begin()
        self.reactor.advance(300)
        self.reactor.advance(10)
        self.assertEqual(self.reactor.signals, ["TERM to all of 4711", "KILL to all of 4711"])
        with logged() as events:
            self.reactor.end(9)
        self.assertIn("took longer than 300 s", str(formatEvent(events[0])))

    def test_childThatStays(self) -> None:
        """What stays when a command has ended because it was told to is killed; its number is not used afterwards."""
        self.begin()
        self.reactor.advance(300)
        self.reactor.exit(ProcessTerminated(signal=15))
        self.reactor.advance(20)
        self.commands.stop()
        self.assertEqual(self.reactor.signals, ["TERM to all of 4711", "KILL to all of 4711", "closed"])

    def test_early(self) -> None:
        """One that has no session yet is ended by itself."""
        self.begin()
        self.reactor.hasSession = False
        self.commands.stop()
        self.assertEqual(self.reactor.signals, ["TERM to one"])

    def test_noProcess(self) -> None:
        """Why there is no process is said."""
        self.look("crowded")
        self.reactor.advance(600)
        with logged() as events:
            self.look("crowded")
        self.assertIn("cannot be started: Resource temporarily unavailable", str(formatEvent(events[-1])))

    def test_stop(self) -> None:
        """It ends with the server."""
        self.begin()
        self.commands.stop()
        self.assertEqual(self.reactor.signals, ["TERM to all of 4711"])


class Sessions(SynchronousTestCase):
    """How a command is run, by the system itself."""

    def run_(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(inSession(list(words)), capture_output=True, text=True, check=False, timeout=60)

    def test_own(self) -> None:
        """It has a session and a group of its own, its words and its exit status."""
        program = "import os, sys; print(os.getsid(0) == os.getpgid(0) == os.getpid(), sys.argv[1:]); sys.exit(3)"
        ended = self.run_(sys.executable, "-c", program, "a b", "")
        self.assertEqual((ended.stdout, ended.returncode), ("True ['a b', '']\n", 3))

    def test_signals(self) -> None:
        """A write to a closed pipe ends it, as it does in a shell."""
        ended = self.run_("sh", "-c", "kill -PIPE $$")
        self.assertEqual(ended.returncode, -signal.SIGPIPE)

    def test_missing(self) -> None:
        """One that is not there is named."""
        ended = self.run_("./missing")
        self.assertEqual((ended.stderr, ended.returncode), ("cannot be started: No such file or directory\n", 127))


class Server(SynchronousTestCase):
    """``--renew-command``."""

    def test_used(self) -> None:
        """The server looks at its identity, and shows of the command its name alone."""
        now = datetime.now(timezone.utc)
        credential = AUTHORITY.issue("short", role="server", notBefore=now - 99 * DAY, notAfter=now + DAY / 2)
        Path("server.pem").write_bytes(pem([credential.certificate]) + keyPEM(credential.privateKey))
        Path("server.pem").chmod(0o600)
        Path("ca.pem").write_bytes(pem(ROOTS))
        options = Options()
        words = ["--identity", "server.pem", "--client-roots", "ca.pem", "--renew-command", "missing --token abc"]
        options.parseOptions([*words, "--renew-before", "48", "--listen", "tcp:0", "--log-format", "json"])
        reactor: Any = MemoryReactorClock()
        reactor.advance(now.timestamp())

        def spawnProcess(*_: object, **__: object) -> None:
            raise FileNotFoundError(2, "No such file or directory")

        reactor.spawnProcess = spawnProcess
        server = makeService(options, reactor)
        with logged() as events:
            server.startService()
            for _ in range(12):
                reactor.advance(60)
        self.successResultOf(server.stopService())
        said = [str(formatEvent(event)) for event in events]
        self.assertTrue(any("our certificate expires" in line for line in said), said)
        self.assertTrue(any("the command that renews server.pem cannot be started" in line for line in said), said)
        self.assertEqual(shownSettings(options.plan)["default"]["renewCommand"], "missing")
