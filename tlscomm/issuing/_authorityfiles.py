"""An authority in files, and the record of what it has issued beside them.

Two commands that run at once take turns: who changes the record holds a lock from reading it to writing it.
"""

from __future__ import annotations

import binascii
import re
from binascii import a2b_base64
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import PassphraseSource, loadCertificates, loadCredential
from tlscomm.failures import Damaged, FileNotFound, NoPrivateKey, Revoked, TLSFailure, WrongPurpose, printable
from tlscomm.failures._wording import timeText
from tlscomm.issuing._authority import Authority
from tlscomm.issuing._record import REASON_FLAGS, Issued, Record, authorityDigest, issuedFrom
from tlscomm.issuing._renewing import authorityFrom
from tlscomm.x509._digests import digestText
from tlscomm.x509._extensions import readExtension
from tlscomm.x509._facts import subjectText
from tlscomm.x509._files import File, exclusively, writeFiles
from tlscomm.x509._issuers import hasIssued
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["AuthorityFiles", "IssuingFiles", "Ledger", "isAuthorityFolder", "loadAuthority", "lookAt"]

#: What an authority's certificate is called in its folder.
_CERTIFICATES = ("ca.pem", "ca.pfx", "ca.p12", "ca.crt")
#: What its private key is called beside it.
_KEYS = ("{}.key", "{}-key.pem", "{}_key")
_NAME_KEY = "Name the file with the authority's key (--ca-key FILE)."
_LOOKED_INTO = (".pem", ".cer", ".crt")
_LARGEST = 1 << 20
_FIRST = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END")
_REMEDY = "Put a copy of the list or of the record back, or move the list away: what was revoked is then valid again."
#: Files of a folder that are looked into for what no record has.
_MOST_FILES = 20_000


@dataclass(frozen=True)
class AuthorityFiles:
    """An authority, and where its files are.

    Attributes:
        path: the file with its certificate.
        certificate: its certificate.
        others: the roots that are in the same file.
    """

    path: Path
    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...]

    @property
    def folder(self) -> Path:
        """Where its certificate is."""
        return self.path.parent

    @property
    def record(self) -> Path:
        """The record of what it has issued."""
        return self._beside("issued.json")

    @property
    def list(self) -> Path:
        """Its list of revoked certificates."""
        return self._beside("crl.pem")

    @contextmanager
    def opened(self) -> Iterator[Ledger]:
        """Open the record, and let no other process have it meanwhile.

        Raises:
            Damaged: it cannot be read.
            Unreadable: another process does not let go of it.
            OSError: it cannot be read, or no file can be made in its folder.
        """
        with exclusively(self.record.with_name(f".{self.record.name}.lock")):
            yield self.read()

    def read(self) -> Ledger:
        """Read the record, and look for what it does not have. Nothing is written.

        Raises:
            Damaged: it cannot be read.
            OSError: the same.
        """
        digest = authorityDigest(self.certificate)
        former, record = b"", Record(digest, 0, {})
        if self.record.exists():
            former = self.record.read_bytes()
            kept = Record.parse(former, printable(str(self.record)))
            record, former = (kept, b"") if kept.authority == digest else (record, former)
        ledger = Ledger(self, record, former)
        ledger.findRevoked()
        ledger.findIssued()
        return ledger

    def revocations(self) -> x509.CertificateRevocationList | None:
        """Return its list of revoked certificates; None where there is none that can be read and that it has signed."""
        key: Any = self.certificate.public_key()
        try:
            found = x509.load_pem_x509_crl(self.list.read_bytes())
            return found if found.is_signature_valid(key) else None
        except (OSError, *REJECTIONS):
            return None

    def listEnds(self) -> datetime | None:
        """Return when that list expires; None where there is none."""
        found = self.revocations()
        return None if found is None else found.next_update_utc

    def _beside(self, name: str) -> Path:
        stem = self.path.stem
        return self.path.with_name(name if stem == "ca" else f"{stem}-{name}")


@dataclass(frozen=True)
class IssuingFiles(AuthorityFiles):
    """The same with the private key, so that it issues.

    Attributes:
        authority: the authority.
    """

    authority: Authority

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """What is above the certificates that peers are sent."""
        sent = self.authority.chain
        return tuple(each for each in (self.certificate, *self.others) if each not in sent)


