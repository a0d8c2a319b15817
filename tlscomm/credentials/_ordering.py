"""Which of a heap of certificates is the leaf, which key is its own, and which of the others lead from it to its root.

Files hold certificates in every order: leaf first as TLS sends them, root first as PFX files of Windows do, or a whole
bundle of authorities with one's own certificate somewhere in it. Peers need the leaf and then each issuer in turn (RFC
8446, section 4.4.2), so the order of the file is never relied on.

This is bookkeeping and not verification: whether a chain is to be trusted is the peer's to say. So an issuer is found
by its name and key identifiers (RFC 5280, sections 4.2.1.1 and 4.2.1.2), and signatures are looked at only where these
do not decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tlscomm.x509._extensions import readExtension
from tlscomm.x509._issuers import hasIssued
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import validityOf

__all__ = ["chainOf", "fits", "isOfKnownKind", "leavesAndKeys", "rootOf"]

#: A hostile file may hold a thousand namesakes that each could have issued the others. OpenSSL's limit is 100.
_LONGEST_CHAIN = 32
#: To check a signature may take milliseconds.
_MOST_NAMESAKES = 16


def leavesAndKeys(
    certificates: Sequence[x509.Certificate], keys: Sequence[PrivateKeyTypes]
) -> tuple[tuple[x509.Certificate, PrivateKeyTypes | None], ...]:
    """Find the certificates that all this is about.

    They are those that a key fits, and first those of them that issued none of the others. Where a key fits several,
    the first of these counts. Where no key fits there is one: the first that issued none of the others.

    Args:
        certificates: at least one.
        keys: any number. Where none fits a certificate the first is still returned, for what judges the credential to
            name.

    Returns:
        Each leaf with its key: at least one, and None in place of the key where there is no key at all.
    """
    owned = {identity: key for key in reversed(keys) if (identity := _identity(key.public_key())) is not None}
    candidates = [*_endEntities(certificates), *certificates]
    found = []
    for candidate in candidates:
        key = owned.pop(_publicIdentity(candidate) or b"", None)
        if key is not None:
            found.append((candidate, key))
    return tuple(found) or ((candidates[0], keys[0] if keys else None),)


def chainOf(leaf: x509.Certificate, certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Put the issuers of a leaf in order, each the issuer of the one before.

    The root is left out: a peer that does not have it does not trust it either. What does not belong to the chain is
    left out too. Of several that could have issued a certificate, the one that did is taken, and of several that did
    (an authority that was renewed with the same key) the one that is valid longest.
    """
    bySubject: dict[x509.Name, list[x509.Certificate]] = defaultdict(list)
    for certificate in certificates:
        subject = _subject(certificate)
        if subject is not None and not _isRoot(certificate):
            bySubject[subject].append(certificate)
    chain: list[x509.Certificate] = []
    current = leaf
    while len(chain) < _LONGEST_CHAIN and not _isRoot(current):
        issuer = _issuerOf(current, bySubject)
        if issuer is None or issuer in (leaf, *chain):
            break
        chain.append(issuer)
        current = issuer
    return tuple(chain)


def rootOf(chain: Sequence[x509.Certificate], certificates: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return the root that a chain leads to, of those that are there, or None. A root leads to none but itself."""
    bySubject: dict[x509.Name, list[x509.Certificate]] = defaultdict(list)
    for certificate in certificates:
        if _isRoot(certificate) and (subject := _subject(certificate)) is not None:
            bySubject[subject].append(certificate)
    return None if _isRoot(chain[-1]) else _issuerOf(chain[-1], bySubject)


def fits(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Whether a private key is that of a certificate."""
    identity = _publicIdentity(certificate)
    return identity is not None and identity == _identity(key.public_key())


def isOfKnownKind(certificate: x509.Certificate) -> bool:
    """Return whether the public key of a certificate can be read, so that it can be compared."""
    return _publicIdentity(certificate) is not None


def _endEntities(certificates: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    issuers = {_issuer(certificate) for certificate in certificates if not _isRoot(certificate)} - {None}
    return tuple(certificate for certificate in certificates if _subject(certificate) not in issuers)


def _issuerOf(
    certificate: x509.Certificate, bySubject: dict[x509.Name, list[x509.Certificate]]
) -> x509.Certificate | None:
    name = _issuer(certificate)
    if name is None:
        return None
    candidates = [other for other in bySubject.get(name, ()) if _identifiersAgree(certificate, other)]
    if len(candidates) > 1:
        candidates = [other for other in candidates[:_MOST_NAMESAKES] if hasIssued(other, certificate)] or candidates
    return max(candidates, key=_end, default=None)


def _end(certificate: x509.Certificate) -> datetime:
    dates = validityOf(certificate)
    return datetime.min.replace(tzinfo=timezone.utc) if dates is None else dates[1]


def _isRoot(certificate: x509.Certificate) -> bool:
    # An authority that certifies its own next key has one name on both sides as well; its key identifiers differ.
    subject = _subject(certificate)
    return subject is not None and subject == _issuer(certificate) and _identifiersAgree(certificate, certificate)


def _identifiersAgree(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    wanted = readExtension(certificate, x509.AuthorityKeyIdentifier)
    found = readExtension(issuer, x509.SubjectKeyIdentifier)
    if wanted is None or found is None or wanted.key_identifier is None:
        return True
    return wanted.key_identifier == found.digest


def _subject(certificate: x509.Certificate) -> x509.Name | None:
    try:
        return certificate.subject
    except REJECTIONS:
        return None


def _issuer(certificate: x509.Certificate) -> x509.Name | None:
    try:
        return certificate.issuer
    except REJECTIONS:
        return None


def _publicIdentity(certificate: x509.Certificate) -> bytes | None:
    try:
        return _identity(certificate.public_key())
    except REJECTIONS:
        return None


def _identity(key: PublicKeyTypes) -> bytes | None:
    try:
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except REJECTIONS:
        return None
