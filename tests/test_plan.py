"""What one process is to serve, and the server that is made of it."""

import os
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.issuing import Authority
from tlscomm.plans._plan import ONLY_LISTENER, PROCESS_WIDE, ListenerPlan, Origin, ServerPlan, planFromOptions
from tlscomm.server import Options
from tlscomm.server._fromoptions import serviceFor
from tlscomm.x509._encoding import keyPEM, pem

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])


def settings(*words: str) -> dict[str, Any]:
    options = Options()
    options.parseOptions(words)
    return options.settings


class PlanTests(SynchronousTestCase):
    """The settings of a process, and of its listeners."""

    def test_options(self) -> None:
        """The options of a command line are one listener's, but for those of the process."""
        plan = planFromOptions(settings("--listen", "tcp:1", "--log-format", "json", "--identity", "a.pem"))
        (listener,) = plan.listeners
        self.assertEqual((plan.settings["logFormat"], plan.settings["maximumConnections"]), ("json", 10000))
        self.assertEqual((listener.name, listener.settings["listen"]), (ONLY_LISTENER, ["tcp:1"]))
        self.assertFalse(PROCESS_WIDE & set(listener.settings))
        self.assertEqual(set(plan.settings) - PROCESS_WIDE, set())

    def test_levels(self) -> None:
        """What is one process's is so on no endpoint string, which has no process."""
        self.assertIn("logFormat", PROCESS_WIDE)
        self.assertNotIn("identity", PROCESS_WIDE)
        self.assertLessEqual(PROCESS_WIDE, {each.name for each in settingsOn(Interface.TWISTD)})

    def test_origin(self) -> None:
        """A place is named as editors and compilers do."""
        self.assertEqual(
            [str(each) for each in (Origin("a.toml", 3, 7), Origin("a.toml", 3), Origin("a.toml"), Origin())],
            ["a.toml:3:7", "a.toml:3", "a.toml", "the command line"],
        )


class SeveralListenersTests(SynchronousTestCase):
    """One process with several listeners."""

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        os.chmod("server.pem", 0o600)
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))

    def plan(self, **ofProcess: Any) -> ServerPlan:
        first = settings("--listen", "tcp:1", "--identity", "server.pem", "--client-roots", "ca.pem")
        second = settings("--listen", "tcp:2", "--identity", "server.pem", "--client-certificates", "none")
        one, two = (planFromOptions(each) for each in (first, second))
        listeners = tuple(ListenerPlan(name, plan.listeners[0].settings) for name, plan in (("one", one), ("two", two)))
        return ServerPlan({**one.settings, **ofProcess}, listeners)

    def test_each(self) -> None:
        """Each has its name, its configuration and its ports."""
        server = serviceFor(self.plan(), self.reactor, isForeground=True)
        self.assertEqual([each.name for each in server.listeners], ["one", "two"])
        modes = [each.factory.configuration.clientCertificates for each in server.listeners]  # type: ignore[union-attr]
        self.assertEqual(modes, ["required", "none"])
        with capturedLogs():
            server.startService()
            self.addCleanup(server.stopService)
        self.assertEqual([port for port, *_ in self.reactor.tcpServers], [1, 2])

    def test_maximumConnections(self) -> None:
        """The limit of connections is that of all listeners together, and an end makes room on any of them."""
        one, two = serviceFor(self.plan(maximumConnections=2), self.reactor, isForeground=True).listeners
        first = one.factory.buildProtocol(None)
        assert first is not None
        self.assertIsNotNone(two.factory.buildProtocol(None))
        with capturedLogs():
            self.assertIsNone(one.factory.buildProtocol(None))
            self.assertIsNone(two.factory.buildProtocol(None))
        one.factory.forget(first)
        self.assertIsNotNone(two.factory.buildProtocol(None))
