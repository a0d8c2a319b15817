"""The places of connections that are traced: as many as were asked for, so that strangers do not fill the memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.logger import Logger

__all__ = ["Places"]

_log = Logger(namespace="tlscomm")

#: Nanoseconds between two lines of the log about traces that were left out.
_BETWEEN_WARNINGS = 60 * 10**9


class Placed(Protocol):
    """What has a place."""

    def forget(self) -> None:
        """Give way: keep nothing any more."""


class Places:
    """Gives a place to each connection on which something was said, and has an older one give way where there is none.

    Connections that no one speaks on have none, so that they cannot keep others from being traced. Strangers have half
    of the places, and more where those that were accepted leave them; of either, the oldest gives way.
    """

    def __init__(self, most: int, now: Callable[[], int]) -> None:
        """
        Args:
            most: how many places there are.
            now: tells the time in nanoseconds.
        """
        self._most = most
        self._now = now
        self._strangers: dict[Placed, None] = {}
        self._accepted: dict[Placed, None] = {}
        self._leftOut = 0
        self._told: int | None = None

    def take(self, placed: Placed) -> None:
        """Something was said on a connection."""
        self._strangers[placed] = None
        if len(self._strangers) + len(self._accepted) > self._most:
            areMany = len(self._strangers) * 2 > self._most or not self._accepted
            oldest = next(iter(self._strangers if areMany else self._accepted))
            self.leave(oldest)
            oldest.forget()
            self._leftOut += 1
        if self._leftOut:
            self._warn()

    def accept(self, placed: Placed) -> None:
        """Both sides of a connection have accepted each other."""
        if placed in self._strangers:
            del self._strangers[placed]
            self._accepted[placed] = None

    def leave(self, placed: Placed) -> None:
        """A connection has ended, or is not traced any more."""
        self._strangers.pop(placed, None)
        self._accepted.pop(placed, None)

    def _warn(self) -> None:
        now = self._now()
        if self._told is not None and 0 <= now - self._told < _BETWEEN_WARNINGS:
            return
        self._told, leftOut, self._leftOut = now, self._leftOut, 0
        _log.warn(
            "the traces of {count} connections were left out, because more than {most} were traced at a time",
            count=leftOut,
            most=self._most,
        )
