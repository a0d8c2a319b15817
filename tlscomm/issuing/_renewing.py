"""A certificate that is issued once more: for the same owner and the same use, and for as long as the last time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtensionOID

from tlscomm.credentials import Credential
from tlscomm.failures import Expired, InvalidCertificate, KeyTooWeak, NotYetValid, UnknownIssuer, WrongPurpose
from tlscomm.failures._wording import timeText
from tlscomm.issuing._authority import Authority
from tlscomm.issuing._certificates import Validity, signCertificate
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import subjectText
from tlscomm.x509._issuers import hasIssued
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["authorityFrom", "checkCurrent", "renewed"]

#: What says something of one certificate alone: the next one has it anew, or not at all.
_OF_ONE = (
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS,
    ExtensionOID.PRECERT_POISON,
)
_OF_ONE_SIZE = (
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
    mldsa.MLDSA44PrivateKey,
    mldsa.MLDSA65PrivateKey,
    mldsa.MLDSA87PrivateKey,
)
#: The clock of a peer may be behind.
_BACKDATED = timedelta(hours=1)

_NAME_AUTHORITY = "Name the certificate and the key of the authority that has issued it (--authority, --authority-key)."


def authorityFrom(credential: Credential) -> Authority:
    """Return the authority whose certificate and key these are.

    Raises:
        NoPrivateKey: its key is not there.
        KeyMismatch: it is another one's.
        WrongPurpose: it is no authority's.
        KeyTooWeak: it has a kind of key that issues nothing.
    """
    key = credential.requireKey().privateKey
    certificate = credential.certificate
    if not _isAuthority(certificate):
        raise WrongPurpose(f"{subjectText(certificate)} is no authority's", remedy=_NAME_AUTHORITY, stage="credential")
    if not isinstance(
        key,
        rsa.RSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | ed448.Ed448PrivateKey
        | mldsa.MLDSA44PrivateKey
        | mldsa.MLDSA65PrivateKey
        | mldsa.MLDSA87PrivateKey
        | dsa.DSAPrivateKey,
    ):
        raise KeyTooWeak(f"the authority's key is a {type(key).__name__}, which signs nothing", stage="credential")
    return Authority(certificate, key)


def renewed(
    credential: Credential,
    authority: Authority,
    *,
    keepKey: bool = False,
    days: float | None = None,
    now: datetime,
) -> Credential:
    """Return a credential like another one, which its authority issues now.

    Subject, names, uses and all other extensions are those of before. The authority's own certificate is not outlived.

    Args:
        credential: what is to be renewed.
        authority: who has issued it.
        keepKey: whether it has the same key as before; a new one of the same kind and size otherwise.
        days: how long it is valid; as long as the one before where None.
        now: the present, with a time zone.

    Raises:
        NoPrivateKey, KeyMismatch: the credential has no key, or another one's.
        UnknownIssuer: the authority has not issued it.
        WrongPurpose: it is an authority's itself.
        Expired, NotYetValid: the authority's own certificate is not valid now.
        InvalidCertificate: the certificate cannot be read.
    """
    former = credential.requireKey().certificate
    if _isAuthority(former):
        remedy = "Make a new authority, and have its peers trust it before anything is issued by it."
        raise WrongPurpose(f"{subjectText(former)} is an authority's own", remedy=remedy, stage="credential")
    if not hasIssued(authority.certificate, former):
        detail = f"{subjectText(former)} was not issued by {subjectText(authority.certificate)}"
        raise UnknownIssuer(detail, remedy=_NAME_AUTHORITY, stage="credential")
    key = cast(CertificateIssuerPrivateKeyTypes, credential.privateKey)
    key = key if keepKey else _keyLike(key)
    try:
        extensions = [(each.value, each.critical) for each in extensionsOf(former) if each.oid not in _OF_ONE]
    except REJECTIONS as problem:
        raise InvalidCertificate(
            f"{subjectText(former)} cannot be issued again: {problem}", stage="credential"
        ) from None
    extensions.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    extensions.append((_keyIdentifierOf(authority), False))
    certificate = signCertificate(
        former.subject,
        key.public_key(),
        _validity(former, authority.certificate, days, now),
        extensions,
        issuer=authority.certificate.subject,
        issuerKey=authority.privateKey,
    )
    return replace(credential, certificate=certificate, privateKey=key)


def checkCurrent(authority: x509.Certificate, now: datetime) -> None:
    """Look whether an authority is valid, so that what it issues now is of use.

    Raises:
        Expired, NotYetValid: it is not.
    """
    subject = subjectText(authority)
    if now > authority.not_valid_after_utc:
        detail = f"the authority {subject}, on {timeText(authority.not_valid_after_utc)}"
        raise Expired(detail, remedy=_NAME_AUTHORITY, stage="credential")
    if now < authority.not_valid_before_utc:
        detail = f"the authority {subject}, before {timeText(authority.not_valid_before_utc)}"
        raise NotYetValid(detail, stage="credential")


def _validity(former: x509.Certificate, authority: x509.Certificate, days: float | None, now: datetime) -> Validity:
    checkCurrent(authority, now)
    begins = max(now - _BACKDATED, authority.not_valid_before_utc)
    lasts = former.not_valid_after_utc - former.not_valid_before_utc if days is None else timedelta(days=days)
    ends = (begins if days is None else now) + lasts
    return Validity(begins, min(ends, authority.not_valid_after_utc))


def _keyIdentifierOf(authority: Authority) -> x509.AuthorityKeyIdentifier:
    try:
        named = extensionsOf(authority.certificate).get_extension_for_class(x509.SubjectKeyIdentifier).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.privateKey.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(named)


def _isAuthority(certificate: x509.Certificate) -> bool:
    try:
        return extensionsOf(certificate).get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *REJECTIONS):
        return False


def _keyLike(key: object) -> CertificateIssuerPrivateKeyTypes:
    """Return a new key of the same kind and size."""
    if isinstance(key, rsa.RSAPrivateKey):
        return rsa.generate_private_key(public_exponent=65537, key_size=max(key.key_size, 2048))
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ec.generate_private_key(key.curve)
    for kind in _OF_ONE_SIZE:
        if isinstance(key, kind):
            return kind.generate()
    detail = f"a new key of the kind {type(key).__name__} is of no use in TLS"
    raise KeyTooWeak(detail, remedy="Make a new credential.", stage="credential")
