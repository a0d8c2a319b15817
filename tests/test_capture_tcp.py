"""How TCP is put together again: each side's bytes once, in order, and what is missing said to be missing."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.packets import ACK, FIN, RST, SYN, Told, connectionsIn, ethernet, fromServer, numbered, tcp
from tests.packets import ipv4 as fromClient
from tlscomm._capture.network import Segment
from tlscomm._capture.packets import Address, Packet
from tlscomm._capture.tcp import Connections

#: Where both sides begin: the client's numbers wrap soon.
CLIENT_START, SERVER_START = (1 << 32) - 3, 5000


def sent(at: int, data: bytes, flags: int = 0, acknowledged: int = 0, port: int = 40000) -> bytes:
    """A packet of the client. Places count from its first byte of data, and acknowledgements from the server's."""
    sequence, answer = CLIENT_START + 1 + at, SERVER_START + 1 + acknowledged
    return ethernet(fromClient(tcp((port, 443), sequence, answer, flags | ACK, data)))


def answered(at: int, data: bytes, flags: int = 0, acknowledged: int = 0) -> bytes:
    """The same of the server."""
    sequence, answer = SERVER_START + 1 + at, CLIENT_START + 1 + acknowledged
    return ethernet(fromServer(tcp((443, 40000), sequence, answer, flags | ACK, data)))


SYNS = [
    ethernet(fromClient(tcp((40000, 443), CLIENT_START, 0, SYN))),
    ethernet(fromServer(tcp((443, 40000), SERVER_START, CLIENT_START + 1, SYN | ACK))),
    sent(0, b""),
]
BEGUN = ["> SYN", "< SYN"]


def told(frames: list[bytes]) -> Told:
    (connection,) = connectionsIn(numbered(frames))
    return connection


