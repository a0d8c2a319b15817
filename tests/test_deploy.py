"""The files of deploy/: what systemd and the server itself say to them."""

import re
import subprocess
from pathlib import Path
from textwrap import dedent
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline.tunnel import command
from tlscomm.server import Options

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = ("tlscomm.service", "tlscomm@.service")
TUNNEL = "tlscomm-tunnel@.service"


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def service(unit: str) -> list[str]:
    """Return the lines of a unit that say something, from what it may not do on."""
    lines = text(f"systemd/{unit}").partition("UMask=")[2].splitlines()
    return [line for line in lines if line and not line.startswith(("#", "RuntimeDirectory="))]


class SystemdTests(SynchronousTestCase):
    """The units."""

    def setUp(self) -> None:
        """Write the units as they are on a machine whose twistd is another program, which is there."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        for path in (DEPLOY / "systemd").iterdir():
            named = self.folder / path.name.replace("@", "@one")
            named.write_text(re.sub("/opt/tlscomm/bin/[a-z]+", "/bin/true", path.read_text()))

    def analyze(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("systemd-analyze", *words),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def test_verify(self) -> None:
        """systemd has no complaint."""
        done = self.analyze("verify", "--man=no", *(f"./{path.name}" for path in self.folder.iterdir()))
        self.assertEqual((done.stdout, done.returncode), ("", 0))

    def test_security(self) -> None:
        """systemd takes the service for one that is hardly exposed."""
        done = self.analyze("security", "--offline=true", "--threshold=15", "./tlscomm.service")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_alike(self) -> None:
        """The templates are as hardened as the unit."""
        one, *others = map(service, (*UNITS, TUNNEL))
        self.assertEqual(others, [one, one])

    def test_command(self) -> None:
        """What a unit starts has options that exist."""
        for unit in UNITS:
            (command,) = re.findall(r"(?m)^ExecStart=.* tlscomm (.*)$", text(f"systemd/{unit}"))
            self.assertRegex(command, r"^--configuration \S+$")

    def test_tunnel(self) -> None:
        """So has what the template of tunnels shows."""
        unit = text(f"systemd/{TUNNEL}")
        self.assertIn("bin/tlscomm tunnel ${TARGET} $OPTIONS\n", unit)
        (options,) = re.findall(r"(?m)^#     OPTIONS=(.*)$", unit)
        context = command.make_context("tunnel", ["redis.example.org:6380", *options.split()])
        self.assertEqual(context.params["listen"], ("tcp:6379:interface=127.0.0.1",))


class ConfigurationTests(SynchronousTestCase):
    """The configuration that comes along, and that of Kubernetes."""

    def plan(self, words: str) -> Any:
        path = Path(self.mktemp())
        path.write_text(words, encoding="utf-8")
        options = Options()
        options.parseOptions(["--configuration", str(path)])
        return options.plan

    def test_file(self) -> None:
        """The server takes it, and it names the socket that the socket unit has."""
        plan = self.plan(text("tlscomm.toml"))
        name = re.search("(?m)^FileDescriptorName=(.*)$", text("systemd/tlscomm.socket"))
        assert name is not None
        self.assertEqual(plan.listeners[0].settings["listen"], [f"systemd:domain=INET6:name={name[1]}"])

    def test_kubernetes(self) -> None:
        """The server takes it, and the pod has the time that a stop may take."""
        manifests = text("kubernetes/tlscomm.yaml")
        plan = self.plan(dedent(manifests.partition("tlscomm.toml: |\n")[2].partition("---")[0]))
        grace = int(manifests.partition("terminationGracePeriodSeconds: ")[2].split()[0])
        stop = plan.settings["drainDelay"] + plan.settings["drainTimeout"] + 5
        self.assertGreater(grace, stop)
        self.assertEqual(plan.settings["health"], "tcp:9180")
        self.assertIn("containerPort: 9180", manifests)
