"""``tlscomm pki renew``: a credential is issued once more by our own authority, in every file that it is in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions
from tlscomm.commandline._passphrases import Prompt, personalPrompt
from tlscomm.commandline._pkioptions import NOT_PUBLIC, answering, usualAuthority
from tlscomm.commandline._printing import say, sayFailure, writeJSON
from tlscomm.failures import FileNotFound, TLSFailure, printable
from tlscomm.failures._wording import timeText

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.issuing._authorityfiles import IssuingFiles

__all__ = ["renew"]

#: What `tlscomm pki init` makes in a folder.
_OF_FOLDER = ("server.pem", "client.pem")


@dataclass(frozen=True)
class _Wish:
    """What the options say.

    Attributes:
        key: the private key, where it is neither in the credential's file nor beside it.
        authority: the authority's certificate; ``ca.pem`` beside the credential where None.
        authorityKey: its key; in the same file, or beside it, where None.
        within: renew only what has no more days left; None for everything.
        days: how long it is to be valid; as long as before where None.
        keepKey: whether the private key stays.
        passphrase: opens what is encrypted.
    """

    key: Path | None
    authority: Path | None
    authorityKey: Path | None
    within: float | None
    days: float | None
    keepKey: bool
    passphrase: Prompt | None


@click.command("renew", cls=GroupedCommand, epilog=NOT_PUBLIC)
@click.argument("places", nargs=-1, required=True, metavar="CREDENTIAL…", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="The private key, where it has another name.")
@click.option(
    "--authority",
    "--ca",
    "authority",
    type=click.Path(path_type=Path),
    help="The authority that has issued it: its folder, or the file with its certificate.  [default: ca.pem beside it]",
)
@click.option(
    "--ca-key",
    "--authority-key",
    "authority_key",
    type=click.Path(path_type=Path),
    help="The authority's private key.  [default: in the same file, or beside it]",
)
@click.option("--if-within", type=click.FloatRange(min=0), metavar="DAYS", help="Only where no more days are left.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="How long it is valid.  [default: as before]")
@click.option("--keep-key", is_flag=True, help="Keep the private key: for peers that know it (pins).")
@click.option(
    "--passphrase-file",
    "files",
    multiple=True,
    type=click.Path(path_type=str),
    help="A file whose first line opens what is encrypted, and opens it afterwards; repeatable.",
)
@click.option("--passphrase-env", "variables", multiple=True, metavar="NAME", help="The same in the environment.")
@outputOptions
def renew(
    *,
    places: Sequence[Path],
    key: Path | None,
    authority: Path | None,
    authority_key: Path | None,
    if_within: float | None,
    days: float | None,
    keep_key: bool,
    files: Sequence[str],
    variables: Sequence[str],
    asJSON: bool,
) -> None:
    """Issue a credential once more, by your own authority, for the same names and uses.

    CREDENTIAL is a file with the certificate, the NAME that tlscomm pki issue was told, or a folder that `tlscomm pki
    init` has made: its server's and its client's. All files beside it that
    have its name and hold it are replaced, each in its form and with its mode: server.key, server.pfx,
    server-with-key.pem beside server.pem. A server that reads them takes them without a restart.
    """
    from tlscomm.credentials._passphrasesources import anyPassphrase

    passphrase = anyPassphrase(files, variables, (), personalPrompt())
    wish = _Wish(key, authority, authority_key, if_within, days, keep_key, passphrase)
    with answering(asJSON=asJSON):
        outcomes = [_tried(path, wish, isQuiet=asJSON) for place in places for path in _credentialsIn(place, wish)]
        areDone = all(each["failure"] is None for each in outcomes)
        if asJSON:
            writeJSON({"outcome": "done" if areDone else "failed", "credentials": outcomes, "failure": None})
    if not areDone:
        click.get_current_context().exit(1)


def _credentialsIn(place: Path, wish: _Wish) -> list[Path]:
    if place.is_dir():
        return [place / name for name in _OF_FOLDER if (place / name).exists()] or [place]
    if place.exists() or place.name != str(place):
        return [place]
    return [_named(place, wish)]


def _named(name: Path, wish: _Wish) -> Path:
    from tlscomm.issuing._filenames import fileStem

    known = wish.authority or usualAuthority()
    folder = known if known.is_dir() else known.parent
    found = folder / f"{fileStem(str(name))}.pem"
    return found if found.exists() else name


def _tried(path: Path, wish: _Wish, *, isQuiet: bool) -> dict[str, object]:
    told: dict[str, object] = {"file": str(path), "failure": None}
    try:
        told |= _renew(path, wish, isQuiet=isQuiet)
    except TLSFailure as failure:
        if not isQuiet:
            sayFailure(failure)
        told |= {"outcome": "failed", "failure": failure.toJSON()}
    return told


def _renew(path: Path, wish: _Wish, *, isQuiet: bool) -> dict[str, object]:
    from tlscomm.issuing._renewing import renewed

    now = datetime.now(timezone.utc)
    former = _loaded(path, wish)
    ends = former.certificate.not_valid_after_utc
    left = (ends - now).total_seconds() / 86400
    if wish.within is not None and left > wish.within:
        if not isQuiet:
            say(f"{printable(str(path))} is not due: it is valid until {timeText(ends)}, {left:.1f} days from now")
        return {"outcome": "not due", "notAfter": timeText(ends)}
    files = _authority(path, wish)
    new = renewed(former, files.authority, keepKey=wish.keepKey, days=wish.days, now=now)
    written = _written(path, former, new, files, wish)
    until = timeText(new.certificate.not_valid_after_utc)
    if not isQuiet:
        say(
            f"{printable(str(path))} was renewed: it is valid until {until}, and was until {timeText(ends)}. Written: "
            f"{', '.join(printable(each.name) for each in written)}"
        )
    return {"outcome": "renewed", "notAfter": until, "files": [str(each) for each in written]}


def _written(path: Path, former: Credential, new: Credential, files: IssuingFiles, wish: _Wish) -> list[Path]:
    """Replace what is in the files, and note it in the authority's record where one can be kept."""
    from tlscomm.issuing._rewriting import filesBeside, rewritten
    from tlscomm.x509._files import replaceFiles

    places = filesBeside(path)
    if wish.key is not None and wish.key not in places:
        places.append(wish.key)
    contents = {each: rewritten(each, former, new, wish.passphrase) for each in places}
    changed = {each: content for each, content in contents.items() if content is not None}
    if not os.access(files.folder, os.W_OK):
        replaceFiles(changed)
        return list(changed)
    with files.opened() as ledger:
        ledger.addRenewed(former.certificate, new.certificate, path.name.removesuffix(path.suffix))
        replaceFiles(changed)
        ledger.write()
    return list(changed)


def _loaded(path: Path, wish: _Wish) -> Credential:
    from tlscomm.credentials import loadCredential

    named = (path.with_name(path.name.split(".")[0] + ".key"), path.with_suffix(".key"))
    beside = next((each for each in named if each != path and each.exists()), None)
    credential = loadCredential(path, key=wish.key, passphrase=wish.passphrase)
    if credential.privateKey is None and wish.key is None and beside is not None:
        credential = loadCredential(path, key=beside, passphrase=wish.passphrase)
    return credential


def _authority(path: Path, wish: _Wish) -> IssuingFiles:
    from tlscomm.issuing._authorityfiles import loadAuthority

    place = wish.authority or path.with_name("ca.pem")
    if not place.exists():
        raise FileNotFound(printable(str(place)), remedy="Name the authority's certificate (--authority FILE).")
    return loadAuthority(place, wish.authorityKey, wish.passphrase)
