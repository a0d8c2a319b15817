"""The functions that OpenSSL calls, and the channel that each call is about.

An exception must not cross OpenSSL. cffi prints it and returns the value of `error`, which refuses.

To be called costs as much as to verify a tenth of a signature, and OpenSSL would call fifty times in a handshake to say
in which state it is. So it is asked to do that only where a state, or an alert, is to be heard of in no other way
(`Channel.noteEvents`), and what is called often decides first, and without the channel, whether it has anything to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakValueDictionary

from OpenSSL import SSL

from tlscomm._openssl.binding import ffi, lib

__all__ = [
    "alertCallback",
    "certificateCallback",
    "channels",
    "keylogCallback",
    "lineCallback",
    "messageCallback",
    "sharedInfoCallback",
    "stateCallback",
    "strictVerifyCallback",
    "verifyCallback",
]

#: A handshake record and CertificateRequest (RFC 8446, sections 5.1 and 4).
_HANDSHAKE = 22
_CERTIFICATE_REQUEST = b"\x0d"

#: How the lines begin that have the secret under which a server, or a client, refuses (`Channel.secret`). The others
#: are told apart from them by as much.
_SECRETS = {b"SERVER_T": False, b"CLIENT_H": True}
_LABEL = 8

#: The states of a client in which something is learnt, and what of a channel is true from then on.
_STATES = {
    b"SSLv3/TLS read server certificate request": "certificateRequested",
    b"SSLv3/TLS write client certificate": "certificateRequested",
    b"SSLv3/TLS write certificate verify": "certificateSent",
    b"SSLv3/TLS read server session ticket": "ticketSeen",
}
#: The same by where OpenSSL has the names of its states, which are constants; and nothing for all other states.
_statesByPlace: dict[Any, str] = {}


class _Called(Protocol):
    """What a channel is asked and told."""

    secret: bytes | None
    certificateRequest: bytes | None
    keyLog: Callable[[bytes], None] | None
    _isClient: bool
    _foreignInfo: Any

    def _verify(self, ok: int, context: Any) -> int: ...

    def _showCertificate(self) -> int: ...

    def _noteAlert(self, where: int, value: int) -> None: ...


#: OpenSSL hands a callback the SSL*, and Python needs the object again. Weak, so that the map keeps nothing alive.
channels: WeakValueDictionary[Any, _Called] = WeakValueDictionary()


@ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def verifyCallback(ok: int, context: Any) -> int:
    if ok and lib.X509_STORE_CTX_get_error_depth(context):
        # Above the peer's own certificate a channel looks at problems alone.
        return 1
    return _verified(ok, context)


@ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def strictVerifyCallback(ok: int, context: Any) -> int:
    """The same for a channel whose connection has a verification callback of its own, which is asked each time."""
    return _verified(ok, context)


def _verified(ok: int, context: Any) -> int:
    ssl = lib.X509_STORE_CTX_get_ex_data(context, lib.SSL_get_ex_data_X509_STORE_CTX_idx())
    return channels[ssl]._verify(ok, context)


@ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
def keylogCallback(ssl: Any, line: Any) -> None:
    isOfClient = _SECRETS.get(ffi.unpack(line, _LABEL))
    if isOfClient is not None and (channel := channels.get(ssl)) is not None and channel._isClient is isOfClient:
        channel.secret = bytes.fromhex(ffi.string(line).rpartition(b" ")[2].decode("ascii"))


@ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
def lineCallback(ssl: Any, line: Any) -> None:
    """The same for a context of which a channel wants each line: one call of OpenSSL's for both."""
    if (channel := channels.get(ssl)) is None:
        return
    text = ffi.string(line)
    if channel.keyLog is not None:
        channel.keyLog(text)
    if _SECRETS.get(text[:_LABEL]) is channel._isClient:
        channel.secret = bytes.fromhex(text.rpartition(b" ")[2].decode("ascii"))


@ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def stateCallback(ssl: Any, where: int, value: int) -> None:
    """Tell a client of its states and alerts."""
    if where & SSL.SSL_CB_ALERT:
        _noteAlert(ssl, where, value)
    elif (learnt := _statesByPlace.get(lib.SSL_state_string_long(ssl))) != "":
        _noteState(ssl, learnt)


@ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def alertCallback(ssl: Any, where: int, value: int) -> None:
    """Tell a server of its alerts. From its states it has nothing to learn."""
    if where & SSL.SSL_CB_ALERT:
        _noteAlert(ssl, where, value)


@ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def sharedInfoCallback(ssl: Any, where: int, value: int) -> None:
    """Tell an external context's own callback of everything, and then the channel."""
    if (channel := channels.get(ssl)) is not None:
        channel._foreignInfo(ssl, where, value)
        if where & SSL.SSL_CB_ALERT:
            _noteAlert(ssl, where, value)
        elif channel._isClient:
            _noteState(ssl, None)


def _noteState(ssl: Any, learnt: str | None) -> None:
    """Note what a client learns in the state that it is in.

    Args:
        ssl: of the client.
        learnt: that, or None where the name of the state has to be read first.
    """
    if learnt is None:
        place = lib.SSL_state_string_long(ssl)
        learnt = _statesByPlace[place] = _STATES.get(ffi.string(place), "")
    if learnt and (channel := channels.get(ssl)) is not None:
        setattr(channel, learnt, True)


def _noteAlert(ssl: Any, where: int, value: int) -> None:
    if (channel := channels.get(ssl)) is not None:
        channel._noteAlert(where, value)


@ffi.callback("int (*)(SSL *, void *)", error=0)  # type: ignore[untyped-decorator]
def certificateCallback(ssl: Any, _argument: Any) -> int:
    return channels[ssl]._showCertificate()


@ffi.callback("void (*)(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
def messageCallback(sent: int, _v: int, kind: int, data: Any, size: int, ssl: Any, _a: Any) -> None:
    if not sent and kind == _HANDSHAKE and size:
        message = ffi.buffer(data, size)
        if message[0] == _CERTIFICATE_REQUEST and (channel := channels.get(ssl)) is not None:
            channel.certificateRequest = message[:]
