"""Certificates alone, out of files and folders: authorities to be trusted, for one.

A bundle holds hundreds of authorities, and one of them that cannot be read must neither keep the others from being
trusted nor be left out in silence: a root that is missing shows much later and elsewhere. So it is passed over, and
named with its place and the reason, and a source in which nothing can be read is refused. What OpenSSL reads and our
own rules do not stays: the verdict on what it issued names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from cryptography import x509

from tlscomm.credentials._contents import Contents
from tlscomm.credentials._formats import readContents
from tlscomm.credentials._passphrase import Passphrase, PassphraseSource, Retrying
from tlscomm.credentials._sources import SourceLike, nameOf, readSource
from tlscomm.failures import Damaged, TLSFailure, UnknownFormat, Unreadable, WrongPurpose
from tlscomm.x509._certificate import parsedCertificate
from tlscomm.x509._roles import Role

__all__ = ["distrust", "readAuthorities"]

_TAKE_OUT = (
    "Take it out of the file, or have it issued again. Programs that are less strict may read it; no peer whose "
    "certificate it issued is accepted here."
)


_TRUST_IT = (
    "The one who made the file says so. If you trust the authority for this all the same, name a file with its "
    "certificate alone: openssl x509 -in FILE -out NEW.pem."
)


def readAuthorities(source: SourceLike, passphrase: PassphraseSource, peerRole: Role | None = None) -> Contents:
    """Read the certificates of a source, a folder or standard input.

    Args:
        source: as in `tlscomm.credentials.loadCertificates`.
        passphrase: what opens a PFX.
        peerRole: the side of the peers that they are to vouch for; either where None.

    Returns:
        Those that OpenSSL can read and that are to be trusted, and a failure for each that is not, or cannot be read.

    Raises:
        TLSFailure: as `tlscomm.credentials.loadCertificates`.
    """
    # Programs that only look into files do without OpenSSL, which takes a tenth of a second to load.
    from tlscomm._openssl import decodingFault

    contents = Contents()
    for each in _each(source, passphrase):
        contents += each
    good, problems = list[x509.Certificate](), list(contents.unreadable)
    for certificate in dict.fromkeys(contents.certificates):
        if (distrusted := distrust(certificate, contents, peerRole)) is not None:
            problems.append(distrusted)
            continue
        place = contents.places.get(certificate, "a certificate")
        malformation = parsedCertificate(certificate).malformation
        if refusal := decodingFault(certificate):
            problems.append(Damaged(f"{place}: {malformation or refusal}; it is left out", remedy=_TAKE_OUT))
            continue
        good.append(certificate)
        if malformation:
            problems.append(Damaged(f"{place}: {malformation}; nothing that it issued is accepted", remedy=_TAKE_OUT))
    return replace(contents, certificates=tuple(good), unreadable=tuple(problems))


def _each(source: SourceLike, passphrase: PassphraseSource) -> Iterator[Contents]:
    if not isinstance(source, str | os.PathLike) or not _isFolder(source):
        yield readContents(readSource(source), Passphrase(passphrase), wantKeys=False, isLenient=True)
        return
    # A person is not asked for every PFX of a folder.
    given = None if type(passphrase) is Retrying else passphrase
    for path in _filesIn(source):
        try:
            yield readContents(readSource(path), Passphrase(given), wantKeys=False, isLenient=True)
        except UnknownFormat:
            # A text about the roots, or a list of what they revoked.
            continue
        except TLSFailure as problem:
            # It is damaged, encrypted, or not for us to read.
            yield Contents(unreadable=(problem,))


def distrust(certificate: x509.Certificate, contents: Contents, peerRole: Role | None) -> TLSFailure | None:
    """Return what keeps a certificate from being trusted as an authority that its file says itself, or None."""
    for trusted, settings in contents.trustSettings:
        if trusted == certificate and (refusal := settings.refusal(peerRole)):
            place = contents.places.get(certificate, "a certificate")
            return WrongPurpose(f"{place}: {refusal}", stage="credential", remedy=_TRUST_IT)
    return None


def _isFolder(path: str | os.PathLike[str]) -> bool:
    # ValueError: no name of a file, as readSource will say.
    try:
        return os.path.isdir(path)
    except ValueError:
        return False


def _filesIn(folder: str | os.PathLike[str]) -> list[str]:
    try:
        with os.scandir(os.fsdecode(folder)) as entries:
            return sorted(entry.path for entry in entries if not entry.name.startswith(".") and _isFile(entry))
    except OSError as error:
        raise Unreadable(f"{nameOf(folder)}: {error.strerror}") from None


def _isFile(entry: os.DirEntry[str]) -> bool:
    # OSError: a link to itself, which hides nothing else.
    try:
        return entry.is_file()
    except OSError:
        return False
