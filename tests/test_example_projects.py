"""The projects in examples/: each is whole, and its own tests pass as its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

EXAMPLES = Path(__file__).parent.parent / "examples"
PROJECTS = sorted(path.parent for path in EXAMPLES.glob("*/README.rst"))


class ExampleProjectTests(SynchronousTestCase):
    """What a person who copies one of them has."""

    def test_whole(self) -> None:
        """Every project has a page that says how it is started, and tests."""
        self.assertEqual([path for path in EXAMPLES.iterdir() if path not in PROJECTS], [])
        for project in PROJECTS:
            self.assertTrue(list(project.glob("tests/test_*.py")), project.name)
            readme = (project / "README.rst").read_text(encoding="utf-8")
            self.assertIn("    $ pip install", readme, project.name)
            self.assertIn("python -m twisted.trial tests.", readme, project.name)

    def test_tests(self) -> None:
        """Their tests pass under Twisted's trial, in the folder of each, as its page says."""
        running = []
        for project in PROJECTS:
            modules = [f"tests.{path.stem}" for path in sorted(project.glob("tests/test_*.py"))]
            temporary = Path(self.mktemp()).absolute()
            command = (sys.executable, "-m", "twisted.trial", f"--temp-directory={temporary}", *modules)
            process = subprocess.Popen(
                command,
                cwd=project,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            running.append((project.name, process))
        for name, process in running:
            said, _ = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, f"{name}: {said}")
            self.assertRegex(said, r"PASSED \((skips=\d+, )?successes=\d+\)", name)
