"""The formats that credentials come in, told apart by content.

A name says little: ``.cer`` is DER or PEM, ``.pem`` holds anything, and users rename files until something accepts
them. The table below is where a format is added: what its first bytes look like, and what reads it. The first format
that recognises the content reads it, and from then on failures speak of that format; so a damaged PFX is called that,
and not something unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509

from tlscomm import _der
from tlscomm._material import REJECTIONS, Contents, Passphrase, Source
from tlscomm._pem import isPEM, readPEM
from tlscomm._pkcs12 import isPKCS12, readPKCS12
from tlscomm.failures import Damaged, UnknownFormat, printable

__all__ = ["FORMATS", "Format", "Reader", "readContents"]

Reader: TypeAlias = Callable[[Source, Passphrase, bool], Contents]
"""Reads a source; the last argument says whether private keys are wanted. Raises nothing but `TLSFailure`."""


@dataclass(frozen=True)
class Format:
    """One form that credentials come in.

    Attributes:
        name: what messages call it.
        recognises: whether content is of this format, damaged or not. Looks at its beginning only.
        read: returns what it holds.
    """

    name: str
    recognises: Callable[[bytes], bool]
    read: Reader


def readContents(source: Source, passphrase: Passphrase, *, wantKeys: bool) -> Contents:
    """Read a source in whatever format it is.

    Args:
        source: the bytes.
        passphrase: what opens it, asked for only when it is needed.
        wantKeys: whether to read private keys. Without, no key of a PEM file is decrypted or asked a pass phrase for.

    Raises:
        UnknownFormat: no format recognises the content, or it is empty.
        TLSFailure: the format's reader refuses it.
    """
    for form in FORMATS:
        if form.recognises(source.content):
            return form.read(source, passphrase, wantKeys)
    if not source.content:
        raise UnknownFormat(f"{source.name} is empty")
    known = ", ".join(form.name for form in FORMATS)
    raise UnknownFormat(f"{source.name} begins with {source.content[:8].hex(' ')}, and is none of {known}")


def _isCertificate(content: bytes) -> bool:
    # Certificate ::= SEQUENCE { SEQUENCE { [0] version, ... (RFC 5280, section 4.1). Version 1 leaves that out and is
    # told from a revocation list by reading it.
    inner = _der.valueOffset(content)
    return (
        content[:1] == b"\x30"
        and content[inner : inner + 1] == b"\x30"
        and (content.startswith(b"\xa0\x03\x02\x01", _der.valueOffset(content, inner)) or _parses(content))
    )


def _parses(content: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(content)
    except REJECTIONS:
        return False
    return True


def _readCertificate(source: Source, passphrase: Passphrase, wantKeys: bool) -> Contents:
    outer = _der.element(source.content)
    content = source.content if outer is None else source.content[: outer.end]
    try:
        return Contents(certificates=(x509.load_der_x509_certificate(content),))
    except REJECTIONS as error:
        raise Damaged(f"the DER certificate {source.name}", evidence=(printable(str(error)),)) from None


#: In the order in which they are asked. PEM is last, because text may stand before its first block.
FORMATS = (
    Format("PKCS#12 (PFX)", isPKCS12, readPKCS12),
    Format("DER certificate", _isCertificate, _readCertificate),
    Format("PEM", isPEM, readPEM),
)
