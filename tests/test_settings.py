"""One table of settings: what it says holds on each interface, and a wrong value is refused in the same words."""

from __future__ import annotations

import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from click.testing import CliRunner
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline._options import settingOptions
from tlscomm.configuration import ClientCertificates, Deadlines, Version
from tlscomm.configuration._settings import SETTINGS, defaultsOn, formerNamesOn, settingsOn
from tlscomm.configuration._settingtypes import (
    STRINGS,
    AccessRuleText,
    CommandText,
    GroupsText,
    Interface,
    NetworkText,
    PinText,
    PrefixLengths,
    ProtocolsText,
    ProxyText,
    Rate,
    Seconds,
    Setting,
    Text,
    Whole,
    Word,
    YesNo,
)
from tlscomm.messages import FRAMINGS
from tlscomm.proxyprotocol._writing import OPTIONS, WORDS
from tlscomm.revocation import MODES
from tlscomm.server import Options
from tlscomm.serving._eventlog import LOG_FORMATS
from tlscomm.verification import PROFILES

#: A text that no setting of a type takes. Any text may be the name of a file.
WRONG = {
    Word: "lax",
    YesNo: "maybe",
    Seconds: "soon",
    Rate: "often",
    PrefixLengths: "24",
    Whole: "many",
    AccessRuleText: "cn",
    CommandText: "renew 'it",
    PinText: "1",
    ProtocolsText: "h2 http/1.1",
    ProxyText: "proxy",
    GroupsText: "P 256",
    NetworkText: "10.0.0.1/8",
}

#: What is typed before the options.
LINES = {
    Interface.CONNECT: ["connect", "localhost:1"],
    Interface.TUNNEL: ["tunnel", "localhost:1"],
    Interface.VERIFY: ["verify", "file", "--as", "server"],
    Interface.INSPECT: ["inspect", "file"],
    Interface.ANALYZE: ["analyze", "file"],
    Interface.STORE_ADD: ["store", "add", "file"],
    Interface.STORE_EXPORT: ["store", "export", "--out", "file"],
}

DOCS = Path(__file__).parent.parent / "docs"

#: Where the documentation has the settings as a table, and what makes it.
PAGES = {
    Interface.TWISTD: ("server", "\n.. settings-table:: twistd\n"),
    Interface.CONNECT: ("client", "\n.. settings-table:: connect\n"),
    Interface.TUNNEL: ("operation-tunnel", "\n.. settings-table:: tunnel\n"),
    Interface.SERVER_STRING: ("endpoints", "\n.. settings-table:: strings\n"),
    Interface.CLIENT_STRING: ("endpoints", "\n.. settings-table:: strings\n"),
}


def commandOf(interface: Interface) -> click.Command:
    command: Any = program
    for word in LINES[interface][: 2 if LINES[interface][0] == "store" else 1]:
        command = command.commands[word]
    return command  # type: ignore[no-any-return]


def everywhere() -> Iterator[tuple[Setting, Interface]]:
    """Each setting on each of its interfaces."""
    for interface in Interface:
        for setting in settingsOn(interface):
            yield setting, interface


def optionOf(setting: Setting, interface: Interface) -> click.Option:
    (found,) = (each for each in commandOf(interface).params if f"--{setting.option}" in each.opts)
    assert isinstance(found, click.Option)
    return found


def refusal(setting: Setting, interface: Interface, text: str) -> str:
    """Say a value on an interface, and return what is said about it."""
    try:
        if interface is Interface.SERVER_STRING:
            serverFromString(MemoryReactorClock(), f"tlscomm:0:identity=file:{setting.name}={text}")
        elif interface is Interface.CLIENT_STRING:
            clientFromString(MemoryReactorClock(), f"tlscomm:localhost:1:identity=file:{setting.name}={text}")
        elif interface is Interface.TWISTD:
            Options().parseOptions(["--identity", "file", f"--{setting.option}", text])
        else:
            line = [*LINES[interface], f"--{setting.option}", text]
            result = CliRunner().invoke(program, line)
            assert result.exit_code == 2, (line, result)
            return result.output.splitlines()[-1].removeprefix("Error: ")
    except (UsageError, ValueError) as wrong:
        return str(wrong)
    raise AssertionError(f"{setting.name} takes {text!r}")


