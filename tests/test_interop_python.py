"""Python's own ``ssl`` and ``asyncio`` as peers, on the OpenSSL that this Python was built with, which is not ours."""

from __future__ import annotations

import socket
import ssl
import sys
from typing import Any

from interop import (
    LOOPBACK,
    PATIENCE,
    InteropCase,
    authorityFile,
    clientContext,
    credential,
    dial,
    echoing,
    files,
    presenting,
    root,
    said,
    serverContext,
    stranger,
)
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread


def heard(error: ssl.SSLError) -> str:
    """Return the alert that an exception of Python's tells of, ``UNKNOWN_CA`` for one."""
    return str(error.reason).partition("ALERT_")[2]


def talk(port: int, context: ssl.SSLContext, message: bytes) -> bytes:
    """Send a message, return what comes back, and close in order."""
    with dial(port, context) as tls:
        tls.sendall(message)
        reply = b""
        while len(reply) < len(message):
            reply += tls.recv(1 << 16)
        tls.unwrap()
    return reply


def beRefused(port: int, context: ssl.SSLContext) -> str:
    """Try to talk, and return the alert that came instead of an answer."""
    try:
        talk(port, context, b"hello\n")
    except ssl.SSLError as error:
        return heard(error)
    raise AssertionError("it was answered")


def refuse(port: int, context: ssl.SSLContext) -> str:
    """Try to connect, and return why this side refused."""
    try:
        with dial(port, context):
            raise AssertionError("it was accepted")
    except ssl.SSLCertVerificationError as error:
        return error.verify_message


class ServerTests:
    """Our server, and a client with a blocking socket, in one version of TLS."""

    version: str

    async def refuses(self, kind: str | None, code: str, alert: str) -> None:
        """Check what we say of a client's certificate, and that the client hears the alert."""
        port = await self.serve()
        client = deferToThread(beRefused, port, clientContext(kind, version=self.version))
        self.assertEqual(said(await self.record.next("refused")), (code, "local", f"sent {alert}"))
        self.assertEqual(await client, alert.split()[1].upper())
        self.assertEqual(self.record.count("accepted"), 0)

    async def isRefused(self, code: str, alert: str, why: str, *, authority: Any = root, **ours: Any) -> None:
        """Check what we say of a client that does not accept our certificate, for a reason of its own."""
        port = await self.serve(**ours)
        client = deferToThread(refuse, port, clientContext(version=self.version, authority=authority))
        self.assertEqual(said(await self.record.next("refused")), (code, "remote", f"received {alert}"))
        self.assertRegex(await client, why)

    async def test_message(self) -> None:
        """A message goes there and comes back, and the close ends in order."""
        port = await self.serve()
        reply = await deferToThread(talk, port, clientContext(version=self.version), b"hello\n")
        self.assertEqual(reply, b"hello\n")
        self.assertEqual((await self.record.next("accepted")).tls.version, f"TLSv{self.version}")
        self.assertIsNone(await self.record.next("closed"))

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate serves everybody."""
        port = await self.serve(clientRoots=())
        reply = await deferToThread(talk, port, clientContext(None, version=self.version), b"hello\n")
        self.assertEqual(reply, b"hello\n")

    async def test_largeMessage(self) -> None:
        """A message of megabytes that is written before anything is read comes back whole."""
        message = b"x" * 3_000_000 + b"<EOF>"
        port = await self.serve(echoing("eof"))
        self.assertEqual(await deferToThread(talk, port, clientContext(version=self.version), message), message)

    async def test_noCloseNotify(self) -> None:
        """A client that closes TCP and never said close_notify has truncated the stream."""
        port = await self.serve()

        def cut() -> None:
            with dial(port, clientContext(version=self.version)) as tls:
                tls.sendall(b"hello\n")
                tls.recv(6)

        await deferToThread(cut)
        failure = await self.record.next("closed")
        self.assertEqual(said(failure), ("truncated", "remote", "no alert"))

    async def test_noCertificate(self) -> None:
        """A client without a certificate hears that it needs one."""
        alert = {"1.2": "40 handshake_failure", "1.3": "116 certificate_required"}[self.version]
        await self.refuses(None, "no-certificate", alert)

    async def test_unknownIssuer(self) -> None:
        """A client of an unknown authority hears so."""
        await self.refuses("unknown-issuer", "unknown-issuer", "48 unknown_ca")

    async def test_expired(self) -> None:
        """A client with an expired certificate hears so."""
        await self.refuses("expired", "expired", "45 certificate_expired")

    async def test_wrongPurpose(self) -> None:
        """A client with a server's certificate hears that it is of the wrong kind."""
        await self.refuses("wrong-purpose", "wrong-purpose", "43 unsupported_certificate")

    async def test_selfSigned(self) -> None:
        """A client with a self-signed certificate hears that its authority is unknown."""
        await self.refuses("self-signed", "self-signed", "48 unknown_ca")

    async def test_incompleteChain(self) -> None:
        """A client that does not send its intermediate certificate hears that its authority is unknown."""
        await self.refuses("incomplete-chain", "incomplete-chain", "48 unknown_ca")

    async def test_ourIssuerUnknown(self) -> None:
        """A client that does not trust our authority says so."""
        await self.isRefused("unknown-issuer", "48 unknown_ca", "issuer|self.signed", authority=stranger)

    async def test_ourNameOther(self) -> None:
        """A client that asked for another name only says "bad certificate"; what it asked for tells the rest."""
        own = credential("server", "other-name")
        await self.isRefused("name-mismatch", "42 bad_certificate", "Hostname mismatch", credential=own)

    async def test_ourCertificateExpired(self) -> None:
        """A client to which our certificate has expired says so."""
        own = presenting(credential("server", "expired"))
        await self.isRefused("expired", "45 certificate_expired", "has expired", configuration=own)


