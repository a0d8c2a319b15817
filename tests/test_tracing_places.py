"""Where traces of live connections go: folders, logs, files that options and endpoint strings name."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

from conversation import clientConfiguration, serverConfiguration
from logs import logged
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.events import Event, Kind
from tlscomm.drawing._liveline import liveLine
from tlscomm.serving._lines import JSONLines
from tlscomm.serving._service import TLSService
from tlscomm.testing import HTTP_REQUEST, MemoryLink, Pair, Speaker
from tlscomm.tracing import CaptureFile, KeyLogFile, TraceFolder, Tracing
from tlscomm.tracing._fromsettings import tracingFrom
from tlscomm.transport import TLSFactory
from tlscomm.transport._eventlog import EventLog, writeText


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


class Recorded:
    """A connection that was recorded, of a pair in memory."""

    def __init__(self, wasAccepted: bool = True, number: int = 1) -> None:
        pair = Pair(clientConfiguration(), serverConfiguration(), tracing=Tracing())
        pair.flush()
        pair.client.transport.loseConnection()
        pair.flush()
        recorder: Any = pair.server.transport.recorder
        recorder.number = number
        self.wasAccepted = wasAccepted
        self.trace = recorder.trace


class Folders(SynchronousTestCase):
    """A folder of traces."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.recorded = Recorded()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    def test_file(self) -> None:
        """Each connection has its file, which says how it ended by its name; only its owner can read it."""
        pair = Pair(
            clientConfiguration(credential=None), serverConfiguration(), tracing=Tracing(folder=TraceFolder(self.path))
        )
        pair.flush()
        self.assertEqual(self.names(), ["1-refused-no-certificate.json", "2-refused-no-certificate.json"])
        self.assertEqual(mode(self.path), 0o700)
        for path in self.path.iterdir():
            self.assertEqual(mode(path), 0o600)
            told = json.loads(path.read_text("utf-8"))
            self.assertEqual(told["verdict"]["code"], "no-certificate")
            self.assertIn("certificate_required", [event["name"] for event in told["events"]])

    def test_bounded(self) -> None:
        """There are no more files, and no more bytes, than was said; the oldest go first, and no other file does."""
        self.path.mkdir()
        others = ["2024-report.json", "2025-accepted-offers.json", "notes.json"]
        for name in others:
            (self.path / name).write_text("mine")
        (self.path / "7-accepted.json").write_text("of an earlier run")
        (self.path / "8-refused-unknown-issuer.2.json").write_text("of an earlier run")
        folder = TraceFolder(self.path, files=3)
        for _ in range(3):
            folder.add(self.recorded)
        self.assertEqual(self.names(), ["1-accepted.2.json", "1-accepted.3.json", "1-accepted.json", *others])
        size = (self.path / "1-accepted.json").stat().st_size
        TraceFolder(self.path, maximumBytes=2 * size + 100).add(self.recorded)
        self.assertEqual(len(self.names()), 2 + len(others))
        self.assertEqual(self.names()[2:], others)

    def test_later(self) -> None:
        """A server's connections do not wait: one trace is written a turn, and all that wait when it stops."""
        calls: list[Any] = []
        folder = TraceFolder(self.path, later=lambda seconds, call: calls.append((seconds, call)))
        for _ in range(3):
            folder.add(self.recorded)
        self.assertEqual(self.names(), [])
        for count in (1, 2):
            ((seconds, call),) = calls
            calls.clear()
            call()
            self.assertEqual((seconds, len(self.names())), (0, count))
        folder.flush()
        self.assertEqual(len(self.names()), 3)
        ((_, call),) = calls
        call()
        self.assertEqual((len(self.names()), len(calls)), (3, 1))

    def test_share(self) -> None:
        """Where many wait, most of the time is left to connections."""
        calls: list[Any] = []
        folder = TraceFolder(self.path, later=lambda seconds, call: calls.append((seconds, call)))
        for _ in range(20):
            folder.add(self.recorded)
        calls.pop()[1]()
        self.assertGreater(calls[0][0], 0)

    def test_tooMany(self) -> None:
        """Of very many at once some are left out, those that were accepted first, and the log says how many."""
        clock = Clock()
        folder = TraceFolder(self.path, later=clock.callLater)
        refused = Recorded(wasAccepted=False, number=77)
        folder.add(refused)
        self.recorded.trace = lambda: None
        for _ in range(150):
            folder.add(self.recorded)
        with logged() as captured:
            folder.flush()
        self.assertEqual(self.names(), ["77-accepted.json"])
        self.assertIn("51 connections were left out", formatEvent(captured[0]))
        clock.advance(0)

    def test_fullDisk(self) -> None:
        """A folder that cannot be written is logged once, and connections go on."""
        folder = TraceFolder(self.path)
        self.path.rmdir()
        with logged() as captured:
            folder.add(self.recorded)
            folder.add(self.recorded)
        (event,) = captured
        self.assertIn("cannot be written", formatEvent(event))

    def test_notMade(self) -> None:
        """A trace that cannot be made is logged with its traceback once, and of many more their number."""
        folder = TraceFolder(self.path)

        def fail() -> None:
            raise ValueError("no trace")

        broken = Recorded()
        broken.trace = fail
        with logged() as captured:
            for _ in range(250):
                folder.add(broken)
            folder.add(self.recorded)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual([event.get("count") for event in captured], [None, 10, 100])
        self.assertEqual(self.names(), ["1-accepted.json"])

    def test_nothingHalf(self) -> None:
        """A file that cannot be written whole does not stay; one that cannot be removed stays counted."""
        folder = TraceFolder(self.path, files=2)
        folder.add(self.recorded)

        def fail(*_: object, **__: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        with logged() as captured:
            written = self.patch(os, "write", fail)
            for _ in range(3):
                folder.add(self.recorded)
            written.restore()
            self.assertEqual(self.names(), ["1-accepted.json"])
            folder.add(self.recorded)
            removed = self.patch(Path, "unlink", fail)
            for _ in range(3):
                folder.add(self.recorded)
            removed.restore()
        self.assertEqual([event["problem"] for event in captured], ["No space left on device"] * 2)
        self.assertEqual(self.names(), ["1-accepted.2.json", "1-accepted.json"])
        folder.add(self.recorded)
        self.assertEqual(len(self.names()), 2)


class Settings(SynchronousTestCase):
    """What options and endpoint strings say."""

    def test_nothing(self) -> None:
        """Nothing is traced where nothing says so, whatever the environment has."""
        path = self.mktemp()
        self.patch(os, "environ", {**os.environ, "SSLKEYLOGFILE": path})
        self.assertIsNone(tracingFrom({"trace": False, "keylog": None}))
        Pair(clientConfiguration(), serverConfiguration()).flush()
        self.assertFalse(Path(path).exists())

    def test_everything(self) -> None:
        """Each setting has its effect, and files are their owner's only."""
        folder, capture, keylog = (Path(self.mktemp()) for _ in range(3))
        tracing = tracingFrom(
            {
                "trace": str(folder),
                "capture": str(capture),
                "captureSize": 1 << 20,
                "keylog": str(keylog),
                "refusedTraces": 7,
                "traceApplicationData": 9,
            }
        )
        assert tracing is not None
        self.assertIsInstance(tracing.folder, TraceFolder)
        self.assertEqual((tracing.refusedTraces, tracing.applicationDataBytes), (7, 9))
        Pair(clientConfiguration(), serverConfiguration(), tracing=tracing).flush()
        self.assertEqual([mode(path) for path in (folder, capture, keylog)], [0o700, 0o600, 0o600])
        self.assertIn(b"CLIENT_TRAFFIC_SECRET_0", keylog.read_bytes())
        tracing.capture.close()  # type: ignore[union-attr]
        self.assertIn(b"CLIENT_TRAFFIC_SECRET_0", capture.read_bytes())

    def test_impossible(self) -> None:
        """A file that cannot be written is said in a sentence, before anything is served."""
        for name in ("trace", "capture", "keylog"):
            with self.assertRaisesRegex(ValueError, "/dev/null/x cannot be written: "):
                tracingFrom({name: "/dev/null/x"})

    def test_useless(self) -> None:
        """What says more about a capture or a trace is refused where there is none; refused traces are traces too."""
        with self.assertRaisesRegex(ValueError, "and no capture"):
            tracingFrom({"captureSize": 1 << 20, "keylog": self.mktemp()})
        with self.assertRaisesRegex(ValueError, "and no trace"):
            tracingFrom({"traceApplicationData": 9, "keylog": self.mktemp()})
        self.assertIsNotNone(tracingFrom({"traceApplicationData": 9, "refusedTraces": 1}))

    def test_oneFile(self) -> None:
        """A capture and a key log that are one file, or become one when they are full, are refused and not made."""
        path = self.mktemp()
        for capture, keylog in ((path, path), (path, f"{path}.1"), (f"{path}.1", path), (path, f"./{path}")):
            with self.assertRaisesRegex(ValueError, "are the same file"):
                tracingFrom({"capture": capture, "keylog": keylog})
        self.assertFalse(Path(path).exists())

    def test_otherFile(self) -> None:
        """Secrets are not written behind a private key, and behind another program's secrets they are."""
        path = Path(self.mktemp())
        begun = b"# SSL/TLS secrets log file, generated by NSS\n"
        for content, isLog in ((b"-----BEGIN PRIVATE KEY-----\n", False), (begun, True), (b"\nA_1 0a 0b\n", True)):
            path.write_bytes(content)
            path.chmod(0o600)
            if isLog:
                KeyLogFile(path).close()
            else:
                with self.assertRaisesRegex(ValueError, "it is there and no key log, so it is kept"):
                    tracingFrom({"keylog": str(path)})
            self.assertEqual(path.read_bytes(), content)

    def test_wrongKinds(self) -> None:
        """What `Tracing` cannot use is refused by name when it is made, and not in a connection."""
        wrong: list[tuple[str, object, type[Exception]]] = [
            ("observer", 3, TypeError),
            ("observer", Speaker, TypeError),
            ("folder", "f", TypeError),
            ("capture", "x.pcapng", TypeError),
            ("keyLog", Path("x"), TypeError),
            ("refusedTraces", "x", TypeError),
            ("refusedTraces", True, TypeError),
            ("refusedTraces", -1, ValueError),
            ("applicationDataBytes", -1, ValueError),
            ("connections", None, TypeError),
            ("now", 3, TypeError),
            ("numbers", [1, 2], TypeError),
        ]
        for name, given, expected in wrong:
            with self.assertRaisesRegex(expected, f"^{name} is "):
                Tracing(**{name: given})  # type: ignore[arg-type]
        path = self.mktemp()
        keyLog, capture = KeyLogFile(path), CaptureFile(path)
        with self.assertRaisesRegex(ValueError, "^capture and keyLog are one file"):
            Tracing(capture=capture, keyLog=keyLog)

    def test_warnings(self) -> None:
        """A server says when it begins which file holds what, with the standard that says what that means."""
        capture, keylog = self.mktemp(), self.mktemp()
        tracing = Tracing(capture=CaptureFile(capture), keyLog=KeyLogFile(keylog))
        factory = TLSFactory(serverConfiguration(), Factory(), Clock(), tracing=tracing)
        with logged() as captured:
            factory.doStart()
        said = [formatEvent(event) for event in captured]
        for path, text in zip((capture, keylog), said, strict=True):
            self.assertIn(path, text)
            self.assertIn("RFC 9850", text)

    def test_strings(self) -> None:
        """The arguments of endpoint strings say the same."""
        reactor: Any = MemoryReactorClock()
        capture, keylog = self.mktemp(), self.mktemp()
        words = f"capture={capture}:keylog={keylog}"
        client: Any = clientFromString(reactor, f"tlscomm:localhost:1:{words}")
        self.assertEqual(client._tracing.capture.path, Path(capture))
        client._tracing.capture.close()
        for wrong in ("refusedTraces=0:identity=a", "trace=:identity=a", "capture=:identity=a"):
            with self.assertRaisesRegex(ValueError, wrong.partition("=")[0]):
                serverFromString(reactor, f"tlscomm:1:{wrong}")


class RefusedTraces(SynchronousTestCase):
    """The traces that a server keeps of those that it has refused."""

    def service(self, log: EventLog, clock: Clock, **tracing: Any) -> TLSService:
        service = TLSService(
            clock, serverConfiguration(), Factory.forProtocol(Protocol), (), log, tracing=Tracing(**tracing)
        )
        service.startService()
        self.addCleanup(service.stopService)
        return service

    def refuse(self, service: TLSService, clock: Clock) -> None:
        transport = service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001))
        assert transport is not None
        link = MemoryLink(Speaker(HTTP_REQUEST), transport)
        link.flush()
        clock.advance(2)
        link.flush()

    def test_JSON(self) -> None:
        """SIGUSR2 has the log say what they are, each with the number that the connection has there."""
        clock, stream = Clock(), io.BytesIO()
        before = signal.getsignal(signal.SIGUSR2)
        service = self.service(EventLog(JSONLines(stream, clock), clock), clock, refusedTraces=1)
        for _ in range(2):
            self.refuse(service, clock)
        signal.raise_signal(signal.SIGUSR2)
        clock.advance(0)
        *_, refused, traced = [json.loads(line) for line in stream.getvalue().splitlines()]
        self.assertEqual((refused["event"], traced["event"]), ("refused", "trace"))
        self.assertEqual((refused["connection"], traced["connection"], traced["peer"]), (2, 2, "127.0.0.1:40001"))
        self.assertEqual(traced["trace"]["verdict"]["code"], "not-tls")
        self.successResultOf(service.stopService())
        self.assertIs(signal.getsignal(signal.SIGUSR2), before)

    def test_text(self) -> None:
        """As text they are drawn."""
        clock = Clock()
        service = self.service(EventLog(writeText, clock), clock, refusedTraces=1)
        self.refuse(service, clock)
        with logged() as captured:
            service.logRefusedTraces()
            clock.advance(0)
        traced, count = map(formatEvent, captured)
        self.assertIn("connection 1 from 127.0.0.1:40001 was traced:\nnot-tls", traced)
        self.assertIn("1 traces", count)

    def test_turns(self) -> None:
        """One is written a turn, so that connections do not wait for all; a second signal begins nothing anew."""
        clock, told = Clock(), []
        service = self.service(EventLog(told.append, clock), clock, refusedTraces=5)
        for _ in range(5):
            self.refuse(service, clock)
        told.clear()
        service.logRefusedTraces()
        for count in range(1, 6):
            service.logRefusedTraces()
            self.assertEqual(len(told), count)
            (turn,) = clock.calls
            clock.calls.clear()
            turn.func()
        service.logRefusedTraces()
        self.assertEqual(len(told), 6)
        self.successResultOf(service.stopService())
        clock.advance(0)
        self.assertEqual((len(told), clock.getDelayedCalls()), (6, []))

    def test_notKept(self) -> None:
        """Where none is kept the signal has the log say so, and does not end the process."""
        clock = Clock()
        service = TLSService(clock, serverConfiguration(), Factory(), (), EventLog(writeText, clock))
        service.startService()
        self.addCleanup(service.stopService)
        with logged() as captured:
            signal.raise_signal(signal.SIGUSR2)
        (event,) = captured
        self.assertIn("no traces of refused connections are kept: --refused-traces", formatEvent(event))


class Lines(SynchronousTestCase):
    def test_harmless(self) -> None:
        """A line of a live trace is one line, and says nothing to a terminal, whatever a peer has sent."""
        event = Event(Kind.DAMAGED, True, 2_000_000, "", 7, detail="\x1b[31m\nowned")
        line = liveLine(event, 0)
        self.assertTrue(line.isprintable())
        self.assertTrue(line.startswith("  2.00 ms  client  "), line)
