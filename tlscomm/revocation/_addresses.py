"""Which addresses are fetched from. That is known without the client that fetches, which only a fetch loads."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["FetchFailed", "isFetchable"]

_LONGEST_URL = 2000


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
