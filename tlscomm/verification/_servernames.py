"""Whether a server's certificate is for the name that a client asked for (RFC 9525).

Names are only ever those of the subject alternative name extension (RFC 9525, section 2): a common name is a label, and
an authority does not check it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import urlsplit

import idna
from cryptography import x509

from tlscomm.access._nameforms import URI, isSPIFFE
from tlscomm.access._svid import svidOf, trustDomainOf
from tlscomm.failures import Problem, printable
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._extensions import extensionsOf
from tlscomm.x509._facts import subjectText
from tlscomm.x509._generalnames import UnreadableName
from tlscomm.x509._nameconstraints import isDomain
from tlscomm.x509._unreadable import unreadableText

__all__ = [
    "Identity",
    "asciiServerName",
    "canonicalServerName",
    "hostAndServerName",
    "identitiesIn",
    "identitiesMeant",
    "identityOf",
    "nameProblem",
]

#: A DNS name in lower case, perhaps with a wildcard, or an address.
Identity: TypeAlias = str | IPv4Address | IPv6Address

#: The last label of what programs read as an IPv4 address, in whatever way (https://url.spec.whatwg.org, "ends in a
#: number checker"). No top-level domain is one.
_NUMBER = re.compile("0x[0-9a-f]*|[0-9]+")

#: What OpenSSL has a wildcard stand for.
_LABEL = re.compile("[a-z0-9-]+", re.ASCII)


@lru_cache(maxsize=256)
def identityOf(serverName: str) -> Identity:
    """Return a server name as it is compared: an address, or a DNS name in lower case and in its ASCII form.

    Raises:
        ValueError: it is neither.
    """
    name = asciiServerName(serverName)
    return ip_address(name) if isAddress(name) else name


def identitiesIn(certificate: x509.Certificate) -> Iterator[Identity]:
    """Give the names that a certificate is for as a server's, in its own order; nothing where they cannot be read."""
    for name in _readableNames(certificate):
        if (identity := _pattern(name)) is not None:
            yield identity


def identitiesMeant(certificate: x509.Certificate) -> Iterator[Identity]:
    """Give the names that a certificate has in a form that does not count, and is certainly meant for."""
    for name in _readableNames(certificate):
        if isinstance(name, x509.DNSName):
            with suppress(ValueError):
                yield identityOf(_withoutPort(name.value))


