"""What a user gets by installing tlscomm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path
from zipfile import ZipFile

import twisted
import twisted.plugins
from twisted.trial.unittest import SynchronousTestCase

CHECKOUT = Path(__file__).parent.parent

sys.path.append(str(CHECKOUT / "scripts"))
from distribution import build  # noqa: E402

NOT_SOURCES = shutil.ignore_patterns(
    ".*_cache", ".git", ".hypothesis", ".venv*", "__pycache__", "build", "dist", "*.egg-info"
)

#: When what is published says that it was made.
MOMENT = 1_700_000_000

SHOW_PLUGINS = """
from twisted.application.service import IServiceMaker
from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser
from twisted.plugin import getPlugins

print([plugin.tapname for plugin in getPlugins(IServiceMaker)].count("tlscomm"))
print([plugin.prefix for plugin in getPlugins(IStreamClientEndpointStringParserWithReactor)].count("tlscomm"))
print([plugin.prefix for plugin in getPlugins(IStreamServerEndpointStringParser)].count("tlscomm"))
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run *command* away from the checkout and return what it prints; a failure shows all that it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def built(place: Path) -> tuple[Path, Path]:
    """Return the source distribution and the wheel that are made from a copy of the checkout."""
    # From a copy: setuptools writes beside the sources, and puts into a wheel what an earlier build left.
    source = place / "source"
    shutil.copytree(CHECKOUT, source, ignore=NOT_SOURCES)
    (source / "twisted" / "plugins" / "dropin.cache").touch()
    (source / "certs" / "server.key").touch()
    build(source, place, MOMENT)
    (sdist,) = place.glob("*.tar.gz")
    (wheel,) = place.glob("*.whl")
    return sdist, wheel


class DistributionTests(SynchronousTestCase):
    """A source distribution and, made from it, a wheel."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="tlscomm-packaging-"))
        cls.sdist, cls.wheel = built(cls.folder / "once")

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def test_sameBytes(self) -> None:
        """Two builds of the same sources, in other folders, at other times and with other permissions, are the same."""
        before = os.umask(0o077)
        try:
            again = built(self.folder / "again")
        finally:
            os.umask(before)
        for one, other in zip((self.sdist, self.wheel), again, strict=True):
            self.assertEqual(one.name, other.name)
            self.assertTrue(one.read_bytes() == other.read_bytes(), one.name)

    def test_wheelTouchesTwistedOnce(self) -> None:
        """The wheel brings the plugin into Twisted's package, and nothing else."""
        with ZipFile(self.wheel) as wheel:
            theirs = [name for name in wheel.namelist() if name.startswith("twisted")]
        self.assertEqual(theirs, ["twisted/plugins/tlscomm_plugin.py"])

    def test_wheelContent(self) -> None:
        """Besides the plugin and its metadata, the wheel has the package: modules, templates and ``py.typed``."""
        with ZipFile(self.wheel) as wheel:
            found = {name for name in wheel.namelist() if not name.startswith(("twisted/", "tlscomm-"))}
            manuals = {name.rpartition("/")[2] for name in wheel.namelist() if "/share/man/man1/" in name}
        modules = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tlscomm").rglob("*.py")}
        templates = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "tlscomm").rglob("templates/*")}
        self.assertTrue(templates)
        self.assertEqual(found, {*modules, *templates, "tlscomm/py.typed"})
        self.assertEqual(manuals, {path.name for path in (CHECKOUT / "man").glob("*.1")})

    def test_wheelLicense(self) -> None:
        """The wheel carries the licence."""
        with ZipFile(self.wheel) as wheel:
            self.assertTrue([name for name in wheel.namelist() if name.endswith("/LICENSE")])

    def test_noSecrets(self) -> None:
        """A private key that lies in the checkout is not in what is published."""
        with tarfile.open(self.sdist) as sdist:
            published = sdist.getnames()
        self.assertEqual([name for name in published if name.endswith((".key", ".pfx", "dropin.cache"))], [])

    def test_sourcesAreWhole(self) -> None:
        """From the source distribution one can do all that one can do from a checkout."""
        with tarfile.open(self.sdist) as sdist:
            published = {name.partition("/")[2] for name in sdist.getnames()}
        needed = {
            ".ci/run",
            "Makefile",
            "certs/README.rst",
            "docs/conf.py",
            "scripts/demo.sh",
            "tests/test_packaging.py",
        }
        self.assertEqual(needed - published, set())

    def test_installedWheel(self) -> None:
        """From an installed wheel, Twisted finds the service and both endpoint parsers, and the command runs."""
        place = self.folder / "installed"
        venv.create(place)
        python = place / "bin" / "python"
        install = ("install", "--no-index", "--no-deps", "--no-compile", self.wheel)
        run(sys.executable, "-m", "pip", "--python", python, *install, cwd=self.folder)
        # Only now, so that pip does not take the checkout's installation for an older one to replace. The .pth files in
        # a folder that a .pth file names are ignored: what is imported is the wheel's and not the checkout's.
        (libraries,) = place.glob("lib/python*/site-packages")
        (libraries / "dependencies.pth").write_text(f"{Path(twisted.__file__).parent.parent}\n")

        origin = run(python, "-c", "import tlscomm; print(tlscomm.__file__)", cwd=self.folder)
        self.assertEqual(Path(origin.strip()), libraries / "tlscomm" / "__init__.py")
        self.assertEqual(run(python, "-c", SHOW_PLUGINS, cwd=self.folder).split(), ["1", "1", "1"])
        self.assertIn("tlscomm", run(python, "-m", "twisted", "--help", cwd=self.folder))
        self.assertIn("connect", run(place / "bin" / "tlscomm", "--help", cwd=self.folder))


class CheckoutTests(SynchronousTestCase):
    """Work in the checkout itself."""

    def test_twistedIsTwisteds(self) -> None:
        """The checkout's folder ``twisted/`` does not hide Twisted, even from a program that starts there."""
        origin = run(sys.executable, "-c", "import twisted; print(twisted.__file__)", cwd=CHECKOUT)
        self.assertEqual(origin.strip(), twisted.__file__)

    def test_plugins(self) -> None:
        """Twisted finds the checkout's service and endpoint parsers, each once, from there and from elsewhere."""
        for place in CHECKOUT, CHECKOUT.parent:
            self.assertEqual(run(sys.executable, "-c", SHOW_PLUGINS, cwd=place).split(), ["1", "1", "1"])
