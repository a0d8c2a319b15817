"""What a user can rely on when typing what stands on a page: it is a program's, and its options are there.

`READ` says for each language what is done with a block. Blocks that are shown from files are not here: these files are
run by `test_examples`, `test_example_projects` and the tests that they name.
"""

from __future__ import annotations

import ast
import configparser
import json
import re
import shlex
from collections.abc import Callable, Iterator

import click
from pageblocks import PAGES, Block, blocksOf, commandsOf
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
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
        if name.startswith(("systemd-", "sudo")):
            inner = next((i for i, word in enumerate(words) if word in ("twistd", "tlscomm")), len(words))
            if inner < len(words):
                checkCommand(words[inner], words[inner + 1 :])


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


#: What is done with a block of a language.
READ: dict[str, Callable[[Block], object]] = {
    "console": readConsole,
    "python": lambda block: ast.parse(block.text.replace("…", "...")),
    "toml": lambda block: tomllib.loads(block.text.replace('"…"', '"."')),
    "ini": readINI,
    "json": readJSON,
    # What programs have said, and drawings of what is connected to what: nothing that is typed, and so not read.
    "text": lambda block: None,
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
            except (AssertionError, SyntaxError, ValueError, configparser.Error) as why:
                wrong.append(f"{block.where}: {why}")
        self.assertEqual(wrong, [], "\n".join(wrong))

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
