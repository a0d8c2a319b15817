"""Files of an endpoint string that change while it listens: they are read again, by themselves and at SIGHUP."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from conversation import AUTHORITY, CLIENT, ROOTS, SERVER, serverConfiguration
from cryptography import x509
from logs import logged
from naming import NamingReactor
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.credentials import Credential
from tlscomm.endpoints import TLSServerEndpoint
from tlscomm.watching._filewatch import LOOK_SECONDS, QUIET_SECONDS
from tlscomm.watching._pending import PENDING_SECONDS
from tlscomm.watching._watchedfiles import WatchedFiles
from tlscomm.x509._encoding import keyPEM, pem

RENEWED = AUTHORITY.issue("renewed", role="server", dnsNames=["localhost"])


def write(name: str, credential: Credential) -> None:
    """Put a credential there in one step."""
    Path("new").write_bytes(pem([credential.certificate]) + keyPEM(credential.privateKey))
    Path("new").chmod(0o600)
    Path("new").rename(name)


class RenewalCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor: Any = NamingReactor()
        write("server.pem", SERVER)
        Path("ca.pem").write_bytes(pem(ROOTS))
        # A service of another test may have it.
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))

    def listening(self, string: str = "tlscomm:0:identity=server.pem:clientRoots=ca.pem") -> tuple[Any, Any]:
        """Return an endpoint that listens, and its factory."""
        endpoint: Any = serverFromString(self.reactor, string)
        self.successResultOf(endpoint.listen(Factory()))
        # As a port does when it begins to listen.
        endpoint.factory.doStart()
        self.addCleanup(self.stop, endpoint.factory)
        return endpoint, endpoint.factory

    def stop(self, factory: Any) -> None:
        if factory._users:
            factory.doStop()

    def shown(self, factory: Any) -> str:
        name: str = factory.configuration.credential.certificate.subject.rfc4514_string()
        return name


class WatchingTests(RenewalCase):
    """The files are looked at."""

    def test_renewed(self) -> None:
        """A renewed certificate is shown once it has stayed the same from one look to the next."""
        _, factory = self.listening()
        write("server.pem", RENEWED)
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.shown(factory), "CN=server")
        self.reactor.advance(QUIET_SECONDS)
        self.assertEqual(self.shown(factory), "CN=renewed")

    def test_unchanged(self) -> None:
        """Nothing is read where nothing has changed."""
        _, factory = self.listening()
        before = factory.configuration
        self.reactor.pump([LOOK_SECONDS] * 5)
        self.assertIs(factory.configuration, before)

    def test_halfWritten(self) -> None:
        """What cannot be used is said once, and the former certificate stays until there is a good one."""
        _, factory = self.listening()
        Path("server.pem").write_bytes(pem([RENEWED.certificate]))
        with logged() as events:
            self.reactor.pump([LOOK_SECONDS, QUIET_SECONDS])
            self.assertEqual(events, [])
            self.reactor.pump([PENDING_SECONDS, LOOK_SECONDS, LOOK_SECONDS])
        self.assertEqual(len(events), 1)
        self.assertIn("no-private-key", str(formatEvent(events[0])))
        self.assertEqual(self.shown(factory), "CN=server")
        write("server.pem", RENEWED)
        self.reactor.pump([LOOK_SECONDS] * 2)
        self.assertEqual(self.shown(factory), "CN=renewed")

    def test_folders(self) -> None:
        """Of a folder, each file is looked at; stores and the system's authorities are no files."""
        Path("roots").mkdir()
        Path("roots/ca.pem").write_bytes(pem(ROOTS))
        files = WatchedFiles.of(["roots", "missing", "store:My", "system", "-"])
        found = files.look()
        self.assertEqual(list(found), ["roots", "missing"])
        self.assertEqual([path for path, _ in found["roots"]], ["roots", "roots/ca.pem"])
        self.assertEqual(files.changedSince(found), ())
        Path("roots/ca.pem").write_bytes(pem(ROOTS) * 2)
        self.assertEqual(files.changedSince(files.look()), ("roots",))

    def test_stopped(self) -> None:
        """With the port closed, the files are not looked at any more."""
        _, factory = self.listening()
        factory.doStop()
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])


