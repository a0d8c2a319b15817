"""An ASGI application knows its client by the TLS extension, under the real Daphne."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any

from forkserver import python
from interop import LOOPBACK, PATIENCE, authorityFile, clientContext, credential, files, root
from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel
from twisted.web.server import Request, Site
from websites import Told, WebCase

from tlscomm.web import TLSExtension
from tlscomm.web._asgi import _suites
from tlscomm.x509._encoding import pem

#: A WebSocket's first message, masked with zeros (RFC 6455, section 5.2).
HELLO = b"\x81\x85\0\0\0\0hello"

PROGRAM = """
import json
from tlscomm.web import TLSExtension

async def application(scope, receive, send):
    tls = scope["extensions"]["tls"]
    if scope["type"] == "http":
        names = [name.decode() for name, _ in scope["headers"]]
        body = json.dumps({**tls, "headers": names, "peer": scope["extensions"]["tlscomm"]["peer"].dnsNames})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})
    else:
        await receive()
        await send({"type": "websocket.accept"})
        said = await receive()
        await send({"type": "websocket.send", "text": f"{tls['client_cert_name']} said {said['text']}"})

application = TLSExtension(application)
"""


class DaphneTests(WebCase):
    async def test_daphne(self) -> None:
        """Over HTTP and in WebSockets the application has what ASGI says, from an endpoint string of Daphne's."""
        Path("served.py").write_text(PROGRAM)
        where = f"tlscomm:0:interface={LOOPBACK}:identity={files('server')}:clientRoots={authorityFile()}"
        run = "import sys; sys.path.insert(0, '.'); from daphne.cli import CommandLineInterface as C; C.entrypoint()"
        daphne = self.spawn(*python("-c", run, "-e", where, "served:application"))
        port = int((await daphne.prints(r"Listening on TCP address [\d.]+:(\d+)"))[1])
        context = clientContext()
        context.set_alpn_protocols(["http/1.1"])
        answer = await deferToThread(exchange, port, context, request("/", "Client-Cert: :lie:"), b"0\r\n\r\n")
        told = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
        self.assertEqual((told["client_cert_name"], told["client_cert_error"]), ("CN=localhost", None))
        self.assertEqual((told["tls_version"], told["cipher_suite"] >> 8), (0x0304, 0x13))
        self.assertEqual((told["peer"], told["headers"]), (["localhost"], ["host"]))
        own, chain = told["server_cert"], told["client_cert_chain"]
        self.assertEqual([own, *chain], [pemOf(credential("server")), pemOf(credential("client")), pemOf(root())])
        if sys.version_info < (3, 11):
            # Autobahn of 2024, the last one for it, asks pyOpenSSL for what that has no more, of each connection.
            return
        upgrade = request("/", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        upgrade = upgrade[:-2] + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        said = await deferToThread(exchange, port, context, upgrade, b"said hello", HELLO)
        self.assertIn(b"CN=localhost said hello", said)


def pemOf(made: Any) -> str:
    return pem([made.certificate]).decode()


def request(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def exchange(port: int, context: ssl.SSLContext, first: bytes, until: bytes, then: bytes = b"") -> bytes:
    """Send something, and more when the headers of the answer are there; return what comes until it ends so."""
    with (
        socket.create_connection((LOOPBACK, port), PATIENCE) as tcp,
        context.wrap_socket(tcp, server_hostname="localhost") as tls,
    ):
        tls.sendall(first)
        received = b""
        while not received.endswith(until):
            data = tls.recv(65536)
            if not data:
                raise EOFError(received)
            received += data
            if then and b"\r\n\r\n" in received:
                tls.sendall(then)
                then = b""
        return received


class Extension(SynchronousTestCase):
    """Scopes that are not of tlscomm."""

    def serve(self, scope: dict[str, Any], send: Any) -> dict[str, Any] | None:
        """Return the scope that an application has got, or None where it was not called."""
        got = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            got.append(scope)

        extension = TLSExtension(application)
        self.successResultOf(Deferred.fromCoroutine(extension(scope, None, send)))  # type: ignore[arg-type]
        return got[0] if got else None

    def request(self) -> Request:
        channel: Any = HTTPChannel()
        channel.site = Site(Told())
        channel.transport = StringTransport()
        return Request(channel, False)

    def test_withoutTLS(self) -> None:
        """A scope without TLS stays as it is."""
        scope = {"type": "http", "scheme": "http", "headers": [(b"client-cert", b"")]}
        self.assertIs(self.serve(scope, partial(print, self.request())), scope)
        self.assertIs(self.serve(scope, print), scope)
        self.assertIs(self.serve({"type": "lifespan"}, print)["type"], "lifespan")  # type: ignore[index]

    def test_another(self) -> None:
        """What another server has said of TLS stays."""
        scope = {"type": "http", "scheme": "https", "extensions": {"tls": {}}, "headers": []}
        self.assertIs(self.serve(scope, print), scope)

    def test_unknown(self) -> None:
        """Where the client cannot be known, although there is TLS, nothing is served."""
        for scheme in ("https", "wss"):
            with self.assertRaises(AssertionError) as raised:
                self.serve({"type": "http", "scheme": scheme, "headers": []}, print)
            self.assertIn("TLSExtension has to be the outermost one", str(raised.exception))

    def test_gone(self) -> None:
        """The application is not called for a client that is gone."""
        request = self.request()
        request.channel = None
        self.assertIsNone(self.serve({"type": "http", "scheme": "https", "headers": []}, partial(print, request)))

    def test_suites(self) -> None:
        """Each cipher suite that can be agreed on by default has its number (RFC 8446, RFC 5289, RFC 7905)."""
        self.assertEqual(_suites()["TLS_AES_128_GCM_SHA256"], 0x1301)
        self.assertEqual(_suites()["ECDHE-ECDSA-AES256-GCM-SHA384"], 0xC02C)
        self.assertEqual(_suites()["ECDHE-RSA-CHACHA20-POLY1305"], 0xCCA8)