class Ledger:
    """The record of an authority while it is changed.

    Args:
        files: whose it is.
        record: what it says.
        former: the record of another authority that was there, which is kept.
    """

    def __init__(self, files: AuthorityFiles, record: Record, former: bytes) -> None:
        self._files = files
        self._former = former
        self.listNumber = record.listNumber
        self.certificates = record.certificates

    def add(self, certificate: x509.Certificate, name: str) -> Issued:
        """Note what has been issued; what had its name before is superseded."""
        new = issuedFrom(certificate, name)
        for former in self.named(name):
            self.certificates[former.serial] = replace(former, isSuperseded=True)
        self.certificates[new.serial] = new
        return new

    def addRenewed(self, former: x509.Certificate, new: x509.Certificate, name: str) -> None:
        """Note what has been issued in the place of another, which may not be known yet.

        Args:
            former: what was there before.
            new: what was issued.
            name: what its files are called, where the record does not say.

        Raises:
            Revoked: the one before is revoked, and renewing it would undo that.
        """
        known = self.certificates.setdefault(former.serial_number, issuedFrom(former, name))
        if known.revoked is not None:
            raise Revoked(
                f"{known.subject or printable(name)}, on {timeText(known.revoked)}",
                remedy="tlscomm pki issue … --replace issues another one in its place.",
                stage="credential",
            )
        self.add(new, known.name or name)

    def named(self, name: str) -> list[Issued]:
        """Return what has been issued with a name."""
        return [each for each in self.certificates.values() if each.name == name]

    def write(self, others: Mapping[str, File] | None = None) -> None:
        """Write the record, and files beside it before it.

        Args:
            others: these files by their names.

        Raises:
            OSError: nothing has been written.
        """
        place, record = self._files.record, self.record()
        files = dict(others or {})
        if self._former:
            kept = Record.parse(self._former, place.name).authority
            files[f"{place.stem}-{kept[-8:]}{place.suffix}"] = File(self._former, isSecret=True)
        files[place.name] = File(record.content(), isSecret=True)
        writeFiles(place.parent, files)

    def record(self) -> Record:
        """Return what it says now."""
        return Record(authorityDigest(self._files.certificate), self.listNumber, self.certificates)

    def findRevoked(self) -> None:
        """Take over what stands in the authority's list: a lost record must not make anything valid again."""
        revocations = self._files.revocations()
        if revocations is None:
            if self._isLost():
                name = printable(str(self._files.list))
                raise Damaged(
                    f"{name}, the list of what was revoked, cannot be read, and there is no record", remedy=_REMEDY
                )
            return
        self.listNumber = max(self.listNumber, _numberOf(revocations))
        for entry in revocations:
            known = self.certificates.get(entry.serial_number) or _unknown(entry)
            if known.revoked is None:
                reason = _reasonOf(entry)
                self.certificates[known.serial] = replace(known, revoked=entry.revocation_date_utc, reason=reason)

    def findIssued(self) -> None:
        """Take over certificates in the authority's folder that were issued without the record."""
        known = {each.fingerprint for each in self.certificates.values()}
        found: dict[int, Issued] = {}
        for path in sorted(self._files.folder.iterdir())[:_MOST_FILES]:
            if (certificate := self._issuedIn(path, known)) is not None:
                each = issuedFrom(certificate, path.name[: -len(path.suffix)])
                found.setdefault(each.serial, each)
        for new in sorted(found.values(), key=lambda each: each.notBefore):
            self._takeOver(new)

    def _isLost(self) -> bool:
        """Return whether there is a list of this authority's that cannot be read, and nothing else knows of it."""
        if self.listNumber or not self._files.list.exists():
            return False
        try:
            issuer = x509.load_pem_x509_crl(self._files.list.read_bytes()).issuer
        except REJECTIONS:
            return True
        return issuer == self._files.certificate.subject

    def _takeOver(self, new: Issued) -> None:
        before = self.certificates.get(new.serial)
        for former in self.named(new.name):
            self.certificates[former.serial] = replace(former, isSuperseded=True)
        # It may be known by its number alone, from the revocation list.
        self.certificates[new.serial] = (
            new if before is None else replace(new, revoked=before.revoked, reason=before.reason)
        )

    def _issuedIn(self, path: Path, known: Collection[str]) -> x509.Certificate | None:
        isOther = path.suffix not in _LOOKED_INTO or path.name.endswith("-with-key.pem") or path == self._files.list
        if isOther or not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        try:
            content = path.read_bytes()
            # Most are known, and to read and verify a thousand of them takes seconds.
            if _digestOf(content) in known:
                return None
            certificate = loadCertificates(content)[0]
        except (TLSFailure, OSError):
            return None
        issuer = self._files.certificate
        return certificate if certificate != issuer and hasIssued(issuer, certificate) else None


