"""What the commands of ``tlscomm pki`` have in common: which authority, which pass phrases, and how they answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tlscomm.commandline._groupedhelp import GroupedOption
from tlscomm.commandline._passphrases import askedTwice, personalPrompt
from tlscomm.commandline._printing import isTerminal, say, sayFailure, writeJSON
from tlscomm.failures import TLSFailure, printable
from tlscomm.issuing._choices import DEFAULT_DAYS, MOST_DAYS

if TYPE_CHECKING:
    from tlscomm.issuing._authorityfiles import IssuingFiles

__all__ = [
    "NOT_PUBLIC",
    "PLACE",
    "answering",
    "authorityOptions",
    "credentialOptions",
    "nameOptions",
    "namedAuthority",
    "phrased",
    "usualAuthority",
    "wantedPassphrase",
]

NOT_PUBLIC = (
    "This is no public authority: only those trust it who are told to. For production take one that is kept apart and "
    "issues by itself: step-ca, your company's, cert-manager in Kubernetes, SPIRE for services."
)
"""What each help text and page says, and the output once."""

PLACE = ("authority", "authorityKey", "authorityFiles", "authorityVariables")
"""What the parameters of `authorityOptions` are called, in the order of those of `namedAuthority`."""

#: Where an authority is looked for that no option names: here, and where the documentation has it made.
_USUAL = (Path(), Path("certs"))

_AUTHORITY = "Authority"
_NAMES = "Names"

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)


def _decorated(function: F, *decorators: Callable[[F], F]) -> F:
    return reduce(lambda decorated, decorate: decorate(decorated), reversed(decorators), function)


def authorityOptions(function: F) -> F:
    """Give a command what names the authority."""
    return _decorated(
        function,
        click.option(
            "--authority",
            "--ca",
            "authority",
            cls=GroupedOption,
            group=_AUTHORITY,
            type=_FILE,
            help="The authority: a folder that tlscomm pki init has made, or a file with its certificate (PEM, PFX).  "
            "[default: ca.pem here, or in certs]",
        ),
        click.option(
            "--ca-key",
            "--authority-key",
            "authorityKey",
            cls=GroupedOption,
            group=_AUTHORITY,
            type=_FILE,
            help="The authority's private key.  [default: in the same file, or beside it: ca.key, ca-key.pem]",
        ),
        click.option(
            "--ca-passphrase-file",
            "authorityFiles",
            cls=GroupedOption,
            group=_AUTHORITY,
            multiple=True,
            type=click.Path(path_type=str),
            help="A file whose first line opens the authority's key.  [default: asks at a terminal]",
        ),
        click.option(
            "--ca-passphrase-env",
            "authorityVariables",
            cls=GroupedOption,
            group=_AUTHORITY,
            multiple=True,
            metavar="NAME",
            help="The same, in the environment.",
        ),
    )


def nameOptions(function: F) -> F:
    """Give a command what names stand in the certificate."""
    return _decorated(
        function,
        _nameOption("--dns", "NAME", "Another host name; repeatable."),
        _nameOption("--ip", "ADDRESS", "Another IP address; repeatable."),
        _nameOption("--email", "ADDRESS", "Another mail address; repeatable."),
        _nameOption("--uri", "URI", "A URI; repeatable."),
        click.option(
            "--spiffe",
            metavar="ID",
            cls=GroupedOption,
            group=_NAMES,
            help="Its SPIFFE id, spiffe://DOMAIN/PATH, and no other URI.",
        ),
    )


def _nameOption(name: str, metavar: str, explained: str) -> Callable[[F], F]:
    return click.option(name, multiple=True, metavar=metavar, cls=GroupedOption, group=_NAMES, help=explained)


def credentialOptions(function: F) -> F:
    """Give a command how long a certificate is valid, and where it is written."""
    return _decorated(
        function,
        click.option(
            "--days",
            type=click.FloatRange(min=0, min_open=True, max=MOST_DAYS),
            metavar="DAYS",
            default=DEFAULT_DAYS,
            show_default=True,
            help="How long it is valid; not longer than the authority.",
        ),
        click.option("--file", "file", metavar="NAME", help="What its files are called, without endings."),
        click.option(
            "--output", type=_FILE, metavar="FOLDER", help="Where they are written.  [default: with the authority]"
        ),
        click.option("--replace", "mayReplace", is_flag=True, help="Issue it in the place of one that has the name."),
    )


def namedAuthority(
    place: Path | None, key: Path | None, files: Sequence[str], variables: Sequence[str]
) -> IssuingFiles:
    """Load the authority that the options name, or the usual one.

    Raises:
        TLSFailure: it cannot be loaded.
    """
    from tlscomm.credentials._passphrasesources import anyPassphrase
    from tlscomm.issuing._authorityfiles import loadAuthority

    return loadAuthority(place or usualAuthority(), key, anyPassphrase(files, variables, (), personalPrompt()))


def usualAuthority() -> Path:
    """Return the folder of the authority that no option names."""
    from tlscomm.issuing._authorityfiles import isAuthorityFolder

    return next((each for each in _USUAL if isAuthorityFolder(each)), _USUAL[-1])


def wantedPassphrase(name: str, files: Sequence[str], variables: Sequence[str], *, asks: bool) -> bytes:
    """Return what is to open a new private key; empty where no option wants a pass phrase."""
    from tlscomm.credentials._passphrasesources import anyPassphrase

    if len(files) + len(variables) + asks > 1:
        raise click.UsageError("a new pass phrase comes from one place: --passphrase-file, -env, or --ask-passphrase")
    if not asks and not files and not variables:
        return b""
    if asks and not isTerminal(sys.stdin):
        raise click.UsageError("--ask-passphrase asks at a terminal, and there is none: --passphrase-file FILE")
    source = anyPassphrase(files, variables)
    given = source(name) if source is not None and not asks else askedTwice(f"New pass phrase for {name}: ")
    if not given:
        raise click.UsageError("the new pass phrase is empty; without any, only its mode protects the private key")
    return given


@contextmanager
def answering(*, asJSON: bool) -> Iterator[None]:
    """Name what fails, for a person or a program, and end with status 1."""
    try:
        yield
    except TLSFailure as failure:
        if asJSON:
            writeJSON({"outcome": "failed", "failure": failure.toJSON()})
        else:
            sayFailure(failure)
    except OSError as problem:
        if problem.filename is None:
            # It is standard output that cannot be written.
            raise
        text = f"{printable(str(problem.filename))}: {problem.strerror}"
        if asJSON:
            writeJSON({"outcome": "failed", "failure": None, "error": text})
        else:
            say(f"Error: {text}", error=True)
    else:
        return
    click.get_current_context().exit(1)


@contextmanager
def phrased(hint: str) -> Iterator[None]:
    """Answer a value that cannot be one as wrong usage."""
    try:
        yield
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint=hint) from None
