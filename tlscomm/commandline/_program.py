"""The command with all that it can be told first."""

from __future__ import annotations

import click

from tlscomm import __version__
from tlscomm.commandline._commands import LazyGroup

__all__ = ["program"]


@click.group(cls=LazyGroup, name="tlscomm", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tlscomm")
def program() -> None:
    """Mutual TLS that says what went wrong, and whose turn it is to act."""
