"""What a user can rely on in a page that explains connections, whatever the connections were."""

from __future__ import annotations

import contextlib
import hashlib
import re
import ssl
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from itertools import pairwise
from tempfile import NamedTemporaryFile
from typing import Any
from xml.etree import ElementTree

import drawntraces
from cryptography.hazmat.primitives.serialization import Encoding
from drawntraces import seen
from htmlseen import Seen, seenIn
from hypothesis import given, settings
from test_diagram import traces
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._capture.packets import Address
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Field, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.drawing import _messageviews, drawPage, drawSVG
from tlscomm.drawing._templates import styleSheet
from tlscomm.failures import Expired
from tlscomm.issuing import Authority
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._trace import Trace, Verdict
from tlscomm.x509._encoding import keyPEM

#: What would do harm in HTML, in an attribute, in a style sheet, in a template, or to the direction of a line.
HOSTILE = (
    "</style><script>alert(1)</script><img src=x onerror='alert(1)'>\" onclick=\"x{{ 7*7 }}{% raw %}"
    "\x00\x1b[31m\u202e\u2066\ud800שלום-->"
)

ALL = (drawntraces.refused, drawntraces.closed, drawntraces.accepted, drawntraces.noCommonVersion)

#: What a picture is drawn with.
_DRAWN = frozenset({"g", "text", "tspan", "use"})

#: Words of the model that say one of few things, and no peer's.
_CLOSED = frozenset({"outcome", "by", "turn", "certainty", "side", "offeredBy", "kind", "fingerprint"})


def poisoned(value: Any, name: str = "") -> Any:
    """Return a copy in which every text is hostile, but those of which there are only a few."""
    if name in _CLOSED or isinstance(value, Enum):
        return value
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, Address):
        return Address(HOSTILE, value.port)
    if isinstance(value, tuple):
        return tuple(poisoned(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: poisoned(getattr(value, each.name), each.name) for each in fields(value)})
    return value


def hostileTrace() -> Trace:
    """Return a trace of which every text is hostile."""
    trace = drawntraces.refused()
    failure = Expired(HOSTILE, evidence=(HOSTILE,), remedy=HOSTILE)
    return replace(poisoned(trace), failure=failure)


def hostileConversation() -> Trace:
    """Return the trace of a handshake of Python's TLS, under TLS 1.2, with names that would do harm in a page."""
    credential = Authority.create().issue("<script>alert(1)</script>", role="server", dnsNames=["server.example"])
    assert credential.privateKey is not None
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with NamedTemporaryFile(suffix=".pem") as file:
        file.write(credential.certificate.public_bytes(Encoding.PEM) + keyPEM(credential.privateKey))
        file.flush()
        serving.load_cert_chain(file.name)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    asking.maximum_version = ssl.TLSVersion.TLSv1_2
    asking.set_alpn_protocols(["<img src=x onerror=alert(2)>"])
    toServer, toClient = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(toServer, toClient, server_side=True)
    client = asking.wrap_bio(toClient, toServer, server_hostname="server.example")
    dissector = Dissector(Secrets())
    for number in range(4):
        side, output = ((client, toServer), (server, toClient))[number % 2]
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        data = output.read()
        dissector.feed(side is client, data, number)
        output.write(data)
    return assemble(dissector.events)


def many(count: int, *, outcome: str = "refused") -> Iterator[Trace]:
    """Give so many connections."""
    refused = drawntraces.refused()
    for number in range(1, count + 1):
        verdict = replace(refused.verdict, outcome="accepted" if outcome == "mixed" and number % 2 else "refused")
        yield replace(refused, number=number, verdict=verdict)


