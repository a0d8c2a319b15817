"""TLS between the protocols of a factory and their TCP connections, for Twisted.

A `TLSFactory` is what a TCP port or connector is given. It makes one `TLSTransport` for each TCP connection, asks the
factory above for a protocol when both sides have accepted each other, and tells an `Observer` what becomes of each.
"""

from tlscomm.transport._address import describeAddress
from tlscomm.transport._factory import TLSFactory
from tlscomm.transport._interfaces import Observer
from tlscomm.transport._phases import Phase
from tlscomm.transport._requests import transportOf
from tlscomm.transport._transport import TLSTransport

__all__ = [
    "Observer",
    "Phase",
    "TLSFactory",
    "TLSTransport",
    "describeAddress",
    "transportOf",
]
