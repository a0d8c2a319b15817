"""The table: for each measure the median of each contestant, its spread, and what tlscomm's is of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks._measure import Sample

__all__ = ["OURS", "busy", "heading", "median", "row", "spread"]

OURS = "tlscomm"

_TITLE = 50
_COLUMN = 19


def median(samples: Sequence[Sample]) -> float:
    return statistics.median(each.value for each in samples) if samples else math.nan


def spread(samples: Sequence[Sample]) -> float:
    """Half of the distance between the quartiles, in proportion to the median."""
    if len(samples) < 2:
        return 0.0
    low, _, high = statistics.quantiles([each.value for each in samples], n=4, method="inclusive")
    return (high - low) / 2 / median(samples)


def busy(samples: Sequence[Sample], side: str) -> float:
    """What part of a core the server or the load used, 0 where that was not looked at."""
    parts = [getattr(each, side) / each.seconds for each in samples if each.seconds]
    return round(statistics.median(parts), 2) if parts else 0.0


def heading(names: Sequence[str]) -> str:
    return " " * _TITLE + "".join(f"{name[-_COLUMN + 1 :]:>{_COLUMN}}" for name in names)


def row(title: str, names: Sequence[str], samples: Mapping[str, Sequence[Sample]]) -> str:
    """Return the lines of one measure.

    Args:
        title: of the measure.
        names: the columns.
        samples: by name; those without a column come behind.
    """
    ours = median(samples.get(OURS, ()))
    lines = [f"{title:{_TITLE}}" + "".join(_value(name, samples.get(name, ()), ours) for name in names)]
    for name in samples.keys() - set(names):
        lines[0] += f"  {name}:{_value(name, samples[name], ours)}"
    if any(each.load for values in samples.values() for each in values):
        busy = "".join(_busy(samples.get(name, ())) for name in names)
        lines.append(f"{'    busy: server, load':{_TITLE}}{busy}")
    return "\n".join(lines)


def _value(name: str, samples: Sequence[Sample], ours: float) -> str:
    value = median(samples)
    if math.isnan(value):
        return f"{'-':>{_COLUMN}}"
    ratio = "" if name == OURS or math.isnan(ours) else f"{ours / value:.2f}"
    digits = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
    return f"{f'{digits} ±{spread(samples):.0%}':>{_COLUMN - 6}}{ratio:>6}"


def _busy(samples: Sequence[Sample]) -> str:
    server, load = busy(samples, "server"), busy(samples, "load")
    if not load:
        return " " * _COLUMN
    mark = "*" if load > server else " "
    return f"{f'{server:.0%} {load:.0%}{mark}':>{_COLUMN}}"
