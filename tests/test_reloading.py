"""A server reads all of its configuration again: it is taken as a whole, or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from conversation import AUTHORITY, CLIENT, ROOTS, SERVER, serverConfiguration
from logs import logged
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import FileNotFound
from tlscomm.messages import MessageFactory
from tlscomm.server import Echo, Options, Server, TLSService, makeService
from tlscomm.serving._lines import JSONLines
from tlscomm.serving._observers import Observers
from tlscomm.transport._eventlog import EventLog
from tlscomm.watching._filewatch import LOOK_SECONDS, QUIET_SECONDS
from tlscomm.watching._pending import PENDING_SECONDS
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._watchedfiles import Sources
from tlscomm.x509._encoding import keyPEM, pem

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

    def test_told(self) -> None:
        """Where another process says when it is read, a change of files is told and nothing is read."""
        Path("a.pem").touch()
        told: list[str] = []
        observers = Observers(EventLog(JSONLines(io.BytesIO(), self.clock), self.clock))
        server = Server(
            self.clock,
            (),
            observers,
            readAgain=self.read,
            sources=lambda: Sources(("a.pem",)),
            changed=lambda: told.append("changed"),
        )
        server.startService()
        self.addCleanup(server.stopService)
        self.now = FileNotFound("it is not read")
        Path("a.pem").write_text("other")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS, LOOK_SECONDS, LOOK_SECONDS])
        self.assertEqual((told, self.kept.results), (["changed"], []))

    def test_nothingToRead(self) -> None:
        """A server that was made without a way to read again says so."""
        server = Server(self.clock, (), Observers(EventLog(JSONLines(io.BytesIO(), self.clock), self.clock)))
        self.assertFalse(self.successResultOf(server.reload()))
        self.assertRaises(ValueError, server.prepare)


class Watching(SynchronousTestCase):
    """The server that settings describe watches what it was read from."""

    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        self.put("server.pem", SERVER)
        Path("ca.pem").write_bytes(pem(ROOTS))
        Path("list.crl").write_bytes(pem([AUTHORITY.revocationList()]))
        options = Options()
        words = ("--identity", "server.pem", "--client-roots", "ca.pem", "--crl", "list.crl")
        options.parseOptions([*words, "--listen", "tcp:0", "--log-format", "json"])
        self.server = makeService(options, self.clock)
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def put(self, path: str, credential: Credential) -> None:
        Path("new").write_bytes(pem([credential.certificate]) + keyPEM(credential.privateKey))
        Path("new").chmod(0o600)
        Path("new").rename(path)

    @property
    def configuration(self) -> Any:
        return self.server.listeners[0].factory.configuration

    def settle(self) -> None:
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS])

    def test_identity(self) -> None:
        """A renewed identity is shown without a signal."""
        self.put("server.pem", RENEWED)
        self.settle()
        self.assertEqual(self.configuration.credential.certificate, RENEWED.certificate)

    def test_list(self) -> None:
        """A new list counts without anything else being read again: sessions stay."""
        before = self.configuration
        Path("list.crl").write_bytes(pem([AUTHORITY.revocationList([CLIENT.certificate.serial_number], number=2)]))
        self.settle()
        problems, _ = before.revocation.check((CLIENT.certificate, *ROOTS), at=datetime.now(timezone.utc))
        self.assertEqual([each.code for each in problems], ["revoked"])
        self.assertIs(self.configuration, before)

    def test_together(self) -> None:
        """Of an identity and a list that change together, neither counts where the other cannot be used."""
        before = self.configuration
        self.put("server.pem", RENEWED)
        Path("list.crl").write_bytes(b"half")
        self.settle()
        with logged() as events:
            self.clock.advance(PENDING_SECONDS)
        self.assertIs(self.configuration, before)
        (event,) = events
        self.assertIn("unknown-format", str(formatEvent(event)))
        self.assertIn("(changed: server.pem, list.crl)", str(formatEvent(event)))


class ConfigurationFile(SynchronousTestCase):
    """The server that a configuration file describes takes changes of it."""

    def setUp(self) -> None:
        self.clock: Any = MemoryReactorClock()
        for name, credential in (("server.pem", SERVER), ("other.pem", RENEWED)):
            Path(name).write_bytes(pem([credential.certificate]) + keyPEM(credential.privateKey))
            Path(name).chmod(0o600)
        Path("ca.pem").write_bytes(pem(ROOTS))
        self.write()
        options = Options()
        options.parseOptions(["--configuration", "server.toml", "--log-format", "json"])
        self.server = makeService(options, self.clock)
        self.server.startService()
        self.addCleanup(self.server.stopService)

    def write(self, identity: str = "server.pem", *lines: str) -> None:
        text = f'listen = "tcp:0"\nidentity = "{identity}"\nclientRoots = "ca.pem"\n' + "\n".join(lines)
        Path("server.toml").write_text(text)

    def settle(self) -> None:
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS])

    @property
    def factory(self) -> Any:
        return self.server.listeners[0].factory

    def test_limits(self) -> None:
        """Limits and rules are taken with everything else, or not at all."""
        self.write("server.pem", "maximumConnections = 7", 'allow = ["cn=client"]')
        self.settle()
        self.assertEqual(self.factory.admission.limits.maximumConnections, 7)
        self.assertEqual(str(self.factory.configuration.access.allow[0]), "cn=client")
        self.write("none.pem", "maximumConnections = 8")
        self.settle()
        self.assertEqual(self.factory.admission.limits.maximumConnections, 7)

    def test_named(self) -> None:
        """A file that was not named before is watched from then on."""
        self.write("other.pem")
        self.settle()
        self.assertEqual(self.factory.configuration.credential.certificate, RENEWED.certificate)
        Path("other.pem").write_bytes(Path("server.pem").read_bytes())
        self.settle()
        self.assertEqual(self.factory.configuration.credential.certificate, SERVER.certificate)

    def test_missing(self) -> None:
        """A file that was named before it was there is taken when it comes."""
        self.write("late.pem")
        self.settle()
        self.clock.advance(PENDING_SECONDS)
        Path("late.pem").touch(0o600)
        Path("late.pem").write_bytes(Path("other.pem").read_bytes())
        self.settle()
        self.assertEqual(self.factory.configuration.credential.certificate, RENEWED.certificate)

    def test_places(self) -> None:
        """Listeners that change places in the file stay what they are."""
        tables = [
            f'[[listener]]\nname = "{name}"\nidentity = "{name}.pem"\nlisten = "tcp:0"\n'
            for name in ("server", "other")
        ]
        Path("two.toml").write_text('clientRoots = "ca.pem"\n' + "".join(tables))
        options = Options()
        options.parseOptions(["--configuration", "two.toml", "--log-format", "json"])
        server = makeService(options, self.clock)
        Path("two.toml").write_text('clientRoots = "ca.pem"\n' + "".join(reversed(tables)))
        self.assertTrue(self.successResultOf(server.reload()))
        configurations: list[Any] = [each.factory.configuration for each in server.listeners]
        self.assertEqual(
            [each.credential.certificate for each in configurations], [SERVER.certificate, RENEWED.certificate]
        )
