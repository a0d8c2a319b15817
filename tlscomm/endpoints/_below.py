"""The endpoint below a server's TLS, out of an endpoint string, and what is wrong with a string that describes none.

Twisted and the plugins of other projects raise what they like, down to the ``list index out of range`` of a socket that
systemd has not handed over. Who wrote the string is told what it means.
"""

from __future__ import annotations

import re
from typing import Any, cast

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from tlscomm.failures import printable

__all__ = ["BACKLOG", "endpointBelow"]

#: How many clients may wait to be accepted. With Twisted's 50, most of a thousand that come at once wait for a second.
BACKLOG = 1024

#: Twisted's own sockets with no more than a place and one other argument.
_WITHOUT_BACKLOG = re.compile(r"(tcp6?|unix):(\\.|[^:\\])*(:(?!backlog=)(\\.|[^:\\])*)?")

#: Python names the function of the parser, which says nothing to who wrote the string.
_FUNCTION = re.compile(r"^[\w.]+\(\) ")

_NO_SOCKET = (
    "systemd has handed over no such socket to this process; have systemd start it by a socket unit, and give the "
    "index or the name (FileDescriptorName=) that the unit's socket has, or listen on tcp:PORT"
)


def endpointBelow(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Return the server endpoint that a string describes.

    Args:
        reactor: listens.
        description: an endpoint string of Twisted's or of a plugin. Where it is for a port or a Unix socket, and does
            not say how many clients may wait there, `BACKLOG` do.

    Raises:
        ValueError: it describes none; the message says why.
    """
    backlog = f":backlog={BACKLOG}" if _WITHOUT_BACKLOG.fullmatch(description) else ""
    try:
        return cast(IStreamServerEndpoint, serverFromString(reactor, description + backlog))
    except Exception as problem:
        # A plugin of another project may parse it.
        raise ValueError(_reason(description, problem)) from None


def _reason(description: str, problem: Exception) -> str:
    if description.startswith("systemd:") and isinstance(problem, LookupError):
        return _NO_SOCKET
    return printable(_FUNCTION.sub("", str(problem)) or repr(problem))
