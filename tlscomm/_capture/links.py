"""What is below IP in a packet: link types, and the headers between them and IP.

The numbers of link types are LINKTYPE_ of tcpdump.org, the protocols below are EtherTypes of IEEE 802.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["IPV4", "IPV6", "below", "isLinkRead", "linkPayload"]

IPV4 = 0x0800
IPV6 = 0x86DD

_ETHERNET_BRIDGED = 0x6558
_VLANS = {0x8100, 0x88A8, 0x9100, 0x9200}
_PPPOE, _MPLS, _MPLS_MULTICAST = 0x8864, 0x8847, 0x8848

_PPP = {0x0021: IPV4, 0x0057: IPV6, 0x0281: _MPLS}

#: AF_INET everywhere, and AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
_FAMILIES = {2: IPV4, 10: IPV6, 24: IPV6, 28: IPV6, 30: IPV6}

#: So many headers may stand one in the other.
_DEEPEST = 16

#: What there is, as an EtherType, and where it begins; an EtherType of 0 is nothing that is read.
Payload = tuple[int, int]

_NOTHING: Payload = (0, 0)


def linkPayload(linkType: int, data: bytes) -> Payload:
    """Return what a packet carries above its link layer, and where that begins."""
    read = _LINKS.get(linkType)
    return below(data, *read(data)) if read is not None else _NOTHING


def isLinkRead(linkType: int) -> bool:
    """Return whether packets of a link type can be read."""
    return linkType in _LINKS


def below(data: bytes, protocol: int, at: int) -> Payload:
    """Return what stands behind VLAN tags, PPPoE, MPLS and bridged Ethernet."""
    for _ in range(_DEEPEST):
        if protocol in (IPV4, IPV6, 0):
            break
        if protocol in _VLANS:
            protocol, at = _number(data, at + 2), at + 4
        elif protocol == _PPPOE:
            protocol, at = _PPP.get(_number(data, at + 6), 0), at + 8
        elif protocol in (_MPLS, _MPLS_MULTICAST):
            protocol, at = _mpls(data, at)
        elif protocol == _ETHERNET_BRIDGED:
            protocol, at = _number(data, at + 12), at + 14
        else:
            return _NOTHING
    return protocol, at


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _mpls(data: bytes, at: int) -> Payload:
    """Return what is behind a stack of labels (RFC 3032): nothing but its first bits tell what it is."""
    while at + 4 <= len(data) and not data[at + 2] & 1:
        at += 4
    return _rawIP(data, at + 4)


def _rawIP(data: bytes, at: int = 0) -> Payload:
    version = data[at] >> 4 if at < len(data) else 0
    return {4: IPV4, 6: IPV6}.get(version, 0), at


def _ethernet(data: bytes) -> Payload:
    return _number(data, 12), 14


def _linuxCooked(data: bytes) -> Payload:
    return _number(data, 14), 16


def _linuxCooked2(data: bytes) -> Payload:
    return _number(data, 0), 20


def _loopback(data: bytes) -> Payload:
    """The family of the address in the byte order of the machine that captured, or in network byte order."""
    little, big = int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big")
    return _FAMILIES.get(little) or _FAMILIES.get(big, 0), 4


def _ppp(data: bytes) -> Payload:
    at = 2 if data[:2] == b"\xff\x03" else 0
    if data[at : at + 1] in (b"\x21", b"\x57"):
        # The protocol's first byte may be left out where it is 0 (RFC 1661, section 6.5).
        return _PPP[data[at]], at + 1
    return _PPP.get(_number(data, at), 0), at + 2


def _pppWithDirection(data: bytes) -> Payload:
    protocol, at = _ppp(data[1:])
    return protocol, at + 1


_LINKS: dict[int, Callable[[bytes], Payload]] = {
    0: _loopback,
    1: _ethernet,
    9: _ppp,
    # Raw IP: three numbers of operating systems, and the one of files.
    12: _rawIP,
    14: _rawIP,
    101: _rawIP,
    50: _ppp,
    51: lambda data: (_PPPOE, 0),
    108: _loopback,
    113: _linuxCooked,
    204: _pppWithDirection,
    228: lambda data: (IPV4, 0),
    229: lambda data: (IPV6, 0),
    276: _linuxCooked2,
}
