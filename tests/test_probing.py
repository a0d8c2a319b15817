"""What a user can rely on in ``tlscomm probe``, against servers on real sockets."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from forkserver import python
from interop import LOOPBACK, InteropCase, Program, authorityFile, echoing, files, reactor, stranger
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol

from tlscomm.configuration import ClientConfiguration, Deadlines
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.failures import Alert, FileNotFound, Refused
from tlscomm.probing import Findings, Visit, probe
from tlscomm.probing._findings import demandIn
from tlscomm.probing._visit import visit
from tlscomm.tracing import Trace
from tlscomm.verification import insecurelyAccept


class Banner(Protocol):
    """Speaks first, and no TLS."""

    def connectionMade(self) -> None:
        self.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n")  # type: ignore[union-attr]


class ProbeCase(InteropCase):
    """Probes a server."""

    async def probe(
        self, port: int, *kinds: str, isWhole: bool = False, roots: bool = True, **settings: Any
    ) -> Findings:
        """Probe the server on a port, with client credentials of these kinds."""
        configuration = ClientConfiguration(
            serverName="localhost",
            roots=loadCertificates(authorityFile() if roots else authorityFile(stranger)),
            deadlines=Deadlines(acceptance=0.5),
            **settings,
        )
        identities = [(kind, loadCredential(files("client", kind))) for kind in kinds]
        endpoint = TCP4ClientEndpoint(reactor, LOOPBACK, port)
        return await probe(reactor, lambda: endpoint, configuration, identities, isWhole=isWhole)


class FindingTests(ProbeCase):
    """What is found out about a server."""

    async def test_required(self) -> None:
        """A server that requires certificates is asked twice, and is known to do so although it refuses the probe."""
        found = await self.probe(await self.serve(echoing()))
        self.assertEqual(found.clientCertificates.demand, "required")
        self.assertEqual((found.clientCertificates.authorityCount, found.connections), (1, 2))
        self.assertIn("ecdsa_secp256r1_sha256", found.clientCertificates.signatures)
        self.assertEqual([each.isSpoken for each in found.versions], [True, True])
        self.assertEqual(found.versions[0].suite, "TLS_AES_256_GCM_SHA384")
        self.assertEqual((found.problems, found.wasJudged, found.failure), ((), True, None))
        self.assertEqual([each.subject for each in found.chain][:1], ["CN=localhost"])

    async def test_notRequired(self) -> None:
        """One that goes on without a certificate, and one that asks for none, are told apart."""
        for kind, demand in (("requested", "requested"), ("none", "none")):
            found = await self.probe(await self.serve(echoing(), clientCertificates=kind))
            self.assertEqual(found.clientCertificates.demand, demand)

    async def test_onlyOneVersion(self) -> None:
        """A version that is not spoken is said to be not spoken, and costs no connection more."""
        found = await self.probe(await self.serve(echoing(), maximumTLS="1.2"))
        self.assertEqual([each.isSpoken for each in found.versions], [False, True])
        self.assertEqual(found.connections, 1)
        found = await self.probe(await self.serve(echoing(), minimumTLS="1.3"))
        self.assertEqual([each.isSpoken for each in found.versions], [True, False])

    async def test_untrusted(self) -> None:
        """What is wrong with the server's chain is found, and keeps nothing else from being found."""
        found = await self.probe(await self.serve(echoing()), roots=False)
        self.assertEqual([each.code for each in found.problems], ["unknown-issuer"])
        self.assertEqual(found.clientCertificates.demand, "required")

    async def test_identities(self) -> None:
        """Of each credential it says whether the server accepts it, and why not."""
        found = await self.probe(await self.serve(echoing()), "good", "unknown-issuer")
        self.assertEqual([each.outcome for each in found.tried], ["accepted", "refused"])
        self.assertEqual(found.connections, 4)

    async def test_untrustedIsShownNothing(self) -> None:
        """A server that is not accepted itself is shown no credential, and it costs no connection."""
        found = await self.probe(await self.serve(echoing()), "good", roots=False)
        self.assertEqual([each.outcome for each in found.tried], ["not tried"])
        self.assertIn("(unknown-issuer)", found.tried[0].detail)
        self.assertEqual(found.connections, 2)

    async def test_notAsked(self) -> None:
        """Where no certificate is asked for, no connection is made to show one."""
        found = await self.probe(await self.serve(echoing(), clientCertificates="none"), "good")
        self.assertEqual(([each.outcome for each in found.tried], found.connections), (["not asked"], 2))

    async def test_doubtful(self) -> None:
        """A server that lets pass what is not of the authorities that it names is told from one that accepts it."""
        port = await self.serve(echoing(), hook=lambda _: insecurelyAccept())
        found = await self.probe(port, "good", "unknown-issuer")
        self.assertEqual([each.outcome for each in found.tried], ["accepted", "doubtful"])
        self.assertIn("not among the authorities that the server names", found.tried[1].detail)

    async def test_oldSuites(self) -> None:
        """A server that has old suites alone is asked once more with all of them, and is known to have no others."""
        found = await self.probe(await self.serve(echoing(), maximumTLS="1.2", ciphers="ECDHE-ECDSA-AES128-SHA256"))
        spoken = found.versions[1]
        self.assertEqual((spoken.suite, spoken.isOutdated), ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", True))
        self.assertEqual((found.failure, found.connections), (None, 2))
        self.assertEqual(found.clientCertificates.demand, "required")

    async def test_endWithoutAlert(self) -> None:
        """A server that ends the connection without a word is said to require certificates probably, and no more."""
        seen = Visit(failure=Refused("it closed", side="remote"), trace=await self.traceOf(await self.serve(echoing())))
        self.assertEqual(demandIn(seen).demand, "probably required")

    async def test_refusedBefore(self) -> None:
        """A refusal before the client has answered with its Certificate says nothing about client certificates."""
        trace = await self.traceOf(await self.serve(echoing()))
        assert trace is not None
        before = tuple(each for each in trace.events if not (each.isFromClient and each.name == "Certificate"))
        seen = Visit(failure=Refused(side="remote", alert=Alert(40, "received")), trace=replace(trace, events=before))
        self.assertEqual(demandIn(seen).demand, "unknown")

    async def traceOf(self, port: int) -> Trace | None:
        configuration = ClientConfiguration(serverName="localhost", roots=loadCertificates(authorityFile()))
        return (await visit(reactor, TCP4ClientEndpoint(reactor, LOOPBACK, port), configuration)).trace

    async def test_protocols(self) -> None:
        """The application protocol that the server chooses is told."""
        port = await self.serve(echoing(), applicationProtocols=(b"h2",))
        found = await self.probe(port, applicationProtocols=(b"http/1.1", b"h2"))
        self.assertEqual(found.versions[0].protocol, "h2")

    async def test_all(self) -> None:
        """On demand each group that the server accepts is found, and each suite."""
        found = await self.probe(await self.serve(echoing(), groups=("X25519", "P-256")), isWhole=True)
        self.assertEqual(set(found.groups), {"X25519", "P-256"})
        self.assertIn("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", found.suites)
        self.assertLess(found.connections, 30)


class NoServerTests(ProbeCase):
    """What answers otherwise."""

    async def test_nothing(self) -> None:
        """Where nothing listens there is a failure and no finding."""
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = taken.getsockname()[1]
        found = await self.probe(port)
        self.assertEqual((found.failure and found.failure.code, found.connections), ("connect-failed", 0))

    async def test_otherProtocol(self) -> None:
        """A server of another protocol is named as what it is."""
        port = reactor.listenTCP(0, Factory.forProtocol(Banner), interface=LOOPBACK)
        self.addCleanup(port.stopListening)
        found = await self.probe(port.getHost().port)
        self.assertEqual(found.failure and found.failure.code, "not-tls")
        self.assertEqual(found.clientCertificates.demand, "unknown")

    async def test_tooMany(self) -> None:
        """No server is shown more than sixteen credentials."""
        with self.assertRaisesRegex(ValueError, "at most 16 credentials"):
            await self.probe(1, *17 * ["good"])

    async def test_unusable(self) -> None:
        """A credential that cannot be used is told with its failure, and costs no connection."""
        port = await self.serve(echoing())
        configuration = ClientConfiguration(serverName="localhost", roots=loadCertificates(authorityFile()))
        missing: list[tuple[str, Any]] = [("missing.pem", FileNotFound("missing.pem"))]
        found = await probe(reactor, lambda: TCP4ClientEndpoint(reactor, LOOPBACK, port), configuration, missing)
        self.assertEqual(
            [(each.outcome, each.failure and each.failure.code) for each in found.tried],
            [("unusable", "file-not-found")],
        )
        self.assertEqual(found.connections, 2)


class CommandTests(InteropCase):
    """The command."""

    def probing(self, port: int, *options: str) -> Program:
        command = ("-W", "error", "-m", "tlscomm", "probe", f"localhost:{port}", "--roots", authorityFile(), *options)
        return self.spawn(*python(*command))

    async def test_json(self) -> None:
        """The object has everything, with the chain; and the chain is saved for who wants to trust it."""
        program = self.probing(await self.serve(echoing()), "--json", "-q", "--save", "chain.pem")
        self.assertEqual(await program.ends(), 0, program.text)
        said = json.loads(program.output)
        self.assertEqual((said["outcome"], said["clientCertificates"]["demand"]), ("found", "required"))
        self.assertEqual(said["trusted"], True)
        saved = loadCertificates("chain.pem")
        self.assertEqual(len(saved), len(said["chain"]))

    async def test_savedOnce(self) -> None:
        """A file that is there is not replaced."""
        Path("chain.pem").write_text("mine")
        program = self.probing(await self.serve(echoing()), "--save", "chain.pem")
        self.assertEqual(await program.ends(), 2)
        self.assertIn("chain.pem is there already", program.text)
        self.assertEqual(Path("chain.pem").read_text(), "mine")

    async def test_lines(self) -> None:
        """A person reads what is demanded, and of each identity whether it is accepted; a refused one is a failure."""
        other = files("client", "unknown-issuer")
        program = self.probing(await self.serve(echoing()), "--identity", files("client"), "--identity", other)
        self.assertEqual(await program.ends(), 1, program.text)
        for line in ("Certificates  required", "client-good.pem *accepted", f"{other} *refused", "unknown-issuer: "):
            self.assertRegex(program.text, line)

    async def test_folder(self) -> None:
        """A folder stands for the credentials in it; what holds none is passed over."""
        Path("mine").mkdir()
        Path("mine/README").write_text("nothing")
        Path("mine/b.pem").write_bytes(Path(files("client")).read_bytes())
        Path("mine/b.pem").chmod(0o600)
        program = self.probing(await self.serve(echoing()), "--identity", "mine", "--json")
        self.assertEqual(await program.ends(), 0, program.text)
        said = json.loads(program.output)["identities"]
        self.assertEqual([(each["source"], each["outcome"]) for each in said], [("mine/b.pem", "accepted")])

    async def test_inspect(self) -> None:
        """``tlscomm inspect HOST:PORT`` looks at the server there."""
        port = await self.serve(echoing())
        words = ("inspect", f"localhost:{port}", "--roots", authorityFile(), "--json")
        program = self.spawn(*python("-m", "tlscomm", *words))
        self.assertEqual(await program.ends(), 0, program.text)
        self.assertEqual(json.loads(program.output)["clientCertificates"]["demand"], "required")
