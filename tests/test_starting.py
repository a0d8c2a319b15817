"""What a command costs before it does anything, which a shell script pays a thousand times.

Nothing here measures time: a program starts fast because of what it leaves out, and that can be counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding
from test_twistd import LISTEN, write
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline._groupedhelp import GroupOfCommands
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import keyPEM, pem

#: Runs the command, and then the reactor.
COLLECTING = """
import gc, sys
from tlscomm.commandline import main
sys.argv = ["tlscomm", "--version"]
main({})
print(gc.isenabled())
from tlscomm.commandline._running import run
async def work(reactor):
    print(gc.isenabled())
run(work)
"""


#: Runs the command that follows, in silence, and prints all modules that are loaded then.
LOADED = """
import os, sys
from tlscomm.commandline import main
output = os.dup(1)
null = os.open(os.devnull, os.O_WRONLY)
for descriptor in (1, 2):
    os.dup2(null, descriptor)
try:
    main()
finally:
    # One whose loading was put off is of another type until something of it is used.
    names = sorted(name for name, module in sys.modules.items() if type(module).__name__ != "_LazyModule")
    os.write(output, " ".join(names).encode())
"""

#: Runs twistd until it is told to end, and prints all modules that are loaded then.
SERVED = """
import os, sys
from twisted.internet import reactor
from twisted.scripts.twistd import run
reactor.addSystemEventTrigger("after", "shutdown", lambda: os.write(1, " ".join(sys.modules).encode()))
run()
"""

#: What no connection loads that is not traced.
TRACING = frozenset(
    {
        "tlscomm._capture",
        "tlscomm._wire.dissector",
        "tlscomm._wire.events",
        "tlscomm._wire.protection",
        "tlscomm._wire.records",
        "tlscomm._wire.suitenames",
        "tlscomm.drawing",
        "tlscomm.tracing._connections",
        "tlscomm.tracing._recorder",
        "tlscomm.tracing._trace",
        "tlscomm.tracing._tracing",
        "tlscomm.transport._traced",
    }
)

#: What no server loads that tells nothing over HTTP.
OPERATION = frozenset(
    {
        "prometheus_client",
        "tlscomm.operation._counting",
        "tlscomm.operation._operationsites",
        "tlscomm.operation._status",
        "twisted.web",
    }
)

#: What no command loads that only explains or refuses.
HEAVY = frozenset(
    {"twisted", "OpenSSL", "cryptography", "idna", "rich", "attr", "asyncio", "jinja2", "json", "difflib", "email"}
)

COMMANDS = frozenset({"analyze", "connect", "explain", "inspect", "pki", "store", "verify"})


def printed(program: str) -> list[str]:
    """Return the lines that a program prints."""
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def loaded(*arguments: str, **variables: str) -> frozenset[str]:
    """Return the modules that are loaded when a command has ended."""
    command = (sys.executable, "-c", LOADED, *arguments)
    # With this variable rich takes everything for a terminal.
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | variables
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    return frozenset(done.stdout.split())


def handshake(*arguments: str) -> tuple[frozenset[str], frozenset[str]]:
    """Have a client connect to a server, and return the modules that each has loaded; both get the same arguments."""
    authority = Authority.create()
    Path("ca.pem").write_bytes(pem([authority.certificate]))
    for name in ("server", "client"):
        write(f"{name}.pem", authority.issue(name, role=name, addresses=["127.0.0.1"]))
    identity = ("--identity", "server.pem", "--client-roots", "ca.pem")
    words = ("-n", "--pidfile=", "tlscomm", *LISTEN, *identity, "--log-format", "json")
    command = (sys.executable, "-c", SERVED, *words, *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            where = json.loads(server.stdout.readline())["address"]
            client = loaded("connect", where, "--identity", "client.pem", "--roots", "ca.pem", *arguments)
        finally:
            server.terminate()
        said = server.stdout.read().splitlines()
    assert any(json.loads(line)["event"] == "authenticated" for line in said[:-1]), said[:-1]
    return frozenset(said[-1].split()), client


def commandsIn(modules: frozenset[str]) -> frozenset[str]:
    """Return the commands among modules."""
    return frozenset(name for name in COMMANDS if f"tlscomm.commandline.{name}" in modules)


class LoadedTests(SynchronousTestCase):
    """What each command loads, and what it does without. This is what keeps it fast."""

    def test_light(self) -> None:
        """Help and wrong usage load nothing heavy, and no command but the one that is named."""
        for arguments, named in (
            (("--help",), set[str]()),
            (("connect", "--help"), {"connect"}),
            (("verify",), {"verify"}),
            (("store", "list", "--help"), {"store"}),
        ):
            modules = loaded(*arguments)
            self.assertEqual(modules & HEAVY, set(), arguments)
            self.assertEqual(commandsIn(modules), named, arguments)

    def test_completion(self) -> None:
        """A shell that asks how a word goes on waits for nothing heavy either."""
        words = {"_TLSCOMM_COMPLETE": "bash_complete", "COMP_WORDS": "tlscomm connect --", "COMP_CWORD": "2"}
        modules = loaded(**words)
        self.assertEqual((modules & HEAVY, commandsIn(modules)), (set(), {"connect"}))

    def test_explain(self) -> None:
        """The catalogue is text, and goes to a pipe as it is."""
        self.assertEqual(loaded("explain", "expired") & HEAVY, set())

    def test_inspect(self) -> None:
        """To look into a file needs neither Twisted's network nor what makes certificates and draws on terminals."""
        modules = loaded("inspect", str(Path(__file__)))
        unwanted = {"twisted.internet", "rich", "asyncio", "tlscomm.issuing._authority", "tlscomm.transport._transport"}
        self.assertEqual(modules & unwanted, set())
        self.assertIn("cryptography", modules)

    def test_analyze(self) -> None:
        """To draw a connection needs nothing that connects, serves, makes pages, redacts or draws on terminals."""
        capture = Path(__file__).parent / "captures" / "server-go-1.3.pcapng"
        modules = loaded("analyze", str(capture), "--connection", "3")
        self.assertIn("tlscomm.drawing._lanes", modules, "it has drawn")
        unwanted = {
            "asyncio",
            "jinja2",
            "rich",
            "tlscomm.drawing._page",
            "tlscomm.issuing._authority",
            "tlscomm.serving._service",
            "tlscomm.tracing._recorder",
            "tlscomm.tracing._redacting",
            "tlscomm.transport._transport",
            "twisted.internet",
        }
        self.assertEqual(modules & unwanted, set())
        self.assertEqual(commandsIn(modules), {"analyze"})

    def test_connect(self) -> None:
        """To connect needs nothing that reads stores, fetches lists, judges off line, serves, exports or draws."""
        authority = Authority.create()
        credential = authority.issue("client", role="client")
        Path("ca.cer").write_bytes(authority.certificate.public_bytes(Encoding.DER))
        Path("client.cer").write_bytes(credential.certificate.public_bytes(Encoding.DER))
        key = Path("client.key")
        key.touch(0o600)
        assert credential.privateKey is not None
        key.write_bytes(keyPEM(credential.privateKey))
        ours = ("--identity", "client.cer", "--key", "client.key", "--roots", "ca.cer")
        modules = loaded("connect", "127.0.0.1:1", *ours)
        self.assertIn("tlscomm.transport._transport", modules, "it has tried to connect")
        self.assertEqual(modules & TRACING, set())
        unwanted = {
            "cryptography.hazmat.primitives.serialization.pkcs7",
            "http.client",
            "http.cookiejar",
            "jinja2",
            "prompt_toolkit",
            "rich",
            "tlscomm.credentials._export",
            "tlscomm.issuing._authority",
            "tlscomm.revocation._fetching",
            "tlscomm.revocation._web",
            "tlscomm.serving._service",
            "tlscomm.store._store",
            "tlscomm.testing._pairs",
            "tlscomm.tls._verdict",
            "twisted.application",
            "twisted.web",
            "urllib.request",
        }
        self.assertEqual(modules & unwanted, set())
        self.assertEqual(commandsIn(modules), {"connect"})

    def test_handshakes(self) -> None:
        """Neither side of a connection has in memory what traces, counts or tells it, where none of that is wanted."""
        self.assertEqual([name for name in TRACING | OPERATION if find_spec(name) is None], [])
        for modules in handshake():
            self.assertEqual(modules & (TRACING | OPERATION), set())
        for modules in handshake("--keylog", "keys.log"):
            self.assertIn("tlscomm.tracing._recorder", modules)


def _commandsIn(help: str) -> list[str]:
    return help.partition("Commands:")[2].partition("\n\n")[0].strip().split("\n")


class HelpTests(SynchronousTestCase):
    """What ``tlscomm --help`` says of commands without looking at them."""

    def test_summaries(self) -> None:
        """It is what each command says of itself, however wide the terminal is."""
        for width in (40, 80, 200):
            said = CliRunner().invoke(program, ["--help"], terminal_width=width).output
            whole = GroupOfCommands("tlscomm", commands=dict(program.commands), help=program.help)
            expected = CliRunner().invoke(whole, ["--help"], terminal_width=width).output
            self.assertEqual(_commandsIn(said), _commandsIn(expected))
            self.assertIn("connect", said)


class CollectionTests(SynchronousTestCase):
    """When a command looks for garbage."""

    def test_command(self) -> None:
        """A command collects nothing, but a conversation may last for days and does."""
        self.assertEqual(printed(COLLECTING.format(""))[1:], ["False", "True"])

    def test_call(self) -> None:
        """A program that calls `main` keeps what it had."""
        self.assertEqual(printed(COLLECTING.format("['--version']"))[1:], ["True", "True"])
