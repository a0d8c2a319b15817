"""What a user can rely on in every ``tlscomm`` command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cryptography
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

import tlscomm
from tlscomm import failures
from tlscomm.commandline import _printing, main, program

#: As a module, because a script's first line may be too long for the system; and no warning passes.
COMMAND = (sys.executable, "-W", "error", "-m", "tlscomm")

#: Prints what of a program's weight is there after the import that it is given.
WEIGHT = """
import sys
import {}
print(sorted({{name.split(".")[0] for name in sys.modules}} & {{"twisted", "OpenSSL", "cryptography", "rich", "idna"}}))
"""


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, with these environment variables besides ours."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120, env=environment
    )


class ProgramTests(SynchronousTestCase):
    """The command as a whole."""

    def test_version(self) -> None:
        """``--version`` says which version this is."""
        result = CliRunner().invoke(program, ["--version"])
        self.assertEqual((result.exit_code, result.output), (0, f"tlscomm, version {tlscomm.__version__}\n"))

    def test_help(self) -> None:
        """``--help`` names every command, and each of them explains itself."""
        result = CliRunner().invoke(program, ["--help"])
        self.assertEqual(result.exit_code, 0)
        for command in ("connect", "explain", "pki"):
            self.assertIn(f"\n  {command} ", result.output)
            self.assertEqual(CliRunner().invoke(program, [command, "--help"]).exit_code, 0)

    def test_wrongUsage(self) -> None:
        """An unknown command or option is wrong usage, which is exit status 2."""
        for arguments in (["nonsense"], ["explain", "--nonsense"], ["connect"], ["pki", "init"]):
            self.assertEqual(CliRunner().invoke(program, arguments).exit_code, 2, arguments)

    def test_module(self) -> None:
        """It runs as a module too, without a warning, and says wrong usage on standard error alone."""
        done = run(*COMMAND, "nonsense")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"No such command 'nonsense'", done.stderr)

    def test_usageForPrograms(self) -> None:
        """With ``--json`` wrong usage is one object on standard output too, whatever of it is wrong."""
        for arguments in (["nonsense", "--json"], ["verify", "--json"], ["explain", "--nonsense", "--json"]):
            done = run(*COMMAND, *arguments)
            self.assertEqual((done.returncode, done.stderr), (2, b""), arguments)
            said = json.loads(done.stdout)
            self.assertEqual((said["outcome"], said["failure"]), ("failed", None))
            self.assertTrue(said["usage"])

    def test_helpCommand(self) -> None:
        """``tlscomm help COMMAND`` says what ``tlscomm COMMAND --help`` does."""
        for command in ([], ["connect"], ["store", "add"]):
            asked = CliRunner().invoke(program, ["help", *command], prog_name="tlscomm")
            self.assertEqual(
                asked.output, CliRunner().invoke(program, [*command, "--help"], prog_name="tlscomm").output
            )
            self.assertEqual(asked.exit_code, 0)

    def test_helpOfWhatIsNot(self) -> None:
        """Help on a command that there is not is wrong usage."""
        for words in (["nonsense"], ["connect", "nonsense"]):
            self.assertEqual(CliRunner().invoke(program, ["help", *words]).exit_code, 2)

    def test_versions(self) -> None:
        """``--version -v`` also says which libraries are in use, for a report of a fault."""
        for words in (["--version", "-v"], ["-v", "--version"]):
            said = CliRunner().invoke(program, words).output
            self.assertIn(f"cryptography       {cryptography.__version__}\n", said)

    def test_quiet(self) -> None:
        """``--quiet`` leaves out what is said besides, and the failures are said all the same."""
        folder = Path("authority")
        CliRunner().invoke(program, ["pki", "init", str(folder)])
        verified = [
            ["verify", "--as", "client", str(folder / name), *more]
            for name, more in (
                ("client.pfx", ["--roots", str(folder / "ca.pem")]),
                ("nothing.pfx", ["--roots", str(folder / "ca.pem")]),
            )
        ]
        results = [CliRunner().invoke(program, [*words, "-q"]) for words in verified]
        self.assertEqual([result.exit_code for result in results], [0, 1])
        self.assertIn("file-not-found", results[1].stderr)

    def test_verbose(self) -> None:
        """``--verbose`` tells of a failure where it fell and what it rests on."""
        folder = Path("authority")
        CliRunner().invoke(program, ["pki", "init", str(folder)])
        words = ["verify", "--as", "client", str(folder / "server.pfx"), "--roots", str(folder / "ca.pem")]
        said = CliRunner().invoke(program, [*words, "-v"]).stderr
        self.assertRegex(said, r"Side +remote, handshake")
        self.assertNotIn("Side ", CliRunner().invoke(program, words).stderr)

    def test_quietAndVerbose(self) -> None:
        """Nothing is said both less and more."""
        self.assertEqual(CliRunner().invoke(program, ["explain", "expired", "-q", "-v"]).exit_code, 2)

    def test_notInstalled(self) -> None:
        """Where the library was installed alone, the command says in one line what to install."""
        for name in ("click", "rich"):
            code = f"import sys; sys.modules[{name!r}] = None; from tlscomm.commandline import main; sys.exit(main())"
            done = run(sys.executable, "-c", code, "store", "list", FORCE_COLOR="1")
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            said = f"tlscomm: the command needs {name}, which is not installed: pip install 'tlscomm[command]'\n"
            self.assertEqual(done.stderr.decode(), said)

    def test_status(self) -> None:
        """`main` returns the exit status, for programs that call it."""
        self.assertEqual(main(["explain", "--json", "nonsense"]), 2)

    def test_light(self) -> None:
        """Options are explained without Twisted, OpenSSL and all else that takes its time to load."""
        for module in ("tlscomm.commandline", "tlscomm.commandline.connect"):
            self.assertEqual(run(sys.executable, "-c", WEIGHT.format(module)).stdout, b"[]\n")

    def test_interrupted(self) -> None:
        """Ctrl-C ends it without a word also while it is being loaded."""
        Path("click.py").write_text("raise KeyboardInterrupt\n")
        done = run(sys.executable, "-c", "import sys; from tlscomm.commandline import main; sys.exit(main())")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (130, b"", b""))

    def test_nobodyReads(self) -> None:
        """A reader that goes away early, as ``head`` does, ends the program without a word."""
        done = run("sh", "-c", '"$@" | head -c 1; :', "sh", *COMMAND, "explain")
        self.assertEqual((done.stdout, done.stderr), (b"C", b""))

    def test_full(self) -> None:
        """Output that cannot be written is an error that says why, and no traceback."""
        done = run("sh", "-c", '"$@" > /dev/full', "sh", *COMMAND, "explain")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, b"Error: standard output cannot be written: No space left on device\n")

    def test_noStandardOutput(self) -> None:
        """A program that is started without any of the standard streams does its work in silence."""
        done = run("sh", "-c", '"$@" <&- >&- 2>&-', "sh", *COMMAND, "explain")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))


class PrintingTests(SynchronousTestCase):
    """What people read."""

    def say(self, *parts: object) -> str:
        """Return what is written to a file."""
        result = CliRunner()
        with result.isolation() as (output, *_):
            _printing.say(*parts)  # type: ignore[arg-type]
            return output.getvalue().decode()

    def test_plain(self) -> None:
        """What is not written to a terminal has no colours, no padding and no line breaks inside a fact."""
        written = self.say(_printing.heading("title"), _printing.table([("a", "word " * 60), ("long name", "x")]))
        self.assertEqual(written, f"title\na          {('word ' * 60).strip()}\nlong name  x\n")

    def test_drawn(self) -> None:
        """A pipe gets what rich would draw on a line that never ends: columns, several lines, tabs, and no controls."""
        rows: list[_printing.Row] = [
            ("", ""),
            ("name", "one\ntwo\n\nthree "),
            ("long name", _printing.Styled("a ", ("b", "bold red"), " c\a\b\r")),
            ("x", "客\u2028客"),
        ]
        parts = ("a\tb\v\nc", _printing.heading("[title]"), "", _printing.table(rows), _printing.table([]))
        plain = self.say(*parts)
        # In place: rich keeps the environment that it finds when it is loaded.
        self.addCleanup(os.environ.pop, "FORCE_COLOR")
        os.environ["FORCE_COLOR"] = "1"
        drawn = re.sub(r"\x1b\[[0-9;]*m", "", self.say(*parts))
        self.assertEqual(plain, re.sub(" +$", "", drawn, flags=re.MULTILINE))

    def test_noMarkup(self) -> None:
        """Text is never taken for markup: a peer may have written it."""
        hostile = "[bold red]CN[/] :smile: [link=https://example]"
        self.assertEqual(self.say(hostile), f"{hostile}\n")
        self.assertEqual(self.say(_printing.table([("name", hostile)])), f"name  {hostile}\n")

    def test_colours(self) -> None:
        """A terminal gets colours, and lines that fit."""
        spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))"
        command = (sys.executable, "-c", spawn, *COMMAND, "explain", "name-mismatch")
        shown = run(*command, TERM="xterm", COLUMNS="60")
        self.assertIn(b"\x1b[1mname-mismatch\x1b[0m", shown.stdout)
        plain = re.sub(rb"\x1b\[[0-9;]*m", b"", shown.stdout).decode()
        self.assertLessEqual(max(len(line) for line in plain.splitlines()), 60)

    def test_everyLocale(self) -> None:
        """What a locale cannot express is escaped, and nobody's help or list fails for it."""
        script = r"from tlscomm.commandline._printing import say; say('\u5ba2')"
        self.assertEqual(run(sys.executable, "-c", script, PYTHONIOENCODING="ascii").stdout, b"\\u5ba2\n")
        for arguments in (("connect", "--help"), ("pki", "init", "--help"), ("explain",)):
            done = run(*COMMAND, *arguments, PYTHONIOENCODING="ascii")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertNotIn(b"\\u", done.stdout)

    def test_failure(self) -> None:
        """A failure is its code, what happened, what to do, and where there is more, on standard error."""
        failure = failures.Expired("it ended yesterday", side="remote")
        with CliRunner().isolation() as (output, error, *_):
            _printing.sayFailure(failure)
            self.assertEqual(output.getvalue(), b"")
            said = error.getvalue().decode().splitlines()  # type: ignore[union-attr]
        self.assertEqual(
            said,
            [
                "expired: The peer refused us: our certificate has expired: it ended yesterday.",
                f"Next  {failure.nextStep}",
                "More  tlscomm explain expired",
            ],
        )

    def test_json(self) -> None:
        """JSON is one line of UTF-8 in every locale, also with what no UTF-8 can carry."""
        script = r"from tlscomm.commandline._printing import writeJSON; writeJSON(['\u5ba2', '\udcff'])"
        done = run(sys.executable, "-c", script, PYTHONIOENCODING="latin-1")
        self.assertEqual(done.stdout, '["客", "\\udcff"]\n'.encode())


class ScriptTests(SynchronousTestCase):
    """The program that an installation brings."""

    def test_entryPoint(self) -> None:
        """``tlscomm`` is `tlscomm.commandline.main`."""
        declared = (Path(__file__).parent.parent / "setup.cfg").read_text()
        self.assertIn("tlscomm = tlscomm.commandline:main\n", declared)
