"""What OpenSSL says when it cannot go on."""

from __future__ import annotations

from tlscomm._openssl.binding import ffi, lib

__all__ = ["OpenSSLError", "clearErrors", "takeErrors"]

#: An alert that came is an error with the alert's number added to this (SSL_AD_REASON_OFFSET of ssl.h).
_ALERTS = 1000
_LAST_ALERT = 255

#: Where the number of an error has that of its library, and libssl's (ERR_LIB_OFFSET and ERR_LIB_SSL of err.h).
_LIBRARY_OFFSET = 23
_LIBRARY_SSL = 20

#: Empties OpenSSL's error queue of this thread.
clearErrors = lib.ERR_clear_error


class OpenSSLError(Exception):
    """OpenSSL cannot go on.

    Attributes:
        reasons: the reason of each entry in OpenSSL's error queue, oldest first; empty for an unexpected end of stream.
        exceptions: what the callbacks of an external context raised.
        alertReceived: the number of the fatal alert by which the peer has ended the connection, or None.
    """

    def __init__(
        self, reasons: tuple[str, ...], exceptions: tuple[Exception, ...] = (), alertReceived: int | None = None
    ) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.exceptions = exceptions
        self.alertReceived = alertReceived


def takeErrors(exceptions: tuple[Exception, ...] = ()) -> OpenSSLError:
    """Empty OpenSSL's error queue of this thread, and return what it says.

    Args:
        exceptions: what is known besides.
    """
    reasons, alertReceived = [], None
    while number := lib.ERR_get_error():
        text = lib.ERR_reason_error_string(number)
        reasons.append(ffi.string(text).decode("utf-8", "replace") if text != ffi.NULL else f"error {number}")
        reason = lib.ERR_GET_REASON(number) - _ALERTS
        if (number >> _LIBRARY_OFFSET) & 0xFF == _LIBRARY_SSL and 0 <= reason <= _LAST_ALERT:
            alertReceived = reason
    return OpenSSLError(tuple(reasons), exceptions, alertReceived)
