"""What a configuration file says, and what is wrong with it, with its lines and all at once."""

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs
from twisted.python.usage import UsageError
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import parseRule
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import Interface, Text, Whole, YesNo
from tlscomm.issuing import Authority
from tlscomm.plans._plan import ServerPlan
from tlscomm.plans._planproblems import ConfigurationProblems
from tlscomm.server import Options, Server, makeService
from tlscomm.x509._encoding import keyPEM, pem

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])

TWO = """
logFormat = "json"
identity = ["server.pem"]
clientRoots = "ca.pem"
readTimeout = 0
[[listener]]
name = "one"
listen = ["tcp:1"]
[[listener]]
listen = ["tcp:2", "unix:a.socket"]
readTimeout = 7
resumption = false
allow = ["cn=a", "cn=b"]
"""


class FileCase(SynchronousTestCase):
    """Configuration files in a folder of the test's own, which the program is not in."""

    def setUp(self) -> None:
        self.folder = Path("conf").absolute()
        self.folder.mkdir()
        self.reactor: Any = MemoryReactorClock()
        (self.folder / "server.pem").write_bytes(pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        os.chmod(self.folder / "server.pem", 0o600)
        (self.folder / "ca.pem").write_bytes(pem([AUTHORITY.certificate]))

    def write(self, text: str, name: str = "a.toml") -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def options(self, *words: str) -> Options:
        options = Options()
        options.parseOptions(["--configuration", "conf/a.toml", *words])
        return options

    def plan(self, text: str = TWO, *words: str) -> ServerPlan:
        self.write(text)
        return self.options(*words).plan

    def server(self, text: str = TWO, *words: str) -> Server:
        self.write(text)
        return makeService(self.options(*words), self.reactor)

    def wrong(self, text: str, *words: str) -> list[str]:
        """What is said of a text, without the folder."""
        self.write(text)
        refusal = self.assertRaises(ConfigurationProblems, lambda: makeService(self.options(*words), self.reactor))
        return [line.replace(f"{self.folder}/", "").replace("conf/", "") for line in str(refusal).split("\n")]

    def assertWrong(self, text: str, *expected: str) -> None:
        """Each of these is the beginning of one line of what is said."""
        said = self.wrong(text)
        self.assertEqual(len(said), len(expected), said)
        for line, beginning in zip(said, expected, strict=True):
            self.assertEqual(line[: len(beginning)], beginning)


class PlanFromFileTests(FileCase):
    """What a file says."""

    def test_levels(self) -> None:
        """What the top says holds for each listener that does not say otherwise."""
        plan = self.plan()
        one, two = plan.listeners
        self.assertEqual((plan.settings["logFormat"], plan.settings["maximumConnections"]), ("json", 10000))
        self.assertEqual([each.name for each in plan.listeners], ["one", "tcp:2"])
        self.assertEqual([each.settings["readTimeout"] for each in plan.listeners], [None, 7.0])
        self.assertEqual((one.settings["resumption"], two.settings["resumption"]), (True, False))
        self.assertEqual(two.settings["allow"], [parseRule("cn=a"), parseRule("cn=b")])
        self.assertEqual((one.settings["allow"], one.settings["framing"]), ([], "eof"))

    def test_paths(self) -> None:
        """A relative path starts at the folder of the file, wherever the program is; words and stores are no paths."""
        (plan,) = self.plan(
            'identity = ["server.pem", "store:x/a.pfx", "/k.pem"]\nclientRoots = ["system", "ca.pem"]\n'
            'staple = "fetch"\n'
            'listen = ["unix:a.socket", "unix:/b.socket", "tcp:1"]'
        ).listeners
        there = str(self.folder)
        self.assertEqual(plan.settings["identity"], [f"{there}/server.pem", "store:x/a.pfx", "/k.pem"])
        self.assertEqual(plan.settings["clientRoots"], ["system", f"{there}/ca.pem"])
        self.assertEqual(plan.settings["staple"], ["fetch"])
        self.assertEqual(plan.settings["listen"], [f"unix:{there}/a.socket", "unix:/b.socket", "tcp:1"])

    def test_oneListener(self) -> None:
        """A file without a table for a listener describes one."""
        (listener,) = self.plan('identity = "server.pem"\nlisten = "tcp:7"').listeners
        self.assertEqual((listener.name, listener.settings["listen"]), ("default", ["tcp:7"]))

    def test_origins(self) -> None:
        """Each setting has its place, and each of its values."""
        _, two = self.plan().listeners
        self.assertEqual(str(two.originOf("allow")), "conf/a.toml:13:1")
        self.assertEqual(str(two.originOf("allow", 1)), "conf/a.toml:13:18")
        self.assertEqual(str(two.originOf("identity", 0)), "conf/a.toml:3:13")
        self.assertEqual(str(two.originOf("framing")), "conf/a.toml:9:1")

    def test_optionsWin(self) -> None:
        """An option holds for all listeners, in the place of what the file says, even where it says the default."""
        plan = self.plan(TWO, "--read-timeout", "5", "--allow", "cn=c", "--log-format", "text", "--no-resumption")
        self.assertEqual([each.settings["readTimeout"] for each in plan.listeners], [5.0, 5.0])
        self.assertEqual([each.settings["allow"] for each in plan.listeners], [[parseRule("cn=c")]] * 2)
        self.assertEqual([each.settings["resumption"] for each in plan.listeners], [False, False])
        self.assertEqual(plan.settings["logFormat"], "text")

    def test_identityBringsItsKey(self) -> None:
        """A key belongs to the identity beside it, and not to one that is named nearer to the listener."""
        text = 'identity = "a.pem"\nkey = "a.key"\nlisten = "tcp:1"\n'
        (listener,) = self.plan(text).listeners
        self.assertEqual(listener.settings["key"], [f"{self.folder}/a.key"])
        (listener,) = self.plan(text, "--identity", "b.pem").listeners
        self.assertEqual((listener.settings["identity"], listener.settings["key"]), (["b.pem"], []))

    def test_listenOption(self) -> None:
        """Where to listen is one listener's to say."""
        (listener,) = self.plan('identity = "server.pem"', "--listen", "tcp:9").listeners
        self.assertEqual(listener.settings["listen"], ["tcp:9"])
        said = self.wrong(TWO, "--listen", "tcp:9")
        self.assertIn("the command line: --listen is one listener's, and the configuration has 2", said)

    def test_served(self) -> None:
        """A server serves what a file says, and reads the file again."""
        with capturedLogs() as captured:
            server = self.server()
            server.startService()
            self.addCleanup(server.stopService)
        self.assertEqual([port for port, *_ in self.reactor.tcpServers], [1, 2])
        self.assertEqual(self.reactor.unixServers[0][0], f"{self.folder}/a.socket")
        self.assertEqual([each.name for each in server.listeners], ["one", "tcp:2"])
        self.assertNotIn("Traceback", str(captured))

    def test_byteOrderMark(self) -> None:
        """A file that Notepad wrote is one as well."""
        (listener,) = self.plan('\ufeffidentity = "server.pem"\r\nreadTimeout = 3\r\n').listeners
        self.assertEqual(listener.settings["readTimeout"], 3.0)

    def test_everySetting(self) -> None:
        """Each setting of the command line may be said in a file, but for the file itself."""
        examples: Any = {YesNo: "true", Whole: "600000"}
        for setting in settingsOn(Interface.TWISTD):
            value = examples.get(type(setting.type), '"x"' if isinstance(setting.type, Text) else "1")
            self.write(f'identity = "server.pem"\n{setting.name} = {value}\n')
            try:
                said = str(self.options().plan)
            except (ConfigurationProblems, UsageError) as refusal:
                said = str(refusal)
            self.assertNotIn("no setting", said, setting.name)


class IncludeTests(FileCase):
    """Files that name others."""

    def test_order(self) -> None:
        """A file's own listeners come first, then those of the files that it includes, by name."""
        (self.folder / "conf.d").mkdir()
        self.write('identity = "../server.pem"\nlisten = "tcp:1"', "conf.d/none.txt")
        for name, port in (("b", 2), ("a", 1)):
            self.write(f'[[listener]]\nlisten = "tcp:{port}"\nidentity = "../server.pem"', f"conf.d/{name}.toml")
        self.write('maximumConnections = 5\n[[listener]]\nlisten = "tcp:3"\nidentity = "server.pem"', "c.toml")
        plan = self.plan(
            'include = ["conf.d/*.toml", "c.toml", "nothing/*.toml"]\n[[listener]]\nlisten = "tcp:4"\n'
            'identity = "server.pem"'
        )
        self.assertEqual([each.name for each in plan.listeners], ["tcp:4", "tcp:1", "tcp:2", "tcp:3"])
        self.assertEqual(plan.settings["maximumConnections"], 5)
        self.assertEqual(plan.listeners[1].settings["identity"], [f"{self.folder}/conf.d/../server.pem"])
        self.assertEqual(str(plan.listeners[1].origin), "conf/conf.d/a.toml:1:1")

    def test_twice(self) -> None:
        """A setting that two files set, and a file that is read twice, are told with both places."""
        self.write('readTimeout = 1\ninclude = "a.toml"', "b.toml")
        self.assertWrong(
            'identity = "server.pem"\nreadTimeout = 2\ninclude = ["b.toml", "b.toml"]',
            "a.toml:3:22: b.toml is read already, as b.toml; a file can be included once",
            "b.toml:1:1: readTimeout is set already, at a.toml:2:1; a setting is set in one file",
            "b.toml:2:1: a.toml is read already, as a.toml; a file can be included once",
        )

    def test_deep(self) -> None:
        """Files cannot include each other without end."""
        for number in range(9):
            self.write(f'include = "{number + 1}.toml"', f"{number}.toml")
        self.assertWrong(
            'identity = "server.pem"\ninclude = "0.toml"', "4.toml:1:1: 5.toml is included through 6 files"
        )

    def test_missing(self) -> None:
        """A file that is named has to be there, and to be a file."""
        self.assertWrong(
            'identity = "server.pem"\ninclude = ["b.toml", "/dev/null", "."]',
            "a.toml:2:12: the configuration file b.toml: No such file or directory",
            "a.toml:2:22: the configuration file /dev/null: this is no plain file, which can be read again",
            "a.toml:2:35: the configuration file .: ",
        )
        self.assertWrong("include = 3\nidentity = 'server.pem'", "a.toml:1:1: include is a list of files")


class ProblemsTests(FileCase):
    """What is wrong with a file."""

    def test_all(self) -> None:
        """Everything is told at once, with its line and column, in their order."""
        self.assertWrong(
            """logformat = "text"
identity = ["server.pem", "nothing.pem"]
clientRoots = ["ca.pem",
   "noca.pem", "a.toml"]
readTimeout = "5"
resumption = "no"
profile = "lax"
oops = server.pem
name = "x"
[[listener]]
name = "one"
listen = ["tcp:24001:interface=127.0.0.1"]
maximumConnections = 10
allow = ["cn=client", "cn"]
hook = "nomodule:x"
framing = ["eof"]
deny = {a = 1}

[[listener]]
name = "one"
listen = ["tcp:24001", "ssl:2", "tcp:foo"]
application = "os:nothing"
crl = ["lists"]
""",
            "a.toml:1:1: there is no setting 'logformat'; the nearest is logFormat",
            "a.toml:2:27: file-not-found: There is no such file: nothing.pem. Next step: Check the path. A relative "
            "path starts at the folder of the file that names it.",
            "a.toml:4:4: file-not-found: There is no such file: noca.pem",
            "a.toml:4:16: unknown-format: ",
            "a.toml:5:1: readTimeout is a number, which stands without quotes, not '5'",
            "a.toml:6:1: resumption is true or false, not 'no'",
            "a.toml:7:1: profile is one of compatible, strict, not 'lax'",
            "a.toml:8:8: This is no value of TOML; a text stands in quotes",
            "a.toml:9:1: a name is a listener's: put it below its [[listener]]",
            "a.toml:13:1: maximumConnections is the whole process's: put it above the first [[listener]]",
            "a.toml:14:23: allow: 'cn' is no access rule",
            "a.toml:15:1: the module nomodule cannot be imported",
            "a.toml:16:12: framing is one value, not a list",
            "a.toml:17:1: deny is no table",
            "a.toml:20:1: the listener one has the name of the one at a.toml:11:1",
            "a.toml:21:11: the listener one listens on tcp:24001, where the listener one listens already",
            "a.toml:21:24: listen ssl:2: ssl: would put TLS into TLS",
            "a.toml:21:33: listen tcp:foo: ",
            "a.toml:22:1: the module os has no 'nothing'",
            "a.toml:23:8: file-not-found: There is no such file: lists",
        )

    def test_missing(self) -> None:
        """A listener needs an identity and a place, unless what says them could not be read."""
        self.assertWrong(
            "[[listener]]\n[[listener]]\nlisten = 'tcp:1'\nidentity = 'server.pem'",
            "a.toml:1:1: this listener does not say where it listens",
            "a.toml:1:1: no identity: ",
        )
        self.assertWrong("identity = server.pem", "a.toml:1:12: This is no value of TOML")
        self.assertWrong("identity = 3", "a.toml:1:1: identity is a text, not 3")
        self.assertWrong("", "a.toml: no identity: ")

    def test_syntax(self) -> None:
        """Mistakes that are ones by themselves are told each; what follows from one is not."""
        for text, *expected in (
            ("a = \nb = \n", "1:5: This is no value", "2:5: This is no value"),
            ('identity = [\n "a"\n "b"\n]\nfoo = 1', "3:2: A comma or the bracket", "5:1: there is no setting 'foo'"),
            ('identity = ["a"\nclientRoots = ["b"]\n', "2:1: A comma or the bracket"),
            ("[[listener]\nname = 'x'\nlisten = 'tcp:1'\n", "1:11: "),
            ("allow = '''\nx\n", "2: "),
            ("readTimeout = 1\nreadTimeout = 2\n", "2:16: This key has a value already"),
            ("[listener]\nname = 'x'\nidentity='a'\n", "1:1: a listener is a table of its own: write [[listener]]"),
        ):
            said = [line for line in self.wrong(text) if "file-not-found" not in line]
            beginnings = [f"a.toml:{each}" for each in expected]
            self.assertEqual([line[: len(each)] for line, each in zip(said, beginnings, strict=True)], beginnings)

    def test_notTOML(self) -> None:
        """A file of another kind, or one without end, is a sentence and no traceback."""
        for content, said in (
            (b"\xff\xfea\x00", "it is not UTF-8, as TOML has to be (line 1)"),
            (b"#" * ((1 << 20) + 1), "it has more than 1 MiB"),
            (b"a = " + b"[" * 100_000, "the values are nested too deep"),
            (b"a = " + b"9" * 5000, "Exceeds the limit"),
        ):
            (self.folder / "a.toml").write_bytes(content)
            refusal = self.assertRaises(ConfigurationProblems, self.options)
            self.assertIn(said, str(refusal))

    def test_hostile(self) -> None:
        """What a file says is repeated so that a terminal does not obey it, and not without end."""
        (said,) = self.wrong(f'identity = "server.pem"\n"\\u001b[2J{"x" * 5000}" = 1')
        self.assertNotIn("\x1b", said)
        self.assertLess(len(said), 400)

    def test_many(self) -> None:
        """Of very many problems the first are told, and how many more there are."""
        said = self.wrong("identity = 'server.pem'\n" + "\n".join(f"x{number} = 1" for number in range(300)))
        self.assertEqual((len(said), said[-1]), (101, "and 200 more"))

    def test_places(self) -> None:
        """Two listeners cannot have one port, whichever way they name it; different addresses are different places."""
        listeners = "".join(
            f'[[listener]]\nname = "{number}"\nlisten = "{place}"\n'
            for number, place in enumerate(
                ["tcp:1:interface=127.0.0.1", "tcp:1:interface=127.0.0.2", "tcp6:1", "tcp:port=1", "tcp:0", "tcp:0"]
            )
        )
        self.assertWrong(
            'identity = "server.pem"\n' + listeners,
            "a.toml:13:1: the listener 3 listens on tcp:port=1, where the listener 0 listens already",
        )

    def test_process(self) -> None:
        """What the whole process cannot do is told with its place as well, before anything is made."""
        self.assertWrong(
            'status = "tcp:8080"\nkeylog = "nowhere/keys"\nidentity = "server.pem"\nclientRoots = "no.pem"',
            "a.toml:1:1: status tcp:8080: the status names peers",
            "a.toml:2:1: keylog: ",
            "a.toml:4:1: file-not-found: ",
        )

    def test_underTwistd(self) -> None:
        """twistd ends with all of it, before anything is loaded for long."""
        self.write("a = 1\nidentity = 'x'\n")
        options = Options()
        options.parent = ServerOptions()
        options.parent.parseOptions(["-n", "tlscomm"])
        refusal = self.assertRaises(SystemExit, options.parseOptions, ["--configuration", "conf/a.toml"])
        first, *lines = str(refusal.code).split("\n")
        self.assertEqual(first, "twistd tlscomm: the configuration cannot be used, for 2 reasons:")
        self.assertEqual([line.split(" ")[0] for line in lines], ["conf/a.toml:1:1:", "conf/a.toml:2:1:"])

    def test_json(self) -> None:
        """The log is where the file says."""
        options = Options()
        options.parent = ServerOptions()
        options.parent.parseOptions(["-n", "tlscomm"])
        self.write(TWO)
        options.parseOptions(["--configuration", "conf/a.toml"])
        self.assertEqual(options.parent["logger"], "tlscomm.serving._eventlog.onStandardError")

    def test_withoutFile(self) -> None:
        """Nothing that reads files is loaded where none is named."""
        self.assertNotIn("configuration", Options().defaults.get("configuration", "") or "")
        self.assertIn("tlscomm.plans._planfromfiles", sys.modules)


class ReloadTests(FileCase):
    """A running server reads the file again."""

    def setUp(self) -> None:
        super().setUp()
        self.running = self.server()

    def reload(self, text: str, name: str = "a.toml") -> list[str]:
        """What is refused of a text that takes the place of the one before."""
        self.write(text, name)
        with capturedLogs():
            result = self.successResultOf(self.running.reload())
        problems = [] if result.problem is None else str(result.problem).split("\n")
        return [line.replace("conf/", "").replace(f"{self.folder}/", "") for line in problems]

    def rules(self) -> list[int]:
        configurations: list[Any] = [each.factory.configuration for each in self.running.listeners]
        return [len(each.access.allow) for each in configurations]

    def test_taken(self) -> None:
        """What a listener's clients have to be changes at once."""
        self.assertEqual(self.rules(), [0, 2])
        self.assertEqual(self.reload(TWO.replace('"cn=a", ', "")), [])
        self.assertEqual(self.rules(), [0, 1])

    def test_refused(self) -> None:
        """A file that cannot be used changes nothing, and all that is wrong with it is told."""
        said = self.reload(TWO.replace('"cn=a", "cn=b"', '"a", "b"').replace("ca.pem", "no.pem"))
        self.assertEqual([line.split(" ")[0] for line in said], ["a.toml:13:10:", "a.toml:13:15:"])
        self.assertEqual([line.split(" ")[0] for line in self.reload(TWO.replace("ca.pem", "no.pem"))], ["a.toml:4:1:"])
        self.assertEqual(self.rules(), [0, 2])

    def test_restartNeeded(self) -> None:
        """What only a new process can do is refused as a whole, and named."""
        changed = TWO.replace("tcp:2", "tcp:3").replace("json", "text").replace('name = "one"', 'name = "other"')
        self.assertEqual(
            self.reload(changed.replace("allow", "deny")),
            [
                f"{said}, which needs a restart. Next step: Restart the server, or take that back."
                for said in (
                    "a.toml: the listener one is gone",
                    "a.toml: the listener tcp:2 is gone",
                    "a.toml:2:1: logFormat has changed",
                    "a.toml:6:1: the listener other is new",
                    "a.toml:9:1: the listener tcp:3 is new",
                )
            ],
        )
        self.assertEqual(self.rules(), [0, 2])
        said, other = self.reload(TWO.replace("tcp:1", "tcp:9").replace("ca.pem", "no.pem"))
        self.assertIn("a.toml:4:1: file-not-found", said)
        self.assertIn("a.toml:8:1: listen has changed", other)
        (said,) = self.reload(TWO.replace('name = "one"', 'name = "one"\napplication = "greet"'))
        self.assertIn("a.toml:8:1: application has changed, which needs a restart", said)

    def test_watched(self) -> None:
        """The configuration files are among those that are watched, and the folders where more may come."""
        (self.folder / "conf.d").mkdir()
        self.write("", "conf.d/a.toml")
        plan = self.plan(TWO + "", "--log-format", "text")
        self.assertEqual(plan.files, (str(self.folder / "a.toml"),))
        plan = self.plan('include = ["conf.d/*.toml", "x?/y*/z.toml"]\nidentity = "server.pem"')
        there = str(self.folder)
        self.assertEqual(plan.files, (f"{there}/a.toml", f"{there}/conf.d", f"{there}/conf.d/a.toml"))
