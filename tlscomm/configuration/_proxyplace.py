"""Where a proxy is that a client connects through."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["ProxyPlace", "parseProxy"]

_KINDS = {"socks5": "socks5", "socks5h": "socks5", "http": "http"}
_PORTS = {"socks5": 1080, "http": 3128}


class ProxyPlace(NamedTuple):
    """A proxy.

    Attributes:
        kind: ``socks5`` or ``http``.
        host: its name or address.
        port: its port.
        user: who we are to it, or None.
    """

    kind: str
    host: str
    port: int
    user: str | None = None


def parseProxy(text: str) -> ProxyPlace:
    """Return the proxy in ``socks5://[USER@]HOST[:PORT]`` or ``http://…``.

    Raises:
        ValueError: it is none; the message says why, and repeats no pass word.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("its port is none") from None
    kind = _KINDS.get(parts.scheme)
    if kind is None or not parts.hostname:
        raise ValueError(
            "it is socks5://HOST:PORT or http://HOST:PORT, with USER@ before HOST where it asks who you are"
        )
    if parts.password is not None:
        raise ValueError(
            "it holds a pass word, which others could read: that is for the environment variable TLSCOMM_PROXY_PASSWORD"
        )
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("it has something behind its port")
    return ProxyPlace(
        kind, parts.hostname, port or _PORTS[kind], None if not parts.username else unquote(parts.username)
    )
