"""A server's log in files of a bounded size and number."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, globalLogPublisher
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.serving import _logfile
from tlscomm.serving._lines import JSONLines
from tlscomm.serving._logfile import BoundedFile, LogRecords, TextLines, openLogFile, twistdsObserver

LINE = b"x" * 99 + b"\n"


class FileTests(SynchronousTestCase):
    """The files."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = str(self.folder / "log")

    def file(self, size: int = 1000, files: int = 3) -> BoundedFile:
        file = BoundedFile(self.path, size, files)
        self.addCleanup(file.close)
        return file

    def names(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def test_bounded(self) -> None:
        """However much is written, there are no more files, and none is larger than its size and a line."""
        file = self.file()
        for number in range(500):
            file.write(b"%d " % number + LINE)
        self.assertEqual(self.names(), ["log", "log.1", "log.2"])
        for name in self.names():
            self.assertLess((self.folder / name).stat().st_size, 1000 + len(LINE) + 4)
        written = b"".join((self.folder / name).read_bytes() for name in ("log.2", "log.1", "log"))
        numbers = [int(line.split()[0]) for line in written.splitlines()]
        self.assertEqual(numbers, list(range(numbers[0], 500)))

    def test_wholeLines(self) -> None:
        """A line that is written in pieces is in one file."""
        file = self.file(files=2)
        for _ in range(40):
            for begin in range(0, 100, 30):
                file.write(LINE[begin : begin + 30])
        for name in self.names():
            self.assertEqual(set((self.folder / name).read_bytes().splitlines(keepends=True)), {LINE})

    def test_one(self) -> None:
        """With one file, it begins anew."""
        file = self.file(files=1)
        for _ in range(25):
            file.write(LINE)
        self.assertEqual((self.names(), (self.folder / "log").stat().st_size), (["log"], 500))

    def test_goesOn(self) -> None:
        """A server that is started again goes on in the same file."""
        self.file().write(LINE)
        self.file().write(LINE)
        self.assertEqual((self.folder / "log").read_bytes(), 2 * LINE)

    def test_moved(self) -> None:
        """Where another program moves the file, as logrotate does, or deletes it, a new one is begun."""
        self.patch(_logfile, "_LOOK_SECONDS", 0)
        file = self.file()
        file.write(LINE)
        os.rename(self.path, f"{self.path}.moved")
        file.write(LINE)
        os.unlink(self.path)
        file.write(LINE)
        self.assertEqual((self.folder / "log").read_bytes(), LINE)
        self.assertEqual((self.folder / "log.moved").read_bytes(), LINE)

    def test_noFile(self) -> None:
        """What is no ordinary file is refused when the server starts, a link too."""
        (self.folder / "link").symlink_to(self.folder / "elsewhere")
        for path in ("/dev/null", str(self.folder), str(self.folder / "link"), str(self.folder / "no" / "log")):
            with self.assertRaises(ValueError) as caught:
                openLogFile({"logFile": path, "logFormat": "text"}, Clock())
            self.assertIn(f"the log file {path} cannot be opened: ", str(caught.exception))

    def test_cannotRotate(self) -> None:
        """Where the next file cannot be begun, lines wait and the former files stay; then all is written."""
        clock, said = Clock(), list[str]()
        file = self.file(files=2)
        lines = JSONLines(file, clock, said.append)
        for _ in range(10):
            lines.take(LINE[:-1])
        aside = self.folder.with_suffix(".aside")
        self.folder.rename(aside)
        for _ in range(5):
            lines.take(LINE[:-1])
            clock.advance(1)
        self.assertEqual(len(said), 1)
        self.assertIn("cannot be written", said[0])
        aside.rename(self.folder)
        clock.advance(1)
        self.assertEqual((self.folder / "log.1").read_bytes(), 10 * LINE)
        self.assertEqual((self.folder / "log").read_bytes(), 5 * LINE)
        self.assertEqual(clock.getDelayedCalls(), [])


class Full:
    """A disk that is full, until it is not."""

    isFull = True

    def __init__(self) -> None:
        self.content = b""

    def write(self, data: bytes) -> int:
        if self.isFull:
            raise OSError(28, "No space left on device")
        self.content += data
        return len(data)


class LogTests(SynchronousTestCase):
    """What is in them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.log = Logger(namespace="something")

    def observe(self, observer: Any) -> None:
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def test_text(self) -> None:
        """With ``text`` the file is Twisted's log."""
        openLogFile({"logFile": str(self.path), "logFormat": "text"}, self.clock)
        self.observe(twistdsObserver())
        self.log.warn("größer {number}", number=7)
        self.assertRegex(self.path.read_text(encoding="utf-8"), r"^\S+ \[something#warn\] größer 7\n$")

    def test_JSON(self) -> None:
        """With ``json`` what is no event of its own is one called ``log``, on one line."""
        lines = openLogFile({"logFile": str(self.path), "logFormat": "json"}, self.clock)
        self.observe(twistdsObserver())
        assert isinstance(lines, JSONLines)
        lines({"event": "listening"})
        self.log.error("two\nlines")
        first, second = map(json.loads, self.path.read_text(encoding="utf-8").splitlines())
        self.assertEqual(first["event"], "listening")
        del second["time"]
        self.assertEqual(
            second, {"event": "log", "version": 1, "level": "error", "namespace": "something", "text": "two\nlines"}
        )

    def test_fullDisk(self) -> None:
        """A full disk is said once on the terminal; what is logged about it goes round in no circle."""
        for kind, make in ((JSONLines, LogRecords), (TextLines, None)):
            disk, said = Full(), list[str]()
            lines: Any = kind(disk, self.clock, said.append)
            observer: Any = lines.write if make is None else make(lines)
            for number in range(20_000):
                observer(f"{number} {'x' * 100}" if make is None else {"log_format": f"{number} {'x' * 60}"})
            self.clock.advance(1)
            self.assertEqual(len(said), 1)
            disk.isFull = False
            self.clock.advance(1)
            observer("after" if make is None else {"log_format": "after"})
            self.assertEqual(self.clock.getDelayedCalls(), [])
            *written, lost, after = disk.content.splitlines()
            self.assertIn(b"after", after)
            self.assertIn(str(20_000 - len(written)).encode(), lost)
            self.assertLess(len(disk.content), 1.1 * (1 << 20))

    def test_logsIntoItself(self) -> None:
        """Where what complains of a full disk is logged in the file itself, it is one line more that waits."""
        disk = Full()
        lines = JSONLines(disk, self.clock)
        self.observe(LogRecords(lines))
        lines({"event": "first"})
        self.clock.advance(1)
        disk.isFull = False
        self.clock.advance(1)
        self.assertEqual([json.loads(line)["event"] for line in disk.content.splitlines()], ["first", "log"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class OptionTests(SynchronousTestCase):
    """How it is asked for."""

    def options(self, *words: str) -> Any:
        options = ServerOptions()
        options.parseOptions(words)
        return options

    def test_twistd(self) -> None:
        """twistd's log goes there, in the place of standard output and of ``twistd.log``."""
        options = self.options("tlscomm", "--log-file", "events.log")
        self.assertIs(options["logger"], twistdsObserver)

    def test_twoPlaces(self) -> None:
        """Another place for the same log is refused."""
        with self.assertRaises(SystemExit) as caught:
            self.options("--logfile", "other.log", "tlscomm", "--log-file", "events.log")
        self.assertIn("leave out twistd's --logfile", str(caught.exception))