class ServerTLS12Tests(ServerTests, InteropCase):
    version = "1.2"


class ServerTLS13Tests(ServerTests, InteropCase):
    version = "1.3"


def accept(listener: socket.socket, context: ssl.SSLContext) -> str:
    """Serve one connection, which reverses what it is sent, and return what ended it: an alert, or ``close_notify``."""
    with listener:
        tcp, _ = listener.accept()
    tcp.settimeout(PATIENCE)
    try:
        with context.wrap_socket(tcp, server_side=True) as tls:
            while data := tls.recv(1 << 16):
                tls.sendall(data.strip()[::-1] + b"\n")
            tls.unwrap()
    except ssl.SSLError as error:
        return heard(error) or str(error.reason)
    return "close_notify"


class ClientTests:
    """Our client, and a server with a blocking socket, in one version of TLS."""

    version: str

    def server(self, kind: str = "good", **settings: Any) -> tuple[int, Deferred[str]]:
        """Start a server for one connection, and return its port and what will end it."""
        listener = socket.create_server((LOOPBACK, 0))
        listener.settimeout(PATIENCE)
        port = listener.getsockname()[1]
        return port, deferToThread(accept, listener, serverContext(kind, version=self.version, **settings))

    async def isRefused(self, configuration: Any, code: str, alert: str, **settings: Any) -> None:
        """Check what we say when the server does not accept our certificate."""
        port, served = self.server()
        failure = await self.failureOf(self.connect(port, configuration, **settings))
        self.assertEqual(said(failure), (code, "remote", f"received {alert}"))
        await served

    async def refuses(self, kind: str, code: str, alert: str) -> None:
        """Check what we say of a server's certificate, and that the server hears the alert."""
        port, served = self.server(kind)
        failure = await self.failureOf(self.connect(port))
        self.assertEqual(said(failure), (code, "local", f"sent {alert}"))
        self.assertEqual(await served, alert.split()[1].upper())

    async def test_message(self) -> None:
        """A message goes there and an answer comes back, and the close ends in order for both."""
        port, served = self.server()
        asker = await self.connect(port)
        self.assertEqual(asker.transport.tls.acceptance, "seen")
        self.assertEqual(await asker.request("hello"), "olleh")
        await self.finish(asker)
        self.assertEqual(await served, "close_notify")

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate has accepted everybody when the handshake is done."""
        port, served = self.server(authority=None)
        asker = await self.connect(port, credential=None)
        self.assertEqual(await asker.request("hello"), "olleh")
        await self.finish(asker)
        self.assertEqual(await served, "close_notify")

    async def test_noCertificate(self) -> None:
        """Without a certificate that the server demands, the connection fails by that name, whatever the alert."""
        alert = {"1.2": "40 handshake_failure", "1.3": "116 certificate_required"}[self.version]
        await self.isRefused(None, "no-certificate", alert, credential=None)

    async def test_ourIssuerUnknown(self) -> None:
        """A server that does not trust our authority makes the connection fail by that name."""
        own = credential("client", "unknown-issuer")
        await self.isRefused(None, "unknown-issuer", "48 unknown_ca", credential=own)

    async def test_otherName(self) -> None:
        """A server whose certificate is for another name hears that it is bad."""
        await self.refuses("other-name", "name-mismatch", "42 bad_certificate")

    async def test_noName(self) -> None:
        """A server whose certificate has its name as a common name only hears that it is bad."""
        await self.refuses("no-name", "name-mismatch", "42 bad_certificate")

    async def test_unknownIssuer(self) -> None:
        """A server of an authority that is not trusted hears so."""
        await self.refuses("unknown-issuer", "unknown-issuer", "48 unknown_ca")

    async def test_expired(self) -> None:
        """A server with an expired certificate hears so."""
        await self.refuses("expired", "expired", "45 certificate_expired")


class ClientTLS12Tests(ClientTests, InteropCase):
    version = "1.2"


class ClientTLS13Tests(ClientTests, InteropCase):
    version = "1.3"


#: Sends lines back. Its arguments: the certificate with its key, the authority, and the version of TLS.
ASYNCIO_SERVER = """
import asyncio, ssl, sys

