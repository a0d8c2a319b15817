"""The PROXY header that we write is the one that HAProxy writes for the same connection, byte for byte."""

from __future__ import annotations

import socket
import ssl
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from conversation import Conversation, ConversationCase, Recorder, Side, clientConfiguration, serverConfiguration
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from interop import LOOPBACK, PATIENCE
from test_interop_servers import found, freePorts
from test_proxied import Keeping
from test_proxy_live import start
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.proxyprotocol import ProxiedConnection, ProxyAddress, ProxyHeader, TrustedProxies, headerBytes
from tlscomm.proxyprotocol._reader import HeaderReader
from tlscomm.transport import TLSFactory, TLSTransport, proxyHeader
from tlscomm.transport._proxied import ProxiedFactory
from tlscomm.verification import insecurelyAccept
from tlscomm.x509._encoding import keyPEM, pem

ALL = ("ssl", "cert-cn", "cert-key", "cert-sig", "ssl-cipher", "crc32c", "unique-id", "authority")

#: Our word and options for a header, and HAProxy's.
WAYS: dict[tuple[str, tuple[str, ...]], str] = {
    ("v1", ()): "send-proxy",
    ("v2", ()): "send-proxy-v2",
    ("v2-ssl", ()): "send-proxy-v2-ssl",
    ("v2-ssl-cn", ()): "send-proxy-v2-ssl-cn",
    ("v2", ("cert-cn",)): "send-proxy-v2 proxy-v2-options cert-cn",
    ("v2", ALL): f"send-proxy-v2 proxy-v2-options {','.join(ALL)}",
}

VERSIONS: tuple[Any, ...] = ("1.2", "1.3")

#: What HAProxy 2.6 has sent of a connection to a UNIX socket, and of one without TLS.
OF_UNIX_SOCKET = bytes.fromhex("0d0a0d0a000d0a515549540a200000082000050000000000")
OF_PLAIN = bytes.fromhex("0d0a0d0a000d0a515549540a2111001e7f0000017f000001c0ca55fe030004d4e8368f0500002000050000000000")


@cache
def authority() -> Authority:
    return Authority.create("root", organization="we")


def name(*attributes: x509.NameAttribute[str]) -> x509.Name:
    return x509.Name(attributes)


COMMON = NameOID.COMMON_NAME

#: Clients by what is particular of their common name; None has no certificate.
SUBJECTS = {
    "ordinary": name(x509.NameAttribute(COMMON, "a client ü")),
    "two": name(x509.NameAttribute(COMMON, "first"), x509.NameAttribute(COMMON, "second")),
    "wide": name(x509.NameAttribute(COMMON, "wide ü", _ASN1Type.BMPString)),
    "nameless": name(x509.NameAttribute(NameOID.ORGANIZATION_NAME, "o")),
}


@cache
def client(kind: str) -> Credential:
    return authority().issue("client", role="client", subject=SUBJECTS[kind])


@cache
def server(kind: str) -> Credential:
    key: Any = {
        "EC": lambda: ec.generate_private_key(ec.SECP384R1()),
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
    }[kind]()
    return authority().issue("server", role="server", dnsNames=["localhost"], privateKey=key)


class OurHeader(ConversationCase):
    """What we write of a connection in memory that is as another one was."""

    def ofOurs(self, header: ProxyHeader, way: tuple[str, tuple[str, ...]], **settings: Any) -> bytes:
        """Return our header for a connection from and to where another header says."""
        return proxyHeader(self.connected(header, **settings), *way)

    def connected(
        self, header: ProxyHeader, *, own: Credential, credential: Credential | None = None, **settings: Any
    ) -> TLSTransport:
        """Return our side of an open connection from and to where a header says.

        Args:
            header: says it.
            own: what we show.
            credential: what the client shows.
            settings: ``version``, the only one of the client; ``resumes``, whether it has been there before; others of
                our configuration.
        """
        version, count = settings.pop("version", "1.3"), 2 if settings.pop("resumes", False) else 1
        known = (authority().certificate,)
        settings = {"credential": own, "clientRoots": known, "clientCertificates": "requested", **settings}
        factory = TLSFactory(serverConfiguration(**settings), Keeping(), Clock(), Keeping())
        ours = clientConfiguration(roots=known, credential=credential, minimumTLS=version, maximumTLS=version)
        for number in range(count):
            conversation = self._opened(factory, ours, header)
            if number + 1 < count:
                conversation.client.transport.loseConnection()
                conversation.flush()
        transport: Any = conversation.link.server.protocol
        self.assertTrue(transport.connected)
        return transport  # type: ignore[no-any-return]

    def _opened(self, factory: TLSFactory, ours: Any, header: ProxyHeader) -> Conversation:
        clock: Any = factory.clock
        proxied = ProxiedFactory(factory, TrustedProxies(["127.0.0.1"]))
        protocol: Any = proxied.buildProtocol(IPv4Address("TCP", LOOPBACK, 1))
        conversation = Conversation(Side(ours, Recorder, clock), protocol, clock)
        self.addCleanup(self._breakOff, conversation)
        # From there to there, as a proxy would say it.
        told = headerBytes(ProxiedConnection(source=header.source, destination=header.destination))
        conversation.link.client.written[:0] = told
        conversation.flush()
        return conversation


