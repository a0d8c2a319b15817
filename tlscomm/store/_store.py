"""Certificate stores: a place with a name, where credentials are kept and found again by what they are.

A path says where a file is, and breaks when the certificate in it is renewed under another name. A store is asked for
"the certificate for gateway.example that is valid now", by every program of a user or of the machine. Programs for .NET
pick their certificates that way, out of ``X509Store(StoreName.My, StoreLocation.…)``.

The user's stores are those of .NET on Linux, in the same folders and files (see `tlscomm.store._folder`): a
certificate that a .NET program adds is found here, and the other way round. A user who can read a file there has the
private key in it, for PKCS#12 without a pass phrase is no protection; so the modes of files and folders are, and they
are checked.

**Not exportable** is a mark beside the file. tlscomm refuses to export a key that is marked, so no user hands it on by
mistake, as with the check box in the dialog of Windows. It does not protect from the user whose store it is, nor from
any program that this user runs: they can read the file, copy it, and use the key. .NET does not know the mark. A key
that its owner must not be able to copy belongs into a security module.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from cryptography import x509
from twisted.logger import Logger

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential, loadCredential
from tlscomm.credentials._ordering import chainOf, rootOf
from tlscomm.failures import (
    Ambiguous,
    FileNotFound,
    InvalidCertificate,
    NotInStore,
    PassphraseRequired,
    StoreReadOnly,
    TLSFailure,
    UnsafePermissions,
    printable,
)
from tlscomm.store._entry import StoreEntry, sealed, sourceOf
from tlscomm.store._folder import LOCATIONS, NAMES, StoreFolder, exposure, locationNamed, storeNamed
from tlscomm.store._prefix import PREFIX
from tlscomm.store._search import Search, newestFirst
from tlscomm.store._systemroots import systemCertificates, systemRoots
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._digests import thumbprintOf
from tlscomm.x509._facts import certificateFacts

__all__ = [
    "LOCATIONS",
    "NAMES",
    "Search",
    "StoreContents",
    "StoreEntry",
    "X509Store",
    "loadFromStore",
    "rootsFromStore",
    "systemRoots",
]

_log = Logger(namespace="tlscomm")

_MOST_LISTED = 10

_ADD_TO_SYSTEM = (
    "Use CurrentUser/Root, or change the system's roots with its own tool: update-ca-certificates, update-ca-trust."
)


@dataclass(frozen=True)
class StoreContents:
    """What a store holds.

    Attributes:
        entries: its certificates, the newest valid one first, each once.
        problems: a failure for each file that cannot be read as it is, or should not be used as it is. Only the latter
            are among the entries.
    """

    entries: tuple[StoreEntry, ...]
    problems: tuple[TLSFailure, ...]


class X509Store:
    """A certificate store.

    It is a context manager. Nothing is kept open: each method looks at the files as they are then, so what other
    processes write is seen, and two of them may write at once.

    ``LocalMachine`` is for the administrator to change and for everybody to read: keys in it are its owner's alone, and
    certificates everybody's. Its store ``Root`` has the trust roots of the operating system, besides what is in its
    folder, and is never changed here. On Windows every store of ``LocalMachine`` also shows the certificates in the
    system's store of that name, without their keys: Python's `ssl.enum_certificates` does not give them.

    ``Disallowed`` is the one store that is not shared with .NET on Linux, which does not support it and builds no chain
    at all as soon as there is a file in its folder. Ours is beside it, in ``disallowed@tlscomm``.

    Args:
        name: ``My`` (credentials of one's own), ``Root`` (authorities to be trusted), ``CA`` (intermediate
            authorities), ``TrustedPeople``, ``Disallowed``, or any other name.
        location: ``CurrentUser`` or ``LocalMachine``.
        writable: whether it may be changed. A store that does not exist is then made when something is added.
        folder: the folder that has a folder for each store. Where None is given it is what the environment variable
            ``TLSCOMM_STORE`` names for ``CurrentUser`` and ``TLSCOMM_MACHINE_STORE`` for ``LocalMachine``, and else
            ``~/.dotnet/corefx/cryptography/x509stores``, and ``/etc/tlscomm/x509stores`` or, on Windows,
            ``tlscomm\\x509stores`` below ``%ProgramData%``.

    Raises:
        ValueError: there is no such location, or no store can have this name.
        UnsafePermissions: others can change its folder.
        Unreadable: its folder cannot be looked at.
        FileNotFound: the user has no home folder.
    """

    def __init__(
        self,
        name: str = "My",
        location: str = "CurrentUser",
        *,
        writable: bool = False,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.name = storeNamed(name)
        self.location = locationNamed(location)
        self.isWritable = writable
        self._folder = StoreFolder(self.location, self.name, folder)
        self._folder.check()

    @classmethod
    def named(cls, text: str, *, writable: bool = False, folder: str | os.PathLike[str] | None = None) -> X509Store:
        """Open the store that a text such as ``LocalMachine/Root`` names; the rest is as in the constructor."""
        location, slash, name = text.partition("/")
        if not slash:
            raise ValueError(f"a store is LOCATION/NAME, as in CurrentUser/My, not {printable(text)!r}")
        return cls(name, location, writable=writable, folder=folder)

    @property
    def title(self) -> str:
        """Location and name, as in ``CurrentUser/My``."""
        return f"{self.location}/{self.name}"

    @property
    def path(self) -> Path:
        """The folder with the files. It may not exist yet."""
        return self._folder.path

    def __enter__(self) -> X509Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def contents(self) -> StoreContents:
        """Return all certificates, and what is wrong with files that are there.

        Raises:
            Unreadable: the folder may not be read.
        """
        # A mark is written before its file and removed after it, so one that counts is seen before or after reading.
        before = self._folder.files()
        read = [self._read(path) for path in before.certificates]
        marked = before.marked | self._folder.files().marked
        entries = [entry for entry in read if isinstance(entry, StoreEntry)]
        problems = [*before.broken, *(entry for entry in read if isinstance(entry, TLSFailure))]
        problems += [entry.failure for entry in entries if entry.failure is not None]
        system, broken = self._fromSystem()
        found: dict[x509.Certificate, StoreEntry] = {}
        for entry in sorted((*entries, *system), key=lambda entry: not entry.hasPrivateKey):
            found.setdefault(entry.certificate, _marked(entry, entry.thumbprint not in marked))
        return StoreContents(newestFirst(found.values(), _now()), (*problems, *broken))

    def search(self, search: Search) -> tuple[StoreEntry, ...]:
        """Return what fits, the newest valid one first; nothing where nothing does.

        Raises:
            Unreadable: the folder may not be read.
        """
        return tuple(entry for entry in self.contents().entries if search.fits(entry))

    def find(self, search: Search) -> StoreEntry:
        """Return the one that fits.

        Raises:
            NotInStore: there is none. Files that cannot be read are named, because it may be in one of them.
            Ambiguous: there are several; the detail lists them.
            Unreadable: the folder may not be read.
        """
        return _only(self, self.contents(), search)

    def add(
        self, added: Credential | x509.Certificate, *, exportable: bool | None = None, friendlyName: str | None = None
    ) -> StoreEntry:
        """Add a certificate, with its private key and chain if it comes with them.

        A certificate that is there already is replaced. Its mark and its name stay unless others are given, and adding
        the certificate alone takes neither key nor chain nor mark away.

        Args:
            added: what to add. Its chain is kept with it where it has a key; intermediates may be put into the store
                ``CA`` as well, where `loadFromStore` finds them.
            exportable: whether the key may be exported again. The module says what that is good for. None leaves that
                as it is, in the store or in the credential; what is marked nowhere may be exported.
            friendlyName: what to call it; where None is given, what the store calls it, and else the credential.

        Returns:
            The entry.

        Raises:
            StoreReadOnly: the store was opened for reading, this user may not write, or it is the operating system's.
            KeyMismatch: the key is not that of the certificate.
            UnknownFormat: PKCS#12 has no place for a key of its kind.
            UnsafePermissions: others can change the folder.
            OSError: it cannot be written. The store is as it was.
        """
        self._requireWritable()
        credential = added if isinstance(added, Credential) else Credential(added)
        # What cannot be kept is refused before anything is made.
        sealed(credential)
        thumbprint = thumbprintOf(credential.certificate)
        with self._folder.changing():
            # As .NET does, files of other names are not looked at: reading all of them for each takes too long.
            there = self._holding(credential.certificate, namedAfter=thumbprint)
            path = next(iter(there), None)
            if path is not None:
                held = _marked(there[path], thumbprint not in self._folder.files().marked).credential
                credential, exportable = _joined(credential, held, exportable)
            credential = replace(
                credential,
                friendlyName=credential.friendlyName if friendlyName is None else friendlyName,
                isExportable=credential.isExportable if exportable is None else exportable,
            )
            path = self._write(path, thumbprint, credential)
            written = self._read(path)
        if isinstance(written, StoreEntry):
            return _marked(written, credential.isExportable or not written.hasPrivateKey)
        # Another program, which takes no lock, was at it.
        raise written or NotInStore(f"{path} was removed as soon as it was written")

    def remove(self, removed: StoreEntry | x509.Certificate) -> None:
        """Remove a certificate and its private key for good.

        Raises:
            NotInStore: it is not there.
            StoreReadOnly: the store was opened for reading, this user may not write, or it is the operating system's.
            UnsafePermissions: others can change the folder.
            OSError: it cannot be removed.
        """
        self._requireWritable()
        certificate = removed.certificate if isinstance(removed, StoreEntry) else removed
        thumbprint = thumbprintOf(certificate)
        with self._folder.changing():
            there = self._holding(certificate)
            for path in there:
                self._folder.remove(path)
            self._folder.mark(thumbprint, False)
        if not there:
            self._refuseAbsent(certificate)

    def __repr__(self) -> str:
        return f"<X509Store {self.title} {'for reading and writing' if self.isWritable else 'for reading'}>"

    def _requireWritable(self) -> None:
        if not self.isWritable:
            raise StoreReadOnly(f"{self.title} was opened for reading")
        if (self.location, self.name) == ("LocalMachine", "Root"):
            raise StoreReadOnly(f"{self.title} is the operating system's own store", remedy=_ADD_TO_SYSTEM)

    def _refuseAbsent(self, certificate: x509.Certificate) -> None:
        facts = certificateFacts(certificate)
        if any(entry.certificate == certificate for entry in self._fromSystem()[0]):
            raise StoreReadOnly(f"{facts.subject} is in the operating system's own store", certificate=facts)
        raise NotInStore(f"{facts.subject} is not in {self.title}", certificate=facts)

    def _write(self, path: Path | None, thumbprint: str, credential: Credential) -> Path:
        content = sealed(credential)
        isSecret = credential.privateKey is not None
        # In this order a crash leaves a key marked rather than free.
        if isSecret and not credential.isExportable:
            self._folder.mark(thumbprint, True)
        if path is None:
            path = self._folder.put(thumbprint, content, isSecret=isSecret)
        else:
            self._folder.replace(path, content, isSecret=isSecret)
        if isSecret and credential.isExportable:
            self._folder.mark(thumbprint, False)
        return path

    def _holding(self, certificate: x509.Certificate, *, namedAfter: str = "") -> dict[Path, StoreEntry]:
        """Return the files that hold a certificate, those that have its key first."""
        read = {
            path: self._read(path) for path in self._folder.files().certificates if path.name.startswith(namedAfter)
        }
        found = [
            (path, entry)
            for path, entry in read.items()
            if isinstance(entry, StoreEntry) and entry.certificate == certificate
        ]
        return dict(sorted(found, key=lambda item: not item[1].hasPrivateKey))

    def _read(self, path: Path) -> StoreEntry | TLSFailure | None:
        """Return what a file holds or what is wrong with it, nothing where it is gone by now."""
        try:
            credential = loadCredential(path, checkPermissions=False)
            exposed = exposure(path, holdsKey=credential.privateKey is not None)
        except (FileNotFound, FileNotFoundError):
            return None
        except PassphraseRequired as failure:
            failure.remedy = (
                "A store's files have no pass phrase. Add it again: tlscomm store add --passphrase-file FILE --store "
                f"{shlex.quote(self.title)} {shlex.quote(str(path))}. Then remove that file."
            )
            return failure
        except TLSFailure as failure:
            return failure
        return self._entry(credential, path, exposed or _unreadable(credential.certificate))

    def _entry(self, credential: Credential, path: Path | None, failure: TLSFailure | None = None) -> StoreEntry:
        source = sourceOf(self.title, credential.certificate)
        return StoreEntry(self.title, replace(credential, source=source), path, failure=failure)

    def _fromSystem(self) -> tuple[list[StoreEntry], list[TLSFailure]]:
        if self.location != "LocalMachine":
            return [], []
        try:
            return [self._entry(Credential(found), None) for found in systemCertificates(self.name)], []
        except TLSFailure as failure:
            return [], [failure]


def loadFromStore(source: str) -> Credential:
    """Load a credential that a text names: ``store:LOCATION/NAME:FIELD=VALUE``, ``store:CurrentUser/My:dns=a.example``.

    The fields are those of `Search`. Several are joined by colons, as in ``store:CurrentUser/My:dns=a.example:validAt=
    now``; with none, the store has to hold exactly one certificate. A colon in a value is taken for what it is, except
    before a word and an equals sign, where it needs a backslash; a backslash is written twice. In an endpoint string,
    which has colons of its own, each colon and each backslash of all this needs one more backslash.

    Its chain is completed with certificates out of the store ``CA`` of the same location.

    Args:
        source: the text.

    Returns:
        The credential. It may lack a key: see `tlscomm.credentials.checkUsable`.

    Raises:
        ValueError: the text is none of these.
        NotInStore, Ambiguous: not exactly one certificate fits.
        UnsafePermissions: others can read the key, or change the store.
        Unreadable: the store may not be read.
    """
    store, search = _parsed(source)
    contents = store.contents()
    entry = _only(store, contents, search)
    if entry.failure is not None:
        raise entry.failure
    _report(store, contents)
    credential = entry.credential
    chain = chainOf(credential.certificate, (*credential.chain, *_held("CA", store)))
    # A root that has issued it is of use for a response to staple. There may be hundreds, so others are not looked for.
    root = credential.root
    if not chain:
        # What is wrong with that store is told where its roots are named.
        with suppress(TLSFailure):
            root = rootOf((credential.certificate,), _held("Root", store))
    return replace(credential, chain=chain, root=root)


def _held(name: str, beside: X509Store) -> list[x509.Certificate]:
    """Return the certificates of another store in the same place that can be read."""
    return [found.certificate for found in X509Store(name, beside.location).contents().entries if found.failure is None]


def rootsFromStore(source: str) -> tuple[x509.Certificate, ...]:
    """Load the certificates that a text names, as roots to be trusted; the text is that of `loadFromStore`.

    Returns:
        All that fit, at least one. Files that cannot be read are left out and logged.

    Raises:
        ValueError: the text is none of these.
        NotInStore: nothing fits.
        UnsafePermissions: others can change the store, or one of the certificates.
        Unreadable: the store may not be read.
    """
    store, search = _parsed(source)
    contents = store.contents()
    found = [entry for entry in contents.entries if search.fits(entry)]
    if not found:
        raise _notInStore(store, contents, search)
    for entry in found:
        if isinstance(entry.failure, UnsafePermissions):
            raise entry.failure
    _report(store, contents)
    return tuple(entry.certificate for entry in found if entry.failure is None) or _refuse(found)


def _refuse(found: Sequence[StoreEntry]) -> NoReturn:
    """Raise what is wrong with the first of several that are all not to be used."""
    raise next(entry.failure for entry in found if entry.failure is not None)


def _parsed(source: str) -> tuple[X509Store, Search]:
    place, _, conditions = source.removeprefix(PREFIX).partition(":")
    return X509Store.named(place), Search.parse(conditions)


def _unreadable(certificate: x509.Certificate) -> InvalidCertificate | None:
    """Return the failure of a certificate that can be loaded and not be read, None where it can."""
    if not (malformation := parsedCertificate(certificate).malformation):
        return None
    facts = certificateFacts(certificate)
    return InvalidCertificate(f"{facts.subject}, {malformation}", stage="credential", certificate=facts, depth=0)


def _marked(entry: StoreEntry, isExportable: bool) -> StoreEntry:
    return replace(entry, credential=replace(entry.credential, isExportable=isExportable))


def _joined(added: Credential, held: Credential, exportable: bool | None) -> tuple[Credential, bool | None]:
    """Return what is added with what the store keeps of it, and whether its key may be exported where that is said."""
    name = held.friendlyName or added.friendlyName
    if added.privateKey is None and held.privateKey is not None:
        # Only who has the key elsewhere may take its mark away.
        return replace(held, friendlyName=name), False if exportable is False else None
    isFree = added.isExportable and (held.isExportable or held.privateKey is None)
    return replace(added, friendlyName=name, isExportable=isFree), exportable


def _only(store: X509Store, contents: StoreContents, search: Search) -> StoreEntry:
    found = [entry for entry in contents.entries if search.fits(entry)]
    if not found:
        raise _notInStore(store, contents, search)
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} in {store.title}: {_listed(found)}")
    return found[0]


def _notInStore(store: X509Store, contents: StoreContents, search: Search) -> NotInStore:
    asked = f" for {search}" if str(search) else ""
    broken = f"; {len(contents.problems)} files in it have problems" if contents.problems else ""
    return NotInStore(
        f"{store.title} ({len(contents.entries)} certificates) was searched{asked}{broken}",
        evidence=tuple(str(problem) for problem in contents.problems[:_MOST_LISTED]),
    )


def _listed(entries: list[StoreEntry]) -> str:
    listed = [
        f"{facts.subject} until {facts.notAfter} ({entry.thumbprint})"
        for entry in entries[:_MOST_LISTED]
        for facts in (certificateFacts(entry.certificate),)
    ]
    return "; ".join([*listed, "…"] if len(entries) > _MOST_LISTED else listed)


def _report(store: X509Store, contents: StoreContents) -> None:
    for problem in contents.problems:
        _log.warn("in the certificate store {store}: {problem}", store=store.title, problem=str(problem))


def _now() -> datetime:
    return datetime.now(timezone.utc)
