"""Client and server endpoints, the ``tlscomm:`` endpoint strings, and a client that stays connected.

A client's `connect` succeeds when both sides have accepted each other, and fails with the `TLSFailure` that says why
they have not. A server's factory hears of a connection at the same moment and not before.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "ProxiedServerEndpoint",
    "TLSClientEndpoint",
    "TLSClientService",
    "TLSServerEndpoint",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.endpoints._endpoints import TLSClientEndpoint, TLSServerEndpoint
    from tlscomm.endpoints._proxied import ProxiedServerEndpoint
    from tlscomm.endpoints._reconnecting import TLSClientService
else:
    # Programs that look up plugins import a module of this package: that must not load OpenSSL or the reactor.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "ProxiedServerEndpoint": "tlscomm.endpoints._proxied",
            "TLSClientEndpoint": "tlscomm.endpoints._endpoints",
            "TLSClientService": "tlscomm.endpoints._reconnecting",
            "TLSServerEndpoint": "tlscomm.endpoints._endpoints",
        },
    )
