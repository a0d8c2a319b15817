"""What is remembered of addresses that have come, in bounded memory, however many of them come.

A record is needed for as long as it differs from a new one: until the address has all its tokens again and waits for
nothing. Where more addresses come within that time than there are places, a record has to go, and its address begins
anew. To let in one too many is better than to keep out one that has done nothing, so that a full table never refuses.

A stranger must not be able to wash out what is known of him by having many other addresses connect once. So the records
of addresses that were refused or limited have places of their own, and only others of their kind take those: to wash
one out takes as many addresses that were all refused meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict

from tlscomm.limits._buckets import Bucket
from tlscomm.limits._prefixes import Prefix

__all__ = ["MOST_RECORDS", "WAIT", "Record", "Records"]

#: How long an address waits that was refused too often, in seconds, and in how many its refusals are forgotten.
WAIT = 60.0

#: How many records there are at most, of those that were refused or limited, and of the others. Each takes half a KB.
MOST_RECORDS = 1 << 15

#: After so many seconds a record may go: it is as a new one, or very nearly.
_OLD = 2 * WAIT


class Record:
    """What is remembered of one address.

    Attributes:
        handshakes: those that it may begin.
        refusals: those that are left to it.
        waitsSince: when it began to wait, or None.
        latest: when it came last.
    """

    __slots__ = ("handshakes", "latest", "refusals", "waitsSince")

    def __init__(self, rate: float, refusals: float, now: float) -> None:
        self.handshakes = Bucket(max(1.0, rate), now)
        self.refusals = Bucket(refusals, now)
        self.waitsSince: float | None = None
        self.latest = now

    def wait(self, now: float) -> float:
        """Return for how many seconds the address still has to wait."""
        since = self.waitsSince
        if since is None:
            return 0.0
        if now < since:
            # The clock was set back.
            since = self.waitsSince = now
        if now - since >= WAIT:
            self.waitsSince = None
            return 0.0
        return WAIT - (now - since)


class Records:
    """The records of addresses, of which it forgets the oldest when there are too many."""

    def __init__(self, most: int = MOST_RECORDS) -> None:
        """
        Args:
            most: how many there are at most, of each of the two kinds.
        """
        self._most = most
        self._plain: OrderedDict[Prefix, Record] = OrderedDict()
        self._marked: OrderedDict[Prefix, Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._plain) + len(self._marked)

    def find(self, prefix: Prefix, now: float) -> Record | None:
        """Return the record of an address that has come now, or None where there is none."""
        for records in (self._marked, self._plain):
            if (found := records.get(prefix)) is not None:
                found.latest = now
                records.move_to_end(prefix)
                return found
        return None

    def add(self, prefix: Prefix, record: Record) -> None:
        """Keep the record of an address that has none."""
        self._put(self._plain, prefix, record)

    def mark(self, prefix: Prefix, record: Record) -> None:
        """The address was refused or limited, so that its record is worth more."""
        if prefix not in self._marked:
            self._plain.pop(prefix, None)
            self._put(self._marked, prefix, record)

    def _put(self, records: OrderedDict[Prefix, Record], prefix: Prefix, record: Record) -> None:
        records[prefix] = record
        if len(records) > self._most:
            records.popitem(last=False)
        # Two for each that comes, so that the work is the same each time and the old ones are still gone in the end.
        for _ in range(2):
            first, oldest = next(iter(records.items()))
            if record.latest - oldest.latest < _OLD:
                return
            del records[first]
