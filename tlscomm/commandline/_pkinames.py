"""The names in a certificate, as people type them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from tlscomm._dataclasses import dataclass
from tlscomm.access._nameforms import EMAIL, URI, isSPIFFE
from tlscomm.failures import printable
from tlscomm.issuing._certificates import alternativeNames, distinguishedName
from tlscomm.verification._servernames import asciiServerName
from tlscomm.x509._addresses import isAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NamesMeant", "askedNames", "checkNames", "clientNames", "commonNameOf", "hostName", "subjectFor"]

#: Characters of a common name (RFC 5280, appendix A.1: ub-common-name).
_LONGEST_COMMON_NAME = 64
_MOST_NAMES = 100


@dataclass(frozen=True)
class NamesMeant:
    """The names that options give.

    Attributes:
        dns: host names, perhaps with ``*`` for their first label.
        ip: IP addresses.
        email: mail addresses.
        uri: URIs.
        spiffe: a SPIFFE id, or None.
    """

    dns: Sequence[str] = ()
    ip: Sequence[str] = ()
    email: Sequence[str] = ()
    uri: Sequence[str] = ()
    spiffe: str | None = None

    def names(self) -> tuple[x509.GeneralName, ...]:
        """Return them as they stand in a certificate.

        Raises:
            ValueError: one of them is none.
        """
        return tuple(self._names())

    def _names(self) -> Iterator[x509.GeneralName]:
        for host in self.dns:
            if not isinstance(name := hostName(host), x509.DNSName):
                raise ValueError(f"{printable(host)} is an address, and no host name (--ip)")
            yield name
        for address in self.ip:
            if not isAddress(address):
                raise ValueError(f"{printable(address)} is no IP address")
            yield from alternativeNames((), (address,), (), ())
        yield from (_email(address) for address in self.email)
        yield from (_uri(uri) for uri in self.uri)
        if self.spiffe is not None:
            if not isSPIFFE(self.spiffe):
                raise ValueError(f"{printable(self.spiffe)} is no SPIFFE id: spiffe://DOMAIN/PATH")
            yield _uri(self.spiffe)


def hostName(text: str) -> x509.GeneralName:
    """Return the name of a server: an address, or a host name in its ASCII form; ``*`` may be its first label.

    Raises:
        ValueError: it is neither, or a wildcard for all of a top-level domain, which belongs to no server.
    """
    base = text.removeprefix("*.")
    name = asciiServerName(base)
    if base == text:
        return alternativeNames((), (name,), (), ())[0] if isAddress(name) else x509.DNSName(name)
    if isAddress(name) or "." not in name:
        raise ValueError(f"{printable(text)} stands for more than one server has: *.example.org is the shortest")
    return x509.DNSName(f"*.{name}")


def clientNames(text: str, subject: x509.Name) -> tuple[x509.GeneralName, ...]:
    """Return the alternative name of a client that has no other: what its name is, as far as it is one of these.

    A mail address, a URI, an address or a host name; and its subject otherwise, because strict verifiers want one.
    """
    for form in (_email, _uri, hostName) if text.isascii() else (hostName,) * ("." in text):
        try:
            return (form(text),)
        except ValueError:
            continue
    return (x509.DirectoryName(subject),) if list(subject) else ()


def askedNames(names: Sequence[x509.GeneralName]) -> tuple[x509.GeneralName, ...]:
    """Return names that another side has written, as they would stand in a certificate had they been typed here.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(_asked(name) for name in names)


def _asked(name: x509.GeneralName) -> x509.GeneralName:
    if isinstance(name, x509.DNSName):
        found = hostName(name.value)
        if not isinstance(found, x509.DNSName):
            raise ValueError(f"{printable(name.value)} is an address, and stands where a host name does")
        return found
    if isinstance(name, x509.RFC822Name):
        return _email(name.value)
    return _uri(name.value) if isinstance(name, x509.UniformResourceIdentifier) else name


def subjectFor(text: str) -> x509.Name:
    """Return the subject for a name.

    Raises:
        ValueError: it is longer than subjects may be, or cannot be shown.
    """
    if not text.isprintable() or not text.strip():
        raise ValueError(f"{printable(text)!r} is no name: it is empty, or has what cannot be seen")
    if len(text) > _LONGEST_COMMON_NAME:
        raise ValueError(
            f"{printable(text)} has {len(text)} characters, and a common name has {_LONGEST_COMMON_NAME} at most"
        )
    return distinguishedName(text, None)


def commonNameOf(subject: x509.Name) -> str:
    """Return the first common name; empty where there is none."""
    return next((str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def checkNames(names: Sequence[x509.GeneralName]) -> tuple[x509.GeneralName, ...]:
    """Return names without those that are there twice, where they may stand in one certificate.

    Raises:
        ValueError: there are too many, or a SPIFFE id is not the only URI (X509-SVID, section 2), or has no path.
    """
    several = tuple(dict.fromkeys(names))
    if len(several) > _MOST_NAMES:
        raise ValueError(f"{len(several)} names are more than a certificate should have: {_MOST_NAMES} are the most")
    uris = [each.value for each in several if isinstance(each, x509.UniformResourceIdentifier)]
    for identity in filter(isSPIFFE, uris):
        if len(uris) > 1:
            raise ValueError(f"{identity} is a SPIFFE id, which has to be the only URI of a certificate")
        if not identity.removeprefix("spiffe://").partition("/")[2]:
            raise ValueError(f"{identity} is a trust domain: the SPIFFE id of a service has a path as well")
    return several


def _email(text: str) -> x509.GeneralName:
    if "*" in text:
        raise ValueError(f"{printable(text)} is no mail address")
    return x509.RFC822Name(EMAIL.canonical(text))


def _uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(URI.canonical(text))
