"""The fields of a message, with what certificates and names in them say.

`_wire` knows nothing of certificates: to it they are bytes. A person wants to read whose they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from warnings import catch_warnings, simplefilter

from tlscomm._wire.decoding import decode
from tlscomm._wire.events import Event, Field
from tlscomm._wire.fieldreader import summary
from tlscomm.failures import printable
from tlscomm.x509._distinguishednames import decodedName
from tlscomm.x509._facts import briefFacts

__all__ = ["fieldsOf"]

#: So many are read of one message: to read one takes as long as to decode the rest.
_MOST_READ = 64

#: The largest that is read, in bytes.
_LARGEST = 1 << 16


def fieldsOf(event: Event) -> tuple[Field, ...]:
    """Return the fields of a message or an alert, as `decode` does. Certificates and names are readable in them."""
    return _Reading().readable(decode(event))


class _Reading:
    def __init__(self) -> None:
        self._left = _MOST_READ

    def readable(self, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        return tuple(self._readable(field) for field in fields)

    def _readable(self, field: Field) -> Field:
        if (read := _READ.get(field.name)) is not None and isinstance(field.value, bytes):
            return replace(field, text=self._text(read, field.value) or field.text)
        children = self.readable(field.children)
        if all(new is old for new, old in zip(children, field.children, strict=True)):
            return field
        # The names of extensions say more in short than what is in them.
        text = field.text if field.name == "extensions" else summary(children)
        return replace(field, children=children, text=text)

    def _text(self, read: Callable[[bytes], str], value: bytes) -> str:
        """Return what a certificate or a name says, or nothing where it cannot be read."""
        if not value or len(value) > _LARGEST or not self._left:
            return ""
        self._left -= 1
        try:
            with catch_warnings():
                simplefilter("ignore")
                return read(value)
        except Exception:
            # Whatever a parser raises for what a stranger wrote.
            return ""


def _certificateText(encoded: bytes) -> str:
    facts = briefFacts(encoded)
    if facts.notAfter == facts.serial:
        # Nothing in it can be read, and each part says so.
        return ""
    return f"{facts.subject}, issued by {facts.issuer}, valid until {facts.notAfter}, {len(encoded):,} bytes"


def _nameText(encoded: bytes) -> str:
    return printable(decodedName(encoded).rfc4514_string())


_READ: dict[str, Callable[[bytes], str]] = {
    "ASN.1Cert": _certificateText,
    "cert_data": _certificateText,
    "DistinguishedName": _nameText,
}
