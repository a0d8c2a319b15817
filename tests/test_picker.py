"""What a user can rely on in the dialog that chooses a certificate."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from forkserver import python
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from storefiles import NOW, StoreCase, authority, client, server

from tlscomm.commandline import program
from tlscomm.commandline._picker import PickedEntry, dialog
from tlscomm.store import StoreEntry

PATIENCE = 60.0

#: Runs the command in a new session, whose terminal is standard input.
IN_ITS_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from tlscomm.commandline import main
sys.exit(main(["store", "pick", *sys.argv[1:]]))
"""

UP, DOWN, ESCAPE = "\x1b[A", "\x1b[B", "\x1b"


class PickerCase(StoreCase):
    """A store with something for every purpose, and for none."""

    def setUp(self) -> None:
        super().setUp()
        store = self.store()
        self.gateway = store.add(server())
        self.device = store.add(client(), friendlyName="Lift")
        self.old = store.add(
            authority().issue("old", role="client", notBefore=NOW - timedelta(days=9), notAfter=NOW - timedelta(days=2))
        )
        self.keyless = store.add(authority().issue("keyless", role="client").certificate)

    def choice(self, **settings: Any) -> PickedEntry:
        return PickedEntry(self.store().contents().entries, title="CurrentUser/My", **settings)

    def visible(self, choice: PickedEntry) -> set[str]:
        return {entry.thumbprint for entry in choice.visible}

    def all(self, *entries: StoreEntry) -> set[str]:
        return {entry.thumbprint for entry in entries}


class ChoiceTests(PickerCase):
    """What is visible, and what is marked."""

    def test_purpose(self) -> None:
        """Only what can be used for the purpose is visible: in date, with its key, for that side."""
        self.assertEqual(self.visible(self.choice(purpose="client")), self.all(self.device))
        self.assertEqual(self.visible(self.choice(purpose="server")), self.all(self.gateway))
        self.assertEqual(self.visible(self.choice()), self.all(self.gateway, self.device))

    def test_everything(self) -> None:
        """All of it is visible where that is asked for."""
        choice = self.choice(purpose="client")
        choice.toggle()
        self.assertEqual(len(choice.visible), 4)
        choice.toggle()
        self.assertEqual(len(choice.visible), 1)

    def test_exposed(self) -> None:
        """A key that others can read fits no purpose."""
        assert self.device.path is not None
        self.device.path.chmod(0o644)
        self.assertEqual(self.visible(self.choice(purpose="client")), set())

    def test_filter(self) -> None:
        """What is typed narrows it: every word has to be somewhere in what is known of a certificate."""
        choice = self.choice(showsAll=True)
        for text, found in (
            ("GATE", self.gateway),
            ("wild middle", self.gateway),
            ("lift", self.device),
            ("spiffe", self.device),
            (self.old.thumbprint[:9].lower(), self.old),
        ):
            choice.clear()
            choice.type(text)
            self.assertEqual(self.visible(choice), self.all(found), text)
        choice.type(" nowhere")
        self.assertEqual((choice.visible, choice.marked), ((), None))

    def test_erased(self) -> None:
        """What was typed can be taken back, and what a key sends besides text is not typed."""
        choice = self.choice()
        choice.type("lift\x1b\r")
        self.assertEqual(choice.filter, "lift")
        choice.erase()
        self.assertEqual(choice.filter, "lif")

    def test_markStays(self) -> None:
        """The mark stays on its certificate as long as that is visible."""
        choice = self.choice(showsAll=True)
        while choice.marked is None or choice.marked.thumbprint != self.old.thumbprint:
            choice.move(1)
        choice.type("o")
        choice.erase()
        assert choice.marked is not None
        self.assertEqual(choice.marked.thumbprint, self.old.thumbprint)
        choice.toggle()
        self.assertEqual(choice.index, 0)

    def test_ends(self) -> None:
        """The mark stops at both ends."""
        choice = self.choice(showsAll=True)
        choice.move(-1)
        self.assertEqual(choice.index, 0)
        choice.move(100)
        self.assertEqual(choice.index, 3)