class Told(SynchronousTestCase):
    """What a page says."""

    def test_refused(self) -> None:
        """The verdict comes first, then the messages, what was chosen, the time, the certificates, and facts."""
        text = seenIn(drawPage([drawntraces.refused()], title="made.pcapng")).text
        inOrder = (
            "made.pcapng",
            "The server refused the client: the client's certificate has expired.",
            "refused by the server",
            "expired",
            "It is the client's turn.",
            "Renew the certificate",
            "ClientHello",
            "what the client can do",
            "certificate_expired",
            "here the server refuses: expired",
            "TLS_AES_128_GCM_SHA256",
            "round trips",
            "CN=gateway",
            "faulty",
            "This certificate has expired: its validity ended",
            "opened with secrets",
        )
        place = 0
        for words in inOrder:
            place = text.lower().find(words.lower(), place)
            self.assertNotEqual(place, -1, words)

    def test_inferred(self) -> None:
        """What is inferred says that it may be wrong, and what it rests on."""
        text = seenIn(drawPage([drawntraces.closed()])).text
        for words in ("inferred", "it may be wrong", "two tickets", "the secrets that would open it are not at hand"):
            self.assertIn(words, text)

    def test_nothingInCommon(self) -> None:
        """Where two sides have nothing in common, the thing is named with what was offered."""
        text = seenIn(drawPage([drawntraces.noCommonVersion()])).text
        self.assertIn("nothing in common", text)
        self.assertIn("TLS 1.1", text)

    def test_several(self) -> None:
        """Of several connections a summary comes first, with a link to each."""
        page = seenIn(drawPage(each() for each in ALL))
        self.assertIn("4 connections were seen, and 2 of them were refused or broke off.", page.text)
        links = [link["href"] for link in page.named("a") if link.get("aria-label", "").startswith("Connection")]
        self.assertEqual(links, ["#c1", "#c2", "#c3", "#c4"])

    def test_none(self) -> None:
        """A page of no connection says so."""
        self.assertIn("No connection was seen.", seenIn(drawPage([])).text)

    def test_fields(self) -> None:
        """A message that is opened shows its fields inside each other, then its bytes."""
        inner = Field("named_group", 29, "X25519")
        self.patch(_messageviews, "fieldsOf", lambda event: (Field("key_share", children=(inner,)),))
        event = seen(0, True, "ClientHello", 5, content=b"\x01\x00\x00\x01A")
        page = seenIn(drawPage([Trace(1, None, None, None, (event,), Verdict("unfinished"))]))
        self.assertRegex(page.text, r"(?s)key_share\s+named_group X25519.*0000  01 00 00 01 41\s+····A")

    def test_applicationData(self) -> None:
        """Application data is shown where the trace holds it, and then the page warns of that."""
        trace = drawntraces.accepted()
        self.assertNotIn("This page holds application data", drawPage([trace]))
        data = seen(1450, True, "ApplicationData", 6, Kind.APPLICATION_DATA, content=b"PASSW0")
        page = seenIn(drawPage([replace(trace, events=(*trace.events, data))])).text
        self.assertIn("PASSW0", page)
        self.assertIn("This page holds application data", page)

    def test_redacted(self) -> None:
        """A page with pseudonyms says that they are none of the real names."""
        text = seenIn(drawPage([drawntraces.refused()], isRedacted=True)).text
        self.assertIn("serial numbers on this page are pseudonyms", text)


class Form(SynchronousTestCase):
    """What a page is made of."""

    def pages(self) -> list[Seen]:
        traces = [each() for each in ALL]
        return [seenIn(drawPage(given)) for given in ([], *([trace] for trace in traces), traces, [hostileTrace()])]

    def test_balanced(self) -> None:
        """Every element ends where it should, and no two have one name."""
        for page in self.pages():
            self.assertEqual(page.wrong, [])
            names = page.attributes("id")
            self.assertEqual(len(names), len(set(names)))

    def test_references(self) -> None:
        """What refers to another part of the page refers to one that is there."""
        for page in self.pages():
            names = set(page.attributes("id"))
            references = [each[1:] for each in page.attributes("href")] + page.attributes("aria-labelledby")
            self.assertEqual(set(references) - names, set())

    def test_standsAlone(self) -> None:
        """It has no script, loads nothing, and its policy forbids both; the only style is the one that it has."""
        for page in self.pages():
            elements = {name for name, _ in page.elements}
            self.assertEqual(elements & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}, set())
            names = {name for _, attributes in page.elements for name in attributes}
            self.assertEqual({name for name in names if name.startswith("on")} | names & {"src", "style"}, set())
            self.assertTrue(all(link.startswith("#") for link in page.attributes("href")))
            self.assertNotRegex(page.style, r"url\(|@import|https?:")
            digest = b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
            (policy,) = (each["content"] for each in page.named("meta") if "http-equiv" in each)
            self.assertEqual(
                policy, f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
            )

    def test_outline(self) -> None:
        """It has a language, one main part, one heading of the first level, and no level is left out."""
        for page in self.pages():
            self.assertEqual([each["lang"] for each in page.named("html")], ["en"])
            self.assertEqual(len(page.named("main")), 1)
            levels = [int(name[1]) for name, _ in page.elements if re.fullmatch(r"h\d", name)]
            self.assertEqual((levels[0], levels.count(1)), (1, 1))
            self.assertTrue(all(after <= before + 1 for before, after in pairwise(levels)), levels)


