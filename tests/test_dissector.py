"""What was said over TLS is read from the bytes of both directions, sealed or not, however they arrive."""

from random import Random

from hypothesis import given, settings, strategies
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.test_beginning import CLIENT_HELLO
from tests.tsharkfields import CAPTURES
from tests.wiretraffic import Traffic, context, dissected, fed, names, pieces
from tlscomm._wire.decoding import decode
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.eventlist import Run
from tlscomm._wire.events import Kind, Protection
from tlscomm._wire.secrets import Secrets
from tlscomm.drawing._steps import Omission, steps
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._captures import readCaptures

_FULL_13 = [
    ">ClientHello",
    "<ServerHello",
    "<ChangeCipherSpec",
    "<EncryptedExtensions",
    "<CertificateRequest",
    "<Certificate",
    "<CertificateVerify",
    "<Finished",
    ">ChangeCipherSpec",
    ">Certificate",
    ">CertificateVerify",
    ">Finished",
    "<NewSessionTicket",
    "<NewSessionTicket",
    ">ApplicationData",
    "<ApplicationData",
    ">close_notify",
]

_FULL_12 = [
    ">ClientHello",
    "<ServerHello",
    "<Certificate",
    "<ServerKeyExchange",
    "<CertificateRequest",
    "<ServerHelloDone",
    ">Certificate",
    ">ClientKeyExchange",
    ">CertificateVerify",
    ">ChangeCipherSpec",
    ">Finished",
    "<NewSessionTicket",
    "<ChangeCipherSpec",
    "<Finished",
    ">ApplicationData",
    "<ApplicationData",
    ">close_notify",
]


def conversation(version: int, suite: str = "", *, isRSA: bool = False) -> Traffic:
    """Have both sides say something, and the client close."""
    sides = [context(role, version, suite, isRSA=isRSA) for role in ("client", "server")]
    traffic = Traffic(*sides).pump().say(True, b"How are you?").say(False, b"Fine.")
    traffic.client.shutdown()
    return traffic.pump()


class Version13(SynchronousTestCase):
    def test_isReadWithSecrets(self) -> None:
        """Every message is named, of each suite."""
        for suite in (
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_AES_128_CCM_SHA256",
            "TLS_AES_128_CCM_8_SHA256",
        ):
            self.assertEqual(names(dissected(conversation(SSL.TLS1_3_VERSION, suite))), _FULL_13, suite)

    def test_showsSizesWithoutSecrets(self) -> None:
        """Each sealed record is there with its length, and nothing is said of what is in it."""
        traffic = conversation(SSL.TLS1_3_VERSION)
        opened, closed = dissected(traffic), dissected(traffic, withKeys=False)
        self.assertEqual([each.kind for each in closed if each.isSealed], [Kind.SEALED] * 6)
        self.assertEqual(
            [record.length for each in closed if each.isSealed for record in each.records],
            [record.length for each in opened if each.isSealed for record in each.records],
        )

    def test_knowsWhichKeysARecordIsUnder(self) -> None:
        events = dissected(conversation(SSL.TLS1_3_VERSION))
        found = {each.name: each.records[0].protection for each in events}
        self.assertEqual(found["EncryptedExtensions"], Protection.HANDSHAKE)
        self.assertEqual(found["Finished"], Protection.HANDSHAKE)
        self.assertEqual(found["NewSessionTicket"], Protection.APPLICATION)
        self.assertEqual(found["ServerHello"], Protection.NONE)


class Version12(SynchronousTestCase):
    def test_isReadWithSecrets(self) -> None:
        """Every message is named, of each kind of suite."""
        for suite in (
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-ECDSA-AES128-CCM",
            "ECDHE-ECDSA-AES256-CCM8",
            "ECDHE-ECDSA-AES128-SHA",
            "ECDHE-ECDSA-AES128-SHA256",
            "ECDHE-ECDSA-AES256-SHA384",
        ):
            self.assertEqual(names(dissected(conversation(SSL.TLS1_2_VERSION, suite))), _FULL_12, suite)

    def test_olderVersionsAreReadToo(self) -> None:
        for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
            self.assertEqual(names(dissected(conversation(version))), _FULL_12)

    def test_isNamedWithoutSecretsAsFarAsTheRecordsTell(self) -> None:
        expected = [*_FULL_12[:-1], ">EncryptedAlert"]
        self.assertEqual(names(dissected(conversation(SSL.TLS1_2_VERSION), withKeys=False)), expected)


