"""The examples of the page on HTTP do what it says, with the frameworks and clients that it names."""

from __future__ import annotations

import subprocess
from pathlib import Path

from test_examples import EXAMPLES, PATIENCE, ExampleCase

from tlscomm.issuing import ensureDevelopmentAuthority

DAPHNE = "import sys; sys.path.insert(0, '.'); from daphne.cli import CommandLineInterface as C; C.entrypoint()"


def curl(port: str, path: str, *words: str, shown: bool = True) -> str:
    """Return what curl prints for a page."""
    identity = ("--cert", "certs/client.pem", "--key", "certs/client.key") if shown else ()
    command = ("curl", "--silent", "--show-error", "--path-as-is", "--cacert", "certs/ca.pem", *identity, *words)
    where = f"https://localhost:{port}{path}"
    return subprocess.run((*command, where), check=False, capture_output=True, text=True, timeout=PATIENCE).stdout


class WebExamples(ExampleCase):
    def listening(self, name: str) -> str:
        """Start an example that only serves; return its port."""
        return self.example(name, "0").says(r"listening on (\d+)")[1]

    def test_clients(self) -> None:
        """A site knows its visitors over HTTP/1.1 and HTTP/2; treq shows a certificate, and names a refusal."""
        _, port = self.serving("website.py")
        version = ("--write-out", "%{http_version}")
        self.assertEqual(curl(port, "/hello", "--http2", *version), "/hello for tlscomm development client\n2")
        self.assertEqual(curl(port, "/hello", "--http1.1", *version), "/hello for tlscomm development client\n1.1")
        self.assertEqual(
            self.example("fetching.py", port, "hello").ends(), (0, "200 /hello for tlscomm development client\n")
        )
        ensureDevelopmentAuthority("others")
        for name in ("client.pfx", "ca.pem"):
            Path("certs", name).write_bytes(Path("others", name).read_bytes())
        status, said = self.example("fetching.py", port, "hello").ends()
        self.assertEqual((status, said.partition(":")[0]), (1, "unknown-issuer"), said)

    def test_klein(self) -> None:
        """Routes of Klein know their caller, over both versions."""
        port = self.listening("routes.py")
        for version in ("--http1.1", "--http2"):
            self.assertEqual(curl(port, "/hello/you", version), "hello you, says client.localhost\n")

    def test_wsgi(self) -> None:
        """A WSGI application knows its caller, over both versions."""
        port = self.listening("callers.py")
        for version in ("--http1.1", "--http2"):
            self.assertRegex(curl(port, "/", version), "^CN=tlscomm development client sha256:")

    def test_guarded(self) -> None:
        """Rules stand before each path, in whatever spelling."""
        port = self.listening("guarded.py")
        self.assertEqual(curl(port, "/page"), "/page\n")
        self.assertEqual(curl(port, "/health", shown=False), "/health\n")
        self.assertEqual(curl(port, "/page", shown=False), "403 forbidden: no-certificate\n")
        for path in ("/admin", "/ADMIN/users", "/%61dmin"):
            self.assertEqual(curl(port, path), "403 forbidden: not-allowed\n")
        for path in ("/page/../admin", "//admin", "/page%2f..%2fadmin"):
            for version in ("--http1.1", "--http2"):
                self.assertEqual(curl(port, path, version)[:16], "400 bad request:")

    def test_daphne(self) -> None:
        """An ASGI application under Daphne knows its caller, over both versions."""
        Path("asking.py").write_bytes((EXAMPLES / "asking.py").read_bytes())
        where = "tlscomm:0:interface=127.0.0.1:identity=certs/server.pfx:clientRoots=certs/ca.pem"
        daphne = self.program("-c", DAPHNE, "-e", where, "asking:application")
        port = daphne.says(r"Listening on TCP address [\d.]+:(\d+)")[1]
        for version in ("--http1.1", "--http2"):
            self.assertEqual(curl(port, "/", version), "CN=tlscomm development client ('client.localhost',)\n")
