"""The formats that credentials come in, told apart by content.

A name says little: ``.cer`` is DER or PEM, ``.pem`` holds anything, and users rename files until something accepts
them. The table below is where a format is added: what its content looks like, and what reads it. The first format that
recognises the content reads it, and from then on failures speak of that format; so a damaged PFX is called that, and
not something unknown. What is no credential at all is called by its own name.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tlscomm.credentials._binary import READERS, isBinary, readBinary
from tlscomm.credentials._contents import Contents, Reader, Reading
from tlscomm.credentials._passphrase import Passphrase
from tlscomm.credentials._pem import isPEM, readPEM
from tlscomm.credentials._sources import Source
from tlscomm.credentials._structure import Structure, structureOf
from tlscomm.credentials._unsupportedformats import contentCalled, structureCalled
from tlscomm.failures import Damaged, UnknownFormat

__all__ = ["FORMATS", "Format", "formOf", "readContents"]

#: A thousand certificates have two.
_LARGEST = 4 * 1024 * 1024

#: A sequence of more than 31 bytes, and nearly a line of it.
_BASE64 = re.compile(rb"\s*M[C-I](?:\s*[A-Za-z0-9+/]){58}")
_PEM, _NO_ARMOUR = "PEM", "base64 without armour"

#: What an armour hides that people know by a name of its own.
_CONTAINERS = (Structure.PKCS7, Structure.PKCS12)

_BEGIN_IN_UTF16 = "-----BEGIN ".encode("utf-16-le")
_BODY = re.compile(rb"-----BEGIN [^-\r\n]{1,64}-----([^-]*)-----END ")
_NEARLY_PEM = re.compile(rb"-\s?BEGIN (?:CERTIFICATE|(?:[A-Z]{1,20} )?PRIVATE KEY)-")


@dataclass(frozen=True)
class Format:
    """One form that credentials come in.

    Attributes:
        name: what messages call it.
        recognises: whether content is of this format, damaged or not.
        read: returns what it holds.
    """

    name: str
    recognises: Callable[[bytes], bool]
    read: Reader


_CONTROLS = re.compile(rb"[\0-\x08\x0e-\x1f\x7f]")
_BEGINNING = 4096

_LOOK = (
    "Name a certificate or key: PEM, DER, PKCS#12 (PFX) and PKCS#7 (P7B) are read, and tlscomm inspect FILE says what "
    "a file holds. If this was one, it was damaged on its way: fetch it again, in binary mode."
)


def readContents(source: Source, passphrase: Passphrase, *, wantKeys: bool) -> Contents:
    """Read a source in whatever format it is.

    Args:
        source: the bytes.
        passphrase: what opens it, asked for only when it is needed.
        wantKeys: whether to read private keys. Without, none that lies by itself is decrypted or asked a pass phrase
            for.

    Raises:
        UnknownFormat: no format recognises the content, it is empty, or too large for any.
        TLSFailure: the format's reader refuses it.
    """
    # No local variable here or below holds the content: a traceback may show those, and there may be a key in it.
    if not source.content:
        raise UnknownFormat(f"{source.name} is empty", remedy="See why nothing was written to it, and write it again.")
    if (size := len(source.content)) > _LARGEST:
        raise UnknownFormat(
            f"{source.name} has {size} bytes, more than any credential: at most {_LARGEST}", remedy=_LOOK
        )
    for form in FORMATS:
        if form.recognises(source.content):
            return form.read(source, Reading(passphrase, wantKeys=wantKeys))
    raise _unknown(replace(source, content=_asText(source.content)))


def formOf(content: bytes) -> str | None:
    """Return the format of content, damaged or not, with the armour of a PFX or P7B; None if it is not known."""
    known = next((form.name for form in FORMATS if form.recognises(content)), None)
    text = _asText(content)
    if known == _PEM:
        inside = {structureOf(_asFarAsDecoded(body)) for body in _BODY.findall(text)}
    elif known == _NO_ARMOUR:
        inside = {structureOf(_asFarAsDecoded(text))}
    else:
        return known
    (structure,) = inside if len(inside) == 1 else (None,)
    return f"{structure.value}, {known}" if structure in _CONTAINERS else known


def _asFarAsDecoded(text: bytes) -> bytes:
    try:
        return _decoded(text)
    except binascii.Error:
        return b""


def _unknown(source: Source) -> UnknownFormat | Damaged:
    structure = structureOf(source.content)
    called = contentCalled(source.content) if structure is None else structureCalled(structure)
    if called is not None:
        return called.refusal(source.name)
    if _NEARLY_PEM.search(source.content):
        return Damaged(f"{source.name}: a PEM block does not begin as it should, with five dashes")
    return UnknownFormat(f"{source.name} {_described(source.content)}", remedy=_LOOK)


def _described(content: bytes) -> str:
    # Never what a text says: somebody may have named the file with the pass phrase.
    if _isText(content[:_BEGINNING]):
        return "is text without any block of PEM"
    known = ", ".join(form.name for form in FORMATS)
    return f"begins with the bytes {content[:4].hex(' ')}, and is none of {known}"


def _isText(beginning: bytes) -> bool:
    try:
        # Which lets the last character be cut.
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return False
    return _CONTROLS.search(beginning) is None


def _isStructure(structure: Structure, content: bytes) -> bool:
    return structureOf(content) is structure


def _isPEM(content: bytes) -> bool:
    return isPEM(_asText(content))


def _isBase64(content: bytes) -> bool:
    return _BASE64.match(_asText(content)) is not None


def _readPEM(source: Source, reading: Reading) -> Contents:
    return readPEM(replace(source, content=_asText(source.content)), reading)


def _readBase64(source: Source, reading: Reading) -> Contents:
    """Read what was armoured without its first and last line, as Windows and mail programs give it away."""
    try:
        inside = replace(source, content=_decoded(_asText(source.content)))
    except binascii.Error:
        raise Damaged(f"{source.name} begins as base64 and does not go on so") from None
    if not isBinary(inside.content):
        raise UnknownFormat(f"{source.name} is base64 of something that is neither certificate nor key", remedy=_LOOK)
    return readBinary(inside, reading)


def _decoded(text: bytes) -> bytes:
    digits = b"".join(text.split())
    # What was cut off lacks its padding as well, and is found out by whoever reads it.
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)


def _asText(content: bytes) -> bytes:
    """Return text in UTF-16, as Windows writes it, in UTF-8; anything else as it is."""
    if content.startswith(codecs.BOM_UTF8):
        return content[len(codecs.BOM_UTF8) :]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace").encode("utf-8", "replace")
    at = content.find(_BEGIN_IN_UTF16)
    if at < 0:
        return content
    # In the other order of bytes the same is found between two characters.
    return content.decode("utf-16-be" if at % 2 else "utf-16-le", "replace").encode("utf-8", "replace")


FORMATS = (
    *(Format(structure.value, partial(_isStructure, structure), readBinary) for structure in READERS),
    Format(_PEM, _isPEM, _readPEM),
    Format(_NO_ARMOUR, _isBase64, _readBase64),
)
"""In the order in which they are asked. PEM is late, because text may stand before its first block."""
