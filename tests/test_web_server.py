"""A web site knows who has sent each request, asks rules for each path, and tells what is behind it."""

from __future__ import annotations

import base64
import json
import warnings
from typing import Any

from cryptography import x509
from interop import LOOPBACK, credential, reactor, root
from test_ordinary_protocols import Asking
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, connectProtocol
from twisted.internet.testing import StringTransport
from twisted.python.threadpool import ThreadPool
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from websites import Body, Told, WebCase, here
from zope.interface.verify import verifyObject

from tlscomm.access import AccessRules, Peer
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.endpoints import TLSClientEndpoint
from tlscomm.revocation import Revocation
from tlscomm.tls import TLSFacts
from tlscomm.web import (
    PUBLIC,
    AccessByPath,
    IdentityHeaders,
    PeerWSGIResource,
    environOf,
    failureIn,
    peerOf,
    withoutIdentity,
)
from tlscomm.x509._encoding import pem

RULES = {"/": AccessRules(), "/admin": ["cn=admin"], "/health": PUBLIC}


def tree() -> Resource:
    """Return a resource with children, each of which is `Told`."""
    found = Resource()
    for name in (b"", b"page", b"admin", b"health", b"Admin"):
        found.putChild(name, Told())
    return found


class SecondVersion(WebCase):
    """A site over HTTP/2."""

    async def asked(self, port: int, *paths: str, kind: str | None = "good") -> list[bytes]:
        client: Any = await connectProtocol(self.endpoint(port, kind), Asking(*paths))
        return await client.whole  # type: ignore[no-any-return]

    def endpoint(self, port: int, kind: str | None = "good") -> TLSClientEndpoint:
        configuration = ClientConfiguration(
            serverName="localhost",
            roots=(root().certificate,),
            credential=None if kind is None else credential("client", kind),
            applicationProtocols=(b"h2",),
        )
        return TLSClientEndpoint(reactor, here("", port), configuration)


class PeerTests(SecondVersion):
    async def test_none(self) -> None:
        """A client that has shown no certificate, where none is required, is None."""
        port = await self.site(clientCertificates="requested")
        self.assertIsNone((await self.told(self.agent(credential=None), port))["client"])

    async def test_otherTransports(self) -> None:
        """Over a connection without TLS nothing is None: it is a mistake, so that it is not taken for a client."""
        channel: Any = HTTPChannel()
        channel.site = Site(Told())
        channel.transport = StringTransport()
        self.assertRaises(TypeError, peerOf, Request(channel, False))


class AccessTests(SecondVersion):
    async def test_tree(self) -> None:
        """Rules stand before the resources of a site, which do not notice."""
        port, agent = await self.site(AccessByPath(tree(), RULES)), self.agent(pool=self.pool())
        for path in ("/", "/page", "/page?q=/admin", "/health"):
            status, _, body = await self.get(agent, port, path)
            self.assertEqual((status, json.loads(body)["path"]), (200, path.partition("?")[0]))
        for path in ("/admin", "/Admin", "/%61dmin/x", "/admin;x"):
            status, headers, body = await self.get(agent, port, path)
            self.assertEqual((status, body), (403, b"403 forbidden: not-allowed\n"), path)
            self.assertEqual(headers.getRawHeaders(b"tls-failure"), [b"not-allowed"])
        for path in ("//admin", "/x/%2e%2e/admin", "/x%2fadmin"):
            status, headers, _ = await self.get(agent, port, path)
            self.assertEqual((status, headers.getRawHeaders(b"tls-failure")), (400, None), path)

    async def test_leaf(self) -> None:
        """They stand before a leaf as well, which sees the path as it was."""
        port = await self.site(AccessByPath(Told(), RULES))
        self.assertEqual((await self.told(self.agent(), port, "/page/more"))["path"], "/page/more")

    async def test_below(self) -> None:
        """Below another resource they are rules for whole paths all the same."""
        above = Resource()
        above.putChild(b"admin", AccessByPath(tree(), RULES))
        self.assertEqual((await self.get(self.agent(), await self.site(above), "/admin/page"))[0], 403)

    async def test_secondVersion(self) -> None:
        """Each stream of a connection of HTTP/2 is judged by itself."""
        port = await self.site(AccessByPath(tree(), RULES), applicationProtocols=(b"h2",))
        page, admin, dots = await self.asked(port, "/page", "/admin", "/x/../admin")
        self.assertEqual(json.loads(page)["client"], "localhost")
        self.assertEqual((admin[:4], dots[:4]), (b"403 ", b"400 "))

    async def test_withoutCertificate(self) -> None:
        """Who has no certificate gets what is public."""
        port = await self.site(AccessByPath(tree(), RULES), clientCertificates="requested")
        agent = self.agent(credential=None)
        self.assertEqual((await self.get(agent, port, "/health"))[0], 200)
        status, headers, _ = await self.get(agent, port, "/page")
        self.assertEqual((status, headers.getRawHeaders(b"tls-failure")), (403, [b"no-certificate"]))

    async def test_newRules(self) -> None:
        """New rules hold for the next request of a connection that is open."""
        site = AccessByPath(tree(), RULES)
        port, agent = await self.site(site), self.agent(pool=self.pool())
        self.assertEqual((await self.get(agent, port, "/page"))[0], 200)
        site.rules = type(site.rules)({"/": ["cn=admin"]})
        self.assertEqual((await self.get(agent, port, "/page"))[0], 403)
        await self.record.next("accepted")
        self.assertEqual(self.record.count("accepted"), 0)