class Hostile(SynchronousTestCase):
    """What peers send."""

    def test_escaped(self) -> None:
        """Whatever a peer has put into any text stays text, and can turn no line around."""
        trace = hostileTrace()
        self.patch(
            _messageviews, "fieldsOf", lambda event: (Field(HOSTILE, None, HOSTILE, (Field(HOSTILE, HOSTILE, ""),)),)
        )
        for shown in ([trace], [trace, replace(trace, number=2)]):
            page = drawPage(shown, title=HOSTILE)
            parsed = seenIn(page)
            self.assertEqual(parsed.wrong, [])
            self.assertEqual({name for name, _ in parsed.elements} & {"script", "img"}, set())
            self.assertIn("<script>alert(1)</script>", parsed.text)
            self.assertNotIn("49", parsed.text.replace("2049", ""))
            self.assertEqual(re.findall(r"[^\n -~\u00a0-\u024f\u05d0-\u05ea\u2010-\u2027]", page), [])
            page.encode()

    def test_decoded(self) -> None:
        """The same out of a handshake: names in certificates (RFC 4514) and protocols that are offered."""
        page = seenIn(drawPage([hostileConversation()]))
        self.assertEqual((page.wrong, page.named("script"), page.named("img")), ([], [], []))
        self.assertIn(r"\<script\>alert(1)\</script\>", page.text)
        self.assertGreaterEqual(page.text.count("<img src=x onerror=alert(2)>"), 2)

    @given(traces())
    @settings(max_examples=15, deadline=None)
    def test_any(self, trace: Trace) -> None:
        """Whatever there is in a trace, its page and its picture are whole."""
        self.assertEqual(seenIn(drawPage([trace])).wrong, [])
        ElementTree.fromstring(drawSVG(trace))

    def test_long(self) -> None:
        """A name of 64 KiB is cut."""
        long = "x" * 65536
        trace = drawntraces.refused()
        (mine,) = trace.clientCertificates
        choices = tuple(replace(choice, offered=(long,) * 500, chosen=long) for choice in trace.choices)
        certificates = tuple(replace(mine, subject=long, issuer=long, names=(long,) * 500) for _ in range(500))
        verdict = replace(trace.verdict, sentence=long, nextStep=long, evidence=(long,) * 500)
        trace = replace(trace, choices=choices, clientCertificates=certificates, verdict=verdict)
        self.assertLess(len(drawPage([trace])), 400_000)


