"""What is traced, from what options or endpoint strings say: values of the settings table, by name."""

from __future__ import annotations

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
        ValueError: a file or a folder cannot be written; the message says which and why.
    """
    folder, capture, keyLog, refusedTraces = (settings.get(name) for name in _NAMES)
    if observer is None and not (folder or capture or keyLog or refusedTraces):
        return None
    from tlscomm.tracing._capturefile import CaptureFile
    from tlscomm.tracing._folder import TraceFolder
    from tlscomm.tracing._keylogfile import KeyLogFile
    from tlscomm.tracing._tracing import Tracing

    return Tracing(
        observer=observer,
        folder=_opened("trace folder", folder, lambda path: TraceFolder(path, later=later)),
        capture=_opened("capture", capture, lambda path: CaptureFile(path, settings["captureSize"])),
        keyLog=_opened("key log", keyLog, KeyLogFile),
        refusedTraces=refusedTraces or 0,
        applicationDataBytes=settings.get("traceApplicationData") or 0,
    )


def _opened(what: str, path: Any, open: Callable[[str], T]) -> T | None:
    # A command that shows traces has a flag of the folder's name.
    if not isinstance(path, str):
        return None
    try:
        return open(path)
    except OSError as problem:
        reason = problem.strerror or printable(str(problem))
        raise ValueError(f"the {what} {printable(path)} cannot be written: {reason}") from None