class EverySettingTests(SynchronousTestCase):
    """What is in the table is on each interface that it is for."""

    def test_isThere(self) -> None:
        twistd = Options().longOpt
        for setting, interface in everywhere():
            if interface is Interface.TWISTD:
                self.assertIn(setting.option + ("" if setting.isFlag else "="), twistd)
            elif interface in LINES:
                option = optionOf(setting, interface)
                self.assertEqual((option.is_flag, option.multiple), (setting.isFlag, setting.isRepeatable))
        for interface, parse in (
            (Interface.SERVER_STRING, serverFromString),
            (Interface.CLIENT_STRING, clientFromString),
        ):
            refused = self.assertRaises(TypeError, parse, MemoryReactorClock(), "tlscomm:nonsense=1")
            names = sorted(setting.name for setting in settingsOn(interface))
            self.assertIn(f"it has {', '.join(names)}. ", str(refused))

    def test_default(self) -> None:
        """What is not said has the default of the table."""
        options = Options()
        options.parseOptions([])
        for setting in settingsOn(Interface.TWISTD):
            if setting.isFlag:
                self.assertFalse(options[setting.option])
                self.assertEqual(options.settings[setting.name], setting.default)
            else:
                expected = list(setting.default or ()) if setting.isRepeatable else setting.default
                self.assertEqual(options[setting.option], expected, setting.name)
        for interface in LINES:
            self.assertEqual(self.settingsOf(interface), defaultsOn(interface))

    def test_flags(self) -> None:
        """The mere name of a flag says the opposite of the default."""
        for setting, interface in everywhere():
            if setting.isFlag and interface in LINES:
                said = self.settingsOf(interface, f"--{setting.option}")
                self.assertEqual(said, defaultsOn(interface) | {setting.name: not setting.default})

    def settingsOf(self, interface: Interface, *words: str) -> dict[str, Any]:
        """Return what a command is given for these words."""
        given: list[dict[str, Any]] = []

        @click.command()
        @settingOptions(interface)
        def command(settings: dict[str, Any]) -> None:
            given.append(settings)

        command.main([*words], standalone_mode=False)
        return given[0]

    def test_help(self) -> None:
        """The help of each interface says what the table says."""

        def bare(text: str) -> str:
            return "".join(text.split())

        texts = {interface: commandOf(interface).get_help(click.Context(program)) for interface in LINES}
        texts[Interface.TWISTD] = str(Options())
        for setting, interface in everywhere():
            self.assertRegex(setting.explained(interface), r"^[`A-Z].*\.$")
            if interface in texts:
                sentence = setting.helpText(interface)
                self.assertIn(bare(sentence), bare(texts[interface]))
                self.assertNotIn("`", sentence)

    def test_isDocumented(self) -> None:
        """A page has the table that is made from the settings, or names the option in what it says."""
        for setting, interface in everywhere():
            name, line = PAGES.get(interface, ("tools", f"--{setting.option}"))
            self.assertIn(line, (DOCS / f"{name}.rst").read_text(encoding="utf-8"))

    def test_references(self) -> None:
        """A sentence names no setting that its interface does not have."""
        for setting, interface in everywhere():
            here = {each.name for each in settingsOn(interface)} | {"peer"}
            for text in (setting.about, setting.otherwise):
                self.assertEqual({name for _, name, _, _ in string.Formatter().parse(text) if name} - here, set())

    def test_refusal(self) -> None:
        """A wrong value is refused in the same sentence everywhere, but for how the setting is spelled."""
        # A word may be one of others on a client than on a server.
        said: dict[tuple[str, str], set[str]] = {}
        for setting, interface in everywhere():
            isSaid = type(setting.type) in WRONG and (interface in STRINGS or not setting.isFlag)
            if isSaid:
                sentence = refusal(setting, interface, WRONG[type(setting.type)])
                self.assertTrue(sentence.startswith(setting.spelled(interface)), sentence)
                words = str(getattr(setting.type, "choices", ""))
                said.setdefault((setting.name, words), set()).add(sentence.removeprefix(setting.spelled(interface)))
        self.assertEqual({name: sentences for name, sentences in said.items() if len(sentences) != 1}, {})
        self.assertEqual(said["profile", "('compatible', 'strict')"], {" is one of compatible, strict, not 'lax'"})
        # Of command lines alone, a flag has no value.
        self.assertEqual(
            {type(each.type) for each in SETTINGS if each.name not in {name for name, _ in said}}, {Text, YesNo}
        )

    def test_formerNames(self) -> None:
        """What was spelled otherwise before is still understood, and not shown."""
        self.assertEqual(formerNamesOn(Interface.TWISTD)["--no-judging-again"], "--no-revalidation")
        options = Options()
        options.parseOptions(["--no-judging-again"])
        self.assertFalse(options.settings["revalidation"])
        for former in formerNamesOn(Interface.TWISTD):
            self.assertNotIn(former, str(options))


