"""The pages about failures and about testing say what is true: what they show is run."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

from forkserver import python
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES

DOCS = Path(__file__).parent.parent / "docs"

sys.path.append(str(DOCS / "_ext"))


class Failures(SynchronousTestCase):
    def test_theExampleIsTrue(self) -> None:
        result = doctest.testfile(str(DOCS / "failures.rst"), module_relative=False, optionflags=doctest.ELLIPSIS)
        self.assertEqual(result.failed, 0)
        self.assertGreater(result.attempted, 5)


class Chapter(SynchronousTestCase):
    """The chapter about testing is one program, which runs under trial; tlscomm's own tests run under pytest."""

    def test_itsTestsPass(self) -> None:
        text = (DOCS / "testing.rst").read_text(encoding="utf-8")
        blocks = re.findall(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text, re.MULTILINE)
        program = "\n".join(re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in blocks)
        Path("test_chapter.py").write_text(program, encoding="utf-8")
        trial = python("-m", "twisted.trial", "test_chapter")
        done = subprocess.run(trial, capture_output=True, text=True, timeout=120, check=False)
        self.assertIn(f"PASSED (successes={len(re.findall('def test_', program))})", done.stdout, done.stdout)


class Generated(SynchronousTestCase):
    def test_theCatalogueHasEveryCode(self) -> None:
        from failurepages import Catalogue

        lines = list(Catalogue.lines(None))  # type: ignore[arg-type]
        for code in CODES:
            self.assertIn(f".. _failure-{code}:", lines)

    def test_theTableHasEveryRow(self) -> None:
        from failurepages import Table
        from failuretable import CONNECT_ROWS, ROWS

        shown = "\n".join(Table.lines(None)).replace("\\", "")  # type: ignore[arg-type]
        for row in (*ROWS, *CONNECT_ROWS):
            self.assertIn(row.case, shown)
