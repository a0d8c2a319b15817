"""What a server or a client may be told, checked when it is said.

A configuration is one frozen object. One that exists can be used: a credential without its key, a version that does
not exist or a minimum above the maximum never gets as far as a connection. Twisted's own ``CertificateOptions`` builds
OpenSSL's context, once; a changed configuration is a new object.

Who already has a ``CertificateOptions``, or any other creator of OpenSSL connections, wraps it in a
`ForeignConfiguration`.
"""

from tlscomm._chains.servernames import asciiServerName
from tlscomm.configuration._client import ClientConfiguration
from tlscomm.configuration._foreign import ForeignConfiguration
from tlscomm.configuration._presenting import insecurelyPresenting
from tlscomm.configuration._server import ClientCertificates, ServerConfiguration
from tlscomm.configuration._shared import Configuration, Deadlines, Version

__all__ = [
    "ClientCertificates",
    "ClientConfiguration",
    "Configuration",
    "Deadlines",
    "ForeignConfiguration",
    "ServerConfiguration",
    "Version",
    "asciiServerName",
    "insecurelyPresenting",
]