class LiveTests(OurHeader):
    """The real HAProxy ends TLS with our certificate, and sends a header to a socket of ours."""

    running: ClassVar[ExitStack]
    folder: ClassVar[Path]
    backend: ClassVar[socket.socket]
    ports: ClassVar[dict[Any, int]]

    @classmethod
    def setUpClass(cls) -> None:
        with ExitStack() as stack:
            cls.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            cls.backend = stack.enter_context(socket.create_server((LOOPBACK, 0)))
            cls.backend.settimeout(PATIENCE)
            cases = [(way, "EC") for way in WAYS] + [(("v2", ALL), kind) for kind in ("RSA", "Ed25519")]
            cls.ports = dict(zip(cases, freePorts(len(cases)), strict=True))
            cls._writeFiles()
            (cls.folder / "haproxy.conf").write_text("\n".join([*cls._configuration(), ""]), encoding="ascii")
            start(stack, [found("haproxy"), "-db", "-f", "haproxy.conf"], list(cls.ports.values()), cls.folder)
            cls.running = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.running.close()

    @classmethod
    def _writeFiles(cls) -> None:
        (cls.folder / "root.pem").write_bytes(pem([authority().certificate]))
        made = {kind: server(kind) for kind in ("EC", "RSA", "Ed25519")} | {kind: client(kind) for kind in SUBJECTS}
        for kind, each in made.items():
            key: Any = each.privateKey
            (cls.folder / f"{kind}.pem").touch(0o600)
            (cls.folder / f"{kind}.pem").write_bytes(pem((each.certificate, *each.chain)) + keyPEM(key))

    @classmethod
    def _configuration(cls) -> list[str]:
        lines = ["defaults", " mode tcp"] + [f" timeout {each} 1m" for each in ("connect", "client", "server")]
        for (way, kind), port in cls.ports.items():
            lines += [
                f"listen on-{port}",
                f" bind {LOOPBACK}:{port} ssl crt {kind}.pem verify optional ca-file root.pem"
                " ciphers ECDHE+AES256+AESGCM ciphersuites TLS_AES_256_GCM_SHA384",
                f" server ours {LOOPBACK}:{cls.backend.getsockname()[1]} {WAYS[way]}",
            ]
        return lines

    def ofHAProxy(
        self, way: Any, kind: str = "EC", subject: str | None = "ordinary", version: str = "1.3", resumes: bool = False
    ) -> tuple[bytes, ProxyHeader]:
        """Return what HAProxy has sent of a client's connection, and what that says."""
        context = ssl.create_default_context(cafile=str(self.folder / "root.pem"))
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, f"TLSv1_{version[2:]}")
        if subject is not None:
            context.load_cert_chain(self.folder / f"{subject}.pem")
        session = None
        for _ in range(2 if resumes else 1):
            tcp = socket.create_connection((LOOPBACK, self.ports[way, kind]), PATIENCE)
            with context.wrap_socket(tcp, server_hostname="localhost", session=session) as tls:
                tls.sendall(b"DATA")
                sent = self._received()
                tls.recv(4)
                session = tls.session
        read = HeaderReader().feed(sent)
        assert read is not None
        return sent, read[0]

    def _received(self) -> bytes:
        """Return what came from HAProxy before a client's data."""
        while True:
            connection, _ = self.backend.accept()
            with connection:
                connection.settimeout(PATIENCE)
                received = b""
                while not received.endswith(b"DATA") and (piece := connection.recv(4096)):
                    received += piece
                if received:
                    connection.sendall(b"SEEN")
                    return received.removesuffix(b"DATA")
                # That was a look whether HAProxy listens.

    def test_ways(self) -> None:
        """Each kind of header, of clients with and without a certificate, over both versions of TLS."""
        for way in WAYS:
            for version in VERSIONS:
                for subject in ("ordinary", None):
                    sent, header = self.ofHAProxy(way, subject=subject, version=version)
                    credential = None if subject is None else client(subject)
                    ours = self.ofOurs(header, way, own=server("EC"), credential=credential, version=version)
                    self.assertEqual(ours, sent, (way, version, subject))

    def test_names(self) -> None:
        """Of several common names the first one, a wide one as it stands in the certificate, and none of none."""
        way = "v2-ssl-cn", ()
        for subject in ("two", "wide", "nameless"):
            sent, header = self.ofHAProxy(way, subject=subject)
            self.assertEqual(self.ofOurs(header, way, own=server("EC"), credential=client(subject)), sent, subject)

    def test_keys(self) -> None:
        """Kind and signature of the certificate that is shown, whichever key it has."""
        way = "v2", ALL
        for kind in ("RSA", "Ed25519"):
            sent, header = self.ofHAProxy(way, kind)
            ours = self.ofOurs(header, way, own=server(kind), credential=client("ordinary"))
            self.assertEqual(ours, sent, kind)

    def test_resumed(self) -> None:
        """In a resumed session the certificate is of the session, and not of the connection."""
        way = "v2-ssl-cn", ()
        sent, header = self.ofHAProxy(way, version="1.2", resumes=True)
        assert header.tls is not None
        self.assertEqual(header.tls.flags, 5)
        ours = {"own": server("EC"), "credential": client("ordinary"), "version": "1.2", "resumes": True}
        self.assertEqual(self.ofOurs(header, way, **ours), sent)


