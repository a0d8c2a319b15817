"""Access rules in handshakes: who is kept out hears it, and who is let in is known with the rule."""

from __future__ import annotations

import subprocess
from itertools import takewhile
from pathlib import Path
from threading import Timer
from typing import Any

from conversation import AUTHORITY, ROOTS, SERVER, STRANGER, VERSIONS, clientConfiguration, serverConfiguration
from test_twistd import LISTEN, PATIENCE, PATIENT, Server, write
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules, Peer, parseRule
from tlscomm.credentials import Credential
from tlscomm.failures import Problem
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection, handshake, verdict
from tlscomm.verification import accept
from tlscomm.x509._encoding import pem

BILLING = AUTHORITY.issue("billing", role="client", uris=["spiffe://example.org/billing"])


def shaken(
    client: Credential = BILLING, version: Any = "1.3", **rules: list[str]
) -> tuple[TLSConnection, TLSConnection]:
    """Return a client and a server with access rules after their handshake."""
    return handshake(
        clientConfiguration(credential=client, minimumTLS=version, maximumTLS=version),
        serverConfiguration(access=AccessRules.parse(**rules), minimumTLS=version, maximumTLS=version),
    )


class ServerTests(SynchronousTestCase):
    """Rules of a server about its clients."""

    def test_letIn(self) -> None:
        """The server knows the rule that let a client in."""
        for version in VERSIONS:
            _, server = shaken(version=version, allow=["cn=x", "trust-domain=example.org"])
            assert server.peer is not None
            self.assertEqual(server.peer.rule, parseRule("trust-domain=example.org"))
            self.assertEqual(server.peer.toJSON()["rule"], "trust-domain=example.org")

    def test_notDenied(self) -> None:
        """Where there are only rules that deny, no rule had to let a client in."""
        _, server = shaken(deny=["cn=x"])
        assert server.peer is not None
        self.assertIsNone(server.peer.rule)

    def test_keptOut(self) -> None:
        """A client that is kept out is not-allowed on both sides, whatever the reason."""
        for version in VERSIONS:
            for rules in ({"allow": ["cn=x"]}, {"deny": ["cn=billing"]}, {"allow": ["cn=*"], "deny": ["cn=billing"]}):
                client, server = shaken(version=version, **rules)
                assert server.failure is not None and client.failure is not None
                self.assertEqual((server.failure.code, server.failure.side), ("not-allowed", "local"))
                self.assertEqual((client.failure.code, client.failure.side), ("not-allowed", "remote"))
                self.assertEqual(server.failure.stage, "authorization")

    def test_chain(self) -> None:
        """An authority above the client is known by what the chain really led to."""
        root = Peer(ROOTS)
        _, server = shaken(allow=[f"authority={root.fingerprint}&authority-spki={root.spki}&issuer=*"])
        self.assertIsNone(server.failure)

    def test_worseFirst(self) -> None:
        """That nobody knows a client is the reason, and that the rules would keep it out is told besides."""
        stranger = STRANGER.issue("billing", role="client", uris=["spiffe://example.org/billing"])
        _, server = shaken(client=stranger, deny=["cn=billing"])
        assert server.failure is not None
        self.assertEqual(server.failure.code, "unknown-issuer")
        self.assertEqual([problem.code for problem in server.failure.problems], ["unknown-issuer", "not-allowed"])

    def test_overruled(self) -> None:
        """A hook that overrules what is wrong with a certificate lets in nobody whom a rule keeps out."""
        stranger = STRANGER.issue("billing", role="client")
        for code, rules in (("not-allowed", {"deny": ["cn=billing"]}), (None, {"allow": ["cn=billing"]})):
            _, server = handshake(
                clientConfiguration(credential=stranger),
                serverConfiguration(access=AccessRules.parse(**rules), hook=lambda _: accept("unknown-issuer")),
            )
            self.assertEqual(server.failure and server.failure.code, code)


class ClientTests(SynchronousTestCase):
    """Rules of a client about its servers."""

    def shaken(self, version: Any = "1.3", **rules: list[str]) -> tuple[TLSConnection, TLSConnection]:
        settings: dict[str, Any] = {"minimumTLS": version, "maximumTLS": version}
        access = AccessRules.parse(**rules)
        return handshake(clientConfiguration(access=access, **settings), serverConfiguration(**settings))

    def test_letIn(self) -> None:
        """A server that a rule fits is talked to."""
        client, _ = self.shaken(allow=["cn=server&dns=localhost"])
        assert client.peer is not None
        self.assertEqual(str(client.peer.rule), "cn=server&dns=localhost")

    def test_keptOut(self) -> None:
        """A server that is valid and not the one is refused, and hears that it was."""
        for version in VERSIONS:
            client, server = self.shaken(version, deny=["cn=server"])
            assert client.failure is not None and server.failure is not None
            self.assertEqual((client.failure.code, client.failure.side), ("not-allowed", "local"))
            self.assertEqual((server.failure.code, server.failure.side), ("not-allowed", "remote"))

    def test_verdict(self) -> None:
        """The verdict off line knows rules about servers, too."""
        for rules, code in ((["cn=server"], None), (["cn=other"], "not-allowed")):
            found = verdict(SERVER, "server", roots=ROOTS, access=AccessRules.parse(rules))
            self.assertEqual(found and found.code, code)


