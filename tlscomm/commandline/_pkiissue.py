"""``tlscomm pki issue``: a credential for one more client or server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupOfCommands
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._pkioptions import (
    NOT_PUBLIC,
    PLACE,
    answering,
    authorityOptions,
    credentialOptions,
    namedAuthority,
    nameOptions,
    phrased,
    wantedPassphrase,
)
from tlscomm.issuing._choices import FORMS, KEY_KINDS, KEYED_FORMS, USUAL_FORMS

if TYPE_CHECKING:
    from cryptography import x509

    from tlscomm.issuing import Purpose
    from tlscomm.issuing._issuing import Wish

__all__ = ["issue"]


@click.group("issue", cls=GroupOfCommands, epilog=NOT_PUBLIC)
def issue() -> None:
    """Issue a credential for one more client or server, by your own authority."""


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command what there is to be said of a credential, in the order of its help."""
    decorators = (
        nameOptions,
        click.option(
            "--key",
            "kind",
            type=click.Choice(KEY_KINDS),
            metavar="KIND",
            default="ec",
            show_default=True,
            help=f"The private key: {', '.join(KEY_KINDS)}.",
        ),
        credentialOptions,
        click.option(
            "--format",
            "forms",
            type=click.Choice(FORMS),
            metavar="FORM",
            multiple=True,
            help=f"Which files: {', '.join(FORMS)}; repeatable.  [default: all but the last]",
        ),
        click.option("--ask-passphrase", "asks", is_flag=True, help="Ask at the terminal for what is to open its key."),
        click.option(
            "--passphrase-file",
            "phraseFiles",
            multiple=True,
            type=click.Path(path_type=str),
            help="A file whose first line is to open it.  [default: no pass phrase, files for their owner only]",
        ),
        click.option(
            "--passphrase-env", "phraseVariables", multiple=True, metavar="NAME", help="The same, in the environment."
        ),
        authorityOptions,
        outputOptions,
    )
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


@issue.command("client", epilog=NOT_PUBLIC)
@click.argument("name")
@_options
def _client(name: str, **words: Any) -> None:
    """Issue a credential for a client.

    NAME is what servers are to know it by: alice, alice@example.org, spiffe://example.org/billing, or "Alice Example".
    Its files are called so, too. Names in options take the place of NAME in the certificate's alternative names.
    """
    _issue("client", (name,), **words)


@issue.command("server", epilog=NOT_PUBLIC)
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@_options
def _server(names: Sequence[str], **words: Any) -> None:
    """Issue a credential for a server.

    NAME is what clients connect to: a host name, an address, or *.example.org. Its files are called as the first one.
    """
    _issue("server", names, **words)


@issue.command("both", epilog=NOT_PUBLIC)
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@_options
def _both(names: Sequence[str], **words: Any) -> None:
    """Issue a credential for a program that is a client and a server, as the members of a cluster are.

    NAME is as for servers.
    """
    _issue("both", names, **words)


def _issue(purpose: Purpose, given: Sequence[str], *, asJSON: bool, **words: Any) -> None:
    from datetime import datetime, timezone

    from tlscomm.commandline._pkiissued import sayIssued
    from tlscomm.issuing import _issuing
    from tlscomm.issuing._keys import newKeyOf

    _checkForms(words["forms"])
    with phrased("NAME"):
        subject, names, file = _identity(purpose, given, words)
    passphrase = wantedPassphrase(file, words["phraseFiles"], words["phraseVariables"], asks=words["asks"])
    with answering(asJSON=asJSON):
        files = namedAuthority(*(words[each] for each in PLACE))
        key = newKeyOf(words["kind"])
        wish = _issuing.Wish(
            file,
            subject,
            names,
            purpose,
            key,
            key.public_key(),
            words["output"] or files.folder,
            words["forms"] or USUAL_FORMS,
            days=words["days"],
            passphrase=passphrase,
            mayReplace=words["mayReplace"],
        )
        made = _issuing.issue(files, wish, datetime.now(timezone.utc))
        notes = ["PKCS#12 (PFX) has no place for this kind of key yet"] if _lacksPFX(wish, made.files) else []
        sayIssued(files, made, notes, asJSON=asJSON, isOurs=True)


def _identity(
    purpose: Purpose, given: Sequence[str], words: Any
) -> tuple[x509.Name, tuple[x509.GeneralName, ...], str]:
    """Return the subject, the alternative names, and what the files are called."""
    from tlscomm.commandline._pkinames import NamesMeant, checkNames, clientNames, hostName, subjectFor
    from tlscomm.issuing._filenames import checkedStem

    meant = NamesMeant(*(words[kind] for kind in ("dns", "ip", "email", "uri", "spiffe")))
    subject = subjectFor(given[0])
    others = meant.names()
    own: tuple[x509.GeneralName, ...] = ()
    if purpose != "client":
        own = tuple(map(hostName, given))
    elif not others:
        own = clientNames(given[0], subject)
    # A URI is no name for files, and what follows its scheme is nearly one.
    usual = given[0].partition("://")[2].strip("/").replace("/", "_") or given[0]
    return subject, checkNames((*own, *others)), checkedStem(words["file"] or usual)


def _checkForms(forms: Sequence[str]) -> None:
    if forms and not KEYED_FORMS & set(forms):
        raise click.BadParameter(
            f"the private key would be lost: add one of {', '.join(sorted(KEYED_FORMS))}", param_hint="--format"
        )
    if {"pfx", "pfx-legacy"} <= set(forms):
        raise click.BadParameter("pfx and pfx-legacy are one file, so choose one", param_hint="--format")


def _lacksPFX(wish: Wish, files: Sequence[Path]) -> bool:
    return any(form.startswith("pfx") for form in wish.forms) and all(path.suffix != ".pfx" for path in files)
