"""The PROXY protocol's header: all of both versions is read, however it is cut, and what is broken has one name."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import BadProxyHeader
from tlscomm.proxyprotocol import HeaderReader, ProxyAddress, ProxyHeader, TrustedProxies
from tlscomm.proxyprotocol._reader import MOST_BYTES
from tlscomm.proxyprotocol._tlvs import crc32c, tlv

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def second(body: bytes = b"", command: int = 0x21, family: int = 0x11) -> bytes:
    """Return a header of version 2."""
    return SIGNATURE + bytes((command, family)) + struct.pack("!H", len(body)) + body


def ends(*hosts: str) -> bytes:
    return b"".join(ip_address(host).packed for host in hosts) + struct.pack("!2H", 56324, 443)


FOUR = ends("192.0.2.7", "198.51.100.1")

#: What HAProxy 2.6 has sent for a client with a certificate: send-proxy-v2 with all of its proxy-v2-options.
OF_HAPROXY = bytes.fromhex(
    "0d0a0d0a000d0a515549540a211100907f0000017f0000018f0c55f40300045328fd1b01000a706f737467726573716c0200096c6f63616c68"
    "6f737405000c69642d3132372e302e302e312000520700000000210007544c5376312e3322000b6120636c69656e7420c3bc25000545433235"
    "3624001165636473612d776974682d534841323536230016544c535f4145535f3235365f47434d5f534841333834"
)


def read(data: bytes) -> ProxyHeader:
    """Return the header that some bytes are, all of them."""
    found = HeaderReader().feed(data)
    assert found is not None
    assert found[1] == b""
    return found[0]


class FirstTests(SynchronousTestCase):
    """Version 1, the line of text."""

    def test_addresses(self) -> None:
        """The addresses of both families are read, in one form each."""
        header = read(b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n")
        self.assertEqual((header.version, header.isLocal, header.tlvs, header.tls), (1, False, (), None))
        self.assertEqual(header.source, ProxyAddress("IPv4", "192.0.2.7", 56324))
        self.assertEqual(header.destination, ProxyAddress("IPv4", "198.51.100.1", 443))
        header = read(b"PROXY TCP6 2001:DB8:0:0::7 ::1 0 65535\r\n")
        self.assertEqual(header.source, ProxyAddress("IPv6", "2001:db8::7", 0))
        self.assertEqual(header.destination, ProxyAddress("IPv6", "::1", 65535))

    def test_unknown(self) -> None:
        """Of a connection that the proxy does not know, nothing that follows counts."""
        for line in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 x 65535 y\xff\r\n"):
            self.assertEqual(read(line), ProxyHeader(1))

    def test_refused(self) -> None:
        """A line that is not exactly one of the protocol is refused, and says why."""
        for line, why in (
            (b"PROXY \r\n", "no protocol TCP4, TCP6 or UNKNOWN"),
            (b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", "UDP4"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "5 words in the place of 6"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", "7 words"),
            (b"PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n", "7 words"),
            (b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n", "192.0.2.07 is no IPv4"),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n", "::1 is no IPv4"),
            (b"PROXY TCP6 192.0.2.7 ::1 1 2\r\n", "192.0.2.7 is no IPv6"),
            (b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "fe80::1%eth0 is no IPv6"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", "65536 is no port"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "01 is no port"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n", "-1 is no port"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 \xb2 2\r\n", "is no port"),
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n\r\n", r"2\n is no port"),
            (b"PROXY TCP4 " + b"1" * 97, "does not end within 107 bytes"),
        ):
            refusal = self.assertRaises(BadProxyHeader, HeaderReader().feed, line)
            self.assertIn(why, refusal.detail)


class SecondTests(SynchronousTestCase):
    """Version 2, the binary one."""

    def test_addresses(self) -> None:
        """Addresses of IP and of UNIX sockets are read, Linux's abstract ones too."""
        self.assertEqual(read(second(FOUR)).source, ProxyAddress("IPv4", "192.0.2.7", 56324))
        six = read(second(ends("2001:db8::7", "::1"), family=0x21))
        self.assertEqual(six.destination, ProxyAddress("IPv6", "::1", 443))
        paths = b"/run/client".ljust(108, b"\0") + b"\0server".ljust(108, b"\0")
        unix = read(second(paths, family=0x31))
        self.assertEqual(unix.source, ProxyAddress("UNIX", "/run/client"))
        self.assertEqual(unix.destination, ProxyAddress("UNIX", "\0server"))

    def test_withoutAddresses(self) -> None:
        """A header of the proxy's own connection, and of one that it does not know or that is none of TCP, has none."""
        self.assertEqual(read(second(command=0x20, family=0)), ProxyHeader(2, isLocal=True))
        self.assertEqual(read(second(b"\xff" * 9, command=0x20, family=0x21)), ProxyHeader(2, isLocal=True))
        for header in (second(family=0), second(FOUR, family=0x12)):
            self.assertEqual(read(header), ProxyHeader(2))

    def test_facts(self) -> None:
        """All that HAProxy says besides the addresses is read, the checksum is right, and all of it is printable."""
        header = read(OF_HAPROXY)
        self.assertEqual(header.source, ProxyAddress("IPv4", "127.0.0.1", 36620))
        self.assertEqual(
            (header.alpn, header.authority, header.uniqueID), (b"postgresql", "localhost", b"id-127.0.0.1")
        )
        tls = header.tls
        assert tls is not None
        self.assertTrue(tls.isTLS and tls.hasCertificate and tls.isVerified)
        self.assertEqual((tls.flags, tls.verify, tls.version, tls.commonName), (7, 0, "TLSv1.3", "a client ü"))
        self.assertEqual(tls.cipher, "TLS_AES_256_GCM_SHA384")
        self.assertEqual((tls.keyAlgorithm, tls.signatureAlgorithm), ("EC256", "ecdsa-with-SHA256"))
        self.assertEqual(header.toJSON()["tls"]["verified"], True)  # type: ignore[index]

    def test_more(self) -> None:
        """Padding is left out, a namespace is read, the first of two counts, and what is not known is kept."""
        more = tlv(0x04, b"\0" * 9) + tlv(0x30, b"blue") + tlv(0xEA, b"\x01vpce") + tlv(0x30, b"red")
        header = read(second(FOUR + more))
        self.assertEqual(header.networkNamespace, "blue")
        self.assertEqual(header.value(0xEA), b"\x01vpce")
        self.assertEqual(len(header.tlvs), 3)

    def test_notVerified(self) -> None:
        """A client is verified that has presented a certificate with which all was well, and no other."""
        for flags, verify in ((1, 0), (1, 1), (7, 10), (6, 0), (0, 1)):
            tls = read(second(FOUR + tlv(0x20, struct.pack("!BI", flags, verify)))).tls
            assert tls is not None
            self.assertFalse(tls.isVerified)

    def test_hostileTexts(self) -> None:
        """What a client may have chosen is printable where it is shown."""
        name = tlv(0x22, b"\x1b[2J\xff\n" * 200)
        header = read(second(FOUR + tlv(0x20, struct.pack("!BI", 7, 0) + name) + tlv(0x02, b"<\n\xfe>")))
        shown = header.toJSON()
        self.assertTrue(str(shown).isprintable())
        self.assertLess(len(str(shown)), 1000)

    def test_refused(self) -> None:
        """What is not exactly a header of the protocol is refused, and says why."""
        broken = bytearray(OF_HAPROXY)
        broken[-1] ^= 1
        for data, why in (
            (second(FOUR, command=0x31), "says version 3"),
            (second(FOUR, command=0x22), "command 2"),
            (second(FOUR, family=0x41), "family 0x41"),
            (second(FOUR, family=0x13), "family 0x13"),
            (second(FOUR[:-1]), "too short for its addresses"),
            (second(bytes(MOST_BYTES)), "are the most"),
            (second(FOUR + b"\x01\x00"), "no length"),
            (second(FOUR + b"\x01\x00\x02x"), "longer than what is left"),
            (second(FOUR + tlv(0x20, b"\1\0\0\0")), "SSL TLV is too short"),
            (second(FOUR + tlv(0x20, b"\1\0\0\0\0\x21\0\7TLS")), "longer than what is left"),
            (second(FOUR + tlv(0x05, bytes(129))), "unique id"),
            (second(FOUR + tlv(0x02, bytes(256))), "authority"),
            (second(FOUR + tlv(0x03, bytes(3))), "another length than 4"),
            (second(FOUR + 2 * tlv(0x03, bytes(4))), "more than one checksum"),
            (bytes(broken), "checksum (CRC32C) is wrong"),
        ):
            refusal = self.assertRaises(BadProxyHeader, HeaderReader().feed, data)
            self.assertIn(why, refusal.detail)

    def test_checksum(self) -> None:
        """The checksum is that of RFC 3720, appendix B.4."""
        self.assertEqual(crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(crc32c(bytes(range(32))), 0x46DD794E)


class ReaderTests(SynchronousTestCase):
    """What arrives is taken as it comes."""

    def test_cut(self) -> None:
        """However a header is cut, it is the same, and what follows it is what follows."""
        for data in (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", OF_HAPROXY, second(command=0x20, family=0)):
            for size in (1, 7, 15, 16):
                reader = HeaderReader()
                pieces = [data[at : at + size] for at in range(0, len(data), size)]
                for piece in pieces[:-1]:
                    self.assertIsNone(reader.feed(piece))
                self.assertEqual(reader.feed(pieces[-1] + b"\x16\x03"), (read(data), b"\x16\x03"))

    def test_noHeader(self) -> None:
        """The first byte that no header has ends it: nothing else is waited for."""
        for data, shown in (
            (b"\x16\x03\x01\x02\x00", "TLS"),
            (b"G", "G"),
            (b"PROXYTCP4", "PROXYTCP4"),
            (b"\r\n\r\n\x00\r\nQUIZ", r"QUIZ"),
            (b"\n", r"\n"),
        ):
            refusal = self.assertRaises(BadProxyHeader, HeaderReader().feed, data)
            self.assertEqual(refusal.code, "bad-proxy-header")
            self.assertIn(shown, refusal.detail)
            self.assertIn("send-proxy-v2", refusal.nextStep)

    def test_versions(self) -> None:
        """A version that is not accepted is refused by its first bytes."""
        for versions, data in (((2,), b"PROX"), ((1,), b"\r\n")):
            refusal = self.assertRaises(BadProxyHeader, HeaderReader(versions).feed, data)
            self.assertIn(f"version {versions[0]} is accepted", refusal.detail)

    @given(
        st.lists(st.binary(max_size=40), max_size=6), st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21"])
    )
    def test_anything(self, pieces: list[bytes], beginning: bytes) -> None:
        """Whatever comes, a reader wants more, has a header, or refuses it by name."""
        reader = HeaderReader()
        try:
            for piece in (beginning, *pieces):
                if reader.feed(piece) is not None:
                    return
        except BadProxyHeader as refusal:
            self.assertTrue(str(refusal).isprintable())


class TrustedTests(SynchronousTestCase):
    """Whose headers are believed."""

    def test_named(self) -> None:
        """Those in the networks that are named, in whatever form an address comes, and no others."""
        proxies = TrustedProxies(["10.0.0.0/8", ip_network("2001:db8::/64"), "192.0.2.7"])
        for host in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::9", "2001:DB8:0:0::9%eth0", "192.0.2.7"):
            self.assertTrue(proxies.areAt(host), host)
        for host in ("11.0.0.1", "::1", "2001:db8:1::9", "192.0.2.8", "", "name", None):
            self.assertFalse(proxies.areAt(host), host)
        self.assertTrue(TrustedProxies(["unix"]).areAt(None))

    def test_refused(self) -> None:
        """A text that is no network, one with bits beyond its length, and none at all."""
        for texts, why in ((["proxy"], "'proxy' is no network"), (["10.0.0.1/8"], "10.0.0.0/8 is one"), ([], "name")):
            refusal = self.assertRaises(ValueError, TrustedProxies, texts)
            self.assertIn(why, str(refusal))
