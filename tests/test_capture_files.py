"""What is read of captures as files: both forms, in every byte order and unit of time, whole and damaged."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.packets import APART, block, enhanced, interface, option, pcap, section
from tlscomm._capture.packets import Packet
from tlscomm._capture.problems import CaptureProblem
from tlscomm._capture.reading import CaptureFiles

FRAMES = [b"first packet", b"second", b"", b"the fourth one"]

KEYS = b"CLIENT_RANDOM 00 11\n"


def secretsBlock(lines: bytes, order: str = "<", kind: int = 0x544C534B) -> bytes:
    return block(10, struct.pack(order + "II", kind, len(lines)) + lines, order)


class Files(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.secrets: list[bytes] = []

    def file(self, content: bytes, name: str = "capture") -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    def read(self, *contents: bytes) -> tuple[list[Packet], list[str]]:
        """The packets of some files, and what is said to be damaged."""
        paths = [self.file(content, f"capture{number}") for number, content in enumerate(contents)]
        files = CaptureFiles(paths, self.secrets.append)
        packets = list(files.packets())
        return packets, [str(damage).replace(f"{self.folder}/", "") for damage in files.damages]

    def check(self, content: bytes, link: int = 1) -> None:
        packets, damages = self.read(content)
        self.assertEqual([packet.data for packet in packets], FRAMES)
        self.assertEqual([packet.number for packet in packets], [1, 2, 3, 4])
        first = 1000 * 10**9
        self.assertEqual([packet.time - first for packet in packets], [n * APART for n in range(4)])
        self.assertEqual({packet.linkType for packet in packets}, {link})
        self.assertEqual(damages, [])

    def test_pcap(self) -> None:
        """pcap in both byte orders, with microseconds, nanoseconds, and Kuznetzov's longer headers."""
        for order in "<>":
            for magic in (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34):
                self.check(pcap(FRAMES, order=order, magic=magic))
        self.check(pcap(FRAMES, link=101), 101)

    def test_pcapng(self) -> None:
        """pcapng in both byte orders, with any resolution of time and an offset; other blocks are passed over."""
        other = block(0x0BAD, b"custom, of a company") + block(4, bytes(8)) + block(5, bytes(20))
        for order in "<>":
            for options, perSecond, offset in (
                (b"", 10**6, 0),
                (option(9, b"\x09", order), 10**9, 0),
                (option(9, b"\x03", order), 10**3, 0),
                (option(2, b"lo", order) + option(9, b"\x94", order), 2**20, 0),
                (option(14, struct.pack(order + "q", 900), order), 10**6, 900),
            ):
                times = [-(-(1000 * 10**9 + n * APART) * perSecond // 10**9) - offset * perSecond for n in range(4)]
                blocks = [enhanced(frame, time, order=order) for frame, time in zip(FRAMES, times, strict=True)]
                content = section(order) + interface(order, options=options) + b"".join(blocks)
                if perSecond != 2**20:
                    self.check(content)
                packets, _ = self.read(content)
                for number, packet in enumerate(packets):
                    self.assertLess(abs(packet.time - 1000 * 10**9 - number * APART), 1000)
        self.check(
            section()
            + other
            + interface()
            + other
            + b"".join(
                enhanced(frame, 10**9 + n * 1000, options=option(1, b"a comment") + option(0, b""))
                for n, frame in enumerate(FRAMES)
            )
            + other
        )

    def test_severalSections(self) -> None:
        """Each section has a byte order and interfaces of its own, and each interface a link type."""
        content = section(">") + interface(">", 1) + interface(">", 101) + enhanced(b"one", 0, 1, ">")
        content += section("<") + interface("<", 113) + enhanced(b"two", 0, 0, "<")
        packets, _ = self.read(content)
        self.assertEqual([(packet.linkType, packet.data) for packet in packets], [(101, b"one"), (113, b"two")])

    def test_otherPacketBlocks(self) -> None:
        """A Simple Packet Block has no time, and what the interface keeps; the obsolete block has both."""
        simple = block(3, struct.pack("<I", 900) + b"0123456789abcdef")
        old = block(2, struct.pack("<HHIIII", 0, 0, 0, 5_000_000, 4, 9) + b"late")
        packets, _ = self.read(section() + interface(snap=10) + simple + old)
        found = [(packet.time, packet.data, packet.length) for packet in packets]
        self.assertEqual(found, [(0, b"0123456789", 900), (5 * 10**9, b"late", 9)])

    def test_unknownInterface(self) -> None:
        """A packet of an interface that was not described cannot be read; the next one is, under its own number."""
        packets, damages = self.read(section() + interface() + enhanced(b"?", which=3) + enhanced(b"!"))
        self.assertEqual([(packet.number, packet.data) for packet in packets], [(2, b"!")])
        self.assertEqual(damages, [])

    def test_secrets(self) -> None:
        """Secrets of TLS are known before the first packet wherever they stand, and other secrets are passed over."""
        content = section() + interface() + enhanced(b"a") + secretsBlock(KEYS) + secretsBlock(b"x", kind=0x57474B4C)
        content += section(">") + secretsBlock(KEYS * 9000, ">")
        files = CaptureFiles([self.file(content)], self.secrets.append)
        packets = files.packets()
        next(packets)
        self.assertEqual(b"".join(self.secrets), KEYS * 9001)
        self.assertTrue(all(piece.endswith(b"\n") for piece in self.secrets))
        self.assertEqual(list(packets), [])

    def test_gzip(self) -> None:
        """A capture may be packed by gzip."""
        self.check(gzip.compress(pcap(FRAMES)))
        packets, _ = self.read(gzip.compress(section() + interface() + enhanced(b"a") + secretsBlock(KEYS)))
        self.assertEqual((len(packets), self.secrets), (1, [KEYS]))

    def test_standardInput(self) -> None:
        """``-`` is standard input; secrets in it are known when they have come."""
        content = section() + interface() + secretsBlock(KEYS) + enhanced(b"a")
        self.patch(__import__("sys"), "stdin", io.TextIOWrapper(io.BytesIO(content)))
        packets = list(CaptureFiles(["-"], self.secrets.append).packets())
        self.assertEqual(([packet.data for packet in packets], self.secrets), ([b"a"], [KEYS]))

    def test_pipe(self) -> None:
        """A pipe is read once, from its beginning to its end."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, pcap(FRAMES))
        os.close(writing)
        packets = list(CaptureFiles([f"/dev/fd/{reading}"], self.secrets.append).packets())
        self.assertEqual([packet.data for packet in packets], FRAMES)

    def test_severalFiles(self) -> None:
        """Several files are one capture, in the order of their first packets, with numbers that go on."""
        parts = [section() + interface() + enhanced(data, time) for data, time in ((b"3", 9), (b"1", 2), (b"2", 5))]
        packets, _ = self.read(*parts)
        self.assertEqual([(packet.number, packet.data) for packet in packets], [(1, b"1"), (2, b"2"), (3, b"3")])

    def test_noCapture(self) -> None:
        """What is no capture is said at once, with its name and the place."""
        for content, words in (
            (b"", "is empty, at byte 0."),
            (b"GET / HTTP/1.1\r\n\r\n", "is no capture: it begins neither as pcap nor as pcapng, at byte 0."),
            (b"\x0a\x0d\x0d\x0a" + bytes(40), "is no capture: it begins neither as pcap nor as pcapng, at byte 0."),
            (gzip.compress(b"something else"), "is no capture: it begins neither as pcap nor as pcapng, at byte 0."),
        ):
            path = self.file(content)
            error = self.assertRaises(CaptureProblem, CaptureFiles, [path], self.secrets.append)
            self.assertEqual(str(error), f"{path}: {words}")
        missing = str(self.folder / "missing")
        error = self.assertRaises(CaptureProblem, CaptureFiles, [missing], self.secrets.append)
        self.assertEqual(str(error), f"{missing}: cannot be opened (No such file or directory).")
        self.assertRaises(CaptureProblem, CaptureFiles, [str(self.folder)], self.secrets.append)

    def test_truncated(self) -> None:
        """What stands before the place where a capture ends too early is read, and the place is named."""
        content = pcap(FRAMES)
        packets, damages = self.read(content[:-3])
        self.assertEqual(len(packets), 3)
        self.assertEqual(damages, ["capture0: it ends inside packet 4, at byte 90; what comes before it was read."])
        content = section() + interface() + enhanced(b"a") + enhanced(b"b" * 90)
        packets, damages = self.read(content[:-3])
        self.assertEqual(len(packets), 1)
        self.assertEqual(damages, ["capture0: it ends inside a block, at byte 84; what comes before it was read."])
        packets, damages = self.read(gzip.compress(pcap([os.urandom(1000) for _ in range(500)]))[:-1000])
        self.assertGreater(len(packets), 300)
        self.assertEqual(len(damages), 1)

    def test_damagedLengths(self) -> None:
        """A length that cannot be is where reading ends, however much it claims, and the next file is read."""
        huge = pcap(FRAMES) + struct.pack("<IIII", 0, 0, 0xFFFF_FFF0, 0xFFFF_FFF0) + bytes(100)
        packets, damages = self.read(huge, pcap([b"more"]))
        self.assertEqual(len(packets), 5)
        self.assertEqual(
            damages, ["capture0: packet 5 claims 4294967280 bytes, at byte 120; what comes before it was read."]
        )
        for size in (0, 8, 13, 0xFFFF_FFFC):
            content = section() + interface() + enhanced(b"a") + struct.pack("<II", 6, size) + bytes(100)
            packets, damages = self.read(content)
            self.assertEqual((len(packets), len(damages)), (1, 1))

    def test_skippedBlock(self) -> None:
        """A large block that is not read takes no memory, and what follows it is read."""
        path = self.folder / "large"
        with path.open("wb") as file:
            size = 3 << 30
            file.write(section() + interface() + struct.pack("<II", 0x0BAD, size))
            file.seek(size - 12, os.SEEK_CUR)
            file.write(struct.pack("<I", size) + enhanced(b"behind"))
        packets = list(CaptureFiles([str(path)], self.secrets.append).packets())
        self.assertEqual([packet.data for packet in packets], [b"behind"])

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_mutations(self, data: st.DataObject) -> None:
        """A damaged capture gives packets, or a problem with a name, and never another exception."""
        blocks = section() + interface(options=option(9, b"\x09")) + enhanced(b"a" * 60) + secretsBlock(KEYS)
        good = data.draw(st.sampled_from([pcap(FRAMES), blocks + section(">") + interface(">"), gzip.compress(blocks)]))
        content = bytearray(good[: data.draw(st.integers(0, len(good)))])
        for at, value in data.draw(st.dictionaries(st.integers(0, 150), st.integers(0, 255), max_size=4)).items():
            if at < len(content):
                content[at] = value
        try:
            packets, _ = self.read(bytes(content))
        except CaptureProblem as problem:
            self.assertIn(str(self.folder), str(problem))
        else:
            self.assertLessEqual(sum(len(packet.data) for packet in packets), 200)
