"""``tlscomm pki sign``: a certificate for a request that another side has made, which keeps its private key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._groupedhelp import GroupedCommand
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
)
from tlscomm.commandline._printing import say, sayNote, table, writeJSON
from tlscomm.failures import InvalidCertificate, printable

if TYPE_CHECKING:
    from cryptography import x509

    from tlscomm.issuing import Purpose
    from tlscomm.issuing._requests import Request

__all__ = ["sign"]

_PUBLIC_FORMS = ("pem", "cer", "p7b")


@click.command("sign", cls=GroupedCommand, epilog=NOT_PUBLIC)
@click.argument("request", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--as",
    "purpose",
    type=click.Choice(("client", "server", "both")),
    required=True,
    help="What it is for, whatever the request says of that.",
)
@nameOptions
@credentialOptions
@click.option("--format", "forms", type=click.Choice(_PUBLIC_FORMS), multiple=True, help="Which files; repeatable.")
@click.option("--dry-run", "isTrial", is_flag=True, help="Show what it asks for, and issue nothing.")
@authorityOptions
@outputOptions
def sign(*, request: Path, purpose: Purpose, isTrial: bool, asJSON: bool, **words: Any) -> None:
    """Issue a certificate for REQUEST, a file that openssl req, certtool, keytool or Windows has made.

    Whose key it is shows its signature. Of the request come the subject and the names, which options replace; never
    that it is an authority, and never purposes. Look at the names: your authority vouches for them.
    """
    with answering(asJSON=asJSON):
        asked = _read(request)
        with phrased("REQUEST"):
            names = _names(request, asked, purpose, words)
        if isTrial:
            _show(asked, names, asJSON=asJSON)
        else:
            _issue(_stemOf(request, asked.subject, words["file"]), asked, names, purpose, words, asJSON=asJSON)


def _read(file: Path) -> Request:
    from tlscomm.credentials._sources import readSource
    from tlscomm.issuing._requests import readRequest

    source = readSource(str(file))
    return readRequest(source.content, source.name)


def _names(file: Path, asked: Request, purpose: Purpose, words: Any) -> tuple[x509.GeneralName, ...]:
    """Return the names that are granted."""
    from cryptography import x509

    from tlscomm.commandline._pkinames import NamesMeant, askedNames, checkNames, clientNames, commonNameOf, hostName

    meant = NamesMeant(*(words[kind] for kind in ("dns", "ip", "email", "uri", "spiffe"))).names()
    try:
        names = meant or checkNames(askedNames(asked.names))
    except ValueError as wrong:
        raise _invalid(f"the request {printable(str(file))} asks for names that it cannot have: {wrong}") from None
    common = commonNameOf(asked.subject)
    if not names and purpose == "client":
        names = clientNames(common, asked.subject)
    elif not names and common:
        names = _hostOf(common, hostName)
    isHost = any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)
    side = "client" if purpose == "client" else "server"
    if not names or (purpose != "client" and not isHost):
        raise _invalid(f"the request {printable(str(file))} asks for no name that a {side} has")
    return checkNames(names)


def _invalid(detail: str) -> InvalidCertificate:
    return InvalidCertificate(
        detail,
        remedy="Say what its names are: --dns NAME, for example.",
        stage="credential",
        whose="the certificate that is asked for",
    )


def _hostOf(common: str, hostName: Any) -> tuple[x509.GeneralName, ...]:
    try:
        return (hostName(common),)
    except ValueError:
        return ()


def _show(asked: Request, names: Sequence[x509.GeneralName], *, asJSON: bool) -> None:
    granted = _granted(names)
    if asJSON:
        writeJSON({"outcome": "shown", "request": asked.toJSON(), "granted": granted, "failure": None})
        return
    _sayAsked(asked)
    say(table([("Granted", ", ".join(granted))]))


def _granted(names: Sequence[x509.GeneralName]) -> list[str]:
    from tlscomm.x509._facts import nameText

    return [printable(nameText(name)) for name in names]


def _sayAsked(asked: Request) -> None:
    facts = asked.toJSON()
    names = facts["names"]
    assert isinstance(names, list)
    say(
        "The request asks for:",
        table(
            [
                ("Subject", str(facts["subject"]) or "none"),
                ("Names", ", ".join(names) or "none"),
                ("Key", str(facts["publicKey"])),
            ]
        ),
    )
    for note in asked.notes:
        sayNote(f"not granted: {note}")


def _stemOf(file: Path, subject: x509.Name, said: str | None) -> str:
    from tlscomm.commandline._pkinames import commonNameOf
    from tlscomm.issuing._filenames import checkedStem

    usual = commonNameOf(subject) if str(file) == "-" else file.name.removesuffix(file.suffix)
    with phrased("--file"):
        return checkedStem(said or usual)


def _issue(
    stem: str, asked: Request, names: tuple[x509.GeneralName, ...], purpose: Purpose, words: Any, *, asJSON: bool
) -> None:
    from tlscomm.commandline._pkiissued import sayIssued
    from tlscomm.issuing._issuing import Wish, issue

    files = namedAuthority(*(words[each] for each in PLACE))
    wish = Wish(
        stem,
        asked.subject,
        names,
        purpose,
        None,
        asked.publicKey,
        words["output"] or files.folder,
        words["forms"] or _PUBLIC_FORMS,
        days=words["days"],
        mayReplace=words["mayReplace"],
    )
    made = issue(files, wish, datetime.now(timezone.utc))
    if not asJSON:
        _sayAsked(asked)
    notes = [f"not granted: {note}" for note in asked.notes] if asJSON else []
    sayIssued(files, made, notes, asJSON=asJSON, isOurs=False)
