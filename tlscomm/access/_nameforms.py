"""The form in which each kind of name is compared, and what is not compared at all.

Two names are the same name only where the standard of their kind says so, and a name that the standard does not know
(with a NUL in it, with an empty label, with ``..`` in its path) is no name: another program might read it differently,
so it is never taken for one that a rule names. Letters outside ASCII are the same only if they are the same characters:
what looks alike, or is alike to a dictionary, need not be the same person.

Every function raises `ValueError` for what is no name of its kind, and its message completes the sentence "the
certificate cannot be compared with rules, because …".
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import idna

from tlscomm._dataclasses import dataclass
from tlscomm.access._globs import Split
from tlscomm.failures import printable

__all__ = [
    "DNS",
    "EMAIL",
    "FINGERPRINT",
    "LABEL",
    "TRUST_DOMAIN",
    "URI",
    "AddressPattern",
    "NameForm",
    "folded",
    "isSPIFFE",
]

#: Longer than any name that is one: SPIFFE ids may have 2048 bytes (SPIFFE ID, section 2.3), the others have less.
_LONGEST = 2048
_LONGEST_DNS = 253

_DNS = re.compile(r"[A-Za-z0-9_*-]+(?:\.[A-Za-z0-9_*-]+)*")
#: A local part without quotes (RFC 5321, section 4.1.2).
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
#: RFC 3986, section 3, without the backslash, which some programs take for a slash.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):([!-\[\]-~]+)")
#: What a program that decodes before it compares reads as another path.
_ENCODED = re.compile("%(?:2[ef]|5c)", re.IGNORECASE)
#: SPIFFE ID, sections 2.1 and 2.2; scheme and trust domain are compared without case (RFC 3986, section 6.2.2.1).
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]{1,255}(?:/[A-Za-z0-9._-]+)*")
_TRUST_DOMAIN = re.compile(r"[a-z0-9._*-]{1,255}")

#: FoxIO's JA4 of clients over TCP. The characters of a protocol's name are told as they are.
_JA4 = re.compile(r"t[0-9sd]{2}[di][0-9]{4}[0-9A-Za-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
_JA4_PATTERN = re.compile(r"[0-9A-Za-z*]{1,10}_[0-9a-f*]{1,12}_[0-9a-f*]{1,12}")

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True)
class NameForm:
    """How the names of one kind are compared.

    Attributes:
        canonical: returns the form in which a peer's name is compared.
        pattern: returns the form in which a rule's is, with its wildcards.
        split: takes both apart.
    """

    canonical: Callable[[str], str]
    pattern: Callable[[str], str]
    split: Split


def folded(text: str) -> str:
    """Return a text of a distinguished name as it is compared: without the case of ASCII letters, otherwise exactly."""
    if not text or len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"{_shown(text)} holds what cannot be shown, or is too long")
    return text.translate(_ASCII_LOWER)


def isSPIFFE(uri: str) -> bool:
    """Return whether a URI claims to be a SPIFFE id."""
    return uri[:7].lower() == "spiffe:"


def _splitAt(separators: str) -> Split:
    expression = re.compile(f"([{separators}])")
    return lambda text: tuple(expression.split(text))


_atDots = _splitAt(".")


def _canonicalDNS(name: str) -> str:
    if len(name) > _LONGEST_DNS or not _DNS.fullmatch(name):
        raise ValueError(f"{_shown(name)} is no DNS name")
    return name.lower()


def _patternDNS(name: str) -> str:
    return _canonicalDNS(".".join(map(_aLabel, name.removesuffix(".").split("."))))


def _aLabel(label: str) -> str:
    if label.isascii():
        return label
    if "*" in label:
        raise ValueError(f"{_shown(label)} has both a wildcard and letters outside ASCII")
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError as problem:
        raise ValueError(f"{_shown(label)} is no label of a DNS name: {printable(str(problem))}") from None


def _canonicalEmail(address: str, domainForm: Callable[[str], str] = _canonicalDNS) -> str:
    local, at, domain = address.rpartition("@")
    if not at or len(local) > _LONGEST or not _LOCAL_PART.fullmatch(local):
        raise ValueError(f"{_shown(address)} is no plain mail address")
    return f"{local}@{domainForm(domain)}"


def _splitEmail(address: str) -> tuple[str, ...]:
    local, at, domain = address.rpartition("@")
    return local, at, *_atDots(domain)


def _canonicalURI(uri: str) -> str:
    match = _URI.fullmatch(uri) if len(uri) <= _LONGEST else None
    if match is None or _ENCODED.search(uri):
        raise ValueError(f"{_shown(uri)} is no URI that means one thing only")
    scheme, rest = match[1].lower(), match[2]
    if rest.startswith("//"):
        authority, path = _authority(rest)
        user, at, host = authority.rpartition("@")
        rest = f"//{user}{at}{host.lower()}{path}"
    if any(part in (".", "..") for part in _atPathSigns(rest)):
        raise ValueError(f"{_shown(uri)} has dots for a part of its path")
    canonical = f"{scheme}:{rest}"
    if scheme == "spiffe" and not _SPIFFE.fullmatch(canonical.replace("*", "x")):
        raise ValueError(f"{_shown(uri)} is no SPIFFE id")
    return canonical


def _presentedURI(uri: str) -> str:
    if isSPIFFE(uri) and "*" in uri:
        raise ValueError(f"{_shown(uri)} is no SPIFFE id")
    return _canonicalURI(uri)


_atPathSigns = _splitAt("/?#")
_atAuthoritySigns = _splitAt("@:.")
_atColons = _splitAt(":/?#")


def _splitURI(uri: str) -> tuple[str, ...]:
    scheme, _, rest = uri.partition(":")
    if not rest.startswith("//"):
        return scheme, ":", *_atColons(rest)
    authority, path = _authority(rest)
    return scheme, "://", *_atAuthoritySigns(authority), *_atPathSigns(path)


def _authority(rest: str) -> tuple[str, str]:
    """Return a URI's authority, and the path and all that follows it (RFC 3986, section 3.2)."""
    end = next((place for place, sign in enumerate(rest) if place > 1 and sign in "/?#"), len(rest))
    return rest[2:end], rest[end:]


