"""What a user can rely on in ``tlscomm analyze``."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import drawntraces
from click.testing import CliRunner, Result
from drawntraces import CERTIFICATE
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._capture.packets import Address
from tlscomm.commandline import program
from tlscomm.commandline._analysis import TextAnalysis
from tlscomm.commandline._connections import Connections, Wanted
from tlscomm.tracing._trace import Trace, Verdict

CAPTURES = Path(__file__).parent / "captures"

#: OpenSSL's client and five servers' verdicts on it, under TLS 1.2.
FIVE = str(CAPTURES / "client-openssl-1.2.pcap")

#: The head of a capture of no packets: little endian, Ethernet.
EMPTY = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")


def analyze(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(program, ["analyze", *arguments], catch_exceptions=False, **more)


class WantedTests(SynchronousTestCase):
    """Which connections the filters let through."""

    def numbered(self, **filters: Any) -> list[int]:
        traces = (drawntraces.refused(), drawntraces.closed(), drawntraces.accepted(), drawntraces.noCommonVersion())
        return [trace.number for trace in traces if Wanted(**filters).fits(trace)]

    def test_all(self) -> None:
        """Without a filter there are all."""
        self.assertEqual(self.numbered(), [1, 2, 3, 4])

    def test_failed(self) -> None:
        """What was refused or broke off."""
        self.assertEqual(self.numbered(failed=True), [1, 4])

    def test_hosts(self) -> None:
        """A host is an address of either side, the name that was asked for, or that of a certificate, in any case."""
        self.assertEqual(self.numbered(hosts=("192.0.2.7",)), [1, 2, 3, 4])
        self.assertEqual(self.numbered(hosts=("[2001:db8:0:1::1]",)), [4])
        for host in ("Gateway.Example", "*.example", "client"):
            self.assertEqual(self.numbered(hosts=(host,)), [1], host)
        self.assertEqual(self.numbered(hosts=("gateway",)), [1], "the common name of a certificate")
        self.assertEqual(self.numbered(hosts=("example",)), [])
        self.assertEqual(self.numbered(hosts=("example", "2001:db8:0:1::1")), [4])

    def test_wildcard(self) -> None:
        """A certificate for all names of a domain is one for each of them."""
        certificate = replace(CERTIFICATE, names=("dns:*.example",))
        trace = replace(drawntraces.closed(), serverCertificates=(certificate,))
        self.assertTrue(Wanted(hosts=("any.example",)).fits(trace))
        self.assertFalse(Wanted(hosts=("an.other.example",)).fits(trace))

    def test_more(self) -> None:
        """Ports are the server's, numbers those of connections, and all filters have to fit."""
        self.assertEqual(self.numbered(ports=(443,)), [4])
        self.assertEqual(self.numbered(numbers=(2, 3)), [2, 3])
        self.assertEqual(self.numbered(numbers=(1, 2), failed=True), [1])


class Million(SynchronousTestCase):
    """What is kept of very many connections."""

    def trace(self, number: int) -> Trace:
        server = Address(f"192.0.2.{number % 200}", 443)
        refused = Verdict("refused", "expired", "server", turn="client")
        verdict = refused if number % 3 else Verdict("accepted")
        return Trace(number, None, server, None, (), verdict)

    def test_counts(self) -> None:
        """Causes are counted, the failed ones first, each with an example; and what is kept is bounded."""
        found = Connections(few=12, mostDrawn=1)
        for number in range(1, 6001):
            found.add(self.trace(number))
        (cause, count, example, hosts), (accepted, *_) = found.causes()
        self.assertEqual((cause.code, cause.by, count, example), ("expired", "server", 4000, 1))
        self.assertEqual((accepted.outcome, len(hosts)), ("accepted", 3))
        self.assertEqual((found.count, found.failedCount, len(found.traces)), (6000, 4000, 1))
        self.assertEqual(len(found.listed), 1000)
        self.assertTrue(all(each.hasFailed for each in found.listed))

    def test_order(self) -> None:
        """A list is in the order in which connections begin, whatever order they end in."""
        found = Connections(few=12, mostDrawn=1)
        for number in (3, 1, 2):
            found.add(self.trace(number))
        self.assertEqual([each.number for each in found.listed], [1, 2, 3])


