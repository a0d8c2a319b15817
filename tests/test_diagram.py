"""What a user can rely on in the diagram of a trace for the terminal."""

from __future__ import annotations

from dataclasses import replace

import drawntraces
from drawntraces import CERTIFICATE, seen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._capture.packets import Address
from tlscomm._wire.events import Event, Kind, Protection, Record
from tlscomm.drawing import diagramLines, drawDiagram
from tlscomm.drawing._lines import cells
from tlscomm.drawing._quantities import durationText, sizeText
from tlscomm.failures import Problem
from tlscomm.tracing._trace import Choice, Span, Trace, Verdict

REFUSED = """\
expired, refused by the server, certain, the client's turn
The server refused the client: the client's certificate has expired.
Next  Renew the certificate and load it again; tlscomm inspect FILE shows its
      dates.

          client                                               server
          192.0.2.7:51234                          198.51.100.20:8443
          │                                                         │   bytes
  0.00 ms │── SYN  opens a TCP connection ─────────────────────────►│
  0.21 ms │◄─ SYN  agrees to it ────────────────────────────────────│
          │                                                         │
  0.45 ms │── ClientHello  what the client can do ─────────────────►│   1,524
          │                                                         │
  1.20 ms │◄─ ServerHello  what the server has chosen ──────────────│   1,210
          │◄─ ChangeCipherSpec  kept for old devices; no meaning ───│       6
          │◄─ EncryptedExtensions  the rest of what it has chosen ──│      32 🔓
          │◄─ CertificateRequest  asks who the client is ───────────│     120 🔓
          │◄─ Certificate  who the server is ───────────────────────│     900 🔓
          │◄─ CertificateVerify  proof: the server has the key ─────│     100 🔓
          │◄─ Finished  all messages arrived as they were sent ─────│      58 🔓
          │                                                         │
  2.90 ms │── Certificate  who the client is ──────────────────────►│     880 🔓
          │── CertificateVerify  proof: the client has the key ────►│     100 🔓
          │── Finished  all messages arrived as they were sent ────►│      58 🔓
          │                                                         │
  3.60 ms │◄─ certificate_expired  "your certificate has expired" ──│      24 🔓
          │ ✗ here the server refuses: expired                      │
  3.61 ms │◄─ FIN  closes its direction of TCP ─────────────────────│
          │                                                         │
          🔓 encrypted, and opened with a secret

Phase               time round trips client sent server sent
TCP              0.45 ms           1           0           0
key exchange     0.75 ms           1       1,524       1,216
authentication   1.70 ms         0.5       1,038       1,210
acceptance       0.70 ms         0.5           0          24
in all           3.60 ms           3       2,562       2,450

Offered and chosen
version                 TLS 1.3
                        the client offers TLS 1.3, TLS 1.2
cipher suite            TLS_AES_128_GCM_SHA256
                        the client offers TLS_AES_256_GCM_SHA384, TLS_AES_128_G…
server name             the client asks for gateway.example

What the server shows: 1 certificate
 0  CN=gateway
    issued by CN=the authority
    ECDSA P-256, valid from 2026-01-01 to 2026-02-01
    dns:gateway.example
What the client shows: 1 certificate
 0  CN=client
    issued by CN=the authority
    RSA 2048, valid from 2026-01-01 to 2026-02-01
  ✗ expired: its validity ended at 2026-02-01T00:00:00+00:00
"""

OLD_TERMINAL = """\
no-common-version, refused by the server, certain
The server speaks no TLS that the client offers.

          client                           server
          192.0.2.7:51234   [2001:db8:0:1::1]:443
          |                                     |   bytes
  0.00 ms |-- ClientHello --------------------->|     200
          |   what the client can do            |
          |                                     |
  0.10 ms |<- protocol_version -----------------|       7
          |   "I speak none of your versions"   |
          | x here the server refuses:          |
          | x no-common-version                 |
  0.11 ms |<- RST ------------------------------|
          |   breaks off the TCP connection     |
          |                                     |

Offered and chosen
version                 x nothing in common
                        the client offers TLS 1.1, TLS 1.0
"""

