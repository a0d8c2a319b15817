"""``tlscomm check`` says what keeps a server from starting, what expires when, and whom it would refuse."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from threading import Thread
from typing import Any

from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding
from revocationlists import revocationList
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.issuing import Authority
from tlscomm.server._placechecking import reportOn
from tlscomm.x509._encoding import keyPEM, pem

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])
CLIENT = AUTHORITY.issue("client", role="client")
STRANGER = Authority.create("another").issue("stranger", role="client")

GOOD = """
identity = "server.pem"
clientRoots = "ca.pem"
maximumConnections = 10
[[listener]]
name = "one"
listen = "unix:one.socket"
[[listener]]
name = "two"
listen = "unix:two.socket"
allow = "cn=client"
"""


@contextmanager
def answering(path: str, status: int, body: str) -> Iterator[None]:
    """Serve one answer to every request on a Unix socket."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/peers.json" else 500)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing is logged."""

    with UnixStreamServer(path, Answer) as server:
        server.get_request = lambda: (server.socket.accept()[0], ("local", 0))  # type: ignore[method-assign]
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield
        server.shutdown()
        thread.join()


class CheckCase(SynchronousTestCase):
    """Configuration files in the test's own folder."""

    def setUp(self) -> None:
        Path("server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        os.chmod("server.pem", 0o600)
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))

    def check(self, text: str, *words: str) -> Result:
        Path("a.toml").write_text(text, encoding="utf-8")
        result = CliRunner().invoke(program, ["check", "a.toml", *words])
        self.assertNotIsInstance(result.exception, (ValueError, TypeError, AttributeError))
        return result

    def found(self, text: str, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.check(text, "--json", *words).stdout)
        return found


class CheckTests(CheckCase):
    """A configuration, without a server."""

    def test_good(self) -> None:
        """A configuration that can be used is told with its places and with what expires, the next first."""
        result = self.check(GOOD)
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertRegex(
            result.stdout, r"(?s)unix:.*one.socket +free\n.*CN=server \(one, two\)\n.* root .*\nAll is well.\n"
        )
        self.assertFalse(os.path.exists("one.socket"))

    def test_problems(self) -> None:
        """All that is wrong is told with its line, in the words of twistd, and the exit status is 1."""
        result = self.check(GOOD.replace("ca.pem", "no.pem").replace("cn=client", "client") + 'x = 1\nhook = "no:no"\n')
        self.assertEqual(result.exit_code, 1)
        beginnings = [line.split(" ")[0] for line in result.stdout.splitlines()[:4]]
        self.assertEqual(beginnings, ["a.toml:3:1:", "a.toml:11:1:", "a.toml:12:1:", "a.toml:13:1:"])
        self.assertIn("A server would not start.\n", result.stdout)

    def test_json(self) -> None:
        """The same for programs."""
        found = self.found(GOOD)
        self.assertEqual((found["outcome"], found["problems"], found["peers"]), ("usable", [], None))
        self.assertEqual([each["places"][0]["state"] for each in found["listeners"]], ["free", "free"])
        first = found["expiries"][0]
        self.assertEqual((first["kind"], first["listeners"]), ("identity", ["one", "two"]))
        found = self.found("identity = 'no.pem'")
        (problem,) = found["problems"]
        self.assertEqual((problem["line"], problem["failure"]["code"]), (1, "file-not-found"))

    def test_options(self) -> None:
        """Options of twistd tlscomm win, as they do for a server; without a file they are the configuration."""
        self.assertEqual(self.check(GOOD, "--client-roots", "no.pem").exit_code, 1)
        line = ["check", "--identity", "server.pem", "--listen", "unix:a.socket", "--client-roots", "ca.pem"]
        self.assertEqual(CliRunner().invoke(program, line).exit_code, 0)
        result = CliRunner().invoke(program, [*line, "--crl", "no.crl"])
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stdout.startswith("the command line: file-not-found: "), result.stdout)

    def test_usage(self) -> None:
        """What cannot be checked is wrong usage."""
        for words in ([], ["a.toml", "--configuration", "b.toml"], ["a.toml", "--warn-days", "x"]):
            self.assertEqual(CliRunner().invoke(program, ["check", *words]).exit_code, 2)

    def test_expiring(self) -> None:
        """What expires soon has an exit status of its own, and the days are the operator's to say."""
        self.assertEqual(self.check(GOOD, "--warn-days", "300").exit_code, 0)
        self.assertEqual(self.check(GOOD, "--warn-days", "5000").exit_code, 3)
        soon = datetime.now(timezone.utc) + timedelta(hours=12, minutes=1)
        Path("a.crl").write_bytes(revocationList(AUTHORITY, until=soon).public_bytes(Encoding.PEM))
        self.assertEqual(self.check("crl = 'a.crl'" + GOOD, "--warn-days", "0.1").exit_code, 0)
        result = self.check("crl = 'a.crl'" + GOOD)
        self.assertEqual(result.exit_code, 3)
        self.assertIn("0.5 days", result.stdout)

    def test_expired(self) -> None:
        """An identity that has expired is refused, as at a start."""
        now = datetime.now(timezone.utc)
        old = AUTHORITY.issue("old", role="server", notBefore=now - timedelta(9), notAfter=now - timedelta(1))
        Path("server.pem").write_bytes(pem([old.certificate]) + keyPEM(old.privateKey))
        result = self.check(GOOD)
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stdout.startswith("a.toml:2:1: expired: "), result.stdout)

    def test_sites(self) -> None:
        """Where strangers would see who the peers are is refused with its line."""
        result = self.check('status = "tcp:8080"\n' + GOOD)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("a.toml:1:1: status tcp:8080: the status names peers", result.stdout)

    def test_whatCannotBeTogether(self) -> None:
        """What twistd refuses of files for logs and of the next server's socket is refused with its line, and why."""
        for text, line in (
            ('logFormat = "journal"\nlogFile = "log"\n', "a.toml:2:1: logFile: logFormat journal writes"),
            ('handover = "nowhere/next"\n', "nowhere/next cannot be written: there is no folder"),
            ('logFile = "."\n', "a.toml:1:1: logFile: "),
        ):
            result = self.check(text + GOOD)
            self.assertEqual(result.exit_code, 1)
            self.assertIn(line, result.stdout)
        self.assertIn("it is a folder", result.stdout)

    def test_files(self) -> None:
        """The log of TLS goes where it can be written."""
        result = self.check('keylog = "nowhere/keys"\n' + GOOD)
        self.assertIn("a.toml:1:1: keylog: ", result.stdout)
        self.assertEqual(self.check('keylog = "keys"\n' + GOOD).exit_code, 0)
        self.assertFalse(os.path.exists("keys"))

    def test_manyFiles(self) -> None:
        """More connections than the system allows files are warned of."""
        result = self.check(GOOD.replace("= 10", "= 100000000"))
        self.assertEqual(result.exit_code, 3)
        self.assertIn("Warning: 100000000 connections may need ", result.stdout)


