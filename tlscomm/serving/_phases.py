"""The phases of a server, from its start to its end."""

from __future__ import annotations

from enum import Enum

__all__ = ["ServerPhase"]


class ServerPhase(Enum):
    """Where a server is in its life. A health check, the status and systemd are told by this."""

    STARTING = "starting"
    READY = "ready"
    #: The configuration is read again. Connections are taken meanwhile as in READY.
    RELOADING = "reloading"
    #: The server is to stop. After the drain delay no new connections are taken, and the open ones end.
    DRAINING = "draining"
    STOPPED = "stopped"

    @property
    def isReady(self) -> bool:
        """Whether new connections are wanted."""
        return self in (ServerPhase.READY, ServerPhase.RELOADING)
