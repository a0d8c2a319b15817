"""Pass phrases for the commands that read and write credentials: out of a file, the environment, or a person's head."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from tlscomm.commandline._printing import isTerminal

__all__ = ["askedTwice", "newPassphrase", "passphraseTo", "personalPrompt"]

Prompt = Callable[[str], "bytes | None"]

_PLACES = ("passphraseFile", "passphraseEnv", "passphraseFD")


def passphraseTo(settings: Mapping[str, Any]) -> Prompt | None:
    """Return what answers with the pass phrase that the options name, or asks a person; None where there is neither."""
    from tlscomm.credentials._passphrasesources import anyPassphrase

    files, variables, descriptors = (settings[name] for name in _PLACES)
    return anyPassphrase(files, variables, descriptors, personalPrompt())


def personalPrompt() -> Prompt | None:
    """Return what asks the person at the terminal; None where there is none."""
    return _ask if isTerminal(sys.stdin) else None


def newPassphrase(settings: Mapping[str, Any], name: str) -> bytes:
    """Return the pass phrase for something that is written; empty where there is to be none."""
    from tlscomm.credentials._passphrasesources import anyPassphrase

    files, variables, descriptors = ([settings[place]] if place in settings else [] for place in _PLACES)
    if len((*files, *variables, *descriptors)) > 1:
        raise click.UsageError("a new pass phrase comes from one place: --passphrase-file, -env or -fd, once")
    if (given := anyPassphrase(files, variables, descriptors)) is not None:
        return given(name) or b""
    if not isTerminal(sys.stdin):
        return b""
    return askedTwice(f"New pass phrase for {name} (empty for none): ")


def askedTwice(question: str) -> bytes:
    """Ask the person at the terminal for a new pass phrase, without showing it; empty where there is to be none."""
    first = getpass.getpass(question)
    if first and getpass.getpass("Once more: ") != first:
        raise click.ClickException("the two pass phrases differ; nothing was written")
    return os.fsencode(first)


def _ask(source: str) -> bytes | None:
    try:
        return os.fsencode(getpass.getpass(f"Pass phrase for {source}: "))
    except EOFError:
        return None
