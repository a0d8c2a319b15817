"""What is said of a connection that was only watched is what its own sides say of it, whatever went wrong."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from failuretable import ROWS, VERSIONS, Role, Row, Stage
from OpenSSL import SSL
from tappedpairs import tapped
from twisted.trial.unittest import SynchronousTestCase

from tests.wiretraffic import Traffic, context, dissected
from tlscomm._wire.beginning import Beginning
from tlscomm._wire.dissector import Dissector
from tlscomm._wire.events import Event, Kind
from tlscomm._wire.secrets import Secrets
from tlscomm.configuration import Version
from tlscomm.drawing._chainviews import chainView
from tlscomm.drawing._messageviews import Room
from tlscomm.failures import CODES, Problem
from tlscomm.testing import Pair
from tlscomm.tracing import Trace, Verdict
from tlscomm.tracing._assembling import assemble
from tlscomm.tracing._trace import Side
from tlscomm.tracing._wording import verdictOf

_OTHER: dict[Role, Role] = {"client": "server", "server": "client"}


def seen(row: Row, version: Version, *, withKeys: bool = True, withRoots: bool = False) -> Trace:
    """Play a row and return the trace of one who watches, and is told nothing."""
    _, tap, _ = tapped(row, version, time.time_ns(), withKeys=withKeys)
    roots = {}
    if withRoots:
        stage = Stage(version)
        roots = {"clientVerifier": stage.server().verifier, "serverVerifier": stage.client().verifier}
    return assemble(tap.dissector.events, hasSecrets=withKeys, **roots)


class WhatBothSidesSay(SynchronousTestCase):
    """One test for a row of the table in one version; they are added below."""

    def play(self, row: Row, version: Version) -> None:
        verdict = seen(row, version, withRoots=row.group == "Broken messages").verdict
        allowed = {
            (said.code, role if said.side == "local" else _OTHER[role])
            for (played, role), said in row.verdicts.items()
            if played == version
        }
        self.assertIn((verdict.code, verdict.by), allowed, verdict)
        self.assertTrue(verdict.sentence.endswith(".") and verdict.sentence.isprintable())
        self.assertTrue(verdict.nextStep)
        self.assertIn(verdict.code, CODES)
        self.assertNotIn("the peer", verdict.sentence + verdict.nextStep)


def _played(row: Row, version: Version) -> Callable[[WhatBothSidesSay], None]:
    return lambda self: self.play(row, version)


#: How a connection ends that was made is not told from outside by the deadline of one side. Of the others each has a
#: sister that differs in its side, or in the message: every third one is played.
_PLAYED = [row for row in ROWS if row.group != "After acceptance"][::3]

for _at, _row in enumerate(_PLAYED):
    _versions = sorted({version for version, _ in _row.verdicts})
    _version = _versions[_at % len(_versions)]
    setattr(WhatBothSidesSay, f"test_{_row.case} ({_version})", _played(_row, _version))


def _accepted(stage: Stage) -> Pair:
    return Pair(stage.client(), stage.server())


def _talk(pair: Pair) -> None:
    for side in (pair.client, pair.server):
        side.transport.write(b"words")
        pair.flush()
    pair.client.transport.loseConnection()
    pair.flush()


_GOOD = Row("", "nothing is wrong", _accepted, {}, _talk)
_LEFT_AT_ONCE = Row("", "the server leaves", _accepted, {}, lambda pair: pair.server.transport.loseConnection())
_NOT_ASKED = Row("", "none is asked for", lambda s: Pair(s.client(), s.server(clientCertificates="none")), {}, _talk)
_NONE_SENT = next(row for row in ROWS if row.case.startswith("client sends no certificate"))
_REFUSED = next(row for row in ROWS if row.case.startswith("client's certificate, expired:"))
_SERVER_REFUSED = next(row for row in ROWS if row.case.startswith("server's certificate, expired:"))


class WithSecrets(SynchronousTestCase):
    """What the messages say is certain."""

    def assertSaid(self, trace: Trace, outcome: str, by: str | None, code: str | None, certainty: str) -> None:
        verdict = trace.verdict
        self.assertEqual(
            (verdict.outcome, verdict.by, verdict.code, verdict.certainty), (outcome, by, code, certainty), verdict
        )

    def test_acceptedWithACertificate(self) -> None:
        for version in ("1.2", "1.3"):
            self.assertSaid(seen(_GOOD, version), "accepted", None, None, "certain")  # type: ignore[arg-type]

    def test_acceptedWithoutOne(self) -> None:
        """A server that asks for none has accepted when it has finished, and that is said."""
        trace = seen(_NOT_ASKED, "1.3")
        self.assertSaid(trace, "accepted", None, None, "certain")
        self.assertIn("asked for no certificate", trace.verdict.sentence)

    def test_expired(self) -> None:
        trace = seen(_REFUSED, "1.3")
        self.assertSaid(trace, "refused", "server", "expired", "certain")
        self.assertEqual(trace.verdict.turn, "client")
        self.assertIn("its validity ended", trace.verdict.sentence)
        assert trace.verdict.event is not None
        self.assertEqual(trace.events[trace.verdict.event].name, "certificate_expired")


class WithoutSecrets(WithSecrets):
    """Under TLS 1.3 sizes and order tell the same, and it is said that this may be wrong."""

    def test_acceptedWithACertificate(self) -> None:
        self.assertSaid(seen(_GOOD, "1.3", withKeys=False), "accepted", None, None, "inferred")

    def test_acceptedWithoutOne(self) -> None:
        trace = seen(_NOT_ASKED, "1.3", withKeys=False)
        self.assertSaid(trace, "accepted", None, None, "inferred")
        self.assertIn("asked for no certificate", trace.verdict.sentence)

    def test_expired(self) -> None:
        self.assertSaid(seen(_REFUSED, "1.3", withKeys=False), "refused", "server", "refused", "inferred")

    def test_noCertificate(self) -> None:
        trace = seen(_NONE_SENT, "1.3", withKeys=False)
        self.assertSaid(trace, "refused", "server", "no-certificate", "inferred")
        self.assertIn("25 bytes", " ".join(trace.verdict.evidence))

    def test_theClientRefusesTheServer(self) -> None:
        self.assertSaid(seen(_SERVER_REFUSED, "1.3", withKeys=False), "refused", "client", "refused", "inferred")


class Certificates(SynchronousTestCase):
    """The certificates that were shown are judged as of the time of the connection."""

    def test_theFaultyOneIsMarked(self) -> None:
        trace = seen(_REFUSED, "1.3")
        self.assertEqual([problem.code for problem in trace.clientCertificates[0].problems], ["expired"])
        self.assertEqual([each.problems for each in trace.serverCertificates], [()])

    def test_theTimeIsThatOfTheConnection(self) -> None:
        """A capture that is looked at later shows no fault that was none then."""
        _, tap, _ = tapped(_GOOD, "1.3", int(1e9))
        problems = assemble(tap.dissector.events).serverCertificates[0].problems
        self.assertEqual([problem.code for problem in problems], ["not-yet-valid"])

    def test_itWasValidThen(self) -> None:
        """Where the certificate was valid by the time of the capture, a clock is wrong, or another one was meant."""
        _, tap, _ = tapped(_REFUSED, "1.3", time.time_ns() - 40 * 86_400 * 10**9)
        verdict = assemble(tap.dissector.events).verdict
        self.assertEqual(verdict.code, "expired")
        self.assertIn("check the clock of the server", verdict.nextStep)

    def test_whomTheOtherSideTrusts(self) -> None:
        """With the roots that the server trusts, an authority that it does not know is one."""
        row = next(row for row in ROWS if row.case.startswith("client's certificate, incomplete-chain:"))
        self.assertEqual(seen(row, "1.2").verdict.code, "unknown-issuer")
        self.assertEqual(seen(row, "1.2", withRoots=True).verdict.code, "incomplete-chain")


class Resumed(SynchronousTestCase):
    def test_noCertificateIsShown(self) -> None:
        """Of a session that is resumed it is said why there is no certificate to be seen."""
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            client, server = context("client", version), context("server", version)
            # OpenSSL forgets the session of a connection that goes away without being closed.
            first = Traffic(client, server).pump().say(False, b"words")
            again = Traffic(client, server, first.client.get_session())
            again.pump().say(True, b"words").say(False, b"words")
            for withKeys in (True, False):
                verdict = assemble(dissected(again, withKeys=withKeys)).verdict
                self.assertEqual(verdict.outcome, "accepted")
                self.assertIn("resumed", verdict.sentence)


class OfOurOwn(SynchronousTestCase):
    """The verdict on a connection of ours is what the connection knows itself; the events say where it fell."""

    def assertTold(self, row: Row, side: Role, by: Role) -> None:
        pair, tap, _ = tapped(row, "1.3", time.time_ns())
        failure = (pair.client if side == "client" else pair.server).failure
        assert failure is not None
        verdict = assemble(tap.dissector.events, side=side, failure=failure).verdict
        self.assertEqual((verdict.outcome, verdict.code, verdict.by), ("refused", failure.code, by))
        self.assertEqual((verdict.sentence, verdict.nextStep), (failure.message, failure.nextStep))
        assert verdict.event is not None
        self.assertEqual(tap.dissector.events[verdict.event].kind, Kind.ALERT)

    def test_thePeerHasRefusedUs(self) -> None:
        self.assertTold(_REFUSED, "client", "server")

    def test_weHaveRefusedThePeer(self) -> None:
        self.assertTold(_REFUSED, "server", "server")

    def test_nothingFailed(self) -> None:
        """A connection that has ended without a failure was made, whatever the other side did at the end."""
        _, tap, _ = tapped(_LEFT_AT_ONCE, "1.3", time.time_ns())
        self.assertEqual(assemble(tap.dissector.events).verdict.outcome, "refused")
        verdict = assemble(tap.dissector.events, side="client").verdict
        self.assertEqual((verdict.outcome, verdict.certainty), ("accepted", "certain"))


class Proofs(SynchronousTestCase):
    """A signature on the handshake that is not that of the certificate's key is told from one on a certificate."""

    def assertSeen(self, case: str, code: str, certainty: str) -> None:
        row = next(row for row in ROWS if case in row.case)
        verdict = seen(row, "1.2").verdict
        self.assertEqual((verdict.code, verdict.certainty), (code, certainty), verdict)

    def test_theProofOfAKeyIsWrong(self) -> None:
        self.assertSeen("a bit is changed in server's ServerKeyExchange", "protocol-violation", "certain")

    def test_theCertificateIsWronglySigned(self) -> None:
        """Without the issuer's certificate nothing but the alert shows it."""
        self.assertSeen("server's certificate, bad-signature: ", "bad-signature", "inferred")


