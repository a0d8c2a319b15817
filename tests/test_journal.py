"""What goes into systemd's journal, as the journal gets it."""

from __future__ import annotations

import array
import json
import os
import socket
import tempfile
from typing import Any

from twisted.internet.task import Clock
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CertificateFacts, Expired, TooManyHandshakes
from tlscomm.serving import _journal
from tlscomm.serving._journal import Journal, JournalRecords, openJournal
from tlscomm.transport._eventlog import Moment

FACTS = CertificateFacts("CN=anna", "CN=us", "1", "2025-01-01", "2025-11-28", "sha256:00")


def parsed(record: bytes) -> dict[str, str]:
    """Read a record of the journal's protocol."""
    fields, rest = {}, record
    while rest:
        line, _, rest = rest.partition(b"\n")
        name, isShort, value = line.partition(b"=")
        if not isShort:
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + size], rest[9 + size :]
        fields[name.decode()] = value.decode()
    return fields


class JournalTests(SynchronousTestCase):
    """Records, with a socket in the place of the journal's."""

    def setUp(self) -> None:
        # The path of a socket is short.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.address = f"{folder.name}/socket"
        self.socket = self.listen()
        self.clock = Clock()
        self.said: list[str] = []
        self.patch(_journal, "_complainOnTerminal", self.said.append)
        self.journal = Journal(self.clock, self.address)
        self.addCleanup(self.journal.close)

    def listen(self) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.bind(self.address)
        listening.setblocking(False)
        self.addCleanup(listening.close)
        return listening

    def received(self) -> dict[str, str]:
        return parsed(self.socket.recv(1 << 20))

    def event(self, failure: Any) -> dict[str, Any]:
        facts = {"connection": 7, "peer": "192.0.2.1:5000", "failure": failure}
        return {"event": "refused", "level": "warn", "time": Moment(1.0), **facts}

    def test_event(self) -> None:
        """An event is a record with its facts as fields, a sentence for people, and the whole of it as JSON."""
        self.journal(self.event(Expired(certificate=FACTS)))
        fields = self.received()
        whole = json.loads(fields.pop("TLSCOMM_JSON"))
        self.assertEqual((whole["event"], whole["version"], whole["failure"]["code"]), ("refused", 1, "expired"))
        self.assertTrue(fields.pop("MESSAGE").startswith("connection 7 from 192.0.2.1:5000 refused, expired: "))
        self.assertEqual(
            fields,
            {
                "PRIORITY": "4",
                "SYSLOG_IDENTIFIER": "tlscomm",
                "TLSCOMM_EVENT": "refused",
                "TLSCOMM_CONNECTION": "7",
                "TLSCOMM_PEER": "192.0.2.1:5000",
                "TLSCOMM_CODE": "expired",
                "TLSCOMM_SIDE": "local",
                "TLSCOMM_STAGE": "handshake",
                "TLSCOMM_SUBJECT": "CN=anna",
                "TLSCOMM_FINGERPRINT": "sha256:00",
            },
        )
        self.journal(self.event(TooManyHandshakes(limit="handshakeRate")))
        self.assertEqual(self.received()["TLSCOMM_LIMIT"], "handshakeRate")

    def test_noFieldOfStrangers(self) -> None:
        """A text with line ends is one value, whatever follows them."""
        JournalRecords(self.journal)({"log_format": "{text}", "text": "one\nPRIORITY=0\nTLSCOMM_EVENT=accepted"})
        fields = self.received()
        self.assertEqual((fields["PRIORITY"], fields.get("TLSCOMM_EVENT")), ("6", None))
        self.assertEqual(fields["MESSAGE"], "one\nPRIORITY=0\nTLSCOMM_EVENT=accepted")

    def test_startedAgain(self) -> None:
        """While the journal is started again, records wait; the terminal is told once."""
        self.socket.close()
        os.unlink(self.address)
        for _ in range(3):
            self.journal(self.event(Expired()))
            self.clock.advance(1)
        self.assertEqual(len(self.said), 1)
        self.socket = self.listen()
        self.clock.advance(1)
        self.assertEqual([self.received()["TLSCOMM_CODE"] for _ in range(3)], ["expired"] * 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """A journal that takes nothing is not waited for; what is lost is counted where it is missing."""
        for _ in range(3000):
            self.journal.record("x" * 1000, "info", {})
        received = 0
        while True:
            try:
                fields = self.received()
            except BlockingIOError:
                if not self.clock.getDelayedCalls():
                    break
                self.clock.advance(1)
                continue
            received += 1
        self.assertEqual((fields["TLSCOMM_EVENT"], int(fields["TLSCOMM_COUNT"]) + received - 1), ("lost", 3000))

    def test_long(self) -> None:
        """What is too long for a datagram is passed as a file, which is closed here."""
        before = len(os.listdir("/proc/self/fd"))
        self.journal.record("x" * 500_000, "info", {})
        room = socket.CMSG_SPACE(array.array("i", [0]).itemsize)
        content, passed, _, _ = self.socket.recvmsg(100, room)
        ((_, _, numbers),) = passed
        descriptor = int.from_bytes(numbers, "little")
        self.assertEqual(content, b"")
        with open(descriptor, "rb") as file:
            file.seek(0)
            self.assertEqual(len(parsed(file.read())["MESSAGE"]), 500_000)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_none(self) -> None:
        """Where there is no journal, the server does not start and says so."""
        self.patch(_journal, "SOCKET", "/nonexistent/socket")
        self.patch(Journal.__init__, "__defaults__", ("/nonexistent/socket",))
        self.patch(_journal, "_opened", [])
        with self.assertRaises(ValueError) as caught:
            openJournal(self.clock)
        self.assertIn("there is no journal on this machine", str(caught.exception))

    def test_options(self) -> None:
        """Twisted's log goes there too, and into no file at the same time."""
        options = ServerOptions()
        options.parseOptions(["tlscomm", "--log-format", "journal"])
        self.assertIs(options["logger"], _journal.twistdsObserver)
        with self.assertRaises(SystemExit):
            ServerOptions().parseOptions(["tlscomm", "--log-format", "journal", "--log-file", "x"])