class Pieces(SynchronousTestCase):
    def test_anyPiecesSayTheSame(self) -> None:
        """Bytes may come one by one, or all at once."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            traffic = conversation(version)
            whole = names(dissected(traffic))
            for size in (1, 2, 7, 1000):
                self.assertEqual(names(fed(pieces(traffic.flights, size), traffic.keys).events), whole)


class Hostile(SynchronousTestCase):
    """What a stranger sends is bounded in memory and output, whatever it is."""

    def test_whatIsNoTLSIsSaidOnce(self) -> None:
        """The other direction is still read, for the answer to it."""
        events = fed([(True, b"GET / HTTP/1.1\r\n" * 1000), (True, b"more"), (False, b"\x15\3\1\0\2\2\x46")]).events
        self.assertEqual([each.kind for each in events], [Kind.DAMAGED, Kind.ALERT])
        self.assertTrue(events[0].content.startswith(b"GET / HTTP"))
        self.assertEqual((events[0].detail, len(events[0].content)), ("it seems to speak plain HTTP", 64))

    def test_whatIsNoTLSIsCounted(self) -> None:
        """All bytes of it count, however they are divided, and whatever the other side says between."""
        flights = [
            (True, b"GET / HTTP/1.1\r\n\r\n"),
            (False, b"HTTP/1.1 400 no\r\n\r\n" + bytes(300)),
            (True, bytes(500)),
        ]
        for size in (6, 1000):
            self.assertEqual([each.size for each in fed(pieces(flights, size)).events], [518, 319])

    def test_otherProtocolsAreNamed(self) -> None:
        """A side that begins with another protocol is said to; what comes behind records is no beginning."""
        for opening, said in (
            (b"SSH-2.0-x\r\n", "SSH"),
            (b"220 mail\r\n", "SMTP"),
            (b"PROXY TCP4 ", "PROXY header"),
            (b"\x16\xfe\xff\0\0", "DTLS"),
            (b"what is it", "no record"),
            (b"\x15\3\1\0\2\1\0GET / HTTP/1.1", "no record"),
        ):
            self.assertIn(said, fed([(True, opening)]).events[-1].detail)

    def test_aMessageThatIsTooLongIsNotPutTogether(self) -> None:
        flights = [(True, b"\x16\3\1\x40\0\x0b\xff\xff\xff" + bytes(0x3FFC))] * 20
        events = fed(flights).events
        self.assertEqual([each.kind for each in events], [Kind.DAMAGED])

    def test_eventsAreBounded(self) -> None:
        """Thousands of small messages and records are a few hundred events, the first and the last ones."""
        for piece in (b"\x16\3\1\0\x08\0\0\0\0\0\0\0\0", b"\x15\3\1\0\2\1\x5a", b"\x14\3\1\0\1\1", b"\x16\3\1\0\0"):
            events = fed([(True, piece * 500), (False, piece * 500)]).events
            self.assertLess(len(events), 400)
        turns = [(number % 2 == 0, b"\x17\3\3\0\x20" + bytes(32)) for number in range(1000)]
        events = fed(turns).events
        self.assertLess(len(events), 100)
        self.assertEqual(sum(each.count for each in events), 1000)
        self.assertEqual(sum(each.size for each in events), 1000 * 37)

    def test_aHandshakeHasFewMessages(self) -> None:
        """Nothing more is read of a side that says more, or in more and smaller records, than any handshake does."""
        for piece in (
            b"\x16\3\1\x04\0" + bytes(0x400),
            b"\x15\3\1\0\2\1\x5a" * 256,
            b"\x14\3\1\0\1\1" * 256,
            b"\x16\3\1\0\1\x0b" * 600,
        ):
            dissector = fed([(True, piece)] * 3)
            events = dissector.events
            self.assertEqual(events[-1].kind, Kind.DAMAGED)
            self.assertIn("than any", events[-1].detail)
            dissector.feed(True, piece, 4)
            self.assertEqual(len(dissector.events), len(events))

    def test_whatIsLeftOutIsCounted(self) -> None:
        """Where there are too many events, one of each side stands for those between the first and the last."""
        alert = b"\x15\3\1\0\2\1\x5a"
        events = fed([(number % 3 != 0, alert) for number in range(600)]).events
        omitted = [each for each in events if each.kind is Kind.OMITTED]
        self.assertEqual([each.isFromClient for each in omitted], [True, False])
        for isFromClient, count in ((True, 400), (False, 200)):
            of = [each for each in events if each.isFromClient is isFromClient]
            self.assertEqual(sum(each.count for each in of), count)
            self.assertEqual(sum(each.size for each in of), count * len(alert))
        trace = assemble(events, number=1, client=None, server=None, isFinished=True, hasSecrets=False)
        self.assertEqual(sum(span.bytesFromClient for span in trace.spans), 400 * len(alert))
        self.assertEqual(sum(each.count for each in steps(trace) if isinstance(each, Omission)), 600 - 64)
        told = trace.toJSON()["events"]
        self.assertEqual(
            [each["count"] for each in told if each["kind"] == "omitted"], [each.count for each in omitted]
        )

    def test_whatIsHeldIsGivenUp(self) -> None:
        """Asked to hold less, it keeps the order of messages; first it gives up records of data, and then contents."""
        hello = CLIENT_HELLO + b"\x16\3\3\x40\4\x0b\0\x40\0" + bytes(0x4000)
        turns = [(number % 2 == 0, b"\x17\3\3\0\x20" + bytes(32)) for number in range(100)]
        dissector = fed([(True, hello), *((side, data * 60) for side, data in turns)])
        before = dissector.held
        dissector.giveUp(1000)
        self.assertLess(dissector.held, before // 2)
        self.assertEqual(len(dissector.events[1].content), 0x4004)
        dissector.feed(True, b"\x16\3\3\x40\0\x0b\1\0\0" + bytes(0x3FFC), 1001)
        dissector.giveUp(1002)
        self.assertLess(dissector.held, 20_000)
        events = dissector.events
        self.assertEqual([each.name for each in events[:2]], ["ClientHello", "Certificate"])
        self.assertEqual([(each.content, each.detail) for each in events[:2]], [(b"", "too much to keep")] * 2)
        self.assertTrue(any(each.kind is Kind.OMITTED for each in events))
        assemble(events, number=1, client=None, server=None, isFinished=True, hasSecrets=False)

    def test_applicationDataIsAddedToInPlace(self) -> None:
        """What was kept before is not copied with each record."""
        run = Run((Kind.APPLICATION_DATA, True, "ApplicationData", Protection.APPLICATION, 0))
        content = run.content
        for number in range(100):
            run.content += b"x"
            run.extend((number, 0, None, 23, 0x303, 1, Protection.APPLICATION, None, False), 6)
        self.assertIs(run.content, content)
        self.assertEqual(run.event.content, b"x" * 100)

    def test_theEndOfALongConnectionIsThere(self) -> None:
        """However much is said, how it ended is kept."""
        alert = b"\x15\3\3\0\2\2\x28"
        events = fed([(True, b"\x17\3\3\0\1a\x14\3\3\0\1\1" * 900), (False, alert)]).events
        self.assertEqual(events[-1].name, "handshake_failure")

    def test_anyBytesAreRead(self) -> None:
        """Bytes of real connections, damaged anywhere, cut anywhere and missing anywhere, raise nothing."""
        traffic = [conversation(version) for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)]

        @settings(max_examples=20, deadline=None, derandomize=True)
        @given(strategies.integers(0, 1 << 64), strategies.sampled_from(traffic))
        def run(seed: int, chosen: Traffic) -> None:
            random = Random(seed)
            secrets = Secrets()
            secrets.add(chosen.keys)
            dissector = Dissector(secrets, 100)
            for isFromClient, data in pieces(chosen.flights, random.choice((50, 1448, 1 << 20))):
                damaged = bytearray(data)
                for _ in range(random.choice((0, 0, 1, 3))):
                    damaged[random.randrange(len(damaged))] = random.randrange(256)
                if random.random() < 0.1:
                    dissector.skip(isFromClient, random.choice((1, len(data), 1 << 40)), 0)
                else:
                    dissector.feed(isFromClient, bytes(damaged), 0)
            for event in dissector.events:
                for field in decode(event):
                    self.assertTrue(all(each.text.isprintable() for each in field.walk()))

        run()


class Beginnings(SynchronousTestCase):
    def test_mayHaveTheFormOfSSL2(self) -> None:
        """A client that may speak to a server that old begins so (RFC 5246, appendix E.2)."""
        hello = b"\1\3\1\0\6\0\0\0\x10" + b"\0\0\x2f\0\0\xff" + bytes(range(16))
        (event,) = fed([(True, bytes((0x80, len(hello))) + hello)]).events
        self.assertEqual((event.name, event.size), ("ClientHello", len(hello) + 2))
        fields = {each.name: each for field in decode(event) for each in field.walk()}
        self.assertEqual(fields["version"].text, "TLS 1.0")
        self.assertEqual(fields["challenge"].value, bytes(range(16)))
        self.assertEqual(fields["cipher_specs"].text, "TLS_RSA_WITH_AES_128_CBC_SHA, TLS_EMPTY_RENEGOTIATION_INFO_SCSV")

    def test_anAlertMayComeAtAnyTime(self) -> None:
        """In the clear under TLS 1.3 too, when keys exist: a client of OpenSSL refuses so."""
        traffic = Traffic(context("client", SSL.TLS1_3_VERSION), context("server", SSL.TLS1_3_VERSION))
        traffic.pump()
        refusal = [*traffic.flights[:2], (True, b"\x15\3\3\0\2\2\x30")]
        for keys in (b"", traffic.keys):
            self.assertEqual(names(fed(refusal, keys).events)[-1], ">unknown_ca")


class EarlyData(SynchronousTestCase):
    def test_isReadWhereTheServerRefusesIt(self) -> None:
        """The client's key log opens it, with the session resumed and without (RFC 8446, section 4.2.10)."""
        client, first = (context(role, SSL.TLS1_3_VERSION, wantsPeer=False) for role in ("client", "server"))
        SSL._lib.SSL_CTX_set_max_early_data(first._context, 1 << 14)
        # OpenSSL forgets the session of a connection that goes away without being closed.
        before = Traffic(client, first).pump()
        session = before.client.get_session()
        for server in (first, context("server", SSL.TLS1_3_VERSION, wantsPeer=False)):
            traffic = Traffic(client, server, session)
            SSL._lib.SSL_write_early_data(traffic.client._ssl, b"early", 5, SSL._ffi.new("size_t*"))
            events = dissected(traffic.pump().say(True, b"late"))
            self.assertEqual("<Certificate" in names(events), server is not first)
            self.assertEqual([each for each in events if each.kind is Kind.SEALED], [])
            data = [each for each in events if each.kind is Kind.APPLICATION_DATA]
            self.assertEqual([each.records[0].protection for each in data], [Protection.EARLY, Protection.APPLICATION])


