"""What a user can rely on in ``tlscomm explain``."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline.explain import catalogue, entryFor
from tlscomm.failures import CODES, Alert, CertificateFacts, Expired, TLSFailure, codeForAlert
from tlscomm.transport._eventlog import Moment, writeText

_FACTS = CertificateFacts("CN=anna", "CN=us", "1", "2025-01-01", "2025-11-28", "sha256:00")


def explain(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(program, ["explain", *arguments], input=given)


class CatalogueTests(SynchronousTestCase):
    """The entries."""

    def test_complete(self) -> None:
        """Every code has a full entry, in sentences."""
        for code, failure in CODES.items():
            entry = entryFor(code)
            with self.subTest(code):
                self.assertIn("__doc__", vars(failure), "it needs a docstring of its own")
                for sentence in (entry.happened, entry.reproduce, entry.ours, entry.theirs):
                    self.assertRegex(sentence, r"(?s)^[A-Za-z].*\.$")
                self.assertRegex(entry.message, r"^[a-z].*[^.]$")
                self.assertNotRegex(entry.message, r"[{}]")
                self.assertIn(entry.stage, ("credential", "connect", "handshake", "authorization", "message", "close"))
                self.assertEqual(entry.permanent, failure.permanent)
                self.assertTrue(issubclass(failure, TLSFailure))

    def test_grouped(self) -> None:
        """Every code is in one group, in the order of the list."""
        listed = [(entry.code, entry.group) for group, entries in catalogue() for entry in entries]
        self.assertEqual([code for code, _ in listed], list(CODES))
        self.assertEqual({name for _, name in listed}, {group.__name__ for group, _ in catalogue()})

    def test_alerts(self) -> None:
        """An alert that says a failure by itself stands in the failure's entry and in no other."""
        self.assertEqual(entryFor("expired").alerts, ("certificate_expired",))
        self.assertEqual(entryFor("name-mismatch").alerts, ())
        found = [alert for code in CODES for alert in entryFor(code).alerts]
        self.assertEqual(len(found), len(set(found)))
        for number in (40, 42, 48, 51, 116):
            self.assertIn(Alert(number, "received").name, entryFor(codeForAlert(number)).alerts)
        self.assertNotIn("close_notify", found)


class ExplainTests(SynchronousTestCase):
    """The command."""

    def test_one(self) -> None:
        """One code is explained whole: what happened, what to do on each side, how to see it, where, and why."""
        result, entry = explain("unknown-issuer"), entryFor("unknown-issuer")
        self.assertEqual(result.exit_code, 0)
        lines = result.output.splitlines()
        self.assertEqual(lines[0], "unknown-issuer")
        said = {line[:20].strip(): line[20:].strip() for line in lines[1:]}
        self.assertEqual(
            said,
            {
                "What happened": entry.happened,
                "Message": entry.message,
                "If it is ours": entry.ours,
                "If it is the peer's": entry.theirs,
                "To reproduce": entry.reproduce,
                "Stage": "handshake",
                "Permanent": "yes, an operator has to change something",
                "We hear": "unknown_ca",
                "We send": "unknown_ca",
                "Exception": "tlscomm.failures.UnknownIssuer, a CertificateFailure",
            },
        )

    def test_oneForProgrammes(self) -> None:
        """With ``--json`` it is one object."""
        result = explain("--json", "reset")
        said = json.loads(result.output)
        self.assertEqual((said["code"], said["permanent"], said["alerts"]), ("reset", False, []))
        self.assertEqual(said["ours"], CODES["reset"].ours)

    def test_all(self) -> None:
        """Without a code all are listed, one a line, each with what happened."""
        result = explain()
        self.assertEqual(result.exit_code, 0)
        listed = [line.split("  ")[0] for line in result.output.splitlines()]
        self.assertEqual([code for code in listed if code in CODES], list(CODES))
        self.assertIn("CertificateFailure: A certificate, the peer's or our own, is not accepted.", result.output)

    def test_theAlertThatIsSent(self) -> None:
        """What the peer is sent may be another alert than the one that says the failure by itself."""
        entry = entryFor("revocation-unknown")
        self.assertEqual((entry.sent, entry.alerts), ("certificate_unknown", ("bad_certificate_status_response",)))
        self.assertEqual([entryFor(code).sent for code in ("refused", "reset", "damaged")], ["", "", ""])

    def test_allForPrograms(self) -> None:
        """With ``--json`` the list has all that is known of each."""
        said = json.loads(explain("--json").output)
        self.assertEqual([entry["code"] for entry in said["codes"]], list(CODES))
        self.assertTrue(all(entry["reproduce"] for entry in said["codes"]))

    def test_unknown(self) -> None:
        """An unknown code is wrong usage, and the nearest codes are named."""
        result = explain("UNKNOWN_ISUER")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("there is no code 'UNKNOWN_ISUER'; the nearest are: unknown-issuer", result.output)

    def test_nothingLike(self) -> None:
        """Where no code is near, the list is named."""
        result = explain("zzzz")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("there is no code 'zzzz'; tlscomm explain lists them all", result.output)


