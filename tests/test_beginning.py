"""Where TLS is found in a connection, and what is said of what comes before it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.beginning import Beginning
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.recordsearch import answerAt
from tlscomm._wire.secrets import Secrets

_BODY = b"\x03\x03" + bytes(range(32)) + b"\x00\x00\x04\x13\x01\x13\x02\x01\x00\x00\x00"
HELLO = b"\x01\x00\x00" + bytes([len(_BODY)]) + _BODY
CLIENT_HELLO = b"\x16\x03\x01\x00" + bytes([len(HELLO)]) + HELLO

_ANSWER = b"\x03\x03" + bytes(range(32, 64)) + b"\x00\x13\x01\x00\x00\x00"
SERVER_HELLO = b"\x16\x03\x03\x00" + bytes([len(_ANSWER) + 4]) + b"\x02\x00\x00" + bytes([len(_ANSWER)]) + _ANSWER

ALERT = b"\x15\x03\x01\x00\x02\x02\x28"

Turn = tuple[str, bytes]


def read(*turns: Turn, isCut: bool = False) -> Beginning:
    """Read a connection: what each side says, ``>`` the first one. Cut, every byte comes alone."""
    beginning = Beginning(lambda: Dissector(Secrets()))
    beginning.step(True, "SYN", 1, 1)
    beginning.step(False, "SYN", 2, 2)
    number = 3
    for side, data in turns:
        for piece in (data[at : at + 1] for at in range(len(data))) if isCut else [data]:
            beginning.data(side == ">", piece, number, number)
            number += 1
    beginning.ended()
    return beginning


def events(beginning: Beginning) -> list[Event]:
    return [] if beginning.dissector is None else list(beginning.dissector.events)


def prefaces(beginning: Beginning) -> list[tuple[str, str, int, str]]:
    found = [event for event in events(beginning) if event.kind is Kind.PREFACE]
    return [(">" if event.isFromClient else "<", event.name, event.size, event.detail) for event in found]


def handshakes(beginning: Beginning) -> list[str]:
    return [event.name for event in events(beginning) if event.kind is Kind.HANDSHAKE]


BOTH = ["ClientHello", "ServerHello"]


class Directly(SynchronousTestCase):
    def test_atOnce(self) -> None:
        """TLS from the first byte on, however the bytes are divided; TCP's steps come before it."""
        for isCut in (False, True):
            beginning = read((">", CLIENT_HELLO), ("<", SERVER_HELLO), isCut=isCut)
            self.assertEqual(handshakes(beginning), BOTH)
            self.assertTrue(beginning.isClientFirst)
            self.assertEqual([event.name for event in events(beginning)][:2], ["SYN", "SYN"])
            self.assertEqual(prefaces(beginning), [])

    def test_otherSide(self) -> None:
        """The client is the side that sends the ClientHello, also where the other one has opened the connection."""
        beginning = read(("<", CLIENT_HELLO), (">", SERVER_HELLO))
        self.assertEqual(handshakes(beginning), BOTH)
        self.assertFalse(beginning.isClientFirst)
        self.assertEqual([event.isFromClient for event in events(beginning)], [False, True, True, False])

    def test_dividedHello(self) -> None:
        """A ClientHello may be divided between records, and may come in the form of SSL 2."""
        parts = [b"\x16\x03\x01\x00" + bytes([len(part)]) + part for part in (HELLO[:1], HELLO[1:9], HELLO[9:])]
        self.assertEqual(handshakes(read((">", b"".join(parts)), ("<", SERVER_HELLO))), BOTH)
        old = b"\x01\x03\x01\x00\x03\x00\x00\x00\x10\x00\x00\x2f" + bytes(16)
        self.assertEqual(handshakes(read((">", b"\x80" + bytes([len(old)]) + old), ("<", SERVER_HELLO)))[-1:], BOTH[1:])

    def test_endsEarly(self) -> None:
        """A connection that ends inside the ClientHello's header is one of TLS."""
        self.assertTrue(read((">", CLIENT_HELLO[:4])).isTLS)


