"""Twisted's HTTP client presents certificates where it is told to, and hears by name why it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from interop import LOOPBACK, authorityFile, credential, files, reactor, root
from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.portforward import ProxyFactory
from twisted.protocols.portforward import ProxyServer as PortForwarding
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import (
    URI,
    Agent,
    RedirectAgent,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.util import Redirect
from websites import WebCase
from zope.interface.verify import verifyObject

from tlscomm.configuration import ClientConfiguration
from tlscomm.endpoints import _renewal
from tlscomm.failures import NotAllowed, TLSFailure, Truncated
from tlscomm.transport import transportOf
from tlscomm.web import AgentEndpoints, HTTPSPolicy, agentFor, agentFromFiles, failureIn
from tlscomm.web._destinations import Destinations
from tlscomm.x509._encoding import keyPEM, pem


class AgentTests(WebCase):
    async def test_oneLine(self) -> None:
        """An agent shows its credential where that is meant for the host."""
        self.assertEqual((await self.told(self.agent(), await self.site()))["client"], "localhost")

    async def test_refusals(self) -> None:
        """A server's refusal, and ours, is what the request fails with, by name, under TLS 1.3 and 1.2."""
        port = await self.site()
        for version in ("1.2", "1.3"):
            for kind, code in (("unknown-issuer", "unknown-issuer"), (None, "no-certificate")):
                shown = {"credential": None} if kind is None else {"kind": kind}
                agent = self.agent(maximumTLS=version, **shown)
                failure = await self.assertFailure(self.asked(agent, port), TLSFailure)
                self.assertEqual((failure.code, failure.side), (code, "remote"))
        strict = self.agent(roots=(credential("client").certificate,))
        failure = await self.assertFailure(self.asked(strict, port), TLSFailure)
        self.assertEqual((failure.code, failure.side), ("unknown-issuer", "local"))

    def asked(self, agent: Any, port: int, host: str = "localhost") -> Deferred[Any]:
        return Deferred.fromCoroutine(self.get(agent, port, host=host))

    async def test_otherHosts(self) -> None:
        """A redirect to another host leads there without the credential."""
        settings = {"credential": credential("server", "other-name"), "clientCertificates": "requested"}
        other = await self.site(**settings)
        first = await self.site(Redirect(f"https://other.example:{other}/".encode()))
        told = await self.told(RedirectAgent(self.agent()), first)
        self.assertEqual((told["client"], told["path"]), (None, "/"))
        both = RedirectAgent(self.agent(hosts=["localhost", "*.example"]))
        self.assertEqual((await self.told(both, first))["client"], "localhost")

    async def test_ports(self) -> None:
        """A host may be meant on one port alone."""
        port = await self.site(clientCertificates="requested")
        self.assertEqual((await self.told(self.agent(hosts=[f"localhost:{port}"]), port))["client"], "localhost")
        self.assertIsNone((await self.told(self.agent(hosts=[f"localhost:{port + 1}"]), port))["client"])

    async def test_http(self) -> None:
        """A redirect to plain HTTP is not followed."""
        port = await self.site(Redirect(b"http://localhost:1/"))
        failed = await self.assertFailure(self.asked(RedirectAgent(self.agent()), port), Exception)
        self.assertIn("https", str(failed))
        endpoints = AgentEndpoints(reactor, ClientConfiguration(serverName="localhost"))
        self.assertRaises(SchemeNotSupported, endpoints.endpointForURI, URI.fromBytes(b"http://localhost/"))

    async def test_keptConnection(self) -> None:
        """A pool keeps the connection; when the server has ended it, the next request connects again."""
        port, agent = await self.site(), self.agent(pool=self.pool())
        for _ in range(2):
            await self.told(agent, port)
        await self.record.next("accepted")
        self.assertEqual(self.record.count("accepted"), 0)

    async def test_brokenAnswer(self) -> None:
        """What ends a connection before the answer or in the midst of it is found in what the request fails with."""

        class Cut(Resource):
            isLeaf = True

            def render_GET(self, request: Request) -> int:
                if request.path == b"/body":
                    request.write(b"x" * 10)
                transportOf(request).abortBecause(NotAllowed("it is enough"))
                return NOT_DONE_YET

        port = await self.site(Cut())
        failed = await self.assertFailure(self.asked(self.agent(), port), ResponseNeverReceived)
        found = failureIn(failed)
        self.assertIsInstance(found, TLSFailure)


