"""Which texts are IP addresses, and so no names."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

__all__ = ["isAddress"]


@lru_cache(maxsize=256)
def isAddress(text: str) -> bool:
    """Return whether a text is an IP address, which is matched and sent in another way than a name (RFC 6066)."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
