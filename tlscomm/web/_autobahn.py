"""WebSockets of Autobahn over tlscomm.

Autobahn asks of every connection with TLS that it be of the one class of Twisted's that it knows, and fails with
``RuntimeError`` for others, before a WebSocket is open. What it needs of a connection ours has as well. So it is told
that there are two such classes, in the one name of its module that it asks with.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tlscomm.transport import TLSTransport

__all__ = ["enableAutobahn"]

_MODULE, _NAME = "autobahn.twisted.util", "TLSMemoryBIOProtocol"


def enableAutobahn() -> None:
    """Have Autobahn, and so Daphne, take connections of tlscomm for WebSockets. It may be called again.

    Raises:
        ImportError: Autobahn is not there.
        RuntimeError: it asks in another way than it did; with a later tlscomm it may work.
    """
    module: Any = import_module(_MODULE)
    known = getattr(module, _NAME, None)
    if known is None:
        raise RuntimeError(f"this version of Autobahn has no {_NAME} in {_MODULE} any more")
    classes = known if isinstance(known, tuple) else (known,)
    if TLSTransport not in classes:
        setattr(module, _NAME, (*classes, TLSTransport))
