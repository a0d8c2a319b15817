"""The kinds of names that a certificate has for its subject (RFC 5280, section 4.2.1.6)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

__all__ = ["NAME_KINDS", "NameKind"]


@dataclass(frozen=True)
class NameKind:
    """One kind of general name.

    Attributes:
        word: what it is called where a name is written, as in ``dns:example.org``, and in access rules.
        text: what it is called in a sentence.
    """

    word: str
    text: str


NAME_KINDS: dict[type[x509.GeneralName], NameKind] = {
    x509.DNSName: NameKind("dns", "DNS name"),
    x509.DirectoryName: NameKind("directory", "directory name"),
    x509.IPAddress: NameKind("ip", "IP address"),
    x509.OtherName: NameKind("other", "other name"),
    x509.RFC822Name: NameKind("email", "mail address"),
    x509.RegisteredID: NameKind("oid", "registered identifier"),
    x509.UniformResourceIdentifier: NameKind("uri", "URI"),
}
"""All the kinds that the library reads."""
