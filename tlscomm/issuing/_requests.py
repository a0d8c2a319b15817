"""Requests for certificates (PKCS#10, RFC 2986): what is asked for, and what is never granted.

A request comes from another person, and an authority that signs what it is shown makes authorities. So names are taken
from it, and nothing else: what the certificate is for is said by the one who signs. What would be more than names is
refused by name, or left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from tlscomm._dataclasses import dataclass
from tlscomm.failures import (
    BadSignature,
    Damaged,
    InvalidCertificate,
    KeyTooWeak,
    TLSFailure,
    UnknownFormat,
    WrongPurpose,
    printable,
)
from tlscomm.x509 import _der
from tlscomm.x509._bounds import partsOf
from tlscomm.x509._facts import nameText
from tlscomm.x509._keystrengths import digestWeakness, keyKind, keyWeakness, unsignableKey
from tlscomm.x509._purposes import purposesText
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["LARGEST_REQUEST", "Request", "readRequest"]

LARGEST_REQUEST = 64 * 1024
"""Bytes of a request's file: with a key of ML-DSA-87 and a hundred names it has a third of that."""

#: Elements of its encoding; each name has two, each attribute of Windows some ten.
_MOST_PARTS = 1024
_MOST_NAMES = 100
_MOST_ATTRIBUTES = 20
_LONGEST_NAME = 2048

_PEM = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----")
_OTHER_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")

