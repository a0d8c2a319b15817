"""What a user can rely on in captures and key logs that tlscomm writes."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
from io import BytesIO
from pathlib import Path

from logs import logged
from replaying import CAPTURES, heard, packetsOf, replay
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._capture.packets import Address
from tlscomm._capture.segments import checksum
from tlscomm._capture.writing import CaptureWriter
from tlscomm.tracing._capturefile import CapturedConnection, CaptureFile
from tlscomm.tracing._keylogfile import KeyLogFile

CLIENT, SERVER = Address("192.0.2.7", 51234), Address("198.51.100.20", 8443)
CLIENT_6, SERVER_6 = Address("2001:db8::7", 51234), Address("2001:db8::20", 8443)

SECOND = 1_000_000_000
NOW = 1_764_336_000_123_456_789

LINE = b"CLIENT_TRAFFIC_SECRET_0 %032d " + b"ab" * 32

#: Between them: both versions, key updates both ways, resumption by tickets and by session IDs, early data, a retry,
#: and a renegotiation.
REPLAYED = (
    "server-tlscomm-1.2.pcap",
    "server-tlscomm-1.3.pcap",
    "key-update.pcap",
    "resumed-openssl-1.2.pcap",
    "resumed-openssl-1.3.pcap",
    "resumed-sessionid-1.2.pcap",
    "resumed-tlscomm-1.3.pcap",
    "retry-openssl.pcap",
    "renegotiated.pcap",
    "ipv6-tlscomm.pcap",
    "server-gnutls-1.3.pcapng",
    "server-go-1.3.pcapng",
    "early-data.pcap",
)


def tshark(path: Path, *options: str) -> list[list[str]]:
    """Return what the real program says of a capture, in lines of fields."""
    checks = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    done = subprocess.run(
        ("tshark", "-n", "-r", str(path), *checks, *options), capture_output=True, text=True, check=True, timeout=60
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def linkedFolder(test: SynchronousTestCase) -> Path:
    folder = Path(test.mktemp())
    folder.mkdir()
    return folder


def exchange(connection: CapturedConnection, time: int, *sizes: int) -> None:
    """Have both sides say so much in turn, and then end."""
    for turn, size in enumerate(sizes):
        connection.data(turn % 2 == 0, bytes([turn % 251]) * size, time + turn)
    connection.end(True, "FIN", time + len(sizes))
    connection.end(False, "FIN", time + len(sizes))


class Segments(SynchronousTestCase):
    """What a connection said is in the packets that are written for it."""

    def written(self, start: int, client: Address = CLIENT, server: Address = SERVER) -> Path:
        target = BytesIO()
        writer = CaptureWriter(target)
        connection = writer.connection(client, server, start, "client")
        connection.data(True, b"a" * 200_001, start + 10)
        connection.data(False, b"b" * 1_500_000, start + 11)
        connection.end(False, "FIN", start + 12)
        connection.end(True, "FIN", start + 13)
        writer.flush()
        path = linkedFolder(self) / "capture.pcapng"
        path.write_bytes(target.getvalue())
        return path

    def test_numbersWrap(self) -> None:
        """Sequence numbers that wrap within a connection are followed, over IPv4 and IPv6."""
        # The clock that first numbers are taken from is close to its end.
        start = (NOW // 4_000 | 0xFFFF_FFFF) * 4_000 - 40_000_000
        for client, server in ((CLIENT, SERVER), (CLIENT_6, SERVER_6)):
            (connection,) = heard(self.written(start, client, server))
            self.assertEqual((connection.client, connection.server), (client, server))
            self.assertEqual(connection.data_, {True: b"a" * 200_001, False: b"b" * 1_500_000})
            ends = [(True, "SYN"), (False, "SYN"), (False, "FIN"), (True, "FIN")]
            self.assertEqual((connection.steps, connection.lost), (ends, 0))

    def test_timesAndSizes(self) -> None:
        """Times are true to the nanosecond, and no packet is larger than IP allows."""
        packets = list(packetsOf(self.written(NOW)))
        self.assertEqual({packet.time - NOW for packet in packets}, {0, 10, 11, 12, 13})
        self.assertTrue(all(len(packet.data) == packet.length <= 65_535 for packet in packets))

    def test_checksums(self) -> None:
        """The checksum is that of RFC 1071, also of what sums up to nothing, and of an odd number of bytes."""
        example = bytes.fromhex("0001f203f4f5f6f7")
        self.assertEqual(checksum(example), 0x220D)
        self.assertEqual(checksum(example + b"\x22\x0d"), 0)
        self.assertEqual(checksum(b"\x01"), 0xFEFF)
        self.assertEqual(checksum(bytes(6)), 0)

    def test_mixedAddresses(self) -> None:
        """A client that a PROXY header names by IPv6, and a server's IPv4 address, are written as IPv6 both."""
        (connection,) = heard(self.written(NOW, CLIENT_6, SERVER))
        self.assertEqual(connection.client, CLIENT_6)
        self.assertEqual(connection.server.port, SERVER.port)
        self.assertIn(connection.server.host, ("::ffff:198.51.100.20", "::ffff:c633:6414"))