def _trustDomain(uri: str) -> str:
    return _presentedURI(uri).split("/")[2]


def _patternTrustDomain(name: str) -> str:
    if not _TRUST_DOMAIN.fullmatch(name := name.lower()):
        raise ValueError(f"{_shown(name)} is no trust domain")
    return name


def _fingerprint(text: str) -> str:
    if not _JA4.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no JA4 fingerprint")
    return text


def _patternFingerprint(text: str) -> str:
    if not _JA4_PATTERN.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no JA4 fingerprint, such as t13d1516h2_8daaf6152771_*")
    return text


def _shown(name: str) -> str:
    return f"'{printable(name, 80)}'"


LABEL = NameForm(folded, folded, _atDots)
DNS = NameForm(_canonicalDNS, _patternDNS, _atDots)
EMAIL = NameForm(_canonicalEmail, lambda address: _canonicalEmail(address, _patternDNS), _splitEmail)
FINGERPRINT = NameForm(_fingerprint, _patternFingerprint, _splitAt("_"))
URI = NameForm(_presentedURI, _canonicalURI, _splitURI)
TRUST_DOMAIN = NameForm(_trustDomain, _patternTrustDomain, _atDots)


@dataclass(frozen=True)
class AddressPattern:
    """An address, a network, or an IPv4 address with ``*`` for some of its four numbers. They are compared by value.

    Attributes:
        text: in its usual form.
        version: 4 or 6. An IPv4 address that is written as an IPv6 one is another address.
        mask: the bits that count.
        value: what they have to be.
    """

    text: str
    version: int
    mask: int
    value: int

    @classmethod
    def parse(cls, text: str) -> AddressPattern:
        """Return the pattern that a text means.

        Raises:
            ValueError: it is none.
        """
        if "*" in text:
            numbers = text.split(".")
            if len(numbers) != 4 or any("*" in number and number != "*" for number in numbers):
                raise ValueError("a * stands for one of the four numbers of an IPv4 address; write networks as CIDR")
            value = int(ip_address(text.replace("*", "0")))
            mask = int.from_bytes(bytes(0 if number == "*" else 255 for number in numbers), "big")
            return cls(text, 4, mask, value)
        if "%" in text:
            raise ValueError("an address in a certificate has no zone")
        if "/" in text:
            network = ip_network(text)
            return cls(str(network), network.version, int(network.netmask), int(network.network_address))
        address = ip_address(text)
        return cls(str(address), address.version, (1 << address.max_prefixlen) - 1, int(address))

    def fits(self, version: int, value: int) -> bool:
        """Return whether an address is one of those that are meant."""
        return version == self.version and value & self.mask == self.value
