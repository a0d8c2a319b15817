"""What a user can rely on in ``tlscomm explain``."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline.explain import catalogue, entryFor
from tlscomm.failures import CODES, Alert, TLSFailure, codeForAlert


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["explain", *arguments])


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
