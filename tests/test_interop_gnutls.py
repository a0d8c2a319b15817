"""GnuTLS's own programs as peers: our server with ``gnutls-cli``, our client with ``gnutls-serv``."""

from __future__ import annotations

import socket
from typing import Any

from interop import (
    CHINESE,
    LOOPBACK,
    InteropCase,
    Program,
    authorityFile,
    credential,
    echoing,
    files,
    root,
    said,
    stranger,
)

#: What ``gnutls-cli`` prints of an alert that it receives.
ALERT = r"Received alert \[{}\]"


def speaking(version: str) -> str:
    """Return the option for one version of TLS alone."""
    return f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{version}"


class ServerTests:
    """Our server, and ``gnutls-cli``, in one version of TLS."""

    version: str

    def client(self, port: int, *options: str, kind: str | None = "good", authority: Any = root) -> Program:
        """Start ``gnutls-cli`` with a certificate of this kind, or without one."""
        own = (
            ()
            if kind is None
            else (f"--x509certfile={files('client', kind)}", f"--x509keyfile={files('client', kind)}")
        )
        return self.spawn(
            *("gnutls-cli", speaking(self.version), f"--x509cafile={authorityFile(authority)}", *own),
            *("--sni-hostname=localhost", "--verify-hostname=localhost", *options, "--port", str(port), LOOPBACK),
        )

    async def refuses(self, kind: str | None, code: str, alert: str) -> None:
        """Check what we say of a client's certificate, and that the client hears the alert."""
        client = self.client(await self.serve(), kind=kind)
        self.assertEqual(said(await self.record.next("refused")), (code, "local", f"sent {alert}"))
        await client.prints(ALERT.format(alert.split(maxsplit=1)[0]))
        self.assertEqual(self.record.count("accepted"), 0)

    async def isRefused(self, code: str, why: str, *, authority: Any = root, **ours: Any) -> None:
        """Check what we say of a client that does not accept our certificate; its alert never says why."""
        client = self.client(await self.serve(**ours), authority=authority)
        self.assertEqual(said(await self.record.next("refused")), (code, "remote", "received 42 bad_certificate"))
        await client.prints(why)

    async def test_message(self) -> None:
        """A client with a good certificate is accepted as who it is, and its message comes back."""
        client = self.client(await self.serve())
        transport = await self.record.next("accepted")
        self.assertEqual(transport.tls.version, f"TLSv{self.version}")
        self.assertEqual(transport.peer.certificate, credential("client").certificate)
        client.say(CHINESE + "\n")
        await client.prints(CHINESE)

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate serves everybody."""
        client = self.client(await self.serve(clientRoots=()), kind=None)
        self.assertIsNone((await self.record.next("accepted")).peer)
        client.say("hello\n")
        await client.prints("(?m)^hello")

    async def test_requested(self) -> None:
        """Where a certificate is requested, a client without one is served, and has no name."""
        client = self.client(await self.serve(clientCertificates="requested"), kind=None)
        self.assertIsNone((await self.record.next("accepted")).peer)
        client.say("hello\n")
        await client.prints("(?m)^hello")

    async def test_clientCloses(self) -> None:
        """A close that the client begins is answered, and ends in order for both."""
        client = self.client(await self.serve())
        await self.record.next("accepted")
        client.endInput()
        self.assertIsNone(await self.record.next("closed"))
        self.assertEqual(await client.ends(), 0)

    async def test_serverCloses(self) -> None:
        """A close that the server begins is answered by the client, and ends in order for both."""
        client = self.client(await self.serve())
        transport = await self.record.next("accepted")
        transport.loseConnection()
        self.assertIsNone(await self.record.next("closed"))
        await client.prints("Peer has closed the GnuTLS connection")

    async def test_largeTransfer(self) -> None:
        """Megabytes of messages come back byte for byte."""
        messages = b"".join((CHINESE * (n % 100)).encode() + b"\n" for n in range(500))
        client = self.client(await self.serve(echoing("line")), "--logfile=log")
        client.say(messages)
        await client.outputs(len(messages))
        client.endInput()
        self.assertIsNone(await self.record.next("closed"))
        self.assertEqual(bytes(client.output), messages)

    async def test_noCertificate(self) -> None:
        """A client without a certificate is refused by that name."""
        alert = {"1.2": "40 handshake_failure", "1.3": "116 certificate_required"}[self.version]
        await self.refuses(None, "no-certificate", alert)

    async def test_unknownIssuer(self) -> None:
        """A certificate of an authority that is not trusted is refused by that name."""
        await self.refuses("unknown-issuer", "unknown-issuer", "48 unknown_ca")

    async def test_selfSigned(self) -> None:
        """A self-signed certificate is refused by that name."""
        await self.refuses("self-signed", "self-signed", "48 unknown_ca")

    async def test_expired(self) -> None:
        """An expired certificate is refused by that name."""
        await self.refuses("expired", "expired", "45 certificate_expired")

    async def test_notYetValid(self) -> None:
        """A certificate of the future is refused by that name."""
        await self.refuses("not-yet-valid", "not-yet-valid", "42 bad_certificate")

    async def test_wrongPurpose(self) -> None:
        """A server's certificate is refused as a client's."""
        await self.refuses("wrong-purpose", "wrong-purpose", "43 unsupported_certificate")

    async def test_incompleteChain(self) -> None:
        """A certificate whose intermediate is missing is told from one of an unknown authority."""
        await self.refuses("incomplete-chain", "incomplete-chain", "48 unknown_ca")

    async def test_ourIssuerUnknown(self) -> None:
        """A client that does not trust our authority does not say why, so neither do we."""
        await self.isRefused("refused", "certificate issuer is unknown", authority=stranger)

    async def test_ourNameOther(self) -> None:
        """A client that asked for another name does not say why; what it asked for tells."""
        own = credential("server", "other-name")
        await self.isRefused("name-mismatch", "name in the certificate does not match", credential=own)

    async def test_ourCertificateSelfSigned(self) -> None:
        """A client to which our authority is unknown does not say why; that we have none tells."""
        await self.isRefused("self-signed", "issuer is unknown", credential=credential("server", "self-signed"))


class ServerTLS12Tests(ServerTests, InteropCase):
    version = "1.2"


class ServerTLS13Tests(ServerTests, InteropCase):
    version = "1.3"


class ClientTests:
    """Our client, and ``gnutls-serv``, which sends lines back, in one version of TLS."""

    version: str

    async def server(self, *options: str, kind: str = "good", demanding: bool = True) -> tuple[Program, int]:
        """Start ``gnutls-serv`` and return it and its port."""
        own = files("server", kind)
        demands = ("--require-client-cert", "--verify-client-cert", f"--x509cafile={authorityFile()}")
        while True:
            # It does not say which port it got if it may choose one.
            port = freePort()
            server = self.spawn(
                *("gnutls-serv", "--echo", speaking(self.version), f"--port={port}"),
                *(f"--x509certfile={own}", f"--x509keyfile={own}"),
                *(demands if demanding else ("--disable-client-cert",)),
                *options,
            )
            started = await server.prints(r"on IPv4 0\.0\.0\.0 port \d+\.\.\.(done|bind\(\) failed)")
            if started[1] == "done":
                return server, port
            await server.stop()

    async def isRefused(self, configuration: Any, code: str, alert: str, **settings: Any) -> None:
        """Check what we say when the server does not accept our certificate."""
        _, port = await self.server()
        failure = await self.failureOf(self.connect(port, configuration, **settings))
        self.assertEqual(said(failure), (code, "remote", f"received {alert}"))

    async def refuses(self, kind: str, code: str, alert: str) -> None:
        """Check what we say of a server's certificate, and that the server hears the alert."""
        server, port = await self.server("--debug=5", kind=kind)
        failure = await self.failureOf(self.connect(port))
        self.assertEqual(said(failure), (code, "local", f"sent {alert}"))
        await server.prints(rf"Alert\[2\|{alert.split(maxsplit=1)[0]}\] - .* - was received")

    async def test_message(self) -> None:
        """A client with a good certificate is accepted, sees that it is, and its message comes back."""
        _, port = await self.server()
        asker = await self.connect(port)
        self.assertEqual((asker.transport.tls.version, asker.transport.tls.acceptance), (f"TLSv{self.version}", "seen"))
        self.assertEqual(await asker.request(CHINESE), CHINESE)
        await self.finish(asker)

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate has accepted everybody when the handshake is done."""
        _, port = await self.server(demanding=False)
        asker = await self.connect(port, credential=None)
        self.assertEqual(await asker.request("hello"), "hello")
        await self.finish(asker)

    async def test_noCertificate(self) -> None:
        """Without a certificate that the server demands, the connection fails by that name, whatever the alert."""
        alert = {"1.2": "50 decode_error", "1.3": "116 certificate_required"}[self.version]
        await self.isRefused(None, "no-certificate", alert, credential=None)

    async def test_ourIssuerUnknown(self) -> None:
        """A server that answers every bad certificate with "access denied" means what its list of authorities shows."""
        own = credential("client", "unknown-issuer")
        await self.isRefused(None, "unknown-issuer", "49 access_denied", credential=own)

    async def test_unknownIssuer(self) -> None:
        """A server of an authority that is not trusted is refused by that name."""
        await self.refuses("unknown-issuer", "unknown-issuer", "48 unknown_ca")

    async def test_otherName(self) -> None:
        """A server whose certificate is for another name is refused by that name."""
        await self.refuses("other-name", "name-mismatch", "42 bad_certificate")

    async def test_noName(self) -> None:
        """A server whose certificate has its name as a common name only is refused: that name is no name."""
        await self.refuses("no-name", "name-mismatch", "42 bad_certificate")

    async def test_expired(self) -> None:
        """A server with an expired certificate is refused by that name."""
        await self.refuses("expired", "expired", "45 certificate_expired")

    async def test_wrongPurpose(self) -> None:
        """A server with a client's certificate is refused by that name."""
        await self.refuses("wrong-purpose", "wrong-purpose", "43 unsupported_certificate")


class ClientTLS12Tests(ClientTests, InteropCase):
    version = "1.2"


class ClientTLS13Tests(ClientTests, InteropCase):
    version = "1.3"


def freePort() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])
