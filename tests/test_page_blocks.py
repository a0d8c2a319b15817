"""What a user can rely on when typing what stands on a page: it is a program's, and its options are there.

`READ` says for each language what is done with a block. Blocks that are shown from files are not here: these files are
run by `test_examples`, `test_example_projects` and the tests that they name.
"""

from __future__ import annotations

import ast
import configparser
import importlib
import importlib.util
import json
import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from pageblocks import PAGES, Block, blocksOf, commandsOf
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.server import Options

try:
    import tomllib
except ImportError:
    import tomli as tomllib

#: Other programs that pages name. That they take what is typed is their own documentation's to say.
OTHERS = frozenset(
    re.findall(
        r"\S+",
        """
        . bash cat cd certbot chmod chown cp curl daphne docker echo editcap exec export find getcap git go gnutls-cli
        haproxy install jq journalctl kill kubectl ls make mkdir mkcert mv nginx node openssl pip pipx printf promtool
        psql py-spy pytest python python3 redis-cli rm sed setcap sh sha256sum socat ss ssh step stunnel sudo systemctl
        systemd-run systemd-socket-activate tail tcpdump trial tshark ulimit useradd vault
        """,
    )
)

#: What stands between commands of one line.
_SEPARATORS = frozenset(("|", "||", "&&", ";", "&"))


def typedWords(typed: str) -> Iterator[list[str]]:
    """Divide what is typed into commands, each with its words, without what a shell takes for itself."""
    typed = re.sub(r"^\w+=\$\((.*)\)$", r"\1", typed.replace("\\\n", " "))
    lexer = shlex.shlex(typed, posix=True, punctuation_chars=";|&<>")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words: list[str] = []
    for word in (*lexer, ";"):
        if word not in _SEPARATORS:
            words.append(word)
        elif words:
            # Variables that a command begins with.
            while words and "=" in words[0] and not words[0].startswith("-"):
                words = words[1:]
            if words:
                yield words
            words = []


def optionsIn(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if word.startswith("-") and word.strip("-")]


def checkTlscomm(words: list[str]) -> None:
    """Find the command and its options among those that are there."""
    command: click.Command = program
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        context = click.Context(command)
        found = command.get_command(context, name)
        assert found is not None, f"tlscomm has no command {name}"
        command = found
    known = {
        option for each in command.get_params(click.Context(command)) for option in each.opts + each.secondary_opts
    }
    if isinstance(command, click.Group):
        known |= {"--version"}
    assert (unknown := set(optionsIn(words)) - known) <= {"-"}, f"tlscomm {command.name} has no {unknown}"


def checkTwistd(words: list[str]) -> None:
    """Find the options behind the name of the plugin among those that are there."""
    named = [i for i, word in enumerate(words) if word == "tlscomm" and words[i - 1] not in ("--uid", "--gid")]
    known = {f"--{each.rstrip('=')}" for each in Options().longOpt}
    unknown = set(optionsIn(words[named[0] + 1 :] if named else [])) - known
    assert not unknown, f"twistd tlscomm has no {unknown}"


def checkCommand(path: str, words: list[str]) -> None:
    """Find a program, and what one of ours is told."""
    name = path.rpartition("/")[2]
    if name == "tlscomm":
        checkTlscomm(words)
    elif name == "twistd":
        checkTwistd(words)
    elif name.startswith("python") and words[:2] == ["-m", "tlscomm"]:
        checkTlscomm(words[2:])
    else:
        assert name in OTHERS, f"{name} is no program that is known here"
        # One that starts another.
        if name == "sudo":
            checkCommand(words[0], words[1:])
        elif name.startswith("systemd-") and "twistd" in words:
            checkCommand("twistd", words[words.index("twistd") + 1 :])


def readConsole(block: Block) -> None:
    commands = list(commandsOf(block.text))
    assert commands, "nothing is typed"
    for typed, _shown in commands:
        for name, *words in typedWords(typed):
            checkCommand(name, words)


