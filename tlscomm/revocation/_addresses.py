"""Which addresses are fetched from. That is known without the client that fetches, which only a fetch loads.

A certificate is written by its authority, and an authority may be another company's. So what it names is never a way to
the programs behind our firewall, or on this machine, that answer because it is we who ask: fetching from those takes a
setting.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

__all__ = ["FetchFailed", "isFetchable", "isNeverFetchedFrom", "isPublic", "placeOf"]

_LONGEST_URL = 2000

#: The part of IPv6 that is given out (RFC 4291, section 2.4, and IANA's registry).
_UNICAST = IPv6Network("2000::/3")
#: Where the last 32 bits are an IPv4 address that a translator connects to (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")

#: What tells a virtual machine or a container its secrets: Amazon and most others, Amazon over IPv6, its containers,
#: Azure, Alibaba, Oracle.
_METADATA = frozenset(
    map(
        ip_address,
        (
            *("169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"),
            *("168.63.129.16", "100.100.100.200", "192.0.0.192"),
        ),
    )
)


class FetchFailed(Exception):
    """Nothing that can be used came. The message says why, printable."""


def isFetchable(url: str) -> bool:
    """Return whether an address is one that is fetched from."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    return plain and parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc


def placeOf(url: str) -> tuple[str, int]:
    """Return the host and the port of an address that can be fetched from."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def isPublic(host: str) -> bool:
    """Return whether an IP address is one of the public Internet.

    Private, loopback, link-local and shared addresses are not, nor are multicast and reserved ones, nor IPv6 addresses
    that stand for such an IPv4 address.
    """
    address = _ipAddress(host)
    if isinstance(address, IPv4Address):
        isOrdinary = address.is_global and not address.is_multicast and not address.is_reserved
        return isOrdinary and address not in _METADATA
    if address is None or not (address in _UNICAST or address in _TRANSLATED) or not address.is_global:
        return False
    if address.sixtofour is not None:
        # Relays of 6to4 are gone (RFC 7526), and Pythons differ in what they say of it.
        return False
    return all(isPublic(str(inner)) for inner in _embedded(address))


def isNeverFetchedFrom(host: str) -> bool:
    """Return whether an IP address is one that no setting allows: of no host, of many, or with a cloud's secrets."""
    address = _ipAddress(host)
    if address is None or address in _METADATA or address.is_unspecified or address.is_multicast:
        return True
    return isinstance(address, IPv6Address) and any(isNeverFetchedFrom(str(inner)) for inner in _embedded(address))


def _ipAddress(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses that packets to an IPv6 address may be sent on to."""
    found = [] if address.sixtofour is None else [address.sixtofour]
    if address.teredo is not None:
        found.extend(address.teredo)
    if address in _TRANSLATED:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return found
