"""What a user can rely on in the table of other programs' sentences, and in what is found in texts and logs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from click.testing import CliRunner, Result
from foreignpeers import caseNamed
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline._logged import FailureCounts, failureIn
from tlscomm.errortexts import ERROR_TEXTS, findingsIn, findingsInLines
from tlscomm.failures import CODES

RECORDED = Path(__file__).parent / "errortexts"

#: What a program says where it accepted, or where the connection ended without a word of TLS.
_NOTHING = ("", "EOF", "java.net.SocketTimeoutException: Read timed out")


def explain(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(program, ["explain", *arguments], input=given)


def causesOf(text: str) -> set[str]:
    return {code for found in findingsIn(text) for code in found.text.causes}


class TableTests(SynchronousTestCase):
    """The entries."""

    def test_whole(self) -> None:
        """Each entry has causes of the closed list, a sentence that says what tells them apart, and a command."""
        for entry in ERROR_TEXTS:
            with self.subTest(entry.sentence):
                self.assertLessEqual(set(entry.causes), CODES.keys())
                self.assertEqual(len(entry.causes), len(set(entry.causes)))
                self.assertTrue(entry.programs and entry.seen and entry.causes)
                self.assertRegex(entry.apart, r"(?s)^[A-Z_%.].*\.$")
                self.assertRegex(entry.command, r"^tlscomm (probe|connect|verify|inspect|analyze|store) ?")

    def test_once(self) -> None:
        """No sentence stands in the table twice, and each is found in itself."""
        sentences = [entry.sentence for entry in ERROR_TEXTS]
        self.assertEqual(len(sentences), len(set(sentences)))
        for entry in ERROR_TEXTS:
            found = findingsInLines([entry.sentence])
            self.assertIn(entry, [each.text for each in found], entry.sentence)

    def test_recorded(self) -> None:
        """What Go, Java and Node were recorded to say of each fault has the true cause among its causes."""
        wrong = []
        for file in sorted(RECORDED.glob("*.tsv")):
            for line in file.read_text(encoding="utf-8").splitlines()[1:]:
                role, name, text = line.split("\t", 2)
                if text not in _NOTHING and not causesOf(text) & set(caseNamed(name).codes):
                    wrong.append((file.name, role, name, text))
        self.assertEqual(wrong, [])

    def test_commands(self) -> None:
        """Each command that an entry recommends is one, with these options."""
        for line in {entry.command for entry in ERROR_TEXTS}:
            _, name, *words = line.split()
            with self.subTest(line):
                found = program.get_command(click.Context(program), name)
                assert found is not None
                # Files and addresses stand for others in it, so the words are read and not their meaning.
                _, rest, _ = found.make_parser(click.Context(found)).parse_args(words)
                self.assertEqual(rest, ["list"] if name == "store" else [])


class FindingTests(SynchronousTestCase):
    """What is found in texts."""

    def test_wrapped(self) -> None:
        """Prefixes, quotes, escapes, lines of JSON and stack traces do not hide a sentence."""
        for text, code in (
            (
                "<class 'OpenSSL.SSL.Error'>: [('SSL routines', '', 'certificate verify failed')]",
                "expired",
            ),
            ('{"level":"error","err":"Get \\"https://a\\": x509: certificate is valid for a, not b"}', "name-mismatch"),
            ("Caused by: java.security.cert.CertificateExpiredException: NotAfter: Fri\\n\\tat sun.X", "expired"),
            ("2026-11-28 [info] 1#1: *1 client sent no required SSL certificate while reading", "no-certificate"),
            (
                "mosquitto openssl error: error:1417C0C7: SSL routines: x:peer did not return a certificate",
                "no-certificate",
            ),
            ("268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED", "unknown-issuer"),
            (
                "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)",
                "no-certificate",
            ),
            ("ssl/tls alert certificate unknown", "unknown-issuer"),
            ("received fatal alert: UnknownCA", "unknown-issuer"),
            ("self signed certificate in certificate chain", "unknown-issuer"),
            ("SSL routines:OPENSSL_internal:TLSV1_ALERT_CERTIFICATE_REQUIRED", "no-certificate"),
            (
                "unexpected message: client SSL authentication might be required (see ssl.key.location)",
                "no-certificate",
            ),
            ("error:140760FC:SSL routines:SSL23_GET_CLIENT_HELLO:unknown protocol", "not-tls"),
            ("Security handshake failed: Peer name localhost is not in peer certificate", "name-mismatch"),
            ("upstream connect error or disconnect/reset before headers. reset reason: connection failure", "reset"),
            ("x509: certificate signed by\n   unknown authority", "incomplete-chain"),
            ("because of errors in the certificate chain: PartialChain\\r\\n   at System.Net", "incomplete-chain"),
        ):
            self.assertIn(code, causesOf(text), text)

    def test_mostTelling(self) -> None:
        """A sentence that is a part of a longer one, or says less than another of the text, is not told."""
        text = "certificate verify failed: self-signed certificate in certificate chain (_ssl.c:1006)"
        self.assertEqual(
            [each.text.sentence for each in findingsIn(text)], ["self-signed certificate in certificate chain"]
        )
        text = "x509: certificate has expired or is not yet valid: current time 2026 is after 2025"
        self.assertEqual(causesOf(text), {"expired"})
        self.assertEqual(
            causesOf("tls: failed to verify certificate: x509: certificate has expired or is not yet valid"),
            {"expired", "not-yet-valid", *causesOf("tls: failed to verify certificate")},
        )

    def test_wordsAlone(self) -> None:
        """What only has the letters of a sentence inside of longer words is none."""
        self.assertEqual(findingsIn("SSL alert number 480"), [])
        self.assertEqual(findingsIn("the unhttp requested"), [])

    def test_log(self) -> None:
        """Of a log each sentence is told once, with its number and its first line, whatever the other lines are."""
        lines = ["GET / 200", *["tlsv1 alert unknown ca"] * 3, "\x00\udcff" * 100, "hostname mismatch"]
        found = {each.text.sentence: (each.count, each.line) for each in findingsInLines(lines * 400)}
        self.assertEqual(found["tlsv1 alert unknown ca"], (1200, 2))
        self.assertEqual(found["hostname mismatch"], (400, 6))

    def test_bounded(self) -> None:
        """What is kept of a hostile line is short and printable."""
        (found,) = findingsIn("\x1b[2J " * 10 + "hostname mismatch" + " \x1b[31m" * 10_000)
        self.assertLess(len(found.example), 400)
        self.assertNotIn("\x1b", found.example)


class CountTests(SynchronousTestCase):
    """Our own failures of a log."""

    def test_bounded(self) -> None:
        """Of a log of any length the latest case of each code and side is kept, and a side that is none is not."""
        counts = FailureCounts()
        for number in range(1000):
            for side in ("local", "remote", f"side {number}"):
                failure = {"code": "expired", "side": side, "message": str(number)}
                found = failureIn(json.dumps({"failure": failure, "count": 2}))
                assert found is not None
                counts.add(found)
        self.assertEqual(
            [(each.side, each.count, each.message) for each in counts.all()],
            [("local", 2000, "999"), ("remote", 2000, "999"), ("", 2000, "999")],
        )


class CommandTests(SynchronousTestCase):
    """``tlscomm explain TEXT``."""

    def test_text(self) -> None:
        """A text is explained: whose decision it was, each cause, what tells them apart, and the command."""
        result = explain("remote error: tls: unknown certificate authority")
        self.assertEqual(result.exit_code, 0)
        for said in (
            "the peer refused",
            "unknown-issuer",
            "incomplete-chain",
            "intermediates",
            "tlscomm probe",
            "Go 1.19",
        ):
            self.assertIn(said, result.output)

    def test_JSON(self) -> None:
        """With ``--json`` it is one object, with codes and sides for programs."""
        (said,) = json.loads(explain("--json", "PKIX path building failed: x").output)["texts"]
        self.assertEqual((said["side"], said["causes"][0]["code"], said["count"]), ("local", "unknown-issuer", 1))

    def test_files(self) -> None:
        """A file and standard input are looked through, ours and other programs' words alike."""
        log = b'\xff\xfe\n{"code": "expired", "message": "it is over"}\nx: tlsv1 alert unknown ca\n'
        Path("mixed.log").write_bytes(log)
        for result in (
            explain("--file", "mixed.log", "--json"),
            explain("-", "--json", given=log),
            explain("mixed.log", "--json"),
        ):
            said = json.loads(result.output)
            self.assertEqual([each["code"] for each in said["failures"]], ["expired"])
            self.assertEqual(
                [(each["sentence"], each["line"]) for each in said["texts"]], [("tlsv1 alert unknown ca", 3)]
            )

    def test_unknown(self) -> None:
        """Of a text that is not known it says so, names what to do next, and ends with 1."""
        result = explain("the flux capacitor is empty")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("not known", result.output)
        self.assertIn("tlscomm probe", result.output)

    def test_both(self) -> None:
        """A text and a file together are wrong usage."""
        self.assertEqual(explain("reset", "--file", "x").exit_code, 2)