class Size(SynchronousTestCase):
    """How large a page can be."""

    def test_manyConnections(self) -> None:
        """Of thousands of connections all are counted, and some are shown, those that failed before others."""
        page = drawPage(many(1200, outcome="mixed"))
        self.assertLess(len(page), 4_000_000)
        self.assertIn("1,200 connections were seen, and 600 of them were refused or broke off.", page)
        self.assertIn("700 more connections are counted above and not listed", page)

    def test_examples(self) -> None:
        """Of each way in which connections ended one is shown, however many others came before, with a link to it."""
        rare = replace(drawntraces.noCommonVersion(), number=5000)
        page = drawPage([*many(100), rare])
        self.assertIn('<a href="#c5000">no-common-version</a>', page)
        self.assertIn('<article class="trace" id="c5000"', page)

    def test_manyMessages(self) -> None:
        """Of thousands of messages the first and the last are shown, and the one that decides."""
        events = tuple(seen(number, number % 2 == 0, "KeyUpdate", 5, content=bytes(60_000)) for number in range(5000))
        trace = Trace(1, None, None, None, events, Verdict("failed", "protocol-violation", "client", event=2000))
        page = drawPage([trace])
        self.assertLess(len(page), 2_000_000)
        self.assertIn("4,935 more messages are left out here", page)
        self.assertIn("here the client breaks off: protocol-violation", page)
        self.assertIn("The first 1,600 of 60,000 bytes are shown.", page)

    def test_manyFields(self) -> None:
        """Details end where the page would become too large, and it says so."""
        leaf = Field("x" * 100, 1, "y" * 300)
        for _ in range(50):
            leaf = Field("x" * 100, 1, "y" * 300, (leaf,))
        self.patch(_messageviews, "fieldsOf", lambda event: (leaf,) * 1000)
        page = drawPage(many(100))
        self.assertLess(len(page), 4_000_000)
        self.assertIn("Not all of its fields are shown.", page)


class Colours(SynchronousTestCase):
    """Whether it can be read."""

    def schemes(self) -> list[dict[str, str]]:
        found = re.findall(r":root \{(.*?)\}", styleSheet("palette.css"), re.DOTALL)
        named = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", each)) for each in found]
        return [each for each in named if each]

    def test_contrast(self) -> None:
        """Text has a contrast of 4.5 to 1 on what it stands on, in light, dark and print (WCAG 2.2, 1.4.3, AA)."""
        schemes = self.schemes()
        self.assertEqual(len(schemes), 3)
        onPaper = [
            (ink, on) for ink in ("ink", "soft", "client", "server", "good", "bad", "doubt") for on in ("paper", "card")
        ]
        onWash = [(kind, f"{kind}-wash") for kind in ("good", "bad", "doubt")]
        for scheme in schemes:
            for ink, on in (*onPaper, *onWash, ("ink", "doubt-wash"), ("soft", "doubt-wash")):
                self.assertGreaterEqual(_contrast(scheme[ink], scheme[on]), 4.5, (ink, on, scheme))


class Picture(SynchronousTestCase):
    """The picture that stands alone."""

    def test_standsAlone(self) -> None:
        """It is SVG that names its parts, loads nothing and has no script, whatever it is about."""
        for trace in (*(each() for each in ALL), hostileTrace()):
            picture = drawSVG(trace)
            root = ElementTree.fromstring(picture)
            names = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
            self.assertEqual(
                names - {"svg", "title", "desc", "style", "defs", "symbol", "rect", "path"}, _DRAWN & names
            )
            attributes = {name for element in root.iter() for name in element.attrib}
            self.assertEqual({name for name in attributes if name.startswith("on")} | attributes & {"style"}, set())
            self.assertNotRegex(picture.replace("http://www.w3.org/2000/svg", ""), r"url\(|@import|https?:")
            self.assertLess(len(picture), 100_000)

    def test_told(self) -> None:
        """It has the verdict, and all messages in order as text too."""
        root = ElementTree.fromstring(drawSVG(drawntraces.refused()))
        description = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
        self.assertRegex(
            description, r"^expired, refused by the server, certain, the client's turn\. 1\. client to server: SYN"
        )
        self.assertIn("here the server refuses: expired", description)

    def test_many(self) -> None:
        """Of very many messages it says how many it leaves out."""
        events = tuple(seen(number, True, "KeyUpdate" * 50, 5, detail="x" * 1000) for number in range(5000))
        picture = drawSVG(Trace(1, None, None, None, events, Verdict("unfinished", sentence="x" * 5000)))
        self.assertIn("4,936 more steps are left out here", picture)
        self.assertLess(len(picture), 200_000)


class Loaded(SynchronousTestCase):
    def test_late(self) -> None:
        """The template library is loaded when a page is drawn, and not before."""
        asked = "print('jinja2' in sys.modules)"
        program = f"import sys; from tlscomm.drawing import drawPage, drawSVG; {asked}; drawPage([]); {asked}"
        done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60)
        self.assertEqual(done.stdout.split(), ["False", "True"])


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, contrast ratio)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
