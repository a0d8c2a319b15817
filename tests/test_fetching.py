"""What is fetched in the background, from servers that behave and from servers that do not."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID
from interop import LOOPBACK, InteropCase, authorityFile, credential, files, reactor, root
from logs import logged
from opensslauthority import OpenSSLAuthority
from revocationlists import indicator, point, revocationList, scope
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import formatEvent
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.access import AccessRules, parseRule
from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import FileNotFound, Unreadable
from tlscomm.issuing import Authority
from tlscomm.revocation import Revocation, Staple
from tlscomm.revocation._addresses import FetchFailed, isFetchable, isNeverFetchedFrom, isPublic
from tlscomm.revocation._retrying import Schedule
from tlscomm.revocation._web import fetch
from tlscomm.verification import Verifier
from tlscomm.verification._trust import Trust

ROOT = Authority.create("the root")


class _Speaking(Protocol):
    """Answers each request with what is at its place, raw, and closes; says nothing for a place that is not.

    After a text it says nothing more, and does not close.
    """

    def connectionMade(self) -> None:
        cast(Any, self.factory).connections.append(self.transport)

    def dataReceived(self, data: bytes) -> None:
        factory: Any = self.factory
        place = data.split(b" ")[1].decode()
        factory.asked.append(place)
        answer = factory.answers.get(place)
        if answer is None:
            return
        if isinstance(answer, bytes):
            self.transport.write(answer)
            self.transport.loseConnection()
        elif isinstance(answer, str):
            self.transport.write(answer.encode())
        else:
            self.transport.registerProducer(_Endless(self.transport, answer), False)


class _Endless:
    """Writes the same for ever."""

    def __init__(self, transport: Any, words: list[bytes]) -> None:
        self.transport = transport
        self._first, self._rest = words

    def resumeProducing(self) -> None:
        self.transport.write(self._first + self._rest)
        self._first = b""

    def stopProducing(self) -> None: ...


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def moved(place: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % place.encode()


class _Case(InteropCase):
    async def web(self, **answers: Any) -> str:
        """Start a server of HTTP and return its address."""
        self.site: Any = Factory.forProtocol(_Speaking)  # type: ignore[arg-type]
        self.site.noisy = False
        self.site.asked, self.site.connections = [], []
        self.site.answers = {f"/{name}": answer for name, answer in answers.items()}
        port: Any = reactor.listenTCP(0, self.site, interface=LOOPBACK)
        self.addCleanup(port.stopListening)
        return f"http://{LOOPBACK}:{port.getHost().port}"

    async def until(self, condition: Any) -> None:
        """Wait until something is so; the test's own deadline bounds it."""
        while not condition():
            await deferLater(reactor, 0.01)


