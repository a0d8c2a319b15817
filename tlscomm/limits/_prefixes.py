"""What counts as one address."""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

__all__ = ["Prefix", "prefixOf"]

#: The leading bits, and how many there are of what: IPv4's and IPv6's never equal each other.
Prefix = tuple[int, int]

_MAPPED = b"\0" * 10 + b"\xff\xff"


def prefixOf(host: str | None, bits: tuple[int, int]) -> Prefix | None:
    """Return what an address counts as, or None where it is none of IP, as that of a UNIX socket.

    Args:
        host: an IPv4 or IPv6 address as text. An IPv4 address in the form of an IPv6 one counts as what it is, and the
            zone of a link-local one makes no difference.
        bits: how many leading bits count, of IPv4 and of IPv6.
    """
    if host is None:
        return None
    try:
        if ":" not in host:
            return int.from_bytes(inet_pton(AF_INET, host), "big") >> (32 - bits[0]), 4
        packed = inet_pton(AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        # ValueError: a name of a UNIX socket may hold anything.
        return None
    if packed.startswith(_MAPPED):
        return int.from_bytes(packed[12:], "big") >> (32 - bits[0]), 4
    return int.from_bytes(packed, "big") >> (128 - bits[1]), 6
