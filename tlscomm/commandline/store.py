"""``tlscomm store``: what lies in certificate stores, into them, and out of them.

Entries are named by what they are, in the words of `tlscomm.store.Search`, as in a ``store:`` source: so what a command
finds here, an option or an endpoint string finds as well.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tlscomm.commandline._groupedhelp import GroupOfCommands
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.commandline._passphrases import newPassphrase, passphraseTo
from tlscomm.commandline._printing import heading, isTerminal, remark, say, sayFailure, table, writeJSON
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import NoCertificate, TLSFailure, printable

if TYPE_CHECKING:
    from tlscomm.credentials import Credential
    from tlscomm.store import Search, StoreEntry, X509Store
    from tlscomm.x509._roles import Role

__all__ = ["group"]

F = TypeVar("F", bound=Callable[..., object])
T = TypeVar("T")

_NAME_CERTIFICATE = "Name the file with the certificate, and the key's file after --key, or export the PFX with both."

_FORMS = ("pem", "pfx", "pfx-legacy", "p7b", "cer")

#: The fields of `tlscomm.store.Search` as options: how a value is written, and what it is.
_OPTIONS = {
    "thumbprint": ("HEX", "Its SHA-1 or SHA-256 digest."),
    "subject": ("TEXT", "A part of a value in the subject's name, or attributes of it: CN=gateway."),
    "subjectDN": ("NAME", "The subject's whole distinguished name."),
    "issuer": ("TEXT", "The same as --subject, of the issuer."),
    "issuerDN": ("NAME", "The same as --subject-dn, of the issuer."),
    "serial": ("HEX", "The serial number."),
    "dns": ("NAME", "A host name that it is for."),
    "ip": ("ADDRESS", "An address that it is for."),
    "uri": ("URI", "A URI that it is for."),
    "email": ("ADDRESS", "A mail address that it is for."),
    "extendedKeyUsage": (
        "USAGE",
        "What it may be used for: server, client, codeSigning and others, or an object identifier.",
    ),
    "keyUsage": ("USAGE", "What its key may be used for: digitalSignature, keyCertSign and others."),
    "validAt": ("TIME", "When it is valid: now, or ISO 8601."),
    "hasPrivateKey": ("yes|no", "Whether its private key is there."),
    "friendlyName": ("NAME", "What its owner calls it."),
}


def _optionFor(field: str) -> str:
    dashed = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in field)
    return f"--{dashed.replace('-d-n', '-dn')}"


def _inStore(function: F) -> F:
    """Give a command ``--store``, and what all have."""
    place = click.option(
        "--store", "place", default="CurrentUser/My", show_default=True, metavar="LOCATION/NAME", help="Which store."
    )
    return place(outputOptions(function))


def _searching(function: F) -> F:
    """Give a command the words of a search."""
    options = [
        click.option(_optionFor(field), field, metavar=metavar, help=explained)
        for field, (metavar, explained) in _OPTIONS.items()
    ]
    words = click.argument("words", nargs=-1, metavar="[SEARCH]...")
    return reduce(lambda decorated, option: option(decorated), reversed(options), words(function))


@click.group("store", cls=GroupOfCommands)
def group() -> None:
    """Look into certificate stores, and change them.

    A store is CurrentUser/My (credentials of one's own), Root (trusted authorities), CA, TrustedPeople, Disallowed or
    any other name, and the same for LocalMachine. CurrentUser is shared with .NET on Linux; the environment variables
    TLSCOMM_STORE and TLSCOMM_MACHINE_STORE name other folders.

    SEARCH is a thumbprint, FIELD=VALUE with a field of the options' names, or several joined by colons
    (dns=a.example:validAt=now), or a source that begins with store:. All that is said has to fit.
    """


@group.command("list")
@_inStore
def _list(*, place: str, asJSON: bool) -> None:
    """List what a store holds, the newest valid certificate first."""
    with _answering(asJSON):
        store = _opened(place)
        contents = store.contents()
        _showAll(store, contents.entries, contents.problems, asJSON)


@group.command("find")
@_searching
@_inStore
def _find(*, place: str, asJSON: bool, words: Sequence[str], **fields: str | None) -> None:
    """List what fits a search; the exit status is 1 where nothing does."""
    with _answering(asJSON):
        store, search = _asked(place, words, fields)
        contents = store.contents()
        found = [entry for entry in contents.entries if search.fits(entry)]
        if not found:
            store.find(search)
        _showAll(store, found, contents.problems, asJSON)


@group.command("show")
@_searching
@_inStore
def _show(*, place: str, asJSON: bool, words: Sequence[str], **fields: str | None) -> None:
    """Say all there is to know of one certificate, and what keeps it from being used."""
    from tlscomm.commandline._certificates import certificateRows, present, titleOf
    from tlscomm.commandline._entries import entryJSON, entryRows

    with _answering(asJSON):
        entry = _one(place, words, fields)
        if asJSON:
            writeJSON({"entry": entryJSON(entry), "failure": None})
            return
        say(heading(titleOf(entry.certificate)), table(entryRows(entry)))
        for issuer in entry.credential.chain:
            say("", heading(f"Chain: {titleOf(issuer)}"), table(certificateRows(issuer, present())))


@group.command("add")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@settingOptions(Interface.STORE_ADD)
@click.option("--friendly-name", "friendlyName", metavar="NAME", help="What to call it.")
@click.option(
    "--exportable/--not-exportable",
    "isExportable",
    default=None,
    help="Whether to export the key later. It does not keep a user who can read the store's file from copying it. "
    "Default: as it is in the store, and else yes.",
)
@_inStore
def _add(
    *,
    place: str,
    asJSON: bool,
    files: Sequence[str],
    settings: dict[str, Any],
    friendlyName: str | None,
    isExportable: bool | None,
) -> None:
    """Add what is in each FILE: a credential with its chain, or certificates, each as an entry of its own.

    Where one FILE cannot be read, nothing is added. What is there already keeps its name and its mark unless others
    are given.
    """
    from tlscomm.commandline._entries import entryJSON, listing

    with _answering(asJSON), _wantingCertificates():
        store = _opened(place, writable=True)
        passphrase = passphraseTo(settings)
        # All are read before the first is added, so that one that cannot be read leaves the store as it was.
        read = [found for file in files for found in _credentialsIn(file, settings.get("key"), passphrase)]
        added = [
            _changing(partial(store.add, found, exportable=isExportable, friendlyName=friendlyName)) for found in read
        ]
        if asJSON:
            writeJSON({"store": store.title, "added": [entryJSON(entry) for entry in added], "failure": None})
        else:
            say(f"Added to {store.title}:", listing(added))


@group.command("remove")
@_searching
@click.option("--all", "isAll", is_flag=True, help="Remove all that fit, instead of refusing where several do.")
@click.option("--yes", "isSure", is_flag=True, help="Do not ask.")
@_inStore
def _remove(*, place: str, asJSON: bool, words: Sequence[str], isAll: bool, isSure: bool, **fields: str | None) -> None:
    """Remove a certificate, and its private key, for good."""
    from tlscomm.commandline._entries import entryJSON, listing

    with _answering(asJSON):
        store, search = _asked(place, words, fields, writable=True)
        if not str(search):
            raise click.UsageError("say which: a thumbprint, or FIELD=VALUE")
        found = (isAll and store.search(search)) or (store.find(search),)
        if not isSure:
            say(listing(found, error=True), error=True)
            if not isTerminal(sys.stdin):
                raise click.UsageError("there is no terminal to ask at; --yes removes without being asked")
            if not click.confirm(f"Remove from {store.title}?", err=True):
                click.get_current_context().exit(1)
        for entry in found:
            _changing(partial(store.remove, entry))
        if asJSON:
            writeJSON({"store": store.title, "removed": [entryJSON(entry) for entry in found], "failure": None})
        else:
            say(f"Removed from {store.title}:", listing(found))


@group.command("export")
@_searching
@click.option("--out", "-o", "file", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where to.")
@click.option(
    "--form",
    type=click.Choice(_FORMS),
    help="Default: what FILE ends in, or pem. pfx-legacy is for old Windows, .NET and mono.",
)
@settingOptions(Interface.STORE_EXPORT)
@click.option("--no-key", "withoutKey", is_flag=True, help="Leave the private key out.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@_inStore
def _export(
    *,
    place: str,
    asJSON: bool,
    words: Sequence[str],
    file: Path,
    form: str | None,
    settings: dict[str, Any],
    withoutKey: bool,
    force: bool,
    **fields: str | None,
) -> None:
    """Write a certificate into a file: with its chain and private key as pem and pfx, with its chain as p7b, or alone
    as cer.

    A file with a private key can be read by its owner only.
    """
    from tlscomm.commandline import _exporting

    if str(file) == "-":
        raise click.UsageError("--out is the name of a file: standard output may be a terminal, or a log")
    with _answering(asJSON):
        entry = _one(place, words, fields)
        form = form or _exporting.ENDINGS.get(file.suffix.lower(), "pem")
        credential = _leaving(entry, withoutKey or form not in _exporting.KEYED_FORMS)
        isSecret = credential.privateKey is not None
        passphrase = newPassphrase(settings, file.name) if isSecret else b""
        if isSecret and not passphrase and form == "pfx-legacy":
            raise click.UsageError("pfx-legacy needs a new pass phrase: --passphrase-file, -env or -fd")
        content = _exporting.exported(credential, form, passphrase)
        _changing(partial(_exporting.write, file, content, isSecret=isSecret, force=force))
        if asJSON:
            written = {"file": str(file), "form": form, "hasPrivateKey": isSecret}
            writeJSON({**written, "source": entry.source, "thumbprint": entry.thumbprint, "failure": None})
            return
        say(f"{entry.source} was written to {printable(str(file))} as {form}.")
        if isSecret and not passphrase:
            remark("It has no pass phrase: a reader of it has the private key.")


@group.command("pick")
@_searching
@click.option("--purpose", type=click.Choice(["client", "server"]), help="What it is for. Default: either.")
@click.option("--all", "isAll", is_flag=True, help="Show what does not fit the purpose, too.")
@_inStore
def _pick(
    *, place: str, asJSON: bool, words: Sequence[str], purpose: Role | None, isAll: bool, **fields: str | None
) -> None:
    """Let a person choose a certificate, and print the store: source that names it.

    On a terminal: arrows, type to filter, Enter to choose, Esc to leave, which is exit status 1. Elsewhere a numbered
    list is printed to standard error, and the number read from standard input.
    """
    from tlscomm.commandline._entries import entryJSON
    from tlscomm.commandline._picker import PickedEntry, choose

    with _answering(asJSON):
        store, search = _asked(place, words, fields)
        entries = store.search(search)
        if not entries:
            store.find(search)
        chosen = choose(PickedEntry(entries, title=store.title, purpose=purpose, showsAll=isAll))
        if chosen is None:
            click.get_current_context().exit(1)
        if asJSON:
            writeJSON({"entry": entryJSON(chosen), "failure": None})
        else:
            click.echo(chosen.source)


@contextmanager
def _answering(asJSON: bool) -> Iterator[None]:
    """Say what fails, to a person or to a program, and end with exit status 1."""
    try:
        with warnings.catch_warnings():
            # What cryptography says of certificates that deviate from the standards. They are shown all the same.
            warnings.simplefilter("ignore", UserWarning)
            yield
    except TLSFailure as failure:
        if asJSON:
            writeJSON({"failure": failure.toJSON()})
        else:
            sayFailure(failure)
        click.get_current_context().exit(1)


@contextmanager
def _wantingCertificates() -> Iterator[None]:
    """Say of a file without a certificate what to do about it here; there is no handshake."""
    try:
        yield
    except NoCertificate as failure:
        failure.remedy = failure.remedy or _NAME_CERTIFICATE
        raise


def _opened(place: str, *, writable: bool = False) -> X509Store:
    from tlscomm.store import X509Store

    try:
        return X509Store.named(place, writable=writable)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--store") from None


def _asked(
    place: str, words: Sequence[str], fields: dict[str, str | None], *, writable: bool = False
) -> tuple[X509Store, Search]:
    """Return the store and the search that words and options come to."""
    from tlscomm.store import Search
    from tlscomm.store._prefix import PREFIX
    from tlscomm.store._search import FIELDS

    asked = {field: value for field, value in fields.items() if value is not None}
    try:
        for word in words:
            if word.startswith(PREFIX):
                place, _, conditions = word.removeprefix(PREFIX).partition(":")
                said = Search.parse(conditions).texts()
            else:
                field, equals, _ = word.partition("=")
                said = Search.parse(word).texts() if equals and field in FIELDS else {"thumbprint": word}
            if twice := said.keys() & asked.keys():
                raise ValueError(f"{min(twice)} is there twice")
            asked |= said
        search = Search(**asked)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from None
    return _opened(place, writable=writable), search


def _one(place: str, words: Sequence[str], fields: dict[str, str | None]) -> StoreEntry:
    store, search = _asked(place, words, fields)
    return store.find(search)


def _credentialsIn(
    file: str, key: str | None, passphrase: Callable[[str], bytes | None] | None
) -> tuple[Credential, ...]:
    """Return what a file adds to a store: its credentials, or each certificate where there is no key."""
    from tlscomm.commandline._inspecting import credentialsOf
    from tlscomm.credentials import Credential, loadCredentials
    from tlscomm.credentials._authorities import distrust
    from tlscomm.credentials._formats import readContents
    from tlscomm.credentials._passphrase import Passphrase
    from tlscomm.credentials._sources import readSource

    # A user who imports a key from a file that others can read wants it to be in a better place.
    if key is not None:
        found = loadCredentials(file, key=key, passphrase=passphrase, checkPermissions=False)
        return tuple(credential.requireKey() for credential in found)
    source = readSource(file)
    contents = readContents(source, Passphrase(passphrase), wantKeys=True, isLenient=True)
    for certificate in contents.certificates:
        # A store keeps certificates alone, so all of it would be trusted for everything.
        if (refusal := distrust(certificate, contents, None)) is not None:
            raise refusal
    if contents.unreadable and (contents.holdsKey or not contents.certificates):
        raise contents.unreadable[0]
    for problem in contents.unreadable:
        remark(f"Warning: left out, {problem}")
    if not contents.certificates:
        raise NoCertificate(f"{source.name} holds no certificate", stage="credential")
    if contents.keys:
        return tuple(credential.requireKey() for credential in credentialsOf(contents, source.name))
    certificates = dict.fromkeys(contents.certificates)
    names = contents.friendlyNames
    return tuple(Credential(found, friendlyName=names.get(found), source=source.name) for found in certificates)


def _leaving(entry: StoreEntry, withoutKey: bool) -> Credential:
    """Return what leaves the store, its key only if that may."""
    if withoutKey:
        return replace(entry.credential, privateKey=None)
    return entry.requireExportable().credential


def _changing(change: Callable[[], T]) -> T:
    try:
        return change()
    except OSError as problem:
        # Only here: elsewhere it would be standard output that cannot be written.
        place = printable(str(problem.filename or ""))
        there = "; --force replaces it" if isinstance(problem, FileExistsError) else ""
        raise click.ClickException(f"{place}: {problem.strerror}{there}") from None


def _showAll(store: X509Store, entries: Sequence[StoreEntry], problems: Iterable[TLSFailure], asJSON: bool) -> None:
    from tlscomm.commandline._entries import entryJSON, listing

    if asJSON:
        writeJSON(
            {
                "store": store.title,
                "folder": str(store.path),
                "entries": [entryJSON(entry) for entry in entries],
                "problems": [problem.toJSON() for problem in problems],
                "failure": None,
            }
        )
        return
    if entries:
        say(listing(entries))
    else:
        remark(f"{store.title} is empty.")
    for problem in problems:
        sayFailure(problem)
