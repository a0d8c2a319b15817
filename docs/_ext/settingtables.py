"""The tables of settings, made from the table that the options and the endpoint strings are made from.

``settings-table`` takes ``twistd``, ``connect``, ``tunnel``, ``analyze``, ``strings`` or ``file``.
"""

from collections.abc import Collection, Iterator

from click import Command, Option
from docutils.nodes import Node
from failurepages import plain, tableOf
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tlscomm.commandline import analyze, connect, probe, tunnel
from tlscomm.configuration._settings import settingsOn
from tlscomm.configuration._settingtypes import STRINGS, Interface, Rate, Seconds, Setting, Whole, Word


class SettingsTable(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[Node]:
        return self.parse_text_to_nodes("\n".join(_TABLES[self.arguments[0]]()))


def _optionTable(interface: Interface, *others: list[str], only: Collection[str] | None = None) -> Iterator[str]:
    cells = [
        [_optionName(setting), setting.without(interface) or _none(setting), _meaning(setting, interface)]
        for setting in settingsOn(interface)
        if only is None or setting.name in only
    ]
    return tableOf(["option", "default", "meaning"], [*cells, *others], "27 15 58")


def _twistd() -> Iterator[str]:
    return _optionTable(Interface.TWISTD)


def _commandTable(command: Command, interface: Interface, only: Collection[str] | None = None) -> Iterator[str]:
    ofSettings = {setting.name for setting in settingsOn(interface)}
    own = [each for each in command.params if isinstance(each, Option) and each.name not in ofSettings]
    cells = [
        [f"``{_withValue(each)}``{_repeated(each)}", "off" if each.is_flag else "none", plain(each.help or "")]
        for each in own
    ]
    return _optionTable(interface, *cells, only=only)


def _connect() -> Iterator[str]:
    return _commandTable(connect.command, Interface.CONNECT)


def _probe() -> Iterator[str]:
    return _commandTable(probe.command, Interface.CONNECT, only=probe.SETTINGS)


def _tunnel() -> Iterator[str]:
    return _commandTable(tunnel.command, Interface.TUNNEL)


def _analyze() -> Iterator[str]:
    return _commandTable(analyze.command, Interface.ANALYZE)


def _strings() -> Iterator[str]:
    cells = [
        [f"``{setting.name}=``", _sidesOf(setting), setting.without(shown) or "none", _meaning(setting, shown)]
        for setting in settingsOn(STRINGS)
        if (shown := setting.interfaces & STRINGS)
    ]
    return tableOf(["argument", "of", "default", "meaning"], cells, "25 10 20 45")


def _file() -> Iterator[str]:
    cells = [
        [
            f"``{setting.name}``, ``--{setting.option}``",
            _valueInFile(setting),
            "process" if setting.isProcessWide else "listener",
            setting.without(Interface.TWISTD) or _valueOfFlag(setting),
        ]
        for setting in settingsOn(Interface.TWISTD)
        if setting.name != "configuration"
    ]
    return tableOf(["setting and option", "value", "level", "default"], cells, "34 26 10 30")


def _valueInFile(setting: Setting) -> str:
    if setting.isFlag:
        return "true or false"
    kinds = {Whole: "a whole number", Seconds: "a number of seconds", Rate: "a number"}
    kind = kinds.get(type(setting.type))
    if kind is None and isinstance(setting.type, Word):
        kind = " or ".join(f'``"{choice}"``' for choice in setting.type.choices)
    kind = kind or f"a text: {setting.type.metavar}"
    return f"{kind}, or a list" if setting.isRepeatable else kind


def _valueOfFlag(setting: Setting) -> str:
    return f"``{str(bool(setting.default)).lower()}``" if setting.isFlag else "none"


_TABLES = {
    "twistd": _twistd,
    "connect": _connect,
    "probe": _probe,
    "tunnel": _tunnel,
    "analyze": _analyze,
    "strings": _strings,
    "file": _file,
}


def _optionName(setting: Setting) -> str:
    if setting.isFlag:
        return f"``--{setting.option}``"
    return f"``--{setting.option} {setting.type.metavar}``{' +' if setting.isRepeatable else ''}"


def _withValue(option: Option) -> str:
    return option.opts[0] if option.is_flag else f"{option.opts[0]} {option.metavar}"


def _repeated(option: Option) -> str:
    return " +" if option.multiple else ""


def _sidesOf(setting: Setting) -> str:
    if STRINGS in setting.interfaces:
        return "both"
    return "server" if Interface.SERVER_STRING in setting.interfaces else "client"


def _meaning(setting: Setting, interface: Interface) -> str:
    text = setting.explained(interface)
    separated = {";": "semicolons", ",": "commas"}
    if interface in STRINGS and setting.separator is not None:
        text += f" Several are separated by {separated[setting.separator]}."
    return f"{text} See {setting.see}." if setting.see else text


def _none(setting: Setting) -> str:
    return "off" if setting.isFlag else "none"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True}
