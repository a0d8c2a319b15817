"""Records, cut from the bytes of one direction (RFC 8446, section 5.1).

A capture may lack bytes. Inside a record they do no harm to what follows, because the record says how long it is.
Where a header is missing too, the next one is searched for: what looks like a header and leads to another one, or to
the end of what has come.
"""

from __future__ import annotations

from typing import NamedTuple

from tlscomm._wire.recordheader import HEADER, LIKE_HEADER, isHeader, unpackHeader

__all__ = ["SSL2", "RawRecord", "RecordCutter"]

#: The `type` of a ClientHello in the form of SSL 2 (RFC 5246, appendix E.2), which has no content type of its own.
SSL2 = 128


class RawRecord(NamedTuple):
    """A record as it was sent.

    Attributes:
        type: its content type, in the clear, or `SSL2`.
        version: its legacy_record_version.
        header: its first five bytes; two under SSL 2.
        fragment: what follows them.
        seen: how many bytes of the fragment were seen before the first that was not. Zeros stand for those.
    """

    type: int
    version: int
    header: bytes
    fragment: bytes
    seen: int

    @property
    def isWhole(self) -> bool:
        """Whether all of its bytes were seen."""
        return self.seen == len(self.fragment)


class RecordCutter:
    """Cuts one direction of a connection into records.

    Attributes:
        problem: why it is no TLS, once that is certain; nothing is cut from then on.
        isLost: whether bytes are missing, and it is not known where the next record begins.
        rest: once there is a problem, the first bytes of what is no record.
        restSize: how many bytes of that have come by then.
    """

    def __init__(self, *, mayBeSSL2: bool) -> None:
        """
        Args:
            mayBeSSL2: whether it may begin as SSL 2 did, as a client's may.
        """
        self.problem = ""
        self.isLost = False
        self.rest = b""
        self.restSize = 0
        self._mayBeSSL2 = mayBeSSL2
        self._buffer = bytearray()
        self._needed = HEADER
        # How many bytes of the buffer were seen before a hole, -1 where there is none.
        self._hole = -1

    def feed(self, data: bytes) -> list[RawRecord]:
        """Take the next bytes and return the records that end in them."""
        if self.problem:
            return []
        if not self._buffer and not self._mayBeSSL2 and (whole := self._whole(data)):
            return whole
        self._buffer += data
        if len(self._buffer) < self._needed or (self.isLost and not self._isFound()):
            return []
        if self._mayBeSSL2:
            self._mayBeSSL2 = False
            if self._buffer[0] >= 0x80 and self._buffer[2] == 1:
                return self._ssl2()
        return self._cut()

    def skip(self, size: int) -> list[RawRecord]:
        """Take note that bytes are missing, and return the record that ends in them, if one does."""
        if self.problem:
            return []
        self._mayBeSSL2 = False
        missing = self._needed - len(self._buffer)
        if len(self._buffer) < HEADER or self.isLost:
            self._lose()
            return []
        if self._hole < 0:
            self._hole = len(self._buffer)
        found = self.feed(bytes(min(size, missing)))
        if size > missing:
            self._lose()
        return found

    def stop(self) -> None:
        """Cut nothing any more."""
        self.problem = self.problem or "stopped"
        self._buffer.clear()

    def _whole(self, data: bytes) -> list[RawRecord]:
        """Return the one record that has come and nothing else, which is what most packets hold; else nothing."""
        if len(data) < HEADER or self.isLost:
            return []
        kind, version, length = unpackHeader(data)
        if len(data) != HEADER + length or not isHeader(kind, version, length):
            return []
        return [RawRecord(kind, version, data[:HEADER], data[HEADER:], length)]

    def _cut(self) -> list[RawRecord]:
        found: list[RawRecord] = []
        buffer, at, size = self._buffer, 0, len(self._buffer)
        with memoryview(buffer) as view:
            while size - at >= HEADER:
                kind, version, length = unpackHeader(view, at)
                if not isHeader(kind, version, length):
                    self.problem = "this is no record of TLS"
                    self.rest, self.restSize = bytes(view[at : at + 64]), size - at
                    break
                end = at + HEADER + length
                if end > size:
                    break
                header, fragment = bytes(view[at : at + HEADER]), bytes(view[at + HEADER : end])
                seen = length if self._hole < 0 else max(self._hole - HEADER, 0)
                found.append(RawRecord(kind, version, header, fragment, seen))
                self._hole = -1
                at, length = end, 0
            else:
                length = 0
        self._needed = HEADER + length
        if self.problem:
            buffer.clear()
        else:
            del buffer[:at]
        return found

    def _ssl2(self) -> list[RawRecord]:
        length = int.from_bytes(self._buffer[:2], "big") & 0x7FFF
        if len(self._buffer) < 2 + length:
            # There is nothing else that it could be.
            self._needed, self._mayBeSSL2 = 2 + length, True
            return []
        header, fragment = bytes(self._buffer[:2]), bytes(self._buffer[2 : 2 + length])
        del self._buffer[: 2 + length]
        self._needed = HEADER
        first = RawRecord(SSL2, 2, header, fragment, length)
        return [first, *(self._cut() if len(self._buffer) >= HEADER else [])]

    def _lose(self) -> None:
        self._buffer.clear()
        self._needed = HEADER
        self._hole = -1
        self.isLost = True

    def _isFound(self) -> bool:
        """Find where a record begins, and give up what stands before it. Each place is looked at once."""
        buffer, at = self._buffer, 0
        while match := LIKE_HEADER.search(buffer, at):
            at = match.start()
            if len(buffer) < at + HEADER:
                break
            end = at + HEADER + int.from_bytes(buffer[at + 3 : at + HEADER], "big")
            if len(buffer) < end or len(buffer) in (end + 1, end + 2, end + 3):
                break
            if len(buffer) == end or LIKE_HEADER.match(buffer, end):
                self.isLost = False
                break
            at += 1
        else:
            # A header may begin in the last three bytes.
            at = max(at, len(buffer) - 3)
        del buffer[:at]
        return not self.isLost