class DialogTests(PickerCase):
    """The dialog, with keys out of a pipe."""

    def press(self, choice: PickedEntry, *keys: str) -> StoreEntry | None:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            for key in keys:
                pipe.send_text(key)
            return dialog(choice, pipe, DummyOutput()).run()

    def screen(self, choice: PickedEntry, *keys: str, columns: int = 100, rows: int = 30) -> str:
        """Return all that was written to a terminal of a size."""
        written: list[str] = []

        class Stream:
            encoding = "utf-8"

            def write(self, text: str) -> int:
                written.append(text)
                return len(text)

            def flush(self) -> None: ...

            def isatty(self) -> bool:
                return True

            def fileno(self) -> int:
                return sys.__stdout__.fileno()  # type: ignore[union-attr]

        output = Vt100_Output(Stream(), lambda: Size(rows=rows, columns=columns), term="xterm")  # type: ignore[arg-type]
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=output):
            for key in keys:
                pipe.send_text(key)
            dialog(choice, pipe, output).run()
        return "".join(written)

    def chosen(self, *keys: str, **settings: Any) -> str | None:
        entry = self.press(self.choice(**settings), *keys)
        return None if entry is None else entry.thumbprint

    def test_enter(self) -> None:
        """Enter chooses what is marked: at first the first."""
        first = self.choice().visible[0]
        self.assertEqual(self.chosen("\r"), first.thumbprint)

    def test_arrows(self) -> None:
        """The arrows move the mark."""
        visible = self.choice(showsAll=True).visible
        self.assertEqual(self.chosen(DOWN, DOWN, UP, "\r", showsAll=True), visible[1].thumbprint)
        self.assertEqual(self.chosen("\x1b[F", "\r", showsAll=True), visible[-1].thumbprint)

    def test_typed(self) -> None:
        """Letters filter."""
        self.assertEqual(self.chosen("gatx\x7f", "\r"), self.gateway.thumbprint)

    def test_tab(self) -> None:
        """Tab shows what does not fit the purpose."""
        self.assertEqual(self.chosen("keyless", "\t", "\r", purpose="client"), self.keyless.thumbprint)

    def test_escape(self) -> None:
        """Esc chooses nothing."""
        self.assertIsNone(self.chosen(ESCAPE))

    def test_interrupted(self) -> None:
        """So does Ctrl-C, as an interruption."""
        with self.assertRaises(KeyboardInterrupt):
            self.press(self.choice(), "\x03")

    def test_nothingMarked(self) -> None:
        """Where nothing is visible there is nothing to choose."""
        self.assertIsNone(self.chosen("nowhere", "\r", ESCAPE))

    def test_seen(self) -> None:
        """One sees the list with the days that are left, and what there is to know of the one that is marked."""
        screen = self.screen(self.choice(showsAll=True), "old", ESCAPE)
        for part in ("Select Certificate: CurrentUser/My", "Gateway", "a client", "expired 2 days ago", "no key"):
            self.assertIn(part, screen)
        for part in (self.old.thumbprint, "expired: Our certificate has expired"):
            self.assertIn(part, screen)

    def test_narrow(self) -> None:
        """A small window shows what fits into it."""
        self.assertIn("a client", self.screen(self.choice(), ESCAPE, columns=30, rows=8))

    def test_hostile(self) -> None:
        """Nothing in a certificate's names is obeyed by the terminal."""
        evil = "evil\x1b]0;title\x07\u202e"
        self.store().add(authority().issue(evil, role="client", organization=evil), friendlyName=evil)
        screen = self.screen(self.choice(), "evil", ESCAPE)
        self.assertIn(r"evil\x1b]0;title\x07\u202e", screen)
        for character in ("\x1b]0;title", "\x07", "\u202e"):
            self.assertNotIn(character, screen)


