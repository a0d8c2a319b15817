"""What is traced of live connections, and where it goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import count
from typing import Protocol

from tlscomm._dataclasses import dataclass
from tlscomm._wire.events import Event
from tlscomm.failures import printable
from tlscomm.tracing._capturefile import CaptureFile
from tlscomm.tracing._keylogfile import KeyLogFile
from tlscomm.tracing._trace import Trace

__all__ = ["EventObserver", "Folder", "Recorded", "TraceObserver", "Tracing"]

#: What is called of what is given, which may be of any class that has it.
_METHODS = {"observer": ("ended",), "folder": ("add", "flush"), "capture": ("begin",), "keyLog": ("write",)}

_NUMBERS = ("refusedTraces", "refusedTraceBytes", "applicationDataBytes", "connections")


class TraceObserver(Protocol):
    """Is given the trace of each connection, once, when it has ended. What it raises is logged and changes nothing."""

    def ended(self, trace: Trace) -> None:
        """A connection has ended, or was refused."""


class EventObserver(TraceObserver, Protocol):
    """Is told of what passes on connections as well, while it passes, for a display that is live."""

    def happened(self, connection: int, event: Event) -> None:
        """Something was seen on a connection. `Trace.number` is the same number.

        Application data that nothing interrupts is told once, when something else follows or the connection ends. Of a
        connection with very many events the first few hundred are told.
        """


class Recorded(Protocol):
    """A connection that has ended, and was recorded."""

    @property
    def wasAccepted(self) -> bool:
        """Whether both sides had accepted each other."""

    def trace(self) -> Trace | None:
        """Return what was seen; None where it was not kept."""


class Folder(Protocol):
    """Keeps traces as files, `TraceFolder` for one."""

    def add(self, recorded: Recorded) -> None:
        """A connection has ended. Its trace may be made later."""

    def flush(self) -> None:
        """Make what has yet to be made."""


@dataclass(frozen=True)
class Tracing:
    """What is traced of the connections of a `TLSFactory` or of an endpoint.

    Whatever is traced, what is on the wire stays the same. With nothing but ``refusedTraces``, accepted connections are
    not looked at any more from their acceptance on.

    Attributes:
        observer: is given the trace of each connection when it has ended; an `EventObserver` is also told of each thing
            that is seen. Traces are made in the reactor's thread, which takes some milliseconds each.
        folder: takes the trace of each connection as a file.
        capture: the capture file that the bytes of all connections go to, with the secrets that open them.
        keyLog: the file that the secrets of all connections go to.
        refusedTraces: how many traces of refused connections are kept in memory (`TLSFactory.refusedTraces`).
        refusedTraceBytes: how many bytes of memory they take together, about. The oldest go first.
        applicationDataBytes: how much application data, for each connection and direction, is part of its trace. It is
            counted in any case.
        connections: of how many connections at a time traces are kept, so that what strangers send does not fill the
            memory. It may be 128 KiB each until they are accepted. Connections on which nothing was said do not count.
            Where there are more, the oldest has no trace, and the log says so; captures and key logs have all.
        now: tells the time, in nanoseconds since 1970. Where it raises, the connection goes on and is not traced.
        numbers: those of the connections that are to come, where no log of a server has numbers of its own.

    Raises:
        TypeError: one of them is something else; the message names it.
        ValueError: a number is less than 0, or a capture and a key log are one file.
    """

    observer: TraceObserver | None = None
    folder: Folder | None = None
    capture: CaptureFile | None = None
    keyLog: KeyLogFile | None = None
    refusedTraces: int = 0
    refusedTraceBytes: int = 4 << 20
    applicationDataBytes: int = 0
    connections: int = 1000
    now: Callable[[], int] = field(default_factory=lambda: time.time_ns, repr=False, compare=False)
    numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, methods in _METHODS.items():
            _checkMethods(name, getattr(self, name), methods)
        for name in _NUMBERS:
            _checkNumber(name, getattr(self, name))
        if not callable(self.now):
            raise TypeError(f"now is what is called for the time, and not {self.now!r}")
        if not isinstance(self.numbers, Iterator):
            raise TypeError(f"numbers is an iterator, and not {self.numbers!r}")
        files = [file for file in (self.capture, self.keyLog) if isinstance(file, CaptureFile | KeyLogFile)]
        if len({os.path.realpath(file.path) for file in files}) < len(files):
            raise ValueError("capture and keyLog are one file; a capture holds the secrets by itself")

    @property
    def keepsAll(self) -> bool:
        """Whether whole connections are kept, for an observer or a folder, or because nothing says otherwise."""
        isPlain = not (self.capture or self.keyLog or self.refusedTraces)
        return self.observer is not None or self.folder is not None or isPlain

    @property
    def keepsRefused(self) -> bool:
        """Whether connections are kept until they are accepted."""
        return self.keepsAll or self.refusedTraces > 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is to be said when it begins: which file holds what, a sentence or more each."""
        return tuple(
            f"{what} written to {printable(str(file.path))}: who can read it can {can} (RFC 9850). Keep it "
            "to yourself, and remove it when it is not needed any more."
            for what, file, can in (
                ("connections and their secrets are", self.capture, "read all that is said on them"),
                ("the secrets of connections are", self.keyLog, "read all that is said on those that were captured"),
            )
            if file is not None
        )

    def flush(self) -> None:
        """Write what waits, because no more will come soon."""
        if self.folder is not None:
            self.folder.flush()


def _checkMethods(name: str, given: object, methods: Sequence[str]) -> None:
    if given is None:
        return
    if isinstance(given, type):
        raise TypeError(f"{name} is an object of a class, and not the class {given.__name__} itself")
    missing = [method for method in methods if not callable(getattr(given, method, None))]
    if missing:
        raise TypeError(f"{name} is an object with the method {missing[0]}, or None, and not {given!r}")


def _checkNumber(name: str, given: object) -> None:
    if not isinstance(given, int) or isinstance(given, bool):
        raise TypeError(f"{name} is a whole number, not {given!r}")
    if given < 0:
        raise ValueError(f"{name} is a whole number of 0 or more, not {given}")
