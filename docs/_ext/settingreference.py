"""``settings-reference``: every setting with an anchor, and with each way to say it.

It is made from the table that the options, the endpoint strings and the commands are made from. ``setting-NAME`` is the
label of each entry.
"""

from collections.abc import Iterator
from inspect import signature
from typing import Any

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.configuration._connectionsettings import CONNECTIONS
from tlscomm.configuration._credentialsettings import CREDENTIALS
from tlscomm.configuration._limitsettings import LIMITS
from tlscomm.configuration._observationsettings import OBSERVATION
from tlscomm.configuration._operationsettings import OPERATION
from tlscomm.configuration._placesettings import PLACES
from tlscomm.configuration._settingtypes import SERVERS, STRINGS, Interface, Setting
from tlscomm.configuration._verificationsettings import VERIFICATION
from tlscomm.limits import Limits
from tlscomm.tracing import Tracing

_GROUPS = {
    "Where a server listens": PLACES,
    "What we present": CREDENTIALS,
    "What a peer has to be": VERIFICATION,
    "Connections": CONNECTIONS,
    "Limits": LIMITS,
    "What is seen of connections": OBSERVATION,
    "Operation": OPERATION,
}

#: Classes whose arguments are called as settings are, the most special last.
_CLASSES = (ServerConfiguration, ClientConfiguration, Limits, Tracing)

#: What is called otherwise in Python, and where.
_IN_PYTHON = {
    "identity": "``credential=`` of `ServerConfiguration` and `ClientConfiguration`, from `loadCredential`",
    "key": "``key`` of `loadCredential`",
    "crl": "``revocation=Revocation(…)`` of `ServerConfiguration` and `ClientConfiguration`",
    "pin": "``pins=`` of `ServerConfiguration` and `ClientConfiguration`",
    "allow": "``access=AccessRules.parse(allow=[…])`` of `ServerConfiguration` and `ClientConfiguration`",
    "deny": "``access=AccessRules.parse(deny=[…])`` of `ServerConfiguration` and `ClientConfiguration`",
    "connectionLifetime": "``lifetime=`` of `Deadlines`",
    "framing": "``framing=`` of `MessageFactory`",
    "maximumMessage": "``maximumMessage=`` of `MessageFactory`",
    "readTimeout": "``readTimeout=`` of `MessageFactory`",
    "timeout": "``timeout=`` of `TLSClientEndpoint.toHost`",
    "interface": "``interface=`` of `TLSServerEndpoint.onPort`",
    "maximumConnections": "``maximumConnections=`` of `TLSServerEndpoint.onPort`",
}


class SettingsReference(SphinxDirective):
    """Writes a section for each setting, by what it is about."""

    def run(self) -> list[Node]:
        return self.parse_text_to_nodes("\n".join(_lines()), allow_section_headings=True)


def _lines() -> Iterator[str]:
    for title, settings in _GROUPS.items():
        yield from (title, "-" * len(title), "")
        for setting in settings:
            yield from _entry(setting)


def _entry(setting: Setting) -> Iterator[str]:
    yield from (f".. _setting-{setting.name}:", "", setting.name, "~" * len(setting.name), "")
    yield from _explanations(setting)
    yield from _spellings(setting)
    yield ""


def _explanations(setting: Setting) -> Iterator[str]:
    """Say what it does: once, and again where it does something else."""
    told: list[str] = []
    for interface in _each(setting.interfaces):
        there = setting.on(interface)
        if there.about not in told:
            where = f"{_placeOf(interface)}: " if told else ""
            see = f" See {there.see}." if there.see and not told else ""
            yield from (f"{where}{there.explained(interface)}{see}", "")
            told.append(there.about)


def _spellings(setting: Setting) -> Iterator[str]:
    isOfTwistd = Interface.TWISTD in setting.interfaces
    if isOfTwistd:
        yield f":twistd tlscomm: {_option(setting.on(Interface.TWISTD))}"
    if strings := setting.interfaces & STRINGS:
        there = setting.on(strings)
        separated = {";": ", several separated by semicolons", ",": ", several separated by commas", None: ""}
        sides = " and ".join("server" if each in SERVERS else "client" for each in _each(strings))
        yield f":endpoint string: ``{setting.name}={there.type.metavar}``, {sides}{separated[there.separator]}"
    if isOfTwistd and setting.name != "configuration":
        level = "of the process" if setting.isProcessWide else "of a listener"
        yield f":file: ``{setting.name} = …``, {level}"
    if commands := [_placeOf(each) for each in _each(setting.interfaces) if each not in STRINGS | Interface.TWISTD]:
        yield f":tlscomm: {_option(setting.on(_lastOf(setting.interfaces)))} of {', '.join(commands)}"
    if inPython := _IN_PYTHON.get(setting.name) or _argumentOf(setting.name):
        yield f":Python: {inPython}"
    if default := setting.without(setting.on(Interface.TWISTD).interfaces & ~STRINGS or setting.interfaces):
        yield f":default: {default}"
    if setting.formerly:
        yield f":formerly: {', '.join(f'``{each}``' for each in setting.formerly)}"


def _each(interfaces: Interface) -> list[Interface]:
    return [each for each in Interface if each in interfaces]


def _lastOf(interfaces: Interface) -> Interface:
    """Return one interface that is a command's."""
    return [each for each in _each(interfaces) if each not in STRINGS | Interface.TWISTD][-1]


def _option(setting: Setting) -> str:
    value = "" if setting.isFlag else f" {setting.type.metavar}"
    return f"``--{setting.option}{value}``{', may be given several times' if setting.isRepeatable else ''}"


def _placeOf(interface: Interface) -> str:
    if interface is Interface.TWISTD:
        return "``twistd tlscomm``"
    if interface in STRINGS:
        return f"endpoint string of a {'server' if interface in SERVERS else 'client'}"
    return f"``{(interface.name or '').lower().replace('_', ' ')}``"


def _argumentOf(name: str) -> str:
    """Return where Python has an argument of that name, or a deadline."""
    deadline = name.removesuffix("Timeout") if name != "timeout" else name
    if deadline != name and deadline in _argumentsOf(Deadlines):
        return f"``{deadline}=`` of `Deadlines`"
    return " and ".join(f"``{name}=`` of `{each.__name__}`" for each in _CLASSES if name in _argumentsOf(each))


def _argumentsOf(what: Any) -> set[str]:
    return set(signature(what).parameters)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("settings-reference", SettingsReference)
    return {"parallel_read_safe": True}
