"""The bytes of both directions in, what they mean out.

The same code reads a live connection and a capture. It has no clock and no files, and raises nothing, whatever a
stranger has sent.
"""

from __future__ import annotations

from tlscomm._wire.events import Event
from tlscomm._wire.secrets import Secrets

__all__ = ["Dissector"]


class Dissector:
    """Reads one connection, from the first byte of TLS on.

    Attributes:
        events: what was seen so far, in the order in which it was complete. Application data in one direction that
            nothing interrupts is one event, which grows; their number is bounded.
    """

    def __init__(self, secrets: Secrets, applicationDataBytes: int = 0) -> None:
        """
        Args:
            secrets: what records are opened with. More may be added while the connection is read.
            applicationDataBytes: how many bytes of application data, for each direction, are kept in `Event.content`.
        """
        self.events: list[Event] = []
        self._secrets = secrets

    def feed(self, isFromClient: bool, data: bytes, time: int, packet: int | None = None) -> None:
        """Take bytes of one direction, in their order."""

    def skip(self, isFromClient: bool, size: int, time: int, packet: int | None = None) -> None:
        """So many bytes of one direction were not seen. Records are found again behind them where that is possible."""

    def note(self, event: Event) -> None:
        """Take in what was seen beside TLS: a step of TCP, or what was said before it."""
        self.events.append(event)
