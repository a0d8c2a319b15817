"""What a user can rely on when the wishes of a peer are read."""

from __future__ import annotations

import contextlib
import ssl

from credentialfiles import authority, issued
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.requests import CertificateRequest, ClientHello, readCertificateRequest, readClientHello
from tlscomm.credentials import PeerCapabilities

#: Each of these is in every client of OpenSSL's.
P256, X25519, ECDSA_SHA256, RSA_PSS_SHA256, ECDHE_ECDSA, ECDHE_RSA = 23, 29, 0x0403, 0x0804, 0xC02B, 0xC02F


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def handshakeMessages(stream: bytes) -> dict[int, bytes]:
    """The handshake messages, by type, that stand in the clear in a stream of records."""
    messages, found = b"", {}
    while stream:
        size = int.from_bytes(stream[3:5], "big")
        messages += stream[5 : 5 + size] if stream[0] == 22 else b""
        stream = stream[5 + size :]
    while messages:
        size = 4 + int.from_bytes(messages[1:4], "big")
        found[messages[0]], messages = messages[:size], messages[size:]
    return found


def helloOf(name: str | None = "a.example", **versions: ssl.TLSVersion) -> bytes:
    """What a client of Python's says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    for version, number in versions.items():
        setattr(context, version, number)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return handshakeMessages(outgoing.read())[1]


class ClientHelloTests(SynchronousTestCase):
    def test_everything(self) -> None:
        """Name, suites, groups and signatures of a real client are read."""
        hello = readClientHello(helloOf())
        assert hello.groups is not None and hello.signatureAlgorithms is not None
        self.assertEqual(hello.serverName, "a.example")
        self.assertLessEqual({P256, X25519}, hello.groups)
        self.assertLessEqual({ECDSA_SHA256, RSA_PSS_SHA256}, set(hello.signatureAlgorithms))
        self.assertLessEqual({ECDHE_ECDSA, ECDHE_RSA}, set(hello.cipherSuites))

    def test_noName(self) -> None:
        """A client may ask for no name."""
        self.assertIsNone(readClientHello(helloOf(None)).serverName)

    def test_old(self) -> None:
        """A client of TLS 1.2 alone is read as well, and so is one without any extension."""
        hello = helloOf(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(readClientHello(hello).serverName, "a.example")
        body = bytes(34) + vector(1, b"") + vector(2, b"\xc0\x2b") + vector(1, b"\0")
        self.assertEqual(readClientHello(b"\1" + vector(3, body)), ClientHello(cipherSuites=(ECDHE_ECDSA,)))

    def test_cut(self) -> None:
        """A message that is cut off, or another one, says nothing."""
        hello = helloOf()
        for end in range(len(hello)):
            self.assertEqual(readClientHello(hello[:end]), ClientHello())
        self.assertEqual(readClientHello(b"\2" + hello[1:]), ClientHello())

    @settings(deadline=None, max_examples=100)
    @given(st.binary(max_size=60), st.integers(0, 200))
    def test_anything(self, garbage: bytes, start: int) -> None:
        """Whatever comes, nothing breaks."""
        hello = helloOf()
        readClientHello(hello[:start] + garbage + hello[start + len(garbage) :])
        for isTLS13 in (False, True):
            readCertificateRequest(b"\x0d" + vector(3, garbage), isTLS13=isTLS13)

    def test_wishes(self) -> None:
        """What a client says becomes wishes, of which some count for TLS 1.2 alone."""
        for isTLS13 in (False, True):
            wishes = PeerCapabilities.ofClient(helloOf(), isTLS13=isTLS13)
            self.assertEqual((wishes.serverName, wishes.version), ("a.example", "1.3" if isTLS13 else "1.2"))
            self.assertEqual(wishes.keyKinds, {"RSA", "ECDSA"})
            self.assertTrue(wishes.canVerify(issued().certificate))


class CertificateRequestTests(SynchronousTestCase):
    def asked(self) -> bytes:
        """What a TLS 1.2 server of OpenSSL's asks a client for."""
        context = issued().certificateOptions().getContext()
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.add_client_ca(authority().certificate)
        server = SSL.Connection(context)
        server.set_accept_state()
        server.bio_write(record(helloOf(maximum_version=ssl.TLSVersion.TLSv1_2)))
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
        return handshakeMessages(server.bio_read(1 << 16))[13]

    def test_old(self) -> None:
        """The request of a real TLS 1.2 server is read: types, signatures, authorities."""
        request = readCertificateRequest(self.asked(), isTLS13=False)
        assert request.certificateTypes is not None and request.signatureAlgorithms is not None
        self.assertLessEqual({1, 64}, set(request.certificateTypes))
        self.assertLessEqual({ECDSA_SHA256, RSA_PSS_SHA256}, set(request.signatureAlgorithms))
        self.assertEqual(request.authorities, {authority().certificate.subject.public_bytes()})

    def test_new(self) -> None:
        """The request of a TLS 1.3 server is read, with its authorities and without."""
        name = x509.Name.from_rfc4514_string("CN=a").public_bytes()
        signatures = b"\0\x0d" + vector(2, vector(2, b"\4\3\x08\4"))
        authorities = b"\0\x2f" + vector(2, vector(2, vector(2, name)))
        for extensions, expected in ((signatures, frozenset[bytes]()), (authorities + signatures, frozenset({name}))):
            message = b"\x0d" + vector(3, vector(1, b"context") + vector(2, extensions))
            found = readCertificateRequest(message, isTLS13=True)
            self.assertEqual(found, CertificateRequest(None, (ECDSA_SHA256, RSA_PSS_SHA256), expected))

    def test_cut(self) -> None:
        """A request that is cut off says nothing."""
        message = self.asked()
        for end in range(len(message)):
            self.assertEqual(readCertificateRequest(message[:end], isTLS13=False), CertificateRequest())

    def test_wishes(self) -> None:
        """What a server says becomes wishes: a certificate of its authority is one that it accepts."""
        wishes = PeerCapabilities.ofServer(self.asked(), isTLS13=False)
        self.assertEqual((wishes.version, wishes.keyKinds, wishes.serverName), ("1.2", {"RSA", "ECDSA"}, None))
        self.assertTrue(wishes.accepts(issued()))
        self.assertIsNone(PeerCapabilities.ofServer(b"\x0d\0\0\3\0\0\0", isTLS13=True).keyKinds)


def record(message: bytes) -> bytes:
    return b"\x16\3\1" + vector(2, message)
