"""Real programs that change to TLS: PostgreSQL's server and its client, and OpenSSL's, each over its own STARTTLS."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from forkserver import python
from interop import LOOPBACK, PATIENCE, PATIENT, InteropCase, Program, authorityFile, credential, files, reactor, root
from test_interop_servers import freePorts
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.mail.smtp import ESMTP

from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.endpoints import (
    PostgreSQLClient,
    TLSClientEndpoint,
    TLSServerEndpoint,
    UpgradingClientEndpoint,
    UpgradingServerEndpoint,
)
from tlscomm.issuing import Authority
from tlscomm.server import Options, makeService
from tlscomm.x509._encoding import keyPEM, pem

EXAMPLE: Any = runpy.run_path(str(Path(__file__).parent.parent / "docs" / "examples" / "postgresql.py"))

QUESTION = "select version || ' ' || client_dn from pg_stat_ssl where pid = pg_backend_pid()"


def _programs() -> Path:
    """Return where PostgreSQL's programs are, which Debian keeps apart by version."""
    there = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb") or (there and str(there[-1]))
    assert found, "PostgreSQL is not installed: make programs"
    return Path(found).resolve().parent


class PostgreSQL:
    """A server of PostgreSQL with TLS, in a folder of its own.

    Attributes:
        port: where it listens.
        folder: where its Unix socket is, on which everybody is let in.
    """

    def __init__(self, stack: ExitStack) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self._programs = _programs()
        # It refuses to be started by root.
        self._as = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = self.folder / "data"
        self._run("initdb", "-D", str(data), "--no-sync", "-A", "trust", "-U", "postgres", "--locale=C")
        (self.port,) = freePorts(1)
        self._configure(data)
        command = [*self._as, str(self._programs / "postgres"), "-D", str(data)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        stack.callback(process.communicate)
        stack.callback(process.terminate)
        self._awaitStart(process)

    def _run(self, program: str, *words: str) -> None:
        command = [*self._as, str(self._programs / program), *words]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=PATIENCE)

    def _configure(self, data: Path) -> None:
        made = credential("server")
        key: Any = made.privateKey
        for name, content in (
            ("server.crt", pem((made.certificate, *made.chain))),
            ("server.key", keyPEM(key)),
            ("root.crt", pem([root().certificate])),
            ("pg_hba.conf", b"local all all trust\nhostssl all all 127.0.0.1/32 cert clientcert=verify-full\n"),
        ):
            (data / name).write_bytes(content)
            (data / name).chmod(0o600)
            if self._as:
                shutil.chown(data / name, "postgres")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '{LOOPBACK}'\nunix_socket_directories = '{self.folder}'\n"
                "ssl = on\nssl_ca_file = 'root.crt'\nfsync = off\nshared_buffers = 1MB\nmax_connections = 10\n"
            )

    def _awaitStart(self, process: subprocess.Popen[bytes]) -> None:
        limit = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < limit:
            done = subprocess.run(
                (self._programs / "pg_isready", "-q", "-h", self.folder, "-p", str(self.port)), check=False
            )
            if done.returncode == 0:
                return
        raise AssertionError(f"PostgreSQL does not start: {process.communicate()}")


