"""The explanations of a command's options, in groups, and which group an option is in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import click

from tlscomm.configuration._settings import SETTING_GROUPS

__all__ = ["GroupOfCommands", "GroupedCommand", "GroupedOption", "formatCommands", "optionGroups"]

_OUTPUT = "Output"
_OTHERS = "Options"

#: More than any sentence has.
_WHOLE = 1000


class GroupedOption(click.Option):
    """An option that is explained in a group.

    Attributes:
        group: the heading of the group.
    """

    def __init__(self, *arguments: Any, group: str = _OUTPUT, **settings: Any) -> None:
        """
        Args:
            arguments: as with `click.Option`.
            group: the heading of the group.
            settings: as with `click.Option`.
        """
        super().__init__(*arguments, **settings)
        self.group = group


class GroupedCommand(click.Command):
    """A command that explains its own options first, then the settings, groups of its own, and then how it speaks."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for name, records in optionGroups(self, ctx).items():
            with formatter.section(name):
                formatter.write_dl(records)


def optionGroups(command: click.Command, context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """Return how a command's options are written and what they do, under the headings of their groups."""
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in (_OTHERS, *SETTING_GROUPS)}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            groups.setdefault(_groupOf(parameter), []).append(record)
    output = groups.pop(_OUTPUT, [])
    return {name: records for name, records in (*groups.items(), (_OUTPUT, output)) if records}


@cache
def _settingGroups() -> dict[str, str]:
    return {setting.name: name for name, settings in SETTING_GROUPS.items() for setting in settings}


def _groupOf(parameter: click.Parameter) -> str:
    if isinstance(parameter, GroupedOption):
        return parameter.group
    if "--help" in parameter.opts:
        return _OUTPUT
    return _settingGroups().get(parameter.name or "", _OTHERS)


class GroupOfCommands(click.Group):
    """Commands that explain themselves so, each named with its whole first sentence."""

    command_class = GroupedCommand

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        formatCommands(formatter, {name: each.get_short_help_str(_WHOLE) for name, each in commands if each})


def formatCommands(formatter: click.HelpFormatter, summaries: Mapping[str, str]) -> None:
    """Write what commands there are, and a sentence of each, as long as it is."""
    with formatter.section("Commands"):
        formatter.write_dl(list(summaries.items()))
