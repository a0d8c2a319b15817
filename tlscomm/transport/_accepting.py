"""How many connections a port accepts in one turn of the reactor.

A port of Twisted's accepts as many connections at once as wait, up to a number that begins at a hundred and grows by
twenty a turn while it is reached, and each takes as long as ten messages. Here it is eight a turn. Those that wait
meanwhile wait in the kernel, as long as the port's backlog. Where turns are long, because open connections have much to
say, it is more, so that strangers are let in at the same rate.

The number is Twisted's `twisted.internet.tcp.Port.numberAccepts`. A port of another kind accepts as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["paceAccepting"]

_FEW = 8

#: The seconds of a turn for which another connection is accepted in it.
_SECONDS_EACH = 0.002


def paceAccepting(port: Any, seconds: Callable[[], float]) -> None:
    """Have a port accept few connections a turn. It does no harm to call it again.

    Args:
        port: the port that has accepted a connection, or anything else.
        seconds: tells the time.
    """
    if isinstance(getattr(port, "numberAccepts", None), int) and "doRead" not in vars(port):
        _Pace(port, seconds)


class _Pace:
    """Sets how many connections a port accepts, before it does so."""

    def __init__(self, port: Any, seconds: Callable[[], float]) -> None:
        self._port = port
        self._accept = port.doRead
        self._seconds = seconds
        self._began = 0.0
        self._accepted = 0
        port.doRead = self.doRead

    def doRead(self) -> None:
        """Accept, in the place of the port's `twisted.internet.interfaces.IReadDescriptor.doRead`."""
        port, began = self._port, self._seconds()
        most = 1
        if self._accepted:
            most = max(_FEW, min(2 * self._accepted, int((began - self._began) / _SECONDS_EACH)))
        port.numberAccepts = most
        self._accept()
        # Twisted's number grows where so many have come. Where fewer have, the next one may come alone, and much later.
        self._accepted = most if port.numberAccepts > most else 0
        self._began = began
