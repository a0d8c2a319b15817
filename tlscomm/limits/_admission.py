"""Which TCP connections a server takes, and what is counted for it.

Limits of one address come before those in all, and one that is refused takes nothing from what others may have. So who
comes too often cannot use up, by that alone, what there is for all.

Behind a proxy the address is known when the proxy's header has come. Until then a connection counts among those that
wait for their headers, which have a bound of their own, and nowhere else.
"""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from tlscomm.failures import TLSFailure, TooManyConnections, TooManyHandshakes, TooManyRefusals
from tlscomm.limits._buckets import Bucket
from tlscomm.limits._limits import Limits
from tlscomm.limits._prefixes import Prefix, prefixOf
from tlscomm.limits._records import WAIT, Record, Records

__all__ = ["MOST_AWAITED", "Admission", "Admitted"]

#: How many connections may wait for a proxy's header at a time. A proxy sends it as soon as it has connected, so that
#: those are few; each takes a file and 20 KB.
MOST_AWAITED = 500
_SEND_HEADER = "See why the proxy connects and does not send its PROXY header, and whether proxyFrom names it alone."

_Key = TypeVar("_Key")


class Admitted:
    """One connection that was let in, for as long as it lasts.

    Attributes:
        admission: what has let it in.
        prefix: what its address counts as; None where it has none, or that has yet to be said.
        identity: what its peer is counted by, or None where it is not.
        isAwaited: whether it waits for a proxy's header, and counts among these alone.
        isCounted: whether it counts for the limits in all and of its address.
        isPending: whether it counts there as one that has yet to be accepted.
    """

    __slots__ = ("admission", "identity", "isAwaited", "isCounted", "isPending", "prefix")

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.prefix: Prefix | None = None
        self.identity: bytes | None = None
        self.isAwaited = self.isCounted = self.isPending = False


