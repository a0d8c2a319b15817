"""Certificates alone, out of files and folders: authorities to be trusted, for one.

A bundle holds hundreds of authorities, and one of them that cannot be read must neither keep the others from being
trusted nor be left out in silence: a root that is missing shows much later and elsewhere. So it is passed over, and
named with its place and the reason, and a source in which nothing can be read is refused.
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
from tlscomm.failures import Damaged, TLSFailure, UnknownFormat, Unreadable
from tlscomm.x509._certificate import parsedCertificate

__all__ = ["readAuthorities"]

_TAKE_OUT = (
    "Take it out of the file, or have it issued again. Programs that are less strict may read it; no peer whose "
    "certificate it issued is accepted here."
)


def readAuthorities(source: SourceLike, passphrase: PassphraseSource) -> Contents:
    """Read the certificates of a source, a folder or standard input.

    Args:
        source: as in `tlscomm.credentials.loadCertificates`.
        passphrase: what opens a PFX.

    Returns:
        Those that can be read, and a failure for each that cannot.

    Raises:
        TLSFailure: as `tlscomm.credentials.loadCertificates`.
    """
    contents = Contents()
    for each in _each(source, passphrase):
        contents += each
    good, problems = list[x509.Certificate](), list(contents.unreadable)
    for certificate in dict.fromkeys(contents.certificates):
        if (problem := _problemOf(certificate, contents.places)) is None:
            good.append(certificate)
        else:
            problems.append(problem)
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


def _problemOf(certificate: x509.Certificate, places: dict[x509.Certificate, str]) -> TLSFailure | None:
    from tlscomm._openssl import decodingFault

    fault = parsedCertificate(certificate).malformation
    if not fault and (refusal := decodingFault(certificate)):
        fault = f"it cannot be read by OpenSSL: {refusal}"
    return Damaged(f"{places.get(certificate, 'a certificate')}: {fault}", remedy=_TAKE_OUT) if fault else None


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
