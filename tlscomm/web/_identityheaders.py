"""Headers that say who a client is, for a server behind this one, and against clients that write them themselves."""

from __future__ import annotations

import base64
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.web.resource import IResource, getChildForRequest
from zope.interface import implementer

from tlscomm.access import Peer
from tlscomm.web._peers import peerOf

__all__ = ["IDENTITY_HEADERS", "IdentityHeaders", "isOfIdentity", "withoutIdentity"]

#: Headers by which servers tell those behind them who a client is. A client's own are a lie. Those of RFC 9440, and
#: what nginx, HAProxy, Apache, Envoy, Traefik and AWS are configured to send in their manuals.
IDENTITY_HEADERS: Final = frozenset(
    {
        "client-cert",
        "client-cert-chain",
        "x-amzn-mtls-clientcert",
        "x-amzn-mtls-clientcert-issuer",
        "x-amzn-mtls-clientcert-leaf",
        "x-amzn-mtls-clientcert-serial-number",
        "x-amzn-mtls-clientcert-subject",
        "x-amzn-mtls-clientcert-validity",
        "x-client-cert",
        "x-client-dn",
        "x-client-verify",
        "x-forwarded-client-cert",
        "x-forwarded-tls-client-cert",
        "x-forwarded-tls-client-cert-info",
    }
)

#: And whatever begins like this: mod_ssl's variables, as headers.
_PREFIXES = ("ssl-", "x-ssl-")


def isOfIdentity(name: bytes) -> bool:
    """Return whether a header is one by which servers say who a client is. CGI makes the same of ``Client_Cert``."""
    plain = name.decode("latin-1").lower().replace("_", "-")
    return plain in IDENTITY_HEADERS or plain.startswith(_PREFIXES)


def withoutIdentity(request: Any) -> None:
    """Take the headers from a request by which its client says who it is.

    Args:
        request: a `twisted.web` request. ``Client_Cert`` is taken as well: CGI and WSGI make the same of it.
    """
    headers = request.requestHeaders
    for name, _ in list(headers.getAllRawHeaders()):
        if isOfIdentity(name):
            headers.removeHeader(name)


@implementer(IResource)
class IdentityHeaders:
    """A ``Resource`` that tells another one, and the server behind that, who a client is (RFC 9440).

    Headers of the client that say such things are taken away first. Then ``Client-Cert`` is its certificate and
    ``Client-Cert-Chain`` those of its authorities, as they were verified; of a client without a certificate there is
    neither. Put it before `twisted.web.proxy.ReverseProxyResource`, and have the server behind believe these headers
    from this one alone.
    """

    isLeaf = True
    server = None

    def __init__(self, resource: IResource, *, withChain: bool = True) -> None:
        """
        Args:
            resource: answers the requests.
            withChain: whether there is ``Client-Cert-Chain``. Several kilobytes of it may be more than the server
                behind takes.
        """
        self._resource = resource
        self._withChain = withChain

    def getChildWithDefault(self, name: bytes, request: Any) -> IResource:
        """Part of `IResource`: it is a leaf, and has none."""
        raise LookupError("the children are those of the resource that answers")

    def putChild(self, path: bytes, child: IResource) -> None:
        """Part of `IResource`: children are those of the resource that answers."""
        raise TypeError("put children below the resource that answers")

    def render(self, request: Any) -> Any:
        """Have a request answered, with the headers that are true."""
        peer = peerOf(request)
        withoutIdentity(request)
        if peer is not None:
            headers = _headersOf(peer)
            for name, value in headers if self._withChain else headers[:1]:
                request.requestHeaders.setRawHeaders(name, [value])
        return getChildForRequest(self._resource, request).render(request)


def _headersOf(peer: Peer) -> list[tuple[bytes, bytes]]:
    """Return the headers of RFC 9440, section 2.2 and 2.3; the chain is without the client's own certificate."""
    binaries = [b":" + base64.b64encode(each.public_bytes(Encoding.DER)) + b":" for each in peer.chain]
    headers = [(b"client-cert", binaries[0])]
    if len(binaries) > 1:
        headers.append((b"client-cert-chain", b", ".join(binaries[1:])))
    return headers