class ListTests(PickerCase):
    """Where there is no terminal."""

    def pick(self, typed: str, *options: str) -> Result:
        return CliRunner().invoke(program, ["store", "pick", *options], input=typed)

    def test_number(self) -> None:
        """A numbered list goes to standard error, and the source of the chosen one to standard output."""
        result = self.pick("1\n", "--purpose", "client")
        self.assertEqual((result.exit_code, result.stdout), (0, f"{self.device.source}\n"))
        self.assertIn("1  a client", result.stderr)
        self.assertNotIn("Gateway", result.stderr)

    def test_json(self) -> None:
        """For programs it is an object."""
        result = self.pick("1\n", "--purpose", "server", "--json")
        self.assertEqual(json.loads(result.stdout)["entry"]["thumbprint"], self.gateway.thumbprint)

    def test_search(self) -> None:
        """A search narrows the list."""
        self.assertEqual(self.pick("1\n", "--all", "subject=keyless").stdout, f"{self.keyless.source}\n")

    def test_nothing(self) -> None:
        """An empty line, or the end of the input, chooses nothing, which is exit status 1."""
        for typed in ("\n", "", "  \n1\n"):
            result = self.pick(typed)
            self.assertEqual((result.exit_code, result.stdout), (1, ""), typed)

    def test_wrong(self) -> None:
        """A wrong number is asked for again, and not for ever."""
        self.assertEqual(self.pick("9\n1\n", "--purpose", "client").exit_code, 0)
        result = self.pick("9\nx\n\u00b2\n1\n")
        self.assertEqual((result.exit_code, result.stderr.count("There is no number")), (1, 3))

    def test_noneFits(self) -> None:
        """Where nothing fits the purpose, the failure says how to see the rest."""
        self.store().remove(self.gateway)
        result = self.pick("1\n", "--purpose", "server")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("--all", result.stderr)

    def test_empty(self) -> None:
        """So it does where there is nothing at all."""
        self.assertIn("not-in-store", self.pick("1\n", "--store", "CurrentUser/CA").stderr)


class TerminalTests(PickerCase):
    """The command in a terminal of its own, its output caught by a pipe as a shell does."""

    def start(self, *options: str) -> None:
        reading, writing = os.pipe()
        environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parent.parent)}
        self.terminal, slave = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        # Not by pty.fork(): this process has threads. The program takes its standard input as its terminal.
        self.process = subprocess.Popen(
            python("-c", IN_ITS_TERMINAL, *options),
            stdin=slave,
            stdout=writing,
            stderr=slave,
            env=environment,
        )
        os.close(slave)
        os.close(writing)
        self.output, self.shown = reading, b""
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, self.terminal)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def until(self, isSo: Callable[[], bool]) -> None:
        """Read what is shown until something is so, within bounds."""
        deadline = time.monotonic() + PATIENCE
        while not isSo():
            left = deadline - time.monotonic()
            if left < 0:
                self.fail(f"not within {PATIENCE} s: {self.shown!r}")
            if select.select([self.terminal], [], [], min(left, 0.1))[0]:
                try:
                    self.shown += os.read(self.terminal, 65536)
                except OSError:
                    # The other end is gone.
                    return

    def sees(self, text: str) -> None:
        self.until(lambda: text.encode() in self.shown)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def ends(self) -> tuple[int, str]:
        """Return exit status and standard output."""
        while self.process.poll() is None:
            self.until(lambda: self.process.poll() is not None)
        return self.process.returncode, os.read(self.output, 65536).decode()

    def test_chosen(self) -> None:
        """One filters, sees, presses Enter, and the source is on standard output and nothing else."""
        self.start("--all")
        self.sees("Select Certificate")
        self.type("keyless")
        self.sees(self.keyless.thumbprint)
        self.type("\r")
        self.assertEqual(self.ends(), (0, f"{self.keyless.source}\n"))
        self.assertIn(b"\x1b[?1049l", self.shown, "the screen is as it was before")

    def test_cancelled(self) -> None:
        """Esc ends it with exit status 1 and nothing on standard output."""
        self.start()
        self.sees("Select Certificate")
        self.type(ESCAPE)
        self.assertEqual(self.ends(), (1, ""))

    def test_interrupted(self) -> None:
        """Ctrl-C ends it as it ends any program."""
        self.start()
        self.sees("Select Certificate")
        self.type("\x03")
        self.assertEqual(self.ends(), (130, ""))
