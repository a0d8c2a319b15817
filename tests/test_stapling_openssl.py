"""Our client, and what OpenSSL's ``s_server`` staples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interop import InteropCase, root
from ocspresponses import MUST_STAPLE, ocspResponse
from opensslauthority import OpenSSLAuthority

from tlscomm.credentials import Credential
from tlscomm.revocation import Revocation
from tlscomm.x509._encoding import keyPEM, pem

VERSIONS = ("1.2", "1.3")


class ClientTests(InteropCase):
    def setUp(self) -> None:
        super().setUp()
        self.openssl = OpenSSLAuthority(root())

    def server(self, *, mustStaple: bool = False) -> Credential:
        extensions: Any = [MUST_STAPLE] if mustStaple else []
        made = root().issue("localhost", role="server", dnsNames=["localhost"], extensions=extensions)
        self.openssl.issued(made.certificate)
        return made

    async def connecting(self, server: Credential, staple: bytes | None, version: str, **settings: Any) -> Any:
        """Start ``s_server`` and connect."""
        Path("server.pem").write_bytes(pem([server.certificate]) + keyPEM(server.privateKey))  # type: ignore[arg-type]
        stapling: tuple[str, ...] = ()
        if staple is not None:
            Path("staple.der").write_bytes(staple)
            stapling = ("-status_file", "staple.der")
        program = self.spawn(
            *("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem"),
            *(f"-tls{version.replace('.', '_')}", "-naccept", "1", *stapling),
        )
        port = int((await program.prints(r"ACCEPT .*:([0-9]+)"))[1])
        return self.connect(port, **settings)

    async def refusal(self, *arguments: Any, **settings: Any) -> tuple[str, str, str]:
        failure = await self.failureOf(await self.connecting(*arguments, **settings))
        return failure.code, failure.side, str(failure)

    async def test_aGoodResponseIsEnoughForWhoInsists(self) -> None:
        for version in VERSIONS:
            server = self.server()
            staple = self.openssl.staple(server.certificate, "-ndays", "1")
            asker = await (await self.connecting(server, staple, version, revocation=Revocation(mode="required")))
            await self.finish(asker)

    async def test_aRevokedServerIsRefusedByDefault(self) -> None:
        for version in VERSIONS:
            server = self.server()
            self.openssl.revoke(server.certificate, "keyCompromise")
            staple = self.openssl.staple(server.certificate, "-ndays", "1")
            code, side, message = await self.refusal(server, staple, version)
            self.assertEqual((code, side), ("revoked", "local"))
            self.assertIn("reason keyCompromise, says its OCSP response", message)

    async def test_whoInsistsRefusesAServerWithoutOne(self) -> None:
        for version in VERSIONS:
            code, side, message = await self.refusal(
                self.server(), None, version, revocation=Revocation(mode="required")
            )
            self.assertEqual((code, side), ("revocation-unknown", "local"))
            self.assertIn("no list of its issuer", message)

    async def test_byDefaultAServerNeedNotStaple(self) -> None:
        for version in VERSIONS:
            await self.finish(await (await self.connecting(self.server(), None, version)))

    async def test_aServerThatMustStapleAndDoesNotIsRefusedByDefault(self) -> None:
        for version in VERSIONS:
            code, _, message = await self.refusal(self.server(mustStaple=True), None, version)
            self.assertEqual(code, "revocation-unknown")
            self.assertIn("it has to come with an OCSP response, none came", message)

    async def test_aServerThatMustStapleAndDoesIsAccepted(self) -> None:
        for version in VERSIONS:
            server = self.server(mustStaple=True)
            staple = self.openssl.staple(server.certificate, "-ndays", "1")
            await self.finish(await (await self.connecting(server, staple, version)))

    async def test_aForgedResponseIsNone(self) -> None:
        for version in VERSIONS:
            server = self.server(mustStaple=True)
            other = ocspResponse(root(), root().issue("another", role="server").certificate)
            code, _, message = await self.refusal(server, other, version)
            self.assertEqual(code, "revocation-unknown")
            self.assertIn("about another certificate", message)

    async def test_offAsksForNothing(self) -> None:
        for version in VERSIONS:
            server = self.server(mustStaple=True)
            self.openssl.revoke(server.certificate)
            staple = self.openssl.staple(server.certificate)
            off = Revocation(mode="off")
            await self.finish(await (await self.connecting(server, staple, version, revocation=off)))
