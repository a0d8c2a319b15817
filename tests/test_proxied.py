"""Behind a proxy: the PROXY protocol's header says who the client is, and all that names a peer names that one."""

import struct
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from conversation import (
    SERVER,
    STRANGER,
    Conversation,
    ConversationCase,
    Recorder,
    Side,
    clientConfiguration,
    serverConfiguration,
)
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory

from tlscomm.failures import TLSFailure
from tlscomm.transport import TLSFactory, TLSTransport, describeAddress
from tlscomm.verification import Question, accept
from tlscomm.x509._encoding import keyPEM, pem

#: What TCP says: the addresses of `tlscomm.testing.MemoryLink`.
PROXY = "127.0.0.1:40001"

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def second(command: int, family: int, addresses: bytes) -> bytes:
    """Return a header of version 2 (the PROXY protocol, section 2.2)."""
    return _SIGNATURE + bytes((0x20 | command, family)) + struct.pack("!H", len(addresses)) + addresses


def ports(*hosts: str) -> bytes:
    return b"".join(ip_address(host).packed for host in hosts) + struct.pack("!2H", 56324, 443)


#: The header, and the peer in a log.
HEADERS = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n": "192.0.2.7:56324",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n": "[2001:db8::7]:56324",
    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n": PROXY,
    second(1, 0x11, ports("192.0.2.7", "198.51.100.1")): "192.0.2.7:56324",
    second(1, 0x21, ports("2001:db8::7", "2001:db8::1")): "[2001:db8::7]:56324",
    second(1, 0x31, b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")): "unix:/run/client",
    # A check of the proxy's own.
    second(0, 0x00, b""): PROXY,
}


class Keeping:
    """The factory above and the observer of a server: keeps whom they are told of."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def doStart(self) -> None: ...

    def doStop(self) -> None: ...

    def buildProtocol(self, addr: Any) -> Recorder:
        self.seen.append(describeAddress(addr))
        protocol = Recorder()
        protocol.side = Side(clientConfiguration(), Recorder, Clock())
        return protocol

    def accepted(self, transport: TLSTransport) -> None:
        self.seen.append(describeAddress(transport.getPeer()))

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        self.seen += [describeAddress(transport.getPeer()), failure.peer]

    def closed(self, transport: TLSTransport, failure: TLSFailure | None) -> None:
        self.seen.append(describeAddress(transport.getPeer()))


class ProxiedTests(ConversationCase):
    def proxied(self, header: bytes, **client: Any) -> tuple[Keeping, Conversation]:
        """Return what was kept of a client's connection through a proxy that sends a header."""
        keeping, clock = Keeping(), Clock()

        def hook(question: Question) -> Any:
            keeping.seen.append(question.address)
            return accept()

        factory = TLSFactory(serverConfiguration(hook=hook), keeping, clock, keeping)
        server = HAProxyWrappingFactory(factory).buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001))
        conversation = Conversation(Side(clientConfiguration(**client), Recorder, clock), server, clock)
        conversation.link.client.written[:0] = header
        conversation.flush()
        return keeping, conversation

    def test_accepted(self) -> None:
        """The hook, the factory above, and the observer at both ends are told of the client and not of the proxy."""
        for header, peer in HEADERS.items():
            keeping, conversation = self.proxied(header)
            conversation.client.transport.loseConnection()
            conversation.flush()
            self.assertEqual(keeping.seen, [peer] * 4, header)

    def test_refused(self) -> None:
        """So do the observer of a refusal and its failure."""
        for header, peer in HEADERS.items():
            credential = STRANGER.issue("client", role="client")
            keeping, _ = self.proxied(header, credential=credential)
            self.assertEqual(set(keeping.seen), {peer})
            self.assertGreaterEqual(len(keeping.seen), 2)

    def test_noHeader(self) -> None:
        """Without a header nothing is accepted: the client would be taken for the proxy."""
        keeping, conversation = self.proxied(b"")
        self.assertEqual(keeping.seen, [PROXY, PROXY])
        self.assertEqual(conversation.client.failure.code, "closed-in-handshake")

    def test_strings(self) -> None:
        """Endpoint strings put Twisted's reader of the header below TLS."""
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("server.pem").chmod(0o600)
        reactor: Any = MemoryReactorClock()
        string = r"tlscomm:endpoint=haproxy\:tcp\:8443:identity=server.pem:clientCertificates=none"
        self.successResultOf(serverFromString(reactor, string).listen(Factory.forProtocol(Protocol)))
        port, factory, *_ = reactor.tcpServers[0]
        self.assertEqual((port, type(factory)), (8443, HAProxyWrappingFactory))
        self.assertIsInstance(factory.wrappedFactory, TLSFactory)

    def test_words(self) -> None:
        """An address is text from outside: it is cut and escaped."""
        for address, words in (
            (IPv4Address("TCP", "192.0.2.7", 1), "192.0.2.7:1"),
            (IPv6Address("TCP", "0:0:0:0:0:0:0:1", 1), "[::1]:1"),
            (IPv6Address("TCP", "fe80::1%eth0", 1), "[fe80::1%eth0]:1"),
            (IPv6Address("TCP", "a:b\n", 1), "[a:b\\n]:1"),
            (IPv4Address("TCP", "a\x1b[31m\n", 1), "a\\x1b[31m\\n:1"),
            (UNIXAddress("/run/socket\n"), "unix:/run/socket\\n"),
            (UNIXAddress(b""), "a UNIX socket"),
            (UNIXAddress(None), "a UNIX socket"),
            (None, None),
        ):
            self.assertEqual(describeAddress(address), words)
        self.assertLess(len(describeAddress(IPv4Address("TCP", "a" * 9999, 1)) or ""), 300)
