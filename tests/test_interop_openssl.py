"""OpenSSL's own programs as peers: our server with ``s_client``, our client with ``s_server``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from interop import (
    CHINESE,
    PATIENT,
    InteropCase,
    Program,
    authorityFile,
    credential,
    echoing,
    files,
    presenting,
    root,
    said,
    stranger,
)

#: What OpenSSL's programs print of an alert that they receive.
ALERT = "SSL alert number {}\\b"


def optionOf(version: str) -> str:
    return "-tls" + version.replace(".", "_")


class ServerTests:
    """Our server, and ``openssl s_client``, in one version of TLS."""

    version: str

    def client(self, port: int, *options: str, kind: str | None = "good", authority: Any = root) -> Program:
        """Start ``s_client`` with a certificate of this kind, or without one."""
        own = () if kind is None else ("-cert", files("client", kind), "-cert_chain", files("client", kind))
        return self.spawn(
            *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", optionOf(self.version), "-verify_return_error"),
            *("-servername", "localhost", "-CAfile", authorityFile(authority), *own, *options),
        )

    async def refuses(self, kind: str | None, code: str, alert: str) -> None:
        """Check what we say of a client's certificate, that the client hears the alert, and that nobody else does."""
        client = self.client(await self.serve(), kind=kind)
        self.assertEqual(said(await self.record.next("refused")), (code, "local", f"sent {alert}"))
        await client.prints(ALERT.format(alert.split(maxsplit=1)[0]))
        await client.ends()
        self.assertEqual(self.record.count("accepted"), 0)

    async def isRefused(self, configuration: Any, code: str, alert: str, *options: str, authority: Any = root) -> None:
        """Check what we say of a client that does not accept our certificate."""
        client = self.client(await self.serve(configuration=configuration), *options, authority=authority)
        self.assertEqual(said(await self.record.next("refused")), (code, "remote", f"received {alert}"))
        await client.ends()

    async def test_message(self) -> None:
        """A client with a good certificate is accepted as who it is, and its message comes back."""
        client = self.client(await self.serve())
        transport = await self.record.next("accepted")
        self.assertEqual(transport.tls.version, f"TLSv{self.version}")
        self.assertEqual(transport.peer.certificate, credential("client").certificate)
        client.say(CHINESE + "\n")
        await client.prints(CHINESE)

    async def test_intermediate(self) -> None:
        """A client that sends its intermediate certificate is accepted, with the whole chain."""
        self.client(await self.serve(), kind="intermediate")
        transport = await self.record.next("accepted")
        self.assertEqual(transport.peer.chain[-1], root().certificate)
        self.assertEqual(len(transport.peer.chain), 3)

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate gets none, and serves everybody."""
        client = self.client(await self.serve(clientRoots=()))
        self.assertIsNone((await self.record.next("accepted")).peer)
        await client.prints("No client certificate CA names sent")
        client.say("hello\n")
        await client.prints("(?m)^hello")

    async def test_requested(self) -> None:
        """Where a certificate is requested, a client without one is served, and has no name."""
        client = self.client(await self.serve(clientCertificates="requested"), kind=None)
        self.assertIsNone((await self.record.next("accepted")).peer)
        client.say("hello\n")
        await client.prints("(?m)^hello")

    async def test_keyingMaterial(self) -> None:
        """The client exports the same bytes by a label as we do, which a channel binding is made of."""
        options = ("-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32")
        client = self.client(await self.serve(), *options)
        transport = await self.record.next("accepted")
        exported = transport.exportKeyingMaterial("EXPORTER-Channel-Binding", 32)
        await client.prints(f"Keying material: {exported.hex().upper()}")

    async def test_acceptableAuthorities(self) -> None:
        """The client is told the names of the authorities that may have issued its certificate."""
        client = self.client(await self.serve())
        await client.prints(r"Acceptable client certificate CA names\n.*CN ?= ?root\n")

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
        await client.prints("(?m)^closed")

    async def test_largeTransfer(self) -> None:
        """Megabytes of messages of every length come back byte for byte."""
        messages = b"".join((CHINESE * (n % 2000)).encode() + b"<EOF>" for n in range(0, 100_000, 1231))
        self.assertGreater(len(messages), 3_000_000)
        client = self.client(await self.serve(echoing("eof")), "-quiet", "-no_ign_eof", "-nocommands")
        client.say(messages)
        await client.outputs(len(messages))
        client.endInput()
        self.assertIsNone(await self.record.next("closed"))
        self.assertEqual(bytes(client.output), messages)

    async def test_largeMessage(self) -> None:
        """One message of megabytes comes back byte for byte."""
        message = CHINESE.encode() * 80_000 + b"<EOF>"
        client = self.client(await self.serve(echoing("eof")), "-quiet", "-no_ign_eof", "-nocommands")
        client.say(message)
        await client.outputs(len(message))
        client.endInput()
        self.assertIsNone(await self.record.next("closed"))
        self.assertEqual(bytes(client.output), message)

    async def test_noCertificate(self) -> None:
        """A client without a certificate is refused by that name, and not as a broken handshake."""
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
        """A client that does not trust our authority says so, and we say that it was the client."""
        await self.isRefused(None, "unknown-issuer", "48 unknown_ca", authority=stranger)

    async def test_ourNameOther(self) -> None:
        """A client that wants another name only says "bad certificate"; what it asked for tells the rest."""
        options = ("-verify_hostname", "other.example", "-servername", "other.example")
        await self.isRefused(None, "name-mismatch", "42 bad_certificate", *options)

    async def test_ourCertificateExpired(self) -> None:
        """A client to which our certificate has expired says so."""
        await self.isRefused(presenting(credential("server", "expired")), "expired", "45 certificate_expired")

    async def test_ourPurposeWrong(self) -> None:
        """A client that is shown a client's certificate by us says so."""
        configuration = presenting(credential("server", "wrong-purpose"))
        await self.isRefused(configuration, "wrong-purpose", "43 unsupported_certificate")