def loadAuthority(place: Path, key: Path | None = None, passphrase: PassphraseSource = None) -> IssuingFiles:
    """Load an authority of one's own.

    Args:
        place: a folder with ``ca.pem`` and ``ca.key``, or with ``ca.pfx``; or the file with its certificate, and those
            of the authorities above it.
        key: where its private key is; in the same file, or beside it, where None.
        passphrase: opens the key.

    Raises:
        FileNotFound: there is none.
        NoPrivateKey, KeyMismatch: its key is not there, or is another one's.
        WrongPurpose: it is no authority's, or may not sign certificates.
        TLSFailure: as `loadCredential`.
    """
    path = _certificateIn(place) if place.is_dir() else place
    beside = (path.with_name(pattern.format(path.stem)) for pattern in _KEYS)
    key = key or next((each for each in beside if each != path and each.exists()), None)
    try:
        credential = loadCredential(path, key=key, passphrase=passphrase)
        authority = authorityFrom(credential)
    except NoPrivateKey as missing:
        missing.remedy = _NAME_KEY
        raise
    usage = readExtension(authority.certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise WrongPurpose(
            f"{subjectText(authority.certificate)} may not sign certificates (key usage)", stage="credential"
        )
    # A credential's chain has no root, and what is imported has.
    roots = tuple(each for each in loadCertificates(path, passphrase=passphrase) if each.subject == each.issuer)
    others = tuple(each for each in roots if each != authority.certificate)
    return IssuingFiles(path, authority.certificate, others, _withChain(authority, credential.chain))


def lookAt(place: Path) -> AuthorityFiles:
    """Return where the files of an authority are, without its private key.

    Args:
        place: as in `loadAuthority`.

    Raises:
        TLSFailure: as `loadCertificates`.
    """
    path = _certificateIn(place) if place.is_dir() else place
    certificate, *others = loadCertificates(path)
    return AuthorityFiles(path, certificate, tuple(others))


def _withChain(authority: Authority, above: tuple[x509.Certificate, ...]) -> Authority:
    """Have what it issues carry the certificates that lead to a root."""
    sent = tuple(each for each in (authority.certificate, *above) if each.subject != each.issuer)
    return Authority(authority.certificate, authority.privateKey, sent)


def isAuthorityFolder(folder: Path) -> bool:
    """Return whether a folder has an authority's certificate under its usual name."""
    return any((folder / name).exists() for name in _CERTIFICATES)


def _certificateIn(folder: Path) -> Path:
    found = next((folder / name for name in _CERTIFICATES if (folder / name).exists()), None)
    if found is None:
        raise FileNotFound(
            f"{printable(str(folder / 'ca.pem'))}, the certificate of an authority",
            remedy="Make an authority (tlscomm pki init FOLDER), or name yours (--authority FOLDER, --ca FILE).",
        )
    return found


def _digestOf(content: bytes) -> str:
    """Return the digest of the first certificate in a file, as it is before it is read."""
    if (block := _FIRST.search(content)) is None:
        return digestText(sha256(content).digest())
    try:
        return digestText(sha256(a2b_base64(block[1])).digest())
    except binascii.Error:
        return ""


def _numberOf(revocations: x509.CertificateRevocationList) -> int:
    try:
        return revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (x509.ExtensionNotFound, *REJECTIONS):
        return 0


def _reasonOf(entry: x509.RevokedCertificate) -> str:
    try:
        flag = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except (x509.ExtensionNotFound, *REJECTIONS):
        return ""
    return next((name for name, each in REASON_FLAGS.items() if each is flag), "")


def _unknown(entry: x509.RevokedCertificate) -> Issued:
    """Return what a revocation list tells of a certificate."""
    # How long it was valid is not told, so it stays on the list.
    date = entry.revocation_date_utc
    return Issued(entry.serial_number, "", "", (), "other", date, datetime.max.replace(tzinfo=date.tzinfo), "")