class LoggedTests(SynchronousTestCase):
    """Lines of a log."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        failure = Expired("its validity ended", certificate=_FACTS, peer="192.0.2.1:5000")
        self.event = {
            "event": "refused",
            "level": "warn",
            "time": Moment(1764300000.0),
            "connection": 7,
            "peer": "192.0.2.1:5000",
            "failure": failure,
        }
        self.line = json.dumps(self.event, default=lambda fact: fact.toJSON())

    def asText(self, event: dict[str, Any]) -> str:
        captured: list[Any] = []
        globalLogPublisher.addObserver(captured.append)
        self.addCleanup(globalLogPublisher.removeObserver, captured.append)
        writeText(event)
        return eventAsText(captured[-1])

    def test_JSON(self) -> None:
        """A line of JSON is explained with what it says of this case: who, when, which certificate, what to do now."""
        for line in (
            self.line,
            f"2026-11-28T00:00:00+0000 [tlscomm#info] {self.line}",
            json.dumps({"MESSAGE": self.line}),
        ):
            output = explain(line).output
            self.assertTrue(output.startswith("expired\n"), output)
            for said in (
                "192.0.2.1:5000",
                "CN=anna",
                "its validity ended",
                "ours",
                CODES["expired"].theirs,
                "2025-11-28",
            ):
                self.assertIn(said, output)

    def test_text(self) -> None:
        """So is a line of text, and one that stands for many."""
        output = explain(self.asText(self.event)).output
        self.assertTrue(output.startswith("expired\n"), output)
        for said in ("192.0.2.1:5000", "7", "its validity ended"):
            self.assertIn(said, output)
        many = {**self.event, "event": "refusals", "count": 40, "network": "192.0.2.0/24"}
        self.assertIn("40 times", explain(self.asText(many)).output)

    def test_closed(self) -> None:
        """The line of an accepted connection that has failed is one of them, and the failure by itself too."""
        closed = {**self.event, "event": "closed", "bytesReceived": 1, "bytesSent": 2}
        closed.update(messagesReceived=None, messagesSent=None)
        self.assertIn("192.0.2.1:5000", explain(self.asText(closed)).output)
        self.assertIn("its validity ended", explain(json.dumps(self.event["failure"].toJSON())).output)  # type: ignore[attr-defined]

    def test_many(self) -> None:
        """Of a file, or of standard input, each cause is explained once, the most frequent first, with its number."""
        other = self.line.replace('"code": "expired"', '"code": "reset"')
        lines = "\n".join([other, "no failure", self.line, "{", '{"event": "listening"}', self.line, ""])
        with open("server.log", "w", encoding="utf-8") as file:
            file.write(lines)
        for output in (explain("server.log").output, explain("-", given=lines).output):
            self.assertIn("2 times", output)
            self.assertLess(output.index("expired"), output.index("reset"))
        said = json.loads(explain("--json", "server.log").output)["failures"]
        self.assertEqual([(each["code"], each["count"]) for each in said], [("expired", 2), ("reset", 1)])
        self.assertEqual(said[0]["entry"]["code"], "expired")

    def test_hostile(self) -> None:
        """A line that is none, nested deeply or full of control characters is neither an error nor obeyed."""
        hostile = json.dumps(
            {"failure": {"code": "reset", "message": "\x1b[2Jx" * 1000, "chain": [7], "certificate": 3}}
        )
        output = explain(hostile).output
        self.assertNotIn("\x1b", output)
        self.assertLess(len(output), 5000)
        for line in ("[" * 100_000, '{"a":' * 50_000, "{}", "\0", "{" * 1000):
            result = explain("-", given=line)
            self.assertEqual((result.exit_code, type(result.exception)), (1, SystemExit))
            self.assertIn("there is no failure in what was given", result.output)
        missing = explain('{"event": "listening"}')
        self.assertEqual(missing.exit_code, 1)