certificate, authority, version = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate)
context.load_verify_locations(authority)
context.verify_mode = ssl.CERT_REQUIRED
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]

async def echo(reader, writer):
    print("accepted", flush=True)
    while line := await reader.readline():
        writer.write(line)
    writer.close()

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class AsyncioTests:
    """Our client, and a server on ``asyncio``, which drops a refused connection without an alert."""

    version: str

    async def server(self) -> int:
        program = self.spawn(sys.executable, "-c", ASYNCIO_SERVER, files("server"), authorityFile(root), self.version)
        return int((await program.prints(r"port (\d+)\n"))[1])

    async def test_message(self) -> None:
        """A message goes there and comes back, and the acceptance was seen."""
        asker = await self.connect(await self.server())
        self.assertEqual(asker.transport.tls.acceptance, "seen")
        self.assertEqual(await asker.request("hello"), "hello")
        await self.finish(asker)

    async def test_ourIssuerUnknown(self) -> None:
        """A refusal without an alert is a refusal all the same, and says that it does not say why."""
        own = credential("client", "unknown-issuer")
        failure = await self.failureOf(self.connect(await self.server(), credential=own))
        self.assertEqual(said(failure), ("refused", "remote", "no alert"))
        self.assertIn("after we sent our certificate", str(failure))

    async def test_noCertificate(self) -> None:
        """Where a certificate was asked for and none was sent, the refusal says so."""
        failure = await self.failureOf(self.connect(await self.server(), credential=None))
        self.assertEqual(said(failure), ("no-certificate", "remote", "no alert"))
        self.assertIn("we sent no certificate, though it asked for one", str(failure))


class AsyncioTLS12Tests(AsyncioTests, InteropCase):
    version = "1.2"


class AsyncioTLS13Tests(AsyncioTests, InteropCase):
    version = "1.3"