class Held(Resource):
    """Keeps requests without an answer.

    Attributes:
        came: fires with the first two.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.came: Deferred[list[Request]] = Deferred()
        self.requests: list[Request] = []
        self.lost = 0

    def render_GET(self, request: Request) -> int:
        self.requests.append(request)
        request.notifyFinish().addErrback(self.count)
        if len(self.requests) == 2:
            self.came.callback(self.requests)
        return NOT_DONE_YET

    def count(self, _: object) -> None:
        self.lost += 1


class RevokedTests(SecondVersion):
    def revoke(self, transport: Any, *protocols: bytes) -> None:
        """Tell a server that the certificate of our client is revoked."""
        lists = (root().revocationList([credential("client").certificate.serial_number]),)
        usual = {"credential": credential("server"), "clientRoots": (root().certificate,)}
        revoking = ServerConfiguration(**usual, applicationProtocols=protocols, revocation=Revocation(lists))
        transport.factory.reconfigure(revoking)

    async def test_keptConnection(self) -> None:
        """A peer that was revoked gets no more answers on a kept connection, and hears why when it connects again."""
        port, agent = await self.site(), self.agent(pool=self.pool())
        await self.told(agent, port)
        self.revoke(await self.record.next("accepted"))
        self.assertEqual((await self.record.next("closed")).code, "revoked")
        asking = Deferred.fromCoroutine(self.told(agent, port))
        failure = failureIn(await self.assertFailure(asking, Exception))
        assert failure is not None
        self.assertEqual((failure.code, failure.side), ("revoked", "remote"))

    async def test_streams(self) -> None:
        """When a peer is revoked all its streams end, and who has sent them cannot be asked any more."""
        held = Held()
        port = await self.site(held, applicationProtocols=(b"h2",))
        await connectProtocol(self.endpoint(port), Asking("/", "/second"))
        requests = await held.came
        transport = await self.record.next("accepted")
        self.revoke(transport, b"h2")
        failure = await self.record.next("closed")
        self.assertEqual((failure.code, failure.side), ("revoked", "local"))
        self.assertEqual(held.lost, 2)
        for request in requests:
            self.assertRaises(ValueError, peerOf, request)


class HeaderTests(WebCase):
    async def test_client(self) -> None:
        """A client's own words on who it is are taken away, in each spelling, and the truth is put in their place."""
        port = await self.site(IdentityHeaders(Told()))
        lies = ("Client-Cert", "client_cert", "Client-Cert-Chain", "SSL-Client-Verify", "X-SSL-Client-S-DN")
        lies += ("X-Forwarded-Client-Cert", "X_Client_Cert", "ssl_client_s_dn")
        headers = Headers({name: ["a lie"] for name in (*lies, "X-Other")})
        response = await self.agent().request(b"GET", f"https://localhost:{port}/".encode(), headers)
        body = Body()
        response.deliverBody(body)
        told = json.loads(await body.whole)["headers"]
        self.assertEqual([name for name, value in told.items() if value == "a lie"], ["X-Other"])
        own, chain = (self.certificates(told[name]) for name in ("Client-Cert", "Client-Cert-Chain"))
        self.assertEqual((own, chain), ([credential("client").certificate], [root().certificate]))

    def certificates(self, header: str) -> list[x509.Certificate]:
        """Return what is in a header of RFC 9440."""
        items = header.split(", ")
        self.assertTrue(all(item[0] == item[-1] == ":" for item in items))
        return [x509.load_der_x509_certificate(base64.b64decode(item[1:-1])) for item in items]

    async def test_noChain(self) -> None:
        """The chain can be left out; what a client writes of one does not take its place."""
        port = await self.site(IdentityHeaders(Told(), withChain=False))
        headers = Headers({"Client-Cert-Chain": ["a lie"]})
        response = await self.agent().request(b"GET", f"https://localhost:{port}/".encode(), headers)
        body = Body()
        response.deliverBody(body)
        told = json.loads(await body.whole)["headers"]
        self.assertEqual([name for name in told if name.startswith("Client")], ["Client-Cert"])

    async def test_noCertificate(self) -> None:
        """Of a client without a certificate there are no such headers."""
        port = await self.site(IdentityHeaders(Told()), clientCertificates="requested")
        told = await self.told(self.agent(credential=None), port)
        self.assertFalse([name for name in told["headers"] if name.lower().startswith("client")])

    async def test_behind(self) -> None:
        """A server behind is told by Twisted's reverse proxy."""

        class Behind(Resource):
            isLeaf = True

            def render_GET(self, request: Request) -> bytes:
                return request.getHeader(b"client-cert") or b"nothing"

        behind: Any = await TCP4ServerEndpoint(reactor, 0, interface=LOOPBACK).listen(Site(Behind()))
        self.addCleanup(behind.stopListening)
        with warnings.catch_warnings():
            # Of other classes in its module.
            warnings.simplefilter("ignore", DeprecationWarning)
            from twisted.web.proxy import ReverseProxyResource
        proxy = ReverseProxyResource(LOOPBACK, behind.getHost().port, b"")
        port = await self.site(IdentityHeaders(proxy))
        status, _, body = await self.get(self.agent(), port)
        self.assertEqual((status, self.certificates(body.decode())), (200, [credential("client").certificate]))

    def test_others(self) -> None:
        """Other headers stay."""
        channel: Any = HTTPChannel()
        channel.site = Site(Told())
        channel.transport = StringTransport()
        request = Request(channel, False)
        request.requestHeaders = Headers({"Host": ["a"], "X-Client": ["b"], "Sslx": ["c"]})
        withoutIdentity(request)
        self.assertEqual(len(list(request.requestHeaders.getAllRawHeaders())), 3)


