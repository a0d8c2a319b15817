"""What a file holds, whatever kind it is, and what that is good for.

A credential that is not accepted is in most cases a file that is not what its owner thinks: no key in it, another one's
key, the chain missing, or something else altogether. So everything is said that the content shows, and a part that
cannot be opened does not hide the parts that can.
"""

from __future__ import annotations

import re
import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential, PassphraseSource
from tlscomm.credentials._authorities import distrust
from tlscomm.credentials._contents import Contents
from tlscomm.credentials._formats import formOf, readContents
from tlscomm.credentials._ordering import chainOf, fits, leavesAndKeys
from tlscomm.credentials._passphrase import Passphrase
from tlscomm.credentials._sources import Source, readSource
from tlscomm.failures import (
    Damaged,
    NoPrivateKey,
    PassphraseRequired,
    PassphraseWrong,
    TLSFailure,
    UnknownFormat,
    UnsafePermissions,
    printable,
)
from tlscomm.store import isStoreSource, loadFromStore
from tlscomm.verification._owncredential import credentialProblems
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._roles import Role
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["Chain", "Found", "Inspection", "credentialsOf", "inspected", "inspectedKeys"]

T = TypeVar("T")

_MOST_NOTES = 10

_REQUESTS = frozenset({b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST"})
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----")


@dataclass(frozen=True)
class Chain:
    """How far the certificates of a file lead.

    Attributes:
        certificates: the issuers of the leaf that are in the file, in order, the root among them if it is there.
        isOrdered: whether the file has them in this order, the leaf first.
        isComplete: whether they lead to a root, in the file or among the trusted ones; None where that cannot be known,
            because what issued the last one is neither in the file nor trusted here.
        isTrusted: whether one of them is trusted, or issued by who is; None where it is not said who is trusted.
        others: how many certificates of the file do not belong to it.
    """

    certificates: tuple[x509.Certificate, ...]
    isOrdered: bool
    isComplete: bool | None
    isTrusted: bool | None
    others: int


@dataclass(frozen=True)
class Found:
    """A credential in a file, or a certificate alone.

    Attributes:
        credential: the leaf with its issuers, and its key if it is there.
        chain: how far the certificates of the file lead from it.
        roots: the trusted authorities, None where it is not said who is trusted.
    """

    credential: Credential
    chain: Chain
    roots: tuple[x509.Certificate, ...] | None = None

    @property
    def keyFits(self) -> bool | None:
        """Whether the private key is that of the certificate, None where there is no key."""
        key = self.credential.privateKey
        return None if key is None else fits(self.credential.certificate, key)

    def obstacles(self, role: Role, now: datetime) -> Iterator[TLSFailure]:
        """Give what keeps the credential from standing on one side of a connection, nothing where nothing does.

        Where no authority is said to be trusted the end of the chain is, so that faults of the chain itself are found.
        """
        links = (self.credential.certificate, *self.chain.certificates)
        anchors = links[-1:] if self.roots is None else self.roots
        yield from credentialProblems(self.credential, role, now, anchors)


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What is known of a file.

    Attributes:
        name: what it is called, printable.
        form: its format, None where it is not known.
        certificates: in the order of the file.
        keys: its private keys, as far as they could be opened.
        holdsKey: whether there is a private key, opened or not.
        lists: its revocation lists.
        requests: its requests for certificates.
        credentials: one for each key that fits a certificate; where none does, one for the leaf; none where there is no
            certificate.
        failure: why it cannot be read, or not all of it.
        warnings: what is wrong with the file itself.
        notes: where a certificate cannot be read, and where it deviates from the standards without being refused for
            that, in the words of `cryptography`.
    """

    name: str
    form: str | None = None
    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKeyTypes, ...] = ()
    holdsKey: bool = False
    lists: tuple[x509.CertificateRevocationList, ...] = ()
    requests: tuple[x509.CertificateSigningRequest, ...] = ()
    credentials: tuple[Found, ...] = ()
    failure: TLSFailure | None = None
    warnings: tuple[TLSFailure, ...] = ()
    notes: tuple[str, ...] = ()


def inspected(
    file: str,
    passphrase: PassphraseSource,
    roots: tuple[x509.Certificate, ...] | None,
    keys: tuple[PrivateKeyTypes, ...] = (),
) -> Inspection:
    """Read a file. What is wrong with it is part of what is returned; nothing of it is raised.

    Args:
        file: its path, or what names an entry of a store.
        passphrase: what opens encrypted content, as for `tlscomm.credentials.loadCredential`.
        roots: the trusted authorities to which a chain has to lead; where None is given it need not.
        keys: private keys that are kept apart; where there are any, those of the file are not looked at.

    Raises:
        ValueError: the text begins as that of a store does, and names none.
    """
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        found = _inStore(file, roots, keys) if isStoreSource(file) else _inFile(file, passphrase, roots, keys)
        for certificate in found.certificates:
            # Parts of a certificate are parsed when they are asked for.
            certificateFacts(certificate)
    notes = dict.fromkeys(printable(str(note.message)) for note in noted)
    return replace(found, notes=(*found.notes, *notes)[:_MOST_NOTES])


def inspectedKeys(file: str, passphrase: PassphraseSource) -> Inspection:
    """Read a file that is to hold the private key; where it holds none that is its failure."""
    found = inspected(file, passphrase, None)
    if found.keys or found.failure is not None:
        return found
    return replace(found, failure=NoPrivateKey(f"{printable(found.name)} holds no private key"))


def _inStore(source: str, roots: tuple[x509.Certificate, ...] | None, keys: tuple[PrivateKeyTypes, ...]) -> Inspection:
    try:
        credential = loadFromStore(source)
    except TLSFailure as failure:
        return Inspection(name=source, failure=failure)
    certificates = (credential.certificate, *credential.chain)
    own = () if credential.privateKey is None else (credential.privateKey,)
    ((_, key),) = leavesAndKeys(certificates[:1], keys or own)
    return Inspection(
        name=source,
        form="certificate store",
        certificates=certificates,
        keys=own,
        holdsKey=bool(own),
        credentials=(Found(replace(credential, privateKey=key), _chain(credential, certificates, roots), roots),),
    )


def _inFile(
    file: str,
    passphrase: PassphraseSource,
    roots: tuple[x509.Certificate, ...] | None,
    keys: tuple[PrivateKeyTypes, ...],
) -> Inspection:
    try:
        source = readSource(file)
    except TLSFailure as failure:
        return Inspection(name=file, failure=failure)
    lists, broken = _listsIn(source)
    requests = tuple(_parsed(source, _REQUESTS, x509.load_pem_x509_csr, x509.load_der_x509_csr))
    contents, problem = _contents(source, passphrase, wantKeys=not keys)
    if isinstance(problem, UnknownFormat) and (broken is not None or lists or requests):
        problem = broken
    unreadable = contents.unreadable
    # With a key it is a credential, which nothing takes that way; without, authorities of which the others are good.
    isCredential = contents.holdsKey or bool(keys)
    if problem is None and unreadable and (isCredential or not contents.certificates):
        problem, unreadable = unreadable[0], unreadable[1:]
    paired = replace(contents, keys=keys or contents.keys)
    return Inspection(
        name=source.name,
        form=_form(source, lists, requests),
        certificates=contents.certificates,
        keys=contents.keys,
        holdsKey=contents.holdsKey,
        lists=lists,
        requests=requests,
        credentials=tuple(
            Found(credential, _chain(credential, contents.certificates, roots), roots)
            for credential in credentialsOf(paired, source.name)
        ),
        failure=problem,
        notes=tuple(_malformations(contents)),
        warnings=(*unreadable, *_distrusted(contents), *_warnings(source, contents)),
    )


def _distrusted(contents: Contents) -> Iterator[TLSFailure]:
    for certificate in dict.fromkeys(certificate for certificate, _ in contents.trustSettings):
        if (refusal := distrust(certificate, contents, None)) is not None:
            yield refusal


def credentialsOf(contents: Contents, source: str) -> tuple[Credential, ...]:
    """Return the credentials in what a file holds, as `tlscomm.credentials.loadCredentials` does.

    Args:
        contents: what the file holds.
        source: what it is called.
    """
    certificates = tuple(dict.fromkeys(contents.certificates))
    return tuple(
        Credential(leaf, chainOf(leaf, certificates), key, contents.friendlyNames.get(leaf), source)
        for leaf, key in (leavesAndKeys(certificates, contents.keys) if certificates else ())
    )


def _contents(source: Source, passphrase: PassphraseSource, *, wantKeys: bool) -> tuple[Contents, TLSFailure | None]:
    """Return what could be read, and why that is not all."""

    unlocking = Passphrase(passphrase)
    try:
        return readContents(source, unlocking, wantKeys=wantKeys, isLenient=True), None
    except (PassphraseRequired, PassphraseWrong) as locked:
        # What was answered is remembered, so a person is not asked again.
        for known in (unlocking, Passphrase(None)):
            with suppress(TLSFailure):
                return readContents(source, known, wantKeys=False, isLenient=True), locked
        return Contents(), locked
    except TLSFailure as failure:
        return Contents(), failure


def _listsIn(source: Source) -> tuple[tuple[x509.CertificateRevocationList, ...], TLSFailure | None]:
    """Return the revocation lists of a source, and why one of them cannot be read."""
    lists, broken = list[x509.CertificateRevocationList](), None
    try:
        found = readContents(source, Passphrase(None), wantKeys=False, wantLists=True).lists
    except TLSFailure as failure:
        # What it is where it is no list is said by what reads certificates.
        return (), failure if isinstance(failure, Damaged) else None
    for each in found:
        try:
            lists.append(x509.load_der_x509_crl(each.content))
        except REJECTIONS as error:
            broken = Damaged(f"{each.place} cannot be read: {unreadableText(error)}")
    return tuple(lists), broken


def _parsed(
    source: Source, labels: frozenset[bytes], readPEM: Callable[[bytes], T], readDER: Callable[[bytes], T]
) -> Iterator[T]:
    blocks = [found[0] for found in _BLOCK.finditer(source.content) if found[1] in labels]
    for read, content in [(readPEM, block) for block in blocks] or [(readDER, source.content)]:
        try:
            yield read(content)
        except REJECTIONS:
            continue


def _form(source: Source, lists: tuple[object, ...], requests: tuple[object, ...]) -> str | None:
    known = formOf(source.content)
    if known is not None or not (lists or requests):
        return known
    return "DER revocation list" if lists else "DER certificate request"


def _chain(
    credential: Credential, certificates: tuple[x509.Certificate, ...], roots: tuple[x509.Certificate, ...] | None
) -> Chain:
    belonging = [credential.certificate, *credential.chain]
    last = belonging[-1]
    isRoot = _didIssue(last, last)
    root = None if isRoot else next((found for found in certificates if _didIssue(found, last)), None)
    belonging += [] if root is None else [root]
    isTrusted = any(link in (roots or ()) for link in belonging) or any(_didIssue(each, last) for each in roots or ())
    return Chain(
        certificates=tuple(belonging[1:]),
        isOrdered=[found for found in dict.fromkeys(certificates) if found in belonging] == belonging,
        isComplete=True if isRoot or root is not None or isTrusted else None if roots is None else False,
        isTrusted=None if roots is None else isTrusted,
        others=len(set(certificates) - set(belonging)),
    )


def _didIssue(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        # Names first, for there may be many and signatures take time.
        if issuer.subject != certificate.issuer:
            return False
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except REJECTIONS:
        # Signed with SHA-1, for one, as old roots are. This is bookkeeping and not verification: the names agree.
        return True
    return True


def _malformations(contents: Contents) -> Iterator[str]:
    for certificate in contents.certificates:
        if malformation := parsedCertificate(certificate).malformation:
            yield f"{contents.places.get(certificate, 'a certificate')}: {malformation}"


def _warnings(source: Source, contents: Contents) -> tuple[TLSFailure, ...]:
    if not (contents.holdsKey and source.isReadableByOthers):
        return ()
    return (UnsafePermissions(f"{source.name}; to mend it: chmod 600 {shlex.quote(source.name)}"),)