class SignalTests(RenewalCase):
    """SIGHUP."""

    def test_read(self) -> None:
        """It reads the files of all that listen, and means what it meant when the last has stopped."""
        factories = [self.listening()[1] for _ in range(2)]
        write("server.pem", RENEWED)
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual([self.shown(factory) for factory in factories], ["CN=renewed"] * 2)
        factories[0].doStop()
        self.assertNotEqual(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)
        factories[1].doStop()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)

    def test_programsOwn(self) -> None:
        """A program that uses it keeps it, whether it began before the endpoint did or after; so does nohup."""
        heard: list[int] = []

        def own(number: int, _: object) -> None:
            heard.append(number)

        for before in (own, signal.SIG_IGN):
            signal.signal(signal.SIGHUP, before)
            self.addCleanup(signal.signal, signal.SIGHUP, signal.SIG_DFL)
            _, factory = self.listening()
            self.assertEqual(signal.getsignal(signal.SIGHUP), before)
            factory.doStop()
            self.assertEqual(signal.getsignal(signal.SIGHUP), before)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _, factory = self.listening()
        signal.signal(signal.SIGHUP, own)
        factory.doStop()
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(heard, [signal.SIGHUP])

    def test_told(self) -> None:
        """Such a program calls ``reload``, which says whether the files could be read."""
        endpoint, factory = self.listening()
        write("server.pem", RENEWED)
        self.assertTrue(self.successResultOf(endpoint.reload()))
        self.assertEqual(self.shown(factory), "CN=renewed")
        Path("ca.pem").unlink()
        self.assertFalse(self.successResultOf(endpoint.reload()))
        self.assertEqual(self.shown(factory), "CN=renewed")

    def test_nothingToRead(self) -> None:
        """An endpoint of Python objects has nothing to read, and leaves the signal alone."""
        endpoint = TLSServerEndpoint.onPort(MemoryReactorClock(), 0, credential=SERVER, clientRoots=ROOTS)
        self.successResultOf(endpoint.listen(Factory()))
        assert endpoint.factory is not None
        endpoint.factory.doStart()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)
        self.assertFalse(self.successResultOf(endpoint.reload()))
        endpoint.factory.doStop()

    def test_ofOnesOwn(self) -> None:
        """A program can say how its endpoint's configuration is read again."""
        clock, new = Clock(), serverConfiguration(credential=RENEWED)
        endpoint = TLSServerEndpoint(
            clock,
            serverFromString(MemoryReactorClock(), "tcp:0"),
            serverConfiguration(),
            readAgain=lambda: new,
        )
        self.assertFalse(self.successResultOf(endpoint.reload()))
        self.successResultOf(endpoint.listen(Factory()))
        self.assertTrue(self.successResultOf(endpoint.reload()))
        assert endpoint.factory is not None
        self.assertIs(endpoint.factory.configuration, new)


class ClientTests(RenewalCase):
    """A client's string."""

    def setUp(self) -> None:
        super().setUp()
        write("client.pem", CLIENT)
        self.endpoint: Any = clientFromString(
            self.reactor, "tlscomm:endpoint=tcp\\:127.0.0.1\\:1:serverName=localhost:identity=client.pem:roots=ca.pem"
        )

    def connect(self) -> str:
        """Connect, and return whose certificate would be shown."""
        self.endpoint.connect(Factory())
        factory = self.reactor.tcpClients[-1][2]._wrappedFactory
        name: str = factory.configuration.credential.certificate.subject.rfc4514_string()
        return name

    def test_renewed(self) -> None:
        """Its files are looked at before it connects, unless they were a moment ago."""
        self.assertEqual(self.connect(), "CN=client")
        write("client.pem", AUTHORITY.issue("renewed", role="client"))
        self.assertEqual(self.connect(), "CN=client")
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.connect(), "CN=renewed")

    def test_watched(self) -> None:
        """While it is watched, they are read when they change, and what is broken is said, without a connection."""
        self.endpoint.watch()
        self.reactor.pump([0.0, QUIET_SECONDS])
        write("client.pem", AUTHORITY.issue("renewed", role="client"))
        self.reactor.pump([LOOK_SECONDS, QUIET_SECONDS])
        self.assertEqual(self.connect(), "CN=renewed")
        Path("client.pem").write_bytes(b"half")
        with logged() as events:
            self.reactor.pump([LOOK_SECONDS, QUIET_SECONDS, PENDING_SECONDS, LOOK_SECONDS])
        (event,) = events
        self.assertIn("is not read again, the former one stays", str(formatEvent(event)))
        self.endpoint.unwatch()
        self.assertEqual([call for call in self.reactor.getDelayedCalls() if call.active()], [])

    def test_lists(self) -> None:
        """A revocation list that has changed is read before the next connection, and not while it is made."""
        Path("list.crl").write_bytes(pem([AUTHORITY.revocationList(number=1)]))
        string = "tlscomm:endpoint=tcp\\:127.0.0.1\\:1:serverName=localhost:roots=ca.pem:crl=list.crl"
        endpoint: Any = clientFromString(self.reactor, string)
        Path("list.crl").write_bytes(pem([AUTHORITY.revocationList(number=22)]))
        self.reactor.advance(LOOK_SECONDS)
        endpoint.connect(Factory())
        configuration = self.reactor.tcpClients[-1][2]._wrappedFactory.configuration
        (found,) = configuration.revocation.lists
        self.assertEqual(found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, 22)

    def test_unchanged(self) -> None:
        """Where nothing has changed, the configuration stays, and with it the sessions."""
        before = self.endpoint._configuration
        self.reactor.advance(LOOK_SECONDS)
        self.connect()
        self.assertIs(self.endpoint._configuration, before)

    def test_unusable(self) -> None:
        """What cannot be used is said in the log once, and the former certificate is shown."""
        Path("client.pem").write_bytes(b"half")
        with logged() as events:
            for _ in range(3):
                self.reactor.advance(LOOK_SECONDS)
                self.assertEqual(self.connect(), "CN=client")
                self.reactor.advance(PENDING_SECONDS)
        (event,) = events
        self.assertIn("is not read again, the former one stays", str(formatEvent(event)))
