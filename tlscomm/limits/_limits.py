"""The limits of a server, under the names that they have as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tlscomm._dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """How much all peers of a server, or one of them, may have. None is no limit.

    Attributes:
        maximumConnections: connections at a time, accepted or not yet.
        maximumPending: connections at a time that have yet to be accepted.
        handshakeRate: connections that may come in a second. As many as in one second may come at once.
        connectionsPerAddress: connections at a time of one address, accepted or not yet.
        connectionsPerIdentity: accepted connections at a time of one identity (`identityOf`).
        handshakeRatePerAddress: as `handshakeRate`, of one address. It may be less than one.
        refusalsPerAddress: refused connections of one address in a minute. After one more it has to wait a minute.
        addressPrefix: what counts as one address: so many leading bits of an IPv4 and of an IPv6 address.
    """

    maximumConnections: int | None = None
    maximumPending: int | None = None
    handshakeRate: float | None = None
    connectionsPerAddress: int | None = None
    connectionsPerIdentity: int | None = None
    handshakeRatePerAddress: float | None = None
    refusalsPerAddress: int | None = None
    addressPrefix: tuple[int, int] = (32, 64)

    def __post_init__(self) -> None:
        for each in fields(self):
            value, isRate = getattr(self, each.name), each.name.startswith("handshakeRate")
            if each.name != "addressPrefix" and value is not None and not (value > 0 if isRate else value >= 0):
                raise ValueError(f"{each.name} is {'more than 0' if isRate else '0 or more'}, or None, not {value!r}")
        if not (0 < self.addressPrefix[0] <= 32 and 0 < self.addressPrefix[1] <= 128):
            raise ValueError(f"addressPrefix is from 1 to 32 bits and from 1 to 128, not {self.addressPrefix!r}")

    @classmethod
    def fromSettings(cls, settings: Mapping[str, Any]) -> Limits:
        """Return the limits that are among settings, by name; what is missing is no limit."""
        given = {each.name: settings.get(each.name) for each in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value is not None})

    @property
    def areNone(self) -> bool:
        """Whether there is nothing to count."""
        return all(getattr(self, each.name) is None for each in fields(self) if each.name != "addressPrefix")

    def ofAddresses(self) -> tuple[str, ...]:
        """Return the names of the limits of one address that there are."""
        names = ("connectionsPerAddress", "handshakeRatePerAddress", "refusalsPerAddress")
        return tuple(name for name in names if getattr(self, name) is not None)

    def requireAddresses(self, place: str) -> None:
        """Refuse a place to listen where all connections seem to be from one address.

        Args:
            place: an endpoint string.

        Raises:
            ValueError: Twisted tells there, of each connection, the address of the proxy that passes it on.
        """
        if place.startswith("haproxy:") and (names := self.ofAddresses()):
            raise ValueError(
                f"{', '.join(names)}: with haproxy: that would be a limit of the proxy and not of its clients; listen "
                "on tcp:PORT, and name the proxy with proxyFrom"
            )

    def shared(self, processes: int) -> Limits:
        """Return the share that each of several processes has, which serve the same ports.

        What holds in all is divided among them, and rounded up. What holds for each address and each identity is not:
        the operating system may give all connections of one to the same process.
        """
        rate = self.handshakeRate
        return replace(
            self,
            maximumConnections=_share(self.maximumConnections, processes),
            maximumPending=_share(self.maximumPending, processes),
            handshakeRate=None if rate is None else rate / processes,
        )


def _share(most: int | None, processes: int) -> int | None:
    return None if most is None else -(-most // processes)