def _readableNames(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(_alternativeNames(certificate))
    except Exception:
        # Whatever a parser raises for what a stranger wrote.
        return []


def nameProblem(
    certificate: x509.Certificate, serverName: str, authorities: Sequence[x509.Certificate] = ()
) -> Problem | None:
    """Return why a certificate is not for a server name, or None where it is (RFC 9525, section 6).

    Args:
        certificate: the server's.
        serverName: a DNS name, an address, or a SPIFFE id; of the last without a path all of that trust domain fit.
        authorities: those above the certificate, which a SPIFFE id depends on.

    Each name counts by itself: one that cannot be used, as an address that is written as a DNS name, does not spoil the
    others. Whatever else goes wrong in the check is a problem: a certificate that cannot be read is for no name.
    """
    if isSPIFFE(serverName):
        return _spiffeProblem((certificate, *authorities), serverName)
    try:
        wanted = identityOf(serverName)
    except ValueError as wrong:
        return _nameProblem(certificate, "name-mismatch", f"asked for what no certificate is for: {wrong}")
    try:
        names = list(_alternativeNames(certificate))
        patterns = [pattern for name in names if (pattern := _pattern(name)) is not None]
        if any(_covers(pattern, wanted) for pattern in patterns):
            return None
    except Exception as broken:
        detail = f"its subject alternative names cannot be used: {unreadableText(broken)}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    return _nameProblem(certificate, *_mismatch(names, bool(patterns), serverName, wanted))


def _spiffeProblem(chain: Sequence[x509.Certificate], wanted: str) -> Problem | None:
    svid = svidOf(chain)
    if svid.fault:
        return _nameProblem(chain[0], "invalid-certificate", f"asked for {wanted}: {svid.fault} (X509-SVID)")
    if svid.identity is None:
        return _nameProblem(chain[0], "name-mismatch", f"asked for {wanted}, it has no SPIFFE id")
    if svid.identity == wanted or f"spiffe://{trustDomainOf(svid.identity)}" == wanted:
        return None
    return _nameProblem(chain[0], "name-mismatch", f"asked for {wanted}, it is for {printable(svid.identity)}")


def _mismatch(
    names: Sequence[x509.GeneralName], isForServers: bool, serverName: str, wanted: Identity
) -> tuple[str, str]:
    """Return the code and the words for names of which none is the one that is asked for."""
    if not names:
        return (
            "name-mismatch",
            f"asked for {serverName}, it has no subject alternative name, and a common name does not count",
        )
    if misplaced := next(filter(None, (_misplaced(name, wanted) for name in names)), ""):
        return "name-mismatch", f"asked for {serverName}, {misplaced}"
    texts = printable(", ".join(str(getattr(name, "value", name)) for name in names))
    if not isForServers and any(map(_isUnusable, names)):
        return "invalid-certificate", f"its subject alternative names cannot be used: {texts}"
    return "name-mismatch", f"asked for {serverName}, it is for {texts}"


def _isUnusable(name: x509.GeneralName) -> bool:
    if isinstance(name, UnreadableName):
        return True
    return isinstance(name, x509.DNSName) and not isAddress(name.value)


def _pattern(name: x509.GeneralName) -> Identity | None:
    """Return what a name stands for in the comparison, or None where it stands for no server."""
    if isinstance(name, x509.IPAddress):
        # A network is for name constraints alone.
        return name.value if isinstance(name.value, IPv4Address | IPv6Address) else None
    if not isinstance(name, x509.DNSName) or isAddress(name.value):
        return None
    domain = name.value.lower()
    base = domain.removeprefix("*.")
    # A wildcard for all of a top-level domain belongs to no server.
    return domain if isDomain(base) and (base == domain or "." in base) else None


def _covers(pattern: Identity, wanted: Identity) -> bool:
    """Compare what a certificate has with what is asked for (RFC 9525, section 6.3), as OpenSSL does.

    A wildcard stands for exactly one label, one in the ASCII form of another script, too, and for none with an
    underscore.
    """
    if isinstance(pattern, str) and isinstance(wanted, str) and pattern.startswith("*."):
        label, _, parent = wanted.partition(".")
        return parent == pattern[2:] and _LABEL.fullmatch(label) is not None
    return pattern == wanted


def _misplaced(name: x509.GeneralName, wanted: Identity) -> str:
    """Return how a certificate has what is asked for in a form that does not count, as a phrase, or nothing."""
    form = _otherForm(name, wanted)
    if not form:
        return ""
    if isinstance(wanted, str):
        return f"which it has {form}, and a server's name has to stand in it as a DNS name, with nothing around it"
    version = "IPv4" if isinstance(wanted, IPv4Address) else "IPv6"
    return f"which it has {form}, and an {version} address has to stand in it as an IP address"


def _otherForm(name: x509.GeneralName, wanted: Identity) -> str:
    value = name.value
    if isinstance(value, IPv4Network | IPv6Network):
        return "as a network" if value.num_addresses == 1 and value.network_address == wanted else ""
    if isinstance(value, IPv6Address):
        return "as an IPv6 address" if value.ipv4_mapped == wanted else ""
    if isinstance(name, x509.UniformResourceIdentifier):
        return "as a URI" if _asIdentity(_hostOf(value)) == wanted else ""
    if not isinstance(name, x509.DNSName):
        return ""
    if isAddress(value):
        return "as a DNS name" if ip_address(value) == wanted else ""
    return "with a port" if _asIdentity(_withoutPort(value)) == wanted else ""


def _hostOf(uri: str) -> str:
    try:
        return urlsplit(uri).hostname or ""
    except ValueError:
        return ""


def _withoutPort(text: str) -> str:
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]") if host and port.isdecimal() and not isAddress(text) else text


