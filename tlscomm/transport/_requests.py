"""The connection that a request of twisted.web came over."""

from __future__ import annotations

from typing import Any

from twisted.protocols.policies import ProtocolWrapper

from tlscomm.transport._transport import TLSTransport

__all__ = ["transportOf"]


def transportOf(request: Any) -> TLSTransport:
    """Return the connection that a request of `twisted.web` came over, whose ``peer`` is the visitor.

    Over HTTP/1.1 the transport of a request's channel is the connection. Over HTTP/2 many requests share one, and the
    channel is a stream of it, without a transport of its own.

    Args:
        request: a `twisted.web.http.Request` that is being answered.

    Raises:
        TypeError: it came over another transport than tlscomm's.
        ValueError: it has no channel any more, because the client is gone or the answer is finished.
    """
    channel = request.channel
    if channel is None:
        raise ValueError("this request has no connection any more")
    transport = channel.transport
    if transport is None:
        # Of Twisted's H2Stream, which has no public name for it.
        transport = channel._conn.transport
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    if not isinstance(transport, TLSTransport):
        raise TypeError(f"this request did not come over a connection of tlscomm, but over {type(transport).__name__}")
    return transport
