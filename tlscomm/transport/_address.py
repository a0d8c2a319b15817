"""An address in the words of logs and failures."""

from __future__ import annotations

from typing import Any

__all__ = ["describeAddress"]


def describeAddress(address: Any) -> str | None:
    """Return an address as people write it: ``host:port``, or as the address describes itself."""
    if address is None:
        return None
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return str(address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
