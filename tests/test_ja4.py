"""What a user can rely on of JA4, the fingerprint by which a client's program is known again."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.ja4 import ja4Of
from tlscomm._wire.secrets import Secrets
from tlscomm.access import AccessRules, Peer, parseRule
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.issuing import Authority
from tlscomm.testing import Pair
from tlscomm.tracing import readCaptures
from tlscomm.transport._eventlog import Event, EventLog, sentenceOf

CAPTURES = Path(__file__).parent / "captures"

#: The example of FoxIO's specification, a Chromium of 2023: suites and extensions as they are sorted there.
SUITES = "002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9"
EXTENSIONS = "0000,0005,000a,000b,000d,0010,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01"
SIGNATURES = "0403,0804,0401,0503,0805,0501,0806,0601"
EXAMPLE = "t13d1516h2_8daaf6152771_e5627efa2ab1"

#: What ja4plus 1.4, another implementation, says of captures of real programs.
SEEN = {
    "client-curl-1.2.pcap": "t12d2807h1_d943125447b4_a44c6288192a",
    "client-curl-1.3.pcap": "t13d0412h1_16476d049b0b_85302d7e289e",
    "client-gnutls-1.2.pcap": "t12d251000_7415a186c913_577ffa9d9a5c",
    "client-gnutls-1.3.pcap": "t13d041300_9caa18292e23_2cc26d266019",
    "client-go-1.2.pcap": "t12d160900_8cdfa2d4673b_982ed68539ef",
    "client-go-1.3.pcap": "t13d191100_9dc949149365_be53661681a4",
    "client-java-1.2.pcap": "t12d341000_0ca14b6c4d46_1f7ae294493e",
    "client-java-1.3.pcap": "t13d030800_55b375c5d22e_c1c26d69a8d8",
    "no-protocol-go-1.3.pcap": "t13d0411s2_16476d049b0b_78f1d400d464",
}


def numbers(text: str) -> list[int]:
    return [int(each, 16) for each in text.split(",") if each]


def packed(several: list[int]) -> bytes:
    return struct.pack(f">{len(several)}H", *several)


def vector(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def hello(
    suites: str = SUITES,
    extensions: str = EXTENSIONS,
    *,
    signatures: str = SIGNATURES,
    versions: str = "0304,0303",
    alpn: bytes = b"h2",
    version: int = 0x0303,
) -> bytes:
    bodies = {
        0x000D: vector(packed(numbers(signatures))),
        0x0010: vector(vector(alpn, 1) + vector(b"http/1.1", 1)),
        0x002B: vector(packed(numbers(versions)), 1),
    }
    parts = b"".join(kind.to_bytes(2, "big") + vector(bodies.get(kind, b"")) for kind in numbers(extensions))
    body = version.to_bytes(2, "big") + bytes(32) + vector(bytes(32), 1) + vector(packed(numbers(suites)))
    return b"\1" + vector(body + vector(b"\0", 1) + vector(parts), 3)


class Fingerprints(SynchronousTestCase):
    def test_example(self) -> None:
        """The example of the specification has the fingerprint that it says."""
        self.assertEqual(ja4Of(hello()), EXAMPLE)

    def test_order(self) -> None:
        """The order of suites and extensions does not count; that of the signature algorithms does."""
        backwards = [",".join(reversed(text.split(","))) for text in (SUITES, EXTENSIONS)]
        self.assertEqual(ja4Of(hello(*backwards)), EXAMPLE)
        self.assertNotEqual(ja4Of(hello(signatures=",".join(reversed(SIGNATURES.split(","))))), EXAMPLE)

    def test_grease(self) -> None:
        """GREASE counts nowhere: among suites, extensions, versions and signature algorithms."""
        greased = hello(
            f"0a0a,{SUITES},fafa",
            f"1a1a,{EXTENSIONS},eaea",
            signatures=f"2a2a,{SIGNATURES}",
            versions="caca,0304,0303",
        )
        self.assertEqual(ja4Of(greased), EXAMPLE)
        # This is no GREASE: its bytes differ.
        self.assertNotEqual(ja4Of(hello(f"0a1a,{SUITES}")), EXAMPLE)

    def test_withoutName(self) -> None:
        """A client that sends no server's name is told by a letter, and the name itself is not in it."""
        self.assertEqual(ja4Of(hello(extensions=EXTENSIONS[5:])), EXAMPLE.replace("d1516", "i1515"))

    def test_protocols(self) -> None:
        """Of the first application protocol the ends are told, as characters or, of other bytes, in hexadecimal."""
        for alpn, expected in (
            (b"http/1.1", "h1"), (b"h", "hh"), (b"", "00"), (b"\xab", "ab"), (b"\xab\xcd", "ad"), (b"\x30\xab", "3b"),
            (b"\x30\x31\xab\xcd", "3d"), (b"\x30\xab\xcd\x31", "01"), (b"h-", "6d"), (b"_x_", "5f"),
        ):  # fmt: skip
            self.assertEqual(ja4Of(hello(alpn=alpn))[8:10], expected, alpn)
        self.assertEqual(ja4Of(hello(extensions="0000,002b"))[8:10], "00")

    def test_versions(self) -> None:
        """The newest version is told that is offered, by the extension for it or without one."""
        for version, expected in ((0x0303, "12"), (0x0302, "11"), (0x0301, "10"), (0x0300, "s3"), (0x7777, "00")):
            self.assertEqual(ja4Of(hello(extensions="0000", version=version))[1:3], expected)
        self.assertEqual(ja4Of(hello(versions="0302,0303"))[1:3], "12")

    def test_least(self) -> None:
        """Where there are no suites or no extensions there are zeros; signature algorithms need not be there."""
        self.assertEqual(ja4Of(hello("", "")), "t12i000000_000000000000_000000000000")
        self.assertNotEqual(ja4Of(hello(extensions="002b"))[24:], "0" * 12)
        short = b"\1" + vector(b"\x03\x01" + bytes(32) + b"\0" + vector(b"\0\x2f") + b"\1\0", 3)
        self.assertEqual(ja4Of(short)[:10], "t10i010000")

    def test_many(self) -> None:
        """No more than 99 are counted, and what no program sends has no fingerprint, at no cost."""
        many = ",".join(f"{0x0100 + each:04x}" for each in range(120))
        self.assertEqual(ja4Of(hello(many, many))[4:8], "9999")
        for made in (hello(",".join(["1301"] * 1025)), hello(extensions=",".join(["0017"] * 129))):
            self.assertEqual(ja4Of(made), "")

    def test_cutOff(self) -> None:
        """What is no whole ClientHello has none, wherever it ends."""
        whole = hello()
        for end in range(len(whole)):
            self.assertEqual(ja4Of(whole[:end]), "")
        self.assertEqual(ja4Of(b"\2" + whole[1:]), "")


