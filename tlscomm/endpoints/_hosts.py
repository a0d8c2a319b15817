"""TCP connections to hosts by name, and what it means when there is none.

"No connection" sends a person to the firewall when a name was mistyped. The system says which it was, and what to do
about it differs.
"""

from __future__ import annotations

import errno
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
    UnknownHostError,
)
from twisted.internet.interfaces import IStreamClientEndpoint

from tlscomm.failures import ConnectFailed, printable

__all__ = ["AnyHostname", "connectFailed", "tcpTo"]

_UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN)

_UNKNOWN_NAME = (
    "the host's name cannot be resolved",
    ("Check the spelling, and that this machine's resolver knows the name: getent hosts NAME."),
)
_REFUSED = (
    "nothing listens there",
    ("Check the port, and that the server runs and listens on this address and not on 127.0.0.1 alone: ss -ltn."),
)
_SILENT = (
    "the host did not answer in time",
    (
        "Check the address, that the host is up, and that no firewall on the way drops packets; a slow network needs a "
        "longer timeout."
    ),
)
_NO_WAY = (
    "there is no route to the host",
    ("Check the address and this machine's network: ip route get ADDRESS says which way it would go."),
)
_FORBIDDEN = (
    "this system does not permit it",
    ("Check the firewall of this machine, and what the program is permitted to do (SELinux, AppArmor, systemd)."),
)


class AnyHostname(HostnameEndpoint):
    """Connects to a host over IPv6 or IPv4, whichever answers first, also where its name has an underscore.

    Such names are no host names (RFC 952), and containers and Windows machines have them. Twisted refuses them, because
    they are none in its library for international names.
    """

    @staticmethod
    def _hostAsBytesAndText(host: Any) -> tuple[bool, bytes, str]:
        if isinstance(host, str) and "_" in host and host.isascii() and host.isprintable() and " " not in host:
            return False, host.encode("ascii"), host
        return HostnameEndpoint._hostAsBytesAndText(host)


def tcpTo(reactor: Any, host: str, port: int, timeout: float) -> IStreamClientEndpoint:
    """Return an endpoint that connects to a host; to an address without a lookup, which takes a thread.

    Args:
        reactor: connects.
        host: a name, or an address without brackets.
        port: the port.
        timeout: seconds for it.
    """
    for isAddress, kind in ((isIPAddress, TCP4ClientEndpoint), (isIPv6Address, TCP6ClientEndpoint)):
        if isAddress(host):
            return cast(IStreamClientEndpoint, kind(reactor, host, port, timeout))
    return AnyHostname(reactor, host, port, timeout=timeout)


def connectFailed(error: Exception) -> ConnectFailed:
    """Return the failure for what Twisted raised in the place of a connection."""
    detail, step = _cause(error)
    return ConnectFailed(
        detail or printable(str(error).rstrip(".")), side="remote", evidence=(printable(repr(error)),), remedy=step
    )


def _cause(error: Exception) -> tuple[str, str]:
    number = getattr(error, "osError", None) or getattr(error, "errno", None)
    if isinstance(error, DNSLookupError | UnknownHostError):
        return _UNKNOWN_NAME
    if isinstance(error, ConnectionRefusedError) or number == errno.ECONNREFUSED:
        return _REFUSED
    if isinstance(error, TimeoutError | TCPTimedOutError) or number == errno.ETIMEDOUT:
        return _SILENT
    if isinstance(error, NoRouteError) or number in _UNREACHABLE:
        return _NO_WAY
    return _FORBIDDEN if number in (errno.EACCES, errno.EPERM) else ("", "")
