"""Where a client's credential is shown: at the hosts that it is meant for, and nowhere else.

A client of HTTP goes where it is sent. A page of one server redirects to another, a feed names a third, and each of
them may ask for a certificate. What answers such a request tells a stranger who the client is, and under TLS 1.2 it
tells all who listen on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from tlscomm.failures import printable
from tlscomm.verification._servernames import asciiServerName
from tlscomm.x509._addresses import isAddress

__all__ = ["Destinations"]

_HTTPS = 443
_MOST_PORTS = 65535


class Destinations:
    """A set of hosts, each with the ports that are meant."""

    def __init__(self, hosts: Iterable[str]) -> None:
        """
        Args:
            hosts: each a name or an address, for all ports (``api.example.org``), or with the one port that is meant
                (``api.example.org:8443``, ``[2001:db8::1]:8443``). ``*.example.org`` is for each name that is one label
                longer, as in a certificate.

        Raises:
            TypeError: it is one text and not several.
            ValueError: one of them is no host.
        """
        if isinstance(hosts, str):
            raise TypeError(f"several hosts are expected and not one text: [{hosts!r}]")
        self._places = frozenset(_place(host) for host in hosts)

    def __contains__(self, place: tuple[str, int]) -> bool:
        """Return whether a host, by its name or address without brackets, is meant on a port."""
        host, port = place
        if isAddress(host):
            names = {str(ip_address(host))}
        else:
            name = asciiServerName(host).lower()
            names = {name, f"*.{name.partition('.')[2]}"}
        return any((each, known) in self._places for each in names for known in (port, None))

    def __bool__(self) -> bool:
        return bool(self._places)


def _place(text: str) -> tuple[str, int | None]:
    host, port = _split(text)
    if isAddress(host):
        return str(ip_address(host)), port
    wildcard = "*." if host.startswith("*.") else ""
    try:
        name = asciiServerName(host.removeprefix("*."))
    except ValueError as wrong:
        raise ValueError(f"{printable(text)} is no host: {wrong}") from None
    return f"{wildcard}{name.lower()}", port


def _split(text: str) -> tuple[str, int | None]:
    if isAddress(text):
        return text, None
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return text.strip("[]"), None
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) <= _MOST_PORTS):
        raise ValueError(f"{printable(text)} is no host: what follows the colon is no port")
    return host.strip("[]"), int(port)
