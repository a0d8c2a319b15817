"""The connections that were refused last, as few lines as explain them.

A stranger can be refused as often as it likes. If each refusal took a line, one stranger would push out all the others.
So there is a line for each cause, certificate and network, with how often that was, and the latest of them in full.
Of one network only a few certificates have lines of their own, for a stranger makes new ones as it likes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tlscomm._clocks import timeOfDay
from tlscomm._dataclasses import dataclass
from tlscomm.failures import TLSFailure
from tlscomm.transport import TLSTransport, describeAddress
from tlscomm.transport._eventlog import EventLog, Moment
from tlscomm.transport._refusallimit import networkOf, whoseOf, withFewCertificates

__all__ = ["RecentRefusals"]

#: How many causes and networks are kept.
_MOST = 100
#: Bytes of certificates that are kept with one of them until it is shown.
_MOST_BYTES = 8192


@dataclass
class _Refusals:
    """What is known of one cause and network."""

    first: float
    last: float
    count: int
    address: str | None
    number: int | None
    failure: TLSFailure | dict[str, object]
    listener: str | None


class RecentRefusals:
    """Keeps the connections that were refused last: an observer of a server."""

    def __init__(self, clock: IReactorTime, log: EventLog | None = None) -> None:
        """
        Args:
            clock: tells the time, in seconds since 1970.
            log: knows the numbers of the connections, where it was told of them before.
        """
        self._now = timeOfDay(clock)
        self._log = log
        self._kept: OrderedDict[tuple[str, ...], _Refusals] = OrderedDict()

    def refused(self, transport: TLSTransport, failure: TLSFailure) -> None:
        """A connection was refused."""
        now = self._now()
        address = transport.getPeer()
        listener = transport.factory.name
        key = withFewCertificates(
            (failure.code, failure.side, listener, whoseOf(failure), networkOf(address)), self._kept
        )
        known = self._kept.pop(key, None)
        self._kept[key] = _Refusals(
            first=now if known is None else known.first,
            last=now,
            count=1 if known is None else known.count + 1,
            address=describeAddress(address),
            number=None if self._log is None else self._log.lastRefused,
            failure=_light(failure),
            listener=listener or None,
        )
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def toJSON(self, traced: Container[int] = ()) -> list[dict[str, Any]]:
        """Return them for JSON, the latest first.

        Args:
            traced: the numbers of the connections whose traces are kept.
        """
        return [_asJSON(network, kept, traced) for (*_, network), kept in reversed(self._kept.items())]


def _light(failure: TLSFailure) -> TLSFailure | dict[str, object]:
    """Return a failure that may be kept: to describe it waits until it is looked at, unless it is large."""
    size = sum(len(certificate.der) for certificate in failure.chain)
    return failure if size <= _MOST_BYTES else failure.toJSON()


def _asJSON(network: str, kept: _Refusals, traced: Container[int]) -> dict[str, Any]:
    return {
        "first": Moment(kept.first).toJSON(),
        "last": Moment(kept.last).toJSON(),
        "count": kept.count,
        "network": network,
        "listener": kept.listener,
        "peer": kept.address,
        "connection": kept.number,
        "traced": kept.number in traced,
        "failure": kept.failure.toJSON() if isinstance(kept.failure, TLSFailure) else kept.failure,
    }
