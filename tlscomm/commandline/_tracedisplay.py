"""What ``tlscomm connect --trace`` shows while it comes."""

from __future__ import annotations

from tlscomm._wire.events import Event
from tlscomm.commandline._printing import say
from tlscomm.drawing._liveline import liveLine
from tlscomm.tracing import Trace

__all__ = ["TraceDisplay"]


class TraceDisplay:
    """Writes a line to standard error for each thing that passes: an observer of traces.

    Attributes:
        trace: of the connection, once it has ended.
    """

    def __init__(self, *, isQuiet: bool) -> None:
        """
        Args:
            isQuiet: whether nothing is written, because a program is given the trace as a whole.
        """
        self.trace: Trace | None = None
        self._isQuiet = isQuiet
        self._began: int | None = None

    def happened(self, connection: int, event: Event) -> None:
        """Part of `EventObserver`."""
        if self._began is None:
            self._began = event.time
        if not self._isQuiet:
            say(liveLine(event, self._began), error=True)

    def ended(self, trace: Trace) -> None:
        """Part of `EventObserver`."""
        self.trace = trace
