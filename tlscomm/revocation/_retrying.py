"""When to fetch something again: well before it expires, and after a failure later each time.

All programs that trust an authority ask the same server, and one that was down is asked by all of them when it is up
again. So that no two ask at the same moment, every wait is between a half and one and a half of what it says.
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
        failures: how often it has failed since it came last.
    """

    def __init__(self) -> None:
        self.isRunning = False
        self.failures = 0
        self._due = 0.0

    def isDue(self, seconds: float) -> bool:
        """Return whether to fetch it now.

        Args:
            seconds: what the clock says.
        """
        return not self.isRunning and seconds >= self._due

    def succeeded(self, seconds: float, at: datetime, until: datetime, least: float = 0.0) -> None:
        """Note that it came, and counts until then: it is fetched again when half of that time is over.

        Args:
            seconds: what the clock says.
            at: the time of day.
            until: how long it counts.
            least: the seconds that it is not fetched again for, however soon that is over.
        """
        self.isRunning = False
        self.failures = 0
        left = (until - at).total_seconds() / 2
        self._due = seconds + max(_jittered(min(max(left, _SOONEST), _LATEST)), least)

    def failed(self, seconds: float) -> None:
        """Note that it did not come."""
        self.isRunning = False
        wait = min(_FIRST_RETRY * 2 ** min(self.failures, _MOST_DOUBLINGS), _LAST_RETRY)
        self.failures += 1
        self._due = seconds + _jittered(wait)


def _jittered(seconds: float) -> float:
    # Nothing depends on that it cannot be guessed.
    return seconds * random.uniform(0.5, 1.5)
