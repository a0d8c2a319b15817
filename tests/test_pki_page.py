"""The commands on the page of certificates do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

from click.testing import CliRunner
from test_examples import page
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program


def commands() -> Iterator[list[str]]:
    for block in re.findall(r"code-block:: console\n\n((?:    .*\n|\n)+)", page("certificates")):
        joined = block.replace("\\\n", " ")
        yield from (shlex.split(line[6:], comments=True) for line in joined.splitlines() if line.startswith("    $ "))


class PageTests(SynchronousTestCase):
    def test_commands(self) -> None:
        """Each of them succeeds, one after the other in one folder."""
        said = list(commands())
        self.assertGreater(len(said), 12)
        for words in said:
            if words[0] == "tlscomm":
                result = CliRunner().invoke(program, words[1:])
                self.assertEqual(result.exit_code, 0, (words, result.output))
            else:
                subprocess.run(words, check=True, capture_output=True)
