"""OCSP responses with anything in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from revocationlists import NOW

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority

__all__ = ["MUST_STAPLE", "ocspResponse", "responder"]

MUST_STAPLE = (x509.TLSFeature([x509.TLSFeatureType.status_request]), False)

_HOUR = timedelta(hours=1)
_STATUSES = {
    "good": ocsp.OCSPCertStatus.GOOD,
    "revoked": ocsp.OCSPCertStatus.REVOKED,
    "unknown": ocsp.OCSPCertStatus.UNKNOWN,
}


def responder(authority: Authority, *, mayRespond: bool = True, noCheck: bool = False, **more: Any) -> Credential:
    """A credential of an authority's responder."""
    usage = x509.ExtendedKeyUsage([x509.OID_OCSP_SIGNING if mayRespond else x509.OID_CODE_SIGNING])
    extensions = [(usage, False), *([(x509.OCSPNoCheck(), False)] if noCheck else [])]
    return authority.issue("responder", role=None, extensions=extensions, **more)


def ocspResponse(
    authority: Authority,
    certificate: x509.Certificate,
    status: str = "good",
    *,
    since: datetime = NOW - _HOUR,
    until: datetime | None = NOW + _HOUR,
    by: Credential | None = None,
    sends: bool = True,
    reason: x509.ReasonFlags | None = None,
    digest: hashes.HashAlgorithm | None = None,
    extensions: Sequence[tuple[Any, bool]] = (),
) -> bytes:
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=certificate,
        issuer=authority.certificate,
        algorithm=digest or hashes.SHA256(),
        cert_status=_STATUSES[status],
        this_update=since,
        next_update=until,
        revocation_time=NOW - _HOUR if status == "revoked" else None,
        revocation_reason=reason,
    )
    signer = authority.certificate if by is None else by.certificate
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    if by is not None and sends:
        builder = builder.certificates([signer])
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    key: Any = authority.privateKey if by is None else by.privateKey
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
