"""The functions that OpenSSL calls, and the channel that each call is about.

An exception must not cross OpenSSL. cffi prints it and returns the value of `error`, which refuses.
"""

from __future__ import annotations

from typing import Any, Protocol
from weakref import WeakValueDictionary

from OpenSSL import SSL

from tlscomm._openssl.binding import ffi, lib

__all__ = [
    "alertCallback",
    "certificateCallback",
    "channels",
    "infoCallback",
    "keylogCallback",
    "messageCallback",
    "verifyCallback",
]

#: A handshake record and CertificateRequest (RFC 8446, sections 5.1 and 4).
_HANDSHAKE = 22
_CERTIFICATE_REQUEST = b"\x0d"


class _Called(Protocol):
    """What a channel is asked and told."""

    secret: bytes | None
    certificateRequest: bytes | None
    _isClient: bool
    _foreignInfo: Any

    def _verify(self, ok: int, context: Any) -> int: ...

    def _showCertificate(self) -> int: ...

    def _noteEvent(self, where: int, value: int) -> None: ...


#: OpenSSL hands a callback the SSL*, and Python needs the object again. Weak, so that the map keeps nothing alive.
channels: WeakValueDictionary[Any, _Called] = WeakValueDictionary()


@ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def verifyCallback(ok: int, context: Any) -> int:
    ssl = lib.X509_STORE_CTX_get_ex_data(context, lib.SSL_get_ex_data_X509_STORE_CTX_idx())
    return channels[ssl]._verify(ok, context)


@ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
def keylogCallback(ssl: Any, line: Any) -> None:
    if (channel := channels.get(ssl)) is not None:
        label, _, secret = ffi.string(line).split(b" ")
        if label == (b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" if channel._isClient else b"SERVER_TRAFFIC_SECRET_0"):
            channel.secret = bytes.fromhex(secret.decode("ascii"))


@ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def infoCallback(ssl: Any, where: int, value: int) -> None:
    if (channel := channels.get(ssl)) is not None:
        if channel._foreignInfo is not None:
            channel._foreignInfo(ssl, where, value)
        channel._noteEvent(where, value)


# A server has some twenty states in a handshake, and nothing is to be learnt from them but alerts.
@ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def alertCallback(ssl: Any, where: int, value: int) -> None:
    if where & SSL.SSL_CB_ALERT and (channel := channels.get(ssl)) is not None:
        channel._noteEvent(where, value)


@ffi.callback("int (*)(SSL *, void *)", error=0)  # type: ignore[untyped-decorator]
def certificateCallback(ssl: Any, _argument: Any) -> int:
    return channels[ssl]._showCertificate()


@ffi.callback("void (*)(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
def messageCallback(sent: int, _v: int, kind: int, data: Any, size: int, ssl: Any, _a: Any) -> None:
    if not sent and kind == _HANDSHAKE and size:
        message = ffi.buffer(data, size)
        if message[0] == _CERTIFICATE_REQUEST and (channel := channels.get(ssl)) is not None:
            channel.certificateRequest = message[:]
