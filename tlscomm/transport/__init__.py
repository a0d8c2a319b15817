"""TLS between the protocols of a factory and their TCP connections, for Twisted.

A `TLSFactory` is what a TCP port or connector is given. It makes one `TLSTransport` for each TCP connection, asks the
factory above for a protocol when both sides have accepted each other, and tells an `Observer` what becomes of each.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "Observer",
    "Phase",
    "TLSFactory",
    "TLSTransport",
    "describeAddress",
    "proxyHeader",
    "transportOf",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.transport._address import describeAddress
    from tlscomm.transport._announcing import proxyHeader
    from tlscomm.transport._factory import TLSFactory
    from tlscomm.transport._interfaces import Observer
    from tlscomm.transport._phases import Phase
    from tlscomm.transport._requests import transportOf
    from tlscomm.transport._transport import TLSTransport
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "Observer": "tlscomm.transport._interfaces",
            "Phase": "tlscomm.transport._phases",
            "TLSFactory": "tlscomm.transport._factory",
            "TLSTransport": "tlscomm.transport._transport",
            "describeAddress": "tlscomm.transport._address",
            "proxyHeader": "tlscomm.transport._announcing",
            "transportOf": "tlscomm.transport._requests",
        },
    )
