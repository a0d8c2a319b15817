"""A certificate that an authority in files issues: written in every form, and noted in the record."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential
from tlscomm.failures import NotPermitted, printable
from tlscomm.failures._wording import timeText
from tlscomm.issuing._authorityfiles import IssuingFiles, Ledger
from tlscomm.issuing._certificates import Purpose, Validity
from tlscomm.issuing._choices import DEFAULT_DAYS
from tlscomm.issuing._forms import Bundle, endings, filesOf
from tlscomm.issuing._record import Issued
from tlscomm.issuing._renewing import checkCurrent
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import subjectText
from tlscomm.x509._files import File, makeFolder, writeFiles
from tlscomm.x509._nameconstraints import Subtrees

__all__ = ["Issuance", "Wish", "issue"]

#: The clock of a peer may be behind.
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, repr=False)
class Wish:
    """What is to be issued.

    Attributes:
        file: what its files are called, without their endings.
        subject: whose it is.
        names: its alternative names.
        purpose: which side it is for.
        key: its private key; None where another side keeps it.
        publicKey: its public key.
        folder: where its files are written.
        forms: which of the `FORMS`.
        days: how long it is valid; its authority's certificate is not outlived.
        passphrase: what is to open the private key; empty for none.
        mayReplace: whether what was issued with this name may be superseded, and its files written over.
    """

    file: str
    subject: x509.Name
    names: tuple[x509.GeneralName, ...]
    purpose: Purpose
    key: CertificateIssuerPrivateKeyTypes | None
    publicKey: CertificatePublicKeyTypes
    folder: Path
    forms: Sequence[str]
    days: float = DEFAULT_DAYS
    passphrase: bytes = b""
    mayReplace: bool = False


@dataclass(frozen=True)
class Issuance:
    """What was issued.

    Attributes:
        issued: what the record has of it.
        certificate: the certificate.
        files: what was written, by the form of it.
        isShortened: whether it ends with its authority, sooner than was wished.
        isFirst: whether there was no record before.
    """

    issued: Issued
    certificate: x509.Certificate
    files: tuple[Path, ...]
    isShortened: bool
    isFirst: bool


def issue(files: IssuingFiles, wish: Wish, now: datetime) -> Issuance:
    """Issue a certificate, write it and note it.

    Args:
        files: the authority.
        wish: what is to be issued.
        now: the present, with a time zone.

    Raises:
        Expired, NotYetValid: the authority's own certificate is not valid now.
        NotPermitted: its name constraints do not let it issue for a name.
        Damaged: the record cannot be read.
        PassphraseRequired: a form is wanted that is none without one.
        FileExistsError: there is something with this name, and it may not be replaced.
        OSError: a file cannot be written; nothing has been issued then.
    """
    checkCurrent(files.certificate, now)
    _checkPermitted(files.certificate, wish.names)
    with files.opened() as ledger:
        isFirst = not files.record.exists()
        _checkFree(files, wish, ledger, now)
        credential, isShortened = _credential(files, wish, now)
        written = filesOf(wish.file, _bundle(files, wish, credential), wish.forms)
        before = dict(ledger.certificates)
        issued = ledger.add(credential.certificate, wish.file)
        ledger.write()
        try:
            _write(wish.folder, written)
        except OSError:
            ledger.certificates = before
            with suppress(OSError):
                ledger.write()
            raise
    paths = tuple(wish.folder / name for name in written)
    return Issuance(issued, credential.certificate, paths, isShortened, isFirst)


def _checkPermitted(authority: x509.Certificate, names: Sequence[x509.GeneralName]) -> None:
    constraints = readExtension(authority, x509.NameConstraints)
    violation = next(Subtrees(constraints).violations(names), "") if constraints is not None else ""
    if violation:
        detail = f"{violation} of {subjectText(authority)}"
        raise NotPermitted(
            detail, stage="credential", whose="the certificate that is asked for", remedy="Take names that it permits."
        )


def _credential(files: IssuingFiles, wish: Wish, now: datetime) -> tuple[Credential, bool]:
    own = files.certificate
    ends = now + timedelta(days=wish.days)
    validity = Validity(max(now - _BACKDATED, own.not_valid_before_utc), min(ends, own.not_valid_after_utc))
    # RFC 5280, section 4.2.1.6: it is critical where it alone says whose the certificate is.
    names = [(x509.SubjectAlternativeName(wish.names), not list(wish.subject))] if wish.names else []
    credential = files.authority.issue(
        wish.file,
        role=wish.purpose,
        subject=wish.subject,
        notBefore=validity.notBefore,
        notAfter=validity.notAfter,
        privateKey=wish.key,
        publicKey=wish.publicKey,
        extensions=names,
    )
    return credential, validity.notAfter < ends


def _bundle(files: IssuingFiles, wish: Wish, credential: Credential) -> Bundle:
    return Bundle(
        wish.file, credential.certificate, wish.key, files.authority.chain, files.roots, passphrase=wish.passphrase
    )


def _wayOut(named: Sequence[Issued], now: datetime) -> str:
    if not named:
        return "choose another"
    if all(each.status(now) == "revoked" for each in named):
        return "--replace issues another in its place"
    return "--replace issues another in its place, tlscomm pki renew the same once more"


def _checkFree(files: IssuingFiles, wish: Wish, ledger: Ledger, now: datetime) -> None:
    named = ledger.named(wish.file)
    taken = next((path for ending in endings() if (path := wish.folder / f"{wish.file}{ending}").exists()), None)
    # What this authority has not issued is not its to replace.
    if taken is not None and not (named and wish.mayReplace):
        raise FileExistsError(
            errno.EEXIST, f"there already, so it is not overwritten: {_wayOut(named, now)}", str(taken)
        )
    valid = next((each for each in named if each.status(now) == "valid"), None)
    if valid is not None and not wish.mayReplace:
        raise FileExistsError(
            errno.EEXIST,
            f"has {printable(wish.file)} already, valid until {timeText(valid.notAfter)}: --replace issues another in "
            "its place",
            str(files.record),
        )


def _write(folder: Path, files: Mapping[str, File]) -> None:
    makeFolder(folder, 0o700)
    writeFiles(folder, files)