class ExampleTests(CheckCase):
    """The configuration file of the documentation."""

    def test_example(self) -> None:
        """It can be used as it is, with the files that it names."""
        text = (Path(__file__).parent.parent / "docs" / "examples" / "tlscomm.toml").read_text(encoding="utf-8")
        Path("clients-ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        for folder in ("lists", "conf.d"):
            Path(folder).mkdir()
        until = datetime.now(timezone.utc) + timedelta(days=9)
        Path("lists/a.crl").write_bytes(revocationList(AUTHORITY, until=until).public_bytes(Encoding.PEM))
        found = self.found(text)
        self.assertEqual(
            (found["problems"], [each["name"] for each in found["listeners"]]), ([], ["messages", "cache"])
        )
        self.assertEqual({each["kind"] for each in found["expiries"]}, {"identity", "root", "list"})


class PlacesTests(SynchronousTestCase):
    """Places to listen, of this machine."""

    def test_port(self) -> None:
        """A port that is free stays so; one that is in use is said with who uses it."""
        with closing(socket.socket()) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            place = f"tcp:{listening.getsockname()[1]}:interface=127.0.0.1"
            report = reportOn(place)
        self.assertEqual((report.state, report.isOurs, report.isProblem), ("in-use", False, True))
        if report.process is not None:
            self.assertEqual(report.process, os.getpid())
        self.assertEqual(reportOn(place).state, "free")
        self.assertEqual(reportOn("tcp:0:interface=192.0.2.1").state, "refused")
        self.assertEqual(reportOn("tcp:99999:interface=127.0.0.1").state, "refused")

    def test_socket(self) -> None:
        """A socket that a dead server left is no obstacle, another file is, and a server that answers is."""
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind("a.socket")
            self.assertEqual(reportOn("unix:a.socket").state, "free")
            listening.listen()
            self.assertEqual(reportOn("unix:a.socket").state, "in-use")
        Path("file").write_bytes(b"")
        for path in ("file", "nowhere/a.socket", "x" * 200):
            self.assertEqual(reportOn(f"unix:{path}").state, "refused")

    def test_withTLS(self) -> None:
        """A site with TLS of its own has a port as well."""
        with closing(socket.socket()) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            port = listening.getsockname()[1]
            place = f"tlscomm:{port}:identity=a.pem:interface=127.0.0.1"
            self.assertEqual(reportOn(place).state, "in-use")
            self.assertEqual(reportOn(f"{place}:endpoint=x").state, "unknown")

    def test_unknown(self) -> None:
        """What only systemd or a resolver knows is not asked."""
        for place in ("systemd:domain=INET:index=0", "tcp:1:interface=host.example"):
            self.assertEqual(reportOn(place).state, "unknown")


class PeersTests(CheckCase):
    """Who would still get in."""

    def setUp(self) -> None:
        super().setUp()
        Path("peers").mkdir()
        Path("peers/client.pem").write_bytes(pem([CLIENT.certificate]))
        Path("peers/stranger.der").write_bytes(STRANGER.certificate.public_bytes(Encoding.DER))

    def test_folder(self) -> None:
        """Each certificate of a folder is judged by each listener; a refused one has an exit status of its own."""
        result = self.check(GOOD, "--peers", "peers")
        self.assertEqual(result.exit_code, 4)
        self.assertIn("Peers: 2 would get in, 2 would be refused\n", result.stdout)
        self.assertIn("CN=stranger (stranger.der), at one: incomplete-chain: ", result.stdout)
        self.assertEqual(self.check(GOOD, "--peers", "peers/client.pem").exit_code, 0)
        result = self.check(GOOD.replace("cn=client", "cn=else"), "--peers", "peers/client.pem")
        self.assertEqual(result.exit_code, 4)
        self.assertIn("CN=client (client.pem), at two: not-allowed: ", result.stdout)

    def test_ofServer(self) -> None:
        """The peers that a server has told of are judged by the listener that they came to."""
        told = {
            "peers": [
                {"listener": "one", "chain": pem([CLIENT.certificate]).decode(), "connected": True},
                {"listener": "two", "chain": "", "connected": False},
                {"listener": "gone", "chain": pem([CLIENT.certificate]).decode(), "connected": True},
            ],
            "leftOut": 0,
        }
        Path("peers.json").write_text(json.dumps(told), encoding="utf-8")
        found = self.found(GOOD, "--peers", "peers.json")
        self.assertEqual(found["outcome"], "peers-refused")
        self.assertEqual([each["letIn"] for each in found["peers"]], [True, False, False])
        self.assertEqual(found["peers"][1]["failure"]["code"], "no-certificate")
        self.assertEqual((found["peers"][2]["listenerGone"], found["peers"][2]["connected"]), (True, True))

    def test_unreadable(self) -> None:
        """What is no list of peers is a sentence."""
        Path("empty").mkdir()
        Path("x.json").write_text('{"peers": [1]}', encoding="utf-8")
        for path in ("empty", "x.json", "nothing", "nothing.json", "a.toml"):
            result = self.check(GOOD, "--peers", path)
            self.assertEqual(result.exit_code, 1, path)
            self.assertTrue(result.stderr.startswith("Error: "), result.stderr)

    def test_against(self) -> None:
        """A server of this machine is asked for its peers; one that answers otherwise, or not at all, is a sentence."""
        told = {"peers": [{"listener": "one", "chain": "", "connected": True}], "leftOut": 3}
        with answering("status.socket", 200, json.dumps(told)):
            result = self.check(GOOD, "--against", "./status.socket")
        self.assertEqual(result.exit_code, 4)
        self.assertIn("a client without a certificate (connected now), at one: no-certificate: ", result.stdout)
        self.assertIn("3 peers of the server are not among those", result.stderr)
        for status, body in ((404, ""), (200, "<html>")):
            with answering(f"{status}.socket", status, body):
                self.assertEqual(self.check(GOOD, "--against", f"unix:{status}.socket").exit_code, 1)
        self.assertIn("does not answer", self.check(GOOD, "--against", "./status.socket").stderr)

    def test_againstElsewhere(self) -> None:
        """Another machine is not asked."""
        result = self.check(GOOD, "--against", "192.0.2.1:80")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("is no place of this machine", result.stderr)