class Admission:
    """Says of each connection whether there is room for it.

    What it does for one call is the same work however many connections and addresses there are, and what it remembers
    is bounded: a number for each address and each identity with an open connection, and `tlscomm.limits._records`.

    Attributes:
        limits: may be changed at any time. What is open stays open, and counts.
        hits: how often each limit was hit, by the name of its setting.
        connections: how many connections there are, but for those that wait for a proxy's header.
        pending: how many of them have yet to be accepted.
        awaited: how many wait for a proxy's header.
    """

    def __init__(self, limits: Limits, records: Records | None = None) -> None:
        """
        Args:
            limits: the limits.
            records: where it is remembered what addresses have done; as much as usual is where None.
        """
        self.limits = limits
        self.hits: Counter[str] = Counter()
        self.connections = 0
        self.pending = 0
        self.awaited = 0
        self._ofAddress: dict[Prefix, int] = {}
        self._ofIdentity: dict[bytes, int] = {}
        self._records = Records() if records is None else records
        self._handshakes: Bucket | None = None

    def arrive(self, host: str | None, now: float) -> Admitted | TLSFailure:
        """A TCP connection has come.

        Args:
            host: the address that it is from; None where it has none, and in-all limits alone hold.
            now: the time, in seconds.

        Returns:
            What is counted, to be told of what becomes of the connection, or the failure by which it is refused.
        """
        admitted = Admitted(self)
        return self._letIn(admitted, host, now) or admitted

    def arriveByProxy(self) -> Admitted | TLSFailure:
        """A TCP connection has come from a proxy, which has yet to say from where it is (`locate`).

        Returns:
            As `arrive`. It takes nothing of what others may have.
        """
        if self.awaited >= MOST_AWAITED:
            self.hits["proxyFrom"] += 1
            return TooManyHandshakes(
                f"{self.awaited} wait for a proxy's PROXY header", limit="proxyFrom", remedy=_SEND_HEADER
            )
        admitted = Admitted(self)
        admitted.isAwaited = True
        self.awaited += 1
        return admitted

    def locate(self, admitted: Admitted, host: str | None, now: float) -> TLSFailure | None:
        """A proxy has said where a connection is from: let it in as one that has come now from there.

        Args:
            admitted: what `arriveByProxy` has returned.
            host: the address, as for `arrive`.
            now: the time, in seconds.

        Returns:
            The failure by which it is refused, which takes nothing from others; None where it is let in.
        """
        self._awaitNoMore(admitted)
        return self._letIn(admitted, host, now)

    def identify(self, admitted: Admitted, identity: bytes) -> TLSFailure | None:
        """A connection is to be accepted: count it for its identity, or return the failure by which it is refused."""
        most, count = self.limits.connectionsPerIdentity, self._ofIdentity.get(identity, 0)
        if most is not None and count >= most:
            self.hits["connectionsPerIdentity"] += 1
            return TooManyConnections(
                f"{count} with its names are open", limit="connectionsPerIdentity", stage="authorization"
            )
        self._ofIdentity[identity] = count + 1
        admitted.identity = identity
        return None

    def refused(self, admitted: Admitted, now: float) -> None:
        """A connection was refused for what its peer has done or shown, which counts for its address."""
        most, prefix = self.limits.refusalsPerAddress, admitted.prefix
        if most is None or prefix is None or (record := self._recordOf(prefix, now)) is None:
            return
        self._records.mark(prefix, record)
        if record.wait(now):
            return
        record.refusals.has(most / WAIT, most, now)
        record.refusals.left -= 1
        if record.refusals.left < 1:
            record.waitsSince, record.refusals.left = now, float(most)

    def accepted(self, admitted: Admitted) -> None:
        """Both sides have accepted each other."""
        if admitted.isPending:
            admitted.isPending = False
            self.pending -= 1

    def gone(self, admitted: Admitted) -> None:
        """TCP is gone."""
        self._awaitNoMore(admitted)
        if not admitted.isCounted:
            return
        admitted.isCounted = False
        self.accepted(admitted)
        self.connections -= 1
        if admitted.prefix is not None:
            _countDown(self._ofAddress, admitted.prefix)
        if admitted.identity is not None:
            _countDown(self._ofIdentity, admitted.identity)

    def _awaitNoMore(self, admitted: Admitted) -> None:
        if admitted.isAwaited:
            admitted.isAwaited = False
            self.awaited -= 1

    def _letIn(self, admitted: Admitted, host: str | None, now: float) -> TLSFailure | None:
        """Count a connection everywhere, or nowhere and return the failure by which it is refused."""
        prefix = prefixOf(host, self.limits.addressPrefix)
        record = None if prefix is None else self._recordOf(prefix, now)
        excess = self._excessOfAddress(prefix, record, now) or self._excessInAll(now)
        if excess is not None:
            self.hits[excess.limit] += 1
            return excess
        if self._handshakes is not None:
            self._handshakes.left -= 1
        if record is not None:
            record.handshakes.left -= 1
        if prefix is not None:
            self._ofAddress[prefix] = self._ofAddress.get(prefix, 0) + 1
        self.connections += 1
        self.pending += 1
        admitted.prefix = prefix
        admitted.isCounted = admitted.isPending = True
        return None

    def _recordOf(self, prefix: Prefix, now: float) -> Record | None:
        """Return what is remembered of an address, from now on; None where no limit needs that."""
        limits = self.limits
        if limits.handshakeRatePerAddress is None and limits.refusalsPerAddress is None:
            return None
        record = self._records.find(prefix, now)
        if record is None:
            record = Record(limits.handshakeRatePerAddress or 1.0, limits.refusalsPerAddress or 1.0, now)
            self._records.add(prefix, record)
        return record

    def _excessOfAddress(
        self, prefix: Prefix | None, record: Record | None, now: float
    ) -> TooManyConnections | TooManyHandshakes | TooManyRefusals | None:
        if prefix is None:
            return None
        limits = self.limits
        if record is not None:
            if limits.refusalsPerAddress is not None and (wait := record.wait(now)):
                return TooManyRefusals(f"{wait:.0f} s are left of it", limit="refusalsPerAddress")
            rate = limits.handshakeRatePerAddress
            if rate is not None and not record.handshakes.has(rate, max(1.0, rate), now):
                self._records.mark(prefix, record)
                return TooManyHandshakes(f"{rate:g} a second may come of one address", limit="handshakeRatePerAddress")
        most = limits.connectionsPerAddress
        if most is not None and (count := self._ofAddress.get(prefix, 0)) >= most:
            return TooManyConnections(f"{count} of its address are open", limit="connectionsPerAddress")
        return None

    def _excessInAll(self, now: float) -> TooManyConnections | TooManyHandshakes | None:
        limits = self.limits
        if limits.maximumConnections is not None and self.connections >= limits.maximumConnections:
            return TooManyConnections(f"{self.connections} are open", limit="maximumConnections")
        if limits.maximumPending is not None and self.pending >= limits.maximumPending:
            return TooManyHandshakes(f"{self.pending} have yet to be done", limit="maximumPending")
        rate = limits.handshakeRate
        if rate is None:
            self._handshakes = None
            return None
        if self._handshakes is None:
            self._handshakes = Bucket(max(1.0, rate), now)
        if not self._handshakes.has(rate, max(1.0, rate), now):
            return TooManyHandshakes(f"{rate:g} a second may come", limit="handshakeRate")
        return None


def _countDown(counts: dict[_Key, int], key: _Key) -> None:
    if count := counts[key] - 1:
        counts[key] = count
    else:
        del counts[key]
