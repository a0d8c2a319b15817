"""Who has sent a request."""

from __future__ import annotations

from typing import Any

from tlscomm.access import Peer
from tlscomm.transport import transportOf

__all__ = ["peerOf"]


def peerOf(request: Any) -> Peer | None:
    """Return who has sent a request of `twisted.web`, by HTTP/1.1 or HTTP/2; of Klein's too, which are the same.

    Args:
        request: one that is being answered.

    Returns:
        The peer; None where it has shown no certificate, which only servers see that do not require one.

    Raises:
        TypeError: the request came over another transport than tlscomm's, so who has sent it is not known.
        ValueError: it has no connection any more, because the client is gone or the answer is finished.
    """
    return transportOf(request).peer
