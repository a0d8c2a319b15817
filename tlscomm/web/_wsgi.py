"""WSGI applications of `twisted.web` that know their caller."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.web.resource import IResource
from twisted.web.wsgi import WSGIResource
from zope.interface import implementer

from tlscomm.transport import transportOf
from tlscomm.web._environ import environOf
from tlscomm.web._identityheaders import withoutIdentity

__all__ = ["PeerWSGIResource"]

_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@implementer(IResource)
class PeerWSGIResource:
    """Twisted's `WSGIResource` with the caller in the environment of each request.

    ``tlscomm.peer`` is the `tlscomm.access.Peer`, or None, and ``tlscomm.tls`` what was agreed. The ``SSL_…`` variables
    are those of Apache's mod_ssl: ``SSL_CLIENT_VERIFY`` is ``SUCCESS`` or ``NONE``, ``SSL_CLIENT_S_DN_CN`` the common
    name, ``SSL_CLIENT_SAN_DNS_0`` the first DNS name. Headers of the client that say such things are taken away.
    """

    isLeaf = True
    server = None

    def __init__(self, reactor: Any, threadpool: Any, application: _Application) -> None:
        """
        Args:
            reactor: hands the answers back.
            threadpool: its threads run the application.
            application: the WSGI application.
        """
        self._reactor = reactor
        self._threadpool = threadpool
        self._application = application

    def getChildWithDefault(self, name: bytes, request: Any) -> IResource:
        """Part of `IResource`: it is a leaf, and has none."""
        raise LookupError("the paths of a WSGI application are its own")

    def putChild(self, path: bytes, child: IResource) -> None:
        """Part of `IResource`: it is a leaf, and has none."""
        raise TypeError("the paths of a WSGI application are its own")

    def render(self, request: Any) -> Any:
        """Have the application answer a request."""
        transport = transportOf(request)
        # In the reactor's thread: the connection is not to be asked in another.
        caller = environOf(transport.peer, transport.tls)
        withoutIdentity(request)
        application = partial(_called, self._application, caller)
        return WSGIResource(self._reactor, self._threadpool, application).render(request)


def _called(application: _Application, caller: dict[str, Any], environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    environ.update(caller)
    return application(environ, start)
