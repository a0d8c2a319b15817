"""Distinguished names as people write them (RFC 4514), and as they are sent."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from tlscomm.x509 import _der

__all__ = ["decodedName", "parsedName"]

#: Parts of a name that are read.
_MOST_PARTS = 32

#: What Windows and OpenSSL write, and RFC 4514, section 3, does not list.
_ATTRIBUTES = {
    "E": NameOID.EMAIL_ADDRESS,
    "EMAILADDRESS": NameOID.EMAIL_ADDRESS,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
}

_KEY = re.compile(r"(^|(?<!\\)[,+])\s*([A-Za-z0-9.]+)\s*=\s*")
_END = re.compile(r"(?<!\\)\s+$")


def parsedName(text: str) -> x509.Name:
    """Return the distinguished name that a text is: ``CN=gateway,O=Example``.

    Spaces around the parts do not count, for Windows and OpenSSL show one after each comma; neither does the case of
    the attributes' names. A space, a comma or a plus sign that belongs to a value stands behind a backslash.

    Raises:
        ValueError: it is none.
    """
    written = _KEY.sub(lambda found: f"{found[1]}{found[2].upper()}=", _END.sub("", text))
    return x509.Name.from_rfc4514_string(written, _ATTRIBUTES)


def decodedName(encoded: bytes) -> x509.Name:
    """Return a distinguished name out of its DER, the first parts of one that is long; values that are no text are hex.

    Raises:
        ValueError: it is none.
    """
    parts = []
    for part in _der.first(encoded).parts()[:_MOST_PARTS]:
        attributes = []
        for attribute in part.parts()[:_MOST_PARTS]:
            kind, value = attribute.parts(_der.OBJECT_IDENTIFIER)[:2]
            attributes.append(_attribute(kind.identifier(), value))
        parts.append(x509.RelativeDistinguishedName(attributes))
    return x509.Name(parts)


def _attribute(kind: str, value: _der.Element) -> x509.NameAttribute[str]:
    encoding = "utf-16-be" if value.tag == _BMP_STRING else "utf-8"
    return x509.NameAttribute(ObjectIdentifier(kind), value.value.decode(encoding, "replace"), _validate=False)


_BMP_STRING = 0x1E
