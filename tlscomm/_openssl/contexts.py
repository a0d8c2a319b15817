"""What is set on a context, and what one tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakSet

from OpenSSL import SSL

from tlscomm._openssl.binding import ffi, lib
from tlscomm._openssl.callbacks import keylogCallback, lineCallback, messageCallback
from tlscomm._openssl.errors import clearErrors

__all__ = [
    "firstMessage",
    "keepRequests",
    "keepSecrets",
    "passOnSecrets",
    "preferGroups",
    "requireServerName",
    "resumeSessions",
    "sessionOf",
]

#: More than a first message is long.
_LARGE = 1 << 17

_UNRECOGNIZED_NAME = 112

_keepingSecrets: WeakSet[SSL.Context] = WeakSet()
_passingOnSecrets: WeakSet[SSL.Context] = WeakSet()
_firstMessages: WeakKeyDictionary[SSL.Context, bytes] = WeakKeyDictionary()


def firstMessage(context: SSL.Context) -> bytes:
    """Return the ClientHello of a client with this context, which tells all that the context can negotiate.

    It is written once for a context that connections are made from, because it is asked for with each that a stranger
    makes come to nothing, and costs keys.
    """
    if context not in _firstMessages:
        connection = SSL.Connection(context)
        connection.set_connect_state()
        clearErrors()
        lib.SSL_do_handshake(connection._ssl)
        clearErrors()
        _firstMessages[context] = connection.bio_read(_LARGE)
    return _firstMessages[context]


def preferGroups(context: SSL.Context, groups: Sequence[str]) -> None:
    """Set the key exchange groups of a context, the preferred one first.

    Raises:
        ValueError: OpenSSL does not know one of them.
    """
    if not lib.SSL_CTX_set1_curves_list(context._context, ":".join(groups).encode("ascii")):
        clearErrors()
        raise ValueError(f"OpenSSL does not know all of these groups: {', '.join(groups)}")


def requireServerName(context: SSL.Context, isKnown: Callable[[bytes | None], bool]) -> None:
    """Make a server's context refuse, with unrecognized_name, names that it does not serve (RFC 6066, section 3)."""

    @ffi.callback("int (*)(SSL *, int *, void *)", error=lib.SSL_TLSEXT_ERR_ALERT_FATAL)  # type: ignore[untyped-decorator]
    def select(ssl: Any, alert: Any, _argument: Any) -> int:
        name = lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name)
        if isKnown(None if name == ffi.NULL else ffi.string(name)):
            return int(lib.SSL_TLSEXT_ERR_OK)
        alert[0] = _UNRECOGNIZED_NAME
        return int(lib.SSL_TLSEXT_ERR_ALERT_FATAL)

    # The context keeps the callback alive, as it does with pyOpenSSL's own.
    context._tlsext_servername_callback = select
    lib.SSL_CTX_set_tlsext_servername_callback(context._context, select)


def keepRequests(context: SSL.Context) -> None:
    """Have the channels of a client's context know how the server asks for a certificate.

    OpenSSL gives the authorities away and nothing else, and reports each record of the connection to get at the rest.
    """
    lib.SSL_CTX_set_msg_callback(context._context, messageCallback)


def keepSecrets(context: SSL.Context) -> None:
    """Have the channels of a context know the secret for an alert that OpenSSL cannot send."""
    if context._keylog_callback is keylogCallback or context in _keepingSecrets:
        return
    _keepingSecrets.add(context)
    foreign: Any = context._keylog_callback
    _setKeylog(context, keylogCallback if foreign is None else _both(keylogCallback, foreign))


def passOnSecrets(context: SSL.Context) -> None:
    """Have the channels of a context hear of every secret, where they want that (`Channel.keyLog`).

    It is done when the first of them does, so that the channels of other contexts do not pay for it.
    """
    if context not in _passingOnSecrets:
        foreign: Any = context._keylog_callback
        isOurs = foreign is None or foreign is keylogCallback
        _setKeylog(context, lineCallback if isOurs else _both(lineCallback, foreign))
        _keepingSecrets.add(context)
        _passingOnSecrets.add(context)


def _setKeylog(context: SSL.Context, callback: Any) -> None:
    # The context keeps the callback alive, as it does with pyOpenSSL's own.
    context._keylog_callback = callback
    lib.SSL_CTX_set_keylog_callback(context._context, callback)


def _both(first: Any, second: Any) -> Any:
    """Return a callback that has two others called."""

    @ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
    def both(ssl: Any, line: Any) -> None:
        first(ssl, line)
        second(ssl, line)

    return both


def resumeSessions(context: SSL.Context, name: bytes, seconds: int) -> None:
    """Let the clients of a server's context resume their sessions, which stay in the memory of the server.

    Args:
        context: of one configuration, so that a session is never resumed under another one.
        name: at most 32 bytes (SSL_CTX_set_session_id_context(3)).
        seconds: how long a session may be resumed.
    """
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_id(name)
    context.set_timeout(seconds)
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)


def sessionOf(connection: SSL.Connection, context: SSL.Context) -> SSL.Session | None:
    """Return the session of a connection for others to resume that begin with a context.

    The connection may have gone on to another context, for the certificate that it has shown, and pyOpenSSL ties its
    session to that one. They differ in nothing that a session depends on.
    """
    session: Any = connection.get_session()
    if session is not None:
        session._context = context
    return cast("SSL.Session | None", session)
