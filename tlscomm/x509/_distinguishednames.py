"""Distinguished names as people write them (RFC 4514)."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

__all__ = ["parsedName"]

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
