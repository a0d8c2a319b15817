"""The failure of TLS inside of what Twisted's HTTP client raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from twisted.python.failure import Failure

from tlscomm.failures import TLSFailure

__all__ = ["failureIn"]

#: How many exceptions are looked at; each may hold several.
_MOST = 100


def failureIn(error: BaseException | Failure) -> TLSFailure | None:
    """Return the `TLSFailure` that an error comes from, or None where it comes from none.

    A request whose connection ends before the answer has come fails with Twisted's ``ResponseNeverReceived``, and so
    on: they hold the reasons, of which one is ours.

    Args:
        error: what a request, or the delivery of a body, failed with, or Twisted's `Failure` of it.
    """
    left: list[BaseException | Failure] = [error]
    for _ in range(_MOST):
        if not left:
            return None
        found = _unwrapped(left.pop(0))
        if isinstance(found, TLSFailure):
            return found
        left += _inside(found)
    return None


def _unwrapped(error: BaseException | Failure) -> BaseException:
    return error.value if isinstance(error, Failure) else error  # type: ignore[return-value]


def _inside(error: BaseException) -> Iterator[BaseException | Failure]:
    # Of Twisted's errors with several reasons, and of its RedirectAgent's with one.
    for name in ("reasons", "reason"):
        held = getattr(error, name, None)
        several = held if isinstance(held, Iterable) and not isinstance(held, str | bytes) else (held,)
        yield from (each for each in several if isinstance(each, BaseException | Failure))
    if error.__cause__ is not None:
        yield error.__cause__