class Web(_Case):
    async def fetch(self, url: str, *, largest: int = 1000, seconds: float = 60) -> bytes:
        return await fetch(reactor, url, largest=largest, seconds=seconds, fromPrivateAddresses=True)

    async def fails(self, url: str, says: str, **limits: Any) -> None:
        with self.assertRaises(FetchFailed) as raised:
            await self.fetch(url, **limits)
        self.assertIn(says, str(raised.exception))

    async def test_aPlainAnswer(self) -> None:
        untilTheEnd = b"HTTP/1.0 200 OK\r\n\r\nold"
        base = await self.web(here=ok(b"fine"), old=untilTheEnd, moved=moved("/here"))
        for place, answer in (("here", b"fine"), ("old", b"old"), ("moved", b"fine")):
            self.assertEqual(await self.fetch(f"{base}/{place}"), answer)

    async def test_aServerThatHangs(self) -> None:
        await self.fails(f"{await self.web()}/nothing", "did not come within 0.1 seconds", seconds=0.1)

    async def test_aServerThatStopsInTheMiddle(self) -> None:
        """Nothing more comes of an answer that is late, whatever its connection comes to afterwards."""
        base = await self.web(half="HTTP/1.1 200 OK\r\n\r\nhalf")
        await self.fails(f"{base}/half", "did not come within 0.5 seconds", seconds=0.5)
        await self.until(lambda: not self.site.connections[0].connected)
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_aServerThatRefuses(self) -> None:
        with closing(socket.create_server((LOOPBACK, 0))) as place:
            port = place.getsockname()[1]
        await self.fails(f"http://{LOOPBACK}:{port}/", "refused")

    async def test_anErrorIsNoAnswer(self) -> None:
        base = await self.web(none=b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")
        await self.fails(f"{base}/none", "its server answered 404")

    async def test_redirectionsEnd(self) -> None:
        base = await self.web(loop=moved("/loop"))
        await self.fails(f"{base}/loop", "leads to more than 3 other places")
        self.assertEqual(len(self.site.asked), 4)

    async def test_aRedirectionToSomethingElse(self) -> None:
        base = await self.web(file=moved("file:///etc/passwd"), secure=moved("https://localhost/"))
        for place in ("file", "secure"):
            await self.fails(f"{base}/{place}", "is not fetched from")

    async def test_aBodyWithoutEnd(self) -> None:
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        base = await self.web(body=[head, bytes(1 << 16)], chunks=[head[:-2] + _CHUNKED, _CHUNK])
        for place in ("body", "chunks"):
            await self.fails(f"{base}/{place}", "it is too large", largest=100_000)

    async def test_headersWithoutEnd(self) -> None:
        more = b"HTTP/1.1 100 Continue\r\n\r\n"
        base = await self.web(head=[b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000], more=[more, more * 1000])
        for place in ("head", "more"):
            await self.fails(f"{base}/{place}", "says before it is too large", largest=1 << 24)

    async def test_tinyPieces(self) -> None:
        """Each costs time: a list of a million pieces would hold the reactor."""
        base = await self.web(tiny=[b"HTTP/1.1 200 OK\r\n" + _CHUNKED, b"1\r\nx\r\n" * 1000])
        await self.fails(f"{base}/tiny", "too small pieces", largest=1 << 24)

    async def test_smallPiecesOfAProgramThatWritesSo(self) -> None:
        body = b"40\r\n" + bytes(64) + b"\r\n"
        base = await self.web(small=b"HTTP/1.1 200 OK\r\n" + _CHUNKED + 300 * body + b"0\r\n\r\n")
        self.assertEqual(await self.fetch(f"{base}/small", largest=1 << 24), bytes(300 * 64))

    async def test_nonsense(self) -> None:
        base = await self.web(text=b"hello\r\n\r\n", cut=ok(b"more")[:-2])
        for place in ("text", "cut"):
            await self.fails(f"{base}/{place}", "")

    async def test_itCanBeCancelled(self) -> None:
        base = await self.web()
        fetching = fetch(reactor, f"{base}/nothing", largest=10, seconds=60, fromPrivateAddresses=True)
        await self.until(lambda: self.site.asked)
        fetching.cancel()
        self.failureResultOf(fetching)


_PACKED = b"\r\nContent-Encoding: gzip\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_CHUNK = b"10000\r\n" + bytes(1 << 16) + b"\r\n"


class Lists(_Case):
    def published(self, base: str, place: str = "list") -> tuple[x509.Certificate, ...]:
        """A path whose certificate says where its list is."""
        points = (x509.CRLDistributionPoints([point(f"{base}/{place}")]), False)
        return ROOT.issue("leaf", role="client", extensions=[points]).certificate, ROOT.certificate

    def code(self, revocation: Revocation, path: Any) -> str | None:
        """What a client is refused for, which presents a path."""
        problems = self.verifier(revocation).verify(path).problems
        return problems[0].code if problems else None

    def verifier(self, revocation: Revocation, **more: Any) -> Verifier:
        return Verifier(peerRole="client", trust=Trust((ROOT.certificate,)), revocation=revocation, **more)

    def using(self, fetchCRLs: str = "cache", **settings: Any) -> Revocation:
        revocation = Revocation(fetchCRLs=fetchCRLs, fetchFromPrivateAddresses=True, **settings)
        for backgroundTask in revocation.backgroundTasks:
            backgroundTask.use(reactor)
            self.addCleanup(backgroundTask.release)
        return revocation

    async def test_theListIsThereForTheNextHandshake(self) -> None:
        base = await self.web(list=ok(revocationList(ROOT).public_bytes(Encoding.DER)))
        path, revocation = self.published(base), self.using()
        (problem,) = self.verifier(revocation).verify(path).problems
        self.assertEqual(problem.code, "revocation-unknown")
        self.assertIn(f"its list at {base}/list has not come yet", problem.detail)
        await self.until(lambda: revocation.generation)
        self.assertIsNone(self.code(revocation, path))
        self.assertEqual(self.site.asked, ["/list"])

    async def test_theLogSaysInOneLineWhatWasFetched(self) -> None:
        base = await self.web(list=ok(revocationList(ROOT).public_bytes(Encoding.DER)))
        path, revocation = self.published(base), self.using()
        with logged() as events, logged("twisted.web.client._HTTP11ClientFactory") as others:
            self.code(revocation, path)
            await self.until(lambda: revocation.generation)
        self.assertEqual(others, [])
        (event,) = events
        self.assertIn(f"fetched the revocation list from {base}/list, valid until", formatEvent(event))

    async def test_aRevocationIsFound(self) -> None:
        base = await self.web()
        path = self.published(base)
        listed = revocationList(ROOT, [path[0].serial_number]).public_bytes(Encoding.PEM)
        self.site.answers["/list"] = ok(listed)
        revocation = self.using(mode="soft")
        self.assertIsNone(self.code(revocation, path))
        await self.until(lambda: revocation.generation)
        self.assertEqual(self.code(revocation, path), "revoked")

    async def test_itIsKeptOnTheDiskForItsOwnerOnly(self) -> None:
        base = await self.web(list=ok(revocationList(ROOT).public_bytes(Encoding.DER)))
        path, revocation = self.published(base), self.using()
        self.code(revocation, path)
        await self.until(lambda: revocation.generation)
        self.assertEqual(os.stat("cache").st_mode & 0o777, 0o700)
        self.assertEqual([kept.stat().st_mode & 0o777 for kept in Path("cache").iterdir()], [0o600])
        self.assertIsNone(self.code(Revocation(fetchCRLs="cache"), path))

    async def test_whatIsWrongIsNotKeptAndSaid(self) -> None:
        now = datetime.now(timezone.utc)
        day = timedelta(days=1)
        answers = {
            "forged": revocationList(ROOT, signer=Authority.create().privateKey),
            "expired": revocationList(ROOT, since=now - 2 * day, until=now - day),
            "other": Authority.create("another").revocationList(),
            "delta": revocationList(ROOT, extensions=[indicator(0)]),
            "scope": revocationList(ROOT, extensions=[scope(only_contains_ca_certs=True)]),
            "place": revocationList(ROOT, extensions=[scope(full_name=point("http://elsewhere.example/").full_name)]),
        }
        says = {
            "forged": "badly signed",
            "expired": "expired",
            "other": "another authority",
            "delta": "a delta list",
            "scope": "certificates of authorities only",
            "place": "another distribution point",
            "nothing": "no revocation list",
            "damaged": "",
            "packed": "no revocation list",
        }
        base = await self.web(
            **{name: ok(each.public_bytes(Encoding.DER)) for name, each in answers.items()},
            nothing=ok(b"hello"),
            # Nothing is unpacked, so that nothing is larger than what has come.
            packed=ok(gzip.compress(revocationList(ROOT).public_bytes(Encoding.DER))).replace(b"\r\n", _PACKED, 1),
            damaged=ok(revocationList(ROOT).public_bytes(Encoding.DER)[:-9]),
        )
        revocation = self.using()
        with logged() as events:
            for number, place in enumerate(says, 1):
                path = self.published(base, place)
                self.code(revocation, path)
                await self.until(lambda number=number: len(events) == number)
                (problem,) = self.verifier(revocation).verify(path).problems
                self.assertEqual(problem.code, "revocation-unknown")
                self.assertIn(f"its list at {base}/{place} did not come: {events[-1]['problem']}", problem.detail)
        for words, event in zip(says.values(), events, strict=True):
            self.assertIn(words, event["problem"])
        self.assertEqual(list(Path("cache").iterdir()), [])

    async def test_aLowerNumberDoesNotReplaceAHigherOne(self) -> None:
        """A machine between us and the authority could bring back an old list that still counts."""
        base = await self.web(list=ok(revocationList(ROOT, number=2).public_bytes(Encoding.DER)))
        path, first = self.published(base), self.using()
        self.code(first, path)
        await self.until(lambda: first.generation)
        self.site.answers["/list"] = ok(revocationList(ROOT, number=1).public_bytes(Encoding.DER))
        second = self.using()
        with logged() as events:
            self.code(second, path)
            await self.until(lambda: events)
        self.assertIn("lower than 2", events[0]["problem"])

    def test_whatARefusedPathNamesIsNotFetchedFrom(self) -> None:
        """Else one who connects could choose which addresses our server asks."""
        revocation = Revocation(fetchCRLs="cache")
        fetcher: Any = revocation._fetcher
        naming = [(x509.CRLDistributionPoints([point("http://list.example/")]), False)]
        good, other = (
            ROOT.issue(f"{role} leaf", role=role, extensions=naming)  # type: ignore[arg-type]
            for role in ("client", "server")
        )
        for impostor in (Authority.create("the root"), Authority.create("a stranger")):
            below = impostor.intermediate("between", extensions=naming)
            for issuer in (impostor, below):
                leaf = issuer.issue("leaf", role="client", extensions=naming).certificate
                for path in ((leaf,), (leaf, issuer.certificate), (leaf, issuer.certificate, ROOT.certificate)):
                    self.assertIsNotNone(self.code(revocation, path))
        self.assertEqual(self.code(revocation, (other.certificate,)), "wrong-purpose")
        rules = AccessRules(deny=[parseRule("cn=client leaf")])
        codes = [each.code for each in self.verifier(revocation, access=rules).verify((good.certificate,)).problems]
        self.assertEqual(codes, ["revocation-unknown", "not-allowed"])
        self.assertEqual(fetcher.addresses, [])
        self.assertEqual(self.code(revocation, (good.certificate,)), "revocation-unknown")
        self.assertEqual(fetcher.addresses, ["http://list.example/"])

    def test_aCertificateThatNamesNoListIsTold(self) -> None:
        leaf = ROOT.issue("leaf", role="client").certificate
        (problem,) = self.verifier(Revocation(fetchCRLs="cache")).verify([leaf]).problems
        self.assertIn("it does not say where a list is published", problem.detail)

    def test_aFolderThatCannotBeUsed(self) -> None:
        Path("file").write_bytes(b"")
        self.assertRaises(Unreadable, Revocation, fetchCRLs="file")
        refused = self.assertRaises(FileNotFound, Revocation, fetchCRLs="nope/lists")
        self.assertIn("--fetch-crls", refused.nextStep)
        self.assertFalse(Path("nope").exists())


class Responses(_Case):
    """A server's staple from OpenSSL's own responder."""

    def setUp(self) -> None:
        super().setUp()
        self.openssl = OpenSSLAuthority(root())

    async def identity(self, *, isRevoked: bool = False) -> Credential:
        """Start OpenSSL's responder, which reads its index once, for a credential that names it."""
        forwarding = ProxyFactory(LOOPBACK, 0)
        forwarding.noisy = False
        port: Any = reactor.listenTCP(0, forwarding, interface=LOOPBACK)
        self.addCleanup(port.stopListening)
        made = self.naming(f"http://{LOOPBACK}:{port.getHost().port}/")
        self.openssl.issued(made.certificate)
        if isRevoked:
            self.openssl.revoke(made.certificate)
        folder = self.openssl.folder
        program = self.spawn(
            *("openssl", "ocsp", "-index", str(folder / "index.txt"), "-CA", str(folder / "ca.pem"), "-port", "0"),
            *("-rsigner", str(folder / "ca.pem"), "-rkey", str(folder / "ca.key"), "-ndays", "1", "-ignore_err"),
        )
        forwarding.port = int((await program.prints(r"ACCEPT .*:([0-9]+)"))[1])
        return made

    def naming(self, url: str) -> Credential:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
        access = (x509.AuthorityInformationAccess([place]), False)
        return root().issue("localhost", role="server", dnsNames=["localhost"], extensions=[access])

    async def test_itIsFetchedAndStapled(self) -> None:
        for version in ("1.2", "1.3"):
            identity = await self.identity()
            staple = Staple(fetches=True, fetchFromPrivateAddresses=True)
            configuration = ServerConfiguration(
                credential=identity, clientRoots=(root().certificate,), staple=staple, clientCertificates="requested"
            )
            port = await self.serve(configuration=configuration)
            await self.until(lambda staple=staple, of=identity.certificate: staple.responseFor(of))
            client = self.asking(port, version)
            await client.prints("OCSP Response Status: successful")
            await client.prints("Cert Status: good")
            await client.prints("Verify return code: 0 \\(ok\\)")

    async def test_aRevokedServerStaplesNothingAndSaysSo(self) -> None:
        identity = await self.identity(isRevoked=True)
        staple = Staple(fetches=True, fetchFromPrivateAddresses=True)
        with logged() as events:
            configuration = ServerConfiguration(credential=identity, clientRoots=(root().certificate,), staple=staple)
            port = await self.serve(configuration=configuration)
            await self.until(lambda: events)
        self.assertIn("says its OCSP response", events[0]["problem"])
        await self.asking(port, "1.3").prints("OCSP response: no response sent")

    async def test_aResponderThatDoesNotAnswerDelaysNobody(self) -> None:
        identity = self.naming(f"{await self.web()}/nothing")
        staple = Staple(fetches=True, fetchFromPrivateAddresses=True)
        configuration = ServerConfiguration(credential=identity, clientRoots=(root().certificate,), staple=staple)
        port = await self.serve(configuration=configuration)
        await self.until(lambda: self.site.asked)
        await self.asking(port, "1.3").prints("OCSP response: no response sent")
        with logged() as events:
            self.site.connections[0].abortConnection()
            await self.until(lambda: events)
        self.assertIn("no OCSP response", events[0]["log_format"])

    async def test_aFileIsStapled(self) -> None:
        certificate = credential("server").certificate
        self.openssl.issued(certificate)
        Path("staple.der").write_bytes(self.openssl.staple(certificate, "-ndays", "1"))
        port = await self.serve(staple=Staple(["staple.der"]))
        await self.asking(port, "1.3").prints("Cert Status: good")

    def asking(self, port: int, version: str) -> Any:
        return self.spawn(
            *("openssl", "s_client", "-connect", f"{LOOPBACK}:{port}", f"-tls{version.replace('.', '_')}", "-status"),
            *("-CAfile", authorityFile(), "-cert", files("client"), "-servername", "localhost"),
        )


class Addresses(SynchronousTestCase):
    def test_onlyPlainHTTPIsFetched(self) -> None:
        for url in ("http://crl.example/a.crl", "http://127.0.0.1:80/", "http://[::1]/x"):
            self.assertTrue(isFetchable(url), url)
        for url in ("https://a/", "ldap://a/b", "file:///etc/passwd", "http:///x", "http://a b/", "http://a/\r\nX: y"):
            self.assertFalse(isFetchable(url), url)
        for url in ("http://u:p@a/", "http://a:b/", "http://é.example/", "http://[::1/", "http://a/" + "b" * 3000, ""):
            self.assertFalse(isFetchable(url), url)

    def test_onlyThePublicInternetIsPublic(self) -> None:
        for address in [
            "8.8.8.8",
            "192.0.1.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::808:808",
        ]:
            self.assertTrue(isPublic(address), address)
        private = (
            "127.0.0.1 127.9.9.9 10.0.0.1 172.16.0.1 192.168.1.1 169.254.1.1 100.64.0.1 0.1.2.3 198.18.0.1 240.0.0.1"
        )
        others = "::1 fe80::1 fe80::1%lo fc00::1 fd12::1 fec0::1 64:ff9b:1::1"
        embedding = (
            "::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::1 2002:808:808::1 2001:0:a00:1::1 ::7f00:1"
        )
        for address in (*private.split(), *others.split(), *embedding.split()):
            self.assertFalse(isPublic(address), address)
            self.assertFalse(isNeverFetchedFrom(address), address)

    def test_someAddressesNoSettingAllows(self) -> None:
        """Those of no host, of many hosts, and those that tell a virtual machine its secrets."""
        for address in (
            *("0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1", "169.254.169.254", "::ffff:169.254.169.254"),
            *("64:ff9b::a9fe:a9fe", "fd00:ec2::254", "168.63.129.16", "100.100.100.200", "host.example", ""),
            *("169.254.170.2", "169.254.170.23", "fd00:ec2::23"),
        ):
            self.assertFalse(isPublic(address), address)
            self.assertTrue(isNeverFetchedFrom(address), address)


@implementer(IReactorPluggableNameResolver)
class _Resolving(MemoryReactorClock):
    """A reactor that says what it is asked to connect to, and that knows names.

    Attributes:
        names: the addresses of each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, list[str]] = {}
        self.nameResolver: Any = self

    def resolveHostName(self, receiver: Any, name: str, portNumber: int = 0, *_: Any) -> Any:
        receiver.resolutionBegan(self)
        for address in self.names.get(name, [name]):
            kind = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, portNumber))
        receiver.resolutionComplete()

    def installNameResolver(self, resolver: Any) -> None: ...


class PrivateAddresses(SynchronousTestCase):
    """Where a server may be that is fetched from."""

    def setUp(self) -> None:
        self.reactor = _Resolving()

    def fetching(self, url: str, **more: Any) -> Deferred[bytes]:
        return fetch(self.reactor, url, largest=1000, seconds=5, **more)

    @property
    def asked(self) -> list[tuple[str, int]]:
        """What was connected to."""
        return [client[:2] for client in self.reactor.tcpClients]

    def answer(self, content: bytes) -> bytes:
        """Accept the connection that is tried, answer the question on it, and return that."""
        connected = StringTransport()
        connected.abortConnection = connected.loseConnection  # type: ignore[attr-defined]
        protocol = self.reactor.tcpClients[-1][2].buildProtocol(None)
        protocol.makeConnection(connected)
        protocol.dataReceived(content)
        return connected.value()

    def refused(self, fetching: Deferred[bytes], says: str = "") -> None:
        # The addresses of a name are tried one after the other.
        self.reactor.pump([0.3] * 3)
        self.assertIn(says, str(self.failureResultOf(fetching, FetchFailed).value))

    def test_theyAreNotConnectedToUnlessThatIsAllowed(self) -> None:
        for host in ("127.0.0.1", "10.0.0.1", "169.254.7.7", "[::1]", "[fd00::1]", "[::ffff:127.0.0.1]"):
            self.refused(self.fetching(f"http://{host}:80/"), "--fetch-from-private-addresses")
        self.assertEqual(self.asked, [])
        self.fetching("http://10.0.0.1:80/", fromPrivateAddresses=True).addErrback(lambda _: None)
        self.assertEqual(self.asked, [("10.0.0.1", 80)])

    def test_whatDecidesIsTheAddressOfTheName(self) -> None:
        self.reactor.names["list.example"] = ["127.0.0.1", "::1"]
        self.refused(self.fetching("http://list.example/"), "private address")
        self.reactor.names["list.example"] = ["169.254.169.254"]
        self.refused(self.fetching("http://list.example/", fromPrivateAddresses=True), "never fetched from")
        self.assertEqual(self.asked, [])

    def test_aNameThatHasBothKindsIsAskedAtTheOther(self) -> None:
        self.reactor.names["list.example"] = ["10.0.0.1", "8.8.8.8"]
        fetching = self.fetching("http://list.example/")
        self.reactor.advance(1)
        self.assertEqual(self.asked, [("8.8.8.8", 80)])
        self.answer(ok(b"fine"))
        self.assertEqual(self.successResultOf(fetching), b"fine")

    def test_aNameIsLookedAtEachTimeItIsConnectedTo(self) -> None:
        """The second time it may have another address (DNS rebinding)."""
        self.reactor.names["list.example"] = ["8.8.8.8"]
        fetching = self.fetching("http://list.example/")
        self.reactor.names["list.example"] = ["127.0.0.1"]
        self.answer(moved("/there"))
        self.refused(fetching, "private address")
        self.assertEqual(len(self.asked), 1)

    def test_aRedirectionToThemIsNotFollowed(self) -> None:
        """Nor is anything posted there. A setting allows a server of our own, and not that one sends us to another."""
        for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1:8080", "[::1]", "0.0.0.0", "127.1"):
            self.reactor.names["127.1"] = ["127.0.0.1"]
            for body, allowed in ((None, False), (b"asked", False), (b"asked", True)):
                self.reactor.tcpClients.clear()
                fetching = self.fetching("http://8.8.8.8/", body=body, fromPrivateAddresses=allowed)
                self.answer(b"HTTP/1.1 307 Moved\r\nLocation: http://%s/\r\nContent-Length: 0\r\n\r\n" % host.encode())
                self.refused(fetching)
                self.assertEqual(self.asked, [("8.8.8.8", 80)])

    def test_anAllowedServerMaySendUsToItselfAlone(self) -> None:
        fetching = self.fetching("http://10.0.0.1/", fromPrivateAddresses=True)
        self.answer(moved("http://10.0.0.1/there"))
        self.answer(moved("http://10.0.0.1:8080/"))
        self.refused(fetching, "sends us to another one")
        self.assertEqual(self.asked, 2 * [("10.0.0.1", 80)])


class Loading(SynchronousTestCase):
    def test_theClientIsLoadedWhenSomethingIsFetched(self) -> None:
        """Settings that ask for fetching do not load Twisted's HTTP client, before there is something to fetch."""
        program = """
import sys
from twisted.internet import reactor
from tlscomm.revocation import Revocation, Staple
for task in (*Revocation(fetchCRLs=sys.argv[1]).backgroundTasks, *Staple(fetches=True).backgroundTasks):
    task.use(reactor)
print("twisted.web" in sys.modules)
"""
        command = (sys.executable, "-c", program, self.mktemp())
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stdout, "False\n")