#: What the certificate has of its own, whatever is asked for.
_OWN = (ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
#: What programs ask for by habit and do without: Windows its templates and S/MIME capabilities, OpenSSL's examples
#: Netscape's type and comment.
_LEFT_OUT = {
    "1.3.6.1.4.1.311.20.2": "the name of a template",
    "1.3.6.1.4.1.311.21.7": "the number of a template",
    "1.3.6.1.4.1.311.21.10": "application policies",
    "1.2.840.113549.1.9.15": "S/MIME capabilities",
    "2.5.29.32": "certificate policies",
    "1.3.6.1.5.5.7.1.24": "a stapled response on every connection",
    "2.16.840.1.113730.1.1": "Netscape's type of certificate",
    "2.16.840.1.113730.1.13": "a comment",
}

_WHOSE = "the certificate that is asked for"
_AGAIN = (
    "Make a new request, for example: openssl req -new -newkey rsa:3072 -nodes -keyout KEY -out REQUEST -subj /CN=NAME"
)
_ASK = "Ask the author of the request for one without it; names are all that a request is granted."


@dataclass(frozen=True)
class Request:
    """What a request asks for.

    Attributes:
        subject: whose certificate it is to be.
        publicKey: the key that is to be certified. Its owner has signed the request with the private one.
        names: the alternative names.
        notes: what is asked for and not granted, each a phrase.
    """

    subject: x509.Name
    publicKey: CertificatePublicKeyTypes
    names: tuple[x509.GeneralName, ...]
    notes: tuple[str, ...]

    def toJSON(self) -> dict[str, object]:
        """Return what it asks for, all of it printable."""
        return {
            "subject": printable(self.subject.rfc4514_string(), _LONGEST_NAME),
            "names": [printable(nameText(name)) for name in self.names],
            "publicKey": keyKind(self.publicKey),
            "notGranted": list(self.notes),
        }


def readRequest(content: bytes, file: str) -> Request:
    """Read a request that another side has made, and look whether it may be granted.

    Args:
        content: all of its file, PEM or DER.
        file: what the file is called in messages.

    Raises:
        UnknownFormat: it is no request, or one that is larger than any.
        Damaged: it is one that cannot be read.
        BadSignature: it was not signed with the key that it asks to certify.
        KeyTooWeak: that key is none for TLS, or a weak one.
        WrongPurpose: it asks to be an authority.
        InvalidCertificate: it asks for what is not known here.
    """
    encoded = _encoded(content, file)
    request = _parsed(encoded, file)
    try:
        key = _checkedKey(request, file)
        return Request(request.subject, key, _names(request, file), tuple(_notes(request, file)))
    except REJECTIONS as problem:
        raise Damaged(f"the request {file}: {unreadableText(problem)}", remedy=_AGAIN) from None


def _encoded(content: bytes, file: str) -> bytes:
    if len(content) > LARGEST_REQUEST:
        raise UnknownFormat(f"{file} is larger than a request for a certificate: {LARGEST_REQUEST} bytes are the most")
    if (begins := _PEM.search(content)) is None:
        other = _OTHER_PEM.search(content)
        if other is not None or content[:1] != b"\x30":
            held = f", but: {other[1].decode().lower()}" if other else ""
            raise UnknownFormat(f"{file} holds no request for a certificate (PKCS#10){held}", remedy=_AGAIN)
        return content
    try:
        return x509.load_pem_x509_csr(content[begins.start() :]).public_bytes(Encoding.DER)
    except REJECTIONS as problem:
        raise Damaged(f"the request {file}: {unreadableText(problem)}", remedy=_AGAIN) from None


def _parsed(encoded: bytes, file: str) -> x509.CertificateSigningRequest:
    if partsOf(encoded, _MOST_PARTS) >= _MOST_PARTS:
        raise UnknownFormat(f"the request {file} has more parts than any: {_MOST_PARTS} are the most")
    try:
        return x509.load_der_x509_csr(encoded)
    except REJECTIONS as problem:
        is_ = Damaged if _isRequest(encoded) else UnknownFormat
        raise is_(f"the request {file}: {unreadableText(problem)}", remedy=_AGAIN) from None


def _isRequest(encoded: bytes) -> bool:
    try:
        return len(_der.first(encoded).parts()) == 3
    except (_der.Malformed, IndexError):
        return False


def _checkedKey(request: x509.CertificateSigningRequest, file: str) -> CertificatePublicKeyTypes:
    """Return the key, which is looked at before anything is verified with it: that may take long."""
    asked: Any = request
    try:
        key: Any = request.public_key()
    except UnsupportedAlgorithm as unknown:
        raise _weak(f"the request {file} has a key that is not known here: {printable(str(unknown))}") from None
    if weakness := keyWeakness(key) or unsignableKey(asked):
        raise _weak(f"the request {file} has {weakness}")
    if digest := digestWeakness(asked):
        raise _weak(f"the request {file} is signed with {digest}")
    try:
        isSigned = request.is_signature_valid
    except UnsupportedAlgorithm as unknown:
        raise _weak(f"the request {file} is signed in a way that is too weak: {printable(str(unknown))}") from None
    if not isSigned:
        raise BadSignature(
            f"the request {file} was not signed with the key that it asks to certify, or was changed since",
            stage="credential",
            whose="the request",
            remedy=_AGAIN,
        )
    return key  # type: ignore[no-any-return]


def _weak(detail: str) -> KeyTooWeak:
    return KeyTooWeak(detail, stage="credential", whose=_WHOSE, remedy=_AGAIN)


def _names(request: x509.CertificateSigningRequest, file: str) -> tuple[x509.GeneralName, ...]:
    if len(list(request.subject)) > _MOST_ATTRIBUTES or len(request.subject.public_bytes()) > _LONGEST_NAME:
        raise _invalid(f"the request {file} has a longer subject than any")
    for attribute in request.subject:
        if not isinstance(attribute.value, str) or not attribute.value or not attribute.value.isprintable():
            raise _invalid(f"the request {file} has a subject with signs that no name has")
    try:
        names = tuple(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()
    if len(names) > _MOST_NAMES:
        raise _invalid(f"the request {file} asks for {len(names)} names, and {_MOST_NAMES} are the most")
    for name in names:
        if isinstance(name, x509.OtherName | x509.RegisteredID):
            raise _invalid(f"the request {file} asks for a name of a kind that is not granted: {nameText(name)}")
        if isinstance(name.value, str) and not (name.value and name.value.isascii() and name.value.isprintable()):
            raise _invalid(f"the request {file} asks for a name with signs that no name has: {printable(name.value)}")
    return names


def _notes(request: x509.CertificateSigningRequest, file: str) -> Iterator[str]:
    for extension in request.extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints):
            if value.ca:
                raise _authority(f"the request {file} asks to be an authority (CA:TRUE)")
        elif isinstance(value, x509.KeyUsage):
            if value.key_cert_sign or value.crl_sign:
                raise _authority(f"the request {file} asks to sign certificates or revocation lists (key usage)")
        elif isinstance(value, x509.ExtendedKeyUsage):
            yield f"the purposes {purposesText(value)}: --as says what it is for"
        elif (left := _LEFT_OUT.get(extension.oid.dotted_string)) is not None and not extension.critical:
            yield f"{left} ({extension.oid.dotted_string})"
        elif extension.oid not in _OWN:
            which = f"the {'critical ' if extension.critical else ''}extension {extension.oid.dotted_string}"
            raise _invalid(f"the request {file} asks for {which}, which is not granted")


def _authority(detail: str) -> TLSFailure:
    return WrongPurpose(detail, stage="credential", whose=_WHOSE, remedy=_ASK)


def _invalid(detail: str) -> TLSFailure:
    return InvalidCertificate(detail, stage="credential", whose=_WHOSE, remedy=_ASK)
