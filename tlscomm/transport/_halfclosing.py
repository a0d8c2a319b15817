"""Whether a protocol can go on when its peer has closed."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.protocols.policies import ProtocolWrapper

__all__ = ["asHalfCloseable"]


def asHalfCloseable(protocol: Any) -> Any:
    """Return the protocol as one that is told of the peer's end and may finish what it has to say, or None."""
    if isinstance(protocol, ProtocolWrapper) and not IHalfCloseableProtocol.implementedBy(type(protocol)):
        # Twisted's wrappers claim all interfaces of their transport. This one, of ours, is meant for TCP below.
        return None
    return IHalfCloseableProtocol(protocol, None)
