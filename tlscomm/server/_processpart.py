"""What is different in a process that is one of several which are one server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tlscomm._dataclasses import dataclass
from tlscomm.processes._inheritedsockets import InheritedSockets
from tlscomm.serving._eventlog import LogFormat, eventLog
from tlscomm.transport._eventlog import EventLog

__all__ = ["ProcessPart"]

#: What a process writes by itself, and no two may write at the same time.
_FILES = ("capture", "keylog")


@dataclass(frozen=True)
class ProcessPart:
    """The part that one worker has of a server.

    Attributes:
        number: the worker's, from 1.
        count: how many workers there are to be.
        numbers: those of its connections.
        sockets: where it listens; all of them are inherited.
        said: what the person who started the program has said (`Configuring.said`).
        changed: is called when files of the configuration have changed; None in the processes that do not watch.
        introduces: whether it says how to talk to a server with the development identity.
    """

    number: int
    count: int
    numbers: Iterator[int]
    sockets: InheritedSockets
    said: Mapping[str, Any]
    introduces: bool = False
    changed: Callable[[], object] | None = None

    def log(self, form: LogFormat, clock: IReactorTime, isForeground: bool) -> EventLog:
        """Return the log of this process.

        Args:
            form: as in `eventLog`.
            clock: tells the time.
            isForeground: whether the supervisor has a standard output.
        """
        log = eventLog(form, clock, foreground=isForeground, also={"worker": self.number})
        log.numbers = self.numbers
        # The supervisor says it once for all.
        log.listening = lambda address: None  # type: ignore[method-assign]
        return log

    def settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the whole process as they are for this one.

        A file that the server writes is one for each worker, ``trace.pcapng`` as ``trace-1.pcapng``, and a folder has a
        folder for each, ``worker-1``.
        """
        # The supervisor has waited before it tells the workers to stop, and it has the sockets that can be handed over.
        own = {**settings, "drainDelay": None, "handover": None}
        for name in _FILES:
            if own.get(name):
                stem, ending = os.path.splitext(own[name])
                own[name] = f"{stem}-{self.number}{ending}"
        if own.get("trace"):
            own["trace"] = os.path.join(own["trace"], f"worker-{self.number}")
        return own
