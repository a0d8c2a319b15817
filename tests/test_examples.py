"""The documentation's promises, kept: every example runs, and no option, argument, event or module is left out."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from threading import Timer
from typing import Any

import click
from forkserver import python
from twisted.trial.unittest import SynchronousTestCase

import tlscomm
from tlscomm.commandline import program
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import CODES
from tlscomm.issuing import ensureDevelopmentAuthority
from tlscomm.server import Options
from tlscomm.serving import _ports as ports
from tlscomm.store._search import FIELDS

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLES = DOCS / "examples"

TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")
TLSCOMM = ("-m", "tlscomm.commandline")

#: Seconds for anything that happens at once on an idle machine.
PATIENCE = 120

#: Those that are read and not run: a unit for systemd.
NOT_RUN = {"tlscomm.service"}

#: Those that need a server of another kind or are no program, and the tests that have what they need.
RUN_ELSEWHERE = {
    "asking.py": "test_web_examples.py",
    "callers.py": "test_web_examples.py",
    "fetching.py": "test_web_examples.py",
    "guarded.py": "test_web_examples.py",
    "haproxy.cfg": "test_cluster.py",
    "post.py": "test_cluster.py",
    "postgresql.py": "test_upgrading_live.py",
    "routes.py": "test_web_examples.py",
    "tlscomm.toml": "test_check.py",
}


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text(encoding="utf-8")


class Program:
    """A program that runs in the test's folder, and ends with it at the latest."""

    def __init__(self, *words: str | Path, **settings: Any) -> None:
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **settings}
        self.process = subprocess.Popen(python("-u", *words), **settings)
        self.said = ""
        self._tooLate = Timer(PATIENCE, self.process.kill)
        self._tooLate.start()

    def says(self, pattern: str) -> re.Match[str]:
        """Await a line that matches."""
        for line in self.process.stdout or ():
            self.said += line
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it ended without saying {pattern!r}:\n{self.said}")

    def ends(self) -> tuple[int, str]:
        """Await its end; return its exit status and what it has said since the last line that was awaited."""
        rest, _ = self.process.communicate()
        self._tooLate.cancel()
        return self.process.returncode, rest

    def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.ends()


class ExampleCase(SynchronousTestCase):
    """A folder with a development authority in ``certs``, where the examples look for it."""

    def setUp(self) -> None:
        ensureDevelopmentAuthority("certs")

    def program(self, *words: str | Path, **settings: Any) -> Program:
        program = Program(*words, **settings)
        self.addCleanup(program.stop)
        return program

    def example(self, name: str, *words: str, **settings: Any) -> Program:
        return self.program(EXAMPLES / name, *words, **settings)

    def serving(self, name: str) -> tuple[Program, str]:
        """Start an example as a server; return it and its port."""
        server = self.example(name, "serve", "0")
        return server, server.says(r"listening on (\d+)")[1]

    def twistd(self, *words: str, **settings: Any) -> Program:
        return self.program(*TWISTD, "-n", "--pidfile=", *words, **settings)

    def service(self, *words: str, roots: str = "certs", **settings: Any) -> tuple[Program, str]:
        """Start ``twistd tlscomm`` with the development server's identity; return it and its port."""
        where = ("--listen", "tcp:0:interface=127.0.0.1")
        identity = ("--identity", "certs/server.pfx", "--client-roots", f"{roots}/ca.pem")
        server = self.twistd("tlscomm", *where, *identity, *words, **settings)
        return server, server.says(r"127.0.0.1:(\d+)")[1]

    def connect(self, port: str, *words: str) -> tuple[int, str]:
        """Run ``tlscomm connect`` with the development client; return its exit status and what it said."""
        known = ("--identity", "certs/client.pfx", "--roots", "certs/ca.pem")
        return self.program(*TLSCOMM, "connect", f"localhost:{port}", *known, *words).ends()

    def conversation(self, name: str, role: str, *words: str) -> tuple[Program, str]:
        """Run both roles of an example; return the server, and what its client said."""
        server, port = self.serving(name)
        status, said = self.example(name, role, port, *words).ends()
        self.assertEqual(status, 0, said)
        return server, said


