"""nginx, HAProxy and stunnel as peers: each demands certificates of our client, and brings its own to our server.

Each program is started once, with everything that is asked of it, and what it carries goes to a server that echoes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from forkserver import python
from interop import LOOPBACK, PATIENCE, InteropCase, credential, presenting, reactor, root
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from tlscomm.failures import TLSFailure
from tlscomm.x509._encoding import keyPEM, pem

VERSIONS = ("1.2", "1.3")

#: What is wrong with a client's certificate; None for a client without one.
KINDS = ("good", None, "expired", "unknown-issuer")

Cell = tuple[str, "str | None"]
CELLS: tuple[Cell, ...] = tuple((version, kind) for version in VERSIONS for kind in KINDS)

_STARTS = 5


def found(program: str) -> str:
    """Return where a program is, which is often where only root looks."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))
    place = shutil.which(program, path=path)
    assert place is not None, f"{program} is not installed: make programs"
    return place


class _EchoServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        # Not imported by its name, which trial takes for its own.
        with contextlib.suppress(OSError):
            while data := self.request.recv(1 << 16):
                self.request.sendall(data)


def freePorts(number: int) -> list[int]:
    """Return ports of which each was free a moment ago."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(number)]
        return [int(listener.getsockname()[1]) for listener in listeners]


def listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


class PeerTests:
    """What holds for each of the programs."""

    #: What our client says, by the kind of its certificate; where the versions differ, by version and kind.
    refusals: ClassVar[Mapping[Any, str]]

    folder: Path
    echo: int
    ours: int
    #: Where it takes TLS, by version, and where it takes plain TCP for our server, by cell.
    takingTLS: dict[str, int]
    takingTCP: dict[Cell, int]

    @classmethod
    def setUpClass(cls) -> None:
        with ExitStack() as stack:
            cls.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(_EchoServer((LOOPBACK, 0), _Echo))
            cls.echo = server.server_address[1]
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            cls._writeFiles()
            cls._start(stack)
            cls._running = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls._running.close()

    _running: ExitStack

    @classmethod
    def _writeFiles(cls) -> None:
        (cls.folder / "root.pem").write_bytes(pem([root().certificate]))
        for role, kind in (("server", "good"), *(("client", kind) for kind in KINDS if kind is not None)):
            made = credential(role, kind)
            key: Any = made.privateKey
            place = cls.folder / f"{role}-{kind}.pem"
            place.touch(0o600)
            place.write_bytes(pem((made.certificate, *made.chain)) + keyPEM(key))

    @classmethod
    def _start(cls, stack: ExitStack) -> None:
        for _ in range(_STARTS):
            cls.ours, *ports = freePorts(1 + len(VERSIONS) + len(CELLS))
            cls.takingTLS = dict(zip(VERSIONS, ports, strict=False))
            cls.takingTCP = dict(zip(CELLS, ports[len(VERSIONS) :], strict=True))
            configuration = cls.folder / "peer.conf"
            configuration.write_text("".join(f"{line}\n" for line in cls.configuration()), encoding="ascii")
            process = subprocess.Popen(
                cls.command(configuration), cwd=cls.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            if cls._hasBegun(process, ports):
                stack.callback(process.communicate)
                stack.callback(process.kill)
                return
            process.kill()
            printed, _ = process.communicate()
        raise AssertionError(f"{process.args!r} does not listen: {printed.decode()}")

    @staticmethod
    def _hasBegun(process: subprocess.Popen[bytes], ports: list[int]) -> bool:
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            if all(map(listens, ports[: len(VERSIONS)])):
                return True
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        return False

    @classmethod
    def configuration(cls) -> Iterator[str]:
        raise NotImplementedError

    @classmethod
    def command(cls, configuration: Path) -> list[str]:
        raise NotImplementedError

    async def outcome(self, version: str, kind: str | None) -> str | None:
        """Return the code that our client comes to, or None where its message comes back and the end is in order."""
        only: dict[str, Any] = {"minimumTLS": version, "maximumTLS": version}
        # Our own configurations take no credential that is evidently bad.
        own = None if kind is None else credential("client", kind)
        configuration = None if kind is None else presenting(own, serverName="localhost", version=version)
        try:
            asker = await self.connect(self.takingTLS[version], configuration, credential=None, **only)
            if kind == "good":
                self.assertEqual(await asker.request("hello"), "hello")
                await self.finish(asker)
                return None
            asker.request("hello").addErrback(lambda _: None)
            raise await asker.lost
        except TLSFailure as failure:
            return failure.code

    async def test_ourClient(self) -> None:
        """Our client is told of every refusal, and of why where that can be known."""
        for version, kind in CELLS:
            expected = None if kind == "good" else self.refusals[kind]
            self.assertEqual(await self.outcome(version, kind), expected, (version, kind))

    async def test_ourServer(self) -> None:
        """Our server lets the good client in, and names what is wrong with each other."""
        await self.serve(port=self.ours)
        names = {None: "no-certificate"}
        for (version, kind), port in self.takingTCP.items():
            carried = await TCP4ClientEndpoint(reactor, LOOPBACK, port).connect(Factory.forProtocol(_Line))
            if kind == "good":
                transport = await self.record.next("accepted")
                self.assertEqual(transport.tls.version, f"TLSv{version}")
                self.assertEqual(transport.peer.certificate, credential("client").certificate)
                self.assertEqual(await carried.line, b"hello\n")
            else:
                failure = await self.record.next("refused")
                self.assertEqual((failure.code, failure.side), (names.get(kind, kind), "local"), version)
            carried.transport.loseConnection()
            await carried.lost
        self.assertEqual((self.record.count("accepted"), self.record.count("refused")), (0, 0))


class _Line(Protocol):
    """Says hello, and keeps the answer."""

    def __init__(self) -> None:
        self.line: Deferred[bytes] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self._received = b""

    def connectionMade(self) -> None:
        self.transport.write(b"hello\n")

    def dataReceived(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(b"\n"):
            self.line.callback(self._received)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class NginxTests(PeerTests, InteropCase):
    """nginx's stream module, which says nothing but close_notify to whom it refuses, after its tickets."""

    refusals: ClassVar = {None: "no-certificate", "expired": "expired", "unknown-issuer": "unknown-issuer"}

    @classmethod
    def configuration(cls) -> Iterator[str]:
        # The whole name: its own prefix is where Debian keeps its modules.
        module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        if module.exists():
            yield f"load_module {module};"
        yield "daemon off; master_process off; pid nginx.pid; error_log stderr; events {} stream {"
        yield "ssl_session_cache off; ssl_client_certificate root.pem;"
        for version, port in cls.takingTLS.items():
            yield f"server {{ listen {LOOPBACK}:{port} ssl; ssl_protocols TLSv{version}; ssl_verify_client on;"
            yield "ssl_certificate server-good.pem; ssl_certificate_key server-good.pem;"
            yield f"proxy_pass {LOOPBACK}:{cls.echo}; }}"
        for (version, kind), port in cls.takingTCP.items():
            yield f"server {{ listen {LOOPBACK}:{port}; proxy_pass {LOOPBACK}:{cls.ours};"
            yield f"proxy_ssl on; proxy_ssl_protocols TLSv{version}; proxy_ssl_verify on; proxy_ssl_session_reuse off;"
            yield "proxy_ssl_trusted_certificate root.pem; proxy_ssl_name localhost;"
            if kind is not None:
                yield f"proxy_ssl_certificate client-{kind}.pem; proxy_ssl_certificate_key client-{kind}.pem;"
            yield "}"
        yield "}"

    @classmethod
    def command(cls, configuration: Path) -> list[str]:
        return [found("nginx"), "-e", "stderr", "-p", f"{cls.folder}/", "-c", str(configuration)]

    async def test_command(self) -> None:
        """``tlscomm connect`` fails where it is refused without a word, and says why."""
        place, roots = f"{LOOPBACK}:{self.takingTLS['1.3']}", str(self.folder / "root.pem")
        words = ("connect", place, "--server-name", "localhost", "--roots", roots)
        command = self.spawn(*python("-m", "tlscomm.commandline", *words))
        self.assertEqual(await command.ends(), 1, command.text)
        self.assertIn("no-certificate: ", command.text)


