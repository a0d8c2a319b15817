"""What a user can rely on in the words beside the messages of a handshake."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.events import Event, Kind
from tlscomm.drawing._words import alertWords, eventName, eventWords, verdictLine
from tlscomm.failures import Alert
from tlscomm.tracing._trace import Verdict


def event(kind: Kind, name: str, *, isFromClient: bool = True, content: bytes = b"", version: int = 0x0304) -> Event:
    return Event(kind, isFromClient, 0, name, len(content), content=content, version=version)


class WordsTests(SynchronousTestCase):
    def test_alerts(self) -> None:
        """Every alert that has a name has words, which leave room for its name on a line."""
        names = {Alert(number, "received").name for number in range(256)}
        for name in (name for name in names if not name.startswith("alert_")):
            self.assertTrue(0 < len(alertWords(name)) <= 44, name)
        self.assertEqual(eventWords(event(Kind.ALERT, "alert_200")), "")

    def test_certificates(self) -> None:
        """It is said whose certificate it is, and when a side that was asked for one shows none."""
        shown = event(Kind.HANDSHAKE, "Certificate", isFromClient=False, content=b"\x0b\0\2\0\0\0\1\xfc" + bytes(508))
        self.assertEqual(eventWords(shown), "who the server is")
        none13 = event(Kind.HANDSHAKE, "Certificate", content=b"\x0b\0\0\4\0\0\0\0")
        later = event(Kind.HANDSHAKE, "Certificate", content=b"\x0b\0\0\x06\2\xff\xff\0\0\0")
        none12 = event(Kind.HANDSHAKE, "Certificate", content=b"\x0b\0\0\3\0\0\0", version=0x0303)
        for each in (none13, later, none12):
            self.assertEqual(eventWords(each), "the client shows no certificate")

    def test_names(self) -> None:
        """A name is on one line and bounded, whatever it is."""
        name = eventName(event(Kind.DAMAGED, "\x1b[31m" + "x" * 500))
        self.assertTrue(name.isprintable())
        self.assertLessEqual(len(name), 40)

    def test_verdict(self) -> None:
        """A verdict's line has its code, who refused, how certain that is and whose turn it is."""
        refused = Verdict("refused", "expired", "server", "inferred", turn="client")
        self.assertEqual(verdictLine(refused), "expired, refused by the server, inferred, the client's turn")
        self.assertEqual(verdictLine(Verdict("refused", "refused", "server")), "refused by the server, certain")
        self.assertEqual(verdictLine(Verdict("accepted")), "accepted, certain")
        self.assertEqual(verdictLine(Verdict("unfinished", certainty="unknown")), "not finished, unknown")