class ExampleTests(ExampleCase):
    """Each example does what its page says."""

    def test_translating(self) -> None:
        """Requests are answered in order, and both sides see an orderly end."""
        server, said = self.conversation("translating.py", "ask", "one", "two", "four")
        self.assertEqual(said.split("\n"), ["one eins", "two zwei", "four ?", ""])
        server.says(r"^accepted \('client.localhost',\) TLSv1.3$")
        server.says(r"^ended Connection was closed cleanly\.$")

    def test_lines(self) -> None:
        """A LineReceiver runs over ``tlscomm:`` strings."""
        _, said = self.conversation("lines.py", "say", "hello", "world")
        self.assertEqual(said, "you said: hello\nyou said: world\n")

    def test_sums(self) -> None:
        """An AMP responder knows its caller by the certificate."""
        _, said = self.conversation("sums.py", "call", "13", "81")
        self.assertEqual(said, "{'total': 94, 'caller': 'client.localhost'}\n")

    def test_website(self) -> None:
        """A site knows its visitor by the certificate, and an Agent shows one."""
        _, said = self.conversation("website.py", "get", "hello")
        self.assertEqual(said, "200\n/hello for tlscomm development client\n")

    def test_existing(self) -> None:
        """Twisted's own options work under both endpoints, and the client waits for its acceptance."""
        _, said = self.conversation("existing.py", "ask", "hello")
        self.assertEqual(said, "hello seen\n")

    def test_who(self) -> None:
        """The application knows its peer and what was agreed, and the observer counts."""
        server, port = self.serving("who.py")
        status, said = self.connect(port, "--framing", "line", "--message", "hello")
        self.assertEqual(status, 0, said)
        self.assertIn("hello client.localhost\n", said)
        server.says(r"^CN=tlscomm development client \('client.localhost',\) \(\) \(\) \(\)$")
        server.says(r"^TLSv1.3 TLS_\w+ \w+ None False localhost seen$")
        server.says(r"^\{'accepted': 1, 'closed in order': 1\}$")

    def test_staying(self) -> None:
        """A client whose authority the server does not trust gives up, by name."""
        ensureDevelopmentAuthority("others")
        _server, port = self.service(roots="others")
        status, said = self.example("staying.py", port).ends()
        self.assertEqual((status, said.split(":")[:2]), (1, ["given up", " unknown-issuer"]), said)

    def test_accounts(self) -> None:
        """A hook with a database lets a client in, with a session as well; ``--hook`` names one on the command line."""
        server, said = self.conversation("accounts.py", "ask", "hello", "again")
        self.assertEqual(said, "hello resumed: False\nagain resumed: True\n")
        server.says(r"^asked about \('client.localhost',\) from 127.0.0.1:\d+ resumed: False$")
        server.says(r"resumed: True$")
        Path("doors.py").write_text(
            "import tlscomm.verification\n\ndef closed(_):\n    return tlscomm.verification.refuse('closed')\n"
        )
        _server, port = self.service("--hook", "doors:closed")
        status, said = self.connect(port, "--message", "hello")
        self.assertEqual((status, "not-allowed" in said), (1, True), said)

    def test_application(self) -> None:
        """``--application`` finds a class in a file of the current folder."""
        Path("shouting.py").write_bytes((EXAMPLES / "shouting.py").read_bytes())
        _server, port = self.service("--application", "shouting:Shout")
        status, said = self.connect(port, "--message", "hello")
        self.assertEqual(status, 0, said)
        self.assertIn("HELLO\n", said)

    def test_greeter(self) -> None:
        """A .tac file makes a service of an endpoint string."""
        source = (EXAMPLES / "greeter.tac").read_text()
        Path("greeter.tac").write_text(source.replace("tlscomm:8443:", "tlscomm:0:"))
        port = self.twistd("-y", "greeter.tac").says(r"TLSFactory starting on (\d+)")[1]
        status, said = self.connect(port, "--framing", "line", "--message", "hello")
        self.assertEqual(status, 0, said)
        self.assertIn("Hello from the server.\n", said)

    def test_loading(self) -> None:
        """Credentials load from PFX, from PEM with the key apart, and without a key."""
        status, said = self.example("loading.py").ends()
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"^<Credential CN=localhost.*, with private key>\n.*, without private key>\nCN=tlscomm")

    def test_several(self) -> None:
        """A server shows the certificate for the name that is asked for."""
        status, said = self.example("several.py").ends()
        self.assertEqual(status, 0, said)
        self.assertIn(said, page("credentials").replace("\n    ", "\n"))

    def test_insisting(self) -> None:
        """A loop around ``connect()`` ends with what is permanent."""
        _server, port = self.serving("translating.py")
        status, said = self.example("insisting.py", port).ends()
        self.assertEqual(status, 1, said)
        self.assertIn("no-certificate True\n", said)

    def test_issuing(self) -> None:
        """An authority of one's own issues credentials, which are stored and read again."""
        status, said = self.example("issuing.py").ends()
        self.assertEqual(status, 0, said)
        self.assertIn("CN=billing, issued by CN=example services", said)

    def test_judging(self) -> None:
        """Certificates are judged without a connection."""
        status, said = self.example("judging.py").ends()
        self.assertEqual(status, 0)
        accepted, incomplete, late = said.splitlines()
        self.assertEqual(accepted, "accepted: CN=server CN=services,O=Example CN=root,O=Example")
        self.assertEqual(incomplete, "refused: incomplete-chain at 0")
        self.assertIn("expired at 0", late)

    def test_rules(self) -> None:
        """Rules are combined as objects, and the application reads which one let a peer in."""
        status, said = self.example("rules.py").ends()
        self.assertEqual(status, 0, said)
        first, second, third = said.splitlines()
        self.assertEqual(first, "read and write uri=spiffe://example.org/billing&!(cn=guest|ou=visitors)")
        self.assertEqual(second, "read dns=*.workers.example.org")
        self.assertEqual(third, "no rule lets it in None")

    def test_refusals(self) -> None:
        """The server's JSON log is read by a program of a few lines, and the page names every event and field of it."""
        server, port = self.service("--log-format", "json", stderr=subprocess.DEVNULL)
        self.assertEqual(self.connect(port, "--message", "hello")[0], 0)
        stranger = self.program(*TLSCOMM, "connect", f"localhost:{port}", "--roots", "certs/ca.pem")
        self.assertEqual(stranger.ends()[0], 1)
        server.says('"event": "refused"')

        Path("log").write_text(server.said)
        with open("log") as log:
            status, said = self.example("refusals.py", stdin=log).ends()
        self.assertEqual(status, 0, said)
        self.assertEqual(said.split("\t")[2:4], ["no-certificate", "no certificate"])

        events = [json.loads(line) for line in server.said.splitlines()]
        self.assertEqual({e["event"] for e in events}, {"listening", "authenticated", "closed", "refused"})
        names = {f"``{name}``" for event in events for name in event}
        self.assertEqual(names - set(re.findall("``[^`]+``", page("operation-logs"))), set())


