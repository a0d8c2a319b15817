"""A renewal of something that has no clock of its own, and is renewed while a server or a client uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from tlscomm.watching._renewal import Renewal

__all__ = ["RenewalTask"]


class RenewalTask:
    """Watches files while it is used. Several may share one object, which then watches once for all of them."""

    def __init__(self, renewal: Callable[[IReactorTime], Renewal[Any]]) -> None:
        """
        Args:
            renewal: returns what is used, for a clock.
        """
        self._new = renewal
        self._users = 0
        self._renewal: Renewal[Any] | None = None

    def use(self, clock: IReactorTime) -> None:
        """Begin, if this is the first use. Its clock tells the time for all."""
        self._users += 1
        if self._renewal is None:
            self._renewal = self._new(clock)
            self._renewal.use(clock)

    def release(self) -> None:
        """End one use, and with the last one the watch."""
        self._users -= 1
        if not self._users and self._renewal is not None:
            self._renewal.release()
            self._renewal = None
