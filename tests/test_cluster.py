"""Several servers that are one: the real HAProxy in front, the real Redis behind, and a restart that costs nothing."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
from pathlib import Path
from typing import Any

from forkserver import python
from interop import LOOPBACK, PATIENCE, InteropCase, Program, authorityFile, files, reactor, root
from test_interop_servers import found, freePorts, listens
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater

from tlscomm import ClientConfiguration, TLSClientEndpoint, TLSClientService

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"

EXAMPLE: Any = runpy.run_path(str(EXAMPLES / "post.py"))

#: How often HAProxy looks whether a server is ready, and for how long one that stops goes on so that it is seen.
_INTERVAL, _DRAIN_DELAY = "100ms", "0.5"


class Writer:
    """A client through HAProxy that keeps what it receives."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.received: list[tuple[str, str]] = []
        self._awaited: list[tuple[int, Deferred[None]]] = []
        self.correspondence = EXAMPLE["Correspondence"](self._noteReceived)
        configuration = ClientConfiguration(
            serverName="localhost", roots=(root().certificate,), credential=root().issue(name, role="client")
        )
        endpoint = TLSClientEndpoint(reactor, TCP4ClientEndpoint(reactor, LOOPBACK, port), configuration)
        self.service = TLSClientService(endpoint, self.correspondence, retryPolicy=lambda _: 0.05)
        self.service.startService()

    def _noteReceived(self, sender: str, text: str) -> None:
        self.received.append((sender, text))
        self._look()

    def _look(self) -> None:
        for count, awaited in tuple(self._awaited):
            if len(self.received) >= count:
                self._awaited.remove((count, awaited))
                reactor.callLater(0, awaited.callback, None)

    def has(self, count: int) -> Deferred[None]:
        """Await that so many letters have come."""
        awaited: Deferred[None] = Deferred()
        self._awaited.append((count, awaited))
        awaited.addTimeout(PATIENCE, reactor)
        self._look()
        return awaited


class ClusterTests(InteropCase):
    """Two servers of two processes each."""

    def startServer(self, name: str, port: int, health: int) -> Program:
        where = ("--listen", f"tcp:{port}:interface={LOOPBACK}", "--health", f"tcp:{health}:interface={LOOPBACK}")
        whom = ("--identity", "server-good.pem", "--client-roots", "root.pem", "--proxy-from", LOOPBACK)
        what = ("--application", "post:Post", "--framing", "line", "--read-timeout", "0", "--log-format", "json")
        how = ("--processes", "2", "--drain-delay", _DRAIN_DELAY)
        twistd = ("-c", "from twisted.scripts.twistd import run; run()", "-n", f"--pidfile={name}.pid", "tlscomm")
        return self.spawn(*python("-u", *twistd, *where, *whom, *what, *how))

    async def awaitListening(self, *ports: int) -> None:
        while not all(map(listens, ports)):
            await deferLater(reactor, 0.02)

    def startHAProxy(self, ports: dict[str, int]) -> Program:
        text = (EXAMPLES / "haproxy.cfg").read_text().replace("500ms", _INTERVAL)
        for former, port in ports.items():
            text = text.replace(former, str(port))
        Path("haproxy.cfg").write_text(text)
        return self.spawn(found("haproxy"), "-db", "-f", "haproxy.cfg")

    async def startAll(self) -> tuple[dict[str, Program], int]:
        """Start Redis, two servers and HAProxy; return the servers by name, and where HAProxy listens."""
        files("server")
        authorityFile()
        shutil.copy(EXAMPLES / "post.py", "post.py")
        redis, front, one, two, oneHealth, twoHealth = freePorts(6)
        self.patch(os, "environ", {**os.environ, "REDIS": f"{LOOPBACK}:{redis}"})
        self.spawn(found("redis-server"), "--port", str(redis), "--bind", LOOPBACK, "--save", "")
        servers = {
            "one": self.startServer("one", one, oneHealth),
            "two": self.startServer("two", two, twoHealth),
        }
        for server in servers.values():
            await server.prints('"listening"')
        self.startHAProxy({"8443": front, "8001": one, "8002": two, "9001": oneHealth, "9002": twoHealth})
        await self.awaitListening(front)
        return servers, front

    def serverOf(self, writer: Writer, servers: dict[str, Program]) -> Program:
        """Return the only server whose log has a client's own address."""
        mine = writer.correspondence.current.transport.getHost().port
        (holding,) = (each for each in servers.values() if f'"peer": "{LOOPBACK}:{mine}"' in each.text)
        return holding

    async def test_restart(self) -> None:
        """Letters reach a client of the other server, and all of them, once each, while its server is restarted."""
        servers, front = await self.startAll()
        anna, berta = Writer("anna", front), Writer("berta", front)
        for writer in (anna, berta):
            self.addCleanup(writer.service.stopService)
            await writer.service.whenConnected()
        anna.correspondence.write("berta", "first")
        await berta.has(1)
        leaving = self.serverOf(berta, servers)
        self.assertIsNot(leaving, self.serverOf(anna, servers))
        self.assertIn('"proxied": {"version": 2, "local": false', leaving.text)
        leaving.transport.signalProcess(signal.SIGTERM)
        ended = leaving.ends()
        for number in range(20):
            anna.correspondence.write("berta", str(number))
            await deferLater(reactor, 0.05)
        self.assertEqual(await ended, 0, leaving.text)
        await berta.has(21)
        self.assertEqual(berta.received, [("anna", "first"), *(("anna", str(number)) for number in range(20))])
        self.assertEqual(anna.correspondence.outgoing, {})
        berta.correspondence.write("anna", "all of them")
        await anna.has(1)
        self.assertEqual(anna.received, [("berta", "all of them")])
