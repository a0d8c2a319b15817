"""What a user can rely on before ``tlscomm connect`` sends anything: addresses, wrong usage and broken credentials."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.commandline import program
from tlscomm.commandline._plan import Address, Plan, addressIn, planFor
from tlscomm.issuing import writeDevelopmentAuthority


def connect(*arguments: str) -> Result:
    """Run the command where there is nothing to connect to."""
    return CliRunner().invoke(program, ["connect", "localhost:1", *arguments])


class AddressTests(SynchronousTestCase):
    """``HOST:PORT``."""

    def test_addresses(self) -> None:
        """Names and addresses of both versions are read, and are written as they were read."""
        for text, host, port in (
            ("localhost:8443", "localhost", 8443),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:65535", "::1", 65535),
            ("[fe80::1%eth0]:8443", "fe80::1%eth0", 8443),
            ("bücher.example:443", "bücher.example", 443),
        ):
            self.assertEqual(addressIn(text), Address(host, port))
            self.assertEqual(str(addressIn(text)), text)

    def test_noAddress(self) -> None:
        """What is no address is refused with a word on how to write one."""
        for text in ("localhost", ":8443", "localhost:", "localhost:x", "::1:8443", "[::1]", "https://localhost:443"):
            with self.assertRaisesRegex(ValueError, r"is not HOST:PORT; .*\[::1\]:8443"):
                addressIn(text)
        for text, complaint in (
            ("localhost:0", "0 is no port"),
            ("localhost:65536", "65536 is no port"),
            ("[localhost]:1", "'localhost' is no IPv6 address"),
        ):
            with self.assertRaisesRegex(ValueError, complaint):
                addressIn(text)


class PlanTests(SynchronousTestCase):
    """What the options come to."""

    def plan(self, text: str, **settings: object) -> Plan:
        return planFor(addressIn(text), settings)

    def test_accessRules(self) -> None:
        """Rules say which valid servers are talked to; what is none is wrong usage."""
        access = AccessRules.parse(["cn=a"], ["cn=b"])
        plan = self.plan("localhost:1", allow=access.allow, deny=access.deny)
        self.assertEqual(plan.configuration.access, access)
        for option in ("--allow", "--deny"):
            self.assertEqual(connect(option, "nonsense").exit_code, 2)

    def test_names(self) -> None:
        """The certificate must be for the host, in ASCII and without a zone, or for the name that is given."""
        for text, host, name in (
            ("bücher.example:443", "xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("[fe80::1%lo]:443", "fe80::1%lo", "fe80::1"),
            ("127.0.0.1:443", "127.0.0.1", "127.0.0.1"),
        ):
            plan = self.plan(text)
            self.assertEqual((plan.host, plan.configuration.serverName), (host, name))
        plan = self.plan("127.0.0.1:443", serverName="db.example")
        self.assertEqual(plan.configuration.serverName, "db.example")

    def test_timeout(self) -> None:
        """One number bounds every wait, 0 none but the close, and each has its own default."""

        def waits(**settings: float | None) -> tuple[float | None, ...]:
            plan = self.plan("localhost:1", **settings)
            deadlines = plan.configuration.deadlines
            return plan.connectSeconds, plan.replySeconds, deadlines.handshake, deadlines.write, deadlines.close

        self.assertEqual(waits(), (10, 5, 10, 5, 5))
        self.assertEqual(waits(timeout=2.5), (2.5, 2.5, 2.5, 2.5, 2.5))
        self.assertEqual(waits(timeout=60), (60, 60, 60, 60, 5))
        self.assertEqual(waits(timeout=None), (None, None, None, None, 5))


class UsageTests(SynchronousTestCase):
    """What cannot be meant is wrong usage, which is exit status 2."""

    def test_wrongUsage(self) -> None:
        """Each mistake is named."""
        for arguments, complaint in (
            (["--timeout", "soon"], "--timeout is a number of seconds, or 0 for none, not 'soon'"),
            (["--timeout", "nan"], "--timeout is a number of seconds"),
            (["--minimum-tls", "1.3", "--maximum-tls", "1.2"], "the minimum TLS 1.3 is above the maximum TLS 1.2"),
            (["--minimum-tls", "1.1"], "--minimum-tls is one of 1.2, 1.3, not '1.1'"),
            (["--key", "client.key"], "a key was named and no identity"),
            (["--identity", "a", "--passphrase-fd", "-1"], "--passphrase-fd is a whole number of 0 or more, not '-1'"),
            (["--server-name", "a..b"], "'a..b' is neither a host name nor an address"),
            (["--framing", "xml"], "--framing is one of eof, line, netstring, int32, not 'xml'"),
            (["--maximum-message", "0"], "--maximum-message is a whole number of 1 or more, not '0'"),
            (["--message-file", "nowhere"], "'nowhere': No such file or directory"),
            (["--raw", "--json"], "--raw and --json exclude each other"),
            (["--trace", "--trace-application-data", "9"], "--trace-application-data is for --trace with --json"),
            (["--capture-size", "1000000"], "a size of captures was given, and no capture"),
            (["--capture", ""], "--capture is empty"),
            (["--capture", "a", "--keylog", "a"], "the capture a and the key log a are the same file"),
        ):
            result = connect(*arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            self.assertIn(complaint, result.output)

    def test_address(self) -> None:
        """So is an address that is none."""
        result = CliRunner().invoke(program, ["connect", "::1:8443"])
        self.assertEqual(result.exit_code, 2)
        self.assertIn("Invalid value for 'ADDRESS': '::1:8443' is not HOST:PORT", result.output)


class CredentialTests(SynchronousTestCase):
    """What is wrong with our own side is named before there is a connection."""

    def failure(self, *arguments: str) -> dict[str, object]:
        """Return the failure in the one object that ``--json`` prints, and check the rest of it."""
        result = connect("--json", *arguments)
        self.assertEqual(result.exit_code, 1, result.output)
        said = json.loads(result.stdout)
        self.assertEqual(said.pop("outcome"), "failed")
        failure: dict[str, object] = said.pop("failure")
        self.assertEqual(said, {"tls": None, "peer": None, "acceptance": None, "replies": [], "unasked": []})
        self.assertEqual((failure["side"], failure["peer"]), ("local", None))
        return failure

    def test_credentials(self) -> None:
        """Each mistake has its own code."""
        writeDevelopmentAuthority("certs")
        Path("text").write_text("a text")
        roots = ("--roots", "certs/ca.pem")
        for arguments, code in (
            (["--identity", "nowhere"], "file-not-found"),
            (["--identity", "text"], "unknown-format"),
            (["--identity", "certs/client.cer"], "no-private-key"),
            (["--identity", "certs/client.pem", "--key", "certs/server.key"], "key-mismatch"),
            (["--identity", "certs/server.pfx"], "wrong-purpose"),
            (["--identity", "certs/client.pfx", "--passphrase-file", "nowhere", "--key", "text"], "unknown-format"),
        ):
            failure = self.failure(*arguments, *roots)
            self.assertEqual((failure["code"], failure["stage"]), (code, "credential"))
        self.assertEqual(self.failure("--roots", "nowhere")["code"], "file-not-found")

    def test_messages(self) -> None:
        """A text that cannot be sent is refused before anything is."""
        for arguments, code in (
            (["--message", "a", "--message", "b<EOF>c"], "undecodable"),
            (["--message", "abc", "--maximum-message", "2"], "message-too-long"),
        ):
            failure = self.failure(*arguments)
            self.assertEqual((failure["code"], failure["stage"]), (code, "message"))

    def test_words(self) -> None:
        """Without ``--json`` the same is said in words on standard error."""
        result = connect("--identity", "nowhere")
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        self.assertRegex(
            result.stderr, "^file-not-found: There is no such file: nowhere.\nNext  Check the path.*\nMore "
        )