class AsJSON(SynchronousTestCase):
    """A trace can be written as JSON, without certificates and application data unless they are asked for."""

    def setUp(self) -> None:
        self.trace = seen(_GOOD, "1.3")

    def test_namesAreThoseOfTheDocumentation(self) -> None:
        page = (Path(__file__).parent.parent / "docs" / "tracing.rst").read_text(encoding="utf-8")
        told = page.split("The trace as JSON")[1]
        written = json.loads(json.dumps(self.trace.toJSON(der=False)))
        for name in names(written):
            self.assertRegex(told, rf"\b{name}\b")

    def test_certificatesAreFacts(self) -> None:
        told = json.dumps(self.trace.toJSON())
        der = self.trace.serverCertificates[0].der
        self.assertNotIn(der.hex(), told)
        self.assertNotIn(b64encode(der).decode(), told)
        self.assertIn(b64encode(der).decode(), json.dumps(self.trace.toJSON(der=True)))

    def test_eventsCanBeLeftOut(self) -> None:
        self.assertNotIn("events", self.trace.toJSON(events=False))
        self.assertNotIn("fields", json.dumps(self.trace.toJSON(fields=False)))


def names(value: object) -> Iterator[str]:
    """Give the names in JSON, those of the fields of messages aside."""
    for name, inside in value.items() if isinstance(value, dict) else ():
        yield name
        if name != "fields":
            yield from names(inside)
    for each in value if isinstance(value, list) else ():
        yield from names(each)


