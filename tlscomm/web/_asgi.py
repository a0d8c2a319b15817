"""Who sends a request to an ASGI application that Daphne serves on an endpoint of tlscomm.

Daphne takes endpoint strings (``daphne -e tlscomm:…``), and tells an application nothing of TLS. The application is
wrapped in a `TLSExtension`, which puts ``tls`` into the extensions of each scope, as the TLS extension of ASGI says
(https://asgi.readthedocs.io/en/latest/specs/tls.html), and more into ``tlscomm``.

An ASGI application is not told which connection a request came over. Of what it is given Daphne makes one thing of the
protocol that serves the connection: ``send`` is a method of its server with the protocol as its first argument.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import cache, partial
from typing import Any

from twisted.web.http import Request

from tlscomm.access import Peer
from tlscomm.transport import TLSTransport, transportOf
from tlscomm.web._autobahn import enableAutobahn
from tlscomm.web._identityheaders import isOfIdentity
from tlscomm.x509._encoding import pem
from tlscomm.x509._facts import subjectText

__all__ = ["TLSExtension"]

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

#: The numbers that ASGI has for versions: those on the wire.
_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}

_SECURE = frozenset({"https", "wss"})


class TLSExtension:
    """An ASGI application that tells another one who its client is::

        application = TLSExtension(application)

    It has to be the outermost one. In the scope of each request and WebSocket over tlscomm, ``extensions`` has:

    ``tls``
        ``server_cert``, ``client_cert_chain``, ``client_cert_name``, ``client_cert_error``, ``tls_version`` and
        ``cipher_suite``, as ASGI says. The chain is the verified one. A client that is refused never gets as far, so
        there is no error.

    ``tlscomm``
        ``peer``, the `tlscomm.access.Peer` or None, and ``facts``, the `tlscomm.tls.TLSFacts`.

    Headers by which a client says itself who it is are taken away, as by `tlscomm.web.withoutIdentity`. A scope that
    came without TLS stays as it is, and one that has ``tls`` already, of another server, too.
    """

    def __init__(self, application: Application) -> None:
        """
        Args:
            application: is told of its clients.
        """
        self._application = application
        if "autobahn.twisted.util" in sys.modules:
            # Daphne is there, with its WebSockets.
            enableAutobahn()

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Have the application serve a scope.

        Raises:
            RuntimeError: the scope came with TLS, and nothing tells over which connection: the server is not Daphne, or
                another application is around this one.
        """
        if scope["type"] in ("http", "websocket") and "tls" not in scope.get("extensions", {}):
            try:
                transport = _transportOf(scope, send)
            except ValueError:
                # The client is gone.
                return
            if transport is not None:
                scope = _told(scope, transport)
        await self._application(scope, receive, send)


def _transportOf(scope: Scope, send: object) -> TLSTransport | None:
    """Return the connection of a scope, or None where that is not tlscomm's.

    Raises:
        RuntimeError: it cannot be known.
        ValueError: it is gone.
    """
    protocol: Any = send.args[0] if isinstance(send, partial) and send.args else None
    if isinstance(protocol, Request):
        with suppress(TypeError):
            return transportOf(protocol)
        return None
    if hasattr(protocol, "transport"):
        # A WebSocket, which has taken over the connection of its request.
        return protocol.transport if isinstance(protocol.transport, TLSTransport) else None
    if scope.get("scheme") in _SECURE:
        raise RuntimeError("who the client is cannot be known: TLSExtension has to be the outermost one, under Daphne")
    return None


def _told(scope: Scope, transport: TLSTransport) -> Scope:
    peer, facts = transport.peer, transport.tls
    own = transport.getHandle().get_certificate(as_cryptography=True)
    tls = {
        "server_cert": None if own is None else pem([own]).decode(),
        **_client(peer),
        "tls_version": _VERSIONS.get(facts.version),
        "cipher_suite": _suites().get(facts.cipher),
    }
    extensions = {**scope.get("extensions", {}), "tls": tls, "tlscomm": {"peer": peer, "facts": facts}}
    headers = [(name, value) for name, value in scope["headers"] if not isOfIdentity(name)]
    return {**scope, "extensions": extensions, "headers": headers}


def _client(peer: Peer | None) -> dict[str, Any]:
    if peer is None:
        return {"client_cert_chain": [], "client_cert_name": None, "client_cert_error": None}
    chain = [pem([each]).decode() for each in peer.chain]
    return {"client_cert_chain": chain, "client_cert_name": subjectText(peer.certificate), "client_cert_error": None}


@cache
def _suites() -> dict[str, int]:
    """Return the numbers of cipher suites by OpenSSL's names, which pyOpenSSL does not tell."""
    from ssl import PROTOCOL_TLS_CLIENT, SSLContext

    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return {each["name"]: each["id"] & 0xFFFF for each in context.get_ciphers()}
