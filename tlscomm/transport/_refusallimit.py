"""A limit to what is written of refused connections, which strangers can have as many of as they like.

A line for each would let one who is refused fill a disk, and hide what else is in the log. So the first few of one
cause and one network are written in full, and from then on one a second, with the number of those that it stands for.
None is left out of the count. A network that comes slowly is written in full all the time, because one that stands for
itself alone is written as it is.

What is remembered is bounded as well. Where more networks come than there are places, those without a place share one
for each cause.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_INET, inet_pton
from typing import Any, TypeVar, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from tlscomm._dataclasses import dataclass
from tlscomm.failures import TLSFailure

__all__ = ["Event", "RefusalLimit", "TracebackLimit", "networkOf", "whoseOf", "withFewCertificates"]

_log = Logger(namespace="tlscomm")

Event = dict[str, Any]

#: How many of one cause and one network are written in full at first.
_IN_FULL = 10
#: Seconds between two summaries of one cause and one network.
_INTERVAL = 1.0
#: Seconds without one after which a cause and a network begin anew.
_QUIET = 10.0
#: How many of them have a place of their own.
_MOST_PLACES = 256

#: A site has at least so many bits (RFC 6177), and a provider's customer of IPv4 may have this many.
_PREFIX_LENGTHS = {4: 24, 6: 48}
_OTHERS = "other networks"

#: Certificates of one cause and network that have a place of their own. A stranger makes new ones as it likes; those
#: beyond share a place.
MOST_CERTIFICATES = 8

#: Code, side, level, certificate and network: what is for those who debug must not take the place of a warning, nor one
#: client that of another in its network.
_Key = tuple[str, str, str, str, str]


@dataclass
class _Place:
    """What is remembered of one cause and one network."""

    left: int
    latest: float
    withheld: int = 0
    event: Event | None = None


class RefusalLimit:
    """Writes the events of refused connections, and summaries of those that are too many."""

    def __init__(self, write: Callable[[Event], object], clock: IReactorTime) -> None:
        """
        Args:
            write: takes the events.
            clock: tells the time.
        """
        self._write = write
        self._clock = clock
        self._places: OrderedDict[_Key, _Place] = OrderedDict()
        self._others: dict[_Key, _Place] = {}
        self._withholding: dict[_Key, _Place] = {}
        self._timer: IDelayedCall | None = None

    def refused(self, event: Event, network: str) -> None:
        """Write the event of a refused connection, now or as one of several.

        Args:
            event: has a ``failure`` and a ``level``.
            network: where the connection is from.
        """
        failure = event["failure"]
        key, place = self._placeFor((failure.code, failure.side, event["level"], whoseOf(failure), network))
        if place.left:
            place.left -= 1
            self._write(event)
            return
        place.withheld += 1
        place.event = event
        self._withholding[key] = place
        if self._timer is None:
            self._timer = self._clock.callLater(_INTERVAL, self.flush)

    def flush(self) -> None:
        """Write now what was withheld."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        withholding, self._withholding = self._withholding, {}
        for (*_, network), place in withholding.items():
            count, event = place.withheld, place.event
            place.withheld, place.event = 0, None
            if event is not None:
                self._write(event if count == 1 else {**event, "event": "refusals", "count": count, "network": network})

    def _placeFor(self, key: _Key) -> tuple[_Key, _Place]:
        now = self._clock.seconds()
        self._forgetOld(now)
        key = withFewCertificates(key, self._places)
        place = self._places.get(key)
        if place is None and len(self._places) < _MOST_PLACES:
            place = self._places[key] = _Place(_IN_FULL, now)
        elif place is None:
            return self._sharedPlace((*key[:3], "", _OTHERS), now)
        place.latest = now
        self._places.move_to_end(key)
        return key, place

    def _sharedPlace(self, key: _Key, now: float) -> tuple[_Key, _Place]:
        place = self._others.get(key)
        if place is None or now - place.latest >= _QUIET:
            place = self._others[key] = _Place(_IN_FULL, now)
        place.latest = now
        return key, place

    def _forgetOld(self, now: float) -> None:
        while self._places:
            # What is withheld is written long before a place is old.
            key, place = next(iter(self._places.items()))
            if now - place.latest < _QUIET:
                return
            del self._places[key]


def whoseOf(failure: TLSFailure) -> str:
    """Return the fingerprint of the certificate that a peer has shown, as far as a failure knows it; else nothing."""
    shown = failure.chain[0] if failure.chain else failure.certificate
    return "" if shown is None else shown.fingerprint


_Kept = TypeVar("_Kept", bound="tuple[str, ...]")


def withFewCertificates(key: _Kept, known: Collection[_Kept]) -> _Kept:
    """Return a key, or the same without the certificate where there are keys of many others with all else alike.

    Args:
        key: its last part but one is the certificate.
        known: the keys that there are, a bounded number.
    """
    if not key[-2] or key in known:
        return key
    alike = sum(each[:-2] == key[:-2] and each[-1] == key[-1] for each in known)
    return key if alike < MOST_CERTIFICATES else cast("_Kept", (*key[:-2], "", key[-1]))


class TracebackLimit:
    """How often a traceback is logged of what peers can have called as often as they like: a hook, or a protocol above.

    Each refusal by a hook has its line besides, or is counted in one, which says what was raised.
    """

    def __init__(self, clock: IReactorTime) -> None:
        """
        Args:
            clock: tells the time.
        """
        self._clock = clock
        self._left = float(_IN_FULL)
        self._latest = clock.seconds()
        self._withheld = 0

    def log(self, write: Callable[[], object]) -> None:
        """Log one more, if that is allowed; where some were not, say first how many."""
        if not self.allows():
            self._withheld += 1
            return
        withheld, self._withheld = self._withheld, 0
        if withheld:
            _log.warn("{count} tracebacks like the one that follows were left out", count=withheld)
        write()

    def allows(self) -> bool:
        """Return whether one more is logged: ten at first, then one a second."""
        now = self._clock.seconds()
        # A clock may be set back.
        self._left = min(_IN_FULL, self._left + max(0.0, now - self._latest) / _INTERVAL)
        self._latest = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def networkOf(address: Any) -> str:
    """Return the network that an address belongs to, as text: of IPv4 24 bits, of IPv6 48.

    Args:
        address: one of Twisted's, or None.
    """
    host = getattr(address, "host", None)
    if type(host) is str and ":" not in host:
        # Python's own networks cost half of what it takes to turn a stranger away.
        with suppress(OSError, ValueError):
            inet_pton(AF_INET, host)
            return f"{host.rpartition('.')[0]}.0/24"
    try:
        found: IPv4Address | IPv6Address = ip_address(str(host).partition("%")[0])
    except ValueError:
        return "this machine" if host is None and address is not None else "an unknown network"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network((found, _PREFIX_LENGTHS[found.version]), strict=False))