class Decrypted(SynchronousTestCase):
    """Wireshark's own reader opens everything in our captures, with nothing but the file."""

    def test_everyPacket(self) -> None:
        """Handshakes, data, tickets and alerts of both versions are decrypted, with key updates and resumption."""
        path = linkedFolder(self) / "capture.pcapng"
        capture = CaptureFile(path)
        for name in REPLAYED:
            replay(CAPTURES / name, capture)
        told = capture.begin(CLIENT_6, SERVER_6, NOW)
        told.verdict("refused: the client showed no certificate\x1b[31m ü")
        told.end(False, "RST", NOW)
        capture.close()
        fields = ("-T", "fields", "-e", "_ws.col.Info", "-e", "data.data", "-e", "tls.record.opaque_type")
        rows = [
            [*row, "", "", "", ""] for row in tshark(path, *fields, "-e", "_ws.expert.message", "-e", "frame.comment")
        ]
        self.assertEqual([row for row in rows if "Encrypted Handshake" in row[0] or "Encrypted Alert" in row[0]], [])
        data = [row for row in rows if "Application Data" in row[0]]
        self.assertGreater(len(data), 40)
        self.assertEqual([row for row in data if row[0].count("Application Data") != len(row[1].split(","))], [])
        self.assertEqual([row for row in data if not row[1]], [])
        self.assertGreater(len([row for row in rows if "Key Update" in row[0]]), 2)
        problems = {row[3] for row in rows if row[3]}
        self.assertEqual([text for text in problems if not text.startswith(("Connection ", "This ", "refused: "))], [])
        self.assertEqual([row[4] for row in rows if row[4]], ["refused: the client showed no certificate\\x1b[31m ü"])
        about = subprocess.run(("capinfos", str(path)), capture_output=True, text=True, check=True, timeout=60).stdout
        self.assertIn("nanoseconds (9)", about)
        self.assertIn("Capture application: tlscomm ", about)


def refuseReading(case: SynchronousTestCase) -> None:
    """Refuse to open any file for reading, as to a user who may not."""
    real = os.open

    def open(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_ACCMODE == os.O_RDONLY:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, flags, mode)

    case.patch(os, "open", open)


