"""What is traced, from what options or endpoint strings say: values of the settings table, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tlscomm.failures import printable

if TYPE_CHECKING:
    from tlscomm.tracing._tracing import TraceObserver, Tracing

__all__ = ["tracingFrom"]

_NAMES = ("trace", "capture", "keylog", "refusedTraces")

T = TypeVar("T")


def tracingFrom(
    settings: Mapping[str, Any],
    later: Callable[[float, Callable[[], None]], object] | None = None,
    observer: TraceObserver | None = None,
) -> Tracing | None:
    """Return what is to be traced, or None where nothing is, for which nothing is loaded.

    Args:
        settings: parsed values by the names of the settings table.
        later: has a call made after so many seconds; see `TraceFolder`.
        observer: is given the traces as well.

    Raises:
        ValueError: a file or a folder cannot be written, or what is said does not fit together; the message says which
            and why.
    """
    folder, capture, keyLog, refusedTraces = (settings.get(name) for name in _NAMES)
    if settings.get("captureSize") and not capture:
        raise ValueError("a size of captures was given, and no capture")
    if settings.get("traceApplicationData") and not (folder or refusedTraces or observer):
        raise ValueError("application data was asked for in traces, and no trace")
    if observer is None and not (folder or capture or keyLog or refusedTraces):
        return None
    if capture and keyLog and _stem(capture) == _stem(keyLog):
        raise ValueError(
            f"the capture {printable(capture)} and the key log {printable(keyLog)} are the same file, or become it "
            "when they are full; a capture holds the secrets by itself"
        )
    from tlscomm.tracing._capturefile import CaptureFile
    from tlscomm.tracing._folder import TraceFolder
    from tlscomm.tracing._keylogfile import KeyLogFile
    from tlscomm.tracing._tracing import Tracing

    return Tracing(
        observer=observer,
        folder=_opened("trace folder", folder, lambda path: TraceFolder(path, later=later)),
        capture=_opened("capture", capture, lambda path: CaptureFile(path, **_sizeIn(settings))),
        keyLog=_opened("key log", keyLog, KeyLogFile),
        refusedTraces=refusedTraces or 0,
        applicationDataBytes=settings.get("traceApplicationData") or 0,
    )


def _stem(path: str) -> str:
    """Return what stays of the names that a file has in turn."""
    return re.sub(r"\.[1-4]$", "", os.path.realpath(path))


def _sizeIn(settings: Mapping[str, Any]) -> dict[str, int]:
    size = settings.get("captureSize")
    return {} if size is None else {"maximumBytes": size}


def _opened(what: str, path: Any, open: Callable[[str], T]) -> T | None:
    # A command that shows traces has a flag of the folder's name.
    if not isinstance(path, str):
        return None
    try:
        return open(path)
    except OSError as problem:
        reason = problem.strerror or printable(str(problem))
        raise ValueError(f"the {what} {printable(path)} cannot be written: {reason}") from None
