"""Pass phrases for the commands that read and write credentials: out of a file, the environment, or a person's head."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from typing import TypeVar

import click

from tlscomm.commandline._printing import isTerminal

__all__ = ["newPassphrase", "passphraseOptions", "passphraseTo", "unlocked"]

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

Prompt = Callable[[str], "bytes | None"]


def passphraseOptions(does: str) -> Callable[[F], F]:
    """Return a decorator that gives a command ``--passphrase-file`` and ``--passphrase-env``.

    Args:
        does: what the pass phrase does, for the help.
    """

    def decorate(function: F) -> F:
        variable = click.option("--passphrase-env", "passphraseEnv", metavar="VAR", help="The variable that does.")
        return click.option("--passphrase-file", "passphraseFile", metavar="FILE", help=f"Its first line {does}.")(
            variable(function)
        )

    return decorate


def unlocked(load: Callable[[Prompt | None], T], file: str | None, variable: str | None) -> T:
    """Load something with the pass phrase that the options name, or with a person's, who may mistype it twice.

    Args:
        load: is called with what answers with the pass phrase.
        file: that of ``--passphrase-file``.
        variable: that of ``--passphrase-env``.
    """
    return load(passphraseTo(file, variable))


def passphraseTo(file: str | None, variable: str | None) -> Prompt | None:
    """Return what answers with the pass phrase that the options name, or asks a person; None where there is neither."""
    return _named(file, variable, _ask if isTerminal(sys.stdin) else None)


def newPassphrase(file: str | None, variable: str | None, name: str) -> bytes:
    """Return the pass phrase for something that is written; empty where there is to be none."""
    if (given := _named(file, variable)) is not None:
        return given(name) or b""
    if not isTerminal(sys.stdin):
        return b""
    first = getpass.getpass(f"New pass phrase for {name} (empty for none): ")
    if first and getpass.getpass("Once more: ") != first:
        raise click.ClickException("the two pass phrases differ; nothing was written")
    return os.fsencode(first)


def _named(file: str | None, variable: str | None, prompt: Prompt | None = None) -> Prompt | None:
    from tlscomm._passphrasesource import passphraseSource

    if file is not None and variable is not None:
        raise click.UsageError("--passphrase-file and --passphrase-env exclude each other")
    return passphraseSource(file, variable, prompt)


def _ask(source: str) -> bytes | None:
    try:
        return os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
    except EOFError:
        return None
