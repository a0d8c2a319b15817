"""The pages of the manual, and what shells are told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import main, program
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface

CHECKOUT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-m", "tlscomm")

sys.path.append(str(CHECKOUT / "scripts"))
from manuals import pages  # noqa: E402


class ManualTests(SynchronousTestCase):
    """``man tlscomm-connect`` and the others."""

    def test_current(self) -> None:
        """They say what the commands say now: python scripts/manuals.py writes them."""
        kept = {path.name: path.read_text(encoding="utf-8") for path in (CHECKOUT / "man").glob("*.1")}
        self.assertEqual(kept.keys(), pages().keys())
        self.assertEqual([name for name, page in pages().items() if kept[name] != page], [])

    def test_everyCommand(self) -> None:
        """There is one for each command, and for the server, which has all of its options."""
        names = {f"tlscomm-{name}.1" for name in program.commands}
        self.assertEqual(names - pages().keys(), set())
        page = pages()["twistd-tlscomm.1"].replace("\\-", "-")
        options = {f"--{setting.option}" for setting in settingsOn(Interface.TWISTD)}
        self.assertEqual({option for option in options if option not in page}, set())

    def test_requests(self) -> None:
        """No text in them is taken for a request of roff."""
        requests = {line.split()[0] for page in pages().values() for line in page.splitlines() if line[:1] in ".'"}
        self.assertEqual(requests, {".TH", ".SH", ".PP", ".TP", ".B", ".BR"})


class CompletionTests(SynchronousTestCase):
    """What the Tab key gives."""

    def complete(self, *words: str) -> list[str]:
        """Return what the last word may become, as bash is told it."""
        asked = {"_TLSCOMM_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        done = subprocess.run(COMMAND, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
        return done.stdout.split()

    def test_words(self) -> None:
        """Commands, options, the words of a setting, codes, stores and files are completed."""
        for words, expected in (
            (("tlscomm", "conn"), ["plain,connect"]),
            (("tlscomm", "connect", "--revoc"), ["plain,--revocation"]),
            (("tlscomm", "connect", "--revocation", "s"), ["plain,soft"]),
            (("tlscomm", "explain", "unknown-i"), ["plain,unknown-issuer"]),
            (("tlscomm", "connect", "--identity", "store:CurrentUser/M"), ["plain,store:CurrentUser/My"]),
            (("tlscomm", "connect", "--roots", "ca"), ["file,ca"]),
        ):
            self.assertEqual(self.complete(*words), expected, words)

    def test_installed(self) -> None:
        """It is installed where the shell looks for it, and what is another's there is left alone."""
        self.patch(os, "environ", {**os.environ, "XDG_DATA_HOME": os.path.abspath("data")})
        place = Path("data/bash-completion/completions/tlscomm")
        for _ in range(2):
            self.assertEqual(main(["completion", "bash", "--install"]), 0)
            self.assertIn("_TLSCOMM_COMPLETE=bash_complete", place.read_text())
        place.write_text("mine")
        self.assertEqual(main(["completion", "bash", "--install"]), 1)
        self.assertEqual(place.read_text(), "mine")

    def test_scripts(self) -> None:
        """Each shell has one."""
        for shell in ("bash", "zsh", "fish"):
            done = subprocess.run((*COMMAND, "completion", shell), capture_output=True, text=True, check=True)
            self.assertTrue(re.search(f"{shell}_complete", done.stdout), shell)
