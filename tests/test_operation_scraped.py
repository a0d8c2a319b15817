"""The sites of a server as a program, asked by curl: over TLS with certificates, on a Unix socket, while it drains."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from test_twistd import AUTHORITY, CLIENT, LISTEN, SERVER, Server, TwistdCase, write

from tlscomm.x509._encoding import pem


def curl(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask, and return what came, with the status on a line of its own."""
    command = ("curl", "--silent", "--noproxy", "*", "--max-time", "60", "--write-out", "\n%{http_code}", *words, url)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class Scraped(TwistdCase):
    def start(self, *words: str) -> Server:
        server = Server(*LISTEN, "--identity", write("server.pem", SERVER), "--client-roots", str(self.roots()), *words)
        self.addCleanup(server.close)
        return server

    def roots(self) -> Path:
        path = Path("roots.pem")
        path.write_bytes(pem([AUTHORITY.certificate]))
        return path

    def test_overTLS(self) -> None:
        """Metrics on a ``tlscomm:`` string are for those who show a certificate that it accepts, and for no other."""
        place = f"tlscomm:0:interface=127.0.0.1:identity={write('metrics.pem', SERVER)}:clientRoots={self.roots()}"
        server = self.start("--metrics", place, "--status", "unix:status.sock")
        address = server.untilLine(r"/live /metrics /ready are served on (\S+)")[1]
        server.untilLine("listening on")
        url, trusting = f"https://{address}/metrics", ("--cacert", "roots.pem")
        scraped = curl(url, *trusting, "--cert", write("client.pem", CLIENT), "--key", "client.pem")
        self.assertEqual(scraped.stdout.splitlines()[-1], "200")
        self.assertIn('tlscomm_handshakes_total{group="",result="expired"', scraped.stdout)
        # Its own connections are not those of the server.
        self.assertIn("tlscomm_incoming_connections_total", scraped.stdout)
        self.assertNotRegex(scraped.stdout, r'result="accepted",side="",stage="",version="TLS')
        refused = curl(url, *trusting)
        self.assertNotEqual(refused.returncode, 0)
        self.assertEqual(refused.stdout.splitlines()[-1], "000")
        status = curl("http://status/status.json", "--unix-socket", "status.sock").stdout.rpartition("\n")[0]
        self.assertEqual(json.loads(status)["phase"], "ready")
        self.assertEqual(server.stop(), 0)
        self.assertFalse(Path("status.sock").exists())

    def test_drains(self) -> None:
        """While the server still takes connections before it drains, a balancer hears that it is not ready."""
        server = self.start("--health", "unix:health.sock", "--drain-delay", "600")
        server.untilLine("listening on")
        ask = ("http://health/ready", "--unix-socket", "health.sock")
        self.assertEqual(curl(*ask).stdout.splitlines()[-1], "200")
        server.process.send_signal(signal.SIGTERM)
        server.untilLine("SIGTERM")
        answer = curl(*ask).stdout.splitlines()
        self.assertEqual((json.loads(answer[0])["phase"], answer[-1]), ("draining", "503"))
        server.stop()
