"""A server reads all of its configuration again: it is taken as a whole, or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from conversation import AUTHORITY, serverConfiguration
from logs import logged
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ServerConfiguration
from tlscomm.failures import FileNotFound
from tlscomm.messages import MessageFactory
from tlscomm.server import Echo, Server, TLSService
from tlscomm.server._eventlog import JSONLines
from tlscomm.server._observers import Observers
from tlscomm.transport._eventlog import EventLog
from tlscomm.transport._reloadresult import ReloadResult

RENEWED = AUTHORITY.issue("renewed", role="server", dnsNames=["localhost"])


class Kept:
    """Keeps what came of each reading."""

    def __init__(self) -> None:
        self.results: list[ReloadResult] = []

    def reloaded(self, result: ReloadResult) -> None:
        self.results.append(result)


class ServerCase(SynchronousTestCase):
    """A server with two listeners."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.kept = Kept()
        log = EventLog(JSONLines(io.BytesIO(), self.clock), self.clock)
        observers = Observers(log, [self.kept])
        self.now: Sequence[ServerConfiguration] | Exception = (serverConfiguration(), serverConfiguration())
        listeners = [
            TLSService(self.clock, each, MessageFactory(Echo, clock=self.clock), (), log, observer=observers)
            for each in self.now
        ]
        self.server = Server(self.clock, listeners, observers, readAgain=self.read)
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def read(self) -> Sequence[ServerConfiguration]:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    @property
    def shown(self) -> list[str]:
        """Whose certificates the listeners show."""
        configurations: list[Any] = [each.factory.configuration for each in self.server.listeners]
        return [each.credential.certificate.subject.rfc4514_string() for each in configurations]


class Reload(ServerCase):
    """What a reload does."""

    def test_together(self) -> None:
        """All listeners take what was read, and the observers are told so once."""
        self.now = [serverConfiguration(credential=RENEWED)] * 2
        result = self.successResultOf(self.server.reload("signal"))
        self.assertTrue(result)
        self.assertEqual(self.shown, ["CN=renewed"] * 2)
        self.assertEqual(self.kept.results, [result])
        self.assertEqual((result.trigger, result.problem), ("signal", None))

    def test_notAtAll(self) -> None:
        """Where something cannot be read, none of them takes anything; the log and the observers are told why."""
        self.now = FileNotFound("ca.pem")
        with logged() as events:
            result = self.successResultOf(self.server.reload())
        self.assertFalse(result)
        self.assertEqual(self.shown, ["CN=server"] * 2)
        self.assertIs(self.kept.results[0].problem, self.now)
        self.assertIn("file-not-found", str(formatEvent(events[0])))

    def test_fewer(self) -> None:
        """A reading with another number of listeners is not taken by some of them."""
        self.now = [serverConfiguration(credential=RENEWED)]
        self.assertFalse(self.successResultOf(self.server.reload()))
        self.assertEqual(self.shown, ["CN=server"] * 2)

    def test_twoSteps(self) -> None:
        """What was prepared is taken when that is said, so that several processes can take it together."""
        self.now = [serverConfiguration(credential=RENEWED)] * 2
        prepared = self.successResultOf(self.server.prepare())
        self.assertEqual((self.shown, self.kept.results), (["CN=server"] * 2, []))
        prepared.commit()
        self.assertEqual((self.shown, len(self.kept.results)), (["CN=renewed"] * 2, 1))

    def test_givenUp(self) -> None:
        """What was prepared is forgotten where another process has a problem, which the observers are told."""
        problem = FileNotFound("ca.pem")
        self.now = [serverConfiguration(credential=RENEWED)] * 2
        self.successResultOf(self.server.prepare()).abort(problem)
        self.assertEqual(self.shown, ["CN=server"] * 2)
        self.assertIs(self.kept.results[0].problem, problem)

    def test_draining(self) -> None:
        """While open connections are drained, they are judged by what is read."""
        stopping = self.server.stopService()
        self.now = [serverConfiguration(credential=RENEWED)] * 2
        self.assertTrue(self.successResultOf(self.server.reload()))
        self.successResultOf(stopping)

    def test_nothingToRead(self) -> None:
        """A server that was made without a way to read again says so."""
        server = Server(self.clock, (), Observers(EventLog(JSONLines(io.BytesIO(), self.clock), self.clock)))
        self.assertFalse(self.successResultOf(server.reload()))
        self.assertRaises(ValueError, server.prepare)
