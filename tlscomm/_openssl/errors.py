"""What OpenSSL says when it cannot go on."""

from __future__ import annotations

from tlscomm._openssl.binding import ffi, lib

__all__ = ["OpenSSLError", "clearErrors", "errorQueue"]

#: Empties OpenSSL's error queue of this thread.
clearErrors = lib.ERR_clear_error


class OpenSSLError(Exception):
    """OpenSSL cannot go on.

    Attributes:
        reasons: the reason of each entry in OpenSSL's error queue, oldest first; empty for an unexpected end of stream.
        exceptions: what the callbacks of an external context raised.
    """

    def __init__(self, reasons: tuple[str, ...], exceptions: tuple[Exception, ...] = ()) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.exceptions = exceptions


def errorQueue() -> tuple[str, ...]:
    """Empty OpenSSL's error queue of this thread, and return the reason of each entry, oldest first."""
    reasons = []
    while number := lib.ERR_get_error():
        text = lib.ERR_reason_error_string(number)
        reasons.append(ffi.string(text).decode("utf-8", "replace") if text != ffi.NULL else f"error {number}")
    return tuple(reasons)