class FileTests(WebCase):
    """An agent whose certificate is in a file."""

    def fromFiles(self, hosts: Any = ("localhost",), **arguments: str) -> Agent:
        usual = {"identity": files("client"), "roots": authorityFile()}
        return agentFromFiles(reactor, hosts, **(usual | arguments))

    async def test_renewed(self) -> None:
        """A certificate that is renewed in its file is the one that the next connection shows."""
        self.patch(_renewal, "LOOK_SECONDS", 0.0)
        port, agent = await self.site(), self.fromFiles()
        told = await self.told(agent, port)
        self.assertEqual((told["client"], told["alpn"]), ("localhost", "http/1.1"))
        renewed = root().issue("renewed", role="client", dnsNames=["renewed.example"])
        Path(files("client")).write_bytes(pem([renewed.certificate]) + keyPEM(renewed.privateKey))
        self.assertEqual((await self.told(agent, port))["client"], "renewed")

    async def test_others(self) -> None:
        """At another host nothing of ours is shown."""
        port = await self.site(clientCertificates="requested")
        self.assertIsNone((await self.told(self.fromFiles(["other.example"]), port))["client"])

    async def test_proxy(self) -> None:
        """A proxy is asked for the host by its name, and the certificate is for that name."""
        asked: list[bytes] = []

        class Proxy(PortForwarding):
            def dataReceived(self, data: bytes) -> None:
                if not asked:
                    asked.append(data)
                    data = b""
                    self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
                if data:
                    super().dataReceived(data)

        port = await self.site()
        factory = ProxyFactory(LOOPBACK, port)
        factory.protocol = Proxy
        listening: Any = await TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK).listen(factory)
        self.addCleanup(listening.stopListening)
        agent = self.fromFiles(proxy=f"http://{LOOPBACK}:{listening.getHost().port}")
        self.assertEqual((await self.told(agent, port))["client"], "localhost")
        self.assertEqual(asked[0].split(b"\r\n")[0], f"CONNECT localhost:{port} HTTP/1.1".encode())

    def test_mistakes(self) -> None:
        """What is wrong with the arguments is told at once."""
        self.assertRaises(TLSFailure, self.fromFiles, identity="nowhere.pfx")
        self.assertRaises(TypeError, self.fromFiles, idntity="client.pfx")
        self.assertRaises(ValueError, self.fromFiles, serverName="localhost")
        self.assertRaises(ValueError, self.fromFiles, [])
        self.failureResultOf(self.fromFiles().request(b"GET", b"http://localhost/"), SchemeNotSupported)


class Causes(SynchronousTestCase):
    def test_inside(self) -> None:
        """The failure is found in each of Twisted's errors, in a `Failure`, and in what was raised from it."""
        cause = Failure(Truncated("at once"))
        for kind in (ResponseFailed, ResponseNeverReceived, RequestTransmissionFailed):
            error = kind([Failure(ConnectionLost()), cause])
            self.assertIs(failureIn(error), cause.value)
            self.assertIs(failureIn(Failure(kind([Failure(error)]))), cause.value)
        raised = RuntimeError()
        raised.__cause__ = cause.value
        self.assertIs(failureIn(raised), cause.value)
        self.assertIs(failureIn(cause), cause.value)

    def test_none(self) -> None:
        """Where there is none inside, None is found, in what holds itself too."""
        self.assertIsNone(failureIn(ResponseFailed([Failure(ConnectionLost())])))
        circle = ResponseFailed([])
        circle.reasons = [Failure(circle)]
        self.assertIsNone(failureIn(circle))


class Hosts(SynchronousTestCase):
    def test_meant(self) -> None:
        """Names count without case, a wildcard for one label, addresses in each spelling, ports where they are said."""
        hosts = Destinations(["API.example.org", "*.example.net", "one.example:8443", "[2001:DB8::1]:443", "192.0.2.1"])
        meant = [("api.example.org", 1), ("a.example.net", 443), ("ONE.example", 8443), ("2001:db8:0::1", 443)]
        meant += [("192.0.2.1", 80)]
        for place in meant:
            self.assertIn(place, hosts)
        others = [("example.net", 443), ("a.b.example.net", 443), ("one.example", 443), ("2001:db8::1", 80)]
        others += [("xapi.example.org", 1), ("192.0.2.10", 80), ("api.example.org.evil.example", 1)]
        for place in others:
            self.assertNotIn(place, hosts)

    def test_none(self) -> None:
        """What is no host is a mistake at once, and so is a credential for no host."""
        for wrong in ("", "a b", "*", "a.example:0", "a.example:x", "a.example:99999", "https://a.example", "a..b"):
            self.assertRaises(ValueError, Destinations, [wrong])
        self.assertRaises(TypeError, Destinations, "a.example")
        self.assertRaises(ValueError, agentFor, reactor, [], credential=credential("client"))

    def test_interfaces(self) -> None:
        """They provide what Twisted asks for."""
        configuration = ClientConfiguration(serverName="localhost", roots=(root().certificate,))
        verifyObject(IAgentEndpointFactory, AgentEndpoints(reactor, configuration))
        verifyObject(IPolicyForHTTPS, HTTPSPolicy(configuration))