class Phases(SynchronousTestCase):
    """The phases follow each other, and the client has waited once in each but the last two of TLS 1.3."""

    def waits(self, version: Version) -> dict[str, float]:
        return {span.name: span.roundTrips for span in seen(_GOOD, version).spans}

    def test_roundTrips(self) -> None:
        for version in VERSIONS:
            waits = self.waits(version)
            self.assertEqual([*waits], ["TCP", "key exchange", "authentication", "acceptance", "data", "close"])
            self.assertEqual([*waits.values()][:4], [1, 1, 0, 1])

    def test_allBytesAreCounted(self) -> None:
        trace = seen(_GOOD, "1.3")
        counted = sum(span.bytesFromClient + span.bytesFromServer for span in trace.spans)
        self.assertEqual(counted, sum(event.size for event in trace.events))


class Choices(SynchronousTestCase):
    """What was offered and what was chosen."""

    def test_whatWasChosen(self) -> None:
        for version in VERSIONS:
            chosen = {(each.subject, each.offeredBy): each for each in seen(_GOOD, version).choices}
            self.assertEqual(chosen["version", "client"].chosen, f"TLS {version}")
            for subject in ("cipher suite", "group", "signature algorithm"):
                choice = chosen[subject, "client"]
                self.assertIn(choice.chosen, choice.offered, subject)
            self.assertEqual(chosen["server name", "client"].offered, ("localhost",))
            accepted = chosen["certificate authorities", "server"]
            self.assertIn("CN=tlscomm gallery root", accepted.chosen or "")

    def test_nothingInCommon(self) -> None:
        row = next(row for row in ROWS if "application protocol" in row.case)
        choice = next(each for each in seen(row, "1.3").choices if each.subject == "application protocol")
        self.assertEqual((choice.offered, choice.chosen), (("a",), None))


