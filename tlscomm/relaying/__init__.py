"""Bytes from one connection to another, both ways: TLS in front of a service that has none, and behind a client's.

A `Forwarding` is a protocol factory. It serves each connection by another one that it makes to one place, and a `Relay`
joins the two until both have ended.
"""

from tlscomm._lazy import lazyFace

__all__ = ["Forwarding", "Relay"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.relaying._forwarding import Forwarding
    from tlscomm.relaying._relay import Relay
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {"Forwarding": "tlscomm.relaying._forwarding", "Relay": "tlscomm.relaying._relay"},
    )