class Files(SynchronousTestCase):
    """A capture is in files of a bounded size and number, which only their owner can read."""

    def setUp(self) -> None:
        self.folder = linkedFolder(self)
        self.path = self.folder / "capture.pcapng"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def test_ownersOnly(self) -> None:
        """Whatever the umask, only the owner can read captures and key logs."""
        old = os.umask(0)
        try:
            CaptureFile(self.path).close()
            KeyLogFile(self.folder / "keys").close()
        finally:
            os.umask(old)
        self.assertEqual({stat.S_IMODE(path.stat().st_mode) for path in self.folder.iterdir()}, {0o600})

    def test_whatIsThere(self) -> None:
        """A capture that is there is kept under another name; what is none is left alone, and so is a link."""
        with logged() as events:
            CaptureFile(self.path).close()
            first = self.path.read_bytes()
            CaptureFile(self.path, files=2).close()
            CaptureFile(self.path, files=2).close()
            self.assertEqual(self.names(), ["capture.pcapng", "capture.pcapng.1"])
            other = self.folder / "key.pem"
            other.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
            (self.folder / "link").symlink_to(self.path)
            os.mkfifo(self.folder / "pipe")
            for name in ("key.pem", "link", "pipe", ".", "absent/file"):
                self.assertRaises(OSError, CaptureFile, self.folder / name)
            self.assertEqual(self.path.read_bytes(), first)
            self.assertEqual(other.read_bytes(), b"-----BEGIN PRIVATE KEY-----\n")
        self.assertEqual(events, [])

    def test_whatIsOthers(self) -> None:
        """What is no capture is neither moved nor replaced, when a capture begins and when a file of it is full."""
        other = self.folder / "capture.pcapng.1"
        other.write_text("mine")
        CaptureFile(self.path, files=1).close()
        with self.assertRaises(OSError) as raised:
            CaptureFile(self.path, files=2)
        self.assertEqual(raised.exception.strerror, "capture.pcapng.1: it is there and no capture, so it is kept")
        other.unlink()
        capture = CaptureFile(self.path, 1 << 19, 3)
        other = self.folder / "capture.pcapng.2"
        other.write_text("mine")
        before = self.names()
        with logged() as events:
            for _ in range(3):
                exchange(capture.begin(CLIENT, SERVER, NOW), NOW, 400_000)
        self.assertEqual([event["problem"].partition(":")[0] for event in events], [other.name])
        self.assertEqual((self.names(), other.read_text()), (before, "mine"))

    def test_root(self) -> None:
        """What root began is set aside after root's rights were given up too, though it cannot be read any more."""
        CaptureFile(self.path).close()
        capture = CaptureFile(self.path, 1 << 19, 3)
        keys = KeyLogFile(self.folder / "keys", 300)
        keys.write(LINE % 1)
        refuseReading(self)
        with logged() as events:
            exchange(capture.begin(CLIENT, SERVER, NOW), NOW, 400_000)
            exchange(capture.begin(CLIENT, SERVER, NOW), NOW, 400_000)
            for number in range(10):
                keys.write(LINE % number)
        self.assertEqual(events, [])
        self.assertEqual(len(self.names()), 5)

    def test_rotated(self) -> None:
        """Each of a bounded number of files can be read alone, and has whole connections with their secrets."""
        capture = CaptureFile(self.path, 1 << 19, 3)
        long = capture.begin(CLIENT, SERVER, NOW)
        long.secrets(LINE % CLIENT.port)
        long.data(True, b"begun", NOW)
        for number in range(1, 15):
            short = capture.begin(CLIENT._replace(port=number), SERVER, NOW + number * SECOND)
            short.secrets(LINE % number)
            exchange(short, NOW + number * SECOND, 70_000, 50_000)
            if number == 5:
                exchange(long, NOW, 10, 5)
        capture.close()
        self.assertEqual(self.names(), ["capture.pcapng", "capture.pcapng.1", "capture.pcapng.2"])
        seen = []
        for path in sorted(self.folder.iterdir(), reverse=True):
            self.assertLessEqual(path.stat().st_size, 1 << 19)
            lines: list[bytes] = []
            connections = heard(path, lines)
            self.assertEqual(lines, [LINE % connection.client.port for connection in connections])
            self.assertTrue(all(len(connection.data_[True]) == 70_000 for connection in connections))
            seen += [connection.client.port for connection in connections]
        self.assertEqual(seen, list(range(5, 15)))

    def test_stays(self) -> None:
        """A connection stays in the file in which it began, also when others begin in a newer one."""
        capture = CaptureFile(self.path, 1 << 19, 3)
        long = capture.begin(CLIENT, SERVER, NOW)
        long.secrets(LINE % 0)
        for number in range(1, 6):
            exchange(capture.begin(CLIENT._replace(port=number), SERVER, NOW), NOW, 110_000)
        exchange(long, NOW, 20, 30)
        capture.close()
        lines: list[bytes] = []
        (first, *_), (_, *_) = (heard(self.folder / "capture.pcapng.1", lines), heard(self.path))
        self.assertEqual(
            (first.client, first.data_, lines), (CLIENT, {True: bytes(20), False: b"\x01" * 30}, [LINE % 0])
        )

    def test_movesOn(self) -> None:
        """One larger than a file goes on in the next, with its secrets, and says so; together they are whole."""
        capture = CaptureFile(self.path, 1 << 19, 3)
        long = capture.begin(CLIENT, SERVER, NOW)
        long.secrets(LINE % 0)
        long.data(True, b"a" * 300_000, NOW)
        long.data(False, b"b" * 900_000, NOW)
        long.end(True, "RST", NOW)
        capture.close()
        self.assertEqual(len(self.names()), 3)
        for path in self.folder.iterdir():
            self.assertLessEqual(path.stat().st_size, 1 << 19)
            self.assertEqual(path.read_bytes().count(LINE % 0), 1)
            self.assertEqual(b"began in an earlier file" in path.read_bytes(), path.suffix != ".2")
        joined = self.folder / "joined"
        joined.write_bytes(b"".join((self.folder / name).read_bytes() for name in reversed(self.names())))
        (connection,) = heard(joined)
        self.assertEqual((connection.lost, connection.data_), (0, {True: b"a" * 300_000, False: b"b" * 900_000}))

    def test_lastSecretHolds(self) -> None:
        """Of two secrets of one label and client random, the later one is written, before the bytes that come next."""
        capture = CaptureFile(self.path)
        connection = capture.begin(CLIENT, SERVER, NOW)
        label = b"CLIENT_RANDOM " + b"0" * 64
        connection.secrets(label + b" 01")
        connection.secrets(label + b" 02")
        self.assertEqual(capture.begin(CLIENT, SERVER, NOW).secrets(LINE % 5), None)
        connection.data(True, b"marked", NOW)
        capture.close()
        content = self.path.read_bytes()
        self.assertNotIn(label + b" 01", content)
        self.assertLess(content.index(label + b" 02\n"), content.index(b"marked"))
        self.assertNotIn(LINE % 5, content)

    def test_verdict(self) -> None:
        """The verdict is on the packet where it fell; where that is written already, on the next one."""
        capture = CaptureFile(self.path)
        early, late = (capture.begin(CLIENT._replace(port=port), SERVER, NOW) for port in (1, 2))
        early.data(False, b"alert-of-the-first", NOW)
        late.data(False, b"alert-of-the-second", NOW)
        early.verdict("early verdict")
        exchange(early, NOW)
        late.verdict("late " + "verdict" * 1_000)
        end = self.path.stat().st_size
        exchange(late, NOW)
        capture.close()
        content = self.path.read_bytes()
        self.assertLess(content.index(b"early verdict"), content.index(b"alert-of-the-second"))
        self.assertGreater(content.index(b"late verdict"), end)
        self.assertLess(len(content), 6_000)

    def test_readableMeanwhile(self) -> None:
        """When a connection has ended, or after a second, what was said is in the file."""
        capture = CaptureFile(self.path)
        first = capture.begin(CLIENT, SERVER, NOW)
        first.data(True, b"first", NOW)
        exchange(first, NOW)
        self.assertIn(b"first", self.path.read_bytes())
        second = capture.begin(CLIENT, SERVER, NOW)
        second.data(True, b"second", NOW)
        second.data(False, b"third", NOW + 2 * SECOND)
        self.assertIn(b"second", self.path.read_bytes())
        capture.close()

    def test_left(self) -> None:
        """So it is when only one side was seen to end, because ours has closed and gone."""
        capture = CaptureFile(self.path)
        connection = capture.begin(CLIENT, SERVER, NOW)
        connection.data(True, b"said", NOW)
        connection.end(False, "FIN", NOW)
        connection.leave()
        self.assertIn(b"said", self.path.read_bytes())
        connection.leave()
        capture.close()

    def test_noAddresses(self) -> None:
        """A connection without addresses of its own has made-up ones, and says so."""
        capture = CaptureFile(self.path)
        for name in (None, Address("/run/socket", 0)):
            exchange(capture.begin(name, SERVER, NOW), NOW, 5, 5)
        capture.close()
        first, second = heard(self.path)
        self.assertNotEqual(first.client, second.client)
        self.assertEqual({first.client.host, second.client.host}, {"127.0.0.1"})
        self.assertEqual(self.path.read_bytes().count(b"The addresses are made up"), 2)

    def test_fullDisk(self) -> None:
        """Where a file cannot be written, connections go on, it is said once, and what is there can be read."""
        capture, keys = CaptureFile(self.path), KeyLogFile(self.folder / "keys")
        first, second = (capture.begin(CLIENT._replace(port=port), SERVER, NOW) for port in (1, 2))
        exchange(first, NOW, 100)
        keys.write(LINE % 1)
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        with logged() as events:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.path.stat().st_size + 100, old[1]))
            try:
                exchange(second, NOW, 100_000, 100_000)
                for number in range(100):
                    keys.write(LINE % number)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, old)
            exchange(capture.begin(CLIENT, SERVER, NOW), NOW, 5)
        capture.close()
        self.assertEqual([event["problem"] for event in events], ["File too large"] * 2)
        self.assertTrue(capture.isStopped and keys.isStopped)
        self.assertEqual([len(connection.data_[True]) for connection in heard(self.path)], [100, 0])
        self.assertTrue((self.folder / "keys").read_bytes().endswith(b"\n"))

    def test_takenName(self) -> None:
        """Where a file cannot be set aside, nothing is captured any more, and nothing is raised."""
        capture = CaptureFile(self.path, 1 << 19, 2)
        (self.folder / "capture.pcapng.1").mkdir()
        with logged() as events:
            for _ in range(3):
                exchange(capture.begin(CLIENT, SERVER, NOW), NOW, 400_000)
        self.assertEqual(len(events), 1)
        self.assertTrue(capture.isStopped)


