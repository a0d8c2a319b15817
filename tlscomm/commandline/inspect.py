"""``tlscomm inspect``: what is in a file, and what keeps it from working."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from tlscomm.commandline._completing import completeSources
from tlscomm.commandline._groupedhelp import GroupedCommand
from tlscomm.commandline._options import outputOptions, settingOptions
from tlscomm.commandline._passphrases import passphraseTo
from tlscomm.commandline._plan import Address, addressIn
from tlscomm.commandline._printing import heading, remark, say, sayFailure, sayingWarnings, table, writeJSON
from tlscomm.commandline._verbosity import verbosity
from tlscomm.configuration._settings import defaultsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.failures import TLSFailure, printable

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509
    from rich.console import RenderableType

    from tlscomm.commandline._inspecting import Found, Inspection
    from tlscomm.commandline._printing import Row
    from tlscomm.credentials._passphrasesources import Prompt

__all__ = ["command"]

#: A bundle of every authority in the world has a few hundred certificates.
_MOST_SHOWN = 12


@click.command("inspect", cls=GroupedCommand)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=completeSources)
@settingOptions(Interface.INSPECT)
@outputOptions
def command(*, files: Sequence[str], settings: dict[str, Any], asJSON: bool) -> None:
    """Say what each FILE holds: certificates, their chain, private keys, PFX, P7B, revocation lists, requests.

    And whether key and certificate fit, whether the chain is complete and in order, and what would keep it from being
    used by a server or a client. FILE may be store:... as well. The exit status is 0 where every FILE could be read,
    whatever is wrong with what it holds, and 1 where one could not; the others are shown all the same. HOST:PORT in the
    place of FILE is looked at as tlscomm probe does.
    """
    from tlscomm.commandline._certificates import present

    if len(files) == 1 and (address := _addressIn(files[0])) is not None:
        from tlscomm.commandline.probe import probeServer

        remark("tlscomm probe shows the same, and has more: --identity, --server-name, --starttls, --proxy, --all.")
        probeServer(address, settings={**defaultsOn(Interface.CONNECT), **_forProbe(settings)}, asJSON=asJSON)
        return
    passphrase = passphraseTo(settings)
    found = _found(files, settings, passphrase, _rootsIn(settings.get("roots"), passphrase))
    now = present()
    with warnings.catch_warnings():
        # They are among the notes.
        warnings.simplefilter("ignore", UserWarning)
        if asJSON:
            writeJSON({"files": [_json(each, now) for each in found]})
        for each in () if asJSON else found:
            _show(each, now)
    if any(each.failure is not None for each in found):
        click.get_current_context().exit(1)


def _addressIn(word: str) -> Address | None:
    """Return the address that a word is, which names no file."""
    if os.path.exists(word):
        return None
    try:
        address = addressIn(word)
    except ValueError:
        return None
    return address if isinstance(address, Address) else None


def _forProbe(settings: dict[str, Any]) -> dict[str, Any]:
    roots = settings.get("roots", ())
    return {**settings, "roots": (roots,) if isinstance(roots, str) else tuple(roots)}


def _found(
    files: Sequence[str],
    settings: dict[str, Any],
    passphrase: Prompt | None,
    roots: tuple[x509.Certificate, ...] | None,
) -> list[Inspection]:
    """Return what each file holds, and last what the file of the key does."""
    from tlscomm.commandline._inspecting import inspected, inspectedKeys

    apart = [inspectedKeys(settings["key"], passphrase)] if "key" in settings else []
    keys = apart[0].keys if apart else ()
    try:
        return [*(inspected(file, passphrase, roots, keys) for file in files), *apart]
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="FILE") from None


def _rootsIn(source: str | None, passphrase: Prompt | None) -> tuple[x509.Certificate, ...] | None:
    from tlscomm.configuration._fromsettings import loadRoots

    try:
        if source is None:
            return None
        with sayingWarnings():
            return loadRoots(source, passphrase)
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--roots") from None
    except TLSFailure as failure:
        sayFailure(failure)
        return click.get_current_context().exit(1)


def _show(found: Inspection, now: datetime) -> None:
    say(*_said(found, now), "")
    for failure in (found.failure, *found.warnings):
        if failure is not None:
            sayFailure(failure)


def _said(found: Inspection, now: datetime) -> Iterator[RenderableType]:
    from tlscomm.commandline._certificates import certificateRows, titleOf

    known = found.form or ("not read" if found.failure else "not known")
    yield heading(f"{printable(found.name)}: {known}")
    held = ", ".join(_held(found))
    if held or found.failure is None:
        yield table([("Holds", held or "nothing that TLS has a use for"), *_summary(found, now)])
    most = len(found.certificates) if verbosity() > 0 else _MOST_SHOWN
    for number, certificate in enumerate(found.certificates[:most], 1):
        yield ""
        yield heading(f"Certificate {number}: {titleOf(certificate)}")
        yield table(certificateRows(certificate, now))
    if (more := len(found.certificates) - most) > 0:
        yield f"\n… and {more} more certificates; --json shows all of them."
    for revocations in found.lists:
        yield from ("", heading("Revocation list"), table(_listRows(revocations, now)))
    for request in found.requests:
        yield from ("", heading("Request"), table(_requestRows(request)))


def _summary(found: Inspection, now: datetime) -> Iterator[Row]:
    from tlscomm.x509._keystrengths import keyKind

    for key in found.keys:
        yield "Private key", keyKind(key)
    for note in found.notes:
        yield "Note", note
    for each in found.credentials:
        yield from _credentialRows(found, each, now)


def _credentialRows(found: Inspection, each: Found, now: datetime) -> Iterator[Row]:
    from tlscomm.commandline._certificates import isAuthority, obstacleRows, titleOf
    from tlscomm.x509._facts import certificateFacts
    from tlscomm.x509._roles import ROLES

    if len(found.credentials) > 1:
        yield "Credential", titleOf(each.credential.certificate)
    if each.credential.friendlyName:
        yield "Friendly name", printable(each.credential.friendlyName)
    if each.keyFits is not None:
        yield "Fits", "the key is the certificate's" if each.keyFits else "the key is another certificate's"
    yield from _chainRows(each)
    if not found.holdsKey and each.credential.privateKey is None and isAuthority(each.credential.certificate):
        # A server that issued its certificate to itself, as `openssl req -x509` does, presents an authority's.
        isBoth = bool(certificateFacts(each.credential.certificate).names)
        use = "to be presented with its key" if isBoth else "not to be presented"
        yield "Use", f"to be trusted (--roots, --client-roots), {'or ' if isBoth else ''}{use}"
        if not isBoth:
            return
    for role in ROLES:
        yield from obstacleRows(role, list(each.obstacles(role, now)))


def _held(found: Inspection) -> Iterator[str]:
    kinds = (
        (len(found.certificates), "certificate"),
        (len(found.keys), "private key"),
        (len(found.lists), "revocation list"),
        (len(found.requests), "request"),
    )
    for count, kind in kinds:
        if count:
            yield f"{count} {kind}{'' if count == 1 else 's'}"
    if found.holdsKey and not found.keys:
        yield "a private key that is not opened"


def _chainRows(each: Found) -> Iterator[Row]:
    from tlscomm.commandline._certificates import issuerTitle, titleOf

    chain = each.chain
    links = (each.credential.certificate, *chain.certificates)
    yield "Chain", " ← ".join(map(titleOf, links))
    missing = issuerTitle(links[-1])
    if chain.isComplete:
        yield "Complete", "yes, it leads to a root"
    elif chain.isComplete is None:
        yield "Complete", f"yes if peers trust {missing}, which is not in the file; no if that is an intermediate"
    else:
        yield "Complete", f"no, {missing} is missing"
    if chain.isTrusted is None:
        yield "Trusted", "that is for the peer to say; --roots says whom it trusts"
    else:
        yield "Trusted", "yes" if chain.isTrusted else f"no, {titleOf(links[-1])} does not lead to --roots"
    yield "In order", "yes" if chain.isOrdered else "no; tlscomm sends it in order, other programs may not"
    if chain.others:
        yield "Besides", f"{chain.others} certificates that do not belong to it"


def _listRows(revocations: x509.CertificateRevocationList, now: datetime) -> Iterator[Row]:
    from tlscomm.commandline._certificates import revocationsJSON

    facts = revocationsJSON(revocations, now)
    yield "Issuer", str(facts["issuer"])
    yield "From", str(facts["lastUpdate"])
    yield "Until", f"{facts['nextUpdate']}{', which is over' if facts['isExpired'] else ''}"
    yield "Number", "none" if facts["number"] is None else str(facts["number"])
    yield "Revoked", f"{facts['revoked']} certificates"


def _requestRows(request: x509.CertificateSigningRequest) -> Iterator[Row]:
    from tlscomm.commandline._certificates import requestJSON

    facts = requestJSON(request)
    yield "Subject", str(facts["subject"]) or "(no name)"
    yield "Names", ", ".join(facts["names"]) or "none"
    yield "Public key", str(facts["publicKey"])
    yield "Signature", "is that of its key" if facts["isSigned"] else "is not that of its key"


def _json(found: Inspection, now: datetime) -> dict[str, object]:
    from tlscomm.commandline._certificates import certificateJSON, requestJSON, revocationsJSON
    from tlscomm.x509._keystrengths import keyKind

    return {
        "file": printable(found.name),
        "form": found.form,
        "holds": list(_held(found)),
        "certificates": [certificateJSON(certificate, now) for certificate in found.certificates],
        "keys": [keyKind(key) for key in found.keys],
        "holdsPrivateKey": found.holdsKey,
        "credentials": [_credentialJSON(each, now) for each in found.credentials],
        "revocationLists": [revocationsJSON(each, now) for each in found.lists],
        "requests": [requestJSON(each) for each in found.requests],
        "notes": list(found.notes),
        "warnings": [failure.toJSON() for failure in found.warnings],
        "failure": None if found.failure is None else found.failure.toJSON(),
    }


def _credentialJSON(each: Found, now: datetime) -> dict[str, object]:
    from tlscomm.commandline._certificates import certificateJSON
    from tlscomm.x509._roles import ROLES

    return {
        "leaf": certificateJSON(each.credential.certificate, now),
        "friendlyName": None if each.credential.friendlyName is None else printable(each.credential.friendlyName),
        "keyFits": each.keyFits,
        "chain": [certificateJSON(certificate, now) for certificate in each.chain.certificates],
        "isComplete": each.chain.isComplete,
        "isTrusted": each.chain.isTrusted,
        "isOrdered": each.chain.isOrdered,
        "others": each.chain.others,
        "obstacles": {role: [failure.toJSON() for failure in each.obstacles(role, now)] for role in ROLES},
    }
