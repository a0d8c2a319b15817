"""What the log says when no file can be opened for another connection: how many clients that has cost, now and then.

Twisted's ports then close the clients who come, with a file that they have kept back for that, and say three things of
each. Strangers decide how many come.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import ILogObserver, LogEvent, Logger, globalLogPublisher
from zope.interface import implementer

try:
    import resource
except ImportError:  # Windows has no such limit.
    resource = None  # type: ignore[assignment]

__all__ = ["FileLimitLog"]

_log = Logger(namespace="tlscomm")

#: Seconds between two lines.
_INTERVAL = 10.0


@implementer(ILogObserver)
class FileLimitLog:
    """Takes the place of the log of a port of Twisted's. What has nothing to do with files goes on to the log."""

    def __init__(self, clock: IReactorTime) -> None:
        """
        Args:
            clock: tells the time.
        """
        self._clock = clock
        self._count = 0
        self._next: IDelayedCall | None = None

    @classmethod
    def use(cls, port: Any, clock: IReactorTime) -> None:
        """Have a port say less.

        Args:
            port: one of Twisted's; what is none is left alone.
            clock: tells the time.
        """
        if (former := getattr(port, "_logger", None)) is not None:
            port._logger = Logger(namespace=former.namespace, observer=cls(clock))

    def __call__(self, event: LogEvent) -> None:
        """Count a client, or let an event go on."""
        isOfFiles = "EMFILE" in str(event.get("log_format"))
        if isOfFiles and "address" not in event:
            return
        if not (isOfFiles or "acceptError" in event):
            globalLogPublisher(event)
            return
        self._count += 1
        if self._next is None:
            self._say()

    def _say(self) -> None:
        self._next = None
        if self._count:
            limit = ""
            if resource is not None:
                limit = f" ({resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
            _log.warn(
                "{count} connections were closed as they came, because no more files can be open{limit}. Next step: "
                "Raise the limit (LimitNOFILE=, ulimit -n), or lower --maximum-connections",
                count=self._count,
                limit=limit,
            )
            self._count = 0
            self._next = self._clock.callLater(_INTERVAL, self._say)
