"""Captures of real programs, by the stored ones: what was read of each connection, and the verdict on it.

``captures/manifest.json`` says what truly happened in each; see ``captures/README.rst``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.secrets import Secrets
from tlscomm.tracing import Trace, readCaptures

CAPTURES = Path(__file__).parent / "captures"

#: Where a server answers a ClientHello with handshake_failure, no message tells which of these it is.
NOTHING_IN_COMMON = {"no-common-version", "no-common-cipher", "no-common-group", "refused"}


class Seen(NamedTuple):
    """A connection, what is true of it, and what was made of it."""

    file: dict[str, Any]
    truth: dict[str, Any]
    trace: Trace

    @property
    def place(self) -> str:
        return f"{self.file['file']}, connection {self.truth['number']}"

    @property
    def isOutcomeRight(self) -> bool:
        """Whether the verdict says how it ended, and by which side."""
        verdict = self.trace.verdict
        isSide = verdict.by == self.truth["by"] or verdict.outcome == "accepted"
        return verdict.outcome in self.truth["outcomes"] and isSide

    @property
    def isCodeRight(self) -> bool:
        verdict, codes = self.trace.verdict, set(self.truth["codes"])
        if verdict.certainty == "inferred" and codes & NOTHING_IN_COMMON and self.truth["cause"] in NOTHING_IN_COMMON:
            codes |= NOTHING_IN_COMMON
        return verdict.code in codes or (verdict.code is None and (not codes or "refused" in codes))


def manifest() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((CAPTURES / "manifest.json").read_text())
    return entries


def secretsOf(file: dict[str, Any]) -> Secrets:
    secrets = Secrets()
    if file["keys"]:
        secrets.add((CAPTURES / file["keys"]).read_bytes())
    return secrets


@cache
def seen(withSecrets: bool) -> tuple[Seen, ...]:
    """Read all captures that have secrets, or all of those that can be read without."""
    return tuple(_read(withSecrets))


def _read(withSecrets: bool) -> Iterator[Seen]:
    for file in manifest():
        if withSecrets or not file["hasSecretsInside"]:
            secrets = secretsOf(file) if withSecrets else Secrets()
            traces = list(readCaptures([str(CAPTURES / file["file"])], secrets))
            truths = file["connections"]
            assert len(traces) == len(truths), f"{file['file']}: {len(traces)} connections"
            yield from (Seen(file, truth, trace) for truth, trace in zip(truths, traces, strict=True))


class CaptureTests(SynchronousTestCase):
    def test_certain(self) -> None:
        """With secrets, and under TLS 1.2, each verdict is right: the outcome, the side, and the code."""
        wrong = [
            (each.place, each.truth, each.trace.verdict)
            for withSecrets in (True, False)
            for each in seen(withSecrets)
            if (withSecrets or each.file["version"] == "1.2") and not (each.isOutcomeRight and each.isCodeRight)
        ]
        self.assertEqual(wrong, [])

    def test_inferred(self) -> None:
        """Without secrets, nine outcomes of ten are right under TLS 1.3, and none is wrong that is called certain."""
        sealed = [each for each in seen(withSecrets=False) if each.file["version"] == "1.3"]
        right = [each for each in sealed if each.isOutcomeRight]
        self.assertGreater(len(sealed), 100)
        self.assertGreaterEqual(len(right) / len(sealed), 0.9, [each.place for each in sealed if each not in right])
        wrong = [
            (each.place, each.truth, each.trace.verdict)
            for each in sealed
            if each.trace.verdict.certainty == "certain" and not (each.isOutcomeRight and each.isCodeRight)
        ]
        self.assertEqual(wrong, [])

    def test_sentences(self) -> None:
        """Each verdict has a sentence, each refusal a next step, and a turn where its reason is known."""
        for each in (*seen(withSecrets=True), *seen(withSecrets=False)):
            verdict = each.trace.verdict
            self.assertTrue(verdict.sentence.endswith("."), (each.place, verdict))
            if verdict.outcome == "refused":
                isOpen = verdict.code in ("refused", "closed-in-handshake")
                self.assertTrue(verdict.nextStep and (verdict.turn or isOpen), (each.place, verdict))
                self.assertFalse(
                    verdict.turn == "client" and "Look in the server's log" in verdict.nextStep, each.place
                )

    def test_refusedInHTTP(self) -> None:
        """nginx's refusal in HTTP is one, and is certain where its page could be read; of that a phrase is kept."""
        for version, withSecrets in (("1.2", False), ("1.2", True), ("1.3", False), ("1.3", True)):
            file = f"server-nginx-http-{version}.pcap"
            good, missing, _ = (each.trace for each in seen(withSecrets) if each.file["file"] == file)
            self.assertEqual(good.verdict.outcome, "accepted")
            verdict = missing.verdict
            self.assertEqual((verdict.outcome, verdict.by, verdict.code), ("refused", "server", "no-certificate"))
            self.assertEqual(verdict.certainty, "certain" if withSecrets else "inferred", verdict)
            self.assertIn("HTTP 400", " ".join(verdict.evidence))
            data = [event for event in missing.events if event.kind.name == "APPLICATION_DATA"]
            self.assertEqual({event.content for event in data} - {b""}, set())
            if withSecrets:
                self.assertEqual({event.detail for event in data}, {"", "400 No required SSL certificate was sent"})

    def test_curlAndTheName(self) -> None:
        """A client that leaves at once behind a sealed certificate may have refused it: it is not called accepted."""
        for withSecrets, outcome in ((True, "refused"), (False, "unfinished")):
            _, _, named, *_ = (e.trace for e in seen(withSecrets) if e.file["file"] == "client-curl-1.3.pcap")
            self.assertEqual(named.verdict.outcome, outcome, named.verdict)
            self.assertIn("had sent nothing", " ".join(named.verdict.evidence))

    def test_phases(self) -> None:
        """Without secrets the bytes of nine connections of ten are counted in the phases that secrets show."""
        opened = {each.place: each.trace for each in seen(withSecrets=True)}
        sealed = [e for e in seen(withSecrets=False) if e.file["version"] == "1.3" and e.file["keys"]]
        same = 0
        for each in sealed:
            spans = [(span.name, span.bytesFromClient, span.bytesFromServer) for span in each.trace.spans]
            self.assertEqual(sum(a + b for _, a, b in spans), sum(event.size for event in each.trace.events))
            same += spans == [(o.name, o.bytesFromClient, o.bytesFromServer) for o in opened[each.place].spans]
        self.assertGreaterEqual(same / len(sealed), 0.9)

    def test_opened(self) -> None:
        """With secrets nothing stays closed, but what a side sealed with a secret that was never made."""
        closed = [
            each.place
            for each in seen(withSecrets=True)
            if (each.file["keys"] or each.file["hasSecretsInside"])
            and "Sealed" in {e.kind.name for e in each.trace.events}
        ]
        self.assertEqual(closed, [])

    def test_json(self) -> None:
        """A trace can be told to a program."""
        for each in (*seen(withSecrets=True)[::16], *seen(withSecrets=False)[::16]):
            told = json.loads(json.dumps(each.trace.toJSON()))
            self.assertEqual(told["verdict"]["outcome"], each.trace.verdict.outcome)

    def test_manifest(self) -> None:
        """Each capture is in the manifest, and nothing else is."""
        files = {path.name for path in CAPTURES.iterdir() if path.suffix in (".pcap", ".pcapng")}
        self.assertEqual(files, {each["file"] for each in manifest()})