#: Any letters, wide, right to left, combining and unprintable ones among them.
hostile = st.text(max_size=300) | st.sampled_from(
    ["\x1b[2J" * 99, "客" * 400, "a\u0301" * 300, "\u202e\n\r\0", "x" * 9999]
)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Return a trace in which a peer has written whatever it can."""
    sizes = st.integers(0, 1 << 62)
    protection = draw(st.sampled_from(Protection))
    record = Record(0, 0, None, 23, 0x0303, 5, protection)
    events = st.builds(
        Event,
        st.sampled_from(Kind),
        st.booleans(),
        sizes,
        st.sampled_from(["Certificate", "ClientHello", "SYN"]) | hostile,
        sizes,
        st.just((record,)),
        count=st.integers(1, 1 << 40),
        detail=hostile,
    )
    address = Address(draw(hostile), 1)
    certificate = replace(
        CERTIFICATE,
        depth=draw(st.integers(0, 10**9)),
        subject=draw(hostile),
        issuer=draw(hostile),
        names=tuple(draw(st.lists(hostile, max_size=3))),
        problems=(Problem(draw(hostile), 0, detail=draw(hostile)),),
    )
    verdict = Verdict("refused", "expired", "client", "inferred", draw(hostile), "server", draw(hostile), event=0)
    span = Span(draw(hostile), 0, draw(sizes), draw(st.floats(0, 1e9)), draw(sizes), draw(sizes))
    choice = Choice(draw(hostile), tuple(draw(st.lists(hostile, max_size=3))), "client", draw(hostile))
    return Trace(
        1, address, address, None, tuple(draw(st.lists(events, max_size=20))), verdict,
        choices=(choice,), serverCertificates=(certificate,), spans=(span,),
    )  # fmt: skip


class Pictures(SynchronousTestCase):
    """What a person sees."""

    maxDiff = None

    def test_refused(self) -> None:
        """The verdict comes first, and then all messages in their flights, and the one that refuses is marked."""
        self.assertEqual(drawDiagram(drawntraces.refused()), REFUSED)

    def test_oldTerminal(self) -> None:
        """A narrow terminal that knows ASCII alone has all of it too."""
        self.assertEqual(drawDiagram(drawntraces.noCommonVersion(), 60, isASCII=True), OLD_TERMINAL)

    def test_data(self) -> None:
        """Application data is one line each way, with its records and bytes, and what is missing has a line."""
        drawn = drawDiagram(drawntraces.accepted())
        self.assertRegex(drawn, r"── ApplicationData, 5 records .*► *│ +5,100")
        self.assertRegex(drawn, r"◄─ ApplicationData, 500 records .*│ +7\.0 MB")
        self.assertIn("1,460 bytes were not captured", drawn)
        self.assertIn("✓ from here on, each has accepted the other", drawn)

    def test_sealed(self) -> None:
        """Of sealed records the first are drawn with their sizes, the rest in one line each way, and why is said."""
        drawn = drawDiagram(drawntraces.closed())
        self.assertEqual(drawn.count("🔒\n"), 10)
        self.assertIn("sealed  100 bytes sealed", drawn)
        self.assertRegex(drawn, r"── sealed, 16 records .*1,968 🔒")
        self.assertIn("🔒 encrypted; it cannot be read without secrets", drawn)
        self.assertIn("the secrets are not here", drawn)
        self.assertIn("accepted, inferred\n", drawn)
        self.assertIn("Why   two tickets", drawn)

    def test_authorities(self) -> None:
        """It is marked where no authority that the server names has issued what the client shows."""
        refused = drawntraces.refused()
        for names, isMissing in ((("CN=another",), True), (("CN=another", "CN=the authority"), False)):
            choice = Choice("certificate authorities", names, "server", None)
            drawn = drawDiagram(replace(refused, choices=(choice,)))
            self.assertEqual("✗ none of them issued what the client shows" in drawn, isMissing)

    def test_saidBy(self) -> None:
        """What only the refusing side knows of a certificate is marked at it, with who says so."""
        verdict = replace(drawntraces.refused().verdict, code="unknown-issuer")
        trace = replace(drawntraces.refused(), verdict=verdict, clientCertificates=(CERTIFICATE,))
        self.assertIn("  ✗ unknown-issuer: the server says so\n", drawDiagram(trace))
        inferred = replace(trace, verdict=replace(verdict, certainty="inferred"))
        self.assertIn("  ✗ unknown-issuer: as it seems from outside\n", drawDiagram(inferred))
        self.assertNotIn("says so", drawDiagram(drawntraces.refused()), "for more is known of that one")

    def test_noCertificate(self) -> None:
        """That a side has shown no certificate is said as well as what the other one has shown."""
        drawn = drawDiagram(replace(drawntraces.refused(), clientCertificates=()))
        self.assertIn("What the client shows: no certificate\n", drawn)

    def test_colours(self) -> None:
        """The same text has styles for a terminal: red for what refuses."""
        pieces = [piece for line in diagramLines(drawntraces.refused()) for piece in line]
        self.assertIn(("expired, refused by the server, certain, the client's turn", "bold red"), pieces)
        self.assertIn(("certificate_expired", "bold red"), pieces)

    def test_nothing(self) -> None:
        """A connection of which nothing was seen has its verdict alone."""
        trace = Trace(1, None, None, None, (), Verdict("unfinished", certainty="unknown", sentence="Nothing was seen."))
        self.assertEqual(drawDiagram(trace), "not finished, unknown\nNothing was seen.\n")


class Bounds(SynchronousTestCase):
    """Whatever a peer has sent, the drawing stays in its place."""

    @given(traces(), st.integers(60, 120), st.booleans())
    @settings(max_examples=40, deadline=None)
    def test_width(self, trace: Trace, width: int, isASCII: bool) -> None:
        """No line is wider than it may be, nor has it anything that a terminal would obey; and there are not many."""
        lines = drawDiagram(trace, width, isASCII=isASCII).split("\n")
        self.assertLessEqual(max(map(cells, lines)), width)
        self.assertLessEqual(len(lines), 400)
        for line in lines:
            self.assertTrue(line.isprintable() and (line.isascii() or not isASCII), line)

    @given(traces())
    @settings(max_examples=20, deadline=None)
    def test_aligned(self, trace: Trace) -> None:
        """Both sides stand in their columns on every line of the sequence, however wide letters are."""
        rows = [line for line in drawDiagram(trace).split("\n") if line[10:11] == "│"]
        for row in rows:
            places = [cells(row[:place]) for place, letter in enumerate(row) if letter == "│"]
            self.assertTrue({10, 68} <= set(places), row)

    def test_manySteps(self) -> None:
        """Of very many steps the first and the last are drawn, and the one that decides; how many more is said."""
        events = tuple(seen(number, number % 2 == 0, "KeyUpdate", 5) for number in range(5000))
        verdict = Verdict("failed", "protocol-violation", "client", event=2000)
        lines = drawDiagram(Trace(1, None, None, None, events, verdict)).split("\n")
        self.assertLess(len(lines), 160)
        self.assertTrue(any("4,935 more steps" in line for line in lines))
        self.assertEqual(sum("here the client breaks off: protocol-violation" in line for line in lines), 1)


class Quantities(SynchronousTestCase):
    def test_durations(self) -> None:
        """A duration has a unit that fits it."""
        expected = {0: "0.00 ms", 1_234_567: "1.23 ms", 250_000_000: "0.25 s", -5_000_000: "-5.00 ms"}
        expected |= {600_000_000_000: "10 min", 7_200_000_000_000: "2 h", 864_000_000_000_000: "10 d"}
        for duration, text in expected.items():
            self.assertEqual(durationText(duration), text)

    def test_sizes(self) -> None:
        """A size is exact while it is small."""
        for size, text in {0: "0", 1524: "1,524", 99_999: "99,999", 100_000: "100 kB", 999_600: "1.0 MB"}.items():
            self.assertEqual(sizeText(size), text)
        self.assertEqual(sizeText(1_234_567_890), "1.2 GB")
