"""What the service manager is told: systemd's notification protocol, sd_notify(3), without a library of it.

Each message is one datagram of ``NAME=VALUE`` lines to the Unix socket that the environment variable ``NOTIFY_SOCKET``
names. Without that variable nothing is sent. The variables are removed when they are read, so that no child takes them
for its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from tlscomm.failures import printable
from tlscomm.serving._phases import ServerPhase
from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["Notifier", "SystemdObserver", "systemdObserver"]

_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

#: Seconds between two statuses, where there is no watchdog.
_INTERVAL = 10.0
#: While connections end, systemd is asked for this many more seconds, each time half of them have passed.
_EXTENSION = 20.0

_LONGEST_REASON = 200

_MICROSECONDS = 1_000_000


class Notifier:
    """Sends messages to the service manager."""

    def __init__(self, address: str) -> None:
        """
        Args:
            address: the path of its socket; ``@`` in front means Linux's abstract namespace.

        Raises:
            ValueError: it is neither.
        """
        if address[:1] not in ("/", "@"):
            raise ValueError("NOTIFY_SOCKET is neither a path nor an abstract name")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def send(self, **values: object) -> None:
        """Send one message. What cannot be sent is lost: the manager may be busy or gone, and clients go first."""
        message = "\n".join(f"{name}={str(value).replace(chr(10), ' ')}" for name, value in values.items())
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(self._address)
            sender.send(message.encode())


class SystemdObserver:
    """Tells the service manager what becomes of a server, and that its reactor turns. A `ServerObserver`."""

    def __init__(
        self,
        notifier: Notifier,
        clock: IReactorTime,
        connections: Callable[[], int],
        *,
        watchdog: float | None = None,
        extends: bool = True,
        isWell: Callable[[], bool] = lambda: True,
    ) -> None:
        """
        Args:
            notifier: sends what is to be told.
            clock: tells the time. It is the reactor, so that no sign of life is given where that is stuck.
            connections: returns how many connections are open.
            watchdog: seconds after which the manager takes a silent server for dead; None where it does not.
            extends: whether to ask for more time while connections end.
            isWell: returns whether the server does what it is for. Where it does not, no sign of life is given.
        """
        self._notifier = notifier
        self._clock = clock
        self._connections = connections
        self._watchdog = watchdog
        self._interval = _INTERVAL if watchdog is None else watchdog / 2
        self._extends = extends
        self._isWell = isWell
        self._phase = ServerPhase.STARTING
        self._lastReload = ""
        self._status = ""
        self._next: IDelayedCall | None = None

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        former, self._phase = self._phase, phase
        if phase is ServerPhase.READY:
            self._notifier.send(READY=1, **self._newStatus())
        elif phase is ServerPhase.RELOADING:
            microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self._notifier.send(RELOADING=1, MONOTONIC_USEC=microseconds)
        elif phase is ServerPhase.DRAINING:
            self._notifier.send(STOPPING=1, **self._newStatus(), **self._extension())
        else:
            self._notifier.send(STATUS="stopped")
            self._stop()
            return
        if former is not phase:
            self._begin()

    def reloaded(self, result: ReloadResult) -> None:
        """The configuration was read again, or could not be."""
        self._lastReload = "configuration taken" if result else f"configuration not taken: {_reason(result)}"
        self._notifier.send(**self._newStatus())

    def _begin(self) -> None:
        self._stop()
        interval = self._interval
        if self._phase is ServerPhase.DRAINING:
            interval = min(interval, _EXTENSION / 2)
        self._next = self._clock.callLater(interval, self._goOn)

    def _goOn(self) -> None:
        values: dict[str, object] = {} if self._watchdog is None or not self._isWell() else {"WATCHDOG": 1}
        values |= self._extension()
        if (status := self._newStatus())["STATUS"] != self._status:
            values |= status
        self._status = str(status["STATUS"])
        if values:
            self._notifier.send(**values)
        self._begin()

    def _stop(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None

    def _newStatus(self) -> dict[str, object]:
        words = [self._phase.value, f"{self._connections()} connections", self._lastReload]
        return {"STATUS": ", ".join(word for word in words if word)}

    def _extension(self) -> dict[str, object]:
        isWanted = self._extends and self._phase is ServerPhase.DRAINING
        return {"EXTEND_TIMEOUT_USEC": int(_EXTENSION * _MICROSECONDS)} if isWanted else {}


def _reason(result: ReloadResult) -> str:
    words = printable(str(result.problem)).partition("\n")[0]
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."


def systemdObserver(
    clock: IReactorTime,
    connections: Callable[[], int],
    environment: MutableMapping[str, str] = os.environ,
    *,
    isWell: Callable[[], bool] = lambda: True,
) -> SystemdObserver | None:
    """Return what tells the service manager that started this process; None where none did, or none that listens.

    Args:
        clock: tells the time.
        connections: returns how many connections are open.
        environment: of this process. What is meant for it alone is removed.
        isWell: as in `SystemdObserver`.
    """
    given: dict[str, Any] = {name: environment.pop(name, "") for name in _VARIABLES}
    if not given["NOTIFY_SOCKET"] or not hasattr(socket, "AF_UNIX"):
        return None
    microseconds, process = given["WATCHDOG_USEC"], given["WATCHDOG_PID"]
    isOurs = microseconds.isdigit() and process in ("", str(os.getpid()))
    watchdog = int(microseconds) / _MICROSECONDS if isOurs else 0.0
    with contextlib.suppress(ValueError):
        notifier = Notifier(given["NOTIFY_SOCKET"])
        return SystemdObserver(notifier, clock, connections, watchdog=watchdog or None, isWell=isWell)
    return None