class HAProxyTests(PeerTests, InteropCase):
    """HAProxy in TCP mode."""

    refusals: ClassVar = {None: "no-certificate", "expired": "expired", "unknown-issuer": "unknown-issuer"}

    @classmethod
    def configuration(cls) -> Iterator[str]:
        yield "defaults\n mode tcp\n retries 0\n timeout connect 1m\n timeout client 1m\n timeout server 1m"
        for version, port in cls.takingTLS.items():
            yield f"listen tls-{port}"
            yield (
                f" bind {LOOPBACK}:{port} ssl crt server-good.pem verify required ca-file root.pem"
                f" ssl-min-ver TLSv{version} ssl-max-ver TLSv{version}"
            )
            yield f" server echo {LOOPBACK}:{cls.echo}"
        for (version, kind), port in cls.takingTCP.items():
            own = "" if kind is None else f"crt client-{kind}.pem"
            yield f"listen tcp-{port}\n bind {LOOPBACK}:{port}"
            yield (
                f" server ours {LOOPBACK}:{cls.ours} ssl {own} verify required ca-file root.pem verifyhost localhost"
                f" sni str(localhost) ssl-min-ver TLSv{version} ssl-max-ver TLSv{version}"
            )

    @classmethod
    def command(cls, configuration: Path) -> list[str]:
        return [found("haproxy"), "-db", "-f", str(configuration)]


class StunnelTests(PeerTests, InteropCase):
    """stunnel, which sends alerts of its own."""

    refusals: ClassVar = {None: "no-certificate", "expired": "expired", "unknown-issuer": "unknown-issuer"}

    @classmethod
    def configuration(cls) -> Iterator[str]:
        yield "foreground = yes\npid =\nCAfile = root.pem\nverifyChain = yes\nTIMEOUTclose = 0"
        for version, port in cls.takingTLS.items():
            yield f"[tls-{port}]\naccept = {LOOPBACK}:{port}\nconnect = {LOOPBACK}:{cls.echo}\ncert = server-good.pem"
            yield f"sslVersionMin = TLSv{version}\nsslVersionMax = TLSv{version}"
        for (version, kind), port in cls.takingTCP.items():
            yield f"[tcp-{port}]\nclient = yes\naccept = {LOOPBACK}:{port}\nconnect = {LOOPBACK}:{cls.ours}"
            yield "checkHost = localhost\nsni = localhost"
            yield f"sslVersionMin = TLSv{version}\nsslVersionMax = TLSv{version}"
            if kind is not None:
                yield f"cert = client-{kind}.pem"

    @classmethod
    def command(cls, configuration: Path) -> list[str]:
        return [found("stunnel"), str(configuration)]
