"""The command with all that it can be told first."""

from __future__ import annotations

import click

from tlscomm import __version__
from tlscomm.commandline._commands import LazyGroup
from tlscomm.commandline._groupedhelp import GroupedOption

__all__ = ["program"]

_STATUSES = """\b
Exit status:
  0    all went well
  1    something failed, and has a name
  2    wrong usage
  3    tunnel: a stop cut connections
  130  Ctrl-C; for another signal 128 and its number
"""


@click.group(
    cls=LazyGroup,
    name="tlscomm",
    invoke_without_command=True,
    no_args_is_help=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_STATUSES,
)
@click.option("--version", is_flag=True, cls=GroupedOption, help="Say which version this is.")
@click.option(
    "-v",
    "--verbose",
    count=True,
    cls=GroupedOption,
    help="With --version: name what it runs on, too.",
)
@click.pass_context
def program(context: click.Context, *, version: bool, verbose: int) -> None:
    """Mutual TLS that says what went wrong, and whose turn it is to act."""
    if version:
        click.echo(f"tlscomm, version {__version__}")
        if verbose:
            from tlscomm.commandline._versions import sayVersions

            sayVersions()
        context.exit()
    if context.invoked_subcommand is None:
        raise click.UsageError("Missing command.", context)
