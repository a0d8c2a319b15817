"""The header of version 1: a line of text (section 2.1 of the specification)."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal

from tlscomm.failures import printable
from tlscomm.proxyprotocol._header import ProxyAddress, ProxyHeader

__all__ = ["LONGEST_1", "parse1"]

#: The most bytes of a line, with its end.
LONGEST_1 = 107

_FAMILIES: dict[str, Literal["IPv4", "IPv6"]] = {"TCP4": "IPv4", "TCP6": "IPv6"}


def parse1(line: bytes) -> ProxyHeader:
    """Return what a line says, which begins with ``PROXY `` and stands here without its end.

    Raises:
        ValueError: it is none of this protocol.
    """
    words = line.decode("latin-1").split(" ")
    if words[1] == "UNKNOWN":
        # What follows has to be ignored.
        return ProxyHeader(1)
    if words[1] not in _FAMILIES:
        raise ValueError(f"it has no protocol TCP4, TCP6 or UNKNOWN, but {printable(words[1])}")
    if len(words) != 6:
        raise ValueError(f"it has {len(words)} words in the place of 6")
    family = _FAMILIES[words[1]]
    source, destination = (
        ProxyAddress(family, _host(words[place], family), _port(words[place + 2])) for place in (2, 3)
    )
    return ProxyHeader(1, source=source, destination=destination)


def _host(word: str, family: Literal["IPv4", "IPv6"]) -> str:
    try:
        if family == "IPv4":
            return str(IPv4Address(word))
        if "%" in word:
            raise AddressValueError
        return str(IPv6Address(word))
    except AddressValueError:
        raise ValueError(f"{printable(word)} is no {family} address") from None


def _port(word: str) -> int:
    isNumber = word.isascii() and word.isdigit() and len(word) <= 5 and (word[0] != "0" or word == "0")
    if not isNumber or int(word) > 0xFFFF:
        raise ValueError(f"{printable(word)} is no port")
    return int(word)
