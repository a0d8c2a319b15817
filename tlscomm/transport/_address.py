"""An address in the words of logs and failures."""

from __future__ import annotations

import contextlib
import os
from ipaddress import IPv6Address
from typing import Any

from twisted.internet.address import UNIXAddress

from tlscomm.failures import printable

__all__ = ["describeAddress"]


def describeAddress(address: Any) -> str | None:
    """Return an address as people write it: ``host:port``, ``unix:path``, or as the address describes itself.

    Behind a proxy it is what the proxy's header says, so it is cut and escaped as any other text from outside.
    """
    if address is None:
        return None
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is not None and port is not None:
        host = _shortened(printable(str(host)))
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(address, UNIXAddress):
        # A client's socket mostly has no name.
        return printable(f"unix:{os.fsdecode(address.name)}") if address.name else "a UNIX socket"
    return printable(str(address))


def _shortened(host: str) -> str:
    """Return an IPv6 address in the form of RFC 5952, in which every log has the same one.

    One of IPv4 that came to a socket of IPv6 (RFC 4291, section 2.5.5.2) is written as the address that it is.
    """
    with contextlib.suppress(ValueError):
        if ":" in host:
            address = IPv6Address(host)
            return str(address.ipv4_mapped or address)
    return host
