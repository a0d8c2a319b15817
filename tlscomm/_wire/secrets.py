"""The secrets of connections, in the form that NSS made and RFC 9850 describes (``SSLKEYLOGFILE``)."""

from __future__ import annotations

__all__ = ["Secrets"]


class Secrets:
    """Secrets of many connections, found by label and client random. Their number is bounded."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, bytes], bytes] = {}

    def add(self, lines: bytes) -> None:
        """Take lines of a key log. What is no such line is passed over. Of one label and random, the last one holds."""

    def find(self, label: str, clientRandom: bytes) -> bytes | None:
        """Return a secret, ``CLIENT_HANDSHAKE_TRAFFIC_SECRET`` for example, or None where it is not known."""
        return self._found.get((label, clientRandom))
