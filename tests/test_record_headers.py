"""The header of a record: all that read records take the same bytes for one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.test_wire_requests import helloOf
from tlscomm._wire.alerts import fatalAlert, plainAlert
from tlscomm._wire.clienthello import chosenVersion, clientHello
from tlscomm._wire.recordheader import LONGEST, recordsIn
from tlscomm._wire.records import RecordCutter
from tlscomm._wire.recordsearch import beginsAsTLS, clientHelloAt, isAnswer, isRecords
from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.tracing._redactedstreams import RedactedStreams

#: RFC 8446, section 5.1, RFC 6520 (24), RFC 5246, section 6.2.3 (the length) and appendix E.1 (the version).
HEADERS = (
    *((kind, 0x0303, 3) for kind in (20, 21, 22, 23, 24)),
    *((22, version, 3) for version in (0x0300, 0x0304, 0x0305, 0x03FF)),
    *((23, 0x0303, length) for length in (0, 1, LONGEST)),
)
OTHERS = ((19, 0x0303, 3), (25, 0x0303, 3), (22, 0x0203, 3), (22, 0x0403, 3), (23, 0x0303, LONGEST + 1))

HELLO = helloOf()

#: The beginning of a ServerHello of TLS 1.2.
SERVER_HELLO = bytes.fromhex("02000026 0303") + bytes(36)


def record(kind: int, version: int, content: bytes) -> bytes:
    """Return a record."""
    return bytes((kind,)) + version.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def redacted(data: bytes) -> bytes:
    """Return what a client's bytes are redacted to."""
    made = bytearray(len(data))

    def place(offset: int, part: bytes) -> None:
        made[offset : offset + len(part)] = part

    streams = RedactedStreams(Pseudonyms(), True)
    streams.said(True, data, 0, 0, place)
    streams.ended()
    return bytes(made)


class Headers(SynchronousTestCase):
    def assertTaken(self, kind: int, version: int, length: int, isOne: bool) -> None:
        """Ask all that read records of any kind."""
        data = record(kind, version, bytes(length))
        self.assertEqual(bool(RecordCutter(mayBeSSL2=False).feed(data)), isOne)
        self.assertEqual(bool(list(recordsIn(data))), isOne)
        # Where nothing else says that it is TLS, the version has to be one that exists.
        self.assertEqual(isRecords(data), isOne and version <= 0x0304)
        hello = record(22, 0x0301, HELLO)
        self.assertEqual(redacted(hello + data)[len(hello) :][:5], data[:5] if isOne else bytes(5))
        self.assertEqual(fatalAlert(data + plainAlert(40), "", None), 40 if isOne else None)

    def test_areTheSameForAll(self) -> None:
        """A type, a version and a length make a record for each reader, or for none."""
        for kind, version, length in HEADERS:
            self.assertTaken(kind, version, length, isOne=True)
        for kind, version, length in OTHERS:
            self.assertTaken(kind, version, length, isOne=False)

    def test_areTheSameForHellos(self) -> None:
        """So is one with a hello in it: a connection that is made is one whose beginning is found."""
        for version, isOne in ((0x0301, True), (0x0305, True), (0x0201, False), (0x0401, False)):
            hello, answer = record(22, version, HELLO), record(22, version, SERVER_HELLO)
            self.assertEqual(clientHello(hello) == HELLO, isOne)
            self.assertEqual(beginsAsTLS(hello), isOne)
            self.assertEqual(clientHelloAt(hello, 0), 0 if isOne else -1)
            self.assertEqual(isAnswer(answer), isOne)
            self.assertEqual(chosenVersion(answer), 0x0303 if isOne else None)

    def test_mayBeCutOff(self) -> None:
        """Of the last record there may be less than its header."""
        data = record(23, 0x0303, b"abc") * 2
        self.assertTrue(all(isRecords(data[:end]) for end in range(5, len(data) + 1)))
        self.assertFalse(isRecords(data[:4]))
        self.assertFalse(isRecords(data[:8] + b"\x13"))

    def test_areWholeInARow(self) -> None:
        """Records are taken one after the other up to one that is cut off."""
        one, other = record(22, 0x0301, b"abc"), record(20, 0x0303, b"\1")
        expected = [(one[:5], one[5:]), (other[:5], other[5:])]
        for more in (b"", b"\x16", one[:5], one[:-1], b"GET / HTTP/1.1"):
            self.assertEqual(list(recordsIn(one + other + more)), expected)

    def test_ofAHelloInManyRecords(self) -> None:
        """A ClientHello is put together from records, and behind it may stand anything."""
        parts = [HELLO[at : at + 7] for at in range(0, len(HELLO), 7)]
        divided = b"".join(record(22, 0x0301, part) for part in parts)
        self.assertEqual(clientHello(divided + b"anything"), HELLO)
        self.assertEqual(clientHello(divided[:-1]), b"")
        self.assertEqual(clientHello(record(23, 0x0301, HELLO)), b"")
