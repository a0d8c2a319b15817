"""What is read from a capture, and what one side of TCP is told."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Address", "Packet", "StreamReader"]


class Packet(NamedTuple):
    """One packet of a capture. A tuple, because a large capture has millions.

    Attributes:
        number: from 1, as Wireshark counts.
        time: nanoseconds since 1970.
        linkType: what its bytes begin with (LINKTYPE_ of tcpdump.org).
        data: its bytes, as many as were kept.
        length: how many it had on the wire.
    """

    number: int
    time: int
    linkType: int
    data: bytes
    length: int


class Address(NamedTuple):
    """One end of a TCP connection.

    Attributes:
        host: an IPv4 or IPv6 address as text.
        port: the TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class StreamReader(Protocol):
    """Is told of one TCP connection, in the order of its bytes. `isFirst` is the side that opened it.

    Where the beginning was not captured, the first side is the one whose packet came first.
    """

    def step(self, isFirst: bool, name: str, time: int, packet: int) -> None:
        """A ``SYN``, ``FIN`` or ``RST`` of one side."""

    def data(self, isFirst: bool, data: bytes, time: int, packet: int) -> None:
        """The next bytes of one side."""

    def missing(self, isFirst: bool, size: int, time: int, packet: int) -> None:
        """So many bytes of one side were not captured."""

    def ended(self) -> None:
        """Nothing more will come: both sides have closed, it was reset, it is silent for long, or the capture ends."""
