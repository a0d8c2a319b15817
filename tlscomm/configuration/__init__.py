"""What a server or a client may be told, checked when it is said.

A configuration is one frozen object. One that exists can be used: a credential without its key, a version that does
not exist or a minimum above the maximum never gets as far as a connection. Twisted's own ``CertificateOptions`` builds
OpenSSL's context, once; a changed configuration is a new object.

Who already has a ``CertificateOptions``, or any other creator of OpenSSL connections, wraps it in a
`ExternalContextConfiguration`.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "ClientCertificates",
    "ClientConfiguration",
    "Configuration",
    "Deadlines",
    "ExternalContextConfiguration",
    "ServerConfiguration",
    "Version",
    "asciiServerName",
    "insecurelyPresenting",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.configuration._base import Configuration, Deadlines, Version
    from tlscomm.configuration._client import ClientConfiguration
    from tlscomm.configuration._externalcontext import ExternalContextConfiguration
    from tlscomm.configuration._presenting import insecurelyPresenting
    from tlscomm.configuration._server import ClientCertificates, ServerConfiguration
    from tlscomm.verification._servernames import asciiServerName
else:
    # The table of settings is here too, and every program that looks up plugins reads it: it must not load OpenSSL.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "ClientCertificates": "tlscomm.configuration._server",
            "ClientConfiguration": "tlscomm.configuration._client",
            "Configuration": "tlscomm.configuration._base",
            "Deadlines": "tlscomm.configuration._base",
            "ExternalContextConfiguration": "tlscomm.configuration._externalcontext",
            "ServerConfiguration": "tlscomm.configuration._server",
            "Version": "tlscomm.configuration._base",
            "asciiServerName": "tlscomm.verification._servernames",
            "insecurelyPresenting": "tlscomm.configuration._presenting",
        },
    )
