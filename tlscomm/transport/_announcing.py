"""What is told of a connection to the server behind, in a header of the PROXY protocol."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from tlscomm.proxyprotocol import ProxiedConnection, ProxyAddress, headerBytes
from tlscomm.transport._transport import TLSTransport

__all__ = ["proxyHeader"]

#: OpenSSL's number of an error of which no more is known (``X509_V_ERR_UNSPECIFIED``).
_UNSPECIFIED = 1


def proxyHeader(transport: Any, word: str = "v2", more: Collection[str] = ()) -> bytes:
    """Return the header for a connection that is accepted, to be sent to the server behind before anything else.

    Behind a proxy of its own it says what that one has said: the client's address, and the unique id.

    Args:
        transport: a server's `TLSTransport`, or a transport without TLS.
        word: as in HAProxy's options: ``v1``, ``v2``, ``v2-ssl`` (with what is known of TLS), ``v2-ssl-cn`` (with the
            common name of the client's certificate too).
        more: words of HAProxy's ``proxy-v2-options``: ``ssl``, ``cert-cn``, ``ssl-cipher``, ``cert-sig``,
            ``cert-key``, ``authority``, ``crc32c``, ``unique-id``.

    Raises:
        ValueError: there is no such word.
    """
    ends: dict[str, Any] = {"source": _addressOf(transport.getPeer()), "destination": _addressOf(transport.getHost())}
    facts = _factsOf(transport) if isinstance(transport, TLSTransport) else {}
    return headerBytes(ProxiedConnection(**ends, **facts), word, more)


def _factsOf(transport: TLSTransport) -> dict[str, Any]:
    tls, peer, proxied = transport.tls, transport.peer, transport.proxied
    overruled = transport._connection.overruled
    return {
        "version": tls.version,
        "cipher": tls.cipher,
        "alpn": tls.alpn,
        "serverName": tls.serverName,
        "resumed": tls.resumed,
        "certificate": None if peer is None else peer.certificate,
        # A peer that a hook has let in with problems was not verified.
        "verify": next((each.opensslError or _UNSPECIFIED for each in overruled), 0),
        "ownCertificate": transport.getHandle().get_certificate(as_cryptography=True),
        "uniqueID": (None if proxied is None else proxied.uniqueID) or b"",
    }


def _addressOf(address: Any) -> ProxyAddress | None:
    if isinstance(address, IPv4Address):
        return ProxyAddress("IPv4", address.host, address.port)
    if isinstance(address, IPv6Address):
        return ProxyAddress("IPv6", address.host, address.port)
    return None
