"""Whether a server takes new connections, for a balancer that asks whether to send some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime

from tlscomm._clocks import timeOfDay
from tlscomm.serving._phases import ServerPhase
from tlscomm.serving._service import TLSService

__all__ = ["Readiness"]

_REASONS = {
    ServerPhase.STARTING: "the server is starting",
    ServerPhase.DRAINING: "the server is stopping: no new connections are taken",
    ServerPhase.STOPPED: "the server has stopped",
}


class Readiness:
    """Tells whether one process is ready. It is an observer of its server.

    Attributes:
        phase: where the server is in its life.
    """

    def __init__(self, clock: IReactorTime, listeners: Callable[[], Sequence[TLSService]]) -> None:
        """
        Args:
            clock: tells the time of day as well.
            listeners: returns the services as they are now.
        """
        self.phase = ServerPhase.STARTING
        self._now = timeOfDay(clock)
        self._listeners = listeners

    def entered(self, phase: ServerPhase) -> None:
        """The server is in another phase."""
        self.phase = phase

    def reasons(self) -> list[str]:
        """Return why the server is not ready, as sentences without their ends; none where it is."""
        if not self.phase.isReady:
            return [_REASONS[self.phase]]
        listeners = self._listeners()
        if not any(each.addresses for each in listeners):
            return ["no port is open"]
        return [
            f"the identity of the listener {each.name or ''} has expired".replace("  ", " ")
            for each in listeners
            if self._hasExpired(each)
        ]

    def toJSON(self) -> dict[str, Any]:
        """Return the verdict for JSON."""
        reasons = self.reasons()
        return {"ready": not reasons, "phase": self.phase.value, "reasons": reasons}

    def _hasExpired(self, service: TLSService) -> bool:
        """Return whether a listener has no identity any more that is valid. Of an external context none is known."""
        configuration: Any = service.factory.configuration
        credentials = (getattr(configuration, "credential", None), *getattr(configuration, "others", ()))
        ends = [each.certificate.not_valid_after_utc.timestamp() for each in credentials if each is not None]
        return bool(ends) and max(ends) < self._now()