class Order(SynchronousTestCase):
    def check(self, frames: list[bytes], *said: str) -> None:
        self.assertEqual(told([*SYNS, *frames]).said, [*BEGUN, *said, "ended"])

    def test_inOrder(self) -> None:
        """A whole connection is told step by step, and its addresses with it."""
        frames = [
            sent(0, b"hello"),
            answered(0, b"welcome", acknowledged=5),
            sent(5, b"bye", FIN, 7),
            answered(7, b"", FIN, 9),
            sent(9, b"", 0, 8),
        ]
        self.check(frames, "> hello", "< welcome", "> bye", "> FIN", "< FIN")
        self.assertEqual(told(SYNS).ends, (("10.0.0.1", 40000), ("10.0.0.2", 443)))

    def test_outOfOrder(self) -> None:
        """What comes too early waits; what was an answer to it waits too."""
        one, two, three = sent(0, b"one"), sent(3, b"two"), sent(6, b"three")
        answer = answered(0, b"answer", acknowledged=11)
        self.check([three, answer, two, one], "> one", "> two", "> three", "< answer")

    def test_beginningOutOfOrder(self) -> None:
        """The packets that begin a connection may come in any order too."""
        frames = [SYNS[1], sent(3, b"two"), SYNS[2], SYNS[0], sent(0, b"one"), answered(0, b"answer", acknowledged=6)]
        self.assertEqual(told(frames).said, ["< SYN", "> SYN", "> one", "> two", "< answer", "ended"])
        self.assertEqual(told(frames).ends[1].port, 443)

    def test_retransmitted(self) -> None:
        """What comes twice is told once, however it is divided, and the bytes hold that came first."""
        frames = [
            sent(0, b"abcdef"),
            sent(0, b"ABCDEF"),
            sent(2, b"CDEFgh"),
            sent(8, b""),
            sent(7, b"H"),
            sent(8, b"i"),
        ]
        self.check(frames, "> abcdef", "> gh", "> i")

    def test_overlapping(self) -> None:
        """Of bytes that overlap while they wait, those hold that came first."""
        frames = [sent(4, b"efgh"), sent(2, b"CDEF"), sent(6, b"GHIJ"), sent(0, b"ab")]
        self.assertEqual(told([*SYNS, *frames]).bytes[True], b"abCDefghIJ")

    def test_probes(self) -> None:
        """Probes that keep a connection alive, or try a closed window, add nothing that was not sent."""
        frames = [sent(0, b"abc"), sent(2, b"\0"), sent(2, b""), sent(3, b"d"), sent(3, b"def")]
        self.check(frames, "> abc", "> d", "> ef")

    def test_retransmittedSteps(self) -> None:
        """A SYN and a FIN that come again are no news."""
        frames = [*SYNS[:2], sent(0, b"x", FIN), sent(0, b"x", FIN), sent(1, b"", FIN), answered(0, b"", FIN, 2)]
        self.check([*frames, frames[-1]], "> x", "> FIN", "< FIN")

    def test_reset(self) -> None:
        """A reset is told, whatever its number, and what its packet carries is no part of the stream."""
        self.check([sent(0, b"x"), answered(0, b"port closed", RST, 1)], "> x", "< RST")
        self.check([sent(0, b"x"), answered(9000, b"", RST, 1)], "> x", "< RST")

    def test_afterFIN(self) -> None:
        """Nothing is told of a side behind its FIN but a reset."""
        self.check([sent(0, b"x", FIN), sent(2, b"more"), sent(2, b"", RST)], "> x", "> FIN", "> RST")

    @settings(max_examples=50, deadline=None)
    @given(st.randoms(use_true_random=False), st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
    def test_anyDivision(self, chance: random.Random, first: bytes, second: bytes) -> None:
        """However two sides' bytes are divided, repeated and mixed, each side's are told once, and none are missing."""
        frames = []
        for make, data in ((sent, first), (answered, second)):
            at = 0
            while at < len(data):
                size = chance.randint(1, 60)
                frames.append(make(at, data[at : at + size]))
                at += size
            for _ in range(chance.randint(0, 8)):
                at = chance.randrange(len(data))
                frames.append(make(at, data[at : at + chance.randint(1, 90)]))
        chance.shuffle(frames)
        connection = told([*SYNS, *frames])
        self.assertEqual(connection.bytes, {True: first, False: second})
        self.assertFalse([words for words in connection.said if "missing" in words])


class Missing(SynchronousTestCase):
    def check(self, frames: list[bytes], *said: str) -> None:
        self.assertEqual(told([*SYNS, *frames]).said, [*BEGUN, *said, "ended"])

    def test_lost(self) -> None:
        """Bytes that do not come are said to be missing, in their place."""
        self.check([sent(0, b"abc"), sent(8, b"xyz")], "> abc", "> (5 missing)", "> xyz")
        frames = [sent(0, b"abc"), answered(0, b"yes", acknowledged=8), sent(8, b"xyz", acknowledged=3)]
        self.check(frames, "> abc", "> (5 missing)", "< yes", "> xyz")

    def test_lostAtTheEnd(self) -> None:
        """So are those that nothing follows but an acknowledgement, and those before a FIN."""
        self.check([sent(0, b"abc"), answered(0, b"", acknowledged=10)], "> abc", "> (7 missing)")
        self.check([sent(0, b"abc"), sent(5, b"", FIN)], "> abc", "> (2 missing)", "> FIN")

    def test_lostFIN(self) -> None:
        """One byte more that is acknowledged is a FIN that was not captured."""
        self.check([sent(0, b"abc"), answered(0, b"", acknowledged=4)], "> abc", "> FIN")
        self.check([sent(0, b"abc"), answered(0, b"bye", acknowledged=4)], "> abc", "> FIN", "< bye")

    def test_noWait(self) -> None:
        """A gap that the other side has acknowledged holds nothing up for long, and memory is bounded without that."""
        for acknowledged, count in ((100, 200), (0, 1200)):
            frames = [*SYNS, sent(0, b"abc"), sent(10, b"later"), answered(0, b"", acknowledged=acknowledged)]
            frames += [sent(15 + number, b".") for number in range(count)]
            connection = Told(*(2 * [Address("", 0)]))
            give(Connections(lambda number, first, second, told=connection: told), frames)
            self.assertIn("> (7 missing)", connection.said)

    def test_snapped(self) -> None:
        """What was cut off at the end of packets is missing in its place."""
        frames = [*SYNS, sent(0, b"abcdefgh"), sent(8, b"ijklmnop")]
        packets = [Packet(n, n, 1, frame[:58], len(frame)) for n, frame in enumerate(frames)]
        (connection,) = connectionsIn(packets)
        said = [*BEGUN, "> abcd", "> (4 missing)", "> ijkl", "> (4 missing)", "ended"]
        self.assertEqual(connection.said, said)

    def test_beginning(self) -> None:
        """A connection whose beginning was not captured is read from its first bytes."""
        connection = told([sent(100, b"xyz", 0, 50), answered(50, b"answer", 0, 103), sent(103, b"!", 0, 56)])
        self.assertEqual(connection.said, ["> xyz", "< answer", "> !", "ended"])

    def test_oneSide(self) -> None:
        """Where only one side was captured, its bytes are told, and what the other one must have sent is missing."""
        frames = [SYNS[0], *(sent(3 * n, b"abc", acknowledged=100 * n) for n in range(300))]
        connection = told(frames)
        self.assertEqual(connection.bytes[True], b"abc" * 300)
        self.assertEqual(connection.bytes[False], b"")

    def test_wrongAcknowledgements(self) -> None:
        """Sides that acknowledge what cannot be hold each other up no longer than other gaps do."""
        frames = [sent(0, b"abc", acknowledged=500), answered(0, b"xyz", acknowledged=500)]
        connection = told([*SYNS, *frames])
        self.assertEqual(connection.bytes, {True: b"abc", False: b"xyz"})

    def test_damagedNumbers(self) -> None:
        """One damaged number does not keep a connection from being read."""
        good = [sent(n, b".") for n in range(2000)]
        for damaged in (
            sent(1 << 30, b"far"),
            sent(1 << 25, b"far"),
            sent(7, b"x", acknowledged=1 << 25),
            answered(0, b"z", acknowledged=1 << 25),
            answered(0, b"z", acknowledged=1 << 29),
        ):
            connection = told([*SYNS, *good[:5], damaged, *good[5:], answered(1, b"", acknowledged=2000)])
            self.assertTrue(connection.bytes[True].startswith(b"."), connection.said[:9])
            self.assertEqual(len(connection.bytes[True]), 2000)
            self.assertFalse([words for words in connection.said if "missing" in words])

    def test_longGap(self) -> None:
        """Where very much was not captured, what follows is read all the same."""
        connection = told([*SYNS, sent(0, b"abc"), *(sent((1 << 28) + n, b".") for n in range(100))])
        self.assertEqual(connection.bytes[True][:4], b"abc.")

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """Whatever segments come, each connection ends once and no more is told than was sent."""
        numbers = st.one_of(st.integers(0, 40), st.integers(0, (1 << 32) - 1))
        segments = data.draw(
            st.lists(st.tuples(st.booleans(), numbers, numbers, st.integers(0, 31), st.binary(max_size=9)), max_size=25)
        )
        frames = []
        for isClient, sequence, acknowledged, flags, content in segments:
            ports = (40000, 443) if isClient else (443, 40000)
            packet = (fromClient if isClient else fromServer)(tcp(ports, sequence, acknowledged, flags, content))
            frames.append(ethernet(packet))
        found = connectionsIn(numbered(frames))
        self.assertTrue(all(one.said.count("ended") == 1 and one.said[-1] == "ended" for one in found))
        size = sum(len(one.bytes[True]) + len(one.bytes[False]) for one in found)
        self.assertLessEqual(size, sum(len(content) for *_, content in segments))


def give(connections: Connections, frames: list[bytes], first: int = 1, time: int = 0) -> None:
    for number, frame in enumerate(frames, first):
        data = frame[34:]
        ports = data[:4]
        segment = Segment(
            frame[26:34] + ports,
            int.from_bytes(data[4:8], "big"),
            int.from_bytes(data[8:12], "big"),
            data[13],
            data[20:],
            0,
        )
        connections.add(segment, time + number, number)


class Many(SynchronousTestCase):
    def setUp(self) -> None:
        self.found: list[Told] = []

        def connected(number: int, first: object, second: object) -> Told:
            self.found.append(Told(first, second))  # type: ignore[arg-type]
            return self.found[-1]

        self.connections = Connections(connected)

    @property
    def open(self) -> int:
        return len([told for told in self.found if told.said[-1:] != ["ended"]])

    def test_portsUsedAgain(self) -> None:
        """The same ports with another beginning are another connection, closed before or not."""
        other = ethernet(fromClient(tcp((40000, 443), 77, 0, SYN)))
        give(
            self.connections,
            [*SYNS, sent(0, b"one"), other, ethernet(fromClient(tcp((40000, 443), 78, 0, ACK, b"two")))],
        )
        self.connections.finish()
        self.assertEqual([told.bytes[True] for told in self.found], [b"one", b"two"])
        self.assertEqual(self.connections.count, 2)

    def test_tooMany(self) -> None:
        """The number of connections that are held is bounded; the one that was silent for longest ends first."""
        give(self.connections, [sent(0, b"x", port=1000 + n) for n in range(6000)])
        self.assertLess(self.open, 2500)
        self.assertEqual(self.found[0].said[-1], "ended")
        self.assertNotEqual(self.found[-1].said[-1:], ["ended"])

    def test_closed(self) -> None:
        """Connections that are over end while the capture goes on."""
        for n in range(2000):
            syn = ethernet(fromClient(tcp((1000 + n, 443), CLIENT_START, 0, SYN)))
            give(self.connections, [syn, sent(0, b"x", port=1000 + n), sent(1, b"", RST, port=1000 + n)], 3 * n + 1)
        self.assertLess(self.open, 300)

    def test_late(self) -> None:
        """What comes late from a connection that is over begins no other one, nor does what carries nothing."""
        give(self.connections, [sent(0, b"", FIN), answered(0, b"", RST), sent(0, b"")])
        self.assertEqual(self.connections.count, 0)
        give(self.connections, [*SYNS, sent(0, b"x", RST)])
        self.connections.finish()
        give(self.connections, [sent(0, b"x"), answered(0, b"y")])
        self.assertEqual(self.connections.count, 1)
        give(self.connections, SYNS)
        self.assertEqual(self.connections.count, 2)

    def test_toItself(self) -> None:
        """A port that is connected to itself is one connection as well."""
        packet = bytearray(fromClient(tcp((9, 9), 1, 0, SYN)))
        packet[16:20] = packet[12:16]
        give(self.connections, [ethernet(bytes(packet))])
        self.connections.finish()
        self.assertEqual((self.connections.count, self.open), (1, 0))
