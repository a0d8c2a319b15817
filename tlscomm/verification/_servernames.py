"""Whether a server's certificate is for the name that a client asked for (RFC 9525).

Names are only ever those of the subject alternative name extension (RFC 9525, section 2): a common name is a label, and
an authority does not check it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

import idna
from cryptography import x509
from service_identity.hazmat import DNS_ID

from tlscomm.failures import Problem, printable
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._facts import subjectText
from tlscomm.x509._nameconstraints import isDomain
from tlscomm.x509._unreadable import unreadableText

__all__ = ["Identity", "asciiServerName", "identityOf", "nameProblem"]

#: A DNS name in lower case, perhaps with a wildcard, or an address.
Identity: TypeAlias = str | IPv4Address | IPv6Address


@lru_cache(maxsize=256)
def identityOf(serverName: str) -> Identity:
    """Return a server name as it is compared: an address, or a DNS name in lower case and in its ASCII form.

    Raises:
        ValueError: it is neither.
    """
    return ip_address(serverName) if isAddress(serverName) else DNS_ID(serverName.removesuffix(".")).hostname.decode()


def nameProblem(certificate: x509.Certificate, serverName: str) -> Problem | None:
    """Return why a certificate is not for a server name, or None where it is (RFC 9525, section 6).

    Each name counts by itself: one that cannot be used, as an address that is written as a DNS name, does not spoil the
    others. Whatever else goes wrong in the check is a problem: a certificate that cannot be read is for no name.
    """
    try:
        names = list(_alternativeNames(certificate))
        wanted = identityOf(serverName)
        patterns = [pattern for name in names if (pattern := _pattern(name)) is not None]
        if any(_covers(pattern, wanted) for pattern in patterns):
            return None
    except Exception as broken:
        detail = f"its subject alternative names cannot be used: {unreadableText(broken)}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    if not names:
        detail = f"asked for {serverName}, it has no subject alternative name, and a common name does not count"
        return _nameProblem(certificate, "name-mismatch", detail)
    texts = printable(", ".join(str(getattr(name, "value", name)) for name in names))
    if not patterns and any(isinstance(name, x509.DNSName) and not _isPlainAddress(name) for name in names):
        detail = f"its subject alternative names cannot be used: {texts}"
        return _nameProblem(certificate, "invalid-certificate", detail)
    return _nameProblem(certificate, "name-mismatch", f"asked for {serverName}, it is for {texts}")


def _pattern(name: x509.GeneralName) -> Identity | None:
    """Return what a name stands for in the comparison, or None where it stands for no server."""
    if isinstance(name, x509.IPAddress):
        return ip_address(str(name.value))
    if not isinstance(name, x509.DNSName) or _isPlainAddress(name):
        return None
    domain = name.value.lower()
    base = domain.removeprefix("*.")
    # A wildcard for all of a top-level domain belongs to no server.
    return domain if isDomain(base) and (base == domain or "." in base) else None


def _covers(pattern: Identity, wanted: Identity) -> bool:
    """Compare what a certificate has with what is asked for (RFC 9525, section 6.3).

    A wildcard stands for exactly one label, whatever that is: one in the ASCII form of another script, too.
    """
    if isinstance(pattern, str) and isinstance(wanted, str) and pattern.startswith("*."):
        label, _, parent = wanted.partition(".")
        return bool(label) and parent == pattern[2:]
    return pattern == wanted


def _isPlainAddress(name: x509.DNSName) -> bool:
    return isAddress(name.value)


def _nameProblem(certificate: x509.Certificate, code: str, detail: str) -> Problem:
    return Problem(code, depth=0, subject=subjectText(certificate), detail=detail)


def _alternativeNames(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    try:
        yield from certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return


def asciiServerName(name: str) -> str:
    """Return a server's name as it is sent and compared: an address as it is, a DNS name in its ASCII form (RFC 5890).

    Raises:
        ValueError: it is neither.
    """
    bare = name.strip("[]").rstrip(".")
    if isAddress(bare):
        return bare
    try:
        return idna.encode(bare, uts46=True).decode("ascii") if not bare.isascii() else _checkedName(bare)
    except idna.IDNAError as problem:
        raise ValueError(f"{name!r} is neither a host name nor an address: {problem}") from None


def _checkedName(name: str) -> str:
    labels = name.split(".")
    if len(name) > 253 or any(not 0 < len(label) < 64 for label in labels) or not name.isprintable() or " " in name:
        raise ValueError(f"{name!r} is neither a host name nor an address")
    try:
        DNS_ID(name)
    except ValueError:
        raise ValueError(f"{name!r} cannot be the name of a server") from None
    return name.lower()
