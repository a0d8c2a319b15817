"""What a user can rely on who gives a redacted trace or capture away."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis.strategies import binary, sampled_from
from markedcaptures import Marks, writeMarked
from replaying import CAPTURES, packetsOf, replay
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._capture.packets import Packet
from tlscomm._capture.segments import emptyPacket
from tlscomm._capture.writing import CaptureWriter
from tlscomm._wire.names import HANDSHAKE_TYPES
from tlscomm._wire.secrets import Secrets
from tlscomm.drawing import drawPage
from tlscomm.tracing import CaptureFile, Pseudonyms, Trace, readCaptures, redactCaptures, redactTrace
from tlscomm.tracing._redactedcertificates import redactCertificate, redactName
from tlscomm.tracing._redactedmessages import redactMessage
from tlscomm.tracing._redactedprefaces import redactPreface

SECRET = b"secret of a test"


def told(traces: list[Trace]) -> bytes:
    """Return all that can be told of traces."""
    return json.dumps([trace.toJSON(der=True, applicationData=True) for trace in traces], ensure_ascii=False).encode()


class Marked(SynchronousTestCase):
    """Captures with a mark in every field of every certificate, name, message and dialogue."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.marks = Marks()
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.path = cls.folder / "marked.pcapng"
        cls.count = writeMarked(cls.path, cls.marks)
        cls.traces = list(readCaptures([str(cls.path)], Secrets(), applicationDataBytes=1000))
        cls.redacted = cls.folder / "redacted.pcapng"
        redactCaptures([str(cls.path)], cls.redacted, Pseudonyms(SECRET))

    def test_traces(self) -> None:
        """No mark is in a redacted trace, or in the page that is drawn of it."""
        self.assertEqual(len(self.traces), self.count)
        contents = [event.content for trace in self.traces for event in trace.events]
        found = self.marks.foundIn(b"".join((self.path.read_bytes(), told(self.traces), *contents)))
        self.assertEqual(sorted(set(self.marks.all) - found), [])
        pseudonyms = Pseudonyms(SECRET)
        redacted = [redactTrace(trace, pseudonyms) for trace in self.traces]
        self.assertEqual(sorted(self.marks.foundIn(told(redacted))), [])
        self.assertEqual(sorted(self.marks.foundIn(drawPage(redacted).encode())), [])
        for trace, made in zip(self.traces, redacted, strict=True):
            self.assertEqual(len(trace.events), len(made.events))
            self.assertNotIn("undecodable", told([made]).decode())
            for kept in ("outcome", "code", "by", "certainty", "turn", "event"):
                self.assertEqual(getattr(trace.verdict, kept), getattr(made.verdict, kept))
            chains = [each.serverCertificates + each.clientCertificates for each in (trace, made)]
            self.assertEqual(*([(each.key, each.notAfter, len(each.names)) for each in chain] for chain in chains))

    def test_captures(self) -> None:
        """No mark, secret or comment is in a redacted capture; its packets, times and records are the same."""
        content = self.redacted.read_bytes()
        self.assertEqual(sorted(self.marks.foundIn(content)), [])
        self.assertNotIn(b"CLIENT_", content)
        packets, made = (list(packetsOf(path)) for path in (self.path, self.redacted))
        self.assertEqual([(each.time, each.length) for each in packets], [(each.time, each.length) for each in made])
        without = self.folder / "without.pcapng"
        command = ("editcap", "--discard-all-secrets", str(self.path), str(without))
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        before, after = (list(readCaptures([str(path)], Secrets())) for path in (without, self.redacted))
        for first, second in zip(before, after, strict=True):
            verdicts = [(each.verdict.outcome, each.verdict.code, each.verdict.certainty) for each in (first, second)]
            self.assertEqual(*verdicts)
            events = [
                [(event.kind, event.name, event.size, event.packet) for event in each.events]
                for each in (first, second)
            ]
            self.assertEqual(*events)

    def test_readable(self) -> None:
        """The real tshark finds nothing malformed in a redacted capture, and its checksums right."""
        checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
        wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0"
        fields = (
            "-T",
            "fields",
            "-e",
            "frame.number",
            "-e",
            "tls.handshake.type",
            "-e",
            "x509sat.uTF8String",
            "-e",
            wrong,
        )
        done = subprocess.run(
            ("tshark", "-n", "-r", str(self.redacted), *checks, *fields[:-2], "-Y", f"tls.handshake.type || {wrong}"),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.assertEqual([row for row in rows if not row[1]], [])
        self.assertIn("11", {kind for row in rows for kind in row[1].split(",")})
        self.assertTrue(any("name-" in row[2] for row in rows))

    def test_same(self) -> None:
        """The same name has the same pseudonym in a trace and in a capture; with another secret it has another one."""
        names = []
        for secret in (SECRET, None):
            trace = redactTrace(self.traces[0], Pseudonyms(secret))
            names.append(trace.serverCertificates[0].subject)
        (first, *_) = readCaptures([str(self.redacted)], Secrets())
        self.assertEqual(first.serverCertificates[0].subject, names[0])
        self.assertNotEqual(names[0], names[1])
        self.assertEqual(
            (first.client, first.server), (redactTrace(self.traces[0], Pseudonyms(SECRET)).client, first.server)
        )


class Damaged(SynchronousTestCase):
    """Captures are not always whole, and what is in them may be anything."""

    def told(self, packets: list[Packet]) -> list[object]:
        """Write packets, redact them, and return what is seen in both: what should be the same."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path, target = folder / "a", folder / "b"
        with path.open("wb") as file:
            writer = CaptureWriter(file)
            for packet in packets:
                writer.packet(packet.data, packet.time, length=packet.length)
            writer.flush()
        self.assertEqual(redactCaptures([str(path)], target, Pseudonyms()), len(packets))
        for name in (b"server.example", b"client.example", b"Trusted CA"):
            self.assertNotIn(name, target.read_bytes())
        both = []
        for each in (path, target):
            traces = readCaptures([str(each)], Secrets())
            both.append([[(event.kind, event.name, event.size) for event in trace.events] for trace in traces])
        self.assertEqual(*both)
        return both[0]

    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        capture = CaptureFile(folder / "c")
        replay(CAPTURES / "server-openssl-1.2.pcap", capture)
        capture.close()
        self.packets = list(packetsOf(folder / "c"))

    def test_order(self) -> None:
        """Packets that come twice, or in another order, are redacted as those that come once and in order."""
        packets = self.packets
        mixed = [
            packet for at in range(0, len(packets) - 1, 2) for packet in (packets[at + 1], packets[at], packets[at])
        ]
        self.assertGreater(len(self.told(mixed)), 3)

    def test_snapped(self) -> None:
        """Packets that were not captured whole stay so."""
        self.assertGreater(len(self.told([packet._replace(data=packet.data[:200]) for packet in self.packets])), 3)

    def test_gaps(self) -> None:
        """Where packets are missing, others are redacted."""
        for missing in (3, 5, 7):
            packets = [packet for packet in self.packets if packet.number % missing]
            self.assertGreater(len(self.told(packets)), 1)

    @given(binary(max_size=600), sampled_from((0, 0x0301, 0x0303, 0x0304)), sampled_from(sorted(HANDSHAKE_TYPES)))
    @settings(max_examples=60, deadline=None)
    def test_anything(self, content: bytes, version: int, kind: int) -> None:
        """Whatever bytes come, as many come back, and nothing is raised."""
        pseudonyms = Pseudonyms()
        size = len(content).to_bytes(3, "big")
        message = bytes((kind,)) + size + content
        self.assertEqual(len(redactMessage(message, version, pseudonyms)), len(message))
        for redact in (redactCertificate, redactName, redactPreface):
            self.assertEqual(len(redact(content, pseudonyms)), len(content))


class Packets(SynchronousTestCase):
    """What is no TCP, and what cannot be read, is not passed through."""

    def test_otherPackets(self) -> None:
        """A packet of another protocol is there as an empty one, so that numbers stay the same."""
        folder = Path(self.mktemp())
        folder.mkdir()
        path, target = folder / "a", folder / "b"
        with path.open("wb") as file:
            writer = CaptureWriter(file)
            writer.packet(
                b"E\x00\x00\x20\x00\x01\x00\x00\x40\x11\x00\x00\x0b\x16\x21\x2c\x37\x42\x4d\x58secret query", 5
            )
            writer.packet(b"anything", 6)
            writer.flush()
        self.assertEqual(redactCaptures([str(path)], target, Pseudonyms()), 2)
        self.assertEqual(
            [(each.data, each.time) for each in packetsOf(target)], [(emptyPacket(), 5), (emptyPacket(), 6)]
        )

    def test_target(self) -> None:
        """What stands under the name of the target is not overwritten."""
        folder = Path(self.mktemp())
        folder.mkdir()
        path = folder / "a"
        with path.open("wb") as file:
            CaptureWriter(file).flush()
        self.assertRaises(OSError, redactCaptures, [str(path)], path, Pseudonyms())
        self.assertGreater(path.stat().st_size, 0)