def readINI(block: Block) -> None:
    configparser.ConfigParser(strict=False, allow_no_value=True, interpolation=None).read_string(block.text)


def readJSON(block: Block) -> None:
    json.loads(block.text.replace('"…"', '"."').replace("{…}", "{}").replace("[…]", "[]").replace(", …", ""))


def readPython(block: Block) -> None:
    """Parse it, and find what it imports of ours and of Twisted."""
    for node in ast.walk(ast.parse(block.text.replace("…", "..."))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ("tlscomm", "twisted"):
            with warnings.catch_warnings():
                # twisted.web.proxy uses what Twisted itself will give up.
                warnings.simplefilter("ignore", DeprecationWarning)
                module = importlib.import_module(node.module)
            for each in node.names:
                isThere = hasattr(module, each.name) or importlib.util.find_spec(f"{node.module}.{each.name}")
                assert isThere, f"{node.module} has no {each.name}"


def readTOML(block: Block) -> None:
    """Parse it, and find its settings."""
    content = tomllib.loads(block.text.replace('"…"', '"."'))
    known = {setting.name for setting in settingsOn(Interface.TWISTD)} | {"name", "include", "listener"}
    for table in (content, *content.get("listener", ())):
        assert not (unknown := set(table) - known), f"there are no settings {unknown}"


#: What is done with a block of a language.
READ: dict[str, Callable[[Block], object]] = {
    "console": readConsole,
    "python": readPython,
    "toml": readTOML,
    "ini": readINI,
    "json": readJSON,
    # What programs have said, and drawings of what is connected to what: nothing that is typed, and so not read.
    "text": lambda block: None,
}


#: What runs the Python on a page. On all other pages there are only pieces of programs, which are read.
RUN = {
    "README": "test_first_hour.py",
    "from-certificateoptions": "test_first_hour.py",
    "testing": "test_failure_pages.py",
}

#: Pages whose Python is a piece of a program, and what it leaves out.
PIECES = {
    "endpoints": "the program that counts what it observes",
    "operation-deploy": "a protocol's other methods",
    "revocation": "the files that are named",
    "sessions": "the factory that is told of a change",
    "tracing": "the listening, and the files that are written",
    "verification": "the certificate whose digest it has",
    "web": "other projects' programs, of which whole ones are in docs/examples",
}


class BlockTests(SynchronousTestCase):
    """Every block of every page."""

    def test_read(self) -> None:
        """Commands and options are there, and Python, TOML, JSON and INI are what they say they are."""
        blocks = [block for path in PAGES for block in blocksOf(path)]
        self.assertGreater(len(blocks), 100)
        wrong = []
        for block in blocks:
            try:
                READ[block.language](block)
            except KeyError:
                wrong.append(f"{block.where}: nothing reads {block.language!r}")
            except (AssertionError, ImportError, SyntaxError, ValueError, configparser.Error) as why:
                wrong.append(f"{block.where}: {why}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_run(self) -> None:
        """Of each page with Python it is known what runs it, or why it cannot be run."""
        pages = {block.page for path in PAGES for block in blocksOf(path) if block.language == "python"}
        self.assertEqual(pages, {*RUN, *PIECES})
        for page, name in RUN.items():
            self.assertIn(page, Path(__file__).with_name(name).read_text(encoding="utf-8"))

    def test_reading(self) -> None:
        """A command that is not there, and an option, are found out, on lines that are continued and behind pipes."""
        for typed in (
            "$ tlscomm conect localhost:8443",
            "$ tlscomm connect localhost:8443 --rots ca.pem",
            "$ tlscomm connect localhost:8443 \\\n    --rots ca.pem",
            "server$ twistd -n tlscomm --client-root ca.pem",
            "$ cat log | tlscomm explain --nothing",
            "$ nothing --at-all",
        ):
            self.assertRaises(AssertionError, readConsole, Block("page", 1, "console", typed))
