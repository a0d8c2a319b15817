"""Several credentials against programs that are not ours: what each shows, and what each is shown."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from interop import LOOPBACK, InteropCase, Program, authorityFile, files, root, stranger

from tlscomm.credentials import Credential
from tlscomm.x509._encoding import pem


@cache
def rsaKey() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def named(name: str, kind: str) -> Credential:
    return root().issue(name, role="server", dnsNames=[name], privateKey=rsaKey() if kind == "RSA" else None)


@cache
def clients() -> dict[str, Credential]:
    return {
        "ours": root().issue("of ours", role="client"),
        "theirs": stranger().issue("of theirs", role="client"),
        "rsa": root().issue("with RSA", role="client", privateKey=rsaKey()),
    }


class SeveralTests:
    """In one version of TLS."""

    version: str

    async def serveSeveral(self) -> int:
        """Start our server with certificates for two names, and for one of them with two kinds of key."""
        return await self.serve(
            credential=named("a.example", "ECDSA"),
            others=(named("a.example", "RSA"), named("*.b.example", "ECDSA")),
            clientRoots=(),
        )

    async def isShown(self, _client: Program, name: str, kind: str, reason: str) -> None:
        transport = await self.record.next("accepted")
        choice = transport.tls.choice
        assert choice is not None
        self.assertEqual(choice.credential.certificate, named(name, kind).certificate)
        self.assertIn(reason, choice.reason)

    def openssl(self, port: int, *options: str) -> Program:
        speaking = "-tls" + self.version.replace(".", "_")
        return self.spawn(
            *("openssl", "s_client", "-connect", f"{LOOPBACK}:{port}", speaking),
            *("-verify_return_error", "-CAfile", authorityFile(), *options),
        )

    def gnutls(self, port: int, name: str, *more: str) -> Program:
        priority = "".join((f"NORMAL:-VERS-ALL:+VERS-TLS{self.version}", *more))
        return self.spawn(
            *("gnutls-cli", f"--priority={priority}", f"--x509cafile={authorityFile()}"),
            *(f"--sni-hostname={name}", f"--verify-hostname={name}", "--port", str(port), LOOPBACK),
        )

    async def test_names(self) -> None:
        """Clients of OpenSSL's and GnuTLS's are shown the certificate for the name that they ask for."""
        port = await self.serveSeveral()
        for name, certificate in (("a.example", "a.example"), ("x.b.example", "*.b.example")):
            client = self.openssl(port, "-servername", name, "-verify_hostname", name)
            await self.isShown(client, certificate, "ECDSA", f"it is for {name}")
            await client.prints("Verify return code: 0")
            client = self.gnutls(port, name)
            await self.isShown(client, certificate, "ECDSA", f"it is for {name}")
            await client.prints("The certificate is trusted")

    async def test_otherNames(self) -> None:
        """A name that no certificate is for, and none at all, are shown the first."""
        port = await self.serveSeveral()
        await self.isShown(
            self.openssl(port, "-servername", "c.example"), "a.example", "ECDSA", "none is for c.example"
        )
        await self.isShown(self.openssl(port, "-noservername"), "a.example", "ECDSA", "it is the first")

    async def test_signatures(self) -> None:
        """A client that can verify signatures of one kind alone is shown a certificate with such a key."""
        port = await self.serveSeveral()
        for kind, schemes in (("RSA", "RSA+SHA256:rsa_pss_rsae_sha256"), ("ECDSA", "ECDSA+SHA256")):
            client = self.openssl(port, "-servername", "a.example", "-sigalgs", schemes)
            await self.isShown(
                client, "a.example", kind, "it has a key that the peer can verify" if kind == "RSA" else ""
            )
            await client.prints(f"Peer signature type: (?i:{kind})")

    async def test_signaturesOfGnuTLS(self) -> None:
        """The same with GnuTLS, by the cipher suites under TLS 1.2 and by the signatures under TLS 1.3."""
        port = await self.serveSeveral()
        # The authority's own signature is ECDSA's, and has to stay.
        signatures = ":-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SHA384"
        client = self.gnutls(port, "a.example", {"1.2": ":-KX-ALL:+ECDHE-RSA", "1.3": signatures}[self.version])
        await self.isShown(client, "a.example", "RSA", "it has a key that the peer can verify")

    async def server(self, authority: Any, *options: str) -> int:
        """Start OpenSSL's server, which accepts one authority, and return its port."""
        own = files("server")
        server = self.spawn(
            *("openssl", "s_server", "-accept", "127.0.0.1:0", "-tls" + self.version.replace(".", "_"), "-rev"),
            *(
                "-cert",
                own,
                "-cert_chain",
                own,
                "-Verify",
                "1",
                "-verify_return_error",
                "-CAfile",
                authorityFile(authority),
            ),
            *options,
        )
        return int((await server.prints(r"ACCEPT 127\.0\.0\.1:(\d+)\n"))[1])

    async def shows(self, port: int, expected: str, *ring: str) -> str:
        first, *others = (clients()[name] for name in ring)
        asker = await self.connect(port, credential=first, others=tuple(others))
        choice = asker.transport.tls.choice
        self.assertIs(choice.credential, clients()[expected])
        self.assertEqual(await asker.request("abc"), "cba")
        await self.finish(asker)
        return str(choice.reason)

    async def test_authorities(self) -> None:
        """Our client shows a server the certificate of the authority that is on the server's list."""
        for authority, expected in ((root, "ours"), (stranger, "theirs")):
            port = await self.server(authority)
            for ring in (("ours", "theirs"), ("theirs", "ours")):
                reason = await self.shows(port, expected, *ring)
                self.assertEqual(reason, "it was issued by an authority that the server accepts")

    async def test_clientSignatures(self) -> None:
        """Our client shows a server the certificate whose signature the server can verify."""
        for schemes, expected in (("ECDSA+SHA256", "ours"), ("RSA+SHA256:rsa_pss_rsae_sha256", "rsa")):
            port = await self.server(root, "-client_sigalgs", schemes)
            for ring in (("ours", "rsa"), ("rsa", "ours")):
                reason = await self.shows(port, expected, *ring)
                self.assertIn("it has a key that the peer can verify", reason)

    async def test_severalAuthorities(self) -> None:
        """Where the server's list has the authorities of both, the first is shown."""
        Path("both.pem").write_bytes(pem((root().certificate, stranger().certificate)))
        port = await self.server(root, "-CAfile", os.path.abspath("both.pem"))
        self.assertEqual(await self.shows(port, "theirs", "theirs", "ours"), "it is the first")


class SeveralTLS12Tests(SeveralTests, InteropCase):
    version = "1.2"


class SeveralTLS13Tests(SeveralTests, InteropCase):
    version = "1.3"
