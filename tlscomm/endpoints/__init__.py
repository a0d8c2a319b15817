"""Client and server endpoints, the ``tlscomm:`` endpoint strings, and a client that stays connected.

A client's `connect` succeeds when both sides have accepted each other, and fails with the `TLSFailure` that says why
they have not. A server's factory hears of a connection at the same moment and not before.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "PostgreSQLClient",
    "PostgreSQLServer",
    "ProxiedServerEndpoint",
    "TLSClientEndpoint",
    "TLSClientService",
    "TLSServerEndpoint",
    "UpgradingClientEndpoint",
    "UpgradingServerEndpoint",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.endpoints._endpoints import TLSClientEndpoint, TLSServerEndpoint
    from tlscomm.endpoints._postgresql import PostgreSQLClient, PostgreSQLServer
    from tlscomm.endpoints._proxied import ProxiedServerEndpoint
    from tlscomm.endpoints._reconnecting import TLSClientService
    from tlscomm.endpoints._upgrading import UpgradingClientEndpoint, UpgradingServerEndpoint
else:
    # Programs that look up plugins import a module of this package: that must not load OpenSSL or the reactor.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "PostgreSQLClient": "tlscomm.endpoints._postgresql",
            "PostgreSQLServer": "tlscomm.endpoints._postgresql",
            "ProxiedServerEndpoint": "tlscomm.endpoints._proxied",
            "TLSClientEndpoint": "tlscomm.endpoints._endpoints",
            "TLSClientService": "tlscomm.endpoints._reconnecting",
            "TLSServerEndpoint": "tlscomm.endpoints._endpoints",
            "UpgradingClientEndpoint": "tlscomm.endpoints._upgrading",
            "UpgradingServerEndpoint": "tlscomm.endpoints._upgrading",
        },
    )
