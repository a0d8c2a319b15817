"""How long an accepted connection may last, and how long it may be idle.

Both end it in order, and both have a name. They hold for what is above, whatever it is; how long a message may take is
for a protocol of messages to say.

Nothing is noted for them when bytes pass: whether some have is seen from the numbers that a connection has anyway, four
times in the time that it may be idle. So it may be idle for a quarter more.
"""

from __future__ import annotations

from collections.abc import Callable
from random import uniform

from tlscomm.failures import IdleTimeout, LifetimeOver
from tlscomm.transport._ending import EndingTransport

__all__ = ["LastingTransport"]

#: Connections that began together, as after a restart, must not all end together and come back at once.
_SHORTEST = 0.9

_LOOKS = 4


class LastingTransport(EndingTransport):
    """A transport that ends its connection when that has lasted, or was idle, for too long."""

    __slots__ = ()

    def _watchTime(self) -> None:
        """Both sides have accepted each other."""
        deadlines = self._deadlines
        if deadlines.lifetime is not None:
            self._watch(deadlines.lifetime * uniform(_SHORTEST, 1), self._lifetimeOver)
        if deadlines.idle is not None:
            self._lookIfIdle(deadlines.idle, None, 0)

    def _stopWatching(self) -> None:
        watches, self._watches = self._watches, None
        for watch in watches or ():
            if watch.active():
                watch.cancel()

    def _watch(self, seconds: float, expired: Callable[..., object], *facts: object) -> None:
        watches = [each for each in self._watches or () if each.active()]
        self._watches = [*watches, self._clock.callLater(seconds, expired, *facts)]

    def _lookIfIdle(self, seconds: float, former: tuple[int, int, int] | None, inVain: int) -> None:
        now = self.bytesReceived, self.bytesSent, self._output.unsent
        inVain = inVain + 1 if now == former else 0
        if inVain < _LOOKS:
            self._watch(seconds / _LOOKS, self._lookIfIdle, seconds, now, inVain)
        else:
            self.closeBecause(IdleTimeout(f"nothing was sent or received for {seconds:g} s", limit="idleTimeout"))

    def _lifetimeOver(self) -> None:
        self.closeBecause(LifetimeOver(f"that is {self._deadlines.lifetime:g} s", limit="connectionLifetime"))
