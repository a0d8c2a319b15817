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
        host = printable(str(host))
        return f"[{_shortened(host)}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(address, UNIXAddress):
        # A client's socket mostly has no name.
        return printable(f"unix:{os.fsdecode(address.name)}") if address.name else "a UNIX socket"
    return printable(str(address))


def _shortened(host: str) -> str:
    """Return an IPv6 address in the form of RFC 5952, in which every log has the same one."""
    with contextlib.suppress(ValueError):
        return str(IPv6Address(host))
    return host
