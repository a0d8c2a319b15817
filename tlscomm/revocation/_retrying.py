"""When to fetch something again: well before it expires, and after a failure later each time.

Everybody who has a certificate of an authority asks the same server, and one that was down is asked by all of them when
it is up again. So that no two ask at the same moment, every wait is between a half and one and a half of what it says.
"""

from __future__ import annotations

import random
from datetime import datetime

__all__ = ["Schedule"]

#: Seconds.
_FIRST_RETRY, _LAST_RETRY = 30.0, 6 * 3600.0
_SOONEST, _LATEST = 60.0, 24 * 3600.0
_MOST_DOUBLINGS = 12


class Schedule:
    """When one thing is fetched next.

    Attributes:
        isRunning: whether it is being fetched now.
    """

    def __init__(self) -> None:
        self.isRunning = False
        self._due = 0.0
        self._failures = 0

    def isDue(self, seconds: float) -> bool:
        """Return whether to fetch it now.

        Args:
            seconds: what the clock says.
        """
        return not self.isRunning and seconds >= self._due

    def succeeded(self, seconds: float, at: datetime, until: datetime) -> None:
        """Note that it came, and counts until then: it is fetched again when half of that time is over."""
        self.isRunning = False
        self._failures = 0
        left = (until - at).total_seconds() / 2
        self._due = seconds + _jittered(min(max(left, _SOONEST), _LATEST))

    def failed(self, seconds: float) -> None:
        """Note that it did not come."""
        self.isRunning = False
        wait = min(_FIRST_RETRY * 2 ** min(self._failures, _MOST_DOUBLINGS), _LAST_RETRY)
        self._failures += 1
        self._due = seconds + _jittered(wait)


def _jittered(seconds: float) -> float:
    # Nothing depends on that nobody can guess it.
    return seconds * random.uniform(0.5, 1.5)
