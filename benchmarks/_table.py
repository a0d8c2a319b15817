"""One row a measure: the median of each contestant, its spread, and its ratio to the peer of all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks._contestants import PEER
from benchmarks._measures import Sample

__all__ = ["heading", "median", "row", "spread"]


def median(samples: Sequence[Sample]) -> float:
    return statistics.median(each.value for each in samples) if samples else float("nan")


def spread(samples: Sequence[Sample]) -> float:
    """Half of the distance between the quartiles, in proportion to the median."""
    if len(samples) < 2:
        return 0.0
    low, _, high = statistics.quantiles([each.value for each in samples], n=4, method="inclusive")
    return (high - low) / 2 / median(samples)


def heading(names: Sequence[str]) -> str:
    return " " * 62 + "".join(f"{name[-18:]:>20}" for name in names)


def row(title: str, samples: Mapping[str, Sequence[Sample]]) -> str:
    peer = median(samples.get(PEER, ()))
    lines = [f"{title:62}" + "".join(_value(each, peer) for each in samples.values())]
    if any(each.load for values in samples.values() for each in values):
        lines.append(f"{'    busy: server, load':62}" + "".join(map(_busy, samples.values())))
    return "\n".join(lines)


def _value(samples: Sequence[Sample], peer: float) -> str:
    value = median(samples)
    if math.isnan(value):
        return f"{'-':>20}"
    ratio = "-" if math.isnan(peer) else f"{value / peer:.2f}"
    return f"{value:>8.3g} ±{spread(samples) * 100:<3.0f}{ratio:>6} "


def _busy(samples: Sequence[Sample]) -> str:
    if not samples or not samples[0].seconds:
        return f"{'':20}"
    server = statistics.median(each.server / each.seconds for each in samples)
    load = statistics.median(each.load / each.seconds for each in samples)
    mark = "*" if load > server else " "
    return f"{f'{server:.0%} {load:.0%}':>18}{mark} "