class KeyLogs(SynchronousTestCase):
    """A key log is a file of lines that other programs read."""

    def setUp(self) -> None:
        self.path = linkedFolder(self) / "keys"

    def test_appended(self) -> None:
        """Lines are behind those that are there, each at once."""
        for number in (1, 2):
            keys = KeyLogFile(self.path)
            keys.write(LINE % number)
            self.assertTrue(self.path.read_bytes().endswith(LINE % number + b"\n"))
            keys.close()
        self.assertEqual(self.path.read_bytes(), LINE % 1 + b"\n" + LINE % 2 + b"\n")

    def test_bounded(self) -> None:
        """A full one is kept under another name, in the place of an older one."""
        keys = KeyLogFile(self.path, 300)
        for number in range(10):
            keys.write(LINE % number)
        keys.close()
        older = Path(f"{self.path}.1")
        self.assertEqual((older.read_bytes() + self.path.read_bytes()).count(b"\n"), 4)
        self.assertLess(older.stat().st_size, 300)
        self.assertEqual(stat.S_IMODE(older.stat().st_mode), 0o600)

    def test_whatIsOthers(self) -> None:
        """What is no key log is neither appended to nor replaced, when it begins and when it is full."""
        older = self.path.with_name("keys.1")
        for text in ("mine\n", "# mine\n", "CLIENT_RANDOM 00 11\nmine\n"):
            for path in (self.path, older):
                path.write_text(text)
                path.chmod(0o600)
                with self.assertRaises(OSError) as raised:
                    KeyLogFile(self.path)
                self.assertEqual(raised.exception.strerror, f"{path.name}: it is there and no key log, so it is kept")
                self.assertEqual(path.read_text(), text)
                path.unlink()
        keys = KeyLogFile(self.path, 300)
        older.write_text("mine")
        with logged() as events:
            for number in range(10):
                keys.write(LINE % number)
        self.assertEqual([event["problem"].partition(":")[0] for event in events], ["keys.1"])
        self.assertEqual((older.read_text(), self.path.read_bytes().count(b"\n")), ("mine", 2))

    def test_otherPrograms(self) -> None:
        """What other programs have begun is appended to, with a comment before it and a line that is not whole."""
        begun = b"# SSL/TLS secrets log file, generated by NSS\r\n" + LINE % 1 + b"\r\n\r\nCLIENT_RANDOM 00"
        self.path.write_bytes(begun)
        self.path.chmod(0o600)
        KeyLogFile(self.path).close()
        self.assertEqual(self.path.read_bytes(), begun)

    def test_anotherUsers(self) -> None:
        """One that is another user's is set aside, and secrets are written into a new one only."""
        KeyLogFile(self.path).close()
        identifier = os.geteuid() + 1
        # The new file would be another user's as well, so it is refused here, where no user can be changed.
        patched = self.patch(os, "geteuid", lambda: identifier)
        self.assertRaises(PermissionError, KeyLogFile, self.path)
        patched.restore()
        older = self.path.with_name("keys.1")
        self.assertEqual([path.stat().st_size for path in (older, self.path)], [0, 0])

    def test_refused(self) -> None:
        """Secrets are not written where others can read them, or through a link, or into a pipe."""
        self.path.touch(0o644)
        link, second, pipe = (self.path.with_name(name) for name in ("link", "second", "pipe"))
        link.symlink_to(self.path)
        os.mkfifo(pipe)
        for path in (self.path, link, pipe, self.path.parent):
            self.assertRaises(OSError, KeyLogFile, path)
        self.path.chmod(0o600)
        second.hardlink_to(self.path)
        self.assertRaises(OSError, KeyLogFile, self.path)
