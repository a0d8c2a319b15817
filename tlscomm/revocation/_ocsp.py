"""What an OCSP response says of a certificate (RFC 6960, sections 3.2 and 4.2.2).

A response counts when it was signed by the certificate's issuer, or by one whom that issuer made its responder: with a
certificate that it issued itself, for that purpose. What the RFC leaves open is decided so:

* A responder's certificate without ``id-pkix-ocsp-nocheck`` is looked up in the lists that are known. On none of them
  is good enough: most authorities have no list for it, and it lives for days.
* A response that does not say when the next is due counts for a day. Its responder always has a newer one, and
  a server that holds back that one must not win more than that.
* SHA-1 in the name of a certificate is a name and no more, and accepted. A signature over SHA-1 is not.
* What says that a certificate was revoked counts after its time too, as with lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._sources import STANDARD_INPUT, readSource
from tlscomm.credentials._wrappings import decoded, unwrapped
from tlscomm.failures import Damaged, Unreadable, printable
from tlscomm.failures._wording import timeText
from tlscomm.revocation._crl import GOOD, Status, hasIssued, revokedStatus
from tlscomm.x509 import _der
from tlscomm.x509._extensions import extensionsOf, readExtension
from tlscomm.x509._keystrengths import PURE_KEYS, WEAK_DIGESTS
from tlscomm.x509._unreadable import REJECTIONS
from tlscomm.x509._validity import isValidAt

__all__ = ["LARGEST_RESPONSE", "SingleResponse", "answerIn", "mustStaple", "readResponse", "statusByResponse"]

#: Bytes. One with the certificates of its responder has three thousand.
LARGEST_RESPONSE = 1 << 16

_WITHOUT_NEXT_UPDATE = timedelta(days=1)
_MOST_ANSWERS = 100
_MOST_RESPONDERS = 4
_KNOWN_EXTENSIONS = frozenset({x509.OCSPNonce.oid, x509.OCSPAcceptableResponses.oid})
_NOT_FINAL = frozenset({x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl})


@dataclass(frozen=True)
class SingleResponse:
    """What a response that is rightly signed says of one certificate.

    Attributes:
        status: good, revoked or unknown.
        thisUpdate: from when that holds.
        until: how long it counts.
        revokedAt: since when the certificate is revoked, if it is.
        reason: why, if that is told.
        responder: the certificate of the responder that signed it, None where the issuer itself did.
    """

    status: ocsp.OCSPCertStatus
    thisUpdate: datetime
    until: datetime
    revokedAt: datetime | None = None
    reason: x509.ReasonFlags | None = None
    responder: x509.Certificate | None = None

    @property
    def isRevoked(self) -> bool:
        """Whether it says that the certificate was revoked."""
        return self.status is ocsp.OCSPCertStatus.REVOKED


def statusByResponse(
    response: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate | None,
    at: datetime,
    isListed: Callable[[x509.Certificate], bool],
) -> Status:
    """Return what an OCSP response says of a certificate.

    Args:
        response: it, in DER.
        certificate: whose status is wanted.
        issuer: its issuer. Where None it cannot be told who signed the response, and it is not looked at.
        at: the time to judge for.
        isListed: whether a certificate of the same issuer is on a list of revoked ones.
    """
    answer = answerIn(response, certificate, issuer)
    if isinstance(answer, str):
        return _unknown(answer)
    if answer.responder is not None and (fault := _responderFault(answer.responder, at, isListed)):
        return _unknown(fault)
    if at < answer.thisUpdate:
        return _unknown(f"is not valid before {timeText(answer.thisUpdate)}")
    isLate = at >= answer.until
    if answer.status is ocsp.OCSPCertStatus.REVOKED and not (isLate and answer.reason in _NOT_FINAL):
        late = ", which is out of date" if isLate else ""
        return revokedStatus(answer.revokedAt or answer.thisUpdate, answer.reason, f"its OCSP response{late}")
    if isLate:
        return _unknown(f"expired at {timeText(answer.until)}")
    return GOOD if answer.status is ocsp.OCSPCertStatus.GOOD else _unknown("says that its responder does not know it")


def mustStaple(certificate: x509.Certificate) -> bool:
    """Return whether a certificate has to come with a response (RFC 7633)."""
    try:
        features = extensionsOf(certificate).get_extension_for_class(x509.TLSFeature).value
    except (x509.ExtensionNotFound, *REJECTIONS):
        return False
    return x509.TLSFeatureType.status_request in features


def readResponse(path: str) -> bytes:
    """Read a file that holds one response, DER, alone or in base64; what stands behind it is passed over.

    Raises:
        FileNotFound, Unreadable: it cannot be read. Nor can standard input, because it has to be read again.
        Damaged: it holds no response.
    """
    if path == STANDARD_INPUT:
        raise Unreadable("standard input, which cannot be read again when the response changes")
    content = _asDER(readSource(path).content)
    try:
        ocsp.load_der_ocsp_response(content)
    except REJECTIONS:
        raise Damaged(
            f"{printable(path)} holds no OCSP response (DER)",
            remedy="Have it written again, by openssl ocsp -respout FILE for one, and put it there in one step (mv).",
        ) from None
    return content


def _asDER(content: bytes) -> bytes:
    """Return the response in a file's content; the content where there is none."""
    try:
        start = content.lstrip()
        return _der.first(start if start.startswith(b"\x30") else decoded(unwrapped(content))).encoded
    except ValueError:
        return content


