"""What a user can rely on when a side of a connection has several credentials: live, in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL._util import lib
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential, PeerCapabilities
from tlscomm.issuing import Authority
from tlscomm.tls import State, TLSConnection

VERSIONS = ("1.2", "1.3")

_lib: Any = lib


@cache
def roots() -> tuple[Authority, Authority]:
    return Authority.create("ours"), Authority.create("theirs")


@cache
def rsaKey() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def server(*names: str, key: Any = None) -> Credential:
    issuer = roots()[0].intermediate("servers")
    return issuer.issue(names[0], role="server", dnsNames=names, privateKey=key)


class SeveralTests(SynchronousTestCase):
    def connected(
        self, server: ServerConfiguration, client: ClientConfiguration
    ) -> tuple[TLSConnection, TLSConnection]:
        sides = TLSConnection(server), TLSConnection(client)
        for side in sides:
            side.start()
        for _ in range(12):
            for one, other in (sides, sides[::-1]):
                if flight := one.outgoing():
                    other.receive(flight)
        if sides[1].isAccepted:
            sides[1].confirm()
        return sides

    def serving(self, *credentials: Credential, version: Any = "1.3", **more: Any) -> ServerConfiguration:
        trusted = tuple(root.certificate for root in roots())
        return ServerConfiguration(
            credential=credentials[0],
            others=credentials[1:],
            minimumTLS=version,
            maximumTLS=version,
            **{"clientRoots": trusted, "clientCertificates": "requested", **more},
        )

    def asking(self, *credentials: Credential, name: str = "a.example", **more: Any) -> ClientConfiguration:
        return ClientConfiguration(
            serverName=name,
            roots=tuple(root.certificate for root in roots()),
            credential=credentials[0] if credentials else None,
            others=credentials[1:],
            **more,
        )

    def test_name(self) -> None:
        """A server shows the certificate, with its own chain, for the name that the client asks for."""
        a, wild = server("a.example"), server("*.b.example", key=rsaKey())
        for version in VERSIONS:
            for name, expected in (("a.example", a), ("x.b.example", wild)):
                ours, theirs = self.connected(self.serving(a, wild, version=version), self.asking(name=name))
                self.assertIs(theirs.state, State.OPEN)
                assert theirs.peer is not None
                self.assertEqual(theirs.peer.chain[:2], (expected.certificate, *expected.chain))
                self.assertEqual(ours.facts.choice and ours.facts.choice.reason, f"it is for {name}")

    def test_issuer(self) -> None:
        """A client shows the certificate of an authority that the server accepts."""
        clients = [root.intermediate("clients").issue("client", role="client") for root in roots()]
        for version in VERSIONS:
            for root, expected in zip(roots(), clients, strict=True):
                accepting = self.serving(server("a.example"), version=version, clientRoots=(root.certificate,))
                ours, theirs = self.connected(accepting, self.asking(*clients))
                self.assertIs(ours.state, State.OPEN)
                assert ours.peer is not None
                self.assertEqual(ours.peer.certificate, expected.certificate)
                self.assertIs(theirs.facts.choice and theirs.facts.choice.credential, expected)

    def test_key(self) -> None:
        """A client whose keys differ in kind shows the one whose signature the server can verify."""
        plain = roots()[0].issue("client", role="client")
        signing = roots()[0].issue("client", role="client", privateKey=rsaKey())
        for version in VERSIONS:
            for ring in ((plain, signing), (signing, plain)):
                particular = self.serving(server("a.example"), version=version)
                for _, context in ((None, particular._context), *particular._contexts):
                    self.assertEqual(_lib.SSL_CTX_set1_sigalgs_list(context._context, b"ECDSA+SHA256"), 1)
                ours, theirs = self.connected(particular, self.asking(*ring))
                self.assertIs(ours.state, State.OPEN, ours.failure)
                self.assertIs(theirs.facts.choice and theirs.facts.choice.credential, plain)
                self.assertIn("the peer can verify", theirs.facts.choice.reason if theirs.facts.choice else "")

    def test_otherwiseTheSame(self) -> None:
        """Whatever is shown, the same clients are let in, with the same protocols and the same refusals."""
        client = roots()[0].issue("client", role="client")
        rules: dict[str, Any] = {"access": AccessRules.parse(["cn=client"]), "applicationProtocols": (b"x", b"y")}
        for version in VERSIONS:
            for name in ("a.example", "b.example"):
                serving = self.serving(
                    server("a.example"),
                    server("b.example"),
                    version=version,
                    clientCertificates="required",
                    groups=("P-256",),
                    **rules,
                )
                asked: dict[str, Any] = {"name": name, "applicationProtocols": (b"y",)}
                ours, theirs = self.connected(serving, self.asking(client, **asked))
                self.assertEqual((ours.facts.alpn, theirs.facts.alpn), ("y", "y"))
                self.assertIn(theirs.facts.group, ("prime256v1", "P-256", "secp256r1"))
                ours, theirs = self.connected(serving, self.asking(**asked))
                self.assertEqual((ours.failure, theirs.failure), (failures.NoCertificate(),) * 2)
                stranger = roots()[0].issue("stranger", role="client")
                ours, theirs = self.connected(serving, self.asking(stranger, **asked))
                self.assertEqual((ours.failure, theirs.failure), (failures.NotAllowed(),) * 2)
                foreign = Authority.create("unknown").issue("client", role="client")
                ours, theirs = self.connected(serving, self.asking(foreign, **asked))
                self.assertEqual(ours.failure, failures.IncompleteChain())

    def test_resumed(self) -> None:
        """A session is resumed whichever certificates began it, and shows none."""
        clients = [roots()[0].issue("client", role="client", privateKey=key) for key in (None, rsaKey())]
        for version in VERSIONS:
            serving = self.serving(server("a.example"), server("b.example"), version=version)
            asking = self.asking(*clients, name="b.example")
            for isAgain in (False, True, True):
                sides = self.connected(serving, asking)
                self.assertEqual([side.facts.resumed for side in sides], [isAgain, isAgain])
                self.assertEqual([side.facts.choice is None for side in sides], [isAgain, isAgain])
                self.assertEqual([side.peer.dnsNames for side in sides if side.peer], [(), ("b.example",)])
                for side in sides:
                    side.release()

    def test_noCostOfOne(self) -> None:
        """With one credential there is nothing to choose, and nothing looks for what might be chosen."""
        self.assertIsNone(self.serving(server("a.example")).credentialSelector)
        self.assertIsNone(self.asking(roots()[0].issue("client", role="client")).credentialSelector)

    def test_declined(self) -> None:
        """A client whose owner declines shows none; a server whose owner declines refuses."""
        client = roots()[0].issue("client", role="client")
        for version in VERSIONS:
            shy = self.asking(client, choose=lambda wishes, suggested: None)
            ours, theirs = self.connected(self.serving(server("a.example"), version=version), shy)
            self.assertIs(ours.state, State.OPEN)
            self.assertIsNone(ours.peer)
            refusing = self.serving(server("a.example"), version=version, choose=lambda wishes, suggested: None)
            ours, theirs = self.connected(refusing, self.asking())
            self.assertEqual((ours.failure, theirs.failure), (failures.RefusedByHook(), failures.Refused()))

    def test_broken(self) -> None:
        """A function that breaks, or chooses what there is not, ends the handshake on either side."""

        def choose(wishes: PeerCapabilities, suggested: Credential) -> Credential:
            raise RuntimeError("broken")

        for version in VERSIONS:
            broken = self.serving(server("a.example"), version=version, choose=choose)
            ours, theirs = self.connected(broken, self.asking())
            self.assertEqual(ours.failure, failures.HookFailed())
            self.assertIs(theirs.state, State.FAILED)
            for choosing in (choose, lambda wishes, suggested: server("not on the ring")):
                asking = self.asking(roots()[0].issue("client", role="client"), choose=choosing)
                ours, theirs = self.connected(self.serving(server("a.example"), version=version), asking)
                self.assertEqual(theirs.failure, failures.HookFailed())
                self.assertIs(ours.state, State.FAILED)

    def test_facts(self) -> None:
        """What was shown and why stands in the facts, without the private key; nothing where there is no choice."""
        ours, _ = self.connected(self.serving(server("a.example"), server("b.example")), self.asking())
        told = ours.facts.toJSON()["choice"]
        assert isinstance(told, dict)
        self.assertEqual(told["reason"], "it is for a.example")
        self.assertNotIn("privateKey", str(ours.facts.toJSON()))
        ours, _ = self.connected(self.serving(server("a.example")), self.asking())
        self.assertIsNone(ours.facts.toJSON()["choice"])

    def test_checked(self) -> None:
        """Every credential is checked when the configuration is made."""
        client = roots()[0].issue("client", role="client")
        self.assertRaises(failures.WrongPurpose, self.serving, server("a.example"), client)
        self.assertRaises(failures.WrongPurpose, self.asking, client, server("a.example"))
        self.assertRaises(ValueError, ClientConfiguration, serverName="a.example", others=(client,))
