"""The listening sockets of a worker: its supervisor's, and no others."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IStreamServerEndpoint

from tlscomm.serving._sockets import ListeningSocket, ListeningSockets

__all__ = ["InheritedSockets"]

#: An endpoint that asks for a port, and gets the inherited one whatever it is: a string of systemd's, for one, has a
#: meaning in the supervisor alone.
_ANY = "tcp:0"


class InheritedSockets(ListeningSockets):
    """Sockets that other processes listen on as well.

    Attributes:
        areLast: whether the others stop listening, too. Then the clients who wait are accepted before the sockets are
            closed. Else they are left to the others.
    """

    def __init__(self, inherited: Mapping[str, Sequence[socket.socket]]) -> None:
        """
        Args:
            inherited: those of each place.
        """
        super().__init__()
        self.areLast = False
        self._left = {place: list(sockets) for place, sockets in inherited.items()}
        self._used: list[ListeningSockets] = []

    def endpoint(self, reactor: Any, place: str) -> IStreamServerEndpoint:
        """Return the endpoint that listens on an inherited socket.

        Raises:
            ValueError: none was inherited for that place.
        """
        if not self._left.get(place):
            raise ValueError("the server did not listen there when it was started; stop it, and start it again")
        # The path of a Unix socket is the supervisor's to remove.
        used = ListeningSockets([ListeningSocket(_ANY, self._left[place].pop(0), isOurs=False)])
        self._used.append(used)
        return used.endpoint(reactor, _ANY)

    def close(self) -> None:
        """Close the sockets of this process."""
        for each in self._used:
            if self.areLast:
                each.acceptWaiting()
            each.close()
