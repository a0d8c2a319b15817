"""``tlscomm pki renew``: a credential is issued once more by our own authority, in every file that it is in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tlscomm._dataclasses import dataclass
from tlscomm.commandline._passphrases import Prompt, personalPrompt
from tlscomm.commandline._printing import say, sayFailure
from tlscomm.failures import FileNotFound, NoPrivateKey, TLSFailure, printable
from tlscomm.failures._wording import timeText

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.issuing import Authority

__all__ = ["renew"]

#: What `tlscomm pki init` makes in a folder.
_OF_FOLDER = ("server.pem", "client.pem")
_NAME_KEY = "Name the file with the authority's key (--authority-key FILE)."


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


@click.command("renew")
@click.argument("places", nargs=-1, required=True, metavar="CREDENTIAL…", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="The private key, where it has another name.")
@click.option(
    "--authority",
    type=click.Path(path_type=Path),
    help="The certificate of the authority that has issued it.  [default: ca.pem beside it]",
)
@click.option(
    "--authority-key",
    type=click.Path(path_type=Path),
    help="The authority's private key.  [default: in the same file, or ca.key beside it]",
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
) -> None:
    """Issue a credential once more, by your own authority, for the same names and uses.

    CREDENTIAL is a file with the certificate, or a folder that `tlscomm pki init` has made. All files beside it that
    have its name and hold it are replaced, each in its form and with its mode: server.key, server.pfx,
    server-with-key.pem beside server.pem. A server that reads them takes them without a restart.
    """
    from tlscomm.credentials._passphrasesources import anyPassphrase

    passphrase = anyPassphrase(files, variables, (), personalPrompt())
    wish = _Wish(key, authority, authority_key, if_within, days, keep_key, passphrase)
    areDone = [_tried(path, wish) for place in places for path in _credentialsIn(place)]
    if not all(areDone):
        click.get_current_context().exit(1)


def _credentialsIn(place: Path) -> list[Path]:
    return [place / name for name in _OF_FOLDER if (place / name).exists()] or [place] if place.is_dir() else [place]


def _tried(path: Path, wish: _Wish) -> bool:
    try:
        _renew(path, wish)
    except TLSFailure as failure:
        sayFailure(failure)
        return False
    except OSError as problem:
        raise click.ClickException(f"{problem.filename or path}: {problem.strerror}") from None
    return True


def _renew(path: Path, wish: _Wish) -> None:
    from tlscomm.issuing._renewing import renewed
    from tlscomm.issuing._rewriting import filesBeside, rewritten
    from tlscomm.x509._files import replaceFiles

    now = datetime.now(timezone.utc)
    former = _loaded(path, wish)
    ends = former.certificate.not_valid_after_utc
    left = (ends - now).total_seconds() / 86400
    if wish.within is not None and left > wish.within:
        say(f"{printable(str(path))} is not due: it is valid until {timeText(ends)}, {left:.1f} days from now")
        return
    new = renewed(former, _authority(path, wish), keepKey=wish.keepKey, days=wish.days, now=now)
    places = filesBeside(path)
    if wish.key is not None and wish.key not in places:
        places.append(wish.key)
    contents = {each: rewritten(each, former, new, wish.passphrase) for each in places}
    changed = {each: content for each, content in contents.items() if content is not None}
    replaceFiles(changed)
    until = timeText(new.certificate.not_valid_after_utc)
    say(
        f"{printable(str(path))} was renewed: it is valid until {until}, and was until {timeText(ends)}. Written: "
        f"{', '.join(printable(each.name) for each in changed)}"
    )


def _loaded(path: Path, wish: _Wish) -> Credential:
    from tlscomm.credentials import loadCredential

    beside = path.with_name(path.name.split(".")[0] + ".key")
    credential = loadCredential(path, key=wish.key, passphrase=wish.passphrase)
    if credential.privateKey is None and wish.key is None and beside != path and beside.exists():
        credential = loadCredential(path, key=beside, passphrase=wish.passphrase)
    return credential


def _authority(path: Path, wish: _Wish) -> Authority:
    from tlscomm.credentials import loadCredential
    from tlscomm.issuing._renewing import authorityFrom

    certificate = wish.authority or path.with_name("ca.pem")
    if not certificate.exists():
        raise FileNotFound(printable(str(certificate)), remedy="Name the authority's certificate (--authority FILE).")
    key = wish.authorityKey
    if key is None and (beside := certificate.with_suffix(".key")).exists():
        key = beside
    try:
        return authorityFrom(loadCredential(certificate, key=key, passphrase=wish.passphrase))
    except NoPrivateKey as missing:
        missing.remedy = _NAME_KEY
        raise