class PolicyTests(WebCase):
    """Twisted's own TLS with our policy."""

    def policy(self, kind: str = "good", **settings: Any) -> Agent:
        usual = {"credential": credential("client", kind), "roots": (root().certificate,)}
        configuration = ClientConfiguration(serverName="localhost", **(usual | settings))
        return Agent(reactor, HTTPSPolicy(configuration))

    async def test_accepted(self) -> None:
        """Both sides accept each other, under TLS 1.2 and 1.3."""
        port = await self.site()
        for version in ("1.2", "1.3"):
            told = await self.told(self.policy(maximumTLS=version), port)
            self.assertEqual((told["client"], told["alpn"]), ("localhost", "http/1.1"))

    async def test_servers(self) -> None:
        """A server that is not to be trusted gets neither our certificate nor the request, and is named."""
        for kind, code in (
            ("unknown-issuer", "unknown-issuer"),
            ("self-signed", "self-signed"),
            ("expired", "expired"),
            ("other-name", "name-mismatch"),
            ("no-name", "name-mismatch"),
            ("wrong-purpose", "wrong-purpose"),
        ):
            for version in ("1.2", "1.3"):
                seen, raw = await self.refused(kind, version, code)
                self.assertEqual(seen, [], (kind, version))
                self.assertNotIn(self.own, b"".join(raw))

    async def test_shown(self) -> None:
        """The test above would see our certificate: TLS 1.2 shows it in the clear to a server that is trusted."""
        seen: list[bytes] = []
        raw: list[bytes] = []
        asking = Deferred.fromCoroutine(self.get(self.policy(maximumTLS="1.2"), await self.plain("good", seen, raw)))
        await self.assertFailure(asking, ResponseNeverReceived)
        self.assertIn(self.own, b"".join(raw))
        self.assertNotEqual(seen, [])

    @property
    def own(self) -> bytes:
        return credential("client").certificate.public_bytes(Encoding.DER)

    async def refused(self, kind: str, version: str, code: str) -> tuple[list[bytes], list[bytes]]:
        """Have our policy refuse a server; return what that has received, and the bytes on the wire."""
        seen: list[bytes] = []
        raw: list[bytes] = []
        port = await self.plain(kind, seen, raw)
        asking = Deferred.fromCoroutine(self.get(self.policy(maximumTLS=version), port))
        found = failureIn(await self.assertFailure(asking, Exception))
        assert found is not None
        self.assertEqual((found.code, found.side), (code, "local"))
        return seen, raw

    async def plain(self, kind: str, seen: list[bytes], raw: list[bytes]) -> int:
        """Start a server of Twisted's own with a credential of a kind, which notes what it sees; return its port."""

        class Noting(Protocol):
            def dataReceived(self, data: bytes) -> None:
                seen.append(data)
                self.transport.loseConnection()  # type: ignore[union-attr]

        class Below(ProtocolWrapper):
            def dataReceived(self, data: bytes) -> None:
                raw.append(data)
                super().dataReceived(data)

        shown = credential("server", kind)
        options = CertificateOptions(
            privateKey=shown.privateKey,
            certificate=shown.certificate,
            acceptableProtocols=[b"http/1.1"],
            trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(root().certificate))]),
        )
        factory = WrappingFactory(TLSMemoryBIOFactory(options, False, Factory.forProtocol(Noting)))
        factory.protocol = Below
        listening: Any = await TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK).listen(factory)
        self.addCleanup(listening.stopListening)
        return listening.getHost().port  # type: ignore[no-any-return]

    def test_notFitting(self) -> None:
        """What Twisted's TLS cannot do is a mistake at once."""
        usual = {"serverName": "localhost", "credential": credential("client"), "roots": (root().certificate,)}
        for more in ({"hook": lambda _: True}, {"others": (credential("client", "intermediate"),)}):
            self.assertRaises(ValueError, HTTPSPolicy, ClientConfiguration(**usual, **more))
