"""Warnings in the log before something expires: once each, a month, a week and a day before."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.logger import Logger

from tlscomm.configuration._expiries import Expiry
from tlscomm.failures._wording import timeText

__all__ = ["ExpiryWarnings"]

_log = Logger(namespace="tlscomm")

_DAY = 86400.0
#: Days before the end; the last is the end itself.
_THRESHOLDS = (30, 7, 1, 0)
#: A certificate that lasts for less than three times as long is renewed when less is left.
_SHARE = 3

_WHAT = {
    "identity": "our certificate",
    "chain": "the certificate that is sent along with ours",
    "root": "the authority that is trusted",
    "intermediate": "the authority that is known besides",
}
_STEPS = {
    "identity": "Renew it; the server takes the new one by itself.",
    "chain": "Get the new one of the authority, and put it behind ours.",
}
_STEP = "Get the authority's next certificate, and trust both until all peers have changed."


class ExpiryWarnings:
    """Knows what was warned of. Lists are left out: they expire every few days, and metrics tell of them."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def look(self, expiries: Iterable[Expiry], now: float) -> None:
        """Warn of what is to be warned of.

        Args:
            expiries: what the configurations rest on.
            now: in seconds since 1970.
        """
        current = {each.fingerprint: each for each in expiries if each.kind in _WHAT}
        self._said = {fingerprint: days for fingerprint, days in self._said.items() if fingerprint in current}
        for fingerprint, expiry in current.items():
            days = _threshold(expiry, now)
            said = self._said.pop(fingerprint, None)
            if days is None:
                continue
            # Of less than is left, it was said while the time of day was wrong.
            self._said[fingerprint] = days
            if said is None or days < said:
                _warn(expiry, days, now)


def _threshold(expiry: Expiry, now: float) -> int | None:
    """Return the least number of days that it is short of; None where there is time."""
    left = expiry.secondsLeft(now)
    if left is None or expiry.at is None:
        return None
    lasts = float("inf") if expiry.since is None else (expiry.at - expiry.since).total_seconds()
    short = [days for days in _THRESHOLDS if left <= days * _DAY and days * _DAY * _SHARE < lasts]
    return min(short, default=None)


def _warn(expiry: Expiry, days: int, now: float) -> None:
    left = (expiry.secondsLeft(now) or 0.0) / _DAY
    if left <= 0:
        when = "has expired"
    else:
        when = f"expires in {left:.0f} days" if left >= 2 else f"expires in {left * 24:.0f} hours"
    log = _log.warn if days > 1 else _log.error
    log(
        "{what} {when}: {name}, at {until}. Next step: {nextStep}",
        what=_WHAT[expiry.kind],
        when=when,
        name=expiry.name,
        until="" if expiry.at is None else timeText(expiry.at),
        nextStep=_STEPS.get(expiry.kind, _STEP),
        fingerprint=expiry.fingerprint,
    )
