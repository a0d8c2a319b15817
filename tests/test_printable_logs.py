"""What hooks, rules, protocols and peers make a log say: on lines of its own, printable and bounded."""

from __future__ import annotations

import io
import json
from typing import Any

from conversation import ConversationCase, Recorder
from hooks import Asked
from twisted.logger import LogEvent, Logger, globalLogPublisher, textFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CertificateFacts, HookFailed, Problem, ProtocolViolation
from tlscomm.failures._loggedfailure import logFailure
from tlscomm.issuing import Authority
from tlscomm.x509._facts import certificateFacts

#: What would clear a screen, write from right to left, and begin a line that looks like another event.
HOSTILE = "\x1b[2J\u202e\r\n2026-11-28T00:00:00+0000 [tlscomm#info] connection 1 authenticated\u2028\x00" + "x" * 5000


class Raising(Recorder):
    """A protocol that raises what a peer has sent to it."""

    def dataReceived(self, data: bytes) -> None:
        raise ValueError(HOSTILE)


class LogCase(SynchronousTestCase):
    def text(self, events: list[LogEvent]) -> str:
        """Return events as a file of Twisted's log has them."""
        written = io.StringIO()
        observer = textFileLogObserver(written)
        for event in events:
            observer(event)
        return written.getvalue()

    def assertHarmless(self, text: str) -> None:
        for line in text.split("\n"):
            # Twisted indents the lines of an event but the first with a tab.
            self.assertTrue(line.removeprefix("\t").isprintable(), repr(line[:200]))
            self.assertFalse(line.startswith("2026-11-28T00:00:00+0000 [tlscomm"), line[:200])
        self.assertLess(len(text), 6000)


class Exceptions(LogCase):
    def logged(self, failure: Failure | None = None) -> str:
        events: list[LogEvent] = []
        log = Logger("tlscomm.test", observer=events.append)
        logFailure(log, "it broke at {place}", failure, place="here")
        return self.text(events)

    def test_whatIsHandledNow(self) -> None:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            text = self.logged()
        self.assertHarmless(text)
        self.assertIn("it broke at here", text)
        self.assertIn("builtins.ValueError: \\x1b[2J\\u202e\\r\\n", text)
        self.assertIn("test_whatIsHandledNow", text)

    def test_aFailureWithoutAPlace(self) -> None:
        text = self.logged(Failure(KeyError(HOSTILE)))
        self.assertHarmless(text)
        self.assertIn("builtins.KeyError", text)

    def test_whatCannotBeSaid(self) -> None:
        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise ZeroDivisionError(HOSTILE)

        self.assertHarmless(self.logged(Failure(Unspeakable())))

    def test_theExceptionItselfIsThere(self) -> None:
        """Who observes the log gets the exception, and not only its text."""
        events: list[LogEvent] = []
        raised = ValueError(HOSTILE)
        logFailure(Logger(observer=events.append), "it broke", Failure(raised))
        failure = events[0]["log_failure"]
        self.assertIs(failure.value, raised)
        self.assertIs(failure.check(ValueError), ValueError)
        self.assertTrue(failure.getErrorMessage().isprintable())
        self.assertTrue(failure.getBriefTraceback().replace("\n", "").isprintable())


class Connections(ConversationCase, LogCase):
    def observed(self) -> list[LogEvent]:
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        return events

    def test_aHook(self) -> None:
        for role in ("client", "server"):
            events = self.observed()
            conversation = self.conversation("1.3", **{role: {"hook": Asked(ValueError(HOSTILE))}})
            conversation.flush()
            self.flushLoggedErrors(ValueError)
            self.assertHarmless(self.text([event for event in events if "log_failure" in event]))
            failure: Any = getattr(conversation, role).failure
            self.assertEqual(failure.code, "hook-failed")
            for said in (str(failure), repr(failure), *failure.evidence, json.dumps(failure.toJSON())):
                self.assertTrue(said.isprintable())
                self.assertLess(len(said), 8000)


class EveryFailure(SynchronousTestCase):
    """The bounds are those of all failures, whoever makes one."""

    def test_texts(self) -> None:
        failure = HookFailed(HOSTILE, evidence=(HOSTILE,) * 100)
        self.assertEqual(len(failure.evidence), 16)
        for said in (str(failure), repr(failure), failure.message, failure.args[0], *failure.evidence):
            self.assertTrue(said.isprintable())
            self.assertLess(len(said), 2500)

    def test_problemsAndCertificates(self) -> None:
        facts = CertificateFacts(
            "CN=x", "CN=y", "1", "", "", "sha256:", tuple(f"dns:a{n}.example" for n in range(4000))
        )
        problems = tuple(Problem("not-permitted", 0, "CN=x", "a" * 200) for _ in range(4000))
        failure = ProtocolViolation(certificate=facts, chain=(facts,) * 100, problems=problems)
        self.assertEqual((len(failure.problems), len(failure.chain)), (32, 16))
        line: Any = failure.toJSON()
        self.assertEqual(line["certificate"]["names"][-2:], ("dns:a31.example", "and 3968 more"))
        self.assertLess(len(json.dumps(line)), 40_000)

    def test_aHugeSerialNumber(self) -> None:
        """RFC 5280 allows 20 octets; of more than 64 the beginning and the number are told."""
        authority = Authority.create()
        ordinary = authority.issue("x", role="client", serialNumber=1 << 158)
        self.assertEqual(certificateFacts(ordinary.certificate).serial, f"{1 << 158:x}")