class PeerTests(SynchronousTestCase):
    """A peer as the key of a table."""

    def test_equality(self) -> None:
        """Peers are equal where their certificates are, whatever let them in."""
        chain = (BILLING.certificate, *ROOTS)
        known = {Peer(chain): "known"}
        self.assertEqual(known[Peer(chain[:1], parseRule("cn=billing"))], "known")
        self.assertNotIn(Peer(ROOTS), known)
        self.assertNotEqual(Peer(chain), BILLING.certificate)

    def test_digests(self) -> None:
        """A renewed certificate is another peer; the key's digest is the same where the key is."""
        renewed = AUTHORITY.issue("billing", role="client", privateKey=BILLING.privateKey)
        old, new = Peer((BILLING.certificate,)), Peer((renewed.certificate,))
        self.assertNotEqual(old, new)
        self.assertNotEqual(old.fingerprint, new.fingerprint)
        self.assertEqual(old.spki, new.spki)

    def test_spiffeID(self) -> None:
        """A SPIFFE id is the only URI, and spelled in one way."""
        self.assertEqual(Peer((BILLING.certificate,)).spiffeID, "spiffe://example.org/billing")
        self.assertIsNone(Peer((SERVER.certificate,)).spiffeID)
        other = AUTHORITY.issue("a", role="client", uris=["SPIFFE://Example.org/A"])
        self.assertEqual(Peer((other.certificate,)).spiffeID, "spiffe://example.org/A")

    def test_warnings(self) -> None:
        """What was no reason to refuse a peer is there to be read."""
        warning = Problem("key-too-weak", depth=0, subject="CN=billing")
        self.assertEqual(Peer((BILLING.certificate,), warnings=(warning,)).toJSON()["warnings"], [warning.toJSON()])


class ProgramTests(SynchronousTestCase):
    """``twistd tlscomm``, and ``openssl s_client``."""

    def test_opensslClient(self) -> None:
        """Who is allowed and not denied is let in, with the rule in the log; the others get access_denied."""
        server = Server(
            *(
                *LISTEN,
                *PATIENT,
                "--log-format",
                "json",
                "--framing",
                "line",
                "--identity",
                write("server.pem", SERVER),
            ),
            *("--client-roots", self.file("ca.pem", ROOTS), "--allow", "uri=spiffe://example.org/*|dns=*.example.org"),
            *("--deny", "uri=spiffe://example.org/guest"),
        )
        self.addCleanup(server.close)
        port = server.event()["address"].rpartition(":")[2]
        for path, code in (("billing", None), ("guest", "not-allowed"), ("a/b", "not-allowed")):
            client = AUTHORITY.issue("client", role="client", uris=[f"spiffe://example.org/{path}"])
            said = self.connect(port, write("client.pem", client), b"" if code else b"hello\n")
            event = server.event()
            if code is None:
                self.assertEqual(event["event"], "authenticated", event)
                self.assertEqual(event["certificate"]["rule"], "uri=spiffe://example.org/*|dns=*.example.org")
                self.assertEqual(server.event()["event"], "closed")
            else:
                self.assertEqual(event["failure"]["code"], code, event)
                self.assertIn(b"SSL alert number 49", said)

    def connect(self, port: str, credential: str, words: bytes) -> bytes:
        """Run ``s_client`` until it has the answer to some words, or without words to its end; return what it says."""
        command = ("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", "ca.pem", "-cert", credential)
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        tooLate = Timer(PATIENCE, client.kill)
        tooLate.start()
        assert client.stdin is not None and client.stdout is not None
        with client.stdin, client.stdout:
            client.stdin.write(words)
            client.stdin.flush()
            said = list(takewhile(lambda line: not words or line[:5] != words[:5], client.stdout))
        client.wait()
        tooLate.cancel()
        return b"".join(said)

    def file(self, name: str, certificates: Any) -> str:
        Path(name).write_bytes(pem(certificates))
        return name


class ChainTests(SynchronousTestCase):
    """Rules about authorities where there are several ways to them."""

    def test_anyWay(self) -> None:
        """Of several valid chains, one that the rules let in is enough, whichever is found first."""
        key = AUTHORITY.issue("key", role=None).privateKey
        others = [Authority.create(name) for name in ("one", "two")]
        crossed = [other.intermediate("between", privateKey=key) for other in others]
        client = crossed[0].issue("client", role="client").certificate
        roots = tuple(other.certificate for other in others)
        for other in others:
            for sent in (crossed, crossed[::-1]):
                presented = (client, *(each.certificate for each in sent))
                fingerprint = Peer((other.certificate,)).fingerprint
                verifier = serverConfiguration(
                    clientRoots=roots, access=AccessRules.parse([f"authority={fingerprint}"])
                ).verifier
                result = verifier.verify(presented)
                self.assertEqual((result.problems, result.chain[-1]), ((), other.certificate))
