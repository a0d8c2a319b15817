"""The PROXY protocol: the header by which a proxy says whose connection it passes on, read and written.

Both versions of HAProxy's specification (``proxy-protocol.txt``), and what a header of version 2 says besides: of the
client's TLS, the server name and the application protocol. There is no input and no output in here.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "HeaderReader",
    "ProxiedConnection",
    "ProxyAddress",
    "ProxyHeader",
    "ProxyTLS",
    "TrustedProxies",
    "headerBytes",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.proxyprotocol._header import ProxyAddress, ProxyHeader, ProxyTLS
    from tlscomm.proxyprotocol._reader import HeaderReader
    from tlscomm.proxyprotocol._trusted import TrustedProxies
    from tlscomm.proxyprotocol._writing import ProxiedConnection, headerBytes
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "HeaderReader": "tlscomm.proxyprotocol._reader",
            "ProxiedConnection": "tlscomm.proxyprotocol._writing",
            "ProxyAddress": "tlscomm.proxyprotocol._header",
            "ProxyHeader": "tlscomm.proxyprotocol._header",
            "ProxyTLS": "tlscomm.proxyprotocol._header",
            "TrustedProxies": "tlscomm.proxyprotocol._trusted",
            "headerBytes": "tlscomm.proxyprotocol._writing",
        },
    )
