"""The application protocols of servers whose OpenSSL contexts are made by Twisted (ALPN)."""

from __future__ import annotations

from collections.abc import Callable
from inspect import getclosurevars
from typing import Any

from OpenSSL import SSL

__all__ = ["hasProtocols"]


def hasProtocols(connection: SSL.Connection, select: Callable[..., Any] | None) -> bool:
    """Return whether a server whose callback chose nothing for a client has application protocols at all.

    Args:
        connection: the server's; its application data is Twisted's or tlscomm's transport.
        select: the callback. Any but Twisted's means what pyOpenSSL documents, to end the connection, so it has some.
    """
    # The program that has a context of Twisted's has loaded it.
    from twisted.internet.interfaces import IProtocolNegotiationFactory
    from twisted.internet.ssl import CertificateOptions

    if select is None or select.__module__ != CertificateOptions.__module__:
        return True
    if getclosurevars(select).nonlocals.get("acceptableProtocols"):
        return True
    factory: Any = IProtocolNegotiationFactory(connection.get_app_data().factory.wrappedFactory, None)
    return factory is not None and bool(tuple(factory.acceptableProtocols()))