class StoredTests(OurHeader):
    """What HAProxy has sent once."""

    def test_withoutAddresses(self) -> None:
        """Of a connection to a UNIX socket there is no address to say, in both versions."""
        connection = ProxiedConnection(source=None, destination=ProxyAddress("UNIX", "/run/socket"))
        self.assertEqual(headerBytes(connection, "v2-ssl-cn"), OF_UNIX_SOCKET)
        self.assertEqual(headerBytes(connection, "v1"), b"PROXY UNKNOWN\r\n")

    def test_withoutTLS(self) -> None:
        """Of a connection without TLS the header says that there was none."""
        ends = ProxyAddress("IPv4", LOOPBACK, 49354), ProxyAddress("IPv4", LOOPBACK, 22014)
        connection = ProxiedConnection(source=ends[0], destination=ends[1])
        self.assertEqual(headerBytes(connection, "v2", ALL), OF_PLAIN)

    def test_sixth(self) -> None:
        """Addresses of IPv6 are written, and one of IPv4 together with one of them as one of them."""
        four, six = ProxyAddress("IPv4", "192.0.2.7", 1), ProxyAddress("IPv6", "2001:db8::1%eth0", 2)
        line = headerBytes(ProxiedConnection(source=six, destination=six), "v1")
        self.assertEqual(line, b"PROXY TCP6 2001:db8::1 2001:db8::1 2 2\r\n")
        header = HeaderReader().feed(headerBytes(ProxiedConnection(source=four, destination=six)))
        assert header is not None
        self.assertEqual(header[0].source, ProxyAddress("IPv6", "::ffff:192.0.2.7", 1))

    def test_passedOn(self) -> None:
        """What a proxy before us has called the connection is passed on."""
        four = ProxyAddress("IPv4", "192.0.2.7", 1)
        transport = self.connected(ProxyHeader(2, source=four, destination=four), own=server("EC"))
        transport.proxied = ProxyHeader(2, tlvs=((5, b"an id"),))
        read = HeaderReader().feed(proxyHeader(transport, "v2", ["unique-id"]))
        assert read is not None
        self.assertEqual(read[0].uniqueID, b"an id")

    def test_longName(self) -> None:
        """A common name for which a header has no room is left out."""
        long = name(x509.NameAttribute(COMMON, "x" * 70_000, _validate=False))
        certificate = authority().issue("client", role="client", subject=long).certificate
        connection = ProxiedConnection(source=None, destination=None, version="TLSv1.3", certificate=certificate)
        self.assertEqual(headerBytes(connection, "v2-ssl-cn"), headerBytes(connection, "v2-ssl"))
        # cryptography warns of such a name.
        self.flushWarnings()

    def test_notVerified(self) -> None:
        """A client that a hook has let in in spite of what was wrong is not said to be verified."""
        four = ProxyAddress("IPv4", "192.0.2.7", 1)
        stranger = Authority.create("stranger").issue("client", role="client")
        settings = {"hook": lambda question: insecurelyAccept()}
        header = ProxyHeader(2, source=four, destination=four)
        written = self.ofOurs(header, ("v2-ssl-cn", ()), own=server("EC"), credential=stranger, **settings)
        read = HeaderReader().feed(written)
        assert read is not None
        tls = read[0].tls
        assert tls is not None
        self.assertEqual((tls.hasCertificate, tls.isVerified, tls.verify), (True, False, 20))

    def test_refused(self) -> None:
        """A word that HAProxy does not have, and options of a header that has none."""
        connection = ProxiedConnection(source=None, destination=None)
        self.assertRaises(ValueError, headerBytes, connection, "v2", ["cert"])
        self.assertRaises(ValueError, headerBytes, connection, "v1", ["ssl"])
