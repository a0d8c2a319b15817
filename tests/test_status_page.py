"""The status over HTTP: what an operator sees, escaped whatever peers call themselves."""

from typing import Any

from htmlseen import seenIn
from test_status import STRANGER, StatusCase
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import Site

from tlscomm.drawing import drawStatus
from tlscomm.failures import Unreadable
from tlscomm.operation._statusmerging import mergedStatus
from tlscomm.operation._statussite import statusResources
from tlscomm.serving._phases import ServerPhase
from tlscomm.watching._reloadresult import ReloadResult


class Transport(StringTransport):
    """One that a web server is content with."""

    def setTcpNoDelay(self, enabled: bool) -> None: ...


class SiteCase(StatusCase):
    """A site with the status."""

    def get(self, path: str, method: str = "GET") -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of an answer."""
        root = Resource()  # type: ignore[no-untyped-call]
        for name, resource in statusResources(self.status).items():
            root.putChild(name.encode(), resource)
        site = Site(root)  # type: ignore[no-untyped-call]
        channel = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40002))
        transport = Transport()
        channel.makeConnection(transport)
        self.addCleanup(channel.connectionLost, None)
        channel.dataReceived(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        while not transport.disconnecting:
            self.clock.advance(0.001)
        head, _, body = transport.value().partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), headers, body.decode()


class Pages(SiteCase):
    def test_page(self) -> None:
        """The page says how the server is, who is connected, who was refused and what to do."""
        self.connect()
        self.connect(STRANGER, "198.51.100.9")
        code, headers, body = self.get("/")
        self.assertEqual((code, headers["content-type"]), (200, "text/html; charset=utf-8"))
        for text in (
            "one connection is open",
            "CN=client",
            "TLSv1.3",
            "incomplete-chain",
            "Next step:",
            "198.51.100.9",
        ):
            self.assertIn(text, body)

    def test_hostile(self) -> None:
        """A name that is markup stays a name."""
        self.connect(STRANGER)
        _, _, body = self.get("/?search=%3Cscript%3E%22")
        self.assertNotIn("<script", body)
        self.assertIn("&lt;script&gt;", body)

    def test_json(self) -> None:
        """The same is there as JSON, for all connections or those with a text in their name."""
        self.connect()
        _, headers, body = self.get("/status.json?search=client")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertIn('"subject": "CN=client"', body)
        self.assertNotIn("CN=client", self.get("/status.json?search=other")[2].partition('"refusals"')[0])

    def test_trace(self) -> None:
        """The handshake of a refusal is a click away, and one that is not kept is said not to be."""
        self.connect(STRANGER)
        _, _, body = self.get("/")
        self.assertIn('href="/traces/1"', body)
        code, _, page = self.get("/traces/1")
        self.assertEqual(code, 200)
        self.assertIn("ClientHello", page)
        for path in ("/traces/2", "/traces/x", "/traces/" + "9" * 400):
            self.assertEqual(self.get(path)[0], 404)

    def test_head(self) -> None:
        """A health check that asks for no body gets none."""
        code, _, body = self.get("/", "HEAD")
        self.assertEqual((code, body), (200, ""))

    def test_refresh(self) -> None:
        """The browser asks again by itself where it was told to, and not too often."""
        self.assertNotIn('http-equiv="refresh"', self.get("/")[2])
        for text, seconds in (("5", 5), ("0", 2), ("99999", 3600)):
            self.assertIn(f'http-equiv="refresh" content="{seconds}"', self.get(f"/?refresh={text}")[2])
        self.assertNotIn('http-equiv="refresh"', self.get("/?refresh=x")[2])

    def test_broken(self) -> None:
        """What cannot be told is said so, and the log says why."""
        self.status._settings = lambda: 1 / 0  # type: ignore[assignment,return-value]
        self.assertEqual(self.get("/status.json")[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class Sentences(StatusCase):
    def sentence(self) -> str:
        return seenIn(drawStatus(self.snapshot())).text

    def test_draining(self) -> None:
        """A server that stops says so."""
        self.status.entered(ServerPhase.DRAINING)
        self.assertIn("The server is stopping, and takes no new connections; 0 connections are open.", self.sentence())

    def test_notTaken(self) -> None:
        """A configuration that was not taken is said at the top, with the reason below."""
        self.status.entered(ServerPhase.READY)
        self.status.reloaded(ReloadResult(1_700_000_002.0, "files", Unreadable("ca.pem is a folder")))
        text = self.sentence()
        self.assertIn("Its last configuration was not taken, and the one before is in use.", text)
        self.assertIn("ca.pem is a folder", text)

    def test_expired(self) -> None:
        """A certificate of ours that has expired is said at the top."""
        self.clock.advance(100 * 366 * 86400)
        self.assertIn("Its certificate has expired.", self.sentence())


class Merged(StatusCase):
    def test_workers(self) -> None:
        """Of several processes everything is there, with the worker that it is of, and silent ones are named."""
        own = self.snapshot()
        self.connect()
        self.connect(STRANGER)
        worker: dict[str, Any] = self.snapshot()
        merged = mergedStatus(own, {1: worker, 2: worker, 3: None})
        self.assertEqual(merged["connections"]["open"], 2)
        self.assertEqual([row["worker"] for row in merged["connections"]["list"]], [1, 2])
        self.assertEqual([row["worker"] for row in merged["refusals"]], [1, 2])
        self.assertEqual([each["phase"] for each in merged["workers"]], ["starting", "starting", "silent"])
        self.assertEqual(merged["listeners"][0]["connections"], 2)
        self.assertIn("worker 3: silent", drawStatus(merged))
