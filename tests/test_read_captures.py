"""What a user can rely on when captures are read into traces, from their files to their verdicts."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.packets import ACK, FIN, RST, SYN, ethernet, fromServer, pcap, tcp
from tests.packets import ipv4 as fromClient
from tests.test_beginning import ALERT, CLIENT_HELLO, SERVER_HELLO
from tlscomm._wire.events import Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.tracing._captures import CaptureReading, readCaptures

CAPTURES = Path(__file__).parent / "captures"

Frames = list[bytes]


def connection(port: int, said: list[tuple[str, bytes]], closing: int = FIN) -> Frames:
    """The packets of a connection to port 443 in which each side says something."""
    at = {">": 100, "<": 5000}
    frames = []

    def add(side: str, flags: int, data: bytes = b"") -> None:
        other = "<" if side == ">" else ">"
        ports = (port, 443) if side == ">" else (443, port)
        acknowledged = 0 if flags == SYN else at[other]
        segment = tcp(ports, at[side], acknowledged, flags, data)
        frames.append(ethernet((fromClient if side == ">" else fromServer)(segment)))
        at[side] += len(data) + bool(flags & (SYN | FIN))

    add(">", SYN)
    add("<", SYN | ACK)
    for side, data in said:
        add(side, ACK, data)
    add("<", closing | ACK)
    if closing == FIN:
        add(">", FIN | ACK)
    return frames


REFUSED = [(">", CLIENT_HELLO), ("<", ALERT)]
PLAIN = [(">", b"hello"), ("<", b"hello yourself")]


class Reading(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def reading(self, *contents: bytes, **more: object) -> CaptureReading:
        paths = []
        for number, content in enumerate(contents):
            path = self.folder / str(number)
            path.write_bytes(content)
            paths.append(str(path))
        return readCaptures(paths, Secrets(), **more)  # type: ignore[arg-type]

    def test_counts(self) -> None:
        """Connections without TLS have no trace and are counted, and so are packets without TCP."""
        frames = [*connection(1000, PLAIN), b"?", *connection(1001, REFUSED), *connection(1002, PLAIN)]
        reading = self.reading(pcap(frames))
        (trace,) = reading
        self.assertEqual((trace.number, str(trace.client), str(trace.server)), (2, "10.0.0.1:1001", "10.0.0.2:443"))
        self.assertEqual((reading.packets, reading.packetsWithoutTCP), (len(frames), 1))
        self.assertEqual((reading.connections, reading.connectionsWithoutTLS), (3, 2))

    def test_otherSideOpens(self) -> None:
        """The client of a trace is the client of TLS, also where the other side has opened the connection."""
        (trace,) = self.reading(pcap(connection(1000, [("<", CLIENT_HELLO), (">", SERVER_HELLO)])))
        self.assertEqual((str(trace.client), str(trace.server)), ("10.0.0.2:443", "10.0.0.1:1000"))

    def test_severalFiles(self) -> None:
        """A connection may go on in the next file."""
        frames = connection(1000, REFUSED)
        whole = pcap(frames)
        cut = 24 + sum(16 + len(frame) for frame in frames[:3])
        (trace,) = self.reading(whole[:24] + whole[cut:], whole[:cut])
        self.assertIn("ClientHello", [event.name for event in trace.events])
        self.assertIn(Kind.ALERT, [event.kind for event in trace.events])
        packets = [event.packet for event in trace.events if event.packet is not None]
        self.assertEqual(packets, sorted(packets))

    def test_damaged(self) -> None:
        """What a damaged capture holds before that place is traced, and the place is named."""
        reading = self.reading(pcap([*connection(1000, REFUSED), *connection(1001, REFUSED)])[:-3])
        self.assertEqual(len(list(reading)), 2)
        self.assertEqual(len(reading.damages), 1)

    def test_linkLayer(self) -> None:
        """Packets whose link layer is not read are named by its number."""
        reading = self.reading(pcap([b"beacon"] * 3, link=105))
        self.assertEqual(list(reading), [])
        said = "Link layer: 3 packets have one that is not read (LINKTYPE 105)."
        self.assertEqual([str(damage) for damage in reading.damages], [said])

    def test_progress(self) -> None:
        """Progress is told in bytes, the last time all of them."""
        told: list[tuple[int, int]] = []
        content = pcap(connection(1000, REFUSED) * 600)
        list(self.reading(content, content, progress=lambda *step: told.append(step)))
        self.assertEqual(told[-1], (2 * len(content), 2 * len(content)))
        self.assertGreater(len(told), 1)
        self.assertEqual(told, sorted(told))

    def test_secretsInside(self) -> None:
        """Secrets in a capture are used, also where they stand behind the packets that they open."""
        content = (CAPTURES / "server-go-1.3.pcapng").read_bytes()
        blocks = []
        at = 0
        while at < len(content):
            size = int.from_bytes(content[at + 4 : at + 8], "little")
            blocks.append(content[at : at + size])
            at += size
        blocks.sort(key=lambda each: each[:4] == b"\x0a\0\0\0")
        traces = list(self.reading(b"".join(blocks)))
        self.assertTrue(traces and all(trace.hasSecrets for trace in traces))

    def test_live(self) -> None:
        """From standard input, a connection has its trace as soon as it has ended."""
        for closing in (FIN, RST):
            first = pcap(connection(1000, REFUSED, closing))
            stream = _Stream([first, pcap(connection(1001, REFUSED))[24:]])
            self.patch(__import__("sys"), "stdin", io.TextIOWrapper(io.BufferedReader(stream)))
            reading = readCaptures(["-"], Secrets())
            self.assertEqual(next(reading).number, 1)
            self.assertEqual(stream.given, 1)
            self.assertEqual(next(reading).number, 2)

    def test_unfinished(self) -> None:
        """A connection that has not ended when the capture does is not taken for one that has."""
        frames = connection(1000, [(">", CLIENT_HELLO), ("<", SERVER_HELLO)])
        (trace,) = self.reading(pcap(frames[:-2]))
        self.assertEqual(trace.verdict.outcome, "unfinished")


class _Stream(io.RawIOBase):
    """What is given piece by piece, as a pipe does."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if self.given == len(self._pieces):
            return 0
        piece = self._pieces[self.given]
        self.given += 1
        buffer[: len(piece)] = piece
        return len(piece)
