"""Pass phrases for the commands that read and write credentials: out of a file, the environment, or a person's head."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any, TypeVar, cast

import click

from tlscomm.commandline._printing import isTerminal

__all__ = ["Places", "newPassphrase", "passphraseOptions", "passphraseTo", "personalPrompt"]

F = TypeVar("F", bound=Callable[..., object])

Prompt = Callable[[str], "bytes | None"]


@dataclass(frozen=True)
class Places:
    """Where the options say that pass phrases are."""

    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()


def passphraseOptions(does: str, *, areSeveral: bool = True) -> Callable[[F], F]:
    """Return a decorator that gives a command ``--passphrase-file``, ``--passphrase-env`` and ``--passphrase-fd``.

    The command gets all of them as one argument ``places``.

    Args:
        does: what the pass phrase does, for the help.
        areSeveral: whether there may be several.
    """
    more = "; repeatable." if areSeveral else "."

    def decorate(function: F) -> F:
        @wraps(function)
        def gathered(**words: Any) -> object:
            names = (words.pop(f"passphrase{place}") for place in ("File", "Env", "FD"))
            return function(places=Places(*map(tuple, names)), **words)

        options = (
            click.option(
                "--passphrase-file",
                "passphraseFile",
                multiple=True,
                metavar="FILE",
                help=f"Its first line {does}{more}",
            ),
            click.option(
                "--passphrase-env", "passphraseEnv", multiple=True, metavar="VAR", help=f"The variable that does{more}"
            ),
            click.option(
                "--passphrase-fd",
                "passphraseFD",
                multiple=True,
                type=click.IntRange(0),
                metavar="N",
                help=f"The number of an open file whose first line does{more}",
            ),
        )
        return cast(F, reduce(lambda decorated, option: option(decorated), reversed(options), gathered))

    return decorate


def passphraseTo(places: Places) -> Prompt | None:
    """Return what answers with the pass phrase that the options name, or asks a person; None where there is neither."""
    from tlscomm._reading.passphrasesources import anyPassphrase

    return anyPassphrase(places.files, places.variables, places.descriptors, personalPrompt())


def personalPrompt() -> Prompt | None:
    """Return what asks the person at the terminal; None where there is none."""
    return _ask if isTerminal(sys.stdin) else None


def newPassphrase(places: Places, name: str) -> bytes:
    """Return the pass phrase for something that is written; empty where there is to be none."""
    from tlscomm._reading.passphrasesources import anyPassphrase

    if len((*places.files, *places.variables, *places.descriptors)) > 1:
        raise click.UsageError("a new pass phrase comes from one place: --passphrase-file, -env or -fd, once")
    if (given := anyPassphrase(places.files, places.variables, places.descriptors)) is not None:
        return given(name) or b""
    if not isTerminal(sys.stdin):
        return b""
    first = getpass.getpass(f"New pass phrase for {name} (empty for none): ")
    if first and getpass.getpass("Once more: ") != first:
        raise click.ClickException("the two pass phrases differ; nothing was written")
    return os.fsencode(first)


def _ask(source: str) -> bytes | None:
    try:
        return os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
    except EOFError:
        return None