@lru_cache(maxsize=64)
def answerIn(response: bytes, certificate: x509.Certificate, issuer: x509.Certificate | None) -> SingleResponse | str:
    """Return what a response says of a certificate, or why it says nothing. Times are not looked at.

    Without an issuer the signature is not looked at either, which only the owner of the certificate may do.

    The answer is remembered: a server staples the same response to each handshake of a day.
    """
    if len(response) > LARGEST_RESPONSE:
        return f"has more than {LARGEST_RESPONSE} bytes"
    try:
        loaded = ocsp.load_der_ocsp_response(response)
        if loaded.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return f"is none: its responder answered {loaded.response_status.name.lower()}"
        return _verified(loaded, certificate, issuer)
    except REJECTIONS:
        return "cannot be read"
    except BaseException as broken:
        # What cryptography's Rust code raises where it did not expect something. It has no public name.
        if type(broken).__name__ != "PanicException":
            raise
        return "cannot be read"


def _verified(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate | None
) -> SingleResponse | str:
    if unknown := [each for each in response.extensions if each.critical and each.oid not in _KNOWN_EXTENSIONS]:
        return f"has the critical extension {unknown[0].oid.dotted_string}, which is not known"
    answers = [each for each in islice(response.responses, _MOST_ANSWERS) if _isAbout(each, certificate, issuer)]
    if not answers:
        return "is about another certificate"
    if isinstance(response.signature_hash_algorithm, WEAK_DIGESTS):
        return f"is signed with {response.signature_hash_algorithm.name}, which is too weak"
    newest = max(answers, key=lambda each: each.this_update_utc)
    if issuer is None or _hasSigned(issuer, response):
        return _answer(newest, None)
    for responder in _responders(response, issuer):
        if _hasSigned(responder, response):
            return _answer(newest, responder)
    return "is badly signed, or by a responder that its issuer has not appointed"


def _answer(single: ocsp.OCSPSingleResponse, responder: x509.Certificate | None) -> SingleResponse:
    return SingleResponse(
        status=single.certificate_status,
        thisUpdate=single.this_update_utc,
        until=single.next_update_utc or single.this_update_utc + _WITHOUT_NEXT_UPDATE,
        revokedAt=single.revocation_time_utc,
        reason=single.revocation_reason,
        responder=responder,
    )


def _isAbout(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate | None) -> bool:
    return (
        single.serial_number == certificate.serial_number
        and single.issuer_name_hash == _digest(single.hash_algorithm, certificate.issuer.public_bytes())
        and (issuer is None or single.issuer_key_hash == _digest(single.hash_algorithm, _keyBits(issuer)))
    )


def _responders(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> Iterator[x509.Certificate]:
    for candidate in response.certificates[:_MOST_RESPONDERS]:
        if _isResponder(candidate) and hasIssued(issuer, candidate):
            yield candidate


def _isResponder(certificate: x509.Certificate) -> bool:
    usages = readExtension(certificate, x509.ExtendedKeyUsage)
    return usages is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usages


def _responderFault(responder: x509.Certificate, at: datetime, isListed: Callable[[x509.Certificate], bool]) -> str:
    if not isValidAt(responder, at):
        return "is signed by a responder whose certificate is not valid now"
    isExempt = any(extension.oid == ExtensionOID.OCSP_NO_CHECK for extension in extensionsOf(responder))
    if not isExempt and isListed(responder):
        return "is signed by a responder that was revoked"
    return ""


def _hasSigned(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key: Any = signer.public_key()
    signature, content = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, PURE_KEYS):
            key.verify(signature, content)
        elif (algorithm := response.signature_hash_algorithm) is None:
            return False
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _keyBits(certificate: x509.Certificate) -> bytes:
    """Return what a certID has the digest of: the key without its algorithm and the number of unused bits."""
    whole = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _der.first(whole).parts()[1].value[1:]


def _digest(algorithm: hashes.HashAlgorithm, content: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def _unknown(fault: str) -> Status:
    return Status("revocation-unknown", f"its OCSP response {fault}")
