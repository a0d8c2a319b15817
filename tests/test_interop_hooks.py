"""Hooks and sessions, with peers that are not ours: OpenSSL's programs, GnuTLS's, and Python's own ``ssl``."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from hooks import Asked
from interop import (
    LOOPBACK,
    PATIENT,
    InteropCase,
    authorityFile,
    clientContext,
    credential,
    dial,
    files,
    reactor,
    root,
    said,
    serverContext,
)
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tlscomm.configuration import ClientConfiguration
from tlscomm.verification import refuse


def late(answer: Any) -> Any:
    """Return a hook that takes a moment for its answer."""
    return lambda _: deferLater(reactor, 0.01, lambda: answer)


class Late:
    """Refusals that come late, in one version of TLS."""

    version: str

    @property
    def option(self) -> str:
        return "-tls" + self.version.replace(".", "_")

    def sClient(self, port: int, *options: str) -> Any:
        """Start OpenSSL's client."""
        own = files("client")
        return self.spawn(  # type: ignore[attr-defined]
            *("openssl", "s_client", "-connect", f"{LOOPBACK}:{port}", self.option, "-servername", "localhost"),
            *("-CAfile", authorityFile(), "-cert", own, *options),
        )

    async def sServer(self: Any, *options: str) -> tuple[Any, int]:
        """Start OpenSSL's server, which demands a certificate, and return it and its port."""
        server = self.spawn(
            *("openssl", "s_server", "-accept", f"{LOOPBACK}:0", self.option, "-cert", files("server"), *options),
            *("-CAfile", authorityFile(), "-Verify", "1", "-verify_return_error"),
        )
        return server, int((await server.prints(r"ACCEPT 127\.0\.0\.1:(\d+)\n"))[1])

    async def test_sClientHearsIt(self: Any) -> None:
        """OpenSSL's client reads the alert of a server's hook, and none that makes no sense to it."""
        for answer, alert in ((False, 49), (refuse("closed", code="revoked"), 44), (refuse("", code="expired"), 45)):
            client = self.sClient(await self.serve(hook=late(answer)))
            await self.record.next("refused")
            await client.prints(f"SSL alert number {alert}\\b")
            await client.ends()

    async def test_gnutlsHearsIt(self: Any) -> None:
        """So does GnuTLS's."""
        name = {"1.2": "-VERS-ALL:+VERS-TLS1.2", "1.3": "-VERS-ALL:+VERS-TLS1.3"}[self.version]
        port = await self.serve(hook=late(False))
        own = files("client")
        client = self.spawn(
            *("gnutls-cli", "--port", str(port), "--priority", f"NORMAL:{name}", "--x509cafile", authorityFile()),
            *("--x509certfile", own, "--x509keyfile", own, "localhost"),
        )
        self.assertEqual(said(await self.record.next("refused"))[0], "refused-by-hook")
        await client.prints("(?i)access was denied")
        await client.ends()

    async def test_pythonHearsIt(self: Any) -> None:
        """So does Python."""
        port = await self.serve(hook=late(False))
        context = clientContext(version=self.version)

        def visit() -> str:
            try:
                with dial(port, context) as tls:
                    tls.recv(1)
            except ssl.SSLError as error:
                return str(error.reason)
            return "nothing"

        self.assertIn("ACCESS_DENIED", await deferToThread(visit))

    async def test_sServerHearsIt(self: Any) -> None:
        """OpenSSL's server reads the alert of a client's hook, which is sealed under TLS 1.3."""
        server, port = await self.sServer()
        for hook in (Asked(False), late(False)):
            failure = await self.failureOf(self.connect(port, hook=hook))
            self.assertEqual(said(failure), ("refused-by-hook", "local", "sent 49 access_denied"))
        await server.prints("(?s)SSL alert number 49\\b.*SSL alert number 49\\b")

    async def test_pythonServerHearsIt(self: Any) -> None:
        """So does Python's."""
        listening = socket.create_server((LOOPBACK, 0))
        self.addCleanup(listening.close)
        context = serverContext(version=self.version)

        def accept() -> str:
            tcp, _ = listening.accept()
            with tcp:
                try:
                    context.wrap_socket(tcp, server_side=True).close()
                except ssl.SSLError as error:
                    return str(error.reason)
            return "nothing"

        hearing = deferToThread(accept)
        await self.failureOf(self.connect(listening.getsockname()[1], hook=late(False)))
        self.assertIn("ACCESS_DENIED", await hearing)

    async def test_acceptedLate(self: Any) -> None:
        """Who is accepted late has lost nothing of what it has said at once."""
        client = self.sClient(await self.serve(hook=late(True)))
        client.say("hello\n")
        await self.record.next("accepted")
        await client.prints("(?m)^hello")

    async def test_sClientResumes(self: Any) -> None:
        """OpenSSL's client resumes its session, is known by its certificate, and is refused when it is not wanted."""
        wanted = [True]
        port = await self.serve(hook=lambda _: wanted[0])
        first = self.sClient(port, "-sess_out", "session.pem")
        await self.record.next("accepted")
        first.say("hello\n")
        await first.prints("(?m)^hello")
        first.endInput()
        await first.ends()
        await self.record.next("closed")
        second = self.sClient(port, "-sess_in", "session.pem", "-sess_out", "session.pem")
        transport = await self.record.next("accepted")
        self.assertTrue(transport.tls.resumed)
        self.assertEqual(transport.peer.certificate, credential("client").certificate)
        await second.prints("Reused, TLS")
        second.say("hello\n")
        await second.prints("(?m)^hello")
        second.endInput()
        await second.ends()
        wanted[0] = False
        third = self.sClient(port, "-sess_in", "session.pem")
        await self.record.next("refused")
        await third.prints("SSL alert number 49\\b")
        await third.ends()

    async def test_withoutTickets(self: Any) -> None:
        """A client that wants no tickets is accepted as well."""
        client = self.sClient(await self.serve(), "-no_ticket")
        self.assertFalse((await self.record.next("accepted")).tls.resumed)
        client.say("hello\n")
        await client.prints("(?m)^hello")

    async def test_weResume(self: Any) -> None:
        """Our client resumes the session of OpenSSL's server."""
        _, port = await self.sServer("-rev")
        configuration = ClientConfiguration(
            serverName="localhost",
            credential=credential("client"),
            roots=(root().certificate,),
            minimumTLS=self.version,
            maximumTLS=self.version,
            deadlines=PATIENT,
        )
        for resumed in (False, True, True):
            asker = await self.connect(port, configuration)
            self.assertEqual(await asker.request("hello"), "olleh")
            self.assertEqual(asker.transport.tls.resumed, resumed)
            self.assertEqual(asker.transport.peer.certificate, credential("server").certificate)
            await self.finish(asker)

    async def test_pythonResumes(self: Any) -> None:
        """Python's client resumes its session."""
        port = await self.serve()
        context = clientContext(version=self.version)

        def visit(session: Any = None) -> Any:
            tcp = socket.create_connection((LOOPBACK, port))
            with tcp, context.wrap_socket(tcp, server_hostname="localhost", session=session) as tls:
                tls.sendall(b"hello\n")
                tls.recv(100)
                agreed = tls.session, tls.session_reused
                tls.unwrap()
                return agreed

        session, reused = await deferToThread(visit)
        self.assertFalse(reused)
        _, reused = await deferToThread(visit, session)
        self.assertTrue(reused)


class TLS12(Late, InteropCase):
    version = "1.2"


class TLS13(Late, InteropCase):
    version = "1.3"
