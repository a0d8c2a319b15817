"""The real HAProxy and nginx before our server: the client is who connected to them, and checks are no refusals."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from interop import (
    LOOPBACK,
    PATIENCE,
    PATIENT,
    InteropCase,
    authorityFile,
    credential,
    echoing,
    files,
    reactor,
    root,
)
from test_interop_servers import found, freePorts, listens
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from tlscomm.configuration import ServerConfiguration
from tlscomm.endpoints import ProxiedServerEndpoint, TLSServerEndpoint
from tlscomm.relaying import Forwarding
from tlscomm.relaying._fromsettings import openingFrom
from tlscomm.transport import describeAddress


def start(stack: ExitStack, command: list[str], ports: list[int], folder: Path) -> None:
    """Start a program that stays until the stack is closed, and wait until it listens."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def stop() -> None:
        process.kill()
        process.communicate()

    stack.callback(stop)
    limit = time.monotonic() + PATIENCE
    while not all(map(listens, ports)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, f"{command[0]} does not listen"


class _Counting(TCP4ServerEndpoint):
    """Fires when so many connections have come."""

    def __init__(self, count: int) -> None:
        super().__init__(reactor, 0, interface=LOOPBACK)
        self.enough: Deferred[None] = Deferred()
        self._left = count

    def listen(self, protocolFactory: Any) -> Any:
        build = protocolFactory.buildProtocol

        def counted(address: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                reactor.callLater(0, self.enough.callback, None)
            return build(address)

        protocolFactory.buildProtocol = counted
        return super().listen(protocolFactory)


class _Hearing(Factory):
    """Keeps each line, and answers to hello."""

    noisy = False

    def __init__(self, heard: DeferredQueue[bytes]) -> None:
        self._heard = heard

    def buildProtocol(self, addr: Any) -> LineReceiver:
        heard = self._heard

        class Hearing(LineReceiver):
            delimiter = b"\n"

            def lineReceived(self, line: bytes) -> None:
                heard.put(line)
                if line == b"hello":
                    self.sendLine(b"heard")

        return Hearing()


class BeforeUsTests(InteropCase):
    """A proxy passes TCP on, and says whose it is."""

    def setUp(self) -> None:
        super().setUp()
        self._running = ExitStack()
        self.folder = Path(self._running.enter_context(tempfile.TemporaryDirectory()))
        self.addCleanup(self._running.close)

    async def serveBehind(self, below: Any, proxies: str = LOOPBACK) -> int:
        """Start our server behind proxies, and return its port."""
        settings = {"credential": credential("server"), "clientRoots": (root().certificate,), "deadlines": PATIENT}
        tcp = ProxiedServerEndpoint(below, [proxies])
        endpoint = TLSServerEndpoint(reactor, tcp, ServerConfiguration(**settings), observer=self.record)
        listening: Any = await endpoint.listen(echoing())
        tls: Any = endpoint.factory
        self.addCleanup(self._stopServing, listening, tls.connections)
        return getattr(listening.getHost(), "port", 0)

    def startHAProxy(self, ports: list[int], *lines: str) -> None:
        times = [f" timeout {each} 1m" for each in ("connect", "client", "server")]
        (self.folder / "haproxy.conf").write_text("\n".join(["defaults", " mode tcp", *times, *lines, ""]))
        start(self._running, [found("haproxy"), "-db", "-f", "haproxy.conf"], ports, self.folder)

    def startNginx(self, ports: list[int], *lines: str) -> None:
        module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        first = [f"load_module {module};"] if module.exists() else []
        rest = ["daemon off; master_process off; pid nginx.pid; error_log stderr; events {} stream {", *lines, "}", ""]
        (self.folder / "nginx.conf").write_text("\n".join([*first, *rest]))
        command = [found("nginx"), "-e", "stderr", "-p", f"{self.folder}/", "-c", str(self.folder / "nginx.conf")]
        start(self._running, command, ports, self.folder)

    async def test_client(self) -> None:
        """HAProxy by both versions, and nginx: our server is told of the client's own address, and where it went."""
        ours = await self.serveBehind(TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK))
        ports = freePorts(3)
        lines = [
            f"listen on-{port}\n bind {LOOPBACK}:{port}\n server ours {LOOPBACK}:{ours} {option}"
            for port, option in zip(ports, ("send-proxy", "send-proxy-v2"), strict=False)
        ]
        self.startHAProxy(ports[:2], *lines)
        self.startNginx(
            ports[2:],
            f"server {{ listen {LOOPBACK}:{ports[2]}; proxy_pass {LOOPBACK}:{ours}; proxy_protocol on; }}",
        )
        # Those were looks whether they listen, which they passed on.
        for _ in ports:
            failure = await self.record.next("refused")
            self.assertEqual(failure.code, "closed-in-handshake")
        for port, version in zip(ports, (1, 2, 1), strict=True):
            asker = await self.connect(port)
            transport = await self.record.next("accepted")
            mine: Any = asker.transport
            self.assertEqual(describeAddress(transport.getPeer()), describeAddress(mine.getHost()))
            self.assertEqual(describeAddress(transport.getHost()), f"{LOOPBACK}:{port}")
            self.assertEqual(transport.proxied.version, version)
            self.assertEqual(await asker.request("hello"), "hello")
            await self.finish(asker)

    async def test_throughUnixSocket(self) -> None:
        """HAProxy on the same machine may use a Unix socket, and the client is still who it says."""
        path = str(self.folder / "ours.sock")
        await self.serveBehind(UNIXServerEndpoint(reactor, path), "unix")
        (port,) = freePorts(1)
        self.startHAProxy([port], f"listen one\n bind {LOOPBACK}:{port}\n server ours unix@{path} send-proxy-v2")
        asker = await self.connect(port)
        transport = await self.record.next("accepted")
        mine: Any = asker.transport
        self.assertEqual(describeAddress(transport.getPeer()), describeAddress(mine.getHost()))
        await self.finish(asker)

    async def test_endingTLS(self) -> None:
        """HAProxy that ends TLS, and speaks TLS with us again, tells of the client's certificate."""
        ours = await self.serveBehind(TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK))
        (port,) = freePorts(1)
        server, client, known = (Path(each).absolute() for each in (files("server"), files("client"), authorityFile()))
        self.startHAProxy(
            [port],
            f"listen one\n bind {LOOPBACK}:{port} ssl crt {server} verify required ca-file {known}",
            f" server ours {LOOPBACK}:{ours} ssl crt {client} verify required ca-file {known} verifyhost localhost"
            " sni str(localhost) send-proxy-v2-ssl-cn",
        )
        asker = await self.connect(port)
        await asker.request("hello")
        transport = await self.record.next("accepted")
        tls = transport.proxied.tls
        self.assertEqual((tls.version, tls.commonName, tls.isVerified), ("TLSv1.3", "localhost", True))
        await self.finish(asker)

    async def test_checks(self) -> None:
        """HAProxy's health checks, with a header of its own connection, are told of to no observer."""
        below = _Counting(4)
        ours = await self.serveBehind(below)
        (port,) = freePorts(1)
        lines = f"listen one\n bind {LOOPBACK}:{port}\n server ours {LOOPBACK}:{ours} send-proxy-v2 check inter 50ms"
        self.startHAProxy([], lines)
        await below.enough
        self.assertEqual((self.record.count("refused"), self.record.count("closed")), (0, 0))

    async def serveBefore(self, backend: int) -> int:
        """Start our server before another one, which is told of the client, and return its port."""
        backends = TCP4ClientEndpoint(reactor, LOOPBACK, backend)
        opening = openingFrom({"sendProxy": "v2-ssl-cn", "sendProxyOptions": ["crc32c"], "forward": ["tcp:x"]})
        return await self.serve(Forwarding(reactor, backends, "the backend", opening=opening))

    async def test_believedByNginx(self) -> None:
        """nginx believes the header that we send, and says who the client is."""
        (port,) = freePorts(1)
        self.startNginx(
            [port],
            f"server {{ listen {LOOPBACK}:{port} proxy_protocol; return "
            '"$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_port\\n"; }',
        )
        ours = await self.serveBefore(port)
        asker = await self.connect(ours)
        mine: Any = asker.transport
        self.assertEqual(await asker.request("who am I?"), f"{describeAddress(mine.getHost())} {ours}")
        await self.finish(asker)

    async def test_believedByHAProxy(self) -> None:
        """HAProxy believes the header that we send, and tells the next one in a header of version 1."""
        (port,) = freePorts(1)
        heard: DeferredQueue[bytes] = DeferredQueue()
        listening = await TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK).listen(_Hearing(heard))
        self.addCleanup(listening.stopListening)
        next_ = listening.getHost().port  # type: ignore[attr-defined]
        lines = f"listen one\n bind {LOOPBACK}:{port} accept-proxy\n server next {LOOPBACK}:{next_} send-proxy"
        self.startHAProxy([port], lines)
        ours = await self.serveBefore(port)
        asker = await self.connect(ours)
        self.assertEqual(await asker.request("hello"), "heard")
        mine: Any = asker.transport
        self.assertEqual(
            await heard.get(), f"PROXY TCP4 {LOOPBACK} {LOOPBACK} {mine.getHost().port} {ours}\r".encode("ascii")
        )
        await self.finish(asker)

    async def test_forgotten(self) -> None:
        """A proxy that was not told to send the header is named in the refusal."""
        ours = await self.serveBehind(TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK))
        (port,) = freePorts(1)
        self.startNginx([port], f"server {{ listen {LOOPBACK}:{port}; proxy_pass {LOOPBACK}:{ours}; }}")
        self.assertEqual((await self.record.next("refused")).code, "closed-in-handshake")
        await self.failureOf(self.connect(port))
        failure = await self.record.next("refused")
        self.assertEqual(failure.code, "bad-proxy-header")
        self.assertIn("proxy_protocol on", failure.nextStep)
