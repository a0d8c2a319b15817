"""The kinds of names that a certificate has for its subject (RFC 5280, section 4.2.1.6)."""

from __future__ import annotations

from cryptography import x509

from tlscomm._dataclasses import dataclass

__all__ = ["NAME_KINDS", "NameKind", "UnreadableName", "kindOf"]


@dataclass(frozen=True)
class NameKind:
    """One kind of general name.

    Attributes:
        word: what it is called where a name is written, as in ``dns:example.org``, and in access rules.
        text: what it is called in a sentence.
    """

    word: str
    text: str


class UnreadableName(x509.GeneralName):
    """A name that stands in a certificate and for nothing, as an address of five bytes.

    Attributes:
        kind: what it would be a name of; this class where the library has no such kind.
    """

    def __init__(self, kind: type[x509.GeneralName] | None, value: str) -> None:
        """
        Args:
            kind: as in the attributes.
            value: what stands there, as a text.
        """
        self.kind: type[x509.GeneralName] = kind or UnreadableName
        self._value = value

    @property
    def value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return f"<UnreadableName({self._value!r})>"


NAME_KINDS: dict[type[x509.GeneralName], NameKind] = {
    x509.DNSName: NameKind("dns", "DNS name"),
    x509.DirectoryName: NameKind("directory", "directory name"),
    x509.IPAddress: NameKind("ip", "IP address"),
    x509.OtherName: NameKind("other", "other name"),
    x509.RFC822Name: NameKind("email", "mail address"),
    x509.RegisteredID: NameKind("oid", "registered identifier"),
    x509.UniformResourceIdentifier: NameKind("uri", "URI"),
    UnreadableName: NameKind("unknown", "name of another kind"),
}
"""All the kinds that the library reads, and what stands for the others."""


def kindOf(name: x509.GeneralName) -> NameKind:
    """Return of what kind a name is, or would be if it could be read."""
    kind = name.kind if isinstance(name, UnreadableName) else type(name)
    return NAME_KINDS.get(kind, NAME_KINDS[x509.OtherName])