class Captured(SynchronousTestCase):
    """What OpenSSL in memory does not do is in captures of real programs."""

    def check(self, name: str) -> list[list[str]]:
        secrets = Secrets()
        secrets.add((CAPTURES / name).with_suffix(".keys").read_bytes())
        traces = list(readCaptures([str(CAPTURES / name)], secrets))
        events = [event for trace in traces for event in trace.events]
        self.assertEqual([event for event in events if event.kind in (Kind.SEALED, Kind.DAMAGED)], [])
        return [names(event for event in trace.events if event.kind is not Kind.TCP) for trace in traces]

    def test_keyUpdatesAreFollowed(self) -> None:
        (said, *_) = self.check("key-update.pcap")
        self.assertIn(">KeyUpdate", said)
        self.assertIn("<KeyUpdate", said)
        self.assertIn("ApplicationData", said[-3] + said[-4])

    def test_earlyDataIsReadWhereItIsAccepted(self) -> None:
        said = self.check("early-data.pcap")
        self.assertTrue(any(">EndOfEarlyData" in each for each in said))
        self.assertTrue(any(each[1:3] == [">ChangeCipherSpec", ">ApplicationData"] for each in said))

    def test_renegotiationIsFollowed(self) -> None:
        said = self.check("renegotiated.pcap")
        self.assertTrue(any(each.count(">ClientHello") == 2 and each.count(">Finished") == 2 for each in said))

    def test_aSessionIsResumedWithoutALineOfItsOwn(self) -> None:
        """Go writes no line for it; the ticket tells which secret it is."""
        said = self.check("resumed-go-1.2.pcap")
        self.assertNotIn("<Certificate", said[1])
        self.assertIn("<Finished", said[1])

    def test_aRetryIsNamed(self) -> None:
        said = self.check("retry-openssl.pcap")
        self.assertIn("<HelloRetryRequest", said[0])