class ServerTLS12Tests(ServerTests, InteropCase):
    version = "1.2"


class ServerTLS13Tests(ServerTests, InteropCase):
    version = "1.3"


class ClientTests:
    """Our client, and ``openssl s_server``, in one version of TLS."""

    version: str

    async def server(self, *options: str, kind: str = "good", demanding: bool = True) -> tuple[Program, int]:
        """Start ``s_server``, which sends each line back reversed, and return it and its port."""
        own = files("server", kind)
        demands = ("-Verify", "1", "-verify_return_error", "-CAfile", authorityFile()) if demanding else ()
        server = self.spawn(
            *("openssl", "s_server", "-accept", "127.0.0.1:0", optionOf(self.version), "-rev"),
            *("-cert", own, "-cert_chain", own, *demands, *options),
        )
        return server, int((await server.prints(r"ACCEPT 127\.0\.0\.1:(\d+)\n"))[1])

    async def isRefused(self, configuration: Any, code: str, alert: str, **settings: Any) -> None:
        """Check what we say when the server does not accept our certificate."""
        _, port = await self.server()
        failure = await self.failureOf(self.connect(port, configuration, **settings))
        self.assertEqual(said(failure), (code, "remote", f"received {alert}"))

    async def refuses(self, kind: str, code: str, alert: str, **settings: Any) -> None:
        """Check what we say of a server's certificate, and that the server hears the alert."""
        server, port = await self.server(kind=kind)
        failure = await self.failureOf(self.connect(port, **settings))
        self.assertEqual(said(failure), (code, "local", f"sent {alert}"))
        await server.prints(ALERT.format(alert.split(maxsplit=1)[0]))

    async def test_message(self) -> None:
        """A client with a good certificate is accepted, sees that it is, and its message comes back."""
        _, port = await self.server()
        asker = await self.connect(port)
        self.assertEqual((asker.transport.tls.version, asker.transport.tls.acceptance), (f"TLSv{self.version}", "seen"))
        self.assertEqual(asker.transport.peer.certificate, credential("server").certificate)
        self.assertEqual(await asker.request("a message"), "egassem a")
        await self.finish(asker)

    async def test_notAsked(self) -> None:
        """A server that asks for no certificate has accepted everybody when the handshake is done."""
        _, port = await self.server(demanding=False)
        asker = await self.connect(port, credential=None)
        self.assertEqual(asker.transport.tls.acceptance, "seen")
        self.assertEqual(await asker.request("abc"), "cba")
        await self.finish(asker)

    async def test_intermediate(self) -> None:
        """A server's intermediate certificate is used, and so is ours."""
        _, port = await self.server(kind="intermediate")
        asker = await self.connect(port, credential=credential("client", "intermediate"))
        self.assertEqual(len(asker.transport.peer.chain), 3)
        await self.finish(asker)

    async def test_noCertificate(self) -> None:
        """Without a certificate that the server demands, the connection fails by that name, whatever the alert."""
        alert = {"1.2": "40 handshake_failure", "1.3": "116 certificate_required"}[self.version]
        await self.isRefused(None, "no-certificate", alert, credential=None)

    async def test_ourIssuerUnknown(self) -> None:
        """A server that does not trust our authority makes the connection fail by that name."""
        await self.isRefused(None, "unknown-issuer", "48 unknown_ca", credential=credential("client", "unknown-issuer"))

    async def test_ourCertificateSelfSigned(self) -> None:
        """That our certificate is self-signed we know ourselves; the server says that its authority is unknown."""
        await self.isRefused(None, "self-signed", "48 unknown_ca", credential=credential("client", "self-signed"))

    async def test_ourCertificateExpired(self) -> None:
        """A server to which our certificate has expired makes the connection fail by that name."""
        configuration = presenting(credential("client", "expired"), serverName="localhost", version=self.version)
        await self.isRefused(configuration, "expired", "45 certificate_expired")

    async def test_ourPurposeWrong(self) -> None:
        """A server that is shown a server's certificate by us makes the connection fail by that name."""
        configuration = presenting(credential("client", "wrong-purpose"), serverName="localhost", version=self.version)
        await self.isRefused(configuration, "wrong-purpose", "43 unsupported_certificate")

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

    async def test_notYetValid(self) -> None:
        """A server with a certificate of the future is refused by that name."""
        await self.refuses("not-yet-valid", "not-yet-valid", "42 bad_certificate")

    async def test_wrongPurpose(self) -> None:
        """A server with a client's certificate is refused by that name."""
        await self.refuses("wrong-purpose", "wrong-purpose", "43 unsupported_certificate")

    async def test_selfSigned(self) -> None:
        """A server with a self-signed certificate is refused by that name."""
        await self.refuses("self-signed", "self-signed", "48 unknown_ca")

    async def test_incompleteChain(self) -> None:
        """A server that does not send its intermediate certificate is told from one of an unknown authority."""
        await self.refuses("incomplete-chain", "incomplete-chain", "48 unknown_ca")


class ClientTLS12Tests(ClientTests, InteropCase):
    version = "1.2"


class ClientTLS13Tests(ClientTests, InteropCase):
    version = "1.3"

    async def test_noSign(self) -> None:
        """A server that gives no sign of acceptance is taken at its word after a moment, and the facts say so."""
        _, port = await self.server("-num_tickets", "0")
        asker = await self.connect(port, deadlines=replace(PATIENT, acceptance=0.05))
        self.assertEqual(asker.transport.tls.acceptance, "assumed")
        self.assertEqual(await asker.request("abc"), "cba")
        await self.finish(asker)

    async def test_noSignNoCertificate(self) -> None:
        """A server that gives no sign of acceptance still refuses in time to be heard."""
        _, port = await self.server("-num_tickets", "0")
        failure = await self.failureOf(self.connect(port, credential=None))
        self.assertEqual(said(failure), ("no-certificate", "remote", "received 116 certificate_required"))
