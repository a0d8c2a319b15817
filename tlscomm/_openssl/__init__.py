"""The only package that uses names which pyOpenSSL does not promise to keep.

pyOpenSSL's public ``Connection`` is right, and for four things it is not enough:

* *The alert that fits.* A Python verification callback that refuses makes OpenSSL send ``internal_error``. OpenSSL
  picks the alert by the error that is set in the store context, and that is reachable only from a callback of our own.
* *Facts.* Which alert went which way, that a certificate was asked for, that a session ticket came (a TLS 1.3 client's
  only sign that it was accepted), that a session was resumed.
* *An alert of our own*, for a refusal that comes when OpenSSL has verified. It needs a traffic secret, which OpenSSL
  tells to its key log callback, and that is called with the raw pointer.
* *The path of every byte.* ``Connection.recv`` allocates a buffer a call, and each call that finds nothing raises an
  exception. Calling OpenSSL directly costs a third for a short message.

Everything else in tlscomm talks to a `Channel`. ``tests/test_openssl.py`` names each private name that is used here and
fails when one of them goes away.
"""

from __future__ import annotations

from tlscomm._openssl.applicationprotocols import correctProtocols, selectProtocol
from tlscomm._openssl.certificates import decodingFault
from tlscomm._openssl.channel import Channel
from tlscomm._openssl.contexts import (
    firstMessage,
    keepRequests,
    keepSecrets,
    preferGroups,
    requireServerName,
    resumeSessions,
    sessionOf,
)
from tlscomm._openssl.errors import OpenSSLError
from tlscomm._openssl.paths import PathBuilder, isSignedBy, prepareForPaths, verifyErrorText, verifyPath

__all__ = [
    "Channel",
    "OpenSSLError",
    "PathBuilder",
    "correctProtocols",
    "decodingFault",
    "firstMessage",
    "isSignedBy",
    "keepRequests",
    "keepSecrets",
    "preferGroups",
    "prepareForPaths",
    "requireServerName",
    "resumeSessions",
    "selectProtocol",
    "sessionOf",
    "verifyErrorText",
    "verifyPath",
]
