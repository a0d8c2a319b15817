"""What a running server reads again, it reads in a thread: a file that takes for ever holds nothing up."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from queue import Queue
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from logs import logged
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.credentials._sources import beingRead, opened, patience, readSource
from tlscomm.failures import FileNotFound, Unreadable
from tlscomm.issuing import Authority
from tlscomm.watching._filewatch import FileWatch
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._rereading import Rereading
from tlscomm.watching._watchedfiles import WatchedFiles

#: Seconds for a thread to do what it does at once on an idle machine.
PATIENCE = 60


@implementer(IReactorFromThreads)
class ThreadsClock(Clock):
    """A clock with threads, whose calls a test lets happen."""

    def __init__(self) -> None:
        super().__init__()
        self.saidByThreads: Queue[Any] = Queue()

    def callFromThread(self, call: Any, *args: Any, **named: Any) -> None:
        self.saidByThreads.put((call, args))

    def deliver(self) -> None:
        """Await what a thread has to say."""
        call, args = self.saidByThreads.get(timeout=PATIENCE)
        call(*args)


class RereadingTests(SynchronousTestCase):
    """A configuration that is read again."""

    def setUp(self) -> None:
        self.clock = ThreadsClock()
        self.taken: list[str] = []
        self.release = threading.Event()
        self.addCleanup(self.release.set)

    def wait(self) -> str:
        self.release.wait(PATIENCE)
        return "late"

    def lines(self, events: list[dict[str, Any]]) -> list[str]:
        return [f"{event['log_level'].name} {formatEvent(event)}" for event in events]

    def test_inThread(self) -> None:
        """It is read in a thread, for which the end of the program does not wait, and used where the reactor runs."""
        threads: list[threading.Thread] = []

        def read() -> str:
            threads.append(threading.current_thread())
            return "new"

        told = Rereading(self.clock, read, self.taken.append).begin()
        self.assertNoResult(told)
        self.assertEqual(self.taken, [])
        self.clock.deliver()
        self.assertTrue(self.successResultOf(told))
        self.assertEqual(self.taken, ["new"])
        self.assertIsNot(threads[0], threading.current_thread())
        self.assertTrue(threads[0].daemon)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late(self) -> None:
        """After ten seconds the reading counts as failed, by the name of the file; what it brings is not used."""
        inside = threading.Event()

        def read() -> str:
            with opened(os.devnull):
                inside.set()
                return self.wait()

        told = Rereading(self.clock, read, self.taken.append).begin()
        self.assertTrue(inside.wait(PATIENCE))
        with logged() as events:
            self.clock.advance(10)
        self.assertFalse(self.successResultOf(told))
        (line,) = self.lines(events)
        self.assertTrue(
            line.startswith("error the configuration is not read again, the former one stays: unreadable: "), line
        )
        self.assertIn(f"reading {os.devnull} has taken 10 s", line)
        self.release.set()
        self.clock.deliver()
        self.assertEqual(self.taken, [])

    def test_afterLate(self) -> None:
        """A reading that is left to itself does not keep the next one from beginning; more than four do."""
        reads = [self.wait, self.wait, self.wait, self.wait, lambda: "new"]

        def read() -> str:
            return reads.pop(0)()

        rereading = Rereading(self.clock, read, self.taken.append)
        for _ in range(4):
            told = rereading.begin()
            self.clock.advance(10)
            self.assertFalse(self.successResultOf(told))
        with logged() as events:
            self.assertFalse(self.successResultOf(rereading.begin()))
        self.assertIn("4 readings of before still wait", self.lines(events)[0])
        self.release.set()
        for _ in range(4):
            self.clock.deliver()
        told = rereading.begin()
        self.clock.deliver()
        self.assertTrue(self.successResultOf(told))
        self.assertEqual(self.taken, ["new"])

    def test_meanwhile(self) -> None:
        """Who asks while it is being read gets what is there after that; ten who ask are one reading."""
        numbers = iter(range(100))
        rereading = Rereading(self.clock, lambda: str(next(numbers)), self.taken.append)
        told = [rereading.begin() for _ in range(11)]
        self.clock.deliver()
        self.assertTrue(self.successResultOf(told[0]))
        self.clock.deliver()
        self.assertTrue(all(self.successResultOf(each) for each in told[1:]))
        self.assertEqual(self.taken, ["0", "1"])

    def test_twoSteps(self) -> None:
        """What is prepared is not used before it is committed, and never where it is aborted; that is told once."""
        results: list[ReloadResult] = []
        rereading = Rereading(Clock(), lambda: "new", self.taken.append, results.append)
        prepared = self.successResultOf(rereading.prepare("files"))
        self.assertEqual((self.taken, results), ([], []))
        self.assertTrue(prepared.commit())
        prepared.abort(ValueError("too late"))
        self.assertEqual((self.taken, len(results), results[0].trigger), (["new"], 1, "files"))
        prepared = self.successResultOf(rereading.prepare())
        self.assertFalse(prepared.abort(ValueError("another process could not read it")))
        self.assertFalse(prepared.commit())
        self.assertEqual((self.taken, [each.isTaken for each in results]), (["new"], [True, False]))

    def test_undecided(self) -> None:
        """A later reading takes the place of one of which it was not decided whether it is used, and is told of."""
        results: list[ReloadResult] = []
        rereading = Rereading(Clock(), lambda: "new", self.taken.append, results.append)
        first = self.successResultOf(rereading.prepare())
        self.assertTrue(self.successResultOf(rereading.begin()))
        self.assertFalse(first.commit())
        self.assertEqual((self.taken, [each.isTaken for each in results]), (["new"], [True]))

    def test_broken(self) -> None:
        """Whatever is raised, the log says it, and it can be read again later."""

        def fail(problem: BaseException) -> str:
            raise problem

        raised = [FileNotFound("ca.pem"), ValueError("no"), RuntimeError("a bug"), SystemExit(1)]
        for problem in raised:
            rereading = Rereading(self.clock, lambda problem=problem: fail(problem), self.taken.append)
            with logged() as events:
                told = rereading.begin()
                self.clock.deliver()
            self.assertFalse(self.successResultOf(told))
            self.assertIn("is not read again, the former one stays", self.lines(events)[0])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError, SystemExit)), 2)


class FileTests(SynchronousTestCase):
    """Files that are looked at while a server runs."""

    def test_pipes(self) -> None:
        """In a thread with less patience, a pipe is waited for so long and not for a minute."""
        os.mkfifo("pipe")
        with patience(0.01):
            refused = self.assertRaises(Unreadable, readSource, "pipe")
        self.assertIn("0.01 seconds", str(refused))
        self.assertEqual(beingRead(threading.current_thread()), "")

    def test_lists(self) -> None:
        """Files are looked at in a thread: never two at a time, and the log says once that one is late."""
        Path("list.crl").write_bytes(Authority.create().revocationList().public_bytes(Encoding.DER))
        release, looks = threading.Event(), []
        self.addCleanup(release.set)
        files = WatchedFiles.of(["list.crl"])

        def look() -> Any:
            looks.append(threading.current_thread())
            release.wait(PATIENCE)
            return {}

        files.look = look  # type: ignore[method-assign]
        clock = ThreadsClock()
        watch = FileWatch(files, lambda: None, "revocation lists")
        with logged() as events:
            watch.use(clock)
            clock.pump([5.0] * 6)
        self.assertEqual(len(looks), 1)
        (line,) = [str(formatEvent(event)) for event in events]
        self.assertIn("looking at revocation lists has taken 10 s and goes on", line)
        release.set()
        clock.deliver()
        clock.advance(5)
        clock.deliver()
        self.assertEqual(len(looks), 2)
        watch.release()
