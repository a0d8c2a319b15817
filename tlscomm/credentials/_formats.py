"""The formats that credentials come in, told apart by content.

A name says little: ``.cer`` is DER or PEM, ``.pem`` holds anything, and users rename files until something accepts
them. The table below is where a format is added: what its content looks like, and what reads it. The first format that
recognises the content reads it, and from then on failures speak of that format; so a damaged PFX is called that, and
not something unknown. What is no credential at all is called by its own name.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._binary import READERS, isBinary, readBeginning, readBinary
from tlscomm.credentials._contents import Contents, Reader, Reading
from tlscomm.credentials._passphrase import Passphrase
from tlscomm.credentials._pem import isPEM, readPEM
from tlscomm.credentials._sources import Source
from tlscomm.credentials._structure import Structure, structureOf
from tlscomm.credentials._unsupportedformats import contentCalled, structureCalled
from tlscomm.credentials._wrappings import asText, decoded, unwrapped
from tlscomm.failures import Damaged, UnknownFormat

__all__ = ["FORMATS", "Format", "formOf", "readContents"]

#: A thousand certificates have two.
_LARGEST = 4 * 1024 * 1024
#: Of authorities with a million certificates. Sources have no more.
_LARGEST_LIST = 16 * 1024 * 1024

#: A sequence of more than 31 bytes, and nearly a line of it.
_BASE64 = re.compile(rb"\s*M[C-I](?:\s*[A-Za-z0-9+/]){58}")
_PEM, _NO_ARMOUR = "PEM", "base64 without armour"

#: What an armour hides that people know by a name of its own.
_CONTAINERS = (Structure.PKCS7, Structure.PKCS12)

_BODY = re.compile(rb"-----BEGIN [^-\r\n]{1,64}-----([^-]*)-----END ")
_NEARLY_PEM = re.compile(
    # A word processor or a messenger makes other dashes of two hyphens, in UTF-8 and in the encoding of Windows.
    rb"(?:-|\xe2\x80[\x90-\x95]|\xe2\x88\x92|[\x96\x97])\s?BEGIN (?:CERTIFICATE|X509 CRL|(?:[A-Z]{1,20} )?PRIVATE KEY)"
)
_HYPHENS = (
    "Each block begins and ends with a line that has five hyphens on both sides. A word processor or a messenger may "
    "have made other dashes of them: fetch the file again, or write the hyphens anew."
)


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


def readContents(
    source: Source, passphrase: Passphrase, *, wantKeys: bool, wantLists: bool = False, isLenient: bool = False
) -> Contents:
    """Read a source in whatever format it is.

    Args:
        source: the bytes.
        passphrase: what opens it, asked for only when it is needed.
        wantKeys: whether to read private keys. Without, none that lies by itself is decrypted or asked a pass phrase
            for.
        wantLists: whether to read revocation lists, and nothing else.
        isLenient: whether certificates that cannot be read are passed over. They are among what is returned.

    Raises:
        UnknownFormat: no format recognises the content, it is empty, or too large for any.
        TLSFailure: the format's reader refuses it.
    """
    # No local variable here or below holds the content: a traceback may show those, and there may be a key in it.
    if not source.content:
        raise UnknownFormat(f"{source.name} is empty", remedy="See why nothing was written to it, and write it again.")
    most = _LARGEST_LIST if wantLists else _LARGEST
    if (size := len(source.content)) > most:
        raise UnknownFormat(f"{source.name} has {size} bytes, more than any credential: at most {most}", remedy=_LOOK)
    reading = Reading(passphrase, wantKeys=wantKeys, wantLists=wantLists, isLenient=isLenient)
    for form in _ALL_FORMATS if wantLists else FORMATS:
        if form.recognises(source.content):
            return replace(form.read(source, reading), unreadable=reading.unreadable)
    raise _unknown(replace(source, content=asText(source.content)))


def formOf(content: bytes) -> str | None:
    """Return the format of content, damaged or not, with the armour of a PFX or P7B; None if it is not known."""
    known = next((form.name for form in FORMATS if form.recognises(content)), None)
    text = unwrapped(content)
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
        return decoded(text)
    except binascii.Error:
        return b""


def _unknown(source: Source) -> UnknownFormat | Damaged:
    structure = structureOf(source.content)
    called = contentCalled(source.content) if structure is None else structureCalled(structure)
    if called is not None:
        return called.refusal(source.name)
    if _NEARLY_PEM.search(source.content):
        return Damaged(f"{source.name}: a PEM block does not begin as it should, with five hyphens", remedy=_HYPHENS)
    return UnknownFormat(f"{source.name} {_described(source.content)}", remedy=_LOOK)


def _described(content: bytes) -> str:
    # Never what a text says: a person may have named the file with the pass phrase.
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
    return structureOf(content.lstrip() if content[:1].isspace() else content) is structure


def _isPEM(content: bytes) -> bool:
    return isPEM(unwrapped(content))


def _isBase64(content: bytes) -> bool:
    return _BASE64.match(unwrapped(content)) is not None


def _readPEM(source: Source, reading: Reading) -> Contents:
    text = replace(source, content=unwrapped(source.content))
    contents, end = readPEM(text, reading)
    # What a program or a person has put behind it.
    rest = replace(text, content=text.content[end:], place="behind the text")
    return contents + readBinary(rest, reading) if isBinary(rest.content) else contents


def _readBinary(source: Source, reading: Reading) -> Contents:
    contents, end = readBeginning(source, reading)
    rest = replace(source, content=source.content[end:])
    return contents + readPEM(rest, reading)[0] if isPEM(rest.content) else contents


def _readBase64(source: Source, reading: Reading) -> Contents:
    """Read what was armoured without its first and last line, as Windows and mail programs give it away."""
    try:
        inside = replace(source, content=decoded(unwrapped(source.content)))
    except binascii.Error:
        raise Damaged(f"{source.name} begins as base64 and does not go on so") from None
    if not isBinary(inside.content):
        raise UnknownFormat(f"{source.name} is base64 of something that is neither certificate nor key", remedy=_LOOK)
    return readBinary(inside, reading)


FORMATS = (
    *(Format(structure.value, partial(_isStructure, structure), _readBinary) for structure in READERS),
    Format(_PEM, _isPEM, _readPEM),
    Format(_NO_ARMOUR, _isBase64, _readBase64),
)
"""In the order in which they are asked. PEM is late, because text may stand before its first block."""

_ALL_FORMATS = (
    Format(Structure.REVOCATION_LIST.value, partial(_isStructure, Structure.REVOCATION_LIST), _readBinary),
    *FORMATS,
)