class WSGITests(SecondVersion):
    def resource(self) -> PeerWSGIResource:
        pool = ThreadPool(1, 1)
        pool.start()
        self.addCleanup(pool.stop)
        return PeerWSGIResource(reactor, pool, self.application)

    @staticmethod
    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        found = {name: value for name, value in environ.items() if "SSL" in name or name == "HTTPS"}
        found |= {"peer": repr(environ["tlscomm.peer"]), "cert": "HTTP_CLIENT_CERT" in environ}
        return [json.dumps(found).encode()]

    async def test_environment(self) -> None:
        """A WSGI application finds its caller, and mod_ssl's variables, over HTTP/1.1 and HTTP/2."""
        port = await self.site(self.resource(), applicationProtocols=(b"h2", b"http/1.1"))
        headers = Headers({"Client-Cert": ["a lie"], "SSL_CLIENT_VERIFY": ["SUCCESS"]})
        response = await self.agent().request(b"GET", f"https://localhost:{port}/".encode(), headers)
        body = Body()
        response.deliverBody(body)
        first = json.loads(await body.whole)
        second = json.loads((await self.asked(port, "/"))[0])
        expected = {
            "HTTPS": "on",
            "SSL_PROTOCOL": "TLSv1.3",
            "SSL_CLIENT_VERIFY": "SUCCESS",
            "SSL_CLIENT_S_DN": "CN=localhost",
            "SSL_CLIENT_S_DN_CN": "localhost",
            "SSL_CLIENT_I_DN_CN": "root",
            "SSL_CLIENT_SAN_DNS_0": "localhost",
            "SSL_TLS_SNI": "localhost",
            "cert": False,
        }
        for found in (first, second):
            self.assertEqual({name: found.get(name) for name in expected}, expected)
            shown = x509.load_pem_x509_certificate(found["SSL_CLIENT_CERT"].encode())
            self.assertEqual(shown, credential("client").certificate)
        self.assertNotIn("HTTP_SSL_CLIENT_VERIFY", first)
        self.assertIn("<Peer CN=localhost", first["peer"])

    async def test_none(self) -> None:
        """Without a certificate it is told so."""
        port = await self.site(self.resource(), clientCertificates="requested")
        _, _, body = await self.get(self.agent(credential=None), port)
        found = json.loads(body)
        self.assertEqual((found["SSL_CLIENT_VERIFY"], found["peer"]), ("NONE", "None"))
        self.assertNotIn("SSL_CLIENT_CERT", found)

    def test_names(self) -> None:
        """What WSGI applications get is bytes of UTF-8 as PEP 3333 says, without anything that a log would obey."""
        names = [x509.DNSName("a.example"), x509.DNSName("b.example\r\nX-Header")]
        made = root().issue("Zürich", role="client", extensions=[(x509.SubjectAlternativeName(names), False)])
        facts = TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", None, None, True, None, "seen")
        found = environOf(Peer((made.certificate, root().certificate)), facts)
        self.assertEqual(found["SSL_CLIENT_S_DN_CN"].encode("latin-1").decode(), "Zürich")
        self.assertEqual(found["SSL_CLIENT_SAN_DNS_1"], r"b.example\r\nX-Header")
        self.assertEqual((found["SSL_SESSION_RESUMED"], "SSL_TLS_SNI" in found), ("Resumed", False))
        self.assertEqual(found["SSL_CLIENT_CERT_CHAIN_0"].count("\n"), len(pem([root().certificate]).split(b"\n")) - 1)

    def test_interface(self) -> None:
        """Each resource provides what Twisted asks for."""
        for resource in (self.resource(), AccessByPath(Told(), RULES), IdentityHeaders(Told())):
            verifyObject(IResource, resource)
            self.assertRaises(LookupError, resource.getChildWithDefault, b"", None)
            self.assertRaises(TypeError, resource.putChild, b"", None)