_BODY = b"\x03\x03" + bytes(range(32)) + b"\x00\x00\x04\x13\x01\x13\x02\x01\x00\x00\x00"
_HELLO = b"\x16\3\1\0" + bytes([len(_BODY) + 4]) + b"\1\0\0" + bytes([len(_BODY)]) + _BODY


class Plain(SynchronousTestCase):
    """A side that speaks another protocol is told what to do about it."""

    def verdict(self, client: bytes, server: bytes) -> Verdict:
        dissector = Dissector(Secrets())
        for isClient, said in ((True, client), (False, server)):
            dissector.note(Event(Kind.TCP, isClient, 1, "SYN", 0))
            dissector.feed(isClient, said, 2)
        dissector.note(Event(Kind.TCP, False, 3, "FIN", 0))
        return assemble(dissector.events).verdict

    def test_plainHTTP(self) -> None:
        """An answer shows that TLS was expected. A server that only closes may have had another reason."""
        for answer, certainty in (
            (b"HTTP/1.1 400 no\r\n\r\n", "certain"),
            (b"\x15\3\1\0\2\2\x0a", "certain"),
            (b"", "inferred"),
        ):
            verdict = self.verdict(b"GET / HTTP/1.1\r\n\r\n", answer)
            self.assertEqual((verdict.code, verdict.by, verdict.certainty), ("not-tls", "server", certainty))
            self.assertIn("The client does not speak TLS: it seems to speak plain HTTP", verdict.sentence)
            self.assertIn("https", verdict.nextStep)

    def test_proxyHeader(self) -> None:
        verdict = self.verdict(b"PROXY UNKNOWN\r\nwords", b"\x15\3\1\0\2\2\x0a")
        self.assertIn("PROXY header", verdict.nextStep)

    def test_proxyHeaderBeforeTLS(self) -> None:
        """A server that fails behind a PROXY header before it has said anything of TLS may not have expected it."""
        for answer, certainty in ((b"", "certain"), (b"\x15\3\1\0\2\2\x46", "inferred")):
            beginning = Beginning(lambda: Dissector(Secrets()))
            for isFirst in (True, False):
                beginning.step(isFirst, "SYN", 1, 1)
            beginning.data(True, b"PROXY UNKNOWN\r\n" + _HELLO, 2, 2)
            beginning.data(False, answer, 3, 3)
            for isFirst in (False, True):
                beginning.step(isFirst, "FIN", 4, 4)
            beginning.ended()
            assert beginning.dissector is not None
            verdict = assemble(beginning.dissector.events).verdict
            self.assertEqual((verdict.by, verdict.certainty), ("server", certainty), verdict)
            self.assertTrue(verdict.nextStep.startswith("The client, or a proxy before it, sends a PROXY header"))


class InGeneralWords(SynchronousTestCase):
    """A capture is of any programs, so its verdict is that of a third party, and knows no options of tlscomm."""

    def assertGeneral(self, code: str, by: Side, owner: Side, remedy: str = "") -> str:
        verdict = verdictOf(Problem(code, 0, remedy=remedy), by, owner=owner)
        told = f"{verdict.sentence} {verdict.nextStep}"
        self.assertNotIn("--", told)
        self.assertNotRegex(told, re.compile(r"\b(?:ours?|us|we|the peer|this machine|this server)\b", re.IGNORECASE))
        self.assertTrue(verdict.nextStep.endswith((".", "FILE")), code)
        return verdict.nextStep

    def test_everyFailure(self) -> None:
        for code in CODES:
            for by, owner in (("client", "server"), ("server", "client"), ("server", "server"), ("client", "client")):
                self.assertGeneral(code, by, owner)  # type: ignore[arg-type]

    def test_stepsOfOneCase(self) -> None:
        """What is to be done in this very case is told as far as it is no option, and else what the code says."""
        step = self.assertGeneral("unknown-issuer", "server", "client", "Trust it (--roots on the client).")
        self.assertEqual(step, "Trust it.")
        step = self.assertGeneral("unknown-issuer", "server", "client", "Name the authorities: --client-roots.")
        self.assertIn("an authority that the server trusts", step)

    def test_stepsAtACertificate(self) -> None:
        """The page shows at a certificate what to do about it, in the same words."""
        trace = seen(_REFUSED, "1.3")
        (shown, *_) = trace.clientCertificates
        for remedy, told in (("Trust it (--roots).", "Trust it."), ("Name it by --roots.", "")):
            problems = tuple(replace(problem, remedy=remedy) for problem in shown.problems)
            view = chainView(
                replace(trace, clientCertificates=(replace(shown, problems=problems),)), "client", Room(10_000)
            )
            self.assertEqual([problem.remedy for problem in view.certificates[0].problems], [told])
