"""Writes the pages of the manual: one for each command, made from what the commands and the settings say of themselves.

The pages lie in man/, so that a wheel can bring them; a test says when they are no longer what this program writes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

import tlscomm
from tlscomm.commandline import program
from tlscomm.commandline._groupedhelp import optionGroups
from tlscomm.configuration._settings import SETTING_GROUPS
from tlscomm.configuration._settingtypes import Interface

FOLDER = Path(__file__).parent.parent / "man"

STATUSES = (
    ("0", "All went well."),
    ("1", "Something failed; its name and the next step are on standard error, or in the JSON object."),
    ("2", "Wrong usage."),
    ("3", "tlscomm tunnel alone: a stop cut connections."),
    ("130, 143", "Ctrl-C or SIGTERM: 128 and the number of the signal."),
)

ENVIRONMENT = (
    ("NO_COLOR", "No colours, whatever it is."),
    ("TERM", "With dumb, no colours."),
    ("COLUMNS", "How wide a terminal is taken to be."),
    ("TLSCOMM_STORE", "The folder of the stores of CurrentUser."),
    ("TLSCOMM_MACHINE_STORE", "The folder of the stores of LocalMachine."),
    ("TLSCOMM_PROXY_PASSWORD", "The pass word for the proxy of --proxy."),
)


def pages() -> dict[str, str]:
    """Return the pages, by the names of their files."""
    found = {"tlscomm.1": _page("tlscomm", program, _commandsOf(program))}
    for name, command in _allCommands(program):
        more = _commandsOf(command) if isinstance(command, click.Group) else ()
        found[f"tlscomm-{name}.1"] = _page(f"tlscomm {name.replace('-', ' ')}", command, more)
    found["twistd-tlscomm.1"] = "".join(_serverPage())
    return found


def _allCommands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from _allCommands(command, f"{prefix}{name}-")


def _commandsOf(group: click.Group) -> list[tuple[str, str]]:
    context = click.Context(group)
    commands = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, command.get_short_help_str(1000)) for name, command in commands if command is not None]


def _page(name: str, command: click.Command, commands: object) -> str:
    return "".join(_lines(name, command, list(commands)))  # type: ignore[call-overload]


def _lines(name: str, command: click.Command, commands: list[tuple[str, str]]) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    paragraphs = _paragraphs(command.help or "")
    yield _title(name.replace(" ", "-"), "1")
    yield f".SH NAME\n{_roff(name.replace(' ', '-'))} \\- {_roff(_sentence(paragraphs[0]))}\n"
    yield f".SH SYNOPSIS\n.B {_roff(name)}\n{_roff(' '.join(command.collect_usage_pieces(context)))}\n"
    yield ".SH DESCRIPTION\n" + ".PP\n".join(f"{_roff(each)}\n" for each in paragraphs)
    if commands:
        yield _section("COMMANDS", commands)
    for group, records in optionGroups(command, context).items():
        # A command keeps its --help as it was when it was first asked for, by whatever name.
        spelled = [("-h, --help" if term == "--help" else term, meaning) for term, meaning in records]
        yield _section("OPTIONS" if group == "Options" else group.upper(), spelled)
    yield _section("EXIT STATUS", STATUSES)
    yield _section("ENVIRONMENT", ENVIRONMENT)
    if name != "tlscomm":
        yield ".SH SEE ALSO\n.BR tlscomm (1)\n"


def _serverPage() -> Iterator[str]:
    yield _title("twistd-tlscomm", "1")
    yield ".SH NAME\ntwistd\\-tlscomm \\- serve over TLS with client certificates\n"
    yield ".SH SYNOPSIS\n.B twistd\n[twistd options]\n.B tlscomm\n[options]\n"
    yield (
        ".SH DESCRIPTION\nWithout options it listens on 127.0.0.1:8443 with a development identity that it makes "
        "itself, demands client certificates, and echoes each message.\n"
        ".B tlscomm check\nsays of the same options whether a server could start with them.\n"
    )
    for group, settings in SETTING_GROUPS.items():
        here = [each.on(Interface.TWISTD) for each in settings if Interface.TWISTD in each.interfaces]
        records = [(_spelled(each), each.helpText(Interface.TWISTD)) for each in here]
        if records:
            yield _section(group.upper(), records)
    yield ".SH SEE ALSO\n.BR tlscomm (1),\n.BR tlscomm\\-check (1),\n.BR twistd (1)\n"


def _spelled(setting: object) -> str:
    option: str = f"--{setting.option}"  # type: ignore[attr-defined]
    return option if setting.isFlag else f"{option} {setting.type.metavar}"  # type: ignore[attr-defined]


def _title(name: str, section: str) -> str:
    # Without a date: the same tables give the same page.
    return f'.TH "{_roff(name.upper())}" "{section}" "" "tlscomm {tlscomm.__version__}" "tlscomm"\n'


def _section(title: str, records: object) -> str:
    entries = "".join(f".TP\n.B {_roff(term)}\n{_roff(meaning)}\n" for term, meaning in records)  # type: ignore[attr-defined]
    return f".SH {_roff(title)}\n{entries}"


def _paragraphs(text: str) -> list[str]:
    return [" ".join(each.replace("\b", "").split()) for each in re.split(r"\n\s*\n", inspect.cleandoc(text))]


def _sentence(text: str) -> str:
    first = re.split(r"(?<=[.:])\s", text)[0].rstrip(".:")
    return first[:1].lower() + first[1:]


def _roff(text: str) -> str:
    """Return text as roff takes it for text: no line of it is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("→", "->")
    lines = (line.strip() for line in escaped.splitlines())
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in lines if line)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for old in FOLDER.glob("*.1"):
        if old.name not in written:
            old.unlink()
    for name, page in written.items():
        (FOLDER / name).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
