"""What a newcomer can rely on: what the quickstart and the tutorial tell to type does what they say it does."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from socket import socket
from typing import Any

from pageblocks import PAGES, blocksOf, commandsOf
from test_examples import TLSCOMM, TWISTD, ExampleCase, Program
from twisted.trial.unittest import SynchronousTestCase

CHAT = Path(__file__).parent.parent / "examples" / "chat"

#: What is done once, before any of it, and what a shell does.
PREPARING = ("python3", ".", "pip", "mkdir", "cd")


def freePort() -> str:
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return str(listening.getsockname()[1])


def patternOf(line: str) -> str:
    """Return what a line of a page stands for: ``…`` is anything, and numbers and digests are those of its own run."""
    parts = [re.escape(part) for part in re.split("…", line.strip())]
    return re.sub(r"127\\.0\\.0\\.1:\d+", r"127.0.0.1:\\d+", ".*".join(parts))


class NewcomerTests(ExampleCase):
    """Everything is typed in the order of the page, in one folder. Servers stay until the end of the test."""

    def setUp(self) -> None:
        self.port = freePort()
        self.server: Program | None = None
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def started(self, words: list[str], **settings: Any) -> Program:
        programs = {"twistd": TWISTD, "tlscomm": TLSCOMM, "python": ()}
        return self.program(*programs[words[0]], *words[1:], cwd=self.folder, **settings)

    def type(self, page: str) -> None:
        """Type all commands of a page, and compare what they say with what it says.

        Of a client that waits for what people type, only the first line: there are none.
        """
        path = next(each for each in PAGES if each.stem == page)
        for block in blocksOf(path):
            if block.language == "console":
                for typed, shown in commandsOf(block.text):
                    self.typeOne(typed, shown)

    def typeOne(self, typed: str, shown: str) -> None:
        words = shlex.split(typed.replace("8443", self.port).replace("\\\n", ""))
        if words[0] in PREPARING:
            return
        if words[0] == "twistd":
            words.insert(1, "--pidfile=")
        elif words[0] == "python" and words[2].startswith("chat."):
            words.append(self.port)
        if words[0] == "twistd" or "chat.server" in words:
            self.server = self.started(words)
            self.server.says(patternOf(shown))
            return
        status, said = self.started(words, stdin=subprocess.DEVNULL).ends()
        lines = shown.splitlines()
        isRefused = bool(lines) and re.match("[a-z-]+: [A-Z]", lines[0]) is not None
        self.assertEqual(status, int(isRefused), f"{typed}\n{said}")
        for line in lines[:1] if "chat.client" in words and not isRefused else lines:
            self.assertRegex(said, patternOf(line), typed)

    def test_quickstart(self) -> None:
        """The quickstart's server knows its client, and refuses the one without a certificate by name."""
        self.type("quickstart")
        assert self.server is not None
        self.server.says("authenticated: CN=tlscomm development client, TLSv1.3")
        self.server.says("refused, no-certificate")

    def test_tutorial(self) -> None:
        """The tutorial's chat, from nothing to its tests: members get in, and another is refused by name."""
        for name in ("chat", "tests"):
            shutil.copytree(CHAT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.type("tutorial")
        assert self.server is not None
        self.server.says(r"authenticated: CN=alice \(by dns=alice\)")
        self.server.says("refused, not-allowed.*CN=mallory, no rule lets it in; its names: dns:mallory")


#: Runs the server and the client of one block each, of what a page has before a change and after it.
BOTH = """
import sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from tlscomm import MessageFactory, RequestProtocol
from tlscomm.server import Echo

def main(reactor):
    exec(sys.argv[1], {"factory": MessageFactory(Echo)})
    # As the page has it, what connecting comes to is dropped.
    exec(sys.argv[2], {"factory": factory})
    return done

done = Deferred()

class Asking(RequestProtocol):
    def connectionMade(self):
        self.request("hello").addCallback(print).chainDeferred(done)

factory = MessageFactory(Asking)
react(main)
"""


class ProgramTests(ExampleCase):
    """Whole programs that stand on a page."""

    def pythonOf(self, page: str, port: str) -> list[str]:
        path = next(each for each in PAGES if each.stem == page and each.parent.parent.name != "examples")
        return [block.text.replace("8443", port) for block in blocksOf(path) if block.language == "python"]

    def test_readme(self) -> None:
        """The server in README greets the client in README."""
        port = freePort()
        for name, text in zip(("server.py", "client.py"), self.pythonOf("README", port), strict=True):
            Path(name).write_text(text, encoding="utf-8")
        server = self.program("server.py")
        said = ""
        for _ in range(100):
            # It says nothing before a client is there.
            _status, said = self.program("client.py").ends()
            if "connect-failed" not in said:
                break
        self.assertEqual(said, "Hello, world!\n")
        server.says("^accepted tlscomm development client TLSv1.3$")
        server.says("^ended: Connection was closed cleanly")

    def test_certificateOptions(self) -> None:
        """What from-certificateoptions has before and after talk with each other, whichever side was changed."""
        for servers, clients in ((0, 3), (1, 2), (1, 3)):
            blocks = self.pythonOf("from-certificateoptions", freePort())
            status, said = self.program("-c", BOTH, blocks[servers], blocks[clients]).ends()
            self.assertEqual((status, said), (0, "hello\n"), (servers, clients))


class PageTests(SynchronousTestCase):
    """What the pages themselves promise."""

    def test_files(self) -> None:
        """The tutorial shows each file of its project whole."""
        text = next(each for each in PAGES if each.stem == "tutorial").read_text(encoding="utf-8")
        shown = set(re.findall(r"literalinclude:: \.\./examples/chat/(\S+)", text))
        there = {str(path.relative_to(CHAT)) for path in CHAT.rglob("*.py") if path.name != "__init__.py"}
        self.assertEqual(shown, there)
