"""Which addresses are those of proxies, whose headers are believed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TypeAlias

from tlscomm.configuration._settingtypes import NetworkText

__all__ = ["Network", "TrustedProxies"]

#: A network of addresses; None stands for all UNIX sockets, which have none.
Network: TypeAlias = "IPv4Network | IPv6Network | None"


class TrustedProxies:
    """The proxies of a server.

    Attributes:
        networks: where they are.
        versions: those of the protocol that they may speak.
    """

    def __init__(self, networks: Iterable[Network | str], versions: Collection[int] = (1, 2)) -> None:
        """
        Args:
            networks: of their addresses, each also as a text: ``10.0.0.0/8``, ``2001:db8::1``, ``unix``.
            versions: those of the protocol that are accepted.

        Raises:
            ValueError: a text is no network, or there is none: then no header would ever be believed.
        """
        self.networks: tuple[Network, ...] = tuple(
            NetworkText().parse(each, "the proxies") if isinstance(each, str) else each for each in networks
        )
        self.versions = tuple(versions)
        if not self.networks:
            raise ValueError("name the addresses of the proxies")
        self._ofVersion = {
            version: tuple(each for each in self.networks if each is not None and each.version == version)
            for version in (4, 6)
        }

    def become(self, networks: Iterable[Network | str], versions: Collection[int] = (1, 2)) -> None:
        """Let these be the proxies from now on; what was accepted before stays. As for a new object.

        Raises:
            ValueError: as there; then nothing has changed.
        """
        vars(self).update(vars(TrustedProxies(networks, versions)))

    def areAt(self, host: str | None) -> bool:
        """Return whether an address is one of theirs.

        Args:
            host: the address that a connection comes from, with a zone or as IPv4 in IPv6 too; None for a UNIX socket.
        """
        if host is None:
            return None in self.networks
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        address = address if mapped is None else mapped
        return any(address in network for network in self._ofVersion[address.version])
