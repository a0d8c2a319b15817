"""Which of the application protocols that a client offers a server chooses (ALPN, RFC 7301)."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import FunctionType
from typing import Any
from weakref import WeakSet

from OpenSSL import SSL

from tlscomm._openssl.binding import ffi, lib

__all__ = ["correctProtocols", "selectProtocol"]

#: Whether a callback that chose nothing for a connection had anything to choose from.
HasProtocols = Callable[[SSL.Connection, "FunctionType | None"], bool]

#: How many names are looked at: some ten times as many as any client has. A stranger may send thirty thousand.
_MOST_OFFERED = 128

_corrected: WeakSet[SSL.Context] = WeakSet()


def selectProtocol(context: SSL.Context, protocols: Sequence[bytes]) -> None:
    """Make a server's context choose one of these, and refuse with no_application_protocol where none is offered.

    Where there are none, what a client offers is ignored (RFC 7301, section 3.2, is for servers that have some).
    pyOpenSSL's own callback can refuse only by an exception, which it then keeps for ever.
    """
    # Twisted's options have set one.
    context._alpn_select_helper = None
    if not protocols:
        lib.SSL_CTX_set_alpn_select_cb(context._context, ffi.NULL, ffi.NULL)
        context._alpn_select_callback = None
        return
    # OpenSSL reads the chosen name after the callback has returned, so it must live as long as the context.
    chosen = {protocol: ffi.new("unsigned char[]", protocol) for protocol in protocols}

    def select(_ssl: Any, out: Any, outLength: Any, offered: Any, length: int, _argument: Any) -> int:
        names = set(islice(_lengthPrefixed(ffi.buffer(offered, length)[:]), _MOST_OFFERED))
        for protocol, buffer in chosen.items():
            if protocol in names:
                out[0] = buffer
                outLength[0] = len(protocol)
                return int(lib.SSL_TLSEXT_ERR_OK)
        return int(lib.SSL_TLSEXT_ERR_ALERT_FATAL)

    _setSelection(context, select)


def correctProtocols(context: SSL.Context, hasProtocols: HasProtocols) -> None:
    """Make a server's context that tlscomm has not made keep to RFC 7301 where its callback chooses an empty name.

    pyOpenSSL documents that to end the connection, Twisted's callback does it where nothing is in common, a server
    without protocols included, and OpenSSL 4 takes it for an error of ours (internal_error). The same is done to the
    contexts that a callback for server names goes on to.

    Args:
        context: of a server.
        hasProtocols: is given the connection and the callback, None where it cannot be found. If it says yes, the
            client is refused with no_application_protocol, else what it offers is ignored.
    """
    if context in _corrected:
        return
    _corrected.add(context)
    if context._alpn_select_helper is not None:
        _correctSelection(context, hasProtocols)
    foreign: Any = context._tlsext_servername_callback
    if foreign is None:
        return

    @ffi.callback("int (*)(SSL *, int *, void *)", error=lib.SSL_TLSEXT_ERR_ALERT_FATAL)  # type: ignore[untyped-decorator]
    def choose(ssl: Any, alert: Any, argument: Any) -> int:
        result = int(foreign(ssl, alert, argument))
        correctProtocols(SSL.Connection._reverse_mapping[ssl].get_context(), hasProtocols)
        return result

    context._tlsext_servername_callback = choose
    lib.SSL_CTX_set_tlsext_servername_callback(context._context, choose)


def _correctSelection(context: SSL.Context, hasProtocols: HasProtocols) -> None:
    foreign: Any = context._alpn_select_callback
    # cffi keeps it, and gives it to the garbage collector alone.
    kept = gc.get_referents(*gc.get_referents(foreign))
    function = next((each for each in kept if isinstance(each, FunctionType)), None)
    inner = getattr(function, "__wrapped__", None)

    def select(ssl: Any, out: Any, outLength: Any, *offered: Any) -> int:
        result = int(foreign(ssl, out, outLength, *offered))
        if result != lib.SSL_TLSEXT_ERR_OK or outLength[0]:
            return result
        refused = hasProtocols(SSL.Connection._reverse_mapping[ssl], inner)
        return int(lib.SSL_TLSEXT_ERR_ALERT_FATAL if refused else lib.SSL_TLSEXT_ERR_NOACK)

    _setSelection(context, select)


def _setSelection(context: SSL.Context, select: Callable[..., int]) -> None:
    callback = ffi.callback(
        "int (*)(SSL *, unsigned char **, unsigned char *, const unsigned char *, unsigned int, void *)",
        select,
        error=lib.SSL_TLSEXT_ERR_ALERT_FATAL,
    )
    # The context keeps the callback alive, as it does with pyOpenSSL's own.
    context._alpn_select_callback = callback
    lib.SSL_CTX_set_alpn_select_cb(context._context, callback, ffi.NULL)


def _lengthPrefixed(names: bytes) -> Iterator[bytes]:
    offset = 0
    while offset < len(names):
        end = offset + 1 + names[offset]
        yield names[offset + 1 : end]
        offset = end
