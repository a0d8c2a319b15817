"""What is read of a packet below TCP: link layers, IP, its fragments, extension headers and tunnels."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.packets import ACK, CLIENT6, SERVER6, ethernet, ipv4, ipv6, numbered, tcp
from tlscomm._capture.links import linkPayload
from tlscomm._capture.network import Network, Segment, addresses
from tlscomm._capture.packets import Packet

SEGMENT = tcp((40000, 443), 1000, 2000, ACK, b"hello")
V4, V6 = ipv4(SEGMENT), ipv6(SEGMENT)


def tag(kind: int, number: int = 7) -> bytes:
    return struct.pack("!HH", kind, number)


def segmentIn(frames: list[bytes], link: int = 1) -> Segment | None:
    """The segment that the last of some packets completes."""
    network = Network()
    return [network.segment(packet) for packet in numbered(frames, link)][-1]


class Layers(SynchronousTestCase):
    def check(self, name: str, *frames: bytes, link: int = 1, isV6: bool = False) -> None:
        """The last packet completes the segment."""
        segment = segmentIn(list(frames), link)
        assert segment is not None, name
        self.assertEqual((segment.payload, segment.lost, segment.sequence), (b"hello", 0, 1000), name)
        first, second = addresses(segment.key)
        hosts = ("fd00::1", "fd00::2") if isV6 else ("10.0.0.1", "10.0.0.2")
        self.assertEqual((first, second), ((hosts[0], 40000), (hosts[1], 443)), name)

    def test_linkLayers(self) -> None:
        """Each link layer that tcpdump writes for IP leads to TCP."""
        for name, link, frame in (
            ("Ethernet", 1, ethernet(V4)),
            ("Ethernet with padding", 1, ethernet(V4) + bytes(6)),
            ("raw IP", 101, V4),
            ("raw IP of OpenBSD", 14, V4),
            ("IPv4", 228, V4),
            ("Linux cooked", 113, bytes(14) + b"\x08\x00" + V4),
            ("Linux cooked 2", 276, b"\x08\x00" + bytes(18) + V4),
            ("loopback, little", 0, b"\2\0\0\0" + V4),
            ("loopback, big", 0, b"\0\0\0\2" + V4),
            ("loopback of OpenBSD", 108, b"\0\0\0\2" + V4),
            ("PPP", 9, b"\xff\x03\x00\x21" + V4),
            ("PPP, short", 9, b"\x21" + V4),
        ):
            self.check(name, frame, link=link)
        for name, link, frame in (
            ("Ethernet", 1, ethernet(V6, 0x86DD)),
            ("raw IP", 101, V6),
            ("IPv6", 229, V6),
            ("loopback of Linux", 0, b"\x0a\0\0\0" + V6),
            ("loopback of macOS", 0, b"\x1e\0\0\0" + V6),
            ("loopback of FreeBSD", 108, b"\0\0\0\x1c" + V6),
            ("PPP", 9, b"\x00\x57" + V6),
        ):
            self.check(name, frame, link=link, isV6=True)

    def test_tags(self) -> None:
        """Any VLAN tags, PPPoE and MPLS may stand between Ethernet and IP."""
        self.check("VLAN", ethernet(V4, tags=tag(0x8100)))
        self.check("two VLANs", ethernet(V4, tags=tag(0x88A8) + tag(0x8100)))
        self.check("three VLANs", ethernet(V4, tags=tag(0x9100) + tag(0x8100) + tag(0x8100)))
        self.check("PPPoE", ethernet(struct.pack("!BBHHH", 0x11, 0, 1, len(V4) + 2, 0x21) + V4, 0x8864))
        self.check("MPLS", ethernet(struct.pack("!II", 0x1000, 0x1100) + V4, 0x8847))
        self.check("VLAN, IPv6", ethernet(V6, 0x86DD, tags=tag(0x8100)), isV6=True)

    def test_ipv4(self) -> None:
        """IPv4 may have options, and no length where the network card was to divide the packet."""
        self.check("options", ethernet(ipv4(SEGMENT, options=b"\1\1\1\0")))
        self.check("length 0", ethernet(ipv4(SEGMENT, total=0)))

    def test_fragments(self) -> None:
        """Fragments of IP are put together in any order, also with what comes twice."""
        parts = [
            ipv4(SEGMENT[:8], fragment=0x2000),
            ipv4(SEGMENT[8:16], fragment=0x2001),
            ipv4(SEGMENT[16:], fragment=2),
        ]
        first, second, third = map(ethernet, parts)
        self.check("in order", first, second, third)
        self.check("out of order", third, first, second)
        self.check("twice", third, third, first, first, second)
        self.assertIsNone(segmentIn([first, third]))

    def test_manyFragmentsAreBounded(self) -> None:
        """Packets that are never complete take a bounded amount of memory, and do no harm to those that are."""
        network = Network()
        for number in range(2000):
            part = bytearray(ethernet(ipv4(bytes(60_000), fragment=0x2001)))
            part[18:20] = number.to_bytes(2, "big")
            network.segment(Packet(number, 0, 1, bytes(part), len(part)))
        self.assertLess(network._fragments.held, 5 << 20)

    def test_extensionHeaders(self) -> None:
        """IPv6's extension headers are passed over, and its fragments put together."""
        hop = b"\x3c\x00" + bytes(6)
        destination = b"\x06\x01" + bytes(14)
        self.check("options", ethernet(ipv6(hop + destination + SEGMENT, following=0), 0x86DD), isV6=True)
        self.check("routing", ethernet(ipv6(b"\x06\x00" + bytes(6) + SEGMENT, following=43), 0x86DD), isV6=True)
        self.check("AH", ethernet(ipv6(b"\x06\x04" + bytes(22) + SEGMENT, following=51), 0x86DD), isV6=True)
        one, two = (
            ethernet(ipv6(struct.pack("!BBHI", 6, 0, place, 9) + part, following=44), 0x86DD)
            for place, part in ((1, SEGMENT[:16]), (16, SEGMENT[16:]))
        )
        self.check("fragments", two, one, isV6=True)
        self.check("one fragment", ethernet(ipv6(b"\x06\0\0\0\0\0\0\1" + SEGMENT, following=44), 0x86DD), isV6=True)

    def test_tunnels(self) -> None:
        """IP inside IP, GRE and VXLAN is read for what is inside."""
        self.check("IP in IP", ethernet(ipv4(V4, protocol=4)))
        self.check("6in4", ethernet(ipv4(V6, protocol=41)), isV6=True)
        self.check("4in6", ethernet(ipv6(V4, following=4), 0x86DD))
        self.check("GRE", ethernet(ipv4(b"\x00\x00\x08\x00" + V4, protocol=47)))
        self.check("GRE with a key", ethernet(ipv4(b"\x20\x00\x86\xdd\0\0\0\1" + V6, protocol=47)), isV6=True)
        bridged = b"\x00\x00\x65\x58" + ethernet(V4, tags=tag(0x8100))
        self.check("Ethernet in GRE", ethernet(ipv4(bridged, protocol=47)))
        udp = struct.pack("!HHHH", 5000, 4789, 0, 0) + bytes(8)
        self.check("VXLAN", ethernet(ipv4(udp + ethernet(V4), protocol=17)))

    def test_snapped(self) -> None:
        """What was cut off at the end of a packet is counted."""
        frame = ethernet(ipv4(tcp((40000, 443), 1000, 2000, ACK, bytes(500))))
        for kept, seen in ((154, 100), (60, 6), (54, 0)):
            segment = Network().segment(Packet(1, 0, 1, frame[:kept], len(frame)))
            assert segment is not None
            self.assertEqual((len(segment.payload), segment.lost), (seen, 500 - seen))

    def test_somethingElse(self) -> None:
        """What is no TCP is passed over."""
        for frame in (b"", ethernet(bytes(40), 0x0806), ethernet(ipv4(bytes(40), protocol=17)), ethernet(V4)[:40]):
            self.assertIsNone(segmentIn([frame]))
        self.assertIsNone(segmentIn([V4], link=105))

    def test_tunnelsEnd(self) -> None:
        """Packets inside packets are followed a bounded number of times."""
        packet = V4
        for _ in range(50):
            packet = ipv4(packet, protocol=4)
        self.assertIsNone(segmentIn([ethernet(packet)]))

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """Whatever bytes a packet has, it is a segment or none."""
        link = data.draw(st.sampled_from([0, 1, 9, 12, 51, 101, 108, 113, 204, 228, 229, 276]))
        good = data.draw(st.sampled_from([ethernet(V4), ethernet(V6, 0x86DD), V4, ethernet(ipv4(V6, protocol=41))]))
        frame = bytearray(good[: data.draw(st.integers(0, len(good)))])
        for at, value in data.draw(st.dictionaries(st.integers(0, 60), st.integers(0, 255), max_size=5)).items():
            if at < len(frame):
                frame[at] = value
        protocol, at = linkPayload(link, bytes(frame))
        self.assertIn(protocol, (0, 0x0800, 0x86DD))
        segment = Network().segment(Packet(1, 0, link, bytes(frame), len(frame)))
        if segment is not None:
            self.assertLessEqual(len(segment.payload), len(frame))
            self.assertIn(len(segment.key), (12, 2 * len(CLIENT6 + SERVER6) // 2 + 4))
