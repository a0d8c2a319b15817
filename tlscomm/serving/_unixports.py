"""A port of Twisted's for a Unix socket that was opened elsewhere, and stays when the port stops.

Twisted's own for that lets all users in, whatever mode the socket had, and removes its path when it stops: systemd
would keep a socket that no client finds any more.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import unix
from twisted.internet.interfaces import IProtocolFactory

from tlscomm.endpoints._below import BACKLOG

__all__ = ["adoptedUNIXPort"]


class _AdoptedPort(unix.Port):
    """Closes its own duplicate of the socket when it stops, and does nothing else to it."""

    # Of Twisted's, which has no public way to leave a Unix socket alone: what has no path is not chmodded or removed,
    # and the others that have the socket would be shut down too.
    _bindPath = b""
    _shouldShutdown = False


def adoptedUNIXPort(reactor: Any, listening: socket.socket, factory: IProtocolFactory) -> unix.Port:
    """Return a port that accepts clients of a socket.

    Args:
        reactor: listens.
        listening: a Unix socket that listens and does not block. It stays open when the port stops.
        factory: makes the protocols.
    """
    port = _AdoptedPort._fromListeningDescriptor(reactor, listening.fileno(), factory)  # type: ignore[no-untyped-call]
    # With a null byte in front it is in no file system.
    port._bindPath = b"\0" + port._bindPath
    # It listens once more, which says anew how many clients may wait.
    port.backlog = BACKLOG
    port.startListening()
    return port  # type: ignore[no-any-return]