class Dialogues(SynchronousTestCase):
    def check(self, protocol: str, turns: list[Turn], *said: tuple[str, str]) -> None:
        """TLS is found behind a dialogue, and each turn of it is told with its size."""
        beginning = read(*turns, (">", CLIENT_HELLO), ("<", SERVER_HELLO))
        self.assertEqual(handshakes(beginning), BOTH, protocol)
        self.assertEqual([event.kind for event in events(beginning)].count(Kind.DAMAGED), 0, protocol)
        sizes = [(side, protocol, len(data)) for side, data in turns]
        found = prefaces(beginning)
        self.assertEqual([turn[:3] for turn in found], sizes, protocol)
        self.assertEqual([(side, detail) for side, _, _, detail in found if detail], list(said), protocol)
        whole = read(*turns, (">", CLIENT_HELLO), ("<", SERVER_HELLO), isCut=True)
        self.assertEqual(handshakes(whole), BOTH, protocol)

    def test_mail(self) -> None:
        """SMTP, LMTP, IMAP, POP3 and ManageSieve."""
        smtp = [("<", b"220 mail ESMTP\r\n"), (">", b"EHLO me\r\n"), ("<", b"250-mail\r\n250 STARTTLS\r\n")]
        start = [(">", b"STARTTLS\r\n"), ("<", b"220 ready\r\n")]
        self.check("SMTP", smtp + start, (">", "STARTTLS"))
        lmtp = [("<", b"220 mail LMTP\r\n"), (">", b"LHLO me\r\n"), ("<", b"250 STARTTLS\r\n")]
        self.check("LMTP", lmtp + start, (">", "STARTTLS"))
        self.check(
            "IMAP", [("<", b"* OK hi\r\n"), (">", b"a1 STARTTLS\r\n"), ("<", b"a1 OK go\r\n")], (">", "STARTTLS")
        )
        self.check("POP3", [("<", b"+OK hi\r\n"), (">", b"STLS\r\n"), ("<", b"+OK\r\n")], (">", "STLS"))
        sieve = [("<", b'"IMPLEMENTATION" "x"\r\n"STARTTLS"\r\nOK\r\n'), (">", b"STARTTLS\r\n"), ("<", b"OK\r\n")]
        self.check("ManageSieve", sieve, (">", "STARTTLS"))

    def test_others(self) -> None:
        """FTP, NNTP, IRC, XMPP and LDAP."""
        self.check("FTP", [("<", b"220 ftp\r\n"), (">", b"AUTH TLS\r\n"), ("<", b"234 go\r\n")], (">", "AUTH TLS"))
        self.check("NNTP", [("<", b"200 news\r\n"), (">", b"STARTTLS\r\n"), ("<", b"382 go\r\n")], (">", "STARTTLS"))
        irc = [
            (">", b"CAP LS 302\r\n"),
            ("<", b":irc CAP * LS :tls\r\n"),
            (">", b"STARTTLS\r\n"),
            ("<", b":irc 670\r\n"),
        ]
        self.check("IRC", irc, (">", "STARTTLS"))
        xmpp = [(">", b"<stream:stream to='x'>"), ("<", b"<stream:features><starttls/></stream:features>")]
        xmpp += [(">", b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"), ("<", b"<proceed/>")]
        self.check("XMPP", xmpp, (">", "STARTTLS"))
        ldap = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + b"1.3.6.1.4.1.1466.20037"
        self.check(
            "LDAP", [(">", ldap), ("<", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00")], (">", "StartTLS")
        )

    def test_databases(self) -> None:
        """PostgreSQL and MySQL."""
        postgresql = [(">", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"), ("<", b"S")]
        self.check("PostgreSQL", postgresql, (">", "SSLRequest"), ("<", "the server is willing to use TLS"))
        greeting = b"\x4a\x00\x00\x00\x0a8.0.36\x00" + bytes(60)
        self.check("MySQL", [("<", greeting), (">", b"\x20\x00\x00\x01" + bytes(32))], (">", "SSLRequest"))

    def test_proxies(self) -> None:
        """HTTP's CONNECT, with the place that the client asks for and the status; a password in it is not shown."""
        asked = b"CONNECT example.com:443 HTTP/1.1\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n"
        said = ((">", "CONNECT example.com:443"), ("<", "status 200"))
        self.check("HTTP", [(">", asked), ("<", b"HTTP/1.1 200 Connection established\r\n\r\n")], *said)
        self.check(
            "SOCKS", [(">", b"\x05\x01\x00"), ("<", b"\x05\x00"), (">", b"\x05\x01\x00\x01"), ("<", b"\x05\x00")]
        )

    def test_unknown(self) -> None:
        """TLS is found behind a dialogue that is not known too."""
        self.check("preface", [("<", b"hello, who is there?"), (">", b"secure please"), ("<", b"well")])

    def test_answerWithThePreface(self) -> None:
        """The client need not wait: the server's answer to the dialogue may come behind the ClientHello."""
        asked = b"CONNECT example.com:443 HTTP/1.1\r\n\r\n"
        beginning = read((">", asked + CLIENT_HELLO), ("<", b"HTTP/1.1 200 OK\r\n\r\n" + SERVER_HELLO))
        self.assertEqual(handshakes(beginning), BOTH)

    def test_proxyHeaders(self) -> None:
        """PROXY headers of both versions, with the addresses that they tell, also before a dialogue."""
        second = b"\r\n\r\n\x00\r\nQUIT\n\x21"
        four = second + b"\x11\x00\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 9]) + b"\x9c\x40\x01\xbb"
        six = second + b"\x21\x00\x27" + bytes(15) + b"\1" + bytes(15) + b"\2" + b"\x9c\x40\x01\xbb" + b"\x04\x00\x00"
        for header, version, text in (
            (b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 443\r\n", 1, "from 192.0.2.1:40000 to 192.0.2.9:443"),
            (b"PROXY TCP6 ::1 ::2 40000 443\r\n", 1, "from [::1]:40000 to [::2]:443"),
            (b"PROXY UNKNOWN\r\n", 1, "of an unknown connection"),
            (b"PROXY TCP4 <b> 192.0.2.9 1 2\r\n", 1, "of an unknown connection"),
            (four, 2, "from 192.0.2.1:40000 to 192.0.2.9:443"),
            (six, 2, "from [::1]:40000 to [::2]:443"),
            (second[:-1] + b"\x20\x00\x00\x00", 2, "of the proxy's own connection"),
        ):
            wanted = (">", f"PROXY v{version}", len(header), text)
            beginning = read((">", header + CLIENT_HELLO), ("<", SERVER_HELLO))
            self.assertEqual((prefaces(beginning), handshakes(beginning)), ([wanted], BOTH))
            mail = [("<", b"220 mail\r\n"), (">", b"STARTTLS\r\n"), ("<", b"220 go\r\n")]
            beginning = read((">", header), *mail, (">", CLIENT_HELLO), ("<", SERVER_HELLO))
            self.assertEqual((prefaces(beginning)[0], handshakes(beginning)), (wanted, BOTH))
            self.assertEqual({turn[1] for turn in prefaces(beginning)[1:]}, {"SMTP"})

    def test_stepsOfTCPBetween(self) -> None:
        """What was said, and the steps of TCP, are told in the order of their times, however the header is divided."""
        header = b"PROXY TCP4 192.0.2.1 192.0.2.9 40000 443\r\n"
        for pieces in ([header], [header[:9], header[9:]], [header[:9], b"", header[9:]]):
            beginning = Beginning(lambda: Dissector(Secrets()))
            beginning.step(True, "SYN", 1, 1)
            for number, piece in enumerate(pieces, 2):
                if piece:
                    beginning.data(True, piece, number, number)
                else:
                    beginning.step(False, "FIN", number, number)
            if len(pieces) < 3:
                beginning.step(False, "FIN", 6, 6)
            beginning.data(True, CLIENT_HELLO, 7, 7)
            times = [event.time for event in events(beginning)]
            self.assertEqual(times, sorted(times))
            self.assertEqual([each[1] for each in prefaces(beginning)], ["PROXY v1"])

    def test_manyTurns(self) -> None:
        """A long dialogue is told in a bounded number of events."""
        turns = [(side, b"x") for _ in range(100) for side in "<>"]
        beginning = read(*turns, ("<", b"y"), (">", CLIENT_HELLO), ("<", SERVER_HELLO))
        self.assertLess(len(prefaces(beginning)), 40)
        self.assertEqual(handshakes(beginning), BOTH)


class OneSide(SynchronousTestCase):
    def test_plainServer(self) -> None:
        """A ClientHello that is answered by something else is read, and the answer is no TLS."""
        for turns in (
            [(">", CLIENT_HELLO), ("<", b"HTTP/1.1 400 Bad Request\r\n\r\n")],
            [("<", b"220 mail ESMTP\r\n"), (">", CLIENT_HELLO)],
            [(">", CLIENT_HELLO)],
        ):
            beginning = read(*turns)
            damaged = [event.isFromClient for event in events(beginning) if event.kind is Kind.DAMAGED]
            self.assertEqual(damaged, [False] * (len(turns) - 1))
            self.assertTrue(beginning.isTLS)

    def test_plainClient(self) -> None:
        """What is no TLS and is answered by an alert is read too."""
        for isCut in (False, True):
            beginning = read((">", b"GET / HTTP/1.1\r\n\r\n"), ("<", ALERT), isCut=isCut)
            self.assertTrue(beginning.isTLS and beginning.isClientFirst)
            kinds = [event.kind for event in events(beginning)]
            self.assertEqual((kinds.count(Kind.DAMAGED), kinds.count(Kind.ALERT)), (1, 1))

    def test_plainRequest(self) -> None:
        """A plain HTTP request is read where the server says that it has expected TLS, or closes without a word."""
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = b"HTTP/1.1 400 Bad Request\r\n\r\n<h1>400 The plain HTTP request was sent to HTTPS port</h1>"
        beginning = read((">", request), ("<", answer))
        self.assertEqual([event.isFromClient for event in events(beginning)][2:], [True, False])
        for closing, isRead in ((False, True), (True, False)):
            beginning = Beginning(lambda: Dissector(Secrets()))
            beginning.step(True, "SYN", 1, 1)
            beginning.data(True, request, 2, 2)
            beginning.step(closing, "FIN", 3, 3)
            beginning.ended()
            self.assertEqual(beginning.isTLS, isRead)

    def test_noTLS(self) -> None:
        """A connection in which neither side speaks TLS is none, and nothing of it is held."""
        noise = bytes(range(256)) * 400
        for turns in (
            [(">", b"GET / HTTP/1.1\r\n\r\n"), ("<", b"HTTP/1.1 200 OK\r\n\r\nhello")],
            [(">", noise), ("<", noise)],
            [(">", b"x" * 40_000 + CLIENT_HELLO)],
            [],
        ):
            for isCut in (False, True):
                beginning = read(*turns, isCut=isCut)
                self.assertEqual((beginning.isTLS, beginning.dissector), (False, None))

    def test_storedHello(self) -> None:
        """A ClientHello inside something else that is not answered by TLS is none of this connection."""
        beginning = read((">", b"here is a file: " + CLIENT_HELLO), ("<", b"thank you for this file"))
        self.assertEqual(beginning.isTLS, False)


class Torn(SynchronousTestCase):
    def test_missingBeginning(self) -> None:
        """A connection whose beginning was not captured is read from a record on; a ServerHello tells the sides."""
        for isClientFirst in (True, False):
            beginning = Beginning(lambda: Dissector(Secrets()), isClientFirst)
            beginning.data(True, SERVER_HELLO, 1, 1)
            # What comes first of the other side is the rest of a record.
            beginning.data(False, bytes(9) + b"\x17\x03\x03\x00\x13" + bytes(19), 2, 2)
            beginning.ended()
            self.assertFalse(beginning.isClientFirst)
            self.assertEqual(handshakes(beginning), ["ServerHello"])
            sealed = [
                event.isFromClient for event in events(beginning) if event.kind in (Kind.APPLICATION_DATA, Kind.SEALED)
            ]
            self.assertEqual(sealed, [True])
            self.assertNotIn(Kind.DAMAGED, [event.kind for event in events(beginning)])

    def test_gap(self) -> None:
        """Behind a gap at the beginning too; what is no record there is passed over."""
        beginning = Beginning(lambda: Dissector(Secrets()))
        beginning.step(True, "SYN", 1, 1)
        beginning.step(False, "SYN", 2, 2)
        beginning.missing(True, 300, 3, 3)
        beginning.data(False, SERVER_HELLO, 4, 4)
        beginning.data(True, ALERT, 5, 5)
        beginning.ended()
        self.assertTrue(beginning.isTLS and beginning.isClientFirst)
        kinds = [event.kind for event in events(beginning)]
        self.assertEqual((kinds.count(Kind.GAP), kinds.count(Kind.ALERT)), (1, 1))
        self.assertEqual(handshakes(beginning), ["ServerHello"])

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_anything(self, data: st.DataObject) -> None:
        """Whatever two sides say, it is decided in the end whether it is TLS."""
        known = [CLIENT_HELLO, SERVER_HELLO, ALERT, b"STARTTLS\r\n", b"PROXY TCP4 ", b"\r\n", b"220 x\r\n", b"\x16\x03"]
        said = st.one_of(st.sampled_from([*known, b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"]), st.binary(max_size=20))
        beginning = Beginning(lambda: Dissector(Secrets()), data.draw(st.booleans()))
        for number, (kind, isFirst, content) in enumerate(
            data.draw(st.lists(st.tuples(st.integers(0, 5), st.booleans(), said), max_size=12))
        ):
            if kind == 0:
                beginning.step(isFirst, "SYN", number, number)
            elif kind == 1:
                beginning.missing(isFirst, 9, number, number)
            elif content:
                beginning.data(isFirst, content, number, number)
        beginning.ended()
        self.assertIn(beginning.isTLS, (True, False))
        self.assertEqual(beginning.isTLS, beginning.dissector is not None)


class Answers(SynchronousTestCase):
    def test_areSearchedForInEachByteOnce(self) -> None:
        """What has been searched is not searched again when more comes, however small the pieces are."""
        said = b"220 ready\r\n" + SERVER_HELLO
        self.assertEqual(answerAt(said, 0), 11)
        self.assertEqual(answerAt(said, 12), -1)
        said = b"." + b"\x16\x03" * 100 + SERVER_HELLO
        beginning = read((">", b"EHLO x\r\n" + CLIENT_HELLO), ("<", said), isCut=True)
        self.assertEqual(handshakes(beginning), BOTH)
        self.assertEqual(prefaces(beginning)[-1][2], 201)