class PageTests(SynchronousTestCase):
    """What is an interface is on a page."""

    def test_serverOptions(self) -> None:
        """Every option of ``twistd tlscomm`` is a setting, and so on the server's page."""
        options = {name.rstrip("=") for name in Options().longOpt} - {"help", "version"}
        self.assertEqual(options, {setting.option for setting in settingsOn(Interface.TWISTD)})

    def test_clientOptions(self) -> None:
        """Every option of ``tlscomm connect`` has a sentence, with which it is on the client's page."""
        options = [each for each in program.commands["connect"].params if isinstance(each, click.Option)]
        self.assertEqual([each.name for each in options if not each.help], [])

    def test_toolOptions(self) -> None:
        """Every command, option and field of a search is on the page of the tools, of certificates or of renewal."""
        commands = {**program.commands, **program.commands["store"].commands, **program.commands["pki"].commands}
        commands |= program.commands["pki"].commands["issue"].commands
        names = set(commands) - {"connect", "store", "pki", "check", "tunnel", "probe"}
        options = {o for name in names for each in commands[name].params for o in each.opts if o.startswith("--")}
        text = page("tools") + page("operation-renewal") + page("certificates")
        self.assertEqual({name for name in names if f" {name}" not in text}, set())
        self.assertEqual(options - set(re.findall(r"--[a-z-]+", text)), set())
        self.assertEqual({field for field in FIELDS if f"``{field}``" not in text}, set())

    def test_checkOptions(self) -> None:
        """What check has besides the options of twistd is on the page of the configuration."""
        settings = {f"--{each.option}" for each in settingsOn(Interface.TWISTD)}
        own = {option for each in program.commands["check"].params for option in each.opts if option[:2] == "--"}
        self.assertEqual(
            own - settings - {"--quiet", "--verbose"} - set(re.findall(r"--[a-z-]+", page("operation-configuration"))),
            set(),
        )

    def test_sentences(self) -> None:
        """What the pages show of failures is what the failures say."""
        lines = [line for path in DOCS.glob("*.rst") for line in path.read_text(encoding="utf-8").splitlines()]
        said = [found for line in lines if (found := re.search(r"^ {4}.*?\b([a-z-]+): ([A-Z].*)", line))]
        told = [found for found in said if found[1] in CODES]
        self.assertGreater(len(told), 3)
        for line in told:
            failures = (CODES[line[1]]("", side=side) for side in ("local", "remote"))
            summaries = [re.sub(r"\\{\w+\\}", ".+", re.escape(each._summary())) for each in failures]
            self.assertRegex(line[2], f"(?i){'|'.join(summaries)}")
        steps = {step for failure in CODES.values() for step in (failure.ours, failure.theirs)}
        steps |= set(ports._NEXT_STEPS.values())
        shown = {found[1] for line in lines if (found := re.match(r" {4}Next(?: step:| ) (.+)", line))}
        self.assertEqual({step.strip() for step in shown} - steps, set())

    def test_modules(self) -> None:
        """Every public module is in the reference."""
        folder = Path(tlscomm.__file__).parent
        public = {f"tlscomm.{path.stem}" for path in folder.glob("[!_]*.py")} | {"tlscomm.testing"}
        self.assertEqual(public - set(re.findall(r"automodule:: (\S+)", page("reference"))), set())

    def test_examples(self) -> None:
        """Every example is shown on a page, and every one that can run is run by a test of this file."""
        names = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
        shown = {name for path in DOCS.glob("*.rst") for name in re.findall(r":: examples/(\S+)", path.read_text())}
        run = {name for name in names if f'"{name}"' in Path(__file__).read_text()}
        self.assertEqual((names - shown, names - run), (set(), set()))
