"""Time that passes, and the time of day: two things that Twisted has one clock for.

Twisted's reactors tell the time of day and measure all delays by it. When the clock of a machine is set an hour
forward, all deadlines are over at once; when it is set back, none is for an hour. A process of our own has a reactor
that is not moved by that. What is written for people and for other machines has the time of day all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import Any

__all__ = ["keepSteady", "timeOfDay"]


def keepSteady(reactor: Any) -> None:
    """Have a reactor measure delays by a clock that is not set. It does no harm to call it again.

    It is for a whole process, and so for its program to decide. To be called before the reactor runs.

    Args:
        reactor: its `twisted.internet.interfaces.IReactorTime.seconds` is replaced. They go on to count from 1970.
    """
    if hasattr(reactor.seconds, "timeOfDay"):
        return
    offset = time() - monotonic()

    def seconds() -> float:
        return offset + monotonic()

    seconds.timeOfDay = time  # type: ignore[attr-defined]
    reactor.seconds = seconds


def timeOfDay(clock: Any) -> Callable[[], float]:
    """Return what tells the time of day, in seconds since 1970, where a clock may tell how time passes.

    Args:
        clock: a reactor, or a clock of a test, which is then what tells it.
    """
    found: Callable[[], float] = getattr(clock.seconds, "timeOfDay", clock.seconds)
    return found
