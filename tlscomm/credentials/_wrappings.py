"""Text that holds PEM in a form in which no program reads it: encoded once more, in JSON, quoted in a mail.

Certificates and keys come out of Kubernetes, Vault, a cloud's console, an environment variable or a mail, and each of
them wraps the text in its own way. What is wrapped is whole, so it is unwrapped here, and read. Text in no wrapping is
returned as it is.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from urllib.parse import unquote_to_bytes

__all__ = ["asText", "decoded", "unwrapped"]

_BEGIN = b"-----BEGIN "

#: A text may be encoded when it is put somewhere, and again by what keeps it.
_MOST_LAYERS = 3

#: How PEM begins in base64, and in base64 of that. A long list is searched for it fast.
_BEGIN_ENCODED = (b"LS0tLS1CRUdJT", b"TFMwdExTMUNSVWRKV")

#: PEM in base64, and that in base64 once more: the value of a field, in one line or in several.
_ENCODED = re.compile(
    rb"(?:LS0tLS1CRUdJT|TFMwdExTMUNSVWRKV)[A-Za-z0-9+/]*={0,2}"
    rb"(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/]+={0,2}(?=[ \t]*(?:\r?\n|$)))*"
)
_BASE64_ALONE = re.compile(rb"[A-Za-z0-9+/]{48}[A-Za-z0-9+/\s]*={0,2}")

#: The line end after the first line of a block in two characters, as in JSON and in variables of a shell.
_ESCAPED = re.compile(rb"-----BEGIN [A-Za-z0-9 #]{1,64}-----\\{1,8}[rnu]")
_ESCAPE = re.compile(rb"\\{1,8}(?:u00([0-9A-Fa-f]{2})|([rnt/\"]))")
_MEANINGS = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}

#: A quotation in a mail.
_QUOTED = re.compile(rb"(?:> ?)+")
_QUOTATION = re.compile(rb"^(?:> ?)+", re.MULTILINE)

_IN_PERCENT = b"-----BEGIN%20"

_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BEGIN_IN_UTF16 = _BEGIN.decode().encode("utf-16-le")


def asText(content: bytes) -> bytes:
    """Return text in UTF-16, as Windows writes it, in UTF-8; anything else as it is.

    A shell of Windows that appends to a file does so in UTF-16, whatever the file was. Of both in one file what is not
    ASCII is lost, which PEM has no use for.
    """
    if _BEGIN_IN_UTF16 in content and _BEGIN in content:
        return content.translate(None, b"\0\xfe\xff")
    if content.startswith(codecs.BOM_UTF8):
        return content[len(codecs.BOM_UTF8) :]
    if (encoding := _UTF16.get(content[:2])) is not None:
        return _recoded(content[2:], encoding)
    if (encoding := _unmarkedEncoding(content)) is not None:
        return _recoded(content, encoding)
    return content


def unwrapped(content: bytes) -> bytes:
    """Return the text in content with the PEM in it as it was before it was wrapped."""
    text = asText(content)
    for _ in range(_MOST_LAYERS):
        if _IN_PERCENT in text:
            text = unquote_to_bytes(text)
        elif any(beginning in text for beginning in _BEGIN_ENCODED):
            text = _ENCODED.sub(_decodedRun, text)
        elif _BEGIN not in text and (inside := _whole(text)) is not None:
            text = inside
        else:
            break
    if _ESCAPED.search(text) is not None:
        text = _ESCAPE.sub(_meaning, text)
    return _QUOTATION.sub(b"", text) if _isQuoted(text) else text


def decoded(text: bytes) -> bytes:
    """Return what a text in base64 encodes.

    Raises:
        binascii.Error: it is none.
    """
    digits = b"".join(text.split())
    # What was cut off lacks its padding as well, and is found out by the reader of the DER.
    return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)


def _isQuoted(text: bytes) -> bool:
    at = text.find(_BEGIN)
    return at >= 0 and _QUOTED.fullmatch(text[text.rfind(b"\n", 0, at) + 1 : at]) is not None


def _unmarkedEncoding(content: bytes) -> str | None:
    """Return which UTF-16 a text has that does not say so; None where it has none, or is no such text."""
    if (at := content.find(_BEGIN_IN_UTF16)) >= 0:
        # In the other order of bytes the same is found between two characters.
        return "utf-16-be" if at % 2 else "utf-16-le"
    beginning = content[:64]
    for encoding, letters, zeros in (("utf-16-le", 0, 1), ("utf-16-be", 1, 0)):
        if len(beginning) > 8 and not any(beginning[zeros::2]) and all(beginning[letters::2]):
            return encoding
    return None


def _recoded(content: bytes, encoding: str) -> bytes:
    return content.decode(encoding, "replace").encode("utf-8", "replace")


def _decodedRun(found: re.Match[bytes]) -> bytes:
    return _decodedText(found[0]) or found[0]


def _whole(text: bytes) -> bytes | None:
    """Return what a text that is nothing but base64 holds, if that is text."""
    if not _isBase64(text):
        return None
    inside = _decodedText(text)
    return inside if inside is not None and (_BEGIN in inside or _isBase64(inside)) else None


def _isBase64(text: bytes) -> bool:
    return _BASE64_ALONE.fullmatch(text.strip()) is not None


def _decodedText(text: bytes) -> bytes | None:
    try:
        return asText(decoded(text)) + b"\n"
    except binascii.Error:
        return None


def _meaning(found: re.Match[bytes]) -> bytes:
    if found[1] is not None:
        return bytes([int(found[1], 16)])
    return _MEANINGS.get(found[2], found[2])