class Captures(SynchronousTestCase):
    def test_realPrograms(self) -> None:
        """The client's fingerprint is in the trace of each connection, and is the one that others work out."""
        for name, expected in SEEN.items():
            told = [
                choice.offered
                for trace in readCaptures([str(CAPTURES / name)], Secrets())
                for choice in trace.choices
                if choice.subject == "fingerprint (JA4)"
            ]
            self.assertEqual(set(told), {(expected,)}, name)


AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
ROOTS = (AUTHORITY.certificate,)


def client(**more: Any) -> ClientConfiguration:
    return ClientConfiguration(serverName="localhost", roots=ROOTS, credential=CLIENT, **more)


def met(allow: Iterable[str] = (), deny: Iterable[str] = (), **more: Any) -> Pair:
    return joined(client(), ServerConfiguration(
        credential=SERVER, clientRoots=ROOTS, access=AccessRules.parse(allow, deny), **more
    ))  # fmt: skip


def joined(here: ClientConfiguration, there: ServerConfiguration) -> Pair:
    pair = Pair(here, there)
    pair.flush()
    return pair


class Servers(SynchronousTestCase):
    def test_facts(self) -> None:
        """A server that is to work it out has it as a fact of the connection and of the peer; others have none."""
        pair = met(ja4=True)
        facts = pair.server.transport.tls
        assert facts.ja4 is not None
        self.assertRegex(facts.ja4, r"^t13d\d{4}00_[0-9a-f]{12}_[0-9a-f]{12}$")
        assert pair.server.transport.peer is not None
        self.assertEqual(pair.server.transport.peer.ja4, facts.ja4)
        self.assertEqual(facts.toJSON()["ja4"], facts.ja4)
        self.assertIsNone(pair.client.transport.tls.ja4)
        self.assertIsNone(met().server.transport.tls.ja4)

    def test_retry(self) -> None:
        """Of a client that is asked for another key, its first message counts."""
        pair = met(ja4=True)
        other = ServerConfiguration(credential=SERVER, clientRoots=ROOTS, groups=("secp384r1",), ja4=True)
        retried = joined(client(), other)
        self.assertEqual(retried.server.transport.tls.group, "secp384r1")
        self.assertEqual(retried.server.transport.ja4, pair.server.transport.ja4)

    def test_rules(self) -> None:
        """Rules let clients in or keep them out by it, whole or with a wildcard for a part, beside who they are."""
        known = met(ja4=True).server.transport.ja4
        assert known is not None
        first, second, _ = known.split("_")
        for text in (known, f"{first}_*_*", f"*_{second}_*", f"t13*_{second}_*"):
            self.assertTrue(met(allow=[f"cn=client&ja4={text}"]).server.isAccepted, text)
            pair = met(deny=[f"ja4={text}"])
            assert pair.server.failure is not None
            self.assertEqual(pair.server.failure.code, "not-allowed")
            self.assertEqual(pair.server.transport.ja4, known)
        self.assertFalse(met(allow=["ja4=t12*_*_*"]).server.isAccepted)
        self.assertTrue(met(deny=["ja4=t12*_*_*"]).server.isAccepted)

    def test_eachConnection(self) -> None:
        """A client that was let in before is judged by the first message of this connection, resumed or not.

        That of a resumed session has one more extension.
        """
        known = met(ja4=True).server.transport.ja4
        assert known is not None
        suites = known.split("_")[1]
        there = ServerConfiguration(
            credential=SERVER, clientRoots=ROOTS, access=AccessRules.parse([f"ja4=*_{suites}_*"])
        )
        here = client()
        for isResumed in (False, True):
            pair = joined(here, there)
            self.assertEqual((pair.server.isAccepted, pair.server.transport.tls.resumed), (True, isResumed))
            pair.client.transport.loseConnection()
            pair.flush()
        self.assertFalse(joined(client(maximumTLS="1.2"), there).server.isAccepted)

    def test_unknown(self) -> None:
        """Where it is not known a rule that allows by it does not fit, and one that denies does."""
        peer = Peer((CLIENT.certificate,))
        self.assertFalse(AccessRules.parse(["ja4=*_*_*"]).judge(peer).isLetIn)
        self.assertFalse(AccessRules.parse(deny=["ja4=t12*_*_*"]).judge(peer).isLetIn)

    def test_wrongPattern(self) -> None:
        """What cannot be a fingerprint is refused as a rule."""
        for text in ("x", EXAMPLE[:-1] + "g", "t13d1516h2", "*", "a_b", f"{EXAMPLE}_a"):
            self.assertRaises(ValueError, parseRule, f"ja4={text}")

    def test_log(self) -> None:
        """The events of clients that are accepted and of those that are refused have it."""
        for deny, name in (((), "authenticated"), (("cn=client",), "refused")):
            events: list[Event] = []
            pair = met(deny=deny, ja4=True)
            log = EventLog(events.append, Clock())
            transport = pair.server.transport
            if name == "refused":
                assert pair.server.failure is not None
                log.refused(transport, pair.server.failure)
                self.assertEqual(events[0]["ja4"], transport.ja4)
            else:
                log.accepted(transport)
                self.assertEqual(events[0]["tls"].ja4, transport.ja4)
                self.assertIn(f", {transport.ja4}", sentenceOf(events[0]))