class Files(SynchronousTestCase):
    """What is read, and what is said of what cannot be."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def file(self, content: bytes) -> str:
        path = self.folder / "file"
        path.write_bytes(content)
        return str(path)

    def test_noCapture(self) -> None:
        """A file that is no capture is a named failure, with what to give instead."""
        result = analyze(self.file(b"-----BEGIN CERTIFICATE-----\n"))
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(result.stdout, "")
        self.assertIn("unknown-format: ", result.stderr)
        self.assertIn("tcpdump -w", result.stderr)

    def test_noFile(self) -> None:
        """A file that is not there is named, also where it has the secrets."""
        for arguments in (("nowhere",), (FIVE, "--keylog", "nowhere"), (FIVE, "--roots", "nowhere")):
            result = analyze(*arguments)
            self.assertEqual(result.exit_code, 1)
            self.assertIn("file-not-found: ", result.stderr)
            self.assertIn("nowhere", result.stderr)
            self.assertEqual(analyze("--connection", "1", *arguments).stderr, result.stderr)

    def test_otherSecrets(self) -> None:
        """A file of secrets that has none, or those of other connections, is named; it is no failure."""
        keys = str(CAPTURES / "client-openssl-1.2.keys")
        self.assertEqual(analyze(FIVE, "--keylog", keys).stderr, "")
        essay = self.file(b"CLIENT_RANDOM is what this essay is about.\n")
        result = analyze(FIVE, "--keylog", essay, "--json")
        self.assertEqual(result.exit_code, 0)
        self.assertRegex(result.stderr, f"^Note: {essay} holds no secrets;.*\n$")
        others = self.file(b"CLIENT_RANDOM %s %s\n" % (b"00" * 32, b"11" * 48))
        result = analyze(FIVE, "--keylog", others)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.stderr, f"Note: no secret in {others} belongs to a connection in the capture.\n")

    def test_wrongUsage(self) -> None:
        """What cannot be meant is wrong usage, which is exit status 2."""
        for arguments in ((), (FIVE, "--connection", "0"), (FIVE, "--port", "https"), (FIVE, "--port", "99999")):
            self.assertEqual(analyze(*arguments).exit_code, 2, arguments)

    def test_oneOutput(self) -> None:
        """Two outputs are two files: one would replace the other."""
        for outputs in (("--html", "o", "--svg", "o"), ("--svg", "o", "--redact", "--write", "./o"), ("--html", "")):
            result = analyze(FIVE, "--connection", "2", *outputs)
            self.assertEqual(result.exit_code, 2, outputs)
            self.assertFalse(Path("o").exists())

    def test_trace(self) -> None:
        """A trace, and an analysis, that were written as JSON are called what they are."""
        for content in (b'{"connection": 1, "client": null}', b'{"connections": []}'):
            result = analyze(self.file(content))
            self.assertEqual(result.exit_code, 1)
            self.assertIn("told of connections, as JSON for jq", " ".join(result.stderr.split()))
            self.assertIn("Give a capture", result.stderr)

    def test_noTLS(self) -> None:
        """A capture without TLS says what there is."""
        result = analyze(self.file(EMPTY))
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        expected = "There is no TLS connection in it. What was found: 0 packets, 0 TCP connections.\n"
        self.assertEqual(result.stdout, expected)

    def test_cutOff(self) -> None:
        """A capture that is being written, or that is damaged, is read as far as it goes, and that is said."""
        content = Path(FIVE).read_bytes()
        result = analyze(self.file(content[: len(content) // 2]))
        self.assertEqual(result.exit_code, 0)
        self.assertIn("127.0.0.1", result.stdout)
        self.assertRegex(result.stderr, r"^Note: .*byte \d+")

    def test_standardInput(self) -> None:
        """A capture may come from standard input, or be packed."""
        content = Path(FIVE).read_bytes()
        expected = analyze(FIVE).stdout
        self.assertEqual(analyze("-", input=content).stdout, expected)
        self.assertEqual(analyze(self.file(gzip.compress(content))).stdout, expected)


class Output(SynchronousTestCase):
    """What is written of connections."""

    def test_several(self) -> None:
        """Of several connections each has a line."""
        result = analyze(FIVE)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["1", "2", "3", "4", "5"])

    def test_one(self) -> None:
        """One connection that is asked for is drawn, and no colours go to a file."""
        result = analyze(FIVE, "--connection", "4")
        self.assertRegex(result.stdout, "^no-certificate, refused by the server, ")
        self.assertIn("── ClientHello  what the client can do", result.stdout)
        self.assertNotIn("\x1b", result.stdout)

    def test_some(self) -> None:
        """Several that are asked for are all drawn, and one that is not there is named."""
        result = analyze(FIVE, "--connection", "5", "--connection", "2", "--connection", "77")
        self.assertEqual([line for line in result.stdout.splitlines() if line.startswith("Connection")],
                         ["Connection 2", "Connection 5"])  # fmt: skip
        self.assertIn("77", result.stderr)

    def test_sentence(self) -> None:
        """The line of a connection that was refused has its verdict, whose turn it is, and what happened."""
        line = analyze(FIVE, "--failed", "--port", "41726").stdout.splitlines()[1]
        self.assertRegex(
            line, r"^ +3 .*41726 .*  name-mismatch, refused by the client, .*, the server's turn: The client .*"
        )

    def test_check(self) -> None:
        """The exit status is that of reading; with ``--check`` also 1 where what was asked for has failed."""
        for arguments, status in (((), 0), (("--check",), 1), (("--check", "--connection", "1"), 0)):
            self.assertEqual(analyze(FIVE, *arguments).exit_code, status, arguments)

    def test_noneFits(self) -> None:
        """Where no connection fits the filters, that is said."""
        result = analyze(FIVE, "--host", "elsewhere.example")
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr, "Note: none of 5 TLS connections is one that was asked for.\n")
        result = analyze(FIVE, "--failed", "--port", "41710", "--check", "--json")
        self.assertEqual((result.exit_code, json.loads(result.stdout)["connections"]), (0, []))
        self.assertIn("is one that was asked for", result.stderr)
        result = analyze(FIVE, "--connection", "9999", "--json")
        self.assertEqual((result.exit_code, json.loads(result.stdout)["connections"]), (0, []))
        self.assertEqual(result.stderr, "Note: no TLS connection with the number 9999 fits.\n")

    def test_numbers(self) -> None:
        """Where other TCP connections are counted too, that is said of numbers that have holes."""
        reading: Any = SimpleNamespace(connections=15, connectionsWithoutTLS=2, damages=())
        for numbers, expected in (((), "Numbers count TCP connections, 2 of them"), ((99,), "99 fits; numbers count")):
            analysis = TextAnalysis(Wanted(numbers=numbers), isStream=False)
            for _ in analysis.taken(replace(drawntraces.refused(), number=number) for number in range(3, 16)):
                pass
            with CliRunner().isolation() as streams:
                analysis.end(reading, None)
                said = b"".join(stream.getvalue() for stream in streams[:2] if stream is not None).decode()
            self.assertIn(expected, said)

    def test_many(self) -> None:
        """Of many connections the causes are counted."""
        result = analyze(*(str(path) for path in sorted(CAPTURES.glob("client-*.pcap"))))
        self.assertRegex(result.stdout, r"^\d+ TLS connections, \d+ of them failed\n")
        self.assertIn("Certainty", result.stdout)


class Objects(SynchronousTestCase):
    """What programs read."""

    def told(self, *arguments: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(analyze(*arguments, "--json").stdout)
        return told

    def test_object(self) -> None:
        """``--json`` prints one object: connections as their traces tell them, causes, the capture, no failure."""
        told = self.told(FIVE)
        self.assertEqual(set(told), {"connections", "causes", "capture", "failure"})
        self.assertEqual([each["connection"] for each in told["connections"]], [1, 2, 3, 4, 5])
        codes = [each["verdict"]["code"] for each in told["connections"]]
        self.assertEqual(codes, [None, "unknown-issuer", "name-mismatch", "no-certificate", "unknown-issuer"])
        self.assertEqual(told["causes"][0]["count"], 1)
        self.assertEqual(sum(cause["count"] for cause in told["causes"]), 5)
        self.assertEqual((told["capture"]["tcpConnections"], told["failure"]), (5, None))

    def test_brief(self) -> None:
        """``--brief`` leaves out the messages, and the filters hold as for people."""
        (connection,) = self.told(FIVE, "--brief", "--connection", "3")["connections"]
        self.assertEqual(connection["connection"], 3)
        self.assertNotIn("events", connection)
        self.assertIn("events", self.told(FIVE, "--connection", "3")["connections"][0])

    def test_applicationData(self) -> None:
        """What the programs say is in it only where that is asked for."""
        keys = str(CAPTURES / "client-openssl-1.2.keys")
        only = (FIVE, "--keylog", keys, "--connection", "1")
        for more, isShown in (((), False), (("--show-application-data", "100"), True)):
            (connection,) = self.told(*only, *more)["connections"]
            kept = [event.get("content") for event in connection["events"] if event["kind"] == "application_data"]
            self.assertEqual([bool(content) for content in kept], [isShown, isShown])

    def test_failure(self) -> None:
        """Where there is no capture, it is an object all the same, with the failure and exit status 1."""
        result = analyze("nowhere", "--json")
        self.assertEqual((result.exit_code, result.stderr), (1, ""))
        told = json.loads(result.stdout)
        self.assertEqual((told["connections"], told["failure"]["code"]), ([], "file-not-found"))


class Pages(SynchronousTestCase):
    """What is written into files."""

    def test_page(self) -> None:
        """``--html`` writes a page of what was asked for, besides what is printed."""
        result = analyze(FIVE, "--connection", "2", "--html", "page.html")
        self.assertEqual((result.exit_code, result.stderr), (0, "The page is in page.html.\n"))
        self.assertIn("── ClientHello", result.stdout)
        page = Path("page.html").read_text(encoding="utf-8")
        self.assertIn("client-openssl-1.2.pcap", page)

    def test_picture(self) -> None:
        """``--svg`` writes a picture of one connection, and says which ones there are where there are more."""
        result = analyze(FIVE, "--connection", "2", "--svg", "picture.svg")
        self.assertEqual((result.exit_code, result.stderr), (0, "The picture is in picture.svg.\n"))
        self.assertIn("<svg", Path("picture.svg").read_text(encoding="utf-8"))
        several = analyze(FIVE, "--svg", "several.svg")
        self.assertEqual(several.exit_code, 1)
        self.assertIn("there are 5; choose one: --connection N", several.stderr)
        self.assertFalse(Path("several.svg").exists())

    def test_private(self) -> None:
        """Only the owner reads what may tell what the programs said, also where others could read it before."""
        outputs = {"--html": "asked.html", "--svg": "asked.svg"}
        arguments = (FIVE, "--connection", "2", *(word for output in outputs.items() for word in output))
        old = os.umask(0o022)
        try:
            for more, mode in (((), 0o644), (("--show-application-data", "100"), 0o600)):
                result = analyze(*arguments, *more)
                self.assertEqual({Path(name).stat().st_mode & 0o777 for name in outputs.values()}, {mode})
                self.assertEqual(result.stderr.count("which only you can read"), 2 if more else 0)
        finally:
            os.umask(old)

    def test_redacted(self) -> None:
        """``--redact`` tells no name in all that is printed and written, and the same verdict."""
        outputs = ("--html", "redacted.html", "--svg", "redacted.svg", "--write", "redacted.pcapng")
        result = analyze(FIVE, "--connection", "3", "--redact", *outputs)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("name-mismatch, refused by the client, ", result.stdout)
        written = [Path(output).read_bytes() for output in outputs[1::2]]
        for told in (result.stdout.encode(), *written):
            for name in (b"server.example", b"other.example", b"Trusted CA", b"client-openssl"):
                self.assertNotIn(name, told)
        again = analyze("redacted.pcapng")
        self.assertEqual(len(again.stdout.splitlines()), 5)

    def test_redactedPrinted(self) -> None:
        """Lists, and the object for programs, are redacted too."""
        for more in ((), ("--json",)):
            told = analyze(FIVE, "--redact", *more).stdout
            for name in ("server.example", "other.example", "Trusted CA", "client-openssl"):
                self.assertNotIn(name, told)

    def test_redactedUsage(self) -> None:
        """What contradicts itself is wrong usage, and a capture is never replaced."""
        Path("there.pcapng").write_bytes(b"")
        for arguments in (
            (FIVE, "--write", "new.pcapng"),
            ("-", "--redact", "--write", "new.pcapng"),
            (FIVE, "--redact", "--html", "page.html", "--show-application-data", "5"),
            (FIVE, "--show-application-data", "5"),
            (FIVE, "--brief"),
        ):
            self.assertEqual(analyze(*arguments).exit_code, 2, arguments)
        result = analyze(FIVE, "--redact", "--write", "there.pcapng")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("there.pcapng cannot be written: File exists", result.stderr)

    def test_device(self) -> None:
        """What is no file is written to and stays."""
        os.mkfifo("pipe")
        reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        writer = os.open("pipe", os.O_WRONLY)
        self.addCleanup(os.close, writer)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
        self.assertEqual(analyze(FIVE, "--connection", "2", "--html", "pipe").exit_code, 0)
        self.assertTrue(os.read(reader, 100).startswith(b"<!"))

    def test_capture(self) -> None:
        """A capture that is read is not replaced, and a page that cannot be written is an error."""
        Path("capture").write_bytes(EMPTY)
        self.assertEqual(analyze("capture", "--html", "./capture").exit_code, 2)
        self.assertEqual(Path("capture").read_bytes(), EMPTY)
        result = analyze(FIVE, "--html", "nowhere/page.html")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("nowhere/page.html cannot be written: No such file or directory", result.stderr)


class Streams(SynchronousTestCase):
    """A capture that is still being written, from standard input."""

    def test_interrupted(self) -> None:
        """Each connection has its line when it has ended, and Ctrl-C, which ends what captures too, ends in order."""
        command = (sys.executable, "-m", "tlscomm.commandline", "analyze", "-")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(Path(FIVE).read_bytes())
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(5)]
        self.assertEqual([line.split()[0] for line in lines], [b"1", b"2", b"3", b"4", b"5"])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual((process.returncode, said), (0, b""))
