"""Times and sizes as a person reads them."""

from __future__ import annotations

__all__ = ["durationText", "sizeText"]

_SECOND = 1_000_000_000


def durationText(nanoseconds: int) -> str:
    """Return a duration in at most nine letters. One below nothing comes from clocks that disagree."""
    seconds = nanoseconds / _SECOND
    size = abs(seconds)
    if size < 0.1:
        return f"{seconds * 1000:.2f} ms"
    if size < 100:
        return f"{seconds:.2f} s"
    if size < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if size < 360_000 else f"{seconds / 86400:.0f} d"


def sizeText(size: int) -> str:
    """Return a number of bytes in at most seven letters: as it is, or in kB, MB and so on (of 1000)."""
    if size < 100_000:
        return f"{size:,}"
    scaled, unit = size / 1000, "kB"
    for larger in ("MB", "GB", "TB", "PB", "EB"):
        if scaled >= 999.5:
            scaled, unit = scaled / 1000, larger
    return f"{scaled:.{1 if scaled < 99.95 else 0}f} {unit}"