def _asIdentity(host: str) -> Identity:
    return ip_address(host) if isAddress(host) else host.lower()


def _nameProblem(certificate: x509.Certificate, code: str, detail: str) -> Problem:
    return Problem(code, depth=0, subject=subjectText(certificate), detail=detail)


def _alternativeNames(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        yield from extensionsOf(certificate).get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return


def asciiServerName(name: str) -> str:
    """Return a server's name as it is sent and compared: an address as it is, a DNS name in its ASCII form (RFC 5890).

    Args:
        name: the name, with one dot at its end or none, or an address; an IPv6 address may stand in brackets.

    Raises:
        ValueError: it is neither, or a text that others read as an address and certificates do not.
    """
    text = _inASCII(name)
    if text != name and (isAddress(text) or _endsInNumber(text)):
        raise ValueError(f"{_shown(name)} reads as {text}; an address is written in the digits of ASCII")
    if text[:1] == "[" or text[-1:] == "]":
        text = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else ""
        if ":" not in text or not isAddress(text):
            raise ValueError(f"{_shown(name)} is no server name: brackets are for one IPv6 address, as in [::1]")
    if isAddress(text):
        return _withoutZone(text)
    if _endsInNumber(text):
        raise ValueError(
            f"{_shown(name)} ends in a number, as an address does, and is none: an IPv4 address is four numbers from "
            "0 to 255, without zeros in front, as in 127.0.0.1"
        )
    domain = text.lower().removesuffix(".")
    if not isDomain(domain):
        raise ValueError(f"{_shown(name)} is neither a host name nor an address{_fault(domain)}")
    return domain


def canonicalServerName(name: str) -> str:
    """Return a server's name as it is compared: a SPIFFE id or trust domain in its canonical form, or a host's name.

    Raises:
        ValueError: it is none.
    """
    if not isSPIFFE(name):
        return asciiServerName(name)
    if "*" in name:
        raise ValueError(
            f"{_shown(name)} is no SPIFFE id: a server has one, or with no path any of its trust domain; what fits "
            "several is an access rule (spiffe=)"
        )
    return URI.canonical(name)


def hostAndServerName(host: str) -> tuple[str, str]:
    """Return where TCP connects to, and the name that a server there has where no other is given.

    Args:
        host: a name or an address. The zone of an IPv6 address (``fe80::1%eth0``) says by which network this machine
            reaches it, and is no part of the server's name.

    Raises:
        ValueError: it is neither.
    """
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    address, percent, _ = bare.partition("%")
    if percent and ":" in address and isAddress(bare):
        return bare, asciiServerName(address)
    name = asciiServerName(host)
    return name, name


def _inASCII(name: str) -> str:
    if name.isascii():
        return name
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as problem:
        raise ValueError(f"{_shown(name)} is neither a host name nor an address: {printable(str(problem))}") from None


def _withoutZone(address: str) -> str:
    bare, percent, zone = address.partition("%")
    if percent:
        raise ValueError(
            f"the address {_shown(address)} has the zone {_shown(zone)}, which is this machine's word for one of its "
            f"networks, and stands in no certificate: the server's name is {bare}"
        )
    return address


def _endsInNumber(text: str) -> bool:
    return _NUMBER.fullmatch(text.lower().removesuffix(".").rpartition(".")[2]) is not None


def _fault(domain: str) -> str:
    """Return why a text is no DNS name, as the end of a sentence."""
    labels = domain.split(".")
    if domain and not all(labels):
        return ": a part of it between dots is empty"
    if domain.startswith("*."):
        return ": a server has one name, and a wildcard is for certificates"
    if len(domain) > _LONGEST_NAME or max(map(len, labels)) > _LONGEST_LABEL:
        return f": it has more than {_LONGEST_NAME} characters, or {_LONGEST_LABEL} between dots"
    return ""


def _shown(name: str) -> str:
    return printable(repr(name), _MOST_SHOWN)


#: RFC 1035, section 2.3.4.
_LONGEST_NAME = 253
_LONGEST_LABEL = 63

_MOST_SHOWN = 80
