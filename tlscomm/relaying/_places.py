"""Which endpoint strings stay on this machine.

What comes out of TLS is in the clear, and what goes into it. It stays on this machine, as with ghostunnel, unless the
settings say otherwise: a mistyped host, or one that has moved, must not put on the network what TLS is to keep off it.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = ["isLoopback", "privately", "staysHere"]

#: Endpoint strings with TLS that verifies the server. Twisted's ``ssl:`` does that only where it is told a name.
_WITH_TLS = ("tlscomm", "tls")

#: Up to the next colon or equals sign that has no backslash before it.
_PART = re.compile(r"((?:\\.|[^\\:=])*)([:=]?)")


def staysHere(place: str) -> bool:
    """Return whether what is sent to a client endpoint string is in TLS, or does not leave this machine.

    What is said about an endpoint string of an unknown kind is no.
    """
    kind, positional, named = _parsed(place)
    if kind in _WITH_TLS or kind == "unix":
        return True
    if kind not in ("tcp", "tcp6"):
        return False
    return isLoopback(named.get("host", positional[0] if positional else ""))


def isLoopback(host: str) -> bool:
    """Return whether a host, as it is written, is this machine, whatever a resolver says."""
    if host.lower().rstrip(".") in ("localhost", "ip6-localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def privately(place: str) -> str:
    """Return a server endpoint string whose Unix socket is its user's alone, where it says nothing else."""
    kind, positional, named = _parsed(place)
    return f"{place}:mode=600" if kind == "unix" and len(positional) < 2 and "mode" not in named else place


def _parsed(place: str) -> tuple[str, list[str], dict[str, str]]:
    """Return the kind of an endpoint string, its arguments without a name, and those with one."""
    parts: list[list[str]] = [[]]
    for match in _PART.finditer(place):
        text, end = match.groups()
        parts[-1].append(re.sub(r"\\(.)", r"\1", text))
        if not end:
            break
        if end == ":":
            parts.append([])
    (kind, *_), *arguments = parts
    named = {name: "=".join(value) for name, *value in arguments if value}
    return kind, [each[0] for each in arguments if len(each) == 1], named
