"""``tlscomm help``: the explanation of a command, as ``--help`` gives it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tlscomm.commandline._groupedhelp import GroupedCommand

__all__ = ["command"]


@click.command("help", cls=GroupedCommand)
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def command(context: click.Context, names: Sequence[str]) -> None:
    """Explain COMMAND, or tlscomm as a whole."""
    asked = context.find_root()
    for name in names:
        if not isinstance(asked.command, click.Group):
            raise click.UsageError(f"{asked.command_path} has no commands", asked)
        _, found, _ = asked.command.resolve_command(asked, [name])
        assert found is not None
        asked = click.Context(found, asked, info_name=name)
    click.echo(asked.get_help())