class PostgreSQLTests(InteropCase):
    """The real PostgreSQL on the other side."""

    running: ClassVar[ExitStack]
    database: ClassVar[PostgreSQL]

    @classmethod
    def setUpClass(cls) -> None:
        with ExitStack() as stack:
            cls.database = PostgreSQL(stack)
            cls.running = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.running.close()

    def client(self, authority: Authority | None = None, name: str = "postgres") -> ClientConfiguration:
        made = (authority or root()).issue(name, role="client")
        # It never shows that it has accepted a client.
        deadlines = replace(PATIENT, acceptance=0.2)
        return ClientConfiguration(
            serverName="localhost", roots=(root().certificate,), credential=made, deadlines=deadlines
        )

    async def rows(self, configuration: ClientConfiguration) -> list[str]:
        tcp = UpgradingClientEndpoint(TCP4ClientEndpoint(reactor, LOOPBACK, self.database.port), PostgreSQLClient)
        lost: Deferred[Any] = Deferred()
        facts = {
            "user": "postgres",
            "question": QUESTION,
            "connectionLost": lambda _, reason: lost.callback(reason.value),
        }
        endpoint = TLSClientEndpoint(reactor, tcp, configuration)
        protocol: Any = await endpoint.connect(Factory.forProtocol(type("Query", (EXAMPLE["Query"],), facts)))
        rows: list[str] = await protocol.answer
        self.assertIsInstance(await lost, ConnectionDone)
        return rows

    async def test_client(self) -> None:
        """Its server knows our client by the certificate, over TLS 1.3, with the program of the documentation."""
        self.assertEqual(await self.rows(self.client()), ["TLSv1.3 /CN=postgres"])

    async def test_command(self) -> None:
        """``tlscomm connect --upgrade postgresql`` says why its server does not accept a certificate."""
        known = ("--server-name", "localhost", "--roots", authorityFile(), "--upgrade", "postgresql")
        own = ("--identity", files("client", "unknown-issuer"))
        place = f"{LOOPBACK}:{self.database.port}"
        command = self.spawn(*python("-m", "tlscomm.commandline", "connect", place, *known, *own))
        self.assertEqual(await command.ends(), 1, command.text)
        self.assertIn("unknown-issuer: The peer refused us", command.text)

    async def test_tunnel(self) -> None:
        """psql without TLS reaches the database through ``tlscomm tunnel``, which has the certificate."""
        made = root().issue("postgres", role="client")
        key: Any = made.privateKey
        Path("postgres.pem").touch(0o600)
        Path("postgres.pem").write_bytes(pem((made.certificate, *made.chain)) + keyPEM(key))
        own = ("--identity", "postgres.pem", "--roots", authorityFile(), "--server-name", "localhost")
        listen = ("--listen", f"tcp:0:interface={LOOPBACK}", "--upgrade", "postgresql")
        words = ("tunnel", f"{LOOPBACK}:{self.database.port}", *listen, *own)
        tunnel = self.spawn(*python("-m", "tlscomm.commandline", *words))
        port = (await tunnel.prints(rf"{LOOPBACK}:(\d+)"))[1]
        psql = self.psql(port, "sslmode=disable")
        self.assertEqual((await psql.ends(), psql.text), (0, "42\n"))

    async def test_refusedClient(self) -> None:
        """A client that it does not accept is told so when it connects."""
        configuration = self.client(Authority.create("stranger"))
        tcp = UpgradingClientEndpoint(TCP4ClientEndpoint(reactor, LOOPBACK, self.database.port), PostgreSQLClient)
        endpoint: Any = TLSClientEndpoint(reactor, tcp, configuration)
        failure = await self.failureOf(endpoint.connect(Factory.forProtocol(EXAMPLE["Query"])))
        self.assertEqual((failure.code, failure.side), ("unknown-issuer", "remote"))

    async def forwarding(self) -> str:
        """Start ``twistd tlscomm`` in front of it, and return its port."""
        options = Options()
        where = f"unix:{self.database.folder}/.s.PGSQL.{self.database.port}"
        own = ("--identity", files("server"), "--client-roots", authorityFile())
        options.parseOptions(
            ["--listen", f"tcp:0:interface={LOOPBACK}", *own, "--upgrade", "postgresql", "--forward", where]
        )
        server = makeService(options, reactor)
        addresses: DeferredQueue[str] = DeferredQueue()
        server.listeners[0]._whenListening = lambda found: addresses.put(found[0])
        server.startService()
        self.addCleanup(server.stopService)
        return (await addresses.get()).rpartition(":")[2]

    def psql(self, port: str, *words: str) -> Program:
        said = f"host=localhost hostaddr={LOOPBACK} port={port} user=postgres dbname=postgres"
        command = (shutil.which("psql") or "psql", " ".join((said, *words)), "-Atc", "select 6 * 7")
        return self.spawn(*command)

    async def test_server(self) -> None:
        """The real psql reaches the database through our server, with a certificate and in no other way."""
        port = await self.forwarding()
        verified = ("sslmode=verify-full", f"sslrootcert={authorityFile()}")
        own = files("client")
        psql = self.psql(port, *verified, f"sslcert={own}", f"sslkey={own}")
        self.assertEqual((await psql.ends(), psql.text), (0, "42\n"))
        for words, said in (
            (verified, "certificate required"),
            (("sslmode=disable",), "reached over TLS, with a client certificate alone"),
        ):
            psql = self.psql(port, *words)
            self.assertEqual(await psql.ends(), 2, psql.text)
            self.assertIn(said, psql.text)


class SMTPTests(InteropCase):
    """OpenSSL's client, which speaks SMTP until TLS begins."""

    async def start(self) -> int:
        """Start Twisted's SMTP server, which is reached over TLS with a certificate alone, and return its port."""
        usual = {"credential": credential("server"), "clientRoots": (root().certificate,), "deadlines": PATIENT}
        tcp = UpgradingServerEndpoint(TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK))
        endpoint = TLSServerEndpoint(reactor, tcp, ServerConfiguration(**usual), observer=self.record)
        factory: Any = Factory()
        factory.protocol = lambda: ESMTP(contextFactory=object())
        listening: Any = await endpoint.listen(factory)
        tls: Any = endpoint.factory
        self.addCleanup(self._stopServing, listening, tls.connections)
        return listening.getHost().port  # type: ignore[no-any-return]

    def client(self, port: int, *words: str) -> Any:
        command = ("openssl", "s_client", "-starttls", "smtp", "-connect", f"{LOOPBACK}:{port}", "-crlf", *words)
        return self.spawn(shutil.which("openssl") or "openssl", *command[1:])

    async def test_accepted(self) -> None:
        """It is greeted in the clear, and known by its certificate when the protocol goes on over TLS."""
        name = files("client")
        client = self.client(await self.start(), "-cert", name, "-key", name)
        transport = await self.record.next("accepted")
        self.assertEqual(transport.peer.certificate, credential("client").certificate)
        client.say("NOOP\nQUIT\n")
        await client.prints("250 .*\n(.*\n)*221 ")
        self.assertIsNone(await self.record.next("closed"))

    async def test_refused(self) -> None:
        """Without a certificate it is refused by name."""
        self.client(await self.start())
        self.assertEqual((await self.record.next("refused")).code, "no-certificate")