class Schedules(SynchronousTestCase):
    NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)

    def test_itIsFetchedAgainWhenAboutHalfOfTheTimeIsOver(self) -> None:
        schedule = Schedule()
        self.assertTrue(schedule.isDue(0))
        schedule.succeeded(0, self.NOW, self.NOW + timedelta(hours=4))
        self.assertFalse(schedule.isDue(3599))
        self.assertTrue(schedule.isDue(3 * 3600))

    def test_aFailureIsTriedAgainLaterEachTime(self) -> None:
        schedule = Schedule()
        for least in (15, 30, 60, 120):
            schedule.failed(0)
            self.assertFalse(schedule.isDue(least - 1))
            self.assertTrue(schedule.isDue(3 * least))
        for _ in range(100):
            schedule.failed(0)
        self.assertTrue(schedule.isDue(9 * 3600))

    def test_whatIsUnderWayIsNotBegunAgain(self) -> None:
        schedule = Schedule()
        schedule.isRunning = True
        self.assertFalse(schedule.isDue(1e9))


class Files(_Case):
    async def test_aChangedListIsReadInAThread(self) -> None:
        """A long one takes a while, and connections go on."""
        path = ROOT.issue("leaf", role="client").certificate, ROOT.certificate
        Path("list.crl").write_bytes(revocationList(ROOT).public_bytes(Encoding.DER))
        revocation = Revocation(files=["list.crl"], interval=0.01)
        (backgroundTask,) = revocation.backgroundTasks
        backgroundTask.use(reactor)
        revoked = revocationList(ROOT, [path[0].serial_number], number=2).public_bytes(Encoding.DER)
        Path("new.crl").write_bytes(revoked)
        os.replace("new.crl", "list.crl")
        await self.until(lambda: revocation.generation)
        problems, _ = revocation.check(path, at=datetime.now(timezone.utc))
        self.assertEqual([problem.code for problem in problems], ["revoked"])
        backgroundTask.release()
        # A look that has begun goes on, with its deadline.
        await self.until(lambda: all(each.name != "tlscomm reads files" for each in threading.enumerate()))
        await deferLater(reactor, 0)