class ValueTests(SynchronousTestCase):
    """What a value may be, as a text and as what a configuration file has for it."""

    def assertRefused(self, kind: Any, *values: object, says: str) -> None:
        for value in values:
            refused = self.assertRaises(ValueError, kind.parse, value, "it")
            self.assertEqual(str(refused), f"{says}, not {value!r}")

    def test_text(self) -> None:
        self.assertEqual(Text().parse("a,b", "it"), "a,b")
        self.assertRefused(Text(), 5, True, None, says="it is a text")

    def test_word(self) -> None:
        self.assertEqual(Word(("a", "b")).parse("b", "it"), "b")
        self.assertRefused(Word(("a", "b")), "c", "", 5, None, says="it is one of a, b")

    def test_yesNo(self) -> None:
        self.assertEqual(
            [YesNo().parse(value, "it") for value in ("yes", True, "no", False)], [True, True, False, False]
        )
        self.assertRefused(YesNo(), "maybe", "Yes", 1, None, says="it is yes or no")

    def test_seconds(self) -> None:
        """0 is no limit."""
        self.assertEqual([Seconds().parse(value, "it") for value in ("1.5", 2, 0, "0")], [1.5, 2.0, None, None])
        wrong = ("soon", "", "-1", "nan", "inf", "1e9", -1, True, None, [])
        self.assertRefused(Seconds(), *wrong, says="it is a number of seconds, or 0 for none")

    def test_rate(self) -> None:
        self.assertEqual([Rate().parse(value, "it") for value in ("0.5", 2, "100")], [0.5, 2.0, 100.0])
        wrong = ("often", "", "0", "-1", "nan", "inf", 0, True, None, [])
        self.assertRefused(Rate(), *wrong, says="it is a number of 0.001 or more a second")

    def test_prefixLengths(self) -> None:
        self.assertEqual([PrefixLengths().parse(text, "it") for text in ("32,64", "1,128")], [(32, 64), (1, 128)])
        wrong = ("24", "", "24,", "0,64", "33,64", "24,129", "24,56,8", "-1,64", "a,b", "/24,/56", 24, None, [24, 56])
        self.assertRefused(PrefixLengths(), *wrong, says="it is two numbers of bits, of IPv4 and of IPv6, as 24,56")

    def test_whole(self) -> None:
        self.assertEqual([Whole().parse(value, "it") for value in ("7", 7)], [7, 7])
        wrong = ("0", "-1", "1.5", "１", "many", "", 0, 1.0, True, None)
        self.assertRefused(Whole(), *wrong, says="it is a whole number of 1 or more")
        self.assertRefused(Whole(), 1 << 31, str(1 << 31), says=f"it is a whole number from 1 to {(1 << 31) - 1}")
        self.assertRefused(Whole(0, 65535), "65536", "9" * 5000, says="it is a whole number from 0 to 65535")

    def test_rulesAndPins(self) -> None:
        """Their sentence says what is wrong with them."""
        for kind, begins in ((AccessRuleText(), "it: '1' is no access rule"), (PinText(), "it: '1' is no pin: ")):
            refused = self.assertRaises(ValueError, kind.parse, "1", "it")
            self.assertTrue(str(refused).startswith(begins), str(refused))
            self.assertRaises(ValueError, kind.parse, 1, "it")


class TableTests(SynchronousTestCase):
    """The table says what the rest of the program knows."""

    def test_words(self) -> None:
        """A word that an interface takes is one that there is, and each that there is can be said."""
        choices = {each.name: set(each.type.choices) for each in SETTINGS if isinstance(each.type, Word)}
        versions = set(get_args(Version))
        self.assertEqual(
            choices,
            {
                "clientCertificates": set(get_args(ClientCertificates)),
                "framing": set(FRAMINGS),
                "logFormat": set(LOG_FORMATS),
                "minimumTLS": versions,
                "maximumTLS": versions,
                "profile": set(PROFILES),
                "proxyProtocol": {"v1", "v2", "any"},
                "revocation": set(MODES),
                "upgrade": {"postgresql"},
                "sendProxy": set(WORDS),
                "sendProxyOptions": set(OPTIONS),
            },
        )

    def test_deadlines(self) -> None:
        """Deadlines are by default those that there are in Python; for writing, where nothing is forwarded."""
        for name in ("handshake", "hook", "close"):
            self.assertEqual(defaultsOn(Interface.TWISTD)[f"{name}Timeout"], getattr(Deadlines(), name))
        self.assertEqual(defaultsOn(Interface.SERVER_STRING)["writeTimeout"], Deadlines().write)

    def test_names(self) -> None:
        """Each setting is there once."""
        names = [setting.name for setting in SETTINGS]
        self.assertEqual(len(names), len(set(names)))


class ImportTests(SynchronousTestCase):
    """What it costs to look at the table."""

    def test_cheap(self) -> None:
        """The table loads nothing of Twisted; the options of ``twistd tlscomm`` neither OpenSSL nor a reactor."""
        heavy = ["OpenSSL", "cryptography", "twisted.internet.reactor"]
        for module, unwanted in (("tlscomm.configuration._settings", ["twisted", *heavy]), ("tlscomm.server", heavy)):
            program = f"import sys, {module}; print([name for name in {unwanted} if name in sys.modules])"
            done = subprocess.run(
                (sys.executable, "-c", program), capture_output=True, text=True, check=True, timeout=60
            )
            self.assertEqual(done.stdout, "[]\n")
