"""What a command costs before it does anything, which a shell script pays a thousand times.

Nothing here measures time: a program starts fast because of what it leaves out, and that can be counted.
"""

from __future__ import annotations

import subprocess
import sys

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program

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


def printed(program: str) -> list[str]:
    """Return the lines that a program prints."""
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


class HelpTests(SynchronousTestCase):
    """What ``tlscomm --help`` says of commands without looking at them."""

    def test_summaries(self) -> None:
        """It is what each command says of itself, however wide the terminal is."""
        for width in (40, 80, 200):
            said = CliRunner().invoke(program, ["--help"], terminal_width=width).output
            whole = click.Group("tlscomm", commands=dict(program.commands), help=program.help)
            expected = CliRunner().invoke(whole, ["--help"], terminal_width=width).output
            self.assertEqual(said.partition("Commands:")[2], expected.partition("Commands:")[2])
            self.assertIn("connect", said)


class CollectionTests(SynchronousTestCase):
    """When a command looks for garbage."""

    def test_command(self) -> None:
        """A command collects nothing, but a conversation may last for days and does."""
        self.assertEqual(printed(COLLECTING.format(""))[1:], ["False", "True"])

    def test_call(self) -> None:
        """A program that calls `main` keeps what it had."""
        self.assertEqual(printed(COLLECTING.format("['--version']"))[1:], ["True", "True"])
