"""What a shell is told that the rest of a word may be.

It is asked each time that a person presses a key, so nothing is loaded for it that is not there anyway.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

__all__ = ["completeCodes", "completeFiles", "completeSources", "completionsOf"]

_FILES = frozenset({"FILE", "FOLDER", "SOURCE"})

_LOCATIONS = ("CurrentUser", "LocalMachine")
_STORES = ("My", "Root", "CA", "TrustedPeople", "Disallowed")


def completeFiles(_context: click.Context, _parameter: click.Parameter, word: str) -> list[CompletionItem]:
    """The shell knows the files."""
    return [CompletionItem(word, type="file")]


def completeSources(context: click.Context, parameter: click.Parameter, word: str) -> list[CompletionItem]:
    """A file, or a store of certificates."""
    stores = [f"store:{location}/{name}" for location in _LOCATIONS for name in _STORES]
    found = [CompletionItem(store) for store in stores if word and store.startswith(word)]
    return found or completeFiles(context, parameter, word)


def completeCodes(context: click.Context, parameter: click.Parameter, word: str) -> list[CompletionItem]:
    """The codes of failures, or a file that holds them."""
    from tlscomm.failures import CODES

    found = [CompletionItem(code) for code in CODES if code.startswith(word)]
    return found or completeFiles(context, parameter, word)


def completionsOf(
    metavar: str, choices: tuple[str, ...], context: click.Context, parameter: click.Parameter, word: str
) -> list[CompletionItem]:
    """Return what a value may be, by what stands for it in explanations.

    Args:
        metavar: that.
        choices: the words that it may be, where these are all.
        context: of the command.
        parameter: the option.
        word: what is there of it.
    """
    if choices:
        return [CompletionItem(choice) for choice in choices if choice.startswith(word)]
    if metavar == "SOURCE":
        return completeSources(context, parameter, word)
    return completeFiles(context, parameter, word) if metavar in _FILES else []
