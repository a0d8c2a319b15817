"""Revocation lists with anything in them, as no authority should publish them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pfxfiles import der, seq

from tlscomm.issuing import Authority
from tlscomm.x509 import _der

__all__ = ["NOW", "entry", "indicator", "point", "revocationList", "scope", "withoutNextUpdate"]

NOW = datetime.now(timezone.utc).replace(microsecond=0)

_DAY = timedelta(days=1)


def revocationList(
    authority: Authority,
    serials: Iterable[int] = (),
    *,
    number: int | None = 1,
    since: datetime = NOW - _DAY,
    until: datetime = NOW + _DAY,
    entries: Iterable[x509.RevokedCertificate] = (),
    extensions: Sequence[tuple[Any, bool]] = (),
    signer: Any = None,
) -> x509.CertificateRevocationList:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(since)
        .next_update(until)
    )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    for each in (*(entry(serial) for serial in serials), *entries):
        builder = builder.add_revoked_certificate(each)
    return builder.sign(signer or authority.privateKey, hashes.SHA256())


def entry(
    serial: int,
    reason: x509.ReasonFlags | None = None,
    *,
    date: datetime = NOW - _DAY,
    extensions: Sequence[tuple[Any, bool]] = (),
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(date)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def indicator(base: int) -> tuple[Any, bool]:
    """What makes a list a delta list."""
    return x509.DeltaCRLIndicator(base), True


def scope(**only: Any) -> tuple[Any, bool]:
    """What restricts a list."""
    settings: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**settings, **only}), True


def point(url: str, **more: Any) -> x509.DistributionPoint:
    settings: dict[str, Any] = {"relative_name": None, "reasons": None, "crl_issuer": None}
    return x509.DistributionPoint(**{"full_name": [x509.UniformResourceIdentifier(url)], **settings, **more})


def withoutNextUpdate(authority: Authority, listed: x509.CertificateRevocationList) -> x509.CertificateRevocationList:
    """The same list without its field nextUpdate, which the library insists on, signed anew (ECDSA)."""
    whole = _der.first(listed.public_bytes(Encoding.DER))
    tbs, algorithm, _ = whole.parts()
    parts = [part.encoded for part in tbs.parts()]
    changed = seq(*parts[:4], *parts[5:])
    assert isinstance(authority.privateKey, ec.EllipticCurvePrivateKey)
    signature = authority.privateKey.sign(changed, ec.ECDSA(hashes.SHA256()))
    return x509.load_der_x509_crl(seq(changed, algorithm.encoded, der(0x03, b"\0" + signature)))
