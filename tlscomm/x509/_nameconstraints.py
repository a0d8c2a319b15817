"""Which names an authority may issue certificates for (RFC 5280, section 4.2.1.10).

Name constraints are what keeps a company's own authority from issuing for the rest of the world, so they fail closed: a
constraint that cannot be read, a name that no constraint could be applied to, and a wildcard that stands for an
excluded name among others are refused. A common name is no DNS name and is never constrained.

A hostile authority may put ten thousand constraints above ten thousand names. Constraints are kept in sets, and for
each name only the few entries that could hold for it are looked up: the work grows with their sum and not with their
product.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias
from urllib.parse import urlsplit

from cryptography import x509

from tlscomm.failures import printable
from tlscomm.x509._addresses import isAddress
from tlscomm.x509._canonicalname import CanonicalName, canonicalName
from tlscomm.x509._generalnames import NAME_KINDS, UnreadableName

__all__ = ["Subtrees", "isDomain"]

Kind: TypeAlias = type[x509.GeneralName]

#: RFC 1034, section 3.1, and the underscore that many have in names of services.
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)
_LONGEST_DOMAIN = 253

#: RFC 3986, section 2: what may stand in a URI. Others read the rest in different ways.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)

#: RFC 5321, section 4.1.2: what may stand before the at sign.
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf'{_ATOM}(\.{_ATOM})*|"([ !#-\[\]-~]|\\[ -~])*"', re.ASCII)

#: id-on-SmtpUTF8Mailbox (RFC 9598, section 3): a mail address under another kind of name.
_SMTP_UTF8_MAILBOX = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9")


class Subtrees:
    """The name constraints of one authority.

    Attributes:
        peculiarities: what is unusual about the constraints themselves, as phrases.
    """

    def __init__(self, constraints: x509.NameConstraints) -> None:
        self._permitted = _Subtrees(constraints.permitted_subtrees or ())
        self._excluded = _Subtrees(constraints.excluded_subtrees or ())
        self.peculiarities = (*self._permitted.peculiarities, *self._excluded.peculiarities)

    def violations(self, names: Sequence[x509.GeneralName], mailboxes: Sequence[str] = ()) -> Iterator[str]:
        """Say which names of a certificate the authority may not issue for, as phrases.

        Args:
            names: the names of a certificate below the authority.
            mailboxes: the mail addresses in its subject, where it has no alternative names.
        """
        for name in names:
            if violation := self._violation(_asKind(name), name, name.value):
                yield violation
        for mailbox in mailboxes:
            if violation := self._violation(x509.RFC822Name, None, mailbox):
                yield violation

    def _violation(self, kind: Kind, name: x509.GeneralName | None, value: object) -> str:
        if kind not in self._permitted.kinds and kind not in self._excluded.kinds:
            return ""
        called = f"the {NAME_KINDS[kind].text} {_text(value)}"
        unreadable = self._permitted.unreadable.get(kind, self._excluded.unreadable.get(kind))
        if unreadable is not None:
            return f"a name constraint that applies to {called} cannot be used: {unreadable}"
        known = None if isinstance(name, UnreadableName) else _reading(kind, name, value)
        if known is None:
            return f"name constraints cannot be applied to {called}"
        if kind in self._excluded.kinds and self._excluded.touch(kind, known):
            return f"{called} is in an excluded subtree"
        if kind in self._permitted.kinds and not self._permitted.contain(kind, known):
            return f"{called} is in no permitted subtree"
        return ""


#: A name as it is looked up.
_Readable = str | IPv4Address | IPv6Address | CanonicalName


class _Subtrees:
    """The permitted ones or the excluded ones, by kind."""

    def __init__(self, names: Sequence[x509.GeneralName]) -> None:
        self.kinds: set[Kind] = set()
        self.unreadable: dict[Kind, str] = {}
        self.peculiarities: list[str] = []
        self._exact: dict[Kind, set[str]] = {}
        self._below: dict[Kind, set[str]] = {}
        self._parents: set[str] = set()
        self._mailboxes: set[str] = set()
        self._networks: dict[tuple[int, int], set[int]] = {}
        self._directories: set[CanonicalName] = set()
        self._directoryLengths: set[int] = set()
        for name in names:
            kind = type(name)
            self.kinds.add(kind)
            if not self._add(kind, name.value):
                self.unreadable[kind] = _text(name.value)

    def contain(self, kind: Kind, name: _Readable) -> bool:
        """Return whether everything that a name stands for is in one of the subtrees."""
        if isinstance(name, IPv4Address | IPv6Address):
            return self._containAddress(name)
        if isinstance(name, tuple):
            return any(name[:length] in self._directories for length in self._directoryLengths)
        if kind is x509.RFC822Name:
            local, _, host = name.rpartition("@")
            return f"{local}@{host}" in self._mailboxes or self._containHost(kind, host)
        if kind is x509.UniformResourceIdentifier:
            return self._containHost(kind, name)
        return self._containDomain(name)

    def touch(self, kind: Kind, name: _Readable) -> bool:
        """Return whether something that a name stands for is in one of the subtrees."""
        if kind is x509.DNSName and isinstance(name, str) and name.startswith("*.") and name[2:] in self._parents:
            return True
        return self.contain(kind, name)

    def _add(self, kind: Kind, value: object) -> bool:
        if kind is x509.DNSName:
            return self._addDomain(str(value))
        if kind is x509.DirectoryName and isinstance(value, x509.Name):
            name = canonicalName(value)
            self._directories.add(name)
            self._directoryLengths.add(len(name))
            return True
        if kind is x509.IPAddress and isinstance(value, IPv4Network | IPv6Network):
            networks = self._networks.setdefault((value.version, value.prefixlen), set())
            networks.add(int(value.network_address))
            return True
        if kind is x509.RFC822Name and "@" in str(value):
            return self._addMailbox(str(value))
        return kind in (x509.RFC822Name, x509.UniformResourceIdentifier) and self._addHost(kind, str(value))

    def _addDomain(self, constraint: str) -> bool:
        constraint = constraint.lower()
        if constraint.startswith("."):
            self.peculiarities.append(f"the constraint for the DNS name {printable(constraint)} begins with a dot")
        if constraint and not isDomain(constraint.removeprefix(".")):
            return False
        self._addDomainOrHost(x509.DNSName, constraint)
        if not constraint.startswith("."):
            self._parents.add(constraint.partition(".")[2])
        return True

    def _addHost(self, kind: Kind, constraint: str) -> bool:
        constraint = constraint.lower()
        if not isDomain(constraint.removeprefix(".")) or isAddress(constraint):
            return False
        self._addDomainOrHost(kind, constraint)
        return True

    def _addDomainOrHost(self, kind: Kind, constraint: str) -> None:
        if constraint.startswith("."):
            self._below.setdefault(kind, set()).add(constraint[1:])
        else:
            self._exact.setdefault(kind, set()).add(constraint)

    def _addMailbox(self, constraint: str) -> bool:
        readable = _mailbox(constraint)
        self._mailboxes.add(readable or "")
        return readable is not None

    def _containDomain(self, domain: str) -> bool:
        exact, below = self._exact.get(x509.DNSName, _NOTHING), self._below.get(x509.DNSName, _NOTHING)
        # The constraint without a label is for all names.
        if "" in exact or domain in exact:
            return True
        return any(parent in exact or parent in below for parent in _parentsOf(domain))

    def _containHost(self, kind: Kind, host: str) -> bool:
        # Of URIs and mail addresses a constraint without a dot in front is for the host of that name alone.
        below = self._below.get(kind, _NOTHING)
        return host in self._exact.get(kind, _NOTHING) or any(parent in below for parent in _parentsOf(host))

    def _containAddress(self, address: IPv4Address | IPv6Address) -> bool:
        number, bits = int(address), address.max_prefixlen
        return any(
            version == address.version and (number >> (bits - length) << (bits - length)) in networks
            for (version, length), networks in self._networks.items()
        )


_NOTHING: frozenset[str] = frozenset()


def isDomain(text: str) -> bool:
    """Return whether a text in lower case is a DNS name, of one label or more, without a dot at its end."""
    return len(text) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(text) is not None


def _reading(kind: Kind, name: x509.GeneralName | None, value: object) -> _Readable | None:
    """Return a name as it is looked up, or None where it is not known what it is a name of."""
    if kind is x509.DNSName:
        domain = str(value).lower()
        return domain if isDomain(domain.removeprefix("*.")) else None
    if kind is x509.IPAddress:
        return value if isinstance(value, IPv4Address | IPv6Address) else None
    if kind is x509.DirectoryName and isinstance(value, x509.Name):
        return canonicalName(value)
    if kind is x509.UniformResourceIdentifier:
        return _host(str(value))
    if kind is x509.RFC822Name and not isinstance(name, x509.OtherName):
        return _mailbox(str(value))
    return None


def _host(uri: str) -> str | None:
    """Return the host of a URI where it is a DNS name, which alone can be constrained (RFC 5280, section 4.2.1.10)."""
    if not _URI.fullmatch(uri):
        return None
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        return None
    return host if isDomain(host) and not isAddress(host) else None


def _mailbox(address: str) -> str | None:
    """Return a mail address with its host in lower case; local parts may differ by case (RFC 5321, section 2.4)."""
    local, at, host = address.rpartition("@")
    host = host.lower()
    return f"{local}@{host}" if at and _LOCAL_PART.fullmatch(local) and isDomain(host) else None


def _parentsOf(domain: str) -> Iterator[str]:
    while "." in domain:
        domain = domain.partition(".")[2]
        yield domain


def _asKind(name: x509.GeneralName) -> Kind:
    if isinstance(name, x509.OtherName) and name.type_id == _SMTP_UTF8_MAILBOX:
        return x509.RFC822Name
    return name.kind if isinstance(name, UnreadableName) else type(name)


def _text(value: object) -> str:
    return printable(value.rfc4514_string() if isinstance(value, x509.Name) else str(value))
