"""How much a command says: less with ``--quiet``, more with ``--verbose``.

What was asked for, and the failures, are said always. ``--quiet`` leaves out what is said about them on standard error:
facts, notes, warnings and hints. ``--verbose`` adds what a command has more of, as each explains.
"""

from __future__ import annotations

import click

__all__ = ["QUIET", "VERBOSE", "setVerbosity", "verbosity"]

QUIET, VERBOSE = -1, 1

_KEY = "tlscomm.verbosity"


def verbosity() -> int:
    """Return `QUIET`, 0, or how often ``--verbose`` was given."""
    context = click.get_current_context(silent=True)
    return 0 if context is None else int(context.meta.get(_KEY, 0))


def setVerbosity(verbose: int, *, quiet: bool) -> None:
    """Have a command say less or more.

    Raises:
        click.UsageError: it is to say both.
    """
    if verbose and quiet:
        raise click.UsageError("--quiet and --verbose exclude each other")
    click.get_current_context().meta[_KEY] = QUIET if quiet else verbose
