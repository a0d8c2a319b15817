"""Certificates that an authority takes back, and the list that says so (RFC 5280, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import PassphraseSource, loadCertificates
from tlscomm.failures import Ambiguous, FileNotFound, UnknownIssuer, WrongPurpose, printable
from tlscomm.issuing._authorityfiles import IssuingFiles, Ledger
from tlscomm.issuing._certificates import revokedCertificate
from tlscomm.issuing._choices import LIST_DAYS
from tlscomm.issuing._filenames import fileStem
from tlscomm.issuing._record import REASON_FLAGS, Issued, issuedFrom
from tlscomm.issuing._renewing import checkCurrent
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import subjectText
from tlscomm.x509._files import File
from tlscomm.x509._issuers import hasIssued

__all__ = ["Revocations", "release", "renewList", "revoke"]

_LIST = "tlscomm pki list shows what this authority has issued."


@dataclass(frozen=True)
class Revocations:
    """A list that was written.

    Attributes:
        path: its file.
        number: its number (CRLNumber).
        nextUpdate: when it expires.
        revoked: how many certificates are on it.
        changed: what was put on it, or taken off.
        already: what had been on it before.
    """

    path: Path
    number: int
    nextUpdate: datetime
    revoked: int
    changed: tuple[Issued, ...] = ()
    already: tuple[Issued, ...] = ()


def revoke(
    files: IssuingFiles,
    targets: Sequence[str],
    reason: str,
    now: datetime,
    *,
    days: float = LIST_DAYS,
    passphrase: PassphraseSource = None,
) -> Revocations:
    """Revoke certificates and write the list with them.

    Args:
        files: the authority.
        targets: each a name that something was issued with, a file with the certificate, or a serial number in
            hexadecimal. A name stands for everything issued with it that has not expired.
        reason: why, one of the `tlscomm.issuing._choices.REASONS`; empty where it is not said.
        now: the present, with a time zone.
        days: how long the list is valid; the authority's certificate is not outlived.
        passphrase: opens files.

    Raises:
        FileNotFound: a target is none of the three.
        Ambiguous: a target is the name of one and the number of another.
        UnknownIssuer: a file's certificate is of another authority.
        Damaged: the record cannot be read. Nothing is revoked then.
        Expired, NotYetValid, WrongPurpose: the authority cannot sign a list now.
        OSError: a file cannot be written. Nothing is revoked then.
    """
    _checkSigner(files, now)
    with files.opened() as ledger:
        found = {each.serial: each for target in targets for each in _find(files, ledger, target, now, passphrase)}
        fresh = {serial: each for serial, each in found.items() if each.revoked is None}
        for serial, each in fresh.items():
            # To the second, as it will be read from the list.
            ledger.certificates[serial] = replace(each, revoked=now.replace(microsecond=0), reason=reason)
        changed = tuple(ledger.certificates[serial] for serial in fresh)
        already = tuple(each for serial, each in found.items() if serial not in fresh)
        return replace(_write(files, ledger, now, days), changed=changed, already=already)


def release(files: IssuingFiles, targets: Sequence[str], now: datetime, days: float = LIST_DAYS) -> Revocations:
    """Take certificates off the list that are on it for ``certificateHold``, and write it.

    What has another reason stays revoked (RFC 5280, section 5.3.1). The arguments and what is raised are those of
    `revoke`.
    """
    _checkSigner(files, now)
    with files.opened() as ledger:
        found = {each.serial: each for target in targets for each in _find(files, ledger, target, now, None)}
        held = [each for each in found.values() if each.revoked is not None and each.reason == "certificateHold"]
        for each in held:
            ledger.certificates[each.serial] = replace(each, revoked=None, reason="")
        already = tuple(each for each in found.values() if each not in held)
        return replace(_write(files, ledger, now, days), changed=tuple(held), already=already)


def renewList(files: IssuingFiles, now: datetime, days: float = LIST_DAYS) -> Revocations:
    """Write the list once more: its next update is later, and its number higher.

    The arguments and what is raised are those of `revoke`.
    """
    _checkSigner(files, now)
    with files.opened() as ledger:
        return _write(files, ledger, now, days)


def _write(files: IssuingFiles, ledger: Ledger, now: datetime, days: float) -> Revocations:
    revoked = [each for each in ledger.certificates.values() if each.revoked is not None]
    ledger.listNumber += 1
    made = files.authority.revocationList(
        number=ledger.listNumber,
        entries=map(_entry, revoked),
        now=now,
        nextUpdate=min(now + timedelta(days=days), files.authority.certificate.not_valid_after_utc),
    )
    # The list first: what stands in it is found again where the record has not been written.
    ledger.write({files.list.name: File(made.public_bytes(Encoding.PEM), isSecret=False)})
    ends = made.next_update_utc
    assert ends is not None
    return Revocations(files.list, ledger.listNumber, ends, len(revoked))


def _entry(each: Issued) -> x509.RevokedCertificate:
    assert each.revoked is not None
    # RFC 5280, section 5.3.1: what is unspecified should not be there.
    flag = None if each.reason in ("", "unspecified") else REASON_FLAGS[each.reason]
    return revokedCertificate(each.serial, each.revoked, flag)


def _checkSigner(files: IssuingFiles, now: datetime) -> None:
    certificate = files.authority.certificate
    checkCurrent(certificate, now)
    usage = readExtension(certificate, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        detail = f"{subjectText(certificate)} may not sign revocation lists (key usage)"
        raise WrongPurpose(detail, stage="credential", whose="the authority's certificate")


def _find(
    files: IssuingFiles, ledger: Ledger, target: str, now: datetime, passphrase: PassphraseSource
) -> list[Issued]:
    named = ledger.named(fileStem(target)) if target else []
    numbered = [each for number in _numbers(target) if (each := ledger.certificates.get(number)) is not None]
    if any(each not in named for each in numbered) and named:
        raise Ambiguous(f"{printable(target)} is the name of one certificate and the serial number of another")
    if named:
        # A key is in all that was issued for it, and those who have lost it do not know in which.
        return [each for each in named if each.status(now) != "expired"] or named
    return numbered or [_inFile(files, ledger, Path(target), passphrase)]


def _numbers(target: str) -> list[int]:
    digits = target.lower().removeprefix("0x").replace(":", "")
    return [int(digits, 16)] if digits and len(digits) <= 64 and set(digits) <= set("0123456789abcdef") else []


def _inFile(files: IssuingFiles, ledger: Ledger, path: Path, passphrase: PassphraseSource) -> Issued:
    if not path.is_file():
        raise FileNotFound(
            f"{printable(str(path))}, and no certificate of this name or serial number is in the record", remedy=_LIST
        )
    certificate = loadCertificates(path, passphrase=passphrase)[0]
    if not hasIssued(files.authority.certificate, certificate):
        issuer = subjectText(files.authority.certificate)
        raise UnknownIssuer(f"{subjectText(certificate)} was not issued by {issuer}", remedy=_LIST, stage="credential")
    new = issuedFrom(certificate, path.name.removesuffix(path.suffix))
    return ledger.certificates.setdefault(new.serial, replace(new, isSuperseded=bool(ledger.named(new.name))))
