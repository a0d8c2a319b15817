"""How much is kept of what one side sends before both have accepted each other.

To keep bytes costs memory, and to read them costs time by the record: a stranger may send records of one byte. So both
are bounded, at more than a handshake with the longest chain of certificates that OpenSSL takes (100 KB) needs, also
where its records are the smallest that can be agreed on (RFC 8449 and RFC 6066, section 4: about 512 bytes).
"""

from __future__ import annotations

from tlscomm._wire.recordheader import HEADER

__all__ = ["Allowance"]

_MOST_BYTES = 1 << 17
_MOST_RECORDS = 512

#: What is kept of a side that was refused: the alert or the few words that crossed with the refusal.
_LAST_BYTES = 1 << 11
_LAST_RECORDS = 8


class Allowance:
    """What may still be kept of one side's bytes. Once some were left out, all that follow are."""

    __slots__ = ("_bytes", "_head", "_records", "_toNext")

    def __init__(self) -> None:
        self._bytes = _MOST_BYTES
        self._records = _MOST_RECORDS
        # How far it is to the next header of a record, or what has come of it.
        self._toNext = 0
        self._head = b""

    def tighten(self) -> None:
        """The side was refused: hardly anything that follows is of use."""
        self._bytes = min(self._bytes, _LAST_BYTES)
        self._records = min(self._records, _LAST_RECORDS)

    def take(self, data: bytes) -> int:
        """Return how many of the next bytes are kept, from the first one on."""
        taken = min(len(data), self._bytes, self._wholeRecords(data) if self._bytes else 0)
        self._bytes = self._bytes - taken if taken == len(data) else 0
        return taken

    def _wholeRecords(self, data: bytes) -> int:
        """Return how many bytes there are before the first record that is one too many."""
        buffer, at = self._head + data, self._toNext
        while at + HEADER <= len(buffer):
            if not self._records:
                return max(0, at - len(self._head))
            self._records -= 1
            at += HEADER + int.from_bytes(buffer[at + 3 : at + HEADER], "big")
        self._head = buffer[at:]
        self._toNext = max(0, at - len(buffer))
        return len(data)
